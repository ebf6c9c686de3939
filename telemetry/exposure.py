"""Where the minutes of an interval were spent, and the mean kinetic temperature.

Readings are (at, temp_c) pairs sorted by time; each holds until the next one, at most for the silence limit.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from logistics.domain.stability import Exposure, tenths
from telemetry.excursion import Sample

_ZERO = timedelta(0)
KELVIN = 273.15
# USP <1079.2>: activation energy in kJ/mol and the gas constant in kJ/(mol·K).
MKT_DELTA_H = 83.144
MKT_R = 8.3144e-3


def holds(
    series: Sequence[Sample], start: datetime, end: datetime, silence_after: timedelta
) -> Iterator[tuple[float | None, timedelta]]:
    """(temperature or None for unknown, how long) pieces that together make exactly ``end − start``.

    A gap longer than ``silence_after`` is unknown as a whole: the last reading says nothing about it.
    """
    index = bisect_right(series, (start, math.inf)) - 1
    here = start
    while here < end:
        if index < 0:
            until = min(series[0][0], end) if series else end
            yield None, until - here
        elif index + 1 < len(series):
            following = series[index + 1][0]
            until = min(following, end)
            known = following - series[index][0] <= silence_after
            yield series[index][1] if known else None, until - here
        else:
            # After the newest reading nothing is known to contradict it until the limit has passed.
            known_until = min(max(series[index][0] + silence_after, here), end)
            if known_until > here:
                yield series[index][1], known_until - here
            until = end
            if end > known_until:
                yield None, end - known_until
        here = until
        index += 1


def exposure(series: Sequence[Sample], start: datetime, end: datetime, silence_after: timedelta) -> Exposure:
    """Time at each temperature in start … end. Cutting the interval anywhere and adding gives the same."""
    at: dict[int, timedelta] = {}
    unknown = _ZERO
    for temp_c, held in holds(series, start, end, silence_after):
        if temp_c is None:
            unknown += held
        else:
            key = tenths(temp_c)
            at[key] = at.get(key, _ZERO) + held
    return Exposure(at, unknown)


@dataclass(frozen=True, slots=True)
class Part:
    """A logger's time in a box: what it recorded in ``start`` … ``end``, sorted, with the reading before if it is of
    the same logger in the same box."""

    start: datetime
    end: datetime
    readings: Sequence[Sample]
    silence_after: timedelta


def combined(parts: Sequence[Part], start: datetime, end: datetime) -> Exposure:
    """Time at each temperature in a box with several loggers or probes.

    The first part that knows an instant speaks for it: a second logger fills the gaps of the first, also when it was
    put in beside one that had died. What none knows is unknown. Cutting the interval anywhere changes nothing.
    """
    total = Exposure()
    if end <= start:
        return total
    if not parts:
        return Exposure({}, end - start)
    first, others = parts[0], parts[1:]
    begin, until = max(first.start, start), min(first.end, end)
    if until <= begin:
        return combined(others, start, end)
    total += combined(others, start, begin)
    here = begin
    for temp_c, held in holds(first.readings, begin, until, first.silence_after):
        if temp_c is None:
            total += combined(others, here, here + held)
        else:
            total += Exposure({tenths(temp_c): held})
        here += held
    return total + combined(others, until, end)


def minutes_per_band(exposed: Exposure, bands: Sequence[tuple[float, float]]) -> list[float]:
    """Minutes in each (low_c, high_c), both ends included."""
    return [exposed.within(low_c, high_c) / timedelta(minutes=1) for low_c, high_c in bands]


def mkt_c(temps_c: Sequence[float]) -> float | None:
    """Mean kinetic temperature in °C of equally spaced readings; None for none.

    For reference only: it is a drug rule and never clears a specimen.
    """
    if not temps_c:
        return None
    ratio = MKT_DELTA_H / MKT_R
    mean = math.fsum(math.exp(-ratio / (temp_c + KELVIN)) for temp_c in temps_c) / len(temps_c)
    return ratio / -math.log(mean) - KELVIN
