"""The register of loggers: adding one, putting it into a box, taking it out, releasing quarantined readings."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Box
from telemetry import store
from telemetry.codecs import CODECS, DEFAULT_CODEC
from telemetry.evaluate import bindings, evaluate, rederive_binding
from telemetry.models import Device, DeviceBinding, QuarantinedReading
from telemetry.reading import Reading

_FORBIDDEN = set("/+#$\0")  # characters of MQTT topics


def register(
    session: Session,
    code: str,
    *,
    now: datetime,
    interval_s: int = 300,
    codec: str = DEFAULT_CODEC,
    model: str = "",
    gateway: str | None = None,
    receipts: bool = True,
    calibration_due: datetime | None = None,
    commissioned_at: datetime | None = None,
) -> Device:
    """Add a logger. ``interval_s``: seconds between two readings. Raises Invalid or Conflict."""
    code = code.strip()
    if not code or _FORBIDDEN & set(code):
        raise Invalid("device_code_bad", field="code", device=code[:40])
    if codec not in CODECS:
        raise Invalid("codec_unknown", field="codec", codec=codec[:40])
    if not 1 <= interval_s <= 86_400:
        raise Invalid("interval_bad", field="interval_s", low=1, high=86_400)
    if session.get(Device, code) is not None:
        raise Conflict("device_exists", field="code", device=code)
    device = Device(
        code=code,
        interval_s=interval_s,
        codec=codec,
        model=model,
        gateway=gateway,
        receipts=receipts,
        calibration_due=calibration_due,
        commissioned_at=commissioned_at or now,
        seq_spans=[],
    )
    session.add(device)
    session.flush()
    return device


def bind(
    session: Session, device_code: str, box_code: str, *, at: datetime, now: datetime, probe: int = 1
) -> DeviceBinding:
    """Put a probe into a box from ``at`` on; it leaves the box it was in. Stored readings are judged again.

    Raises NotFound for an unknown device or box, Conflict when a later binding exists.
    """
    if session.get(Device, device_code) is None:
        raise NotFound("device_unknown", field="device", device=device_code)
    if session.get(Box, box_code) is None:
        raise NotFound("box_unknown", field="box", box=box_code)
    newest = session.scalars(
        select(DeviceBinding)
        .where(DeviceBinding.device_code == device_code, DeviceBinding.probe == probe)
        .order_by(DeviceBinding.bound_from.desc())
        .limit(1)
        .with_for_update()
    ).first()
    if newest is not None:
        if newest.bound_from > at or (newest.bound_to is not None and newest.bound_to > at):
            raise Conflict("device_bound_later", field="at", device=device_code, box=newest.box_code)
        if newest.bound_to is None:
            newest.bound_to = at
    binding = DeviceBinding(device_code=device_code, probe=probe, box_code=box_code, bound_from=at)
    session.add(binding)
    session.flush()
    rederive(session, device_code, probe, at, now=now)
    return binding


def unbind(session: Session, device_code: str, *, at: datetime, now: datetime, probe: int = 1) -> None:
    """Take a probe out of its box. Raises NotFound when it is in none."""
    binding = session.scalars(
        select(DeviceBinding)
        .where(
            DeviceBinding.device_code == device_code,
            DeviceBinding.probe == probe,
            DeviceBinding.bound_to.is_(None),
        )
        .with_for_update()
    ).first()
    if binding is None:
        raise NotFound("device_not_bound", field="device", device=device_code)
    binding.bound_to = max(at, binding.bound_from)
    session.flush()
    rederive(session, device_code, probe, at, now=now)


def rederive(session: Session, device_code: str, probe: int, since: datetime, *, now: datetime) -> int:
    """Judge a probe's stored readings again from ``since`` on, after its bindings changed."""
    return sum(
        rederive_binding(session, bound, max(since, bound.since), now=now)
        for bound in bindings(session, [device_code], since - timedelta(microseconds=1))
        if bound.probe == probe
    )


def release(
    session: Session, quarantined_id: int, *, offset: timedelta, username: str, now: datetime
) -> QuarantinedReading:
    """Let a reading out of quarantine with its time moved by ``offset``. Raises NotFound or Conflict."""
    row = session.get(QuarantinedReading, quarantined_id, with_for_update=True)
    if row is None:
        raise NotFound("quarantine_unknown", field="reading")
    if row.state != "held":
        raise Conflict("quarantine_decided", field="reading", state=row.state)
    reading = Reading(**{**row.body, "at": row.at + offset})
    new = store.insert_readings(session, [reading], now=now)
    evaluate(session, [(key, reading.temp_c) for key in new], now=now)
    row.state, row.offset_s = "released", offset.total_seconds()
    row.decided_by, row.decided_at = username, now
    return row
