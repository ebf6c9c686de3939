"""What late readings do to excursions, and what a change of the profile does: on record, with the alerts following."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from logistics.errors import Invalid, NotFound
from logistics.models import Alert, Box
from telemetry import devices, profiles, queries
from telemetry.excursion import detect
from telemetry.ingest import Incoming, store_batch
from telemetry.models import ExcursionChange, ExcursionRow, ProbeState
from telemetry.profile import COLD, FROM_THE_BEGINNING, Profile, Rule, RuleKind, Side, Versions, read_snapshot
from telemetry.profiles import BOX, DEVICE, SITE, Line
from tests import factories as f
from tests.factories import COUNTY, START

MINUTE = timedelta(minutes=1)
END = START + timedelta(hours=6)
both = pytest.mark.both_databases


@pytest.fixture
def world(session: Session) -> Session:
    """The small world with one logger in the cold box of TOWN since an hour before START."""
    f.world(session)
    before = START - timedelta(hours=1)
    devices.register(session, "LG-1", now=before)
    devices.bind(session, "LG-1", "BX-C", at=before, now=before)
    session.commit()
    return session


def send(session: Session, temps: Iterable[float], *, start: datetime = START, now: datetime = END) -> None:
    readings = [{"at": (start + i * 5 * MINUTE).isoformat(), "temp_c": t} for i, t in enumerate(temps)]
    message = Incoming("labrelay/v1/LG-1/readings", json.dumps({"readings": readings}).encode())
    store_batch(session, [message], now=now)
    session.commit()


def changes(session: Session) -> list[tuple[int, str]]:
    query = select(ExcursionChange.excursion_id, ExcursionChange.what).order_by(ExcursionChange.id)
    return [(row.excursion_id, row.what) for row in session.execute(query)]


def test_a_rate_of_rise() -> None:
    """More than 4 °C within 15 minutes, as fast as it comes; slower is none; a gap between is not a rise."""
    rule = Rule("rise_4_in_15", RuleKind.RATE, Side.UPPER, 4.0, 15 * MINUTE, hysteresis_c=1.0)
    profile = replace(COLD, rules=(rule,))

    def found(minutes: int, *temps: float) -> list[tuple[timedelta, float]]:
        series = [(START + i * minutes * MINUTE, temp) for i, temp in enumerate(temps)]
        return [(e.start - START, e.peak) for e in detect(series, profile)]

    assert found(5, 3, 3, 5, 7.5, 7.5, 7.5, 7.5) == [(15 * MINUTE, 4.5)]
    assert found(5, 3, 4, 5, 6, 7, 8, 9) == []
    assert found(25, 3, 9) == []
    fall = replace(profile, rules=(replace(rule, side=Side.LOWER),))
    assert [e.peak for e in detect([(START, 9.0), (START + 5 * MINUTE, 2.0)], fall)] == [7.0]


def test_a_run_goes_on_across_a_change_of_version() -> None:
    """20 minutes above the limit under one version and 15 under the next are 35; each reading by its own version."""
    later = START + 22 * MINUTE
    stricter = replace(COLD, version=2, rules=(replace(COLD.rules[0], code="above_7_for_30", key="above_8_for_30",
                                                       limit_c=7.0), *COLD.rules[1:]))  # fmt: skip
    versions = Versions((FROM_THE_BEGINNING, later), (COLD, stricter))
    series = [(START + i * 5 * MINUTE, temp) for i, temp in enumerate([9, 9, 9, 9, 9, 7.4, 7.4, 7.4, 5])]
    [one] = detect(series, versions)
    assert (one.start, one.triggered_at, one.rule.code) == (START, START + 30 * MINUTE, "above_7_for_30")
    assert one.profile.version == 2
    assert detect(series, COLD) == []
    assert [e.rule.code for e in detect(series, stricter)] == ["above_7_for_30"]


def test_a_rule_that_a_version_drops_ends_its_run() -> None:
    """From the change on nothing is outside of a rule that is not there."""
    versions = Versions((FROM_THE_BEGINNING, START + 42 * MINUTE), (COLD, replace(COLD, rules=COLD.rules[1:])))
    found = detect([(START + i * 5 * MINUTE, 9.0) for i in range(13)], versions)
    assert [(e.rule.code, e.end) for e in found] == [("above_8_for_30", START + 45 * MINUTE), ("above_8_sum_60", None)]


def test_a_snapshot_can_be_read_again() -> None:
    """What is stored with an excursion is the whole profile."""
    again = read_snapshot(json.loads(json.dumps(COLD.snapshot())))
    assert again.snapshot() == COLD.snapshot()
    series = [(START + i * 5 * MINUTE, 9.0) for i in range(9)]
    assert [e.key for e in detect(series, again)] == [e.key for e in detect(series, COLD)]


@both
def test_a_quick_rise_inside_the_band_is_seen_reading_by_reading(world: Session) -> None:
    """Nothing but the rate is broken, and each reading comes alone: the probe is quiet, and is looked at all the
    same."""
    rule = Rule("rise_4_in_15", RuleKind.RATE, Side.UPPER, 4.0, 15 * MINUTE, hysteresis_c=1.0)
    profiles.save(world, Line("cold_2_8"), replace(COLD, rules=(*COLD.rules, rule)), valid_from=START, reason="rate",
                  username="admin", now=START)  # fmt: skip
    world.commit()
    for index, temp_c in enumerate([2.6, 2.6, 2.6, 5.0, 7.4, 7.4, 7.4, 7.4, 7.4]):
        at = START + index * 5 * MINUTE
        send(world, [temp_c], start=at, now=at)
        assert (world.scalars(select(ProbeState.quiet_since)).one() is not None) == (index not in (4, 5))
    [row] = queries.excursions(world, "BX-C")
    assert (row.kind, row.start_at, row.end_at) == ("rate", START + 20 * MINUTE, START + 30 * MINUTE)
    assert row.peak == pytest.approx(4.8)


@both
def test_late_readings_split_and_merge_on_record(world: Session) -> None:
    """One excursion becomes two by a cold reading in its middle, and two become one when a hot bridge arrives."""
    send(world, [9.0] * 8)
    send(world, [9.0] * 8, start=START + 45 * MINUTE)
    assert {row.rule_code for row in queries.excursions(world, "BX-C")} == {"above_8_for_30", "above_8_sum_60"}
    [whole] = [row for row in queries.excursions(world, "BX-C") if row.rule_code == "above_8_for_30"]
    send(world, [5.0], start=START + 40 * MINUTE)
    two = [row for row in queries.excursions(world, "BX-C") if row.rule_code == "above_8_for_30"]
    assert sorted(row.start_at for row in two) == [START, START + 45 * MINUTE]
    assert [what for id_, what in changes(world) if id_ == whole.id][-1] in ("split", "ended", "shrank")
    new = next(row for row in two if row.start_at != START)
    detail = world.scalars(select(ExcursionChange.detail).where(ExcursionChange.excursion_id == new.id)).first()
    assert detail is not None
    assert detail["of"] in {row.id for row in world.scalars(select(ExcursionRow))}


@both
def test_two_excursions_become_one_when_the_readings_between_arrive(world: Session) -> None:
    """A silence of an hour between two hot spells is filled: one row stays, with its answer, and names the other."""
    send(world, [9.0] * 8)
    send(world, [9.0] * 8, start=START + 95 * MINUTE)
    rows = [row for row in queries.excursions(world, "BX-C") if row.rule_code == "above_8_for_30"]
    assert len(rows) == 2
    send(world, [9.0] * 11, start=START + 40 * MINUTE)
    [one] = [row for row in queries.excursions(world, "BX-C") if row.rule_code == "above_8_for_30"]
    assert one.start_at == START
    gone = next(row for row in rows if row.id != one.id)
    kept = world.scalars(select(ExcursionChange).where(ExcursionChange.what == "merged")).one()
    assert (kept.excursion_id, kept.detail["from"]) == (one.id, [gone.id])
    last = world.scalars(select(ExcursionChange).where(ExcursionChange.what == "withdrawn")).one()
    assert (last.excursion_id, last.detail) == (gone.id, {"into": one.id})


@both
def test_an_ended_excursion_that_late_readings_lengthen_says_so(world: Session) -> None:
    """Readings that were held back behind the last one: it ended later than was known."""
    send(world, [9.0] * 8)
    send(world, [5.0], start=START + 50 * MINUTE)
    send(world, [9.0, 9.0], start=START + 40 * MINUTE)
    [row] = [row for row in queries.excursions(world, "BX-C") if row.rule_code == "above_8_for_30"]
    assert row.end_at == START + 50 * MINUTE
    assert [what for id_, what in changes(world) if id_ == row.id][-1:] != ["raised"]


@both
def test_an_alert_does_not_say_nothing_happened_while_another_excursion_stands(world: Session) -> None:
    """Two excursions of one journey, the later one vanishes: the alert keeps telling of the one that stands."""
    f.sealed(world)
    send(world, [26.0, 5.0], now=START + 5 * MINUTE)
    send(world, [9.0] * 4, start=START + 10 * MINUTE)
    send(world, [9.0] * 4, start=START + 35 * MINUTE)
    assert len(queries.excursions(world, "BX-C")) == 2
    send(world, [5.0], start=START + 30 * MINUTE)
    [row] = queries.excursions(world, "BX-C")
    assert row.rule_code == "above_25_at_once"
    [alert] = world.scalars(select(Alert).where(Alert.kind == "excursion"))
    assert (alert.state, alert.params.get("withdrawn")) == ("ended", None)


@both
def test_the_narrowest_profile_counts_from_its_date_on(world: Session) -> None:
    """Logger before box before the site and those above it before the network; readings before the date are judged
    by what was valid then, and the row keeps what judged it."""
    box = world.get_one(Box, "BX-C")

    def limit(at: datetime = END) -> float:
        return profiles.of_box(world, box, at=at).rules[0].limit_c

    def own(limit_c: float) -> Profile:
        return replace(COLD, rules=(replace(COLD.rules[0], code=f"above_{limit_c:g}_for_30", limit_c=limit_c),))

    assert limit() == 8.0
    later = START + 20 * MINUTE
    lines = [Line("cold_2_8"), Line("cold_2_8", SITE, COUNTY), Line("cold_2_8", BOX, "BX-C"),
             Line("cold_2_8", DEVICE, "LG-1")]  # fmt: skip
    for limit_c, line in zip((7.5, 7.0, 6.5, 6.0), lines, strict=True):
        profiles.save(world, line, own(limit_c), valid_from=later, reason="trial", username="admin", now=START)
        world.commit()
        assert limit() == limit_c
        assert limit(START) == 8.0
    profiles.save(world, lines[3], None, valid_from=END, reason="over", username="admin", now=START)
    world.commit()
    assert limit() == 6.5
    send(world, [7.0] * 12)
    [row] = queries.excursions(world, "BX-C")
    assert (row.start_at, row.rule_code, row.limit_c) == (later, "above_6_for_30", 6.0)
    assert row.profile["rules"][0]["limit_c"] == 6.0
    assert row.profile["version"] == profiles.history(world, lines[3])[-1].id


@both
def test_a_new_version_counts_for_a_quiet_probe_at_once(world: Session) -> None:
    """7.4 °C was quiet; under the new limit it is not, and nothing between is missed."""
    send(world, [7.4] * 6, now=START + 25 * MINUTE)
    assert world.scalars(select(ProbeState.quiet_since)).one() is not None
    stricter = replace(COLD, rules=(replace(COLD.rules[0], code="above_7_for_30", limit_c=7.0),))
    profiles.save(world, Line("cold_2_8"), stricter, valid_from=START + 25 * MINUTE, reason="7 °C", username="admin",
                  now=START + 25 * MINUTE)  # fmt: skip
    world.commit()
    send(world, [7.4] * 7, start=START + 30 * MINUTE, now=START + 60 * MINUTE)
    [row] = queries.excursions(world, "BX-C")
    assert row.start_at == START + 25 * MINUTE


def test_a_version_names_what_is_wrong_with_it(world: Session) -> None:
    """Each refusal has the field; nothing is stored."""
    line = Line("cold_2_8")

    def refused(profile: Profile | None = COLD, line: Line = line, reason: str = "x", back: int = 0) -> tuple[str, str]:
        with pytest.raises(Invalid) as caught:
            profiles.save(world, line, profile, valid_from=START - back * MINUTE, reason=reason, username="admin",
                          now=START)  # fmt: skip
        return caught.value.code, caught.value.field or ""

    def rule(**figures: object) -> Profile:
        return replace(COLD, rules=(COLD.rules[0], replace(COLD.rules[2], **figures)))  # type: ignore[arg-type]

    assert refused(reason=" ") == ("field_missing", "reason")
    assert refused(back=1) == ("profile_backdated", "valid_from")
    assert refused(None) == ("profile_needed", "rules")
    assert refused(replace(COLD, high_c=2.0)) == ("profile_band_empty", "high_c")
    assert refused(replace(COLD, rules=())) == ("profile_no_rule", "limit_c-0")
    assert refused(rule(limit_c=float("nan"))) == ("profile_number_range", "limit_c-1")
    assert refused(rule(duration=timedelta(0))) == ("profile_minutes_range", "minutes-1")
    assert refused(rule(window=timedelta(minutes=60))) == ("profile_window_bad", "hours-1")
    assert refused(rule(limit_c=1.0)) == ("profile_limit_inside", "limit_c-1")
    assert refused(rule(code="above_8_for_30")) == ("profile_rule_twice", "limit_c-1")
    assert refused(line=Line("cold_2_8", SITE, "")) == ("profile_scope_bad", "code")
    with pytest.raises(NotFound):
        profiles.save(world, Line("cold_2_8", BOX, "BX-NONE"), COLD, valid_from=START, reason="x", username="admin",
                      now=START)  # fmt: skip
    assert world.execute(text("SELECT count(*) FROM profile_version")).scalar() == 0
