"""The stability clock's promises, for any rules and any exposure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from logistics.domain.stability import Exposure, StabilityRule, Status, use_by, verdict
from telemetry.exposure import Part, combined
from telemetry.exposure import exposure as exposure_of

NOW = datetime(2026, 3, 9, 4, tzinfo=UTC)
BANDS = [(-30.0, -18.0), (2.0, 8.0), (18.0, 25.0)]

durations = st.integers(0, 40 * 3600).map(lambda s: timedelta(seconds=s))
exposures = st.builds(
    Exposure,
    st.dictionaries(st.integers(-300, 400), durations, max_size=6),
    durations,
)
rules = st.lists(
    st.tuples(st.sampled_from(BANDS), st.integers(1, 72)).map(
        lambda pair: StabilityRule("T", pair[0][0], pair[0][1], timedelta(hours=pair[1]))
    ),
    min_size=1,
    max_size=4,
)
# A specimen that keeps longer the colder it is, as most serum tests do.
cold_rules = st.lists(st.integers(1, 72), min_size=2, max_size=2, unique=True).map(
    lambda hours: [
        StabilityRule("T", 2.0, 8.0, timedelta(hours=max(hours))),
        StabilityRule("T", 18.0, 25.0, timedelta(hours=min(hours))),
    ]
)
temps = st.one_of(st.none(), st.floats(-30, 40))


def rank(status: Status) -> int:
    return 2 if status.needs_decision else int(status is Status.USE_BY)


@given(rules, exposures, temps, durations)
def test_unknown_time_added_never_improves(
    ruleset: list[StabilityRule], exposed: Exposure, temp_c: float | None, unknown: timedelta
) -> None:
    """More time without data: the verdict is no better and use-by no later."""
    before = verdict(ruleset, exposed, now=NOW, temp_c=temp_c)
    after = verdict(ruleset, exposed + Exposure({}, unknown), now=NOW, temp_c=temp_c)
    assert rank(after.status) >= rank(before.status)
    assert before.use_by is not None
    assert after.use_by is not None
    assert after.use_by <= before.use_by


@given(rules, exposures, temps, st.data())
def test_known_time_that_becomes_unknown_never_improves(
    ruleset: list[StabilityRule], exposed: Exposure, temp_c: float | None, data: st.DataObject
) -> None:
    """Losing the record of some minutes: the verdict is no better and use-by no later."""
    if not exposed.at:
        return
    lost = data.draw(st.sampled_from(sorted(exposed.at)))
    rest = {temp: duration for temp, duration in exposed.at.items() if temp != lost}
    before = verdict(ruleset, exposed, now=NOW, temp_c=temp_c)
    after = verdict(ruleset, Exposure(rest, exposed.unknown + exposed.at[lost]), now=NOW, temp_c=temp_c)
    assert rank(after.status) >= rank(before.status)
    assert before.use_by is not None
    assert after.use_by is not None
    assert after.use_by <= before.use_by + timedelta(microseconds=2)


@given(rules, exposures, temps, durations, st.data())
def test_no_tolerance_makes_unknown_time_better(
    ruleset: list[StabilityRule], exposed: Exposure, temp_c: float | None, tolerance: timedelta, data: st.DataObject
) -> None:
    """Whatever is tolerated: what needed a decision still does when the record of a part of some minutes is lost."""
    if not exposed.at:
        return
    lost = data.draw(st.sampled_from(sorted(exposed.at)))
    part = exposed.at[lost] * data.draw(st.floats(0, 1))
    rest = {**exposed.at, lost: exposed.at[lost] - part}
    before = verdict(ruleset, exposed, now=NOW, temp_c=temp_c, tolerance=tolerance)
    after = verdict(ruleset, Exposure(rest, exposed.unknown + part), now=NOW, temp_c=temp_c, tolerance=tolerance)
    assert rank(after.status) >= rank(before.status)


@given(rules, exposures, temps)
def test_not_knowing_where_it_is_now_never_improves(
    ruleset: list[StabilityRule], exposed: Exposure, temp_c: float | None
) -> None:
    """A box that falls silent: use-by is no later than at any known temperature."""
    known = use_by(ruleset, exposed, now=NOW, temp_c=temp_c)
    unknown = use_by(ruleset, exposed, now=NOW, temp_c=None)
    assert known is not None
    assert unknown is not None
    if used(ruleset, exposed) <= 1:  # past its end every rate leads back, not forward
        assert unknown <= known


def used(ruleset: list[StabilityRule], exposed: Exposure) -> float:
    return verdict(ruleset, exposed, now=NOW).used_share


@given(cold_rules, exposures, st.floats(2, 40), st.floats(0, 30))
def test_a_warmer_box_never_lengthens_the_life_of_a_cold_specimen(
    ruleset: list[StabilityRule], exposed: Exposure, temp_c: float, warmer: float
) -> None:
    """Projected at a higher temperature: use-by is no later."""
    if used(ruleset, exposed) > 1:
        return
    before = use_by(ruleset, exposed, now=NOW, temp_c=temp_c)
    after = use_by(ruleset, exposed, now=NOW, temp_c=temp_c + warmer)
    assert before is not None
    assert after is not None
    assert after <= before


@given(cold_rules, exposures, st.floats(2, 8), st.integers(20, 400), st.data())
def test_more_heat_never_lengthens_the_life_of_a_cold_specimen(
    ruleset: list[StabilityRule], exposed: Exposure, temp_c: float, heat: int, data: st.DataObject
) -> None:
    """Minutes in range that were warmer instead: use-by is no later."""
    cold = [temp for temp in exposed.at if 20 <= temp <= 80]
    if not cold:
        return
    moved = data.draw(st.sampled_from(sorted(cold)))
    warmer = max(heat, moved)
    rest = {temp: duration for temp, duration in exposed.at.items() if temp != moved}
    hot = Exposure(rest, exposed.unknown) + Exposure({warmer: exposed.at[moved]})
    before = use_by(ruleset, exposed, now=NOW, temp_c=temp_c)
    after = use_by(ruleset, hot, now=NOW, temp_c=temp_c)
    assert before is not None
    assert after is not None
    assert after <= before + timedelta(microseconds=2)


series = st.lists(st.tuples(st.integers(1, 3000), st.floats(-40, 45, allow_nan=False)), max_size=40).map(
    lambda pieces: [
        (NOW + timedelta(seconds=sum(step for step, _ in pieces[: i + 1])), temp) for i, (_, temp) in enumerate(pieces)
    ]
)


@given(series, st.integers(-3000, 60_000), st.integers(0, 60_000), st.floats(0, 1))
def test_splitting_an_interval_changes_nothing(
    readings: list[tuple[datetime, float]], offset: int, length: int, share: float
) -> None:
    """Exposure of the whole equals the sum over any two parts, and covers every second exactly once."""
    silence = timedelta(minutes=20)
    start = NOW + timedelta(seconds=offset)
    end = start + timedelta(seconds=length)
    cut = start + (end - start) * share
    whole = exposure_of(readings, start, end, silence)
    parts = exposure_of(readings, start, cut, silence) + exposure_of(readings, cut, end, silence)
    assert whole == parts
    assert whole.total == end - start


loggers = st.lists(st.tuples(series, st.integers(-2000, 20_000), st.integers(0, 40_000)), max_size=3).map(
    lambda found: [
        Part(NOW + timedelta(seconds=begin), NOW + timedelta(seconds=begin + length), readings, timedelta(minutes=20))
        for readings, begin, length in found
    ]
)


@given(loggers, st.integers(-3000, 30_000), st.integers(0, 40_000), st.floats(0, 1))
def test_splitting_changes_nothing_with_several_loggers(
    parts: list[Part], offset: int, length: int, share: float
) -> None:
    """A box with several loggers: the whole equals any two parts, and every second is counted exactly once."""
    start = NOW + timedelta(seconds=offset)
    end = start + timedelta(seconds=length)
    cut = start + (end - start) * share
    whole = combined(parts, start, end)
    assert whole == combined(parts, start, cut) + combined(parts, cut, end)
    assert whole.total == end - start


@given(loggers, st.integers(-3000, 30_000), st.integers(0, 40_000))
def test_a_second_logger_only_ever_adds_knowledge(parts: list[Part], offset: int, length: int) -> None:
    """What the first loggers know stays; the next can only fill what was unknown."""
    start = NOW + timedelta(seconds=offset)
    end = start + timedelta(seconds=length)
    fewer, more = combined(parts[:-1], start, end), combined(parts, start, end)
    assert more.unknown <= fewer.unknown
    assert all(more.at[temp] >= duration for temp, duration in fewer.at.items())
