"""When a box will cross a limit: Newton's law of cooling fitted to the last half hour.

The temperature runs towards the ambient exponentially: T(t) = A + (T0 − A)·exp(−t/τ). With the ambient A known or
assumed, the logarithm of the distance to it is a straight line, whose slope and its error least squares give.
Minutes from now; temperatures °C.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from telemetry.excursion import Sample

WINDOW = timedelta(minutes=30)
LEAST_READINGS = 4
# A slope must stand out of its own error this often before anybody is warned.
SIGNIFICANT = 3.0
HORIZON = timedelta(hours=6)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Crossing:
    """The limit will be crossed at about ``at``, give or take ``error``."""

    at: datetime
    error: timedelta


def crossing(
    series: Sequence[Sample], limit_c: float, ambient_c: float, *, horizon: timedelta = HORIZON
) -> Crossing | None:
    """The predicted crossing of ``limit_c`` on the way to ``ambient_c``; None when none is in sight.

    ``series`` sorted by time; its last half hour counts. None too when the limit is crossed already, does not
    lie between the box and the ambient, or the trend does not stand out of the noise.
    """
    recent = [(at, temp_c) for at, temp_c in series if series[-1][0] - at <= WINDOW]
    if len(recent) < LEAST_READINGS:
        return None
    last_at, last_c = recent[-1]
    rising = ambient_c > limit_c
    distances = [(ambient_c - temp_c) if rising else (temp_c - ambient_c) for _, temp_c in recent]
    crossed = last_c >= limit_c if rising else last_c <= limit_c
    if crossed or min(distances) <= 0:
        return None
    line = _line([(at - last_at) / _MINUTE for at, _ in recent], [math.log(d) for d in distances])
    if line is None or -line[1] <= SIGNIFICANT * line[2]:
        return None
    level, slope, slope_error = line
    remaining = abs(ambient_c - limit_c)
    minutes = (math.log(remaining) - level) / slope
    if not 0 <= minutes <= horizon / _MINUTE:
        return None
    error = max(1.0, minutes * slope_error / -slope)
    return Crossing(last_at + minutes * _MINUTE, error * _MINUTE)


def _line(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float] | None:
    """Least squares: (value at x = 0, slope, standard error of the slope); None without spread in x."""
    n = len(x)
    mean_x, mean_y = math.fsum(x) / n, math.fsum(y) / n
    spread = math.fsum((value - mean_x) ** 2 for value in x)
    if spread <= 0:
        return None
    slope = math.fsum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread
    level = mean_y - slope * mean_x
    rest = math.fsum((b - level - slope * a) ** 2 for a, b in zip(x, y, strict=True))
    return level, slope, math.sqrt(rest / (n - 2) / spread)
