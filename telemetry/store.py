"""Writing readings by the batch: one statement, idempotent by (device, probe, at), telling what was new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from logistics.among import among
from telemetry.excursion import Sample
from telemetry.models import Device, ReadingRow
from telemetry.reading import Reading

Key = tuple[str, int, datetime]
Probe = tuple[str, int]

# The rows come as one JSON text: to make it costs a quarter of what ten arrays cost, and so does reading the answer,
# which names only those that were there already (numbered from 1; normally none, and then nothing is joined).
_INSERT = text(
    """
    WITH sent AS (
        SELECT * FROM ROWS FROM (
            json_to_recordset(CAST(:rows AS json)) AS (
                device text, probe smallint, at timestamptz, temp_c double precision, rh_pct double precision,
                battery_pct double precision, lid_open boolean, lat double precision, lon double precision
            )
        ) WITH ORDINALITY AS one(
            device, probe, at, temp_c, rh_pct, battery_pct, lid_open, lat, lon, place
        )
    ), stored AS (
        INSERT INTO reading (device_code, probe, at, temp_c, rh_pct, battery_pct, lid_open, lat, lon, recorded_at)
        SELECT device, probe, at, temp_c, rh_pct, battery_pct, lid_open, lat, lon, CAST(:recorded_at AS timestamptz)
        FROM sent
        ON CONFLICT DO NOTHING
        RETURNING device_code, probe, at
    )
    SELECT sent.place FROM sent LEFT JOIN stored
    ON stored.device_code = sent.device AND stored.probe = sent.probe AND stored.at = sent.at
    WHERE stored.at IS NULL AND (SELECT count(*) FROM stored) < :sent
    """
)
# Two values for one instant that differ by less are one value, rounded on two ways.
SAME_C = 0.05
_SQLITE_ROWS = 800  # 10 columns each; SQLite takes 32,766 values a statement


def insert_readings(session: Session, readings: Iterable[Reading], *, now: datetime) -> list[Key]:
    """Store readings, the first of each key; returns the keys that were new. Sorted by key, so that two processes
    never deadlock."""
    first: dict[Key, Reading] = {}
    for reading in readings:
        first.setdefault((reading.device, reading.probe, reading.at), reading)
    return insert_first(session, first, now=now)


def insert_first(session: Session, first: Mapping[Key, Reading], *, now: datetime) -> list[Key]:
    """``insert_readings`` of what is sorted out already."""
    keys = sorted(first)
    rows = [first[key] for key in keys]
    if not rows:
        return []
    if session.get_bind().dialect.name == "postgresql":
        return _insert_postgresql(session, keys, rows, now)
    return _insert_sqlite(session, rows, now)


def _insert_postgresql(session: Session, keys: list[Key], rows: Sequence[Reading], now: datetime) -> list[Key]:
    sent = {"rows": msgspec.json.encode(rows).decode(), "recorded_at": now, "sent": len(rows)}
    known = set(session.scalars(_INSERT, sent).all())
    return [key for place, key in enumerate(keys, 1) if place not in known] if known else keys


def _insert_sqlite(session: Session, rows: Sequence[Reading], now: datetime) -> list[Key]:
    new: list[Key] = []
    for begin in range(0, len(rows), _SQLITE_ROWS):
        values = [_values(row, now) for row in rows[begin : begin + _SQLITE_ROWS]]
        statement = (
            sqlite_insert(ReadingRow)
            .values(values)
            .on_conflict_do_nothing()
            .returning(ReadingRow.device_code, ReadingRow.probe, ReadingRow.at)
        )
        new.extend((device, probe, at) for device, probe, at in session.execute(statement).all())
    return new


def _values(row: Reading, now: datetime) -> dict[str, Any]:
    return {
        "device_code": row.device,
        "probe": row.probe,
        "at": row.at,
        "temp_c": row.temp_c,
        "rh_pct": row.rh_pct,
        "battery_pct": row.battery_pct,
        "lid_open": row.lid_open,
        "lat": row.lat,
        "lon": row.lon,
        "recorded_at": now,
    }


def update_rows(session: Session, table: Any, statement: str, rows: Sequence[dict[str, Any]]) -> None:
    """Update many rows by their primary key: on PostgreSQL with one statement that takes them all as JSON ``:rows``.

    The caller holds the rows' locks, so the order in which they are updated does not matter.
    """
    if not rows:
        return
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(statement), {"rows": msgspec.json.encode(rows).decode()})
        return
    keys = [column.name for column in table.primary_key.columns]
    wanted = update(table).where(*(table.c[key] == bindparam(f"key_{key}") for key in keys))
    wanted = wanted.values({name: bindparam(name) for name in rows[0] if name not in keys})
    moved = [{f"key_{name}" if name in keys else name: value for name, value in row.items()} for row in rows]
    session.connection().execute(wanted, moved)


@dataclass(slots=True)
class DeviceMark:
    """What a batch changes of a device's row."""

    code: str
    receipts: bool
    last_seen_at: datetime | None
    last_reading_at: datetime | None
    last_seq: int | None
    seq_spans: Sequence[Sequence[int]]
    battery_pct: float | None
    battery_low: bool
    learnt: Mapping[str, Any]


_UPDATE_DEVICES = """
    UPDATE device SET last_seen_at = new.last_seen_at, last_reading_at = new.last_reading_at, last_seq = new.last_seq,
        seq_spans = new.seq_spans, battery_pct = new.battery_pct, battery_low = new.battery_low,
        learnt = new.learnt
    FROM json_to_recordset(CAST(:rows AS json)) AS new(
        code text, last_seen_at timestamptz, last_reading_at timestamptz, last_seq bigint, seq_spans jsonb,
        battery_pct double precision, battery_low boolean, learnt jsonb
    )
    WHERE device.code = new.code
"""


_DEVICE = Device.__table__.c
_LOCK_DEVICES = (
    select(*(_DEVICE[name] for name in DeviceMark.__slots__))
    .where(among(_DEVICE.code, "codes"))
    .order_by(_DEVICE.code)
    .with_for_update()
)


def locked_devices(session: Session, codes: Iterable[str]) -> list[DeviceMark]:
    """The devices' marks, locked in the order of their codes until the transaction ends."""
    wanted = sorted(codes)
    if not wanted:
        return []
    return [DeviceMark(*row) for row in session.execute(_LOCK_DEVICES, {"codes": wanted}).all()]


def update_devices(session: Session, marks: Iterable[DeviceMark]) -> None:
    written = [name for name in DeviceMark.__slots__ if name != "receipts"]
    rows = [{name: getattr(mark, name) for name in written} for mark in marks]
    update_rows(session, Device.__table__, _UPDATE_DEVICES, rows)


def temps(session: Session, keys: Iterable[Key]) -> dict[Key, float]:
    """The stored temperatures of these keys, by the device and the span of time."""
    by_probe: dict[Probe, list[datetime]] = {}
    for device, probe, at in keys:
        by_probe.setdefault((device, probe), []).append(at)
    found: dict[Key, float] = {}
    for (device, probe), instants in by_probe.items():
        wanted = set(instants)
        rows = session.execute(
            select(ReadingRow.at, ReadingRow.temp_c).where(
                ReadingRow.device_code == device,
                ReadingRow.probe == probe,
                ReadingRow.at.between(min(wanted), max(wanted)),
            )
        )
        found.update({(device, probe, at): temp_c for at, temp_c in rows if at in wanted})
    return found


def series(session: Session, device: str, probe: int, start: datetime | None, end: datetime | None) -> list[Sample]:
    """(at, temp_c) of one probe in start … end (end excluded), sorted."""
    statement = select(ReadingRow.at, ReadingRow.temp_c).where(
        ReadingRow.device_code == device, ReadingRow.probe == probe
    )
    if start is not None:
        statement = statement.where(ReadingRow.at >= start)
    if end is not None:
        statement = statement.where(ReadingRow.at < end)
    return [(at, temp_c) for at, temp_c in session.execute(statement.order_by(ReadingRow.at)).all()]


def extremes(
    session: Session, device: str, probe: int, start: datetime, end: datetime
) -> tuple[float | None, float | None]:
    """(lowest, highest) °C of one probe in start … end, both included; None without readings."""
    row = session.execute(
        select(func.min(ReadingRow.temp_c), func.max(ReadingRow.temp_c)).where(
            ReadingRow.device_code == device, ReadingRow.probe == probe, ReadingRow.at.between(start, end)
        )
    ).one()
    return row[0], row[1]


def last_before(session: Session, device: str, probe: int, at: datetime) -> Sample | None:
    """The newest reading before ``at``."""
    found = session.execute(
        select(ReadingRow.at, ReadingRow.temp_c)
        .where(ReadingRow.device_code == device, ReadingRow.probe == probe, ReadingRow.at < at)
        .order_by(ReadingRow.at.desc())
        .limit(1)
    ).first()
    return None if found is None else (found[0], found[1])


def series_around(session: Session, device: str, probe: int, start: datetime, end: datetime | None) -> list[Sample]:
    """Like ``series``, with the reading before ``start`` that still holds there."""
    before = last_before(session, device, probe, start)
    return [*([before] if before else []), *series(session, device, probe, start, end)]
