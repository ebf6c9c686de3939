"""Alarm profiles: which temperatures, for how long, are an excursion in a box of a temperature class.

Defaults follow the project's cold-chain rules; recording intervals follow the Chinese drug GSP annex (5 min
in transport, 2 min when out of range), the nearest public rule. A profile has versions, each valid from an
instant; a reading is judged by the version valid at its own time. A snapshot is stored with every excursion,
so that a later edit never rewrites history.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from telemetry.silence import GRACE, SHORTEST_SILENCE, SILENT_INTERVALS

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)
FROM_THE_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Side(StrEnum):
    """Of a rate rule: upper is a rise, lower a fall."""

    UPPER = "upper"
    LOWER = "lower"


class RuleKind(StrEnum):
    """consecutive: one run this long; cumulative: minutes outside summed in a window; immediate: one reading;
    rate: a change of more than the limit within the duration."""

    CONSECUTIVE = "consecutive"
    CUMULATIVE = "cumulative"
    IMMEDIATE = "immediate"
    RATE = "rate"


Identity = tuple[str, RuleKind, Side]


@dataclass(frozen=True, slots=True)
class Rule:
    """``limit_c`` itself is inside unless ``inclusive``. A run is over at ``hysteresis_c`` back inside the
    limit.

    A rule judges a level: the temperature, or for a rate rule the degrees that it has changed by within
    ``duration``. ``key`` tells the rule from the others of its profile and stays when its figures are edited;
    ``code`` says what it is, and changes with them.
    """

    code: str
    kind: RuleKind
    side: Side
    limit_c: float
    duration: timedelta = timedelta(0)
    window: timedelta = DAY
    hysteresis_c: float = 0.5
    inclusive: bool = False
    key: str = ""

    @property
    def identity(self) -> Identity:
        return (self.key or self.code, self.kind, self.side)

    @property
    def upward(self) -> bool:
        """Whether a higher level is worse."""
        return self.side is Side.UPPER or self.kind is RuleKind.RATE

    def outside(self, level: float) -> bool:
        if self.inclusive and level == self.limit_c:
            return True
        return level > self.limit_c if self.upward else level < self.limit_c

    def cleared(self, level: float) -> bool:
        """Far enough inside to end a run."""
        if self.outside(level):
            return False
        if self.upward:
            return level <= self.limit_c - self.hysteresis_c
        return level >= self.limit_c + self.hysteresis_c

    @property
    def clear_to(self) -> float:
        """The worst level that is still ``cleared``: said once for many levels."""
        away = -math.inf if self.upward else math.inf
        limit = math.nextafter(self.limit_c, away) if self.inclusive else self.limit_c
        if self.upward:
            return min(limit, self.limit_c - self.hysteresis_c)
        return max(limit, self.limit_c + self.hysteresis_c)

    def excess_c(self, level: float) -> float:
        """Degrees beyond the limit, 0 inside."""
        beyond = level - self.limit_c if self.upward else self.limit_c - level
        return max(0.0, beyond)


@dataclass(frozen=True)
class Profile:
    """One version of a profile, for loggers of one recording interval.

    ``silence_after``: longer without a reading is unknown; at least ``silence_least`` and ``silence_intervals``
    times the interval (``for_interval``). ``silence_grace``: how much longer before anybody is told.
    ``clear_delay``: how long inside before a run ends. ``version``: the stored version's number, 0 built in.
    """

    code: str
    low_c: float
    high_c: float
    rules: tuple[Rule, ...]
    interval: timedelta = timedelta(minutes=5)
    silence_after: timedelta = timedelta(minutes=20)
    clear_delay: timedelta = timedelta(0)
    silence_intervals: float = SILENT_INTERVALS
    silence_least: timedelta = SHORTEST_SILENCE
    silence_grace: timedelta = GRACE
    version: int = 0

    @property
    def lookback(self) -> timedelta:
        """How far before an instant readings can still bear on it."""
        windows = [rule.window for rule in self.rules if rule.kind is RuleKind.CUMULATIVE]
        return max([*windows, self.rate_window], default=timedelta(0)) + self.silence_after + self.clear_delay

    @property
    def rate_window(self) -> timedelta:
        """How far back its rates of change look; zero when it has none."""
        rates = [rule.duration for rule in self.rules if rule.kind is RuleKind.RATE]
        return max(rates, default=timedelta(0))

    @cached_property
    def clear_range(self) -> tuple[float, float]:
        """Temperatures from … to that every rule calls cleared, rates of change left aside."""
        judged = [rule for rule in self.rules if rule.kind is not RuleKind.RATE]
        lows = [rule.clear_to for rule in judged if not rule.upward]
        highs = [rule.clear_to for rule in judged if rule.upward]
        return max(lows, default=-math.inf), min(highs, default=math.inf)

    def rule(self, identity: Identity) -> Rule | None:
        return next((rule for rule in self.rules if rule.identity == identity), None)

    def for_interval(self, interval: timedelta) -> Profile:
        """The same for loggers that record at this interval."""
        silence_after = max(interval * self.silence_intervals, self.silence_least)
        return replace(self, interval=interval, silence_after=silence_after)

    def snapshot(self) -> dict[str, Any]:
        """Plain JSON, stored with each excursion and as a version. Durations in seconds."""
        return {
            "code": self.code,
            "version": self.version,
            "low_c": self.low_c,
            "high_c": self.high_c,
            "interval_s": self.interval.total_seconds(),
            "silence_after_s": self.silence_after.total_seconds(),
            "silence_intervals": self.silence_intervals,
            "silence_least_s": self.silence_least.total_seconds(),
            "silence_grace_s": self.silence_grace.total_seconds(),
            "clear_delay_s": self.clear_delay.total_seconds(),
            "rules": [rule_snapshot(rule) for rule in self.rules],
        }


def rule_snapshot(rule: Rule) -> dict[str, Any]:
    return {
        "code": rule.code,
        "key": rule.key or rule.code,
        "kind": rule.kind.value,
        "side": rule.side.value,
        "limit_c": rule.limit_c,
        "duration_s": rule.duration.total_seconds(),
        "window_s": rule.window.total_seconds(),
        "hysteresis_c": rule.hysteresis_c,
        "inclusive": rule.inclusive,
    }


def read_snapshot(body: Mapping[str, Any], *, version: int = 0) -> Profile:
    """The profile that ``snapshot`` wrote."""

    def seconds(name: str) -> timedelta:
        return timedelta(seconds=body[name])

    return Profile(
        code=body["code"],
        low_c=body["low_c"],
        high_c=body["high_c"],
        rules=tuple(_read_rule(rule) for rule in body["rules"]),
        interval=seconds("interval_s"),
        silence_after=seconds("silence_after_s"),
        clear_delay=seconds("clear_delay_s"),
        silence_intervals=body["silence_intervals"],
        silence_least=seconds("silence_least_s"),
        silence_grace=seconds("silence_grace_s"),
        version=version,
    )


def _read_rule(body: Mapping[str, Any]) -> Rule:
    return Rule(
        code=body["code"],
        kind=RuleKind(body["kind"]),
        side=Side(body["side"]),
        limit_c=body["limit_c"],
        duration=timedelta(seconds=body["duration_s"]),
        window=timedelta(seconds=body["window_s"]),
        hysteresis_c=body["hysteresis_c"],
        inclusive=body["inclusive"],
        key=body["key"],
    )


def code_of(rule: Rule) -> str:
    """What a rule is, in one word that ``web.rule_texts`` can read: above_7.5_for_20, above_8_sum_60_in_12h, …"""
    minutes = f"{rule.duration / _MINUTE:g}"
    if rule.kind is RuleKind.RATE:
        return f"{'rise' if rule.side is Side.UPPER else 'fall'}_{rule.limit_c:g}_in_{minutes}"
    head = f"{'above' if rule.side is Side.UPPER else 'below'}_{rule.limit_c:g}"
    if rule.inclusive:
        head = f"at_or_{head}"
    if rule.kind is RuleKind.CONSECUTIVE:
        return f"{head}_for_{minutes}"
    if rule.kind is RuleKind.CUMULATIVE:
        return f"{head}_sum_{minutes}_in_{rule.window / _HOUR:g}h"
    return f"{head}_at_once"


@dataclass(frozen=True)
class Versions:
    """Which version judges from when on, sorted; the first one also judges what lies before it."""

    starts: tuple[datetime, ...]
    profiles: tuple[Profile, ...]

    @classmethod
    def always(cls, profile: Profile) -> Versions:
        return cls((FROM_THE_BEGINNING,), (profile,))

    def at(self, instant: datetime) -> Profile:
        """The version valid at an instant."""
        if len(self.profiles) == 1:
            return self.profiles[0]
        return self.profiles[max(0, bisect_right(self.starts, instant) - 1)]

    def spans(self, series: Sequence[tuple[datetime, float]]) -> Iterator[tuple[int, int, Profile]]:
        """(from, to, version): which readings of a sorted series each version judges; ``to`` not included."""
        begin = 0
        for place, profile in enumerate(self.profiles):
            last = place + 1 == len(self.profiles)
            end = len(series) if last else bisect_left(series, (self.starts[place + 1], float("-inf")))
            if end > begin:
                yield begin, end, profile
                begin = end

    def for_interval(self, interval: timedelta) -> Versions:
        return Versions(self.starts, tuple(profile.for_interval(interval) for profile in self.profiles))

    @cached_property
    def lookback(self) -> timedelta:
        return max(profile.lookback for profile in self.profiles)

    @cached_property
    def reach(self) -> timedelta:
        """How far back rates of change look; zero when no version has any."""
        return max(profile.rate_window for profile in self.profiles)

    @cached_property
    def identities(self) -> list[Identity]:
        """Every rule of every version, in their order."""
        return list(dict.fromkeys(rule.identity for profile in self.profiles for rule in profile.rules))


def versions_of(judge: Profile | Versions) -> Versions:
    return judge if isinstance(judge, Versions) else Versions.always(judge)


def _rule(
    code: str, kind: RuleKind, side: Side, limit_c: float, minutes: float = 0, *, inclusive: bool = False
) -> Rule:
    return Rule(code, kind, side, limit_c, timedelta(minutes=minutes), inclusive=inclusive)


COLD = Profile(
    "cold_2_8",
    2.0,
    8.0,
    (
        _rule("above_8_for_30", RuleKind.CONSECUTIVE, Side.UPPER, 8.0, 30),
        _rule("below_2_for_20", RuleKind.CONSECUTIVE, Side.LOWER, 2.0, 20),
        _rule("above_8_sum_60", RuleKind.CUMULATIVE, Side.UPPER, 8.0, 60),
        _rule("below_2_sum_40", RuleKind.CUMULATIVE, Side.LOWER, 2.0, 40),
        _rule("above_25_at_once", RuleKind.IMMEDIATE, Side.UPPER, 25.0),
        _rule("freezing_at_once", RuleKind.IMMEDIATE, Side.LOWER, -0.5, inclusive=True),
    ),
)
AMBIENT = Profile(
    "ambient_15_25",
    15.0,
    25.0,
    (
        _rule("above_25_for_30", RuleKind.CONSECUTIVE, Side.UPPER, 25.0, 30),
        _rule("below_15_for_30", RuleKind.CONSECUTIVE, Side.LOWER, 15.0, 30),
        _rule("above_37_at_once", RuleKind.IMMEDIATE, Side.UPPER, 37.0),
    ),
)
FROZEN = Profile(
    "frozen",
    -40.0,
    -15.0,
    (_rule("above_minus_15_for_15", RuleKind.CONSECUTIVE, Side.UPPER, -15.0, 15),),
)
PROFILES: dict[str, Profile] = {profile.code: profile for profile in (COLD, AMBIENT, FROZEN)}
