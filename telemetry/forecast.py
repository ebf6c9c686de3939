"""When a box will cross a limit: Newton's law of cooling fitted to the last half hour.

The temperature runs towards an ambient A exponentially: T(t) = A − B·exp(−t/τ). Nobody measures A outside the box, and
half an hour does not tell A and τ apart, so several τ are tried: for each, A and B follow by least squares, and it
weighs as much as it fits. A curve that levels off before the limit (a lid was open, the packs take the heat up again)
thus speaks against a crossing, where a straight line would run on. Minutes from now; temperatures °C.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from telemetry.excursion import Sample
from telemetry.profile import Side

WINDOW = timedelta(minutes=30)
LEAST_READINGS = 4
LEAST_SPAN = timedelta(minutes=10)
HORIZON = timedelta(hours=4)
TAUS_MIN = (20.0, 40.0, 80.0, 160.0, 320.0, 640.0)
# No box stands in anything hotter or colder: a fit that needs it is none.
HOTTEST_C, COLDEST_C = 50.0, -30.0
# What a logger and a box scatter around any such curve, when the fit is better than that.
NOISE_C = 0.3
# From this chance on a warning is raised, and below that one it is taken back: chosen on one set of simulated days and
# scored on others (bench/forecast.py, docs/benchmarks.md).
LIKELY, UNLIKELY = 0.2, 0.1
# So long the evaluations must agree before anybody is warned, and before the warning is over.
CONFIRMED, DENIED = timedelta(0), timedelta(minutes=15)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Crossing:
    """The limit will be crossed at about ``at``, give or take ``error``; ``chance`` that it will be at all."""

    side: Side
    limit_c: float
    at: datetime
    error: timedelta
    chance: float


@dataclass(frozen=True, slots=True)
class _Fit:
    weight: float
    minutes: float  # to the crossing; inf: never
    spread: float


def crossing(series: Sequence[Sample], limit_c: float, side: Side, *, horizon: timedelta = HORIZON) -> Crossing | None:
    """The crossing of ``limit_c`` towards ``side`` within the horizon, however unlikely; None where none is in sight.

    ``series`` sorted by time; its last half hour counts. None too with few readings, or beyond the limit already.
    """
    recent = [(at, temp_c) for at, temp_c in series[-200:] if series[-1][0] - at <= WINDOW]
    if len(recent) < LEAST_READINGS or recent[-1][0] - recent[0][0] < LEAST_SPAN:
        return None
    sign = 1.0 if side is Side.UPPER else -1.0
    last_at = recent[-1][0]
    x = [(at - last_at) / _MINUTE for at, _ in recent]
    y = [sign * temp_c for _, temp_c in recent]
    limit = sign * limit_c
    if y[-1] >= limit:
        return None
    fits = _fits(x, y, limit, HOTTEST_C if side is Side.UPPER else -COLDEST_C)
    longest = horizon / _MINUTE
    ahead = [fit for fit in fits if fit.minutes <= longest]
    total, crossed = math.fsum(fit.weight for fit in fits), math.fsum(fit.weight for fit in ahead)
    if total <= 0 or crossed <= 0:
        return None
    minutes = math.fsum(fit.weight * fit.minutes for fit in ahead) / crossed
    between = math.fsum(fit.weight * (fit.minutes - minutes) ** 2 for fit in ahead) / crossed
    within = math.fsum(fit.weight * fit.spread**2 for fit in ahead) / crossed
    error = max(1.0, math.sqrt(between + within))
    return Crossing(side, limit_c, last_at + minutes * _MINUTE, error * _MINUTE, crossed / total)


def outlook(series: Sequence[Sample], low_c: float, high_c: float, *, horizon: timedelta = HORIZON) -> Crossing | None:
    """The likelier of leaving a band above and below; None when neither is in sight."""
    found = [
        one
        for limit_c, side in ((high_c, Side.UPPER), (low_c, Side.LOWER))
        if (one := crossing(series, limit_c, side, horizon=horizon)) is not None
    ]
    return max(found, key=lambda one: one.chance, default=None)


@dataclass(frozen=True, slots=True)
class State:
    """Whether a warning stands, and since when the evaluations have spoken for the contrary."""

    warned: bool = False
    contrary_since: datetime | None = None

    def after(self, at: datetime, chance: float) -> State:
        """One more evaluation at the instant of its newest reading: an open lid of some minutes is no forecast."""
        contrary = chance < UNLIKELY if self.warned else chance >= LIKELY
        if not contrary:
            return State(self.warned)
        since = self.contrary_since or at
        if at - since >= (DENIED if self.warned else CONFIRMED):
            return State(not self.warned)
        return State(self.warned, since)


def _fits(x: Sequence[float], y: Sequence[float], limit: float, hottest: float) -> list[_Fit]:
    """Every τ with its weight, and the curve that stays where it is."""
    n = len(x)
    mean = math.fsum(y) / n
    flat = math.fsum((value - mean) ** 2 for value in y)
    raw: list[tuple[float, int, float, float]] = [(flat, 1, math.inf, 0.0)]
    for tau in TAUS_MIN:
        e = [math.exp(-value / tau) for value in x]
        mean_e = math.fsum(e) / n
        spread = math.fsum((value - mean_e) ** 2 for value in e)
        if spread <= 0:
            continue
        b = -math.fsum((p - mean_e) * (q - mean) for p, q in zip(e, y, strict=True)) / spread
        a = mean + b * mean_e
        if a > hottest:
            continue
        rest = math.fsum((q - a + b * p) ** 2 for p, q in zip(e, y, strict=True))
        minutes = tau * math.log(b / (a - limit)) if b > 0 and a > limit and b > a - limit else math.inf
        noise = max(NOISE_C, math.sqrt(rest / (n - 2)))
        slope = b / tau  # degrees a minute now
        off = noise / math.sqrt(n) / slope * (1 + minutes / 15.0) if math.isfinite(minutes) else 0.0
        raw.append((rest, 2, minutes, off))
    best = min(rest / (n - k) for rest, k, _, _ in raw)
    variance = max(NOISE_C**2, best)
    least = min(rest / variance + 2 * k for rest, k, _, _ in raw)
    return [_Fit(math.exp((least - rest / variance) / 2 - k), minutes, off) for rest, k, minutes, off in raw]
