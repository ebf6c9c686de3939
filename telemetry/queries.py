"""The read side of telemetry: what pages and the API show of boxes, series, excursions and loggers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.models import Box
from telemetry import profiles, store
from telemetry.models import Device, DeviceBinding, ExcursionRow, ProbeState
from telemetry.profile import Profile


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest reading of a box. ``fresh``: within the silence limit; ``inside``: within the class's band."""

    box_code: str
    device_code: str
    at: datetime
    temp_c: float
    fresh: bool
    inside: bool
    battery_pct: float | None


def speaking(box_codes: Iterable[str], *columns: Any) -> Select[Any]:
    """These columns of the probes that are in these boxes and have spoken since they were put in; the first probe of
    a box comes last."""
    return (
        select(*columns)
        .select_from(DeviceBinding)
        .join(Device, Device.code == DeviceBinding.device_code)
        .join(Box, Box.code == DeviceBinding.box_code)
        .join(
            ProbeState,
            and_(ProbeState.device_code == DeviceBinding.device_code, ProbeState.probe == DeviceBinding.probe),
        )
        .where(
            DeviceBinding.box_code.in_(list(box_codes)),
            DeviceBinding.bound_to.is_(None),
            ProbeState.newest_at >= DeviceBinding.bound_from,
        )
        .order_by(DeviceBinding.probe.desc())
    )


def latest(session: Session, box_codes: Iterable[str], *, now: datetime) -> dict[str, Latest]:
    """The newest reading of each box that has a logger and has spoken."""
    wanted = speaking(box_codes, DeviceBinding, Device, Box.temp_class, Box.home_code, ProbeState.newest_at,
                      ProbeState.newest_c)  # fmt: skip
    rows = session.execute(wanted).all()
    found: dict[str, Latest] = {}
    catalogue = profiles.catalogue(session) if rows else None
    for binding, device, temp_class, home_code, at, temp_c in rows:
        if temp_c is None or catalogue is None:
            continue
        versions = catalogue.versions(temp_class, home_code, binding.box_code, device.code, device.interval_s)
        profile = versions.at(at)
        found[binding.box_code] = Latest(
            binding.box_code,
            binding.device_code,
            at,
            temp_c,
            now - at <= profile.silence_after,
            profile.low_c <= temp_c <= profile.high_c,
            device.battery_pct,
        )
    return found


def band(session: Session, box_code: str, *, at: datetime | None = None) -> Profile | None:
    """The profile that judges a box now, or judged it then: ``low_c``, ``high_c`` and the rules."""
    box = session.get(Box, box_code)
    return None if box is None else profiles.of_box(session, box, at=at or clock.now())


def extremes(session: Session, spans: Mapping[str, tuple[str, datetime, datetime]]) -> dict[str, tuple[float, float]]:
    """(lowest, highest) °C of boxes over spans: key → (box, from, to). Keys without any reading are left out."""
    if not spans:
        return {}
    boxes = {box for box, _, _ in spans.values()}
    start, end = min(since for _, since, _ in spans.values()), max(until for _, _, until in spans.values())
    by_box = defaultdict(list)
    for binding, _ in bound(session, boxes, start, end):
        by_box[binding.box_code].append(binding)
    found: dict[str, tuple[float, float]] = {}
    for key, (box, since, until) in spans.items():
        lows, highs = [], []
        for binding in by_box[box]:
            begin, stop = max(since, binding.bound_from), min(until, binding.bound_to or until)
            if stop <= begin:
                continue
            low, high = store.extremes(session, binding.device_code, binding.probe, begin, stop)
            if low is not None and high is not None:
                lows.append(low)
                highs.append(high)
        if lows:
            found[key] = (min(lows), max(highs))
    return found


def excursions(
    session: Session, box_code: str, start: datetime | None = None, end: datetime | None = None
) -> list[ExcursionRow]:
    """Excursions of a box that reach into start … end, newest first; withdrawn ones are left out."""
    wanted = select(ExcursionRow).where(ExcursionRow.box_code == box_code, ExcursionRow.state != "withdrawn")
    if start is not None:
        wanted = wanted.where(or_(ExcursionRow.end_at.is_(None), ExcursionRow.end_at >= start))
    if end is not None:
        wanted = wanted.where(ExcursionRow.start_at <= end)
    return list(session.scalars(wanted.order_by(ExcursionRow.start_at.desc())).all())


def open_excursions(session: Session, box_codes: Iterable[str] | None = None) -> list[ExcursionRow]:
    """Excursions that last still; of all boxes, or of these."""
    wanted = select(ExcursionRow).where(ExcursionRow.state == "open")
    if box_codes is not None:
        wanted = wanted.where(ExcursionRow.box_code.in_(list(box_codes)))
    return list(session.scalars(wanted.order_by(ExcursionRow.start_at)).all())


def boxes_with_loggers(session: Session, box_codes: Iterable[str]) -> dict[str, Device]:
    """The logger that is in each box now."""
    rows = session.execute(
        select(DeviceBinding.box_code, Device)
        .join(Device, Device.code == DeviceBinding.device_code)
        .where(DeviceBinding.box_code.in_(list(box_codes)), DeviceBinding.bound_to.is_(None))
        .order_by(DeviceBinding.probe.desc())
    ).all()
    return dict(rows)


def bound(
    session: Session, box_codes: Iterable[str], start: datetime, end: datetime
) -> list[tuple[DeviceBinding, int]]:
    """The loggers that were in these boxes at some instant of start … end, with their interval in seconds."""
    rows = session.execute(
        select(DeviceBinding, Device.interval_s)
        .join(Device, Device.code == DeviceBinding.device_code)
        .where(
            DeviceBinding.box_code.in_(list(box_codes)),
            DeviceBinding.bound_from < end,
            or_(DeviceBinding.bound_to.is_(None), DeviceBinding.bound_to > start),
        )
        .order_by(DeviceBinding.bound_from, DeviceBinding.probe)
    ).all()
    return [(binding, interval_s) for binding, interval_s in rows]
