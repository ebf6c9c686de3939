"""The readings of a box as a chart draws them: each probe thinned with every extreme kept, gaps never joined.

Forty thousand readings are answered in a fraction of a second: two plain columns leave the database, and buckets are
taken by slices. Times are seconds since 1970 (UTC), temperatures °C.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import Double, String, cast, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from telemetry import profiles
from telemetry.models import Device, DeviceBinding, ReadingRow

POINTS = 1600
MOST_POINTS = 6000
LONGEST = timedelta(days=92)
KEPT_A_BUCKET = 4  # first, lowest, highest, last


@dataclass(frozen=True, slots=True)
class Line:
    """One probe in one box. ``temps``: None stands in the middle of a gap. ``gaps``: (from, to), also at the end."""

    device_code: str
    probe: int
    times: list[float]
    temps: list[float | None]
    gaps: list[tuple[float, float]]
    count: int
    min_c: float | None
    max_c: float | None
    thinned: bool


def lines(
    session: Session, box_code: str, start: datetime, end: datetime, *, now: datetime, points: int = POINTS
) -> list[Line]:
    """Every probe that was in the box in start … end, by device and probe."""
    found: list[Line] = []
    catalogue = profiles.catalogue(session)
    query = (
        select(DeviceBinding, Device.interval_s)
        .join(Device, Device.code == DeviceBinding.device_code)
        .where(
            DeviceBinding.box_code == box_code,
            DeviceBinding.bound_from < end,
            or_(DeviceBinding.bound_to.is_(None), DeviceBinding.bound_to > start),
        )
        .order_by(DeviceBinding.bound_from, DeviceBinding.device_code, DeviceBinding.probe)
    )
    for binding, interval_s in session.execute(query):
        begin, until = max(start, binding.bound_from), min(end, binding.bound_to or end)
        times, temps = columns(session, binding.device_code, binding.probe, begin, until)
        # The class does not matter here: only how long a silence is.
        limit = catalogue.versions("", "", box_code, binding.device_code, interval_s).at(until).silence_after
        found.append(
            line(binding.device_code, binding.probe, times, temps, limit, points, until=min(until, now).timestamp())
        )
    return found


def columns(
    session: Session, device: str, probe: int, start: datetime, end: datetime
) -> tuple[list[float], list[float]]:
    """(times, temperatures) of a probe in start … end, the end left out, sorted."""
    if session.get_bind().dialect.name == "postgresql":
        at: Any = cast(func.extract("epoch", ReadingRow.at), Double)
    else:
        at = type_coerce(ReadingRow.at, String)  # as it is stored: text in UTC
    query = select(at, ReadingRow.temp_c).where(
        ReadingRow.device_code == device, ReadingRow.probe == probe, ReadingRow.at >= start, ReadingRow.at < end
    )
    rows = session.connection().execute(query.order_by(ReadingRow.at)).all()
    if not rows:
        return [], []
    times, temps = zip(*rows, strict=True)
    if isinstance(times[0], str):
        read = datetime.fromisoformat
        return [read(text).replace(tzinfo=UTC).timestamp() for text in times], list(temps)
    return list(times), list(temps)


def line(
    device: str,
    probe: int,
    times: Sequence[float],
    temps: Sequence[float],
    silence_after: timedelta,
    points: int,
    *,
    until: float,
) -> Line:
    """A sorted series for the chart. ``until``: up to here something could be known."""
    limit = silence_after.total_seconds()
    gaps = [(a, b) for a, b in pairwise(times) if b - a > limit]
    kept = thin(temps, points)
    marks: list[tuple[float, float | None]] = [(times[index], temps[index]) for index in kept]
    marks += [((a + b) / 2, None) for a, b in gaps]
    marks.sort(key=lambda mark: mark[0])
    if times and until - times[-1] > limit:
        gaps.append((times[-1], until))
    return Line(
        device, probe, [at for at, _ in marks], [temp for _, temp in marks], gaps, len(times),
        min(temps, default=None), max(temps, default=None), len(kept) < len(times),
    )  # fmt: skip


def thin(temps: Sequence[float], points: int) -> list[int]:
    """Which of the readings to draw: all when they are few; else of each bucket the first, lowest, highest, last."""
    if len(temps) <= points:
        return list(range(len(temps)))
    size = math.ceil(len(temps) * KEPT_A_BUCKET / points)
    kept: list[int] = []
    for begin in range(0, len(temps), size):
        bucket = temps[begin : begin + size]
        low, high = bucket.index(min(bucket)), bucket.index(max(bucket))
        kept += [begin + place for place in sorted({0, low, high, len(bucket) - 1})]
    return kept
