"""The readings of a box as a chart draws them: each probe thinned with every extreme kept, gaps never joined.

Forty thousand readings are answered in a fraction of a second: two columns leave the database whole, and buckets are
taken by slices. Times are seconds since 1970 (UTC), temperatures °C.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import bindparam, or_, select, text
from sqlalchemy.orm import Session

from logistics.db import UTCDateTime
from telemetry.models import Device, DeviceBinding

POINTS = 1600
MOST_POINTS = 6000
LONGEST = timedelta(days=92)
KEPT_A_BUCKET = 4  # first, lowest, highest, last
MISSED = 2.5  # so many intervals of a logger without a reading are drawn as a gap, long before they are a silence


# Two arrays in the driver's binary form instead of forty thousand rows: a third of the time, and no heap of tuples that
# Python's search for garbage looks through in every second answer.
_POSTGRESQL = """
    SELECT array_agg(at_s), array_agg(temp_c) FROM (
        SELECT date_part('epoch', at) AS at_s, temp_c FROM reading
        WHERE device_code = %(device)s AND probe = %(probe)s AND at >= %(begin)s AND at < %(end)s ORDER BY at
    ) AS sorted
"""
_SQLITE = text(
    "SELECT (julianday(at) - 2440587.5) * 86400.0, temp_c FROM reading"
    " WHERE device_code = :device AND probe = :probe AND at >= :begin AND at < :end ORDER BY at"
).bindparams(bindparam("begin", type_=UTCDateTime()), bindparam("end", type_=UTCDateTime()))


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
        limit = timedelta(seconds=interval_s) * MISSED
        found.append(
            line(binding.device_code, binding.probe, times, temps, limit, points, until=min(until, now).timestamp())
        )
    return found


def joined(lines: Iterable[Line]) -> list[Line]:
    """One line a probe, where it was asked for several times, one after the other; what lies between them is a gap."""
    found: dict[tuple[str, int], Line] = {}
    for one in lines:
        key = (one.device_code, one.probe)
        if key not in found or not found[key].times:
            found[key] = one
        elif one.times:
            found[key] = _after(found[key], one)
    return list(found.values())


def _after(one: Line, other: Line) -> Line:
    known = [gap for gap in one.gaps if gap[1] <= one.times[-1]]  # without what came after its end: it is known now
    between = (one.times[-1], other.times[0])
    return replace(
        one,
        times=[*one.times, sum(between) / 2, *other.times],
        temps=[*one.temps, None, *other.temps],
        gaps=[*known, between, *other.gaps],
        count=one.count + other.count,
        min_c=min((at for at in (one.min_c, other.min_c) if at is not None), default=None),
        max_c=max((at for at in (one.max_c, other.max_c) if at is not None), default=None),
        thinned=one.thinned or other.thinned,
    )


def columns(
    session: Session, device: str, probe: int, start: datetime, end: datetime
) -> tuple[list[float], list[float]]:
    """(times, temperatures) of a probe in start … end, the end left out, sorted."""
    asked = {"device": device, "probe": probe, "begin": start, "end": end}
    if session.get_bind().dialect.name == "postgresql":
        raw: Any = session.connection().connection.driver_connection
        times, temps = raw.execute(_POSTGRESQL, asked, binary=True).fetchone()
        return times or [], temps or []
    rows = session.connection().execute(_SQLITE, asked).cursor
    found = rows.fetchall() if rows is not None else []  # straight from the driver: wrapping a row costs as much
    return [at for at, _ in found], [temp_c for _, temp_c in found]


def line(
    device: str,
    probe: int,
    times: Sequence[float],
    temps: Sequence[float],
    gap_after: timedelta,
    points: int,
    *,
    until: float,
) -> Line:
    """A sorted series for the chart. ``until``: up to here something could be known."""
    limit = gap_after.total_seconds()
    gaps = [(round(a, 3), round(b, 3)) for a, b in pairwise(times) if b - a > limit]
    kept = thin(temps, points)
    marks: list[tuple[float, float | None]] = [(times[index], temps[index]) for index in kept]
    marks += [((a + b) / 2, None) for a, b in gaps]
    marks.sort(key=lambda mark: mark[0])
    if times and until - times[-1] > limit:
        gaps.append((round(times[-1], 3), round(until, 3)))
    return Line(
        device, probe, [round(at, 3) for at, _ in marks], [temp for _, temp in marks], gaps, len(times),
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
