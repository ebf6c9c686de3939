"""The whole simulated network: people and boxes, and a logger in every box."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.models import Box
from telemetry.models import Device, DeviceBinding
from web.demo import people

CALIBRATED_FOR = timedelta(days=300)
IN_USE_SINCE = timedelta(days=60)


def seed_demo(session: Session) -> bool:
    """Fill an empty database. Returns False when it was filled before."""
    if not people.seed_people(session):
        return False
    session.flush()
    since = clock.now() - IN_USE_SINCE
    for index, box in enumerate(session.scalars(select(Box).where(Box.kind == "box").order_by(Box.code)), start=1):
        device = Device(
            code=f"LG-{index:04d}",
            model="LR-T1",
            interval_s=300,
            commissioned_at=since,
            calibration_due=clock.now() + CALIBRATED_FOR,
            calibration_certificate=f"DEMO-{index:04d}",
        )
        session.add(device)
        session.flush()
        session.add(DeviceBinding(device_code=device.code, box_code=box.code, probe=1, bound_from=since))
    return True
