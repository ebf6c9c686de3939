"""The read side of the register: which loggers somebody may see, what is wrong with each, and its history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics.domain.access import Scope
from logistics.errors import NotFound
from logistics.models import Box
from telemetry import calibration, letters, quarantine
from telemetry.models import DeadLetter, Device, DeviceBinding, QuarantinedReading
from telemetry.registry_models import LoggerFile

# What can be wrong with a logger, the worst first.
MARKS = ("silent", "probe", "lid", "battery", "overdue", "uncalibrated", "soon", "set_aside", "unbound")
WRONG = frozenset({"silent", "probe", "lid", "battery", "overdue"})


@dataclass(frozen=True, slots=True)
class Row:
    """A logger with the boxes that its probes are in, and its marks in the order of MARKS."""

    device: Device
    boxes: tuple[str, ...]
    held: int
    letters: int
    marks: tuple[str, ...]


def visible(session: Session, scope: Scope) -> frozenset[str] | None:
    """Codes of the loggers that somebody may see: his sites' own, and those that are, or were last, in boxes at home
    there. None: all."""
    if scope.everything:
        return None
    sites = sorted(scope.sites)
    own = session.scalars(select(Device.code).where(Device.site_code.in_(sites)))
    newest = select(func.max(DeviceBinding.id)).group_by(DeviceBinding.device_code, DeviceBinding.probe)
    bound = session.scalars(
        select(DeviceBinding.device_code)
        .join(Box, Box.code == DeviceBinding.box_code)
        .where(DeviceBinding.id.in_(newest), Box.home_code.in_(sites))
    )
    return frozenset([*own, *bound])


def require(session: Session, scope: Scope, code: str) -> Device:
    """Raises NotFound('device_unknown'), as for one that does not exist, when it is not in sight."""
    device = session.get(Device, code)
    sight = visible(session, scope)
    if device is None or (sight is not None and code not in sight):
        raise NotFound("device_unknown", field="device", device=code[:40])
    return device


def rows(session: Session, scope: Scope, *, now: datetime, text: str = "", mark: str = "", site: str = "") -> list[Row]:
    """The fleet by code. ``text`` is looked for in code, model, serial, gateway and boxes; ``site`` owns the logger or
    its box."""
    sight = visible(session, scope)
    query = select(Device).where(Device.active).order_by(Device.code)
    if sight is not None:
        query = query.where(Device.code.in_(sorted(sight)))
    found = session.scalars(query).all()
    boxes: dict[str, list[str]] = {}
    homes: dict[str, set[str]] = {}
    for code, box_code, home in session.execute(
        select(DeviceBinding.device_code, DeviceBinding.box_code, Box.home_code)
        .join(Box, Box.code == DeviceBinding.box_code)
        .where(DeviceBinding.bound_to.is_(None))
        .order_by(DeviceBinding.device_code, DeviceBinding.probe)
    ):
        boxes.setdefault(code, []).append(box_code)
        homes.setdefault(code, set()).add(home or "")
    held = _counts(session, QuarantinedReading, quarantine.HELD)
    kept = _counts(session, DeadLetter, letters.KEPT)
    listed = []
    for device in found:
        mine = tuple(dict.fromkeys(boxes.get(device.code, ())))
        row = Row(device, mine, held.get(device.code, 0), kept.get(device.code, 0), ())
        row = Row(device, mine, row.held, row.letters, marks(row, now=now))
        at_home = site in (device.site_code, *homes.get(device.code, ())) if site else True
        if at_home and (not mark or mark in row.marks) and _fits(row, text):
            listed.append(row)
    return listed


def _counts(session: Session, table: type[QuarantinedReading] | type[DeadLetter], state: str) -> dict[str, int]:
    query = select(table.device_code, func.count()).where(table.state == state).group_by(table.device_code)
    return {code: count for code, count in session.execute(query).all() if code}


def _fits(row: Row, text: str) -> bool:
    device = row.device
    words = (device.code, device.model, device.serial, device.gateway or "", *row.boxes)
    return not text or any(text.casefold() in word.casefold() for word in words)


def marks(row: Row, *, now: datetime) -> tuple[str, ...]:
    """What is wrong with a logger now."""
    device = row.device
    troubles = {key.partition(":")[0] for key, value in (device.conditions or {}).items() if value.get("told")}
    due = calibration.state(device.calibration_due, now=now)
    holds: Mapping[str, bool] = {
        "silent": device.silent_since is not None,
        "probe": "probe" in troubles,
        "lid": "lid" in troubles,
        "battery": device.battery_low,
        "overdue": due == "overdue",
        "uncalibrated": due == "none",
        "soon": due == "soon",
        "set_aside": bool(row.held or row.letters),
        "unbound": not row.boxes,
    }
    return tuple(mark for mark in MARKS if holds[mark])


def counts(found: Iterable[Row]) -> Counter[str]:
    """How many loggers bear each mark."""
    return Counter(mark for row in found for mark in row.marks)


def bindings(session: Session, device_code: str) -> Sequence[DeviceBinding]:
    """Which boxes its probes were in, newest first."""
    query = select(DeviceBinding).where(DeviceBinding.device_code == device_code)
    return session.scalars(query.order_by(DeviceBinding.bound_from.desc(), DeviceBinding.id.desc()).limit(100)).all()


def files(session: Session, device_code: str) -> Sequence[LoggerFile]:
    """Files that were read in, newest first."""
    query = select(LoggerFile).where(LoggerFile.device_code == device_code)
    return session.scalars(query.order_by(LoggerFile.imported_at.desc(), LoggerFile.id.desc()).limit(50)).all()
