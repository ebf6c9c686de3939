"""What a recording says by our own count, and where the device's own count differs. Pure.

A reading holds until the next, at most one and a half intervals: a longer gap is nobody's minutes. The device rounds
down to its tenth (towards zero) and counts minutes by its own measurements, which are closer than what it records: so
its mean and MKT are compared as it shows them, its minutes with a tolerance.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import fmean
from typing import Any

from telemetry.excursion import Excursion, Sample
from telemetry.exposure import mkt_c
from telemetry.files.base import Recorded

_MINUTE = timedelta(minutes=1)
GAP_FACTOR = 1.5
MINUTES_TOLERANCE = 10  # a day
TEMP_TOLERANCE_C = 0.1
# Between two readings the device may have seen more than it recorded.
EXTREME_TOLERANCE_C = 0.5


@dataclass(frozen=True, slots=True)
class Gap:
    start: datetime
    end: datetime

    @property
    def minutes(self) -> float:
        return (self.end - self.start) / _MINUTE


@dataclass(frozen=True, slots=True)
class Difference:
    """``what``: min_c, max_c, mean_c, mkt_c, or minutes; ``device`` is what it printed, ``ours`` what we count."""

    what: str
    device: float
    ours: float
    day: date | None = None
    side: str = ""


@dataclass(slots=True)
class Summary:
    """Temperatures °C. ``minutes``: outside the device's limits by day and side."""

    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    min_c: float | None = None
    max_c: float | None = None
    mean_c: float | None = None
    mkt_c: float | None = None
    interval_s: float | None = None
    gaps: list[Gap] = field(default_factory=list)
    minutes: dict[date, dict[str, float]] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    compared: int = 0  # numbers of the device that were compared


def interval_of(recorded: Recorded) -> timedelta | None:
    """The file's interval, else the most frequent distance of two readings."""
    if recorded.interval is not None:
        return recorded.interval
    steps = [after - before for (before, _), (after, _) in pairwise(recorded.samples)]
    return Counter(steps).most_common(1)[0][0] if steps else None


def summarise(recorded: Recorded) -> Summary:
    """Our count of a recording, compared with what its device printed. The samples must be sorted."""
    samples = recorded.samples
    found = Summary(count=len(samples))
    interval = interval_of(recorded)
    if samples:
        temps = [temp_c for _, temp_c in samples]
        found.first, found.last = samples[0][0], samples[-1][0]
        found.min_c, found.max_c, found.mean_c = min(temps), max(temps), fmean(temps)
        found.mkt_c = mkt_c(temps)
    if interval is not None:
        found.interval_s = interval.total_seconds()
        found.gaps = gaps(samples, interval)
        found.minutes = minutes_outside(recorded, interval)
    _compare(recorded, found)
    return found


def gaps(samples: Sequence[Sample], interval: timedelta) -> list[Gap]:
    return [
        Gap(before, after) for (before, _), (after, _) in pairwise(samples) if after - before > interval * GAP_FACTOR
    ]


def minutes_outside(recorded: Recorded, interval: timedelta) -> dict[date, dict[str, float]]:
    """Minutes outside the device's limits, by day of its clock and side."""
    limits = {one.side: one.temp_c for one in recorded.limits}
    if not limits:
        return {}
    total: dict[date, dict[str, float]] = defaultdict(lambda: dict.fromkeys(limits, 0.0))
    for (at, temp_c), (following, _) in pairwise(recorded.samples):
        held = min(following - at, interval) if following - at > interval * GAP_FACTOR else following - at
        here = at.astimezone(recorded.zone)
        while held > timedelta(0):  # what reaches over midnight belongs to both days
            midnight = datetime.combine(here.date() + timedelta(days=1), datetime.min.time(), recorded.zone)
            part = min(held, midnight - here)
            for side, limit_c in limits.items():
                outside = temp_c > limit_c if side == "upper" else temp_c < limit_c
                total[here.date()][side] += part / _MINUTE if outside else 0.0
            held, here = held - part, midnight
    return dict(total)


def truncated(value: float) -> float:
    """To a tenth, towards zero, as these devices show it."""
    return math.trunc(round(value * 10, 6)) / 10


def _compare(recorded: Recorded, found: Summary) -> None:
    if not recorded.samples:
        return
    own = recorded.own
    for what, tolerance in (("min_c", EXTREME_TOLERANCE_C), ("max_c", EXTREME_TOLERANCE_C)):
        _differs(found, what, getattr(own, what), getattr(found, what), tolerance)
    for what in ("mean_c", "mkt_c"):
        ours = getattr(found, what)
        _differs(found, what, getattr(own, what), None if ours is None else truncated(ours), TEMP_TOLERANCE_C / 2)
    first = recorded.samples[0][0].astimezone(recorded.zone).date()
    for day in recorded.days:
        if day.day < first:
            continue  # before the first reading that the file still holds
        for side, printed in day.minutes.items():
            counted = found.minutes.get(day.day, {}).get(side, 0.0)
            _differs(found, "minutes", printed, counted, MINUTES_TOLERANCE, day.day, side)


def _differs(
    found: Summary, what: str, device: float | None, ours: float | None, tolerance: float,
    day: date | None = None, side: str = "",
) -> None:  # fmt: skip
    if device is None or ours is None:
        return
    found.compared += 1
    if abs(device - ours) > tolerance:
        found.differences.append(Difference(what, device, round(ours, 2), day, side))


def as_json(recorded: Recorded, found: Summary, excursions: Sequence[Excursion] = ()) -> dict[str, Any]:
    """Plain JSON: times ISO 8601 UTC, temperatures °C rounded to hundredths."""
    return {
        "format": recorded.format,
        "model": recorded.model,
        "serial": recorded.serial,
        "readings": found.count,
        "first": _iso(found.first),
        "last": _iso(found.last),
        "interval_s": found.interval_s,
        "min_c": _round(found.min_c),
        "max_c": _round(found.max_c),
        "mean_c": _round(found.mean_c),
        "mkt_c": _round(found.mkt_c),
        "gaps": [
            {"from": _iso(one.start), "to": _iso(one.end), "minutes": round(one.minutes, 1)} for one in found.gaps
        ],
        "limits": sorted({(one.side, one.temp_c) for one in recorded.limits}),
        "days": [
            {"day": day.isoformat(), **{side: round(value) for side, value in sides.items()}}
            for day, sides in sorted(found.minutes.items())
        ],
        "device": {
            "min_c": recorded.own.min_c,
            "max_c": recorded.own.max_c,
            "mean_c": recorded.own.mean_c,
            "mkt_c": recorded.own.mkt_c,
            "days": [
                {"day": one.day.isoformat(), "min_c": one.min_c, "max_c": one.max_c, "mean_c": one.mean_c}
                | one.minutes
                for one in sorted(recorded.days, key=lambda one: one.day)
            ],
        },
        "compared": found.compared,
        "differences": [
            {"what": one.what, "device": one.device, "ours": one.ours,
             "day": one.day.isoformat() if one.day else None, "side": one.side}
            for one in found.differences
        ],
        "excursions": [
            {"rule": one.rule.code, "start": _iso(one.start), "end": _iso(one.end), "minutes": round(one.minutes, 1),
             "min_c": one.min_c, "max_c": one.max_c}
            for one in excursions
        ],
        "unreadable_lines": [{"line": one.line, "text": one.text, "reason": one.reason} for one in recorded.bad],
    }  # fmt: skip


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
