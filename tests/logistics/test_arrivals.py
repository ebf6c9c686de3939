"""Expected arrivals, overdue boxes wherever they stand, and tubes that were never sent."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Alert, Box, Consignment, Plan, Stop
from logistics.queries import unsent as waiting
from logistics.services import arrivals, network, overdue, unsent
from tests import factories as f
from tests.factories import act, done

HOUR = timedelta(hours=1)


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def publish(session: Session, at: datetime, *, eta: datetime | None = None, state: str = "published") -> Stop:
    """A plan that has the courier at the county laboratory at that time."""
    plan = Plan(day="2026-03-09", scope_code=f.COUNTY, state=state, created_at=f.START, created_by="dispatcher")
    session.add(plan)
    session.flush()
    stop = Stop(plan_id=plan.id, courier="courier", position=1, site_code=f.COUNTY, kind="delivery", arrive_at=at,
                depart_at=at + timedelta(minutes=5), eta_at=eta)  # fmt: skip
    session.add(stop)
    session.commit()
    return stop


def expected(session: Session, number: str) -> datetime | None:
    return session.get_one(Consignment, number, populate_existing=True).expected_at


def alerts(session: Session, kind: str) -> list[Alert]:
    session.commit()
    session.expire_all()
    return list(session.scalars(select(Alert).where(Alert.kind == kind).order_by(Alert.id)))


def test_the_expected_arrival_follows_the_plan_in_force(world: Session) -> None:
    """Two hours without a plan; the plan's visit when one is published; the courier's own order; the next plan."""
    number = f.fetched(world, ("T1",))
    assert expected(world, number) == f.START + 2 * HOUR
    assert arrivals.recompute(world, now=f.START) == []
    first = publish(world, f.START + 3 * HOUR)
    publish(world, f.START + HOUR, state="superseded")
    assert arrivals.recompute(world, now=f.START) == [number]
    assert expected(world, number) == f.START + 3 * HOUR
    first.eta_at = f.START + 4 * HOUR
    world.commit()
    arrivals.recompute(world, now=f.START)
    assert expected(world, number) == f.START + 4 * HOUR
    world.get_one(Plan, first.plan_id).state = "superseded"
    publish(world, f.START + 5 * HOUR)
    arrivals.recompute(world, now=f.START + 4.5 * HOUR)
    assert expected(world, number) == f.START + 5 * HOUR
    arrivals.recompute(world, now=f.START + 6 * HOUR)  # he is late: the promise stands
    assert expected(world, number) == f.START + 5 * HOUR


def test_the_end_of_the_hold_time_climbs_the_ladder(world: Session) -> None:
    """A late box is told; an hour on it is critical; when its validated hold time ends the city is told at once."""
    number = f.fetched(world, ("T1",))
    world.get_one(Box, "BX-C").hold_h = 4.0
    world.commit()
    assert overdue.sweep(world, now=f.START + 2.5 * HOUR) == [number]
    overdue.sweep(world, now=f.START + 3.5 * HOUR)
    (one,) = alerts(world, "overdue")
    assert (one.severity, one.level, one.params["hold_until"]) == ("critical", 0, None)
    overdue.sweep(world, now=f.START + 4.1 * HOUR)
    overdue.sweep(world, now=f.START + 4.2 * HOUR)
    (one,) = alerts(world, "overdue")
    assert one.level == 1
    assert one.params["hold_until"] == (f.START + 4 * HOUR).isoformat()
    assert [note.kind for note in one.notes].count("escalated") == 1


def test_a_box_that_arrived_and_that_nobody_took_over_is_overdue(world: Session) -> None:
    """It stands at the laboratory: told after half an hour, over when it is handed over."""
    number = f.fetched(world, ("T1",))
    at = f.START + HOUR
    done(world, "courier", act("arrive", {}, site=f.COUNTY, at=at))
    assert overdue.sweep(world, now=at + timedelta(minutes=20)) == []
    assert overdue.sweep(world, now=at + timedelta(minutes=40)) == [number]
    assert alerts(world, "overdue")[0].params["stands"] == f.COUNTY
    deliver = {"other": "courier", "pin": f.PIN, "count": 1}
    done(world, "receiver", act("hand_over", {"consignment": number}, deliver, site=f.COUNTY, at=at + HOUR))
    assert overdue.sweep(world, now=at + HOUR) == []
    assert alerts(world, "overdue")[0].state == "ended"


def test_what_waits_is_listed_by_what_expires_first(world: Session) -> None:
    """Collected, packed and sealed tubes of the county, none that left, none of another county."""
    f.fetched(world, ("GONE",))
    f.collected(world, "T1")
    number = ""
    for accession in ("T2", "T3"):
        f.collected(world, accession)
    world.get_one(Box, "BX-C").consignment_number = None
    world.add(Box(code="BX-D", temp_class="cold_2_8", capacity=50, home_code=f.TOWN, location_code=f.TOWN))
    world.commit()
    number = done(world, "nurse", act("pack", {"specimen": "T3", "box": "BX-D"}))["consignment"]
    done(world, "nurse", act("seal", {"consignment": number}, {"seal": "S9"}))
    for accession, hours in (("T1", 5), ("T2", None), ("T3", 0.5)):
        f.find(world, accession).use_by_at = f.START + hours * HOUR if hours else None
    world.commit()
    scope = network.scope_of_user(world, f.user(world, "receiver"))
    found = waiting.rows(world, scope, now=f.START + HOUR)
    assert [(row.specimen.accession, row.kind, row.tone) for row in found] == [
        ("T3", "not_fetched", "danger"), ("T1", "not_packed", "ok"), ("T2", "not_packed", "neutral"),
    ]  # fmt: skip
    assert found[0].left == -0.5 * HOUR
    assert found[1].age == HOUR
    (town,) = waiting.by_site(world, scope, now=f.START + HOUR)
    assert (town.site, town.counts["not_fetched"], town.counts["not_packed"]) == (f.TOWN, 1, 2)
    assert (town.oldest, town.pressing, town.next_use_by) == (HOUR, 1, f.START + 0.5 * HOUR)
    assert [row.specimen.accession for row in waiting.rows(world, scope, now=f.START + HOUR, limit=1)] == ["T3"]
    other = network.scope_of_user(world, f.user(world, "receiver2"))
    assert waiting.rows(world, other, now=f.START + HOUR) == []
    assert waiting.rows(world, scope, now=f.START + HOUR, site=f.OTHER_TOWN) == []


def test_unsent_tubes_are_one_alert_a_site_and_day(world: Session) -> None:
    """Told once after the setting, critical when one is about to expire, over when all have left; silent at night."""
    number = f.sealed(world, ("T1", "T2"))
    limit = 6 * HOUR
    assert unsent.sweep(world, longer_than=limit, now=f.START + 5 * HOUR) == []
    for minutes in (1, 2):
        assert unsent.sweep(world, longer_than=limit, now=f.START + limit + timedelta(minutes=minutes)) == [f.TOWN]
    (one,) = alerts(world, "unsent")
    assert (one.severity, one.site_code, one.origin_code, one.params["tubes"]) == ("warning", f.COUNTY, f.TOWN, 2)
    assert len(one.notes) == 1
    f.find(world, "T1").use_by_at = f.START + 7 * HOUR
    world.commit()
    unsent.sweep(world, longer_than=limit, now=f.START + 6.5 * HOUR)
    assert alerts(world, "unsent")[0].severity == "critical"
    pickup = {"other": "nurse", "pin": f.PIN, "count": 2}
    done(world, "courier", act("hand_over", {"consignment": number}, pickup, site=f.TOWN, at=f.START + 7 * HOUR))
    assert unsent.sweep(world, longer_than=limit, now=f.START + 7 * HOUR) == []
    assert alerts(world, "unsent")[0].state == "ended"


def test_nothing_is_raised_while_the_site_is_closed(world: Session) -> None:
    """At midnight nobody could send; the next morning is a day of its own."""
    f.collected(world, "T1")
    assert unsent.sweep(world, longer_than=6 * HOUR, now=f.START + 16 * HOUR) == [f.TOWN]
    assert alerts(world, "unsent") == []
    unsent.sweep(world, longer_than=6 * HOUR, now=f.START + 24 * HOUR)
    assert [one.incident_key for one in alerts(world, "unsent")] == [f"unsent:{f.TOWN}:2026-03-10"]
