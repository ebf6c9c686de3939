"""Excursions of one probe: a pure function of the sorted series and the versions of its profile.

A reading holds until the next one. A gap longer than the profile's silence limit holds nothing: it ends a
run, and what happened in it is unknown, never heat. Each reading is judged by the version valid at its own
time; a run goes on across a change of version as long as its rule is there. The result depends on the set
of readings alone, not on the order or the batches in which they came; ``quiet_before`` tells from which
instant a late reading can change anything.

Readings are (at, temp_c) pairs, sorted by time, one per instant.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from operator import itemgetter

from telemetry.profile import Identity, Profile, Rule, RuleKind, Side, Versions, versions_of

Sample = tuple[datetime, float]
_temp_c = itemgetter(1)
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

    ``profile`` and ``rule``: the version at ``triggered_at``, when the rule was met; ``start`` first reading
    outside; ``end`` None while open; ``minutes`` outside the limit within the run (cumulative rules: within
    the window at its last reading); ``area_c_min`` degrees beyond the limit × minutes; ``gaps`` shorter than
    the silence limit inside the run; ``peak`` the worst level (a temperature; of a rate rule the change).
    """

    rule: Rule
    profile: Profile
    start: datetime
    triggered_at: datetime
    last_at: datetime
    end: datetime | None
    ended_by: EndedBy | None
    min_c: float
    max_c: float
    mean_c: float
    peak: float
    minutes: float
    area_c_min: float
    count: int
    gaps: int

    @property
    def key(self) -> tuple[str, datetime]:
        """What tells two excursions of a probe apart: one rule is broken at most once per run."""
        return (self.rule.identity[0], self.start)


@dataclass(frozen=True, slots=True)
class _Run:
    """Readings ``first`` … ``last`` (inclusive); ``stop`` is the instant up to which the last one held."""

    first: int
    last: int
    stop: datetime
    ended_by: EndedBy | None


@dataclass(frozen=True, slots=True)
class _Track:
    """A series with what its versions say of each reading. ``gap[i]``: a silence lies before reading i."""

    series: Sequence[Sample]
    spans: list[tuple[int, int, Profile]]
    gap: list[bool]

    @classmethod
    def of(cls, series: Sequence[Sample], versions: Versions) -> _Track:
        spans = list(versions.spans(series))
        gap = [False] * len(series)
        for begin, end, profile in spans:
            for index in range(begin, min(end, len(series) - 1)):
                gap[index + 1] = series[index + 1][0] - series[index][0] > profile.silence_after
        return cls(series, spans, gap)

    def profile(self, index: int) -> Profile:
        return next(profile for begin, end, profile in self.spans if begin <= index < end)

    def reaches(self, identity: Identity) -> bool:
        """Whether some reading may be outside of a rule: most series are far from most rules."""
        for begin, end, profile in self.spans:
            rule = profile.rule(identity)
            if rule is None:
                continue
            if rule.kind is RuleKind.RATE:
                return True
            temps = self.series[begin:end]
            worst = max(temps, key=_temp_c) if rule.upward else min(temps, key=_temp_c)
            if rule.outside(worst[1]):
                return True
        return False

    def levels(self, rule: Rule, begin: int, end: int) -> list[float]:
        """What the rule looks at in readings begin … end: temperatures, or changes within its duration."""
        if rule.kind is not RuleKind.RATE:
            return [temp_c for _, temp_c in self.series[begin:end]]
        return [self._change(rule, index) for index in range(begin, end)]

    def _change(self, rule: Rule, index: int) -> float:
        at, here = self.series[index]
        most = 0.0
        while index > 0 and not self.gap[index]:
            index -= 1
            before, temp_c = self.series[index]
            if at - before > rule.duration:
                break
            most = max(most, here - temp_c if rule.side is Side.UPPER else temp_c - here)
        return most


@dataclass(frozen=True, slots=True)
class _Lane:
    """One rule along a track: by reading, its version of the rule (None while it has none) and what it says."""

    track: _Track
    rules: list[Rule | None]
    levels: list[float]
    outside: list[bool]
    cleared: list[bool]

    @classmethod
    def of(cls, track: _Track, identity: Identity) -> _Lane:
        rules: list[Rule | None] = []
        levels: list[float] = []
        outside: list[bool] = []
        cleared: list[bool] = []
        for begin, end, profile in track.spans:
            rule = profile.rule(identity)
            rules += [rule] * (end - begin)
            if rule is None:
                levels += [0.0] * (end - begin)
                outside += [False] * (end - begin)
                cleared += [True] * (end - begin)
                continue
            here = track.levels(rule, begin, end)
            levels += here
            outside += [rule.outside(level) for level in here]
            cleared += [rule.cleared(level) for level in here]
        return cls(track, rules, levels, outside, cleared)

    def sums(self) -> list[timedelta]:
        """Time outside the rule's limit from the series' begin to each reading; gaps count nothing."""
        total = _ZERO
        sums = [total] if self.track.series else []
        for index, ((at, _), (following, _)) in enumerate(pairwise(self.track.series)):
            if self.outside[index] and not self.track.gap[index + 1]:
                total += following - at
            sums.append(total)
        return sums


def detect(series: Sequence[Sample], judge: Profile | Versions, *, now: datetime | None = None) -> list[Excursion]:
    """All excursions of a whole series, by start, then rule order.

    ``now`` closes a run whose logger has been silent for longer than the limit; without it the last run
    stays open.
    """
    versions = versions_of(judge)
    track = _Track.of(series, versions)
    found: list[Excursion] = []
    for identity in versions.identities:
        if not track.reaches(identity):
            continue
        lane = _Lane.of(track, identity)
        if not any(lane.outside):
            continue
        sums = lane.sums()
        for run in _runs(lane, now):
            excursion = _judge(lane, run, sums)
            if excursion is not None:
                found.append(excursion)
    order = {identity: index for index, identity in enumerate(versions.identities)}
    return sorted(found, key=lambda excursion: (excursion.start, order[excursion.rule.identity]))


def quiet_before(series: Sequence[Sample], judge: Profile | Versions, at: datetime) -> datetime | None:
    """The latest reading before ``at`` at which no run of any rule was under way; None if the series shows
    none.

    Nothing measured at or after ``at`` can change an excursion that started before that reading.
    """
    track = _Track.of(series, versions_of(judge))
    clear = _clear(track)
    quiet_from: datetime | None = None
    best: datetime | None = None
    for begin, end, profile in track.spans:
        for position in range(begin, min(end, bisect_left(series, (at, float("-inf"))))):
            here = series[position][0]
            if track.gap[position]:
                quiet_from, best = None, here  # the gap has ended whatever was under way
            if not clear[position]:
                quiet_from = None
                continue
            quiet_from = quiet_from or here
            if here - quiet_from >= profile.clear_delay:
                best = here
    return best


def ends_quiet(series: Sequence[Sample], judge: Profile | Versions) -> bool:
    """Whether no run of any rule can be under way at the last reading. Before the first one might be."""
    track = _Track.of(series, versions_of(judge))
    under_way = True
    clear_from: datetime | None = None
    clear = _clear(track)
    for begin, end, profile in track.spans:
        for index in range(begin, end):
            at = series[index][0]
            if track.gap[index]:
                under_way, clear_from = False, None
            if not clear[index]:
                under_way, clear_from = True, None
            elif under_way:
                clear_from = at if clear_from is None else clear_from
                under_way = at - clear_from < profile.clear_delay
    return bool(series) and not under_way


def all_clear(samples: Sequence[Sample], versions: Versions) -> bool:
    """Whether these sorted readings can neither start nor prolong a run of any rule, rates of change left aside."""
    for begin, end, profile in versions.spans(samples):
        low_c, high_c = profile.clear_range
        temps = [temp_c for _, temp_c in samples[begin:end]]
        if min(temps) < low_c or max(temps) > high_c:
            return False
    return True


def clear_since(series: Sequence[Sample], judge: Profile | Versions, since: datetime) -> bool:
    """Whether every reading from ``since`` on can neither start nor prolong a run of any rule."""
    clear = _clear(_Track.of(series, versions_of(judge)))
    return all(clear[bisect_left(series, (since, float("-inf"))) :])


def silences(series: Sequence[Sample], judge: Profile | Versions) -> list[tuple[datetime, datetime]]:
    """The stretches between two readings that were longer than the silence limit: (from, to), both unknown."""
    track = _Track.of(series, versions_of(judge))
    return [(series[index - 1][0], series[index][0]) for index, gap in enumerate(track.gap) if gap]


def _clear(track: _Track) -> list[bool]:
    clear: list[bool] = []
    for begin, end, profile in track.spans:
        low_c, high_c = profile.clear_range
        here = [low_c <= temp_c <= high_c for _, temp_c in track.series[begin:end]]
        for rule in profile.rules:
            if rule.kind is RuleKind.RATE:
                levels = track.levels(rule, begin, end)
                here = [was and rule.cleared(level) for was, level in zip(here, levels, strict=True)]
        clear += here
    return clear


def _runs(lane: _Lane, now: datetime | None) -> Iterator[_Run]:
    track, series = lane.track, lane.track.series
    first: int | None = None
    clear_from: int | None = None
    for begin, end, profile in track.spans:
        for index in range(begin, end):
            if first is not None and track.gap[index]:
                yield _broken(series, first, clear_from, index - 1)
                first = clear_from = None
            if first is None:
                if lane.outside[index]:
                    first, clear_from = index, None
                continue
            if not lane.cleared[index]:
                clear_from = None
                continue
            clear_from = index if clear_from is None else clear_from
            if series[index][0] - series[clear_from][0] >= profile.clear_delay:
                yield _Run(first, clear_from - 1, series[clear_from][0], EndedBy.CLEARED)
                first = clear_from = None
    if first is None:
        return
    last = len(series) - 1
    if now is not None and now - series[last][0] > track.spans[-1][2].silence_after:
        yield _broken(series, first, clear_from, last)
    else:
        yield _Run(first, last, series[last][0], None)


def _broken(series: Sequence[Sample], first: int, clear_from: int | None, last: int) -> _Run:
    """A run cut by a gap: over where it had begun to clear, else at the last reading before the gap."""
    if clear_from is not None:
        return _Run(first, clear_from - 1, series[clear_from][0], EndedBy.CLEARED)
    return _Run(first, last, series[last][0], EndedBy.GAP)


def _judge(lane: _Lane, run: _Run, sums: list[timedelta]) -> Excursion | None:
    series = lane.track.series
    met = _trigger(lane, run, sums)
    if met is None:
        return None
    triggered_at, rule, place = met
    start = series[run.first][0]
    inside = range(run.first, run.last + 1)
    temps = [series[index][1] for index in inside]
    ends = [series[index][0] for index in inside[1:]] + [run.stop]
    held = [end - series[index][0] for index, end in zip(inside, ends, strict=True)]
    total = run.stop - start
    if total > _ZERO:
        mean_c = sum(t * (h / total) for t, h in zip(temps, held, strict=True))
    else:
        mean_c = sum(temps) / len(temps)
    if rule.kind is RuleKind.CUMULATIVE:
        outside = _in_window(lane, rule, sums, run.stop)
    else:
        outside = sum((h for index, h in zip(inside, held, strict=True) if lane.outside[index]), _ZERO)
    levels = [lane.levels[index] for index in inside if lane.outside[index]]
    profile = lane.track.profile(place)
    return Excursion(
        rule=rule,
        profile=profile,
        start=start,
        triggered_at=triggered_at,
        last_at=series[run.last][0],
        end=None if run.ended_by is None else run.stop,
        ended_by=run.ended_by,
        min_c=min(temps),
        max_c=max(temps),
        mean_c=mean_c,
        peak=max(levels) if rule.upward else min(levels),
        minutes=outside / _MINUTE,
        area_c_min=sum(_excess(lane, index) * (h / _MINUTE) for index, h in zip(inside, held, strict=True)),
        count=len(temps),
        gaps=sum(1 for h in held[:-1] if h > profile.interval * _GAP_FACTOR),
    )


def _excess(lane: _Lane, index: int) -> float:
    rule = lane.rules[index]
    return 0.0 if rule is None else rule.excess_c(lane.levels[index])


def _trigger(lane: _Lane, run: _Run, sums: list[timedelta]) -> tuple[datetime, Rule, int] | None:
    """The first reading of the run (or its end) at which the rule is met, the rule as it was there, and which
    reading that was."""
    series = lane.track.series
    start = series[run.first][0]
    rule = lane.rules[run.first]
    for index in range(run.first, run.last + 2):
        if index <= run.last:
            at = series[index][0]
            rule = lane.rules[index] or rule
        elif run.stop > series[run.last][0]:
            at = run.stop
        else:
            return None
        if rule is not None and _met(lane, rule, start, at, sums):
            return at, rule, min(index, run.last)
    return None


def _met(lane: _Lane, rule: Rule, start: datetime, at: datetime, sums: list[timedelta]) -> bool:
    if rule.kind is RuleKind.CONSECUTIVE:
        return at - start >= rule.duration
    if rule.kind is RuleKind.CUMULATIVE:
        return _in_window(lane, rule, sums, at) >= rule.duration
    return True


def _in_window(lane: _Lane, rule: Rule, sums: list[timedelta], at: datetime) -> timedelta:
    """Time outside within (at − window, at]; ``at`` is the instant of a reading."""
    series = lane.track.series
    end = bisect_left(series, (at, float("-inf")))
    since = at - rule.window
    begin = bisect_right(series, (since, float("inf"))) - 1
    if begin < 0:
        return sums[end] - sums[0]
    before = sums[begin]
    if lane.outside[begin] and not lane.track.gap[begin + 1]:
        before += since - series[begin][0]
    return sums[end] - before
