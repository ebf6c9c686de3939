"""Alarm profiles: which temperatures, for how long, are an excursion in a box of a temperature class.

Defaults follow the project's cold-chain rules; recording intervals follow the Chinese drug GSP annex (5 min
in transport, 2 min when out of range), the nearest public rule. A snapshot of the profile is stored with
every excursion, so that a later edit never rewrites history.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any


class Side(StrEnum):
    UPPER = "upper"
    LOWER = "lower"


class RuleKind(StrEnum):
    """consecutive: one run this long; cumulative: minutes outside summed in a window; immediate: one
    reading."""

    CONSECUTIVE = "consecutive"
    CUMULATIVE = "cumulative"
    IMMEDIATE = "immediate"


@dataclass(frozen=True, slots=True)
class Rule:
    """``limit_c`` itself is inside unless ``inclusive``. A run is over at ``hysteresis_c`` back inside the
    limit."""

    code: str
    kind: RuleKind
    side: Side
    limit_c: float
    duration: timedelta = timedelta(0)
    window: timedelta = timedelta(hours=24)
    hysteresis_c: float = 0.5
    inclusive: bool = False

    def outside(self, temp_c: float) -> bool:
        if self.inclusive and temp_c == self.limit_c:
            return True
        return temp_c > self.limit_c if self.side is Side.UPPER else temp_c < self.limit_c

    def cleared(self, temp_c: float) -> bool:
        """Far enough inside to end a run."""
        if self.outside(temp_c):
            return False
        if self.side is Side.UPPER:
            return temp_c <= self.limit_c - self.hysteresis_c
        return temp_c >= self.limit_c + self.hysteresis_c

    def excess_c(self, temp_c: float) -> float:
        """Degrees beyond the limit, 0 inside."""
        beyond = temp_c - self.limit_c if self.side is Side.UPPER else self.limit_c - temp_c
        return max(0.0, beyond)


@dataclass(frozen=True, slots=True)
class Profile:
    """``silence_after``: longer without a reading is unknown. ``clear_delay``: how long inside before a run
    ends."""

    code: str
    low_c: float
    high_c: float
    rules: tuple[Rule, ...]
    interval: timedelta = timedelta(minutes=5)
    silence_after: timedelta = timedelta(minutes=20)
    clear_delay: timedelta = timedelta(0)

    @property
    def lookback(self) -> timedelta:
        """How far before an instant readings can still bear on it."""
        windows = [rule.window for rule in self.rules if rule.kind is RuleKind.CUMULATIVE]
        return max(windows, default=timedelta(0)) + self.silence_after + self.clear_delay

    def snapshot(self) -> dict[str, Any]:
        """Plain JSON, stored with each excursion. Durations in seconds."""
        return {
            "code": self.code,
            "low_c": self.low_c,
            "high_c": self.high_c,
            "interval_s": self.interval.total_seconds(),
            "silence_after_s": self.silence_after.total_seconds(),
            "clear_delay_s": self.clear_delay.total_seconds(),
            "rules": [rule_snapshot(rule) for rule in self.rules],
        }


def rule_snapshot(rule: Rule) -> dict[str, Any]:
    return {
        "code": rule.code,
        "kind": rule.kind.value,
        "side": rule.side.value,
        "limit_c": rule.limit_c,
        "duration_s": rule.duration.total_seconds(),
        "window_s": rule.window.total_seconds(),
        "hysteresis_c": rule.hysteresis_c,
        "inclusive": rule.inclusive,
    }


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
