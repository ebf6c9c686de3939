"""Writing readings by the batch: one statement, idempotent by (device, probe, at), telling what was new."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from telemetry.excursion import Sample
from telemetry.models import ReadingRow
from telemetry.reading import Reading

Key = tuple[str, int, datetime]
Probe = tuple[str, int]

_UNNEST = text(
    """
    INSERT INTO reading (device_code, probe, at, temp_c, rh_pct, battery_pct, lid_open, lat, lon, recorded_at)
    SELECT *, CAST(:recorded_at AS timestamptz) FROM unnest(
        CAST(:device AS text[]), CAST(:probe AS smallint[]), CAST(:at AS timestamptz[]),
        CAST(:temp AS double precision[]), CAST(:rh AS double precision[]),
        CAST(:battery AS double precision[]), CAST(:lid AS boolean[]),
        CAST(:lat AS double precision[]), CAST(:lon AS double precision[])
    )
    ON CONFLICT DO NOTHING
    RETURNING device_code, probe, at
    """
)
# Two values for one instant that differ by less are one value, rounded on two ways.
SAME_C = 0.05
_SQLITE_ROWS = 800  # 10 columns each; SQLite takes 32,766 values a statement


def insert_readings(session: Session, readings: Iterable[Reading], *, now: datetime) -> list[Key]:
    """Store readings; returns the keys that were new. Sorted by key, so that two processes never deadlock."""
    unique = {(reading.device, reading.probe, reading.at): reading for reading in readings}
    rows = [unique[key] for key in sorted(unique)]
    if not rows:
        return []
    if session.get_bind().dialect.name == "postgresql":
        return _insert_postgresql(session, rows, now)
    return _insert_sqlite(session, rows, now)


def _insert_postgresql(session: Session, rows: Sequence[Reading], now: datetime) -> list[Key]:
    columns = {
        "device": [row.device for row in rows],
        "probe": [row.probe for row in rows],
        "at": [row.at for row in rows],
        "temp": [row.temp_c for row in rows],
        "rh": [row.rh_pct for row in rows],
        "battery": [row.battery_pct for row in rows],
        "lid": [row.lid_open for row in rows],
        "lat": [row.lat for row in rows],
        "lon": [row.lon for row in rows],
        "recorded_at": now,
    }
    found = session.execute(_UNNEST, columns).all()
    return [(device, probe, at) for device, probe, at in found]


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
