"""Excursions, silence, exposure and the simulator by example."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.excursion import EndedBy, Sample, detect
from telemetry.exposure import exposure, mkt_c
from telemetry.profile import AMBIENT, COLD, FROZEN, PROFILES, Rule, RuleKind, Side
from telemetry.silence import Watched, alert_due, group, silent_since
from telemetry.simulator import BoxModel, Recording, stretches

START = datetime(2026, 3, 9, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def every(minutes: float, *temps: float, start: datetime = START) -> list[Sample]:
    return [(start + i * minutes * MINUTE, temp) for i, temp in enumerate(temps)]


def codes(series: list[Sample], profile: str = "cold_2_8") -> list[str]:
    return [excursion.rule.code for excursion in detect(series, PROFILES[profile])]


def test_half_an_hour_above_eight() -> None:
    """29 minutes are no excursion, 30 are; it starts at the first hot reading and is open while it lasts."""
    assert codes(every(5, 5, 9, 9, 9, 9, 9, 9)) == []
    [excursion] = detect(every(5, 5, 9, 9, 9, 9, 9, 9, 9), COLD)
    assert excursion.rule.code == "above_8_for_30"
    assert excursion.start == START + 5 * MINUTE
    assert excursion.triggered_at == START + 35 * MINUTE
    assert excursion.end is None
    assert (excursion.minutes, excursion.area_c_min, excursion.count) == (30, 30, 7)


def test_hysteresis_keeps_one_run_together() -> None:
    """7.8 °C does not end a run that 7.5 °C would; its minutes are not counted as outside."""
    [excursion] = detect(every(5, 9, 9, 9, 7.8, 9, 9, 9, 9, 7.5, 5), COLD)
    assert excursion.end == START + 40 * MINUTE
    assert excursion.ended_by is EndedBy.CLEARED
    assert excursion.minutes == 35


def test_a_gap_is_never_heat() -> None:
    """Two hot readings five hours apart are two short runs and five hours unknown, not five hours of heat."""
    assert codes([(START, 9.0), (START + timedelta(hours=5), 9.0)]) == []
    hot = every(5, *[9.0] * 8)
    [excursion] = detect([*hot, (START + timedelta(hours=5), 9.0)], COLD)
    assert excursion.ended_by is EndedBy.GAP
    assert excursion.end == START + 35 * MINUTE
    assert excursion.minutes == 35


def test_silence_now_ends_an_open_run() -> None:
    """With the present instant given, a run whose logger fell silent is over, by a gap."""
    hot = every(5, *[9.0] * 8)
    assert detect(hot, COLD, now=START + 55 * MINUTE)[0].end is None
    assert detect(hot, COLD, now=START + 56 * MINUTE)[0].ended_by is EndedBy.GAP


def test_cumulative_minutes_in_a_day() -> None:
    """Three runs of 25 minutes are each too short; the hour is full in the third."""
    spell = [9.0] * 5 + [5.0] * 5
    found = detect(every(5, *spell * 3), COLD)
    assert [(e.rule.code, e.start) for e in found] == [("above_8_sum_60", START + 100 * MINUTE)]
    assert found[0].minutes == 75
    day_apart = every(5, *spell) + every(5, *spell * 2, start=START + timedelta(hours=24))
    assert codes(day_apart) == []


def test_at_once_rules() -> None:
    """Above 25 °C, or at −0.5 °C and colder, one reading is enough."""
    assert codes(every(5, 5, 25.1, 5)) == ["above_25_at_once"]
    assert codes(every(5, 5, 25.0, 5)) == []
    assert codes(every(5, 5, -0.5, 5)) == ["freezing_at_once"]
    assert codes(every(5, 5, -0.4, 5)) == []


def test_the_other_classes() -> None:
    """Their own limits."""
    assert codes(every(5, *[14.9] * 7), "ambient_15_25") == ["below_15_for_30"]
    assert codes(every(5, 37.1), "ambient_15_25") == ["above_37_at_once"]
    assert codes(every(5, *[-14.0] * 4), "frozen") == ["above_minus_15_for_15"]
    assert (AMBIENT.low_c, FROZEN.high_c) == (15.0, -15.0)


def test_a_clear_delay_joins_short_pauses() -> None:
    """Ten minutes inside do not end a run when a quarter of an hour is asked for."""
    patient = replace(COLD, clear_delay=15 * MINUTE)
    series = every(5, 9, 9, 9, 5, 5, 9, 9, 9, 5, 5, 5, 5)
    assert [e.start for e in detect(series, patient) if e.rule.code == "above_8_for_30"] == [START]
    assert "above_8_for_30" not in [e.rule.code for e in detect(series, COLD)]


def test_a_profile_snapshot_is_plain_json() -> None:
    """What is stored with an excursion can be read without the code."""
    assert json.loads(json.dumps(COLD.snapshot()))["rules"][0]["limit_c"] == 8.0


def test_silence_has_a_grace_and_a_mass_case() -> None:
    """Four intervals without a reading are silence, the alert comes later; a gateway's silence is one."""
    logger = Watched("LG-1", 5 * MINUTE, START, START)
    assert silent_since(logger, now=START + 20 * MINUTE) is None
    assert silent_since(logger, now=START + 21 * MINUTE) == START
    assert not alert_due(logger, now=START + 21 * MINUTE)
    assert alert_due(logger, now=START + 26 * MINUTE)
    many = [replace(logger, device=f"LG-{i}", gateway="GW") for i in range(4)]
    together = group([*many, replace(logger, device="LG-9")], now=START + 30 * MINUTE)
    assert [(s.gateway, s.devices) for s in together] == [
        (None, ("LG-9",)),
        ("GW", ("LG-0", "LG-1", "LG-2", "LG-3")),
    ]


def test_exposure_counts_what_is_not_known() -> None:
    """Before the first reading, in a long gap, and past the silence limit after the last: unknown."""
    series = [*every(5, 5, 5), (START + 65 * MINUTE, 9.0)]
    found = exposure(series, START - 10 * MINUTE, START + 100 * MINUTE, 20 * MINUTE)
    assert dict(found.at) == {50: 5 * MINUTE, 90: 20 * MINUTE}
    assert found.unknown == (10 + 60 + 15) * MINUTE


def test_mkt() -> None:
    """Constant is itself; heat weighs more than its mean; nothing of nothing."""
    constant = mkt_c([5.0, 5.0])
    mixed = mkt_c([5.0, 25.0])
    assert constant == pytest.approx(5.0)
    assert mixed is not None
    assert mixed > 15.0
    assert mkt_c([]) is None


def test_a_box_keeps_cold_until_its_packs_are_spent() -> None:
    """Fresh packs hold 2–8 °C through a morning with the lid opened; a lid left open does not."""
    model = BoxModel("LG-1", start=START, seed=1)
    model.open_lid(START + timedelta(hours=1), timedelta(minutes=3))
    temps = [model.step(START + i * 5 * MINUTE).temp_c for i in range(49)]
    assert 2.0 < min(temps) <= max(temps) < 8.0
    model.open_lid(model.at, timedelta(minutes=60))
    hot = [model.step(START + (240 + i * 5) * MINUTE).temp_c for i in range(1, 12)]
    assert max(hot) > 8.0


def test_a_box_that_loses_its_cooling_is_an_excursion_within_the_hour() -> None:
    """Warm within twenty minutes, an excursion half an hour later, and never hot enough to be absurd."""
    model = BoxModel("LG-1", start=START, seed=2)
    model.step(START + 30 * MINUTE)
    model.lose_cooling()
    series = [(r.at, r.temp_c) for r in (model.step(START + (30 + i * 5) * MINUTE) for i in range(25))]
    first = detect(series, COLD)[0]
    assert first.triggered_at <= START + 90 * MINUTE
    assert max(temp for _, temp in series) < 25


@pytest.mark.parametrize("temp_class", sorted(PROFILES))
def test_a_sound_box_holds_its_band_for_a_day(temp_class: str) -> None:
    """24 hours in the open, every class: no excursion."""
    model = BoxModel("LG-1", start=START, temp_class=temp_class, seed=3)
    series = [(r.at, r.temp_c) for r in (model.step(START + i * 5 * MINUTE) for i in range(289))]
    assert detect(series, PROFILES[temp_class]) == []


def test_a_seed_gives_the_same_box_however_it_is_stepped() -> None:
    """The true temperature does not depend on how often the logger is asked."""
    one, two = (BoxModel("LG-1", start=START, seed=7) for _ in range(2))
    one.step(START + timedelta(hours=3))
    for minute in range(0, 181, 7):
        two.step(START + minute * MINUTE)
    two.step(START + timedelta(hours=3))
    assert one.temp_c == two.temp_c


def test_the_recording_replays() -> None:
    """Every stretch is there, and a hot one is an excursion."""
    assert set(stretches()) == {
        "steady", "cooling_down", "warming", "left_out", "freezing", "near_the_limit",
    }  # fmt: skip
    logger = Recording("LG-2", start=START, stretch="left_out")
    series = [(r.at, r.temp_c) for r in (logger.step(START + i * 5 * MINUTE) for i in range(80))]
    assert "above_25_at_once" in codes(series)


@given(
    st.lists(st.tuples(st.sampled_from(list(Side)), st.integers(-300, 300), st.integers(0, 20), st.booleans())),
    st.integers(-400, 400),
)
def test_the_clear_range_says_what_the_rules_say(limits: list[tuple[Side, int, int, bool]], tenths: int) -> None:
    """At a limit, just beside it and anywhere else."""
    rules = tuple(
        Rule("r", RuleKind.IMMEDIATE, side, limit / 10, hysteresis_c=width / 10, inclusive=inclusive)
        for side, limit, width, inclusive in limits
    )
    low_c, high_c = replace(COLD, rules=rules).clear_range
    for temp_c in {tenths / 10, *(rule.limit_c for rule in rules)}:
        assert (low_c <= temp_c <= high_c) == all(rule.cleared(temp_c) for rule in rules)
