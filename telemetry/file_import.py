"""Reading a logger's file in: its readings go the way of all readings, and what it says of itself is compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.db import insert_ignoring
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Box
from telemetry import devices, ingest
from telemetry.evaluate import profile_for
from telemetry.excursion import detect
from telemetry.files import berlinger, columns, summary
from telemetry.files.base import Recorded, UnreadableFileError
from telemetry.models import Device, DeviceBinding
from telemetry.reading import BadPart, DeadReason, Message, Reading, probe_fault
from telemetry.registry_models import FileMapping, LoggerFile

MOST_BYTES = 8_000_000
MOST_READINGS = 200_000
_ENCODINGS = ("utf-8-sig", "gb18030")


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file. ``report``: telemetry.files.summary.as_json. ``known``: it was read in before."""

    report: dict[str, Any]
    stored: int
    duplicates: int
    quarantined: int
    refused: int
    known: bool
    file_id: int


def read(data: bytes, name: str, *, mapping: Mapping[str, Any] | None = None, zone: tzinfo | None = None) -> Recorded:
    """A file as a recording: Berlinger's by its first words, any other as CSV by ``mapping``. Raises Invalid."""
    if len(data) > MOST_BYTES:
        raise Invalid("file_too_large", field="file", most_mb=MOST_BYTES // 1_000_000)
    text = _text(data)
    try:
        if berlinger.recognise(text):
            recorded = berlinger.parse(text, zone)
        elif mapping is None:
            raise Invalid("file_mapping_needed", field="mapping", name=name[:60])
        else:
            recorded = columns.parse(text, columns.checked(mapping))
    except UnreadableFileError as error:
        raise Invalid(error.code, field="file", **error.params) from None
    if len(recorded.samples) > MOST_READINGS:
        raise Invalid("file_too_many_readings", field="file", most=MOST_READINGS)
    recorded.samples.sort()
    return recorded


def _text(data: bytes) -> str:
    for encoding in _ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Invalid("file_not_text", field="file")


def take(
    session: Session,
    device_code: str,
    data: bytes,
    name: str,
    *,
    username: str,
    now: datetime,
    mapping: Mapping[str, Any] | None = None,
    zone: tzinfo | None = None,
    probe: int = 1,
) -> Imported:
    """Store a file's readings for a device. The same file again changes nothing.

    Raises Invalid for a file that cannot be read, NotFound for the device, Conflict when it is another logger's.
    """
    recorded = read(data, name, mapping=mapping, zone=zone)
    device = devices.known(session, device_code, lock=True)
    _same_logger(device, recorded)
    counted = summary.summarise(recorded)
    temp_class = _temp_class(session, device_code, probe)
    interval_s = int(counted.interval_s or device.interval_s)
    found = detect(recorded.samples, profile_for(temp_class, interval_s), now=recorded_end(recorded))
    report = {**summary.as_json(recorded, counted, found), "judged_as": temp_class}
    outcome = ingest.take(session, device, _message(device_code, probe, recorded), "file", now=now)
    row = {
        "device_code": device_code,
        "sha256": hashlib.sha256(data).hexdigest(),
        "file_name": name[:120],
        "format": recorded.format,
        "imported_at": now,
        "imported_by": username,
        "summary": report,
    }
    new = insert_ignoring(session, LoggerFile.__table__, row)
    stored = outcome.readings - outcome.duplicates
    file_id = session.scalars(
        select(LoggerFile.id).where(LoggerFile.device_code == device_code, LoggerFile.sha256 == row["sha256"])
    ).one()
    return Imported(report, stored, outcome.duplicates, outcome.quarantined, len(outcome.refused), new == 0, file_id)


def recorded_end(recorded: Recorded) -> datetime | None:
    """A file is over at its last reading: what is still outside there stays open."""
    return recorded.samples[-1][0] if recorded.samples else None


def _same_logger(device: Device, recorded: Recorded) -> None:
    """The number in the file is the device's; a device without one gets it. Its own activation commissions it."""
    if recorded.serial and device.serial and device.serial != recorded.serial:
        raise Conflict("file_of_other_logger", field="file", device=device.code, serial=recorded.serial)
    if not recorded.serial:
        return
    device.serial = recorded.serial
    if recorded.activated_at is not None and device.commissioned_at is not None:
        device.commissioned_at = min(device.commissioned_at, recorded.activated_at)


def _message(device_code: str, probe: int, recorded: Recorded) -> Message:
    readings: list[Reading] = []
    bad = [
        BadPart(f"{one.line}: {one.text}".encode(), DeadReason.NO_ZONE if one.reason == "no_zone" else
                DeadReason.WRONG_SHAPE, f"line {one.line}", part=True)
        for one in recorded.bad
    ]  # fmt: skip
    for at, temp_c in recorded.samples:
        fault = probe_fault(temp_c)
        if fault is None:
            readings.append(Reading(device_code, probe, at, temp_c, recorded.rh_pct.get(at)))
        else:
            bad.append(BadPart(f"{at.isoformat()} {temp_c}".encode(), fault, probe=probe, at=at, part=True))
    return Message(device_code, None, tuple(readings), tuple(bad))


def _temp_class(session: Session, device_code: str, probe: int) -> str:
    """The class of the box that the probe is or was in last; 2–8 °C for one that was in none."""
    query = (
        select(Box.temp_class)
        .join(DeviceBinding, DeviceBinding.box_code == Box.code)
        .where(DeviceBinding.device_code == device_code, DeviceBinding.probe == probe)
        .order_by(DeviceBinding.bound_from.desc())
        .limit(1)
    )
    return session.scalars(query).first() or "cold_2_8"


def mapping(session: Session, code: str) -> dict[str, Any]:
    """A kept mapping, or a maker's. Raises NotFound('mapping_unknown')."""
    kept = session.get(FileMapping, code)
    if kept is not None:
        return dict(kept.options)
    if code in columns.MAKERS:
        return dict(columns.MAKERS[code])
    raise NotFound("mapping_unknown", field="mapping", mapping=code[:40])


def keep_mapping(session: Session, code: str, options: Mapping[str, Any], *, username: str, now: datetime) -> None:
    """Keep a mapping by name, over the one that has it. Raises Invalid."""
    code = code.strip()
    if not code or len(code) > 40 or not code.isprintable():
        raise Invalid("mapping_name_bad", field="name")
    options = columns.checked(options)
    row = session.get(FileMapping, code)
    if row is None:
        session.add(FileMapping(code=code, options=options, changed_at=now, changed_by=username))
    else:
        row.options, row.changed_at, row.changed_by = options, now, username
    session.flush()


def mappings(session: Session) -> dict[str, dict[str, Any]]:
    """Every mapping by name: the makers', and what was kept here, also over those."""
    kept = {row.code: dict(row.options) for row in session.scalars(select(FileMapping).order_by(FileMapping.code))}
    return {**{code: dict(options) for code, options in columns.MAKERS.items()}, **kept}
