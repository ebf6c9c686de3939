"""The read side of telemetry: what pages and the API show of boxes, series, excursions and loggers."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.domain.cold_chain import Stay
from logistics.domain.stability import Exposure
from logistics.models import Box
from logistics.services.cold_chain import boxed_times
from logistics.services.stability import STORAGE_C
from telemetry import exposure as exposure_rules
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


def latest(session: Session, box_codes: Iterable[str], *, now: datetime) -> dict[str, Latest]:
    """The newest reading of each box that has a logger and has spoken."""
    rows = session.execute(
        select(DeviceBinding, Device, Box.temp_class, Box.home_code, ProbeState.newest_at, ProbeState.newest_c)
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
    ).all()
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
    for binding, interval_s in _bound(session, [box_code], start, end):
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
    bound = defaultdict(list)
    for binding, _ in _bound(session, boxes, start, end):
        bound[binding.box_code].append(binding)
    found: dict[str, tuple[float, float]] = {}
    for key, (box, since, until) in spans.items():
        lows, highs = [], []
        for binding in bound[box]:
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


def box_exposure(session: Session, box_code: str, start: datetime, end: datetime) -> Exposure:
    """Where a box's minutes were spent in start … end, by its first probe; without a logger unknown."""
    return _exposure_from(_box_series(session, {box_code: (start, end)}).get(box_code, []), start, end)


def exposures(
    session: Session, collected: dict[int, tuple[datetime, str]], *, now: datetime
) -> tuple[dict[int, Exposure], dict[int, float]]:
    """Exposure of tubes from collection to ``now``, and where each is now if a logger tells.

    ``collected``: specimen id → (collected_at, temperature class). Boxed time by the box's logger, the rest by the
    declared storage of the class; boxed time without readings is unknown.
    """
    times = boxed_times(session, collected)
    spans: dict[str, tuple[datetime, datetime]] = {}
    for stay in (stay for stays in times.values() for stay in stays):
        until = stay.until or now
        low, high = spans.get(stay.box_code, (stay.since, until))
        spans[stay.box_code] = (min(low, stay.since), max(high, until))
    series = _box_series(session, spans)
    found: dict[int, Exposure] = {}
    temps_c: dict[int, float] = {}
    for specimen_id, (collected_at, temp_class) in collected.items():
        stays = times.get(specimen_id, [])
        found[specimen_id] = _of_tube(stays, series, collected_at, now, STORAGE_C.get(temp_class, 5.0))
        if stays and stays[-1].until is None:
            for _, _, readings, limit in reversed(series.get(stays[-1].box_code, [])):
                if readings and now - readings[-1][0] <= limit:
                    temps_c[specimen_id] = readings[-1][1]
                    break
    return found, temps_c


# (from, to, readings with the one before, silence limit) of a binding
_Part = tuple[datetime, datetime, list[Sample], timedelta]


def _of_tube(
    stays: Sequence[Stay], series: dict[str, list[_Part]], collected_at: datetime, now: datetime, storage_c: float
) -> Exposure:
    total = Exposure()
    here = collected_at
    for stay in stays:
        since, until = max(stay.since, here), min(stay.until or now, now)
        if until <= since:
            continue
        total += Exposure.constant(storage_c, since - here)
        total += _exposure_from(series.get(stay.box_code, []), since, until)
        here = until
    return total + Exposure.constant(storage_c, max(now - here, timedelta(0)))


def _exposure_from(parts: Sequence[_Part], start: datetime, end: datetime) -> Exposure:
    total = Exposure()
    here = start
    for part_begin, part_end, readings, limit in parts:
        begin, until = max(part_begin, here), min(part_end, end)
        if until <= begin:
            continue
        total += Exposure({}, begin - here) + exposure_rules.exposure(readings, begin, until, limit)
        here = until
    return total + Exposure({}, max(end - here, timedelta(0)))


def _box_series(session: Session, spans: dict[str, tuple[datetime, datetime]]) -> dict[str, list[_Part]]:
    """The readings of boxes over spans, by binding; one probe at a time (the lowest number that was there)."""
    if not spans:
        return {}
    start = min(low for low, _ in spans.values())
    end = max(high for _, high in spans.values())
    found: dict[str, list[_Part]] = defaultdict(list)
    for binding, interval_s in _bound(session, spans, start, end):
        low, high = spans[binding.box_code]
        begin = max(low, binding.bound_from)
        until = min(high, binding.bound_to) if binding.bound_to else high
        if until <= begin:
            continue
        limit = silence_limit(timedelta(seconds=interval_s))
        # A reading right before the span still holds at its begin, but only if it is of this binding.
        readings = store.series(
            session, binding.device_code, binding.probe, max(begin - limit, binding.bound_from), until
        )
        found[binding.box_code].append((begin, until, readings, limit))
    return found


def _bound(
    session: Session, box_codes: Iterable[str], start: datetime, end: datetime
) -> list[tuple[DeviceBinding, int]]:
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
