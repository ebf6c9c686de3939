"""When a box will cross a limit: two bodies, and Newton's law of cooling between them.

The air with the tubes follows the contents (packs, tubes, walls) within twenty minutes or so; the contents drift slowly
towards the world outside, faster once the packs are spent. An opened lid warms the air alone, and that comes back. So
three things are estimated from the readings of the last two hours, reading by reading (a Kalman filter): the contents,
the rate at which they drift, and how far the air is away from them, which decays by Newton's law. A reading that leaps
out of what was expected is a lid: the leap goes to the air.

Leaps that go on and on are no lid: cooling is lost, or nobody closes it. Two such views, one that trusts the air to
come back and one that takes its rise for the contents', are weighed by how well each foresaw the readings of the last
minutes. The chance is that of standing beyond the limit at some instant within the horizon. Minutes from now; °C.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from telemetry.excursion import Sample
from telemetry.profile import Side

WINDOW = timedelta(hours=2)
LEAST_READINGS = 4
LEAST_SPAN = timedelta(minutes=10)
HORIZON = timedelta(minutes=60)
STEP_MIN, NEAREST_MIN = 5, 10  # where the future is looked at; what is nearer than ten minutes is for the excursion
# From this chance on a warning is raised, and below that one it is taken back. These and the figures of the views were
# chosen on one set of simulated days and scored on others (bench/forecast.py, docs/benchmarks.md).
LIKELY, UNLIKELY = 0.4, 0.2
# So long the evaluations must agree before anybody is warned, and before the warning is over.
CONFIRMED, DENIED = timedelta(0), timedelta(minutes=15)
_MINUTE = timedelta(minutes=1)

BACK_MIN = 22.0  # the air's way back to the contents, as a time constant
NOISE_C = 0.15  # what a logger scatters
_APART_C = 0.5  # how far the air may be away from the contents before anything is known
_LEAP = 3.0  # so many times the expected error is a leap
_LEAST_CHANCE = 0.01


@dataclass(frozen=True, slots=True)
class _View:
    """What a view holds for usual: the rate at the begin (°C a minute), what contents, rate and air do by themselves
    (per square root of a minute), and the share of a leap (per minute) that it takes for a rate of the contents."""

    rate: float
    contents: float
    rate_by_itself: float
    air: float
    leap_rate: float


_LID = _View(rate=0.01, contents=0.01, rate_by_itself=0.0015, air=0.02, leap_rate=0.005)
_LOST = _View(rate=0.03, contents=0.01, rate_by_itself=0.005, air=0.005, leap_rate=0.03)
_LOST_BEFOREHAND = 0.02  # how likely the second view is before any reading
_REMEMBERED_MIN = 10.0
_WORST = 20.0  # no single reading speaks against a view more than this


@dataclass(frozen=True, slots=True)
class Crossing:
    """The limit will be crossed at about ``at``, give or take ``error``; ``chance`` that it will be at all."""

    side: Side
    limit_c: float
    at: datetime
    error: timedelta
    chance: float


class _Box:
    """A view and what it has made of the readings: contents, rate, air's distance, and their covariance."""

    def __init__(self, view: _View, temp_c: float) -> None:
        self._view = view
        self._contents, self._rate, self._apart = temp_c, 0.0, 0.0
        apart = _APART_C**2
        # Variances and covariances of (contents, rate, apart): cc, cr, ca, rr, ra, aa.
        self._cov = (NOISE_C**2 + apart, 0.0, -apart, view.rate**2, 0.0, apart)
        self.fit = 0.0

    def see(self, minutes: float, temp_c: float) -> None:
        """One more reading, so many minutes after the last."""
        view, back = self._view, math.exp(-minutes / BACK_MIN)
        cc, cr, ca, rr, ra, aa = self._cov
        drift = view.rate_by_itself**2
        cc += 2 * minutes * cr + minutes**2 * rr + view.contents**2 * minutes + drift * minutes**3 / 3
        cr += minutes * rr + drift * minutes**2 / 2
        ca = (ca + minutes * ra) * back
        rr, ra, aa = rr + drift * minutes, ra * back, aa * back**2 + view.air**2 * minutes
        contents, apart = self._contents + self._rate * minutes, self._apart * back
        off = temp_c - contents - apart
        expected = cc + 2 * ca + aa + NOISE_C**2
        self.fit *= math.exp(-minutes / _REMEMBERED_MIN)
        self.fit -= 0.5 * min(off**2 / expected, _WORST) + 0.5 * math.log(expected)
        if off**2 > _LEAP**2 * expected:
            aa += off**2
            rr += (view.leap_rate * off) ** 2
            expected = cc + 2 * ca + aa + NOISE_C**2
        c, r, a = cc + ca, cr + ra, ca + aa
        self._contents = contents + c / expected * off
        self._rate += r / expected * off
        self._apart = apart + a / expected * off
        self._cov = (
            cc - c * c / expected, cr - c * r / expected, ca - c * a / expected,
            rr - r * r / expected, ra - r * a / expected, aa - a * a / expected,
        )  # fmt: skip

    def ahead(self, minutes: float) -> tuple[float, float]:
        """The air so many minutes from now: (temperature, standard deviation)."""
        view, back = self._view, math.exp(-minutes / BACK_MIN)
        cc, cr, ca, rr, ra, aa = self._cov
        variance = cc + minutes**2 * rr + back**2 * aa + 2 * (minutes * cr + back * ca + minutes * back * ra)
        variance += view.contents**2 * minutes + view.rate_by_itself**2 * minutes**3 / 3
        return self._contents + self._rate * minutes + self._apart * back, math.sqrt(max(variance, 1e-6))


@dataclass(frozen=True, slots=True)
class _Ahead:
    """The box at an instant of the future: each view's (weight, temperature, standard deviation)."""

    minutes: float
    views: tuple[tuple[float, float, float], ...]

    @property
    def temp_c(self) -> float:
        return sum(weight * temp_c for weight, temp_c, _ in self.views)

    @property
    def spread(self) -> float:
        mean = self.temp_c
        return math.sqrt(sum(weight * (sd**2 + (temp_c - mean) ** 2) for weight, temp_c, sd in self.views))

    def beyond(self, limit_c: float, sign: float) -> float:
        """The chance of standing beyond the limit."""
        return sum(weight * _below(sign * (temp_c - limit_c) / sd) for weight, temp_c, sd in self.views)


def outlook(series: Sequence[Sample], low_c: float, high_c: float, *, until: datetime | None = None) -> Crossing | None:
    """The likelier of leaving a band above and below before ``until``, at most HORIZON ahead; None when neither is in
    sight. ``series`` sorted by time; its last two hours count."""
    path = _path(series, until)
    found = [
        one
        for limit_c, side in ((high_c, Side.UPPER), (low_c, Side.LOWER))
        if (one := _crossing(series, path, limit_c, side)) is not None
    ]
    return max(found, key=lambda one: one.chance, default=None)


def crossing(series: Sequence[Sample], limit_c: float, side: Side, *, until: datetime | None = None) -> Crossing | None:
    """The crossing of ``limit_c`` towards ``side``, however unlikely; None where none is in sight.

    None too with few readings, or beyond the limit already.
    """
    return _crossing(series, _path(series, until), limit_c, side)


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


def _path(series: Sequence[Sample], until: datetime | None) -> list[_Ahead]:
    """The box from now to the horizon or ``until``, as it looks from the readings; empty with few of them."""
    if not series:
        return []
    last_at = series[-1][0]
    recent = series[bisect_left(series, (last_at - WINDOW, -math.inf)) :]
    if len(recent) < LEAST_READINGS or last_at - recent[0][0] < LEAST_SPAN:
        return []
    lid, lost = _Box(_LID, recent[0][1]), _Box(_LOST, recent[0][1])
    for (before, _), (at, temp_c) in pairwise(recent):
        minutes = (at - before) / _MINUTE
        lid.see(minutes, temp_c)
        lost.see(minutes, temp_c)
    odds = math.exp(max(-50.0, min(50.0, lost.fit - lid.fit))) * _LOST_BEFOREHAND / (1 - _LOST_BEFOREHAND)
    weight = odds / (1 + odds)
    longest = HORIZON if until is None else min(HORIZON, until - last_at)
    return [
        _Ahead(minutes, ((1 - weight, *lid.ahead(minutes)), (weight, *lost.ahead(minutes))))
        for minutes in range(0, int(longest / _MINUTE) + 1, STEP_MIN)
    ]


def _crossing(series: Sequence[Sample], path: Sequence[_Ahead], limit_c: float, side: Side) -> Crossing | None:
    sign = 1.0 if side is Side.UPPER else -1.0
    if not path or sign * (series[-1][1] - limit_c) >= 0:
        return None
    chances = [(one.beyond(limit_c, sign), one) for one in path if one.minutes >= NEAREST_MIN]
    chance, likeliest = max(chances, key=lambda pair: pair[0], default=(0.0, path[0]))
    if chance < _LEAST_CHANCE:
        return None
    minutes = _reached(path, limit_c, sign)
    if minutes is None:
        minutes = likeliest.minutes
    near = min(path, key=lambda one: abs(one.minutes - minutes))
    slope = abs(path[-1].temp_c - path[0].temp_c) / max(1.0, path[-1].minutes)
    error = min(HORIZON, max(1.0, near.spread / max(slope, 1e-3)) * _MINUTE)
    return Crossing(side, limit_c, series[-1][0] + minutes * _MINUTE, error, chance)


def _reached(path: Sequence[_Ahead], limit_c: float, sign: float) -> float | None:
    """Minutes until the path lies beyond the limit."""
    for before, after in pairwise(path):
        begin, end = sign * (before.temp_c - limit_c), sign * (after.temp_c - limit_c)
        if end >= 0:
            share = max(0.0, -begin) / (end - begin) if end > begin else 0.0
            return before.minutes + share * (after.minutes - before.minutes)
    return None


def _below(z: float) -> float:
    """The normal distribution up to ``z``."""
    return 0.5 * math.erfc(-z / math.sqrt(2))
