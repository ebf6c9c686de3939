"""Loggers' own troubles in the database: what a message says of battery, lid and probe, and who hears of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from logistics.domain.cold_chain import DeviceFact
from logistics.services import cold_chain
from telemetry.condition import BATTERY_LOW_PCT, Change, Seen, step
from telemetry.models import Device, DeviceBinding
from telemetry.reading import PROBE_FAULTS, Message, Reading

Heard = tuple[str, Message, Sequence[Reading]]
"""Code of the device, a message of it, and those of its readings whose time can be right."""


def matters(troubled: bool, message: Message, readings: Sequence[Reading]) -> bool:
    """Whether a message has to be observed; nearly none has. ``troubled``: something is wrong with its device.

    Costs no more than a look at each reading.
    """
    if troubled or message.bad or (message.battery_pct is not None and not message.readings):
        return True
    return any(one.lid_open or (one.battery_pct is not None and one.battery_pct < BATTERY_LOW_PCT) for one in readings)


def observe_all(session: Session, heard: Iterable[Heard], *, now: datetime) -> int:
    """Take messages that matter into account; returns what was told. Locks their devices in order.

    Call it before ``last_reading_at`` moves: what is older than a device's newest reading came late, and says nothing
    about how the device is now.
    """
    heard = list(heard)
    if not heard:
        return 0
    codes = sorted({code for code, _, _ in heard})
    wanted = select(Device).where(Device.code.in_(codes)).order_by(Device.code).with_for_update()
    devices = {one.code: one for one in session.scalars(wanted.execution_options(populate_existing=True))}
    told = sum(_observe(session, devices[code], message, readings, now) for code, message, readings in heard)
    session.flush()
    return told


def _observe(session: Session, device: Device, message: Message, readings: Sequence[Reading], now: datetime) -> int:
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


def _faults(device: Device, message: Message, now: datetime) -> Iterable[Seen]:
    for part in message.bad:
        if part.reason not in PROBE_FAULTS:
            continue
        at = min(part.at or now, now)
        if device.last_reading_at is None or at >= device.last_reading_at:
            yield Seen(at, part.probe or 1, fault=True)


def _tell(session: Session, device: Device, changes: Sequence[Change], now: datetime) -> None:
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
