"""What a profile must keep to be usable. Pure; a refusal names the field of the form: ``low_c``, ``limit_c-2``, …"""

from __future__ import annotations

import math
from datetime import timedelta

from logistics.errors import Invalid
from telemetry.profile import Profile, Rule, RuleKind, Side

LOW_C, HIGH_C = -100.0, 80.0
MOST_RULES = 20
MOST_HYSTERESIS_C = 10.0
MOST_CHANGE_C = 60.0
LONGEST = timedelta(days=3)
LONGEST_WINDOW = timedelta(days=7)
LONGEST_RATE = timedelta(hours=4)
MOST_INTERVALS = 100.0
_MINUTE = timedelta(minutes=1)


def check(profile: Profile) -> None:
    """Raises Invalid with the field; rules are numbered from 0."""
    for name, value in (("low_c", profile.low_c), ("high_c", profile.high_c)):
        _between(value, LOW_C, HIGH_C, name)
    if profile.low_c >= profile.high_c:
        raise Invalid("profile_band_empty", field="high_c")
    _between(profile.silence_intervals, 1.0, MOST_INTERVALS, "silence_intervals")
    _minutes(profile.silence_least, _MINUTE, timedelta(days=1), "silence_least")
    _minutes(profile.silence_grace, timedelta(0), timedelta(days=1), "silence_grace")
    _minutes(profile.clear_delay, timedelta(0), timedelta(hours=12), "clear_delay")
    if not profile.rules:
        raise Invalid("profile_no_rule", field="limit_c-0")
    if len(profile.rules) > MOST_RULES:
        raise Invalid("profile_rules_most", field=f"limit_c-{MOST_RULES}", most=MOST_RULES)
    seen: set[str] = set()
    for place, rule in enumerate(profile.rules):
        _check_rule(rule, profile, place)
        if rule.code in seen:
            raise Invalid("profile_rule_twice", field=f"limit_c-{place}")
        seen.add(rule.code)


def _check_rule(rule: Rule, profile: Profile, place: int) -> None:
    if rule.kind is RuleKind.RATE:
        _between(rule.limit_c, 0.1, MOST_CHANGE_C, f"limit_c-{place}")
        _minutes(rule.duration, _MINUTE, LONGEST_RATE, f"minutes-{place}")
    else:
        _between(rule.limit_c, LOW_C, HIGH_C, f"limit_c-{place}")
    if rule.kind in (RuleKind.CONSECUTIVE, RuleKind.CUMULATIVE):
        _minutes(rule.duration, _MINUTE, LONGEST, f"minutes-{place}")
    if rule.kind is RuleKind.CUMULATIVE and not rule.duration < rule.window <= LONGEST_WINDOW:
        raise Invalid("profile_window_bad", field=f"hours-{place}", days=LONGEST_WINDOW.days)
    _between(rule.hysteresis_c, 0.0, MOST_HYSTERESIS_C, f"hysteresis_c-{place}")
    if rule.kind is RuleKind.RATE:
        if rule.hysteresis_c >= rule.limit_c:
            raise Invalid("profile_hysteresis_wide", field=f"hysteresis_c-{place}")
        return
    # A limit beyond the middle of the other side would call the whole band an excursion.
    if rule.side is Side.UPPER and rule.limit_c < profile.low_c:
        raise Invalid("profile_limit_inside", field=f"limit_c-{place}")
    if rule.side is Side.LOWER and rule.limit_c > profile.high_c:
        raise Invalid("profile_limit_inside", field=f"limit_c-{place}")


def _between(value: float, low: float, high: float, name: str) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise Invalid("profile_number_range", field=name, low=f"{low:g}", high=f"{high:g}")


def _minutes(value: timedelta, low: timedelta, high: timedelta, name: str) -> None:
    if not low <= value <= high:
        raise Invalid("profile_minutes_range", field=name, low=f"{low / _MINUTE:g}", high=f"{high / _MINUTE:g}")
