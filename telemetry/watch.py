"""Loggers' own troubles in the database: what a message says of battery, lid and probe, and who hears of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from logistics.domain.cold_chain import DeviceFact
from logistics.services import cold_chain
from telemetry.condition import BATTERY_LOW_PCT, Change, Seen, step
from telemetry.models import DeviceBinding
from telemetry.reading import PROBE_FAULTS, Message, Reading
from telemetry.store import DeviceMark


def observe(
    session: Session, device: DeviceMark, message: Message, readings: Sequence[Reading], *, now: datetime
) -> int:
    """Take a message into account; ``readings`` are those of it whose time can be right. Returns what was told.

    Call it before the device's ``last_reading_at`` moves: what is older than its newest reading came late, and says
    nothing about how the device is now.
    """
    if _all_well(device, message, readings):
        return 0
    seen = [
        Seen(one.at, one.probe, lid_open=one.lid_open, battery_pct=one.battery_pct)
        for one in readings
        if device.last_reading_at is None or one.at >= device.last_reading_at
    ]
    seen += _faults(device, message, now)
    if message.battery_pct is not None and not message.readings:  # told alone, without a time of its own
        seen.append(Seen(now, 1, battery_pct=message.battery_pct))
        device.battery_pct = message.battery_pct
    after, changes = step(device.conditions, seen, timedelta(seconds=device.interval_s))
    if after != device.conditions:
        device.conditions = after
        device.battery_low = "battery" in after
    _tell(session, device, changes, now)
    return len(changes)


def _all_well(device: DeviceMark, message: Message, readings: Sequence[Reading]) -> bool:
    """Nearly every message: nothing was wrong, and nothing is now. Costs no more than a look at each reading."""
    if device.conditions or message.bad or (message.battery_pct is not None and not readings):
        return False
    return not any(
        one.lid_open or (one.battery_pct is not None and one.battery_pct < BATTERY_LOW_PCT) for one in readings
    )


def _faults(device: DeviceMark, message: Message, now: datetime) -> Iterable[Seen]:
    for part in message.bad:
        if part.reason not in PROBE_FAULTS:
            continue
        at = min(part.at or now, now)
        if device.last_reading_at is None or at >= device.last_reading_at:
            yield Seen(at, part.probe or 1, fault=True)


def _tell(session: Session, device: DeviceMark, changes: Sequence[Change], now: datetime) -> None:
    for change in changes:
        fact = DeviceFact(
            kind=change.kind,
            device_code=device.code,
            probe=change.probe,
            box_code=_box(session, device.code, None if change.kind == "battery" else change.probe, change.at),
            since=change.since,
            at=change.at,
            ended=change.ended,
            battery_pct=change.value,
        )
        cold_chain.device_changed(session, fact, now=now)


def _box(session: Session, device_code: str, probe: int | None, at: datetime) -> str | None:
    """The box that the probe (any of the device's for None) was in."""
    query = select(DeviceBinding.box_code).where(
        DeviceBinding.device_code == device_code,
        DeviceBinding.bound_from <= at,
        or_(DeviceBinding.bound_to.is_(None), DeviceBinding.bound_to > at),
    )
    if probe is not None:
        query = query.where(DeviceBinding.probe == probe)
    return session.scalars(query.order_by(DeviceBinding.probe).limit(1)).first()
