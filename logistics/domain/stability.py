"""The stability clock: how much of a specimen's life each test has left, from where its minutes were spent.

A rule permits a test's specimen a longest time in a temperature band. Time in a band uses up its share of
life; shares of different bands add up. Time between two permitted bands is charged at the strictest
permitted rate; time beyond them all is *outside* and needs a person's decision, as does time without data
(*unknown*): it is charged at the strictest rate too, shown as unknown, and never makes a verdict better.

Temperatures °C; all durations are timedelta, so that sums are exact however a series is cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

_ZERO = timedelta(0)
SOON = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class StabilityRule:
    """``longest`` time from collection within ``low_c`` … ``high_c`` (both included); ``source`` as it is
    quoted."""

    test_code: str
    low_c: float
    high_c: float
    longest: timedelta
    source: str = ""
    stage: str = ""

    def covers(self, temp_c: float) -> bool:
        return self.low_c <= temp_c <= self.high_c


def _frozen(at: Mapping[int, timedelta]) -> Mapping[int, timedelta]:
    return MappingProxyType({key: at[key] for key in sorted(at) if at[key] > _ZERO})


@dataclass(frozen=True)
class Exposure:
    """Time spent at each temperature since collection.

    ``at``: tenths of °C → time (a logger resolves 0.1 °C); ``unknown``: time without data. Exposures add up.
    """

    at: Mapping[int, timedelta] = field(default_factory=dict)
    unknown: timedelta = _ZERO

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", _frozen(self.at))

    @classmethod
    def constant(cls, temp_c: float, duration: timedelta) -> Exposure:
        """Declared storage: room, fridge, freezer at its nominal temperature."""
        return cls({tenths(temp_c): duration})

    @property
    def total(self) -> timedelta:
        return sum(self.at.values(), _ZERO) + self.unknown

    def __add__(self, other: Exposure) -> Exposure:
        merged = dict(self.at)
        for temp, duration in other.at.items():
            merged[temp] = merged.get(temp, _ZERO) + duration
        return Exposure(merged, self.unknown + other.unknown)

    def within(self, low_c: float, high_c: float) -> timedelta:
        """Time at temperatures low_c … high_c, both included."""
        return sum((d for temp, d in self.at.items() if tenths(low_c) <= temp <= tenths(high_c)), _ZERO)


def tenths(temp_c: float) -> int:
    return round(temp_c * 10)


class Status(StrEnum):
    """In the order of severity; the last three cannot be used without a person's decision."""

    FIT = "fit"
    USE_BY = "use_by"
    UNKNOWN = "unknown"
    OUTSIDE = "outside"
    EXPIRED = "expired"

    @property
    def needs_decision(self) -> bool:
        return self in (Status.UNKNOWN, Status.OUTSIDE, Status.EXPIRED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``used_share`` 1.0 is the end of life; ``use_by`` None when no rule limits the test."""

    status: Status
    used_share: float
    use_by: datetime | None
    outside: timedelta
    unknown: timedelta


@dataclass(frozen=True, slots=True)
class _Charge:
    known: float
    unknown: float
    outside: timedelta

    @property
    def total(self) -> float:
        return self.known + self.unknown


def rate_limit(rules: Sequence[StabilityRule], temp_c: float | None) -> timedelta | None:
    """The longest time the rules give at this temperature; None when it is outside of them all.

    Of overlapping rules the shortest holds. Between two permitted bands, and where the temperature is not
    known (``temp_c`` None), the strictest of all rules holds.
    """
    strictest = min(rule.longest for rule in rules)
    if temp_c is None:
        return strictest
    covering = [rule.longest for rule in rules if rule.covers(temp_c)]
    if covering:
        return min(covering)
    between = any(rule.high_c < temp_c for rule in rules) and any(rule.low_c > temp_c for rule in rules)
    return strictest if between else None


def used_share(rules: Sequence[StabilityRule], exposure: Exposure) -> float:
    """Share of life used, unknown and outside time included at the strictest rate; may exceed 1."""
    return _charge(rules, exposure).total


def _charge(rules: Sequence[StabilityRule], exposure: Exposure) -> _Charge:
    strictest = min(rule.longest for rule in rules)
    known = 0.0
    outside = _ZERO
    for temp, duration in exposure.at.items():
        limit = rate_limit(rules, temp / 10)
        if limit is None:
            outside += duration
            limit = strictest
        known += duration / limit
    return _Charge(known, exposure.unknown / strictest, outside)


def use_by(
    rules: Sequence[StabilityRule], exposure: Exposure, *, now: datetime, temp_c: float | None
) -> datetime | None:
    """When the life runs out if the specimen stays at ``temp_c`` (None: not known, the strictest rate).

    None when no rule limits the test. Never later for more unknown time.
    """
    if not rules:
        return None
    return _runs_out(rules, _charge(rules, exposure), now, temp_c)


def _runs_out(rules: Sequence[StabilityRule], charge: _Charge, now: datetime, temp_c: float | None) -> datetime | None:
    limit = rate_limit(rules, temp_c) or min(rule.longest for rule in rules)
    try:
        return now + (1.0 - charge.total) * limit
    except OverflowError:
        return None


def earliest(instants: Iterable[datetime | None]) -> datetime | None:
    """The deadline of a tube: the earliest over its tests."""
    known = [instant for instant in instants if instant is not None]
    return min(known, default=None)


def verdict(
    rules: Sequence[StabilityRule],
    exposure: Exposure,
    *,
    now: datetime,
    temp_c: float | None = None,
    tolerance: timedelta = _ZERO,
    soon: timedelta = SOON,
) -> Verdict:
    """What to do with the tube for one test.

    ``tolerance``: outside and unknown time together up to this much is charged but asks nobody (a lid opening, a
    lift): together, so that minutes outside never look better for having no data. ``soon``: less left than this is
    'use by', more is 'fit'. Without rules nothing is known to limit the test.
    """
    if not rules:
        status = Status.UNKNOWN if exposure.unknown > tolerance else Status.FIT
        return Verdict(status, 0.0, None, _ZERO, exposure.unknown)
    charge = _charge(rules, exposure)
    deadline = _runs_out(rules, charge, now, temp_c)
    if charge.known >= 1.0 or exposure.total >= max(rule.longest for rule in rules):
        status = Status.EXPIRED
    elif charge.outside > tolerance:
        status = Status.OUTSIDE
    elif charge.outside + exposure.unknown > tolerance:
        status = Status.UNKNOWN if exposure.unknown >= charge.outside else Status.OUTSIDE
    elif charge.total >= 1.0:
        status = Status.UNKNOWN
    elif deadline is not None and deadline - now <= soon:
        status = Status.USE_BY
    else:
        status = Status.FIT
    return Verdict(status, charge.total, deadline, charge.outside, exposure.unknown)
