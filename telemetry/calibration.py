"""Calibration certificates of loggers: adding one, how long the newest is good, and telling when it runs out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from logistics.errors import Invalid, NotFound
from logistics.models import Alert, Box
from logistics.services import cold_chain
from telemetry import devices
from telemetry.models import Device, DeviceBinding
from telemetry.registry_models import Calibration

SOON = timedelta(days=30)
MOST_BYTES = 5_000_000
_MAGIC = {b"%PDF-": "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def state(due_at: datetime | None, *, now: datetime) -> str:
    """none | overdue | soon | good"""
    if due_at is None:
        return "none"
    if due_at <= now:
        return "overdue"
    return "soon" if due_at - now <= SOON else "good"


def add(
    session: Session,
    device_code: str,
    *,
    number: str,
    due_at: datetime,
    username: str,
    now: datetime,
    file_name: str = "",
    data: bytes | None = None,
) -> Calibration:
    """Add a certificate by its number, its file, or both; the latest due date is the device's. Raises Invalid."""
    device = devices.known(session, device_code, lock=True)
    number = number.strip()[:80]
    if not number and not data:
        raise Invalid("certificate_missing", field="number")
    media_type = _media_type(data) if data else ""
    row = Calibration(
        device_code=device_code, number=number, due_at=due_at, added_at=now, added_by=username,
        file_name=file_name.strip()[:120] if data else "", media_type=media_type, data=data or None,
    )  # fmt: skip
    session.add(row)
    session.flush()
    newest = max(listing(session, device_code), key=lambda one: (one.due_at, one.id))
    device.calibration_due, device.calibration_certificate = newest.due_at, newest.number or newest.file_name
    return row


def _media_type(data: bytes) -> str:
    if len(data) > MOST_BYTES:
        raise Invalid("certificate_too_large", field="file", most_mb=MOST_BYTES // 1_000_000)
    for magic, media_type in _MAGIC.items():
        if data.startswith(magic):
            return media_type
    raise Invalid("certificate_kind", field="file")


def listing(session: Session, device_code: str) -> Sequence[Calibration]:
    """Newest first, without the files themselves."""
    query = select(Calibration).where(Calibration.device_code == device_code)
    return session.scalars(query.order_by(Calibration.due_at.desc(), Calibration.id.desc())).all()


def file_of(session: Session, device_code: str, calibration_id: int) -> Calibration:
    """Raises NotFound when there is no such certificate of this device, or no file with it."""
    row = session.get(Calibration, calibration_id)
    if row is None or row.device_code != device_code or row.data is None:
        raise NotFound("certificate_unknown", field="certificate")
    return row


def sweep(session: Session, *, now: datetime) -> int:
    """Tell of every certificate that has run out or does so within SOON, once each; a newer one ends that. Returns how
    many stand."""
    due = session.execute(
        select(Device.code, Device.calibration_due, Device.site_code, Box.home_code, Box.code)
        .outerjoin(DeviceBinding, (DeviceBinding.device_code == Device.code) & DeviceBinding.bound_to.is_(None))
        .outerjoin(Box, Box.code == DeviceBinding.box_code)
        .where(Device.active, Device.calibration_due <= now + SOON)
        .order_by(Device.code, DeviceBinding.probe.desc())
    ).all()
    found = {
        cold_chain.calibration_key(code, due_at): (code, due_at, site or home, box)
        for code, due_at, site, home, box in due
        if due_at is not None
    }
    told = select(Alert.incident_key).where(
        Alert.kind == "calibration",
        or_(Alert.state == "open", Alert.acknowledged_at.is_not(None) & Alert.incident_key.in_(found.keys())),
    )
    known = set(session.scalars(told))
    for key in sorted(found.keys() - known):
        code, due_at, site_code, box_code = found[key]
        cold_chain.calibration_due(session, code, due_at, site_code=site_code, box_code=box_code, now=now)
    for key in sorted(known - found.keys()):
        cold_chain.calibration_over(session, key, now=now)
    return len(found)
