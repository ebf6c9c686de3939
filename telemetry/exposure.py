"""Where the minutes of an interval were spent, and the mean kinetic temperature.

Readings are (at, temp_c) pairs sorted by time; each holds until the next one, at most for the silence limit.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
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
