"""Excursions do not depend on the order, batches or repetition in which readings arrive."""

from __future__ import annotations

import itertools
import random
from bisect import bisect_left, insort
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.excursion import Excursion, Sample, detect
from telemetry.profile import PROFILES, Profile, Rule, RuleKind, Side
from telemetry.rederive import rederive

ORIGIN = datetime(2026, 3, 9, tzinfo=UTC)
SHORT = Profile(
    "short",
    2.0,
    8.0,
    (
        Rule("high_30", RuleKind.CONSECUTIVE, Side.UPPER, 8.0, timedelta(minutes=30)),
        Rule("low_20", RuleKind.CONSECUTIVE, Side.LOWER, 2.0, timedelta(minutes=20)),
        Rule("high_sum", RuleKind.CUMULATIVE, Side.UPPER, 8.0, timedelta(minutes=12), timedelta(minutes=45)),
        Rule("at_once", RuleKind.IMMEDIATE, Side.UPPER, 15.0),
    ),
)
profiles = st.sampled_from([SHORT, SHORT, replace(SHORT, clear_delay=timedelta(minutes=12)), *PROFILES.values()])
steps = st.lists(
    st.tuples(
        st.sampled_from([60, 120, 300, 300, 300, 300, 300, 300, 600, 1200, 1201]),
        st.sampled_from([-3.0, -0.5, 1.5, 2.0, 2.4, 2.5, 5.0, 5.0, 5.0, 7.4, 7.5, 7.6, 8.0, 8.1, 9.0, 26.0]),
    ),
    max_size=100,
)


def series_of(pieces: list[tuple[int, float]]) -> list[Sample]:
    at = ORIGIN
    series = []
    for seconds, temp_c in pieces:
        at += timedelta(seconds=seconds)
        series.append((at, temp_c))
    return series


class Store:
    """What the ingest does with a database, with lists: readings by key, excursions by key."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.series: list[Sample] = []
        self.found: dict[tuple[str, datetime], Excursion] = {}

    def load(self, lower: datetime) -> tuple[list[Sample], bool]:
        index = bisect_left(self.series, (lower, float("-inf")))
        return self.series[index:], index == 0

    def take(self, batch: list[Sample]) -> None:
        known = {at for at, _ in self.series}
        new = sorted({sample for sample in batch if sample[0] not in known})
        if not new:
            return
        for sample in new:
            insort(self.series, sample)
        again = rederive(self.load, self.profile, new[0][0], margin=timedelta(minutes=7))
        kept = {k: e for k, e in self.found.items() if again.since is not None and e.start < again.since}
        self.found = kept | {excursion.key: excursion for excursion in again.excursions}


@given(steps, profiles, st.randoms(use_true_random=False), st.integers(1, 12))
@settings(max_examples=300)
def test_arrival_order_batches_and_duplicates_change_nothing(
    pieces: list[tuple[int, float]], profile: Profile, rnd: random.Random, size: int
) -> None:
    """Shuffled, cut into batches and partly sent twice, a series ends in the excursions of one sorted pass."""
    series = series_of(pieces)
    arrivals = series + rnd.sample(series, k=len(series) // 3)
    rnd.shuffle(arrivals)
    store = Store(profile)
    for begin in range(0, len(arrivals), size):
        store.take(arrivals[begin : begin + size])
    assert sorted(store.found.values(), key=lambda e: e.key) == sorted(detect(series, profile), key=lambda e: e.key)


@given(st.integers(0, 2**32))
@settings(max_examples=200)
def test_late_readings_of_a_long_day_change_nothing(seed: int) -> None:
    """A hundred readings nearly in order, some delayed by up to thirty places: the same as one sorted pass.

    (The shuffle above tends to re-read everything; here the evaluation really starts in the middle.)
    """
    rnd = random.Random(seed)
    profile = rnd.choice([SHORT, replace(SHORT, clear_delay=timedelta(minutes=12))])
    seconds, temps = [60, 120, 300, 300, 300, 300, 300, 600, 1200, 1201], [-3.0, 1.5, 2.4, 5.0, 7.6, 8.1, 26.0]
    series = series_of([(rnd.choice(seconds), rnd.choice([*temps, *[5.0] * 5])) for _ in range(100)])
    arrivals = list(series)
    for _ in range(rnd.randint(0, 20)):
        index = rnd.randrange(len(arrivals))
        arrivals.insert(index + rnd.randint(1, 30), arrivals.pop(index))
    store = Store(profile)
    size = rnd.randint(1, 6)
    for begin in range(0, len(arrivals), size):
        store.take(arrivals[begin : begin + size])
    assert sorted(store.found.values(), key=lambda e: e.key) == sorted(detect(series, profile), key=lambda e: e.key)


@given(steps, profiles)
def test_every_excursion_lies_in_the_series_and_is_outside(pieces: list[tuple[int, float]], profile: Profile) -> None:
    """Start, trigger and end are in order; the extreme is beyond the limit; minutes never exceed the time."""
    series = series_of(pieces)
    for excursion in detect(series, profile):
        rule = excursion.rule
        end = excursion.end or excursion.last_at
        assert excursion.start <= excursion.triggered_at <= end
        assert rule.outside(excursion.max_c if rule.side is Side.UPPER else excursion.min_c)
        assert excursion.min_c <= excursion.mean_c + 1e-9
        assert excursion.mean_c <= excursion.max_c + 1e-9
        if rule.kind is RuleKind.CONSECUTIVE:
            assert end - excursion.start >= rule.duration
            assert excursion.minutes <= (end - excursion.start) / timedelta(minutes=1) + 1e-9


@given(steps, profiles)
def test_removing_readings_into_a_gap_never_makes_heat(pieces: list[tuple[int, float]], profile: Profile) -> None:
    """No minute of a gap longer than the silence limit is counted outside."""
    series = series_of(pieces)
    known = sum(
        (b[0] - a[0] for a, b in itertools.pairwise(series) if b[0] - a[0] <= profile.silence_after),
        timedelta(0),
    )
    for excursion in detect(series, profile):
        assert timedelta(minutes=excursion.minutes) <= known + timedelta(milliseconds=1)
