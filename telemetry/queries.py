"""The read side of telemetry: what pages and the API show of boxes, series, excursions and loggers."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.models import Box
from telemetry import profiles, store
from telemetry.excursion import Sample
from telemetry.models import Device, DeviceBinding, ExcursionRow, ProbeState
from telemetry.profile import Profile
from telemetry.silence import silence_limit

CHART_POINTS = 1500


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


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """A probe's readings for a chart. ``points``: (at, °C), None where there is a gap longer than the silence limit."""

    device_code: str
    probe: int
    points: list[tuple[datetime, float | None]]
    count: int
    min_c: float | None
    max_c: float | None


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


def chart(
    session: Session, box_code: str, start: datetime, end: datetime, *, points: int = CHART_POINTS
) -> list[ChartSeries]:
    """The readings of a box in start … end, one series a probe, thinned to about ``points`` with every extreme kept."""
    found = []
    for binding, interval_s in bound(session, [box_code], start, end):
        begin = max(start, binding.bound_from)
        until = min(end, binding.bound_to) if binding.bound_to else end
        series = store.series(session, binding.device_code, binding.probe, begin, until)
        temps = [temp_c for _, temp_c in series]
        gap = silence_limit(timedelta(seconds=interval_s))
        found.append(
            ChartSeries(
                binding.device_code,
                binding.probe,
                with_gaps(thin(series, points), series, gap),
                len(series),
                min(temps, default=None),
                max(temps, default=None),
            )
        )
    return found


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


def thin(series: Sequence[Sample], points: int) -> list[Sample]:
    """At most about ``points`` of a sorted series: first, last, lowest and highest of each bucket are kept."""
    if len(series) <= points:
        return list(series)
    size = math.ceil(len(series) * 4 / points)
    kept: list[Sample] = []
    for begin in range(0, len(series), size):
        bucket = series[begin : begin + size]
        low = min(range(len(bucket)), key=lambda index: bucket[index][1])
        high = max(range(len(bucket)), key=lambda index: bucket[index][1])
        kept.extend(bucket[index] for index in sorted({0, low, high, len(bucket) - 1}))
    return kept


def with_gaps(
    kept: Sequence[Sample], series: Sequence[Sample], silence_after: timedelta
) -> list[tuple[datetime, float | None]]:
    """The kept points, with a None wherever the whole series has a gap longer than the limit."""
    breaks = [
        (before[0] + (after[0] - before[0]) / 2, None)
        for before, after in itertools.pairwise(series)
        if after[0] - before[0] > silence_after
    ]
    merged: list[tuple[datetime, float | None]] = [*kept, *breaks]
    return sorted(merged, key=lambda point: point[0])


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
