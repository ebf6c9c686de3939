"""Types of loggers: the format and its options in one place for all devices of a make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.errors import Conflict, Invalid, NotFound
from telemetry import devices
from telemetry.codecs import CODECS, options
from telemetry.models import Device
from telemetry.registry_models import DeviceType

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


def known(session: Session, code: str) -> DeviceType:
    """Raises NotFound('device_type_unknown')."""
    found = session.get(DeviceType, code)
    if found is None:
        raise NotFound("device_type_unknown", field="type_code", type=code[:40])
    return found


def add(session: Session, code: str, values: Mapping[str, Any]) -> DeviceType:
    """Values: name, codec, options, interval_s, receipts. Raises Invalid or Conflict."""
    if not _CODE.fullmatch(code):
        raise Invalid("device_type_code_bad", field="code", type=code[:40])
    if session.get(DeviceType, code) is not None:
        raise Conflict("device_type_exists", field="code", type=code)
    found = DeviceType(code=code, **_checked(values))
    session.add(found)
    session.flush()
    return found


def change(session: Session, code: str, values: Mapping[str, Any]) -> int:
    """Change a type, and with it the format and options of its devices. Returns how many those are."""
    found = known(session, code)
    for name, value in _checked(values).items():
        setattr(found, name, value)
    session.flush()
    mine = session.scalars(select(Device).where(Device.type_code == code).order_by(Device.code).with_for_update()).all()
    for device in mine:
        device.codec = found.codec
        own = {name: value for name, value in (device.own_options or {}).items() if name in CODECS[found.codec].options}
        devices.set_options(device, own, found)
    session.flush()
    return len(mine)


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    name = str(values.get("name", "")).strip()
    if not name:
        raise Invalid("field_missing", field="name")
    codec = devices.known_codec(str(values.get("codec", "")))
    return {
        "name": name[:80],
        "codec": codec,
        "options": options.checked(values.get("options") or {}, CODECS[codec].options),
        "interval_s": devices.checked_interval(int(values.get("interval_s") or 300)),
        "receipts": bool(values.get("receipts")),
    }
