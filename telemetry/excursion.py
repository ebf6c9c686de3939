"""Excursions of one probe: a pure function of the sorted series and a profile.

A reading holds until the next one. A gap longer than the profile's silence limit holds nothing: it ends a
run, and what happened in it is unknown, never heat. The result depends on the set of readings alone, not on
the order or the batches in which they came; ``quiet_before`` tells from which instant a late reading can
change anything.

Readings are (at, temp_c) pairs, sorted by time, one per instant.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from telemetry.profile import Profile, Rule, RuleKind

Sample = tuple[datetime, float]
_ZERO = timedelta(0)
_MINUTE = timedelta(minutes=1)
# Above this multiple of the recording interval two readings have a gap between them worth counting.
_GAP_FACTOR = 1.5


class EndedBy(StrEnum):
    """cleared: a reading back inside; gap: the logger fell silent, what came after is unknown."""

    CLEARED = "cleared"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Excursion:
    """One run that broke one rule.

    ``start`` first reading outside; ``triggered_at`` when the rule was met; ``end`` None while open;
    ``minutes`` outside the limit within the run (cumulative rules: within the window at its last reading);
    ``area_c_min`` degrees beyond the limit × minutes; ``gaps`` shorter than the silence limit inside the run.
    """

    rule: Rule
    start: datetime
    triggered_at: datetime
    last_at: datetime
    end: datetime | None
    ended_by: EndedBy | None
    min_c: float
    max_c: float
    mean_c: float
    minutes: float
    area_c_min: float
    count: int
    gaps: int

    @property
    def key(self) -> tuple[str, datetime]:
        """What tells two excursions of a probe apart: one rule is broken at most once per run."""
        return (self.rule.code, self.start)


@dataclass(frozen=True, slots=True)
class _Run:
    """Readings ``first`` … ``last`` (inclusive); ``stop`` is the instant up to which the last one held."""

    first: int
    last: int
    stop: datetime
    ended_by: EndedBy | None


def detect(series: Sequence[Sample], profile: Profile, *, now: datetime | None = None) -> list[Excursion]:
    """All excursions of a whole series, by start, then rule order.

    ``now`` closes a run whose logger has been silent for longer than the limit; without it the last run
    stays open.
    """
    found: list[Excursion] = []
    for rule in profile.rules:
        outside_since = _outside_sums(series, rule, profile)
        for run in _runs(series, rule, profile, now):
            excursion = _judge(series, rule, run, outside_since, profile)
            if excursion is not None:
                found.append(excursion)
    order = {rule.code: index for index, rule in enumerate(profile.rules)}
    return sorted(found, key=lambda excursion: (excursion.start, order[excursion.rule.code]))


def quiet_before(series: Sequence[Sample], profile: Profile, at: datetime) -> datetime | None:
    """The latest reading before ``at`` at which no run of any rule was under way; None if the series shows
    none.

    Nothing measured at or after ``at`` can change an excursion that started before that reading.
    """
    index = bisect_left(series, (at, float("-inf")))
    quiet_from: datetime | None = None
    best: datetime | None = None
    for position in range(index):
        here, temp_c = series[position]
        after_gap = position > 0 and here - series[position - 1][0] > profile.silence_after
        if after_gap:
            quiet_from, best = None, here  # the gap has ended whatever was under way
        if not all_clear(temp_c, profile):
            quiet_from = None
            continue
        quiet_from = quiet_from or here
        if here - quiet_from >= profile.clear_delay:
            best = here
    return best


def all_clear(temp_c: float, profile: Profile) -> bool:
    """A reading that can neither start nor prolong a run of any rule."""
    return all(rule.cleared(temp_c) for rule in profile.rules)


def _runs(series: Sequence[Sample], rule: Rule, profile: Profile, now: datetime | None) -> Iterator[_Run]:
    first: int | None = None
    clear_from: int | None = None
    for index, (at, temp_c) in enumerate(series):
        if first is not None and at - series[index - 1][0] > profile.silence_after:
            yield _broken(series, first, clear_from, index - 1)
            first = clear_from = None
        if first is None:
            if rule.outside(temp_c):
                first, clear_from = index, None
            continue
        if not rule.cleared(temp_c):
            clear_from = None
            continue
        clear_from = index if clear_from is None else clear_from
        if at - series[clear_from][0] >= profile.clear_delay:
            yield _Run(first, clear_from - 1, series[clear_from][0], EndedBy.CLEARED)
            first = clear_from = None
    if first is None:
        return
    last = len(series) - 1
    if now is not None and now - series[last][0] > profile.silence_after:
        yield _broken(series, first, clear_from, last)
    else:
        yield _Run(first, last, series[last][0], None)


def _broken(series: Sequence[Sample], first: int, clear_from: int | None, last: int) -> _Run:
    """A run cut by a gap: over where it had begun to clear, else at the last reading before the gap."""
    if clear_from is not None:
        return _Run(first, clear_from - 1, series[clear_from][0], EndedBy.CLEARED)
    return _Run(first, last, series[last][0], EndedBy.GAP)


def _outside_sums(series: Sequence[Sample], rule: Rule, profile: Profile) -> list[timedelta]:
    """Time outside the rule's limit from the series' begin to each reading; gaps count nothing."""
    total = _ZERO
    sums = [total] if series else []
    for (at, temp_c), (following, _) in pairwise(series):
        held = following - at
        if held <= profile.silence_after and rule.outside(temp_c):
            total += held
        sums.append(total)
    return sums


def _judge(
    series: Sequence[Sample], rule: Rule, run: _Run, sums: list[timedelta], profile: Profile
) -> Excursion | None:
    triggered_at = _trigger(series, rule, run, sums, profile)
    if triggered_at is None:
        return None
    start = series[run.first][0]
    temps = [temp_c for _, temp_c in series[run.first : run.last + 1]]
    ends = [at for at, _ in series[run.first + 1 : run.last + 1]] + [run.stop]
    held = [end - at for (at, _), end in zip(series[run.first : run.last + 1], ends, strict=True)]
    total = run.stop - start
    if total > _ZERO:
        mean_c = sum(t * (h / total) for t, h in zip(temps, held, strict=True))
    else:
        mean_c = sum(temps) / len(temps)
    if rule.kind is RuleKind.CUMULATIVE:
        outside = _in_window(series, rule, sums, run.stop, profile)
    else:
        outside = sum((h for t, h in zip(temps, held, strict=True) if rule.outside(t)), _ZERO)
    return Excursion(
        rule=rule,
        start=start,
        triggered_at=triggered_at,
        last_at=series[run.last][0],
        end=None if run.ended_by is None else run.stop,
        ended_by=run.ended_by,
        min_c=min(temps),
        max_c=max(temps),
        mean_c=mean_c,
        minutes=outside / _MINUTE,
        area_c_min=sum(rule.excess_c(t) * (h / _MINUTE) for t, h in zip(temps, held, strict=True)),
        count=len(temps),
        gaps=sum(1 for h in held[:-1] if h > profile.interval * _GAP_FACTOR),
    )


def _trigger(
    series: Sequence[Sample], rule: Rule, run: _Run, sums: list[timedelta], profile: Profile
) -> datetime | None:
    """The first reading of the run (or its end) at which the rule is met."""
    start = series[run.first][0]
    if rule.kind is RuleKind.IMMEDIATE:
        return start
    instants = [at for at, _ in series[run.first : run.last + 1]]
    if run.stop > instants[-1]:
        instants.append(run.stop)
    for at in instants:
        if rule.kind is RuleKind.CONSECUTIVE:
            met = at - start >= rule.duration
        else:
            met = _in_window(series, rule, sums, at, profile) >= rule.duration
        if met:
            return at
    return None


def _in_window(
    series: Sequence[Sample], rule: Rule, sums: list[timedelta], at: datetime, profile: Profile
) -> timedelta:
    """Time outside within (at − window, at]; ``at`` is the instant of a reading."""
    end = bisect_left(series, (at, float("-inf")))
    since = at - rule.window
    begin = bisect_right(series, (since, float("inf"))) - 1
    if begin < 0:
        return sums[end] - sums[0]
    here, temp_c = series[begin]
    following = series[begin + 1][0]
    before = sums[begin]
    if following - here <= profile.silence_after and rule.outside(temp_c):
        before += since - here
    return sums[end] - before
