"""Planning a day: from rows to a problem, through a job, to stops that couriers drive; replacing and inserting."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics import tasks
from logistics.clock import FixedClock, wall_now
from logistics.db import db
from logistics.domain.access import Scope
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Alert, Counter, Courier, Job, Pickup, Plan, Site, Stop
from logistics.queries import dispatch
from logistics.services import (
    overdue,
    pickups,
    planning,
    planning_edit,
    planning_insert,
    planning_odds,
    planning_problem,
    planning_versions,
    timetable,
)
from routing import Site as Place
from routing.travel import GeodesicProvider, TravelMatrix
from tests import factories
from tests.factories import CITY, COUNTY, OTHER_COUNTY, START, TOWN

DAY = "2026-03-09"
COUNTY_SCOPE = Scope("dispatcher", COUNTY, frozenset({COUNTY, TOWN}))
ALL = Scope("dispatcher", CITY, everything=True)
ROADS = GeodesicProvider()
pytestmark = pytest.mark.both_databases


@pytest.fixture
def world(session: Session) -> Session:
    """The small world with two more townships of COUNTY, some minutes of road apart."""
    factories.world(session)
    for number, (lat, lon) in enumerate(((29.70, 113.80), (29.78, 113.86)), start=1):
        session.add(
            Site(code=f"T{number}", name_zh=f"{number}镇卫生院", tier="township", parent_code=COUNTY, lat=lat, lon=lon)
        )
    session.commit()
    return session


def planned(session: Session, scope_code: str = COUNTY, *, scope: Scope = ALL, seconds: float = 1) -> Plan:
    """Order a plan and work it out as a worker would."""
    row, job = planning.order(
        session, day=DAY, scope_code=scope_code, seconds=seconds, scope=scope, by="dispatcher", now=START,
        wall=wall_now(),
    )  # fmt: skip
    plan_id, job_id = row.id, job.id
    session.commit()
    tasks.run_job.run(job_id)
    session.expire_all()
    job = session.get_one(Job, job_id)
    assert (job.state, job.error) == ("done", "")
    return session.get_one(Plan, plan_id)


def publish(session: Session, plan: Plan, *, now: object = START) -> None:
    planning.publish(session, plan, by="dispatcher", now=now)  # type: ignore[arg-type]
    session.commit()


def stops(session: Session, plan: Plan) -> list[Stop]:
    query = select(Stop).where(Stop.plan_id == plan.id).order_by(Stop.courier, Stop.position)
    return list(session.scalars(query))


def test_the_round_is_made_and_planned_through_a_job(world: Session) -> None:
    """Townships without a request get their fixed round; the job plans all of them and reports what it did."""
    plan = planned(world)
    made = world.scalars(select(Pickup).where(Pickup.day == DAY)).all()
    assert {pickup.site_code for pickup in made} == {TOWN, "T1", "T2"}
    assert {pickup.kind for pickup in made} == {"round"}
    assert (plan.state, plan.unserved_count) == ("ready", 0)
    assert plan.distance_m
    assert world.scalar(select(func.count()).select_from(Stop)) == 0, "a draft is nobody's stop"
    job = world.get_one(Job, plan.job_id)
    assert job.result["served"] == 3
    assert world.get(Counter, "board") is not None


def test_publishing_gives_couriers_stops_with_windows_and_loads(world: Session) -> None:
    """Every pickup has a stop within its window, every load is handed over at the laboratory before its cut-off."""
    plan = planned(world)
    publish(world, plan)
    rows = stops(world, plan)
    assert {row.courier for row in rows} == {"courier"}
    assert [row.position for row in rows] == list(range(1, len(rows) + 1))
    assert sorted(one for row in rows for one in row.pickup_ids) == sorted(
        one for row in rows for one in row.delivery_ids
    )
    for row in rows:
        assert row.arrive_at <= row.depart_at
        assert row.window_to_at is not None
        assert row.arrive_at <= row.window_to_at
    assert set(world.scalars(select(Pickup.state))) == {"planned"}
    assert (plan.state, plan.published_by) == ("published", "dispatcher")


def test_a_new_plan_replaces_what_is_open_and_leaves_what_was_driven(world: Session) -> None:
    """Done stops stay with the old plan, its open ones go; a courier standing at a stop goes over with it."""
    first = planned(world)
    publish(world, first)
    rows = stops(world, first)
    rows[0].state, rows[0].actual_arrive_at = "done", START
    fetched = world.get_one(Pickup, rows[0].pickup_ids[0])
    fetched.state = "done"
    world.commit()
    second = planned(world)
    publish(world, second)
    world.refresh(first)
    assert first.state == "superseded"
    assert [row.state for row in stops(world, first)] == ["done"]
    assert fetched.id not in [one for row in stops(world, second) for one in row.pickup_ids]
    assert planning.published(world, DAY, COUNTY) is second


def test_publishing_twice_or_too_early_is_refused(world: Session) -> None:
    """Only a plan that is ready can be published, and only once."""
    plan = planned(world)
    publish(world, plan)
    with pytest.raises(Conflict, match="plan_not_ready"):
        planning.publish(world, plan, by="dispatcher", now=START)


def test_a_county_dispatcher_cannot_plan_another_county(world: Session) -> None:
    """The scope of the user bounds what can be planned and seen."""
    for code in (OTHER_COUNTY, CITY):
        with pytest.raises(NotFound):
            planning.order(
                world, day=DAY, scope_code=code, seconds=1, scope=COUNTY_SCOPE, by="x", now=START, wall=START
            )
    plan = planned(world, OTHER_COUNTY)
    with pytest.raises(NotFound):
        planning.visible(world, plan.id, COUNTY_SCOPE)


@pytest.mark.parametrize(
    ("day", "scope", "seconds", "code"),
    [
        ("tomorrow", COUNTY, 5, "plan_day_unreadable"),
        ("2026-03-08", COUNTY, 5, "plan_day_past"),
        (DAY, COUNTY, 0, "plan_seconds_out_of_range"),
        (DAY, TOWN, 5, "plan_scope_not_a_centre"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(
    world: Session, day: str, scope: str, seconds: float, code: str
) -> None:
    """Each wrong field is named by a code."""
    with pytest.raises(Invalid, match=code):
        planning.order(world, day=day, scope_code=scope, seconds=seconds, scope=ALL, by="x", now=START, wall=START)


def test_the_city_plans_trunk_runs_and_leaves_what_a_county_has_published(world: Session) -> None:
    """City scope: county centres send to the city; couriers and pickups of a published county plan stay there."""
    county = planned(world)
    publish(world, county)
    city = planned(world, CITY)
    assert {n["code"]: n["params"] for n in city.result["notices"]}["other_plans"] == {"pickups": 3, "couriers": 1}
    trunks = world.scalars(select(Pickup).where(Pickup.kind == "trunk")).all()
    assert {(pickup.site_code, pickup.destination_code) for pickup in trunks} == {(COUNTY, CITY), (OTHER_COUNTY, CITY)}
    publish(world, city)
    assert {row.courier for row in stops(world, city)} == {"courier2"}
    assert planning.published(world, DAY, COUNTY) is county


def test_a_plan_made_during_the_day_uses_only_what_is_left_of_it(world: Session, app_clock: FixedClock) -> None:
    """Nothing is planned before now; rounds whose window has passed are not made."""
    app_clock.set(START + timedelta(hours=1))
    plan = planned(world)
    clock = planning_problem.DayClock(DAY)
    for route in plan.result["routes"]:
        assert clock.at(route["start_s"]) >= app_clock.now()
    inside = list(planning_problem.scope_sites(world, COUNTY).values())
    assert timetable.ensure(world, inside, day="2026-03-10", by="x", now=START + timedelta(days=2)) == []


def test_use_by_makes_the_due_time(world: Session) -> None:
    """A sealed box is due at its first tube's use-by."""
    factories.sealed(world)
    pickup = pickups.ready(world, TOWN, at=START, by="nurse")
    world.flush()
    factories.find(world, "2611220047").use_by_at = START + timedelta(hours=3)
    world.commit()
    draft = planning_problem.draft(world, day=DAY, scope_code=COUNTY, now=START)
    request = next(r for r in draft.problem.requests if r.id == f"P{pickup.id}")
    assert request.due_s == planning_problem.DayClock(DAY).s(START + timedelta(hours=3))


def test_what_is_aboard_is_only_delivered_and_by_who_carries_it(world: Session) -> None:
    """A box in the courier's hands is in the problem as his delivery, from where he is."""
    number = factories.fetched(world)
    plan_id = _empty_plan(world)
    world.add(
        Stop(
            plan_id=plan_id,
            courier="courier",
            position=1,
            site_code=TOWN,
            kind="pickup",
            arrive_at=START,
            depart_at=START,
            state="done",
            actual_arrive_at=START,
        )
    )
    world.commit()
    draft = planning_problem.draft(world, day=DAY, scope_code=COUNTY, now=START)
    aboard = next(r for r in draft.problem.requests if r.id == f"A{number}")
    assert (aboard.pickup_site, aboard.delivery_site) == ("@courier", COUNTY)
    person = next(p for p in draft.problem.couriers if p.id == "courier")
    assert person.start_site == "@courier"
    assert aboard.skills <= person.skills


def _empty_plan(session: Session) -> int:
    plan = Plan(day=DAY, scope_code=COUNTY, state="superseded", created_at=START, created_by="x")
    session.add(plan)
    session.flush()
    return plan.id


def test_a_pickup_nobody_can_reach_in_time_is_listed_with_its_reason(world: Session) -> None:
    """Unserved carries code, params, the nearest courier and a remedy."""
    far = world.get_one(Site, TOWN)
    pickup = pickups._new(world, far, at=START, by="x", kind="ready", destination=COUNTY)
    pickup.slots_cold, pickup.due_at = 1, START + timedelta(minutes=5)
    world.commit()
    plan = planned(world)
    assert plan.unserved_count == 1
    left = plan.result["unserved"][0]
    assert left["request_id"] == f"P{pickup.id}"
    assert left["code"] == "due_before_arrival"
    assert left["params"]["courier_id"] == "courier"
    assert left["remedies"]
    publish(world, plan)
    world.refresh(pickup)
    assert pickup.state == "open"


def test_without_couriers_the_job_fails_in_words(world: Session) -> None:
    """Nobody on shift: the plan is failed with the code, not left 'being planned' for ever."""
    for courier in world.scalars(select(Courier)):
        courier.active = False
    row, job = planning.order(
        world, day=DAY, scope_code=COUNTY, seconds=1, scope=ALL, by="x", now=START, wall=wall_now()
    )
    world.commit()
    tasks.run_job.run(job.id)
    world.expire_all()
    assert (world.get_one(Plan, row.id).state, world.get_one(Plan, row.id).notice) == ("failed", "no_couriers")
    assert world.get_one(Job, job.id).error == "no_couriers"


def test_an_urgent_call_is_offered_with_its_price_and_published_on_acceptance(world: Session) -> None:
    """The offer names courier, minutes and km within a second; accepting makes a new published version."""
    plan = planned(world)
    publish(world, plan)
    call = pickups.urgent(world, "T1", at=START, by="nurse", note="", within=timedelta(minutes=90))
    world.commit()
    began = time.monotonic()
    offers = planning_insert.offers(world, plan, call.id, travel=ROADS, now=START)
    assert time.monotonic() - began < 1
    best = offers[0]
    assert best.courier == "courier"
    assert best.pickup_at <= call.latest_at
    assert best.extra_s >= 0
    fresh = planning_insert.accept(world, plan, call.id, courier=best.courier, travel=ROADS, by="dispatcher", now=START)
    world.commit()
    assert planning.published(world, DAY, COUNTY) is fresh
    assert plan.state == "superseded"
    rows = stops(world, fresh)
    assert call.id in [one for row in rows for one in row.pickup_ids]
    assert len({one for row in rows for one in row.pickup_ids}) == 4
    assert world.get_one(Pickup, call.id).state == "planned"


def test_an_offer_is_worked_out_with_the_roads_of_the_installation(world: Session) -> None:
    """On roads that are twice as slow, taking the call takes about twice as long."""

    class Slow:
        name = "slow"

        def matrix(self, sites: Sequence[Place]) -> TravelMatrix:
            found = ROADS.matrix(sites)
            return replace(found, travel_s=found.travel_s * 2)

    plan = planned(world)
    publish(world, plan)
    call = pickups.urgent(world, "T1", at=START, by="nurse", note="", within=timedelta(minutes=180))
    world.commit()
    fast = planning_insert.offers(world, plan, call.id, travel=ROADS, now=START)
    slow = planning_insert.offers(world, plan, call.id, travel=Slow(), now=START)
    ride = [found[0].delivery_at - found[0].pickup_at for found in (fast, slow)]
    assert ride[1] > ride[0] * 1.5


def test_taking_a_call_leaves_the_other_couriers_alone(world: Session) -> None:
    """Only the chosen courier's stops change; the others keep theirs with times and what they have seen."""
    plan = planned(world, CITY)
    publish(world, plan)
    for row in stops(world, plan):
        row.seen_at = START
    before = {(row.id, row.arrive_at) for row in stops(world, plan) if row.courier == "courier2"}
    call = pickups.urgent(world, "T1", at=START, by="nurse", note="", within=timedelta(minutes=90))
    world.commit()
    fresh = planning_insert.accept(world, plan, call.id, courier="courier", travel=ROADS, by="dispatcher", now=START)
    world.commit()
    rows = stops(world, fresh)
    assert {(row.id, row.arrive_at) for row in rows if row.courier == "courier2"} == before
    assert {row.seen_at for row in rows if row.courier == "courier2"} == {START}
    assert {row.seen_at for row in rows if row.courier == "courier"} == {None}
    assert [route["courier_id"] for route in fresh.result["routes"]] == [
        route["courier_id"] for route in plan.result["routes"]
    ]
    assert stops(world, plan) == []


def test_an_overdue_consignment_is_raised_once_and_ends_when_it_arrives(world: Session) -> None:
    """Past its expected time plus grace: one alert; more than an hour: critical; arrived: ended."""
    number = factories.fetched(world)
    expected = START + timedelta(hours=2)
    assert overdue.sweep(world, now=expected) == []
    assert overdue.sweep(world, now=expected + timedelta(minutes=20)) == [number]
    overdue.sweep(world, now=expected + timedelta(minutes=25))
    world.commit()
    alert = world.scalars(select(Alert).where(Alert.kind == "overdue")).one()
    assert (alert.severity, alert.site_code, alert.consignment_number) == ("warning", COUNTY, number)
    overdue.sweep(world, now=expected + timedelta(minutes=61))
    assert alert.severity == "critical"
    factories.done(world, "courier", factories.act("arrive", {}, site=COUNTY, at=expected + timedelta(minutes=70)))
    overdue.sweep(world, now=expected + timedelta(minutes=71))
    assert alert.state == "ended"


def test_the_sweep_sends_what_a_dead_worker_left(world: Session, app: Flask) -> None:
    """A job whose worker died is worked out by the next one that the sweep wakes."""
    row, job = planning.order(
        world, day=DAY, scope_code=COUNTY, seconds=1, scope=ALL, by="x", now=START, wall=wall_now()
    )
    job.state, job.attempts, job.lease_until = "running", 1, wall_now() - timedelta(seconds=1)
    plan_id, job_id = row.id, job.id
    world.commit()
    sent: list[str] = []
    keep: Callable[[str], None] = tasks.send
    tasks.send = sent.append  # type: ignore[assignment]
    try:
        tasks.sweep.run()
    finally:
        tasks.send = keep  # type: ignore[assignment]
    assert sent == [job_id]
    tasks.run_job.run(job_id)
    with app.app_context():
        assert db.session.get_one(Plan, plan_id).state == "ready"


def test_an_urgent_call_is_taken_in_while_another_courier_is_hopelessly_late(
    world: Session, app_clock: FixedClock
) -> None:
    """Broken windows and a shift that will end late keep nobody from taking a call; the windows shown stay true."""
    plan = planned(world)
    publish(world, plan)
    app_clock.set(START + timedelta(hours=7, minutes=40))
    call = pickups.urgent(world, "T1", at=app_clock.now(), by="nurse", note="", within=timedelta(minutes=90))
    world.commit()
    fresh = planning_insert.accept(
        world, plan, call.id, courier="courier", travel=ROADS, by="dispatcher", now=app_clock.now()
    )
    world.commit()
    assert {row.window_to_at.date() for row in stops(world, fresh) if row.window_to_at} == {START.date()}


def test_a_plan_says_how_sure_it_is_and_how_good_it_could_be_at_best(world: Session) -> None:
    """The job drives the plan many times and bounds its cost; an edit drops the chances, which were of other routes."""
    plan = planned(world)
    found = dispatch.plan(world, plan, "en")
    stops = [stop for route in found["routes"] for stop in route["stops"]]
    assert all(0 <= stop["on_time_pct"] <= 100 for stop in stops)
    assert found["totals"]["likely_pct"] > 50
    assert plan.result["lower_bound"] <= plan.result["cost"]
    assert found["totals"]["within_pct"] >= 0
    name = stops[0]["picked"][0]["request"]
    planning_edit.leave_out(world, plan, [name], travel=ROADS, by="dispatcher", now=START)
    after = dispatch.plan(world, plan, "en")
    assert {stop["on_time_pct"] for route in after["routes"] for stop in route["stops"]} == {None}
    assert after["totals"]["within_pct"] is None
    planning_versions.undo(world, plan)
    assert dispatch.plan(world, plan, "en")["totals"]["likely_pct"] == found["totals"]["likely_pct"]


def test_chances_are_fitted_from_what_was_driven(world: Session) -> None:
    """Legs that took half again as long as planned make the next plan less sure than the same plan without records."""
    before = planning_odds.spread(world, day=DAY)
    plan_id = _empty_plan(world)
    for position in range(1, 40):
        at = START - timedelta(days=2) + timedelta(minutes=20 * position)
        late = at + timedelta(minutes=10 * position)  # each leg takes 25 minutes instead of 15
        world.add(
            Stop(
                plan_id=plan_id, courier="courier", position=position, site_code=TOWN, kind="pickup", arrive_at=at,
                depart_at=at + timedelta(minutes=5), state="done", actual_arrive_at=late,
                actual_depart_at=late + timedelta(minutes=5),
            )
        )  # fmt: skip
    world.commit()
    after = planning_odds.spread(world, day=DAY)
    assert (before.legs, after.legs) == (0, 38)
    assert after.travel_factor(0.5) > before.travel_factor(0.5) + 0.1
