"""A draft changed by hand: moves with their exact effect, pins, locks, undo, remedies, and improving it with these."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import tasks
from logistics.clock import wall_now
from logistics.db import db
from logistics.domain.access import Scope
from logistics.errors import Conflict
from logistics.models import Courier, Job, Pickup, Plan, PlanVersion, Site, User, Vehicle
from logistics.services import (
    pickups,
    planning,
    planning_edit,
    planning_improve,
    planning_remedy,
    planning_versions,
    roads,
)
from routing import Plan as Found
from routing import Problem, from_builtins
from routing.check import violations as check
from routing.travel import travel_matrix
from tests import factories
from tests.factories import CITY, COUNTY, START, TOWN

DAY = "2026-03-09"
ALL = Scope("dispatcher", CITY, everything=True)
TRAVEL = roads.Roads().estimate
pytestmark = pytest.mark.both_databases


@pytest.fixture
def draft(session: Session) -> Plan:
    """A county with two couriers and four townships, planned but not published."""
    factories.world(session)
    for number, (lat, lon) in enumerate(((29.70, 113.80), (29.78, 113.86), (29.74, 113.95)), start=1):
        session.add(
            Site(code=f"T{number}", name_zh=f"{number}镇", tier="township", parent_code=COUNTY, lat=lat, lon=lon)
        )
    session.add(User(username="second", role="courier", site_code=COUNTY, name_zh="二号"))
    session.add(Vehicle(code="VAN-second", site_code=COUNTY))
    session.flush()
    session.add(Courier(username="second", vehicle_code="VAN-second", start_site_code=COUNTY, end_site_code=COUNTY))
    session.commit()
    row, job = planning.order(
        session, day=DAY, scope_code=COUNTY, seconds=1, scope=ALL, by="dispatcher", now=START, wall=wall_now()
    )
    return worked(session, row, job)


def worked(session: Session, row: Plan, job: Job) -> Plan:
    plan_id, job_id = row.id, job.id
    session.commit()
    tasks.run_job.run(job_id)
    session.expire_all()
    assert session.get_one(Job, job_id).error == ""
    return session.get_one(Plan, plan_id)


def holder(plan: Plan, request: str) -> str | None:
    for route in plan.result["routes"]:
        if any(s["request_id"] == request for stop in route["stops"] for s in stop["services"]):
            return str(route["courier_id"])
    return None


def request_at(plan: Plan, site: str) -> str:
    return next(str(one["id"]) for one in plan.problem["requests"] if one["pickup_site"] == site)


def plain(plan: Plan) -> Any:
    """The result as it comes out of a JSON column."""
    return json.loads(json.dumps(plan.result))


def other(username: str | None) -> str:
    return "second" if username == "courier" else "courier"


def move(session: Session, plan: Plan, request: str, courier: str, before: int | None = None) -> planning_edit.Effect:
    return planning_edit.move(
        session, plan, [request], courier=courier, before=before, deliveries=False, travel=TRAVEL, by="dispatcher",
        now=START,
    )  # fmt: skip


def assert_true(plan: Plan) -> None:
    """The checker, which shares no code with moves, finds nothing wrong, and the totals are sums of the routes."""
    problem = from_builtins(plan.problem, Problem)
    faults = check(problem, from_builtins(plan.result, Found), travel_matrix(problem, TRAVEL))
    assert not faults, faults
    routes = plan.result["routes"]
    assert plan.distance_m == sum(one["distance_m"] for one in routes)
    assert plan.duration_s == sum(one["end_s"] - one["start_s"] for one in routes)


def test_the_effect_that_is_shown_is_the_effect_that_it_has(session: Session, draft: Plan) -> None:
    """Every place that fits with every courier: distance, time and cost differ by exactly what was said."""
    request = request_at(draft, "T3")
    for option in planning_edit.effects(draft, [request], TRAVEL):
        for place in option.places:
            if not place.fits:
                with pytest.raises(planning_edit.MoveRefused) as refused:
                    move(session, draft, request, option.courier, place.before)
                assert refused.value.broken == place.broken
                continue
            before = (draft.distance_m, draft.duration_s, draft.result["cost"])
            made = move(session, draft, request, option.courier, place.before)
            assert_true(draft)
            after = (draft.distance_m, draft.duration_s, draft.result["cost"])
            assert (made.extra_m, made.work_s, made.cost) == (place.extra_m, place.work_s, place.cost)
            assert after[0] - before[0] == place.extra_m
            assert after[1] - before[1] == place.work_s
            assert after[2] - before[2] == pytest.approx(place.cost, abs=0.011)
            assert holder(draft, request) == option.courier
            if not made.same:
                planning_versions.undo(session, draft)


def test_the_best_place_is_the_cheapest_of_all(session: Session, draft: Plan) -> None:
    """'Best place' is what trying every place finds."""
    for option in planning_edit.effects(draft, [request_at(draft, TOWN)], TRAVEL):
        assert option.best.cost == min(place.cost for place in option.places if place.fits)


def test_undo_and_redo_go_through_every_edit(session: Session, draft: Plan) -> None:
    """The result of each version comes back exactly; an edit after an undo drops what was undone."""
    request = request_at(draft, "T1")
    first = plain(draft)
    move(session, draft, request, other(holder(draft, request)))
    second = plain(draft)
    planning_edit.lock(session, draft, "second", on=True, by="dispatcher", now=START)
    session.commit()
    planning_versions.undo(session, draft)
    assert not draft.marks.get("locks")
    planning_versions.undo(session, draft)
    assert plain(draft) == first
    with pytest.raises(Conflict, match="nothing_to_undo"):
        planning_versions.undo(session, draft)
    planning_versions.redo(session, draft)
    assert plain(draft) == second
    planning_versions.redo(session, draft)
    assert draft.marks["locks"] == ["second"]
    planning_versions.undo(session, draft)
    planning_edit.pin(session, draft, [request], on=True, travel=TRAVEL, by="dispatcher", now=START)
    with pytest.raises(Conflict, match="nothing_to_redo"):
        planning_versions.redo(session, draft)
    assert [one.action for one in session.scalars(select(PlanVersion).order_by(PlanVersion.number))] == [
        "made", "move", "pin",
    ]  # fmt: skip


def test_an_edit_of_what_somebody_else_changed_is_refused(session: Session, draft: Plan) -> None:
    """The second dispatcher must look again; a revision never comes back, also not by undo."""
    seen = draft.revision
    planning_versions.expect(draft, seen)
    planning_edit.lock(session, draft, "courier", on=True, by="a", now=START)
    planning_versions.undo(session, draft)
    with pytest.raises(Conflict, match="plan_changed_meanwhile"):
        planning_versions.expect(draft, seen)


def test_pins_and_locks_bind_the_hand(session: Session, draft: Plan) -> None:
    """A pinned request does not change its courier, a locked route takes and gives nothing."""
    request = request_at(draft, "T2")
    owner = holder(draft, request)
    assert owner is not None
    planning_edit.pin(session, draft, [request], on=True, travel=TRAVEL, by="dispatcher", now=START)
    with pytest.raises(planning_edit.MoveRefused) as refused:
        move(session, draft, request, other(owner))
    assert [one.code for one in refused.value.broken] == ["pinned"]
    planning_edit.pin(session, draft, [request], on=False, travel=TRAVEL, by="dispatcher", now=START)
    planning_edit.lock(session, draft, owner, on=True, by="dispatcher", now=START)
    for courier in (owner, other(owner)):
        with pytest.raises(planning_edit.MoveRefused) as refused:
            move(session, draft, request, courier, 0)
        assert [one.code for one in refused.value.broken] == ["locked"]


def test_what_is_left_out_by_hand_can_be_given_again(session: Session, draft: Plan) -> None:
    """It stands among what is left out, with who could take it, and goes back into a route."""
    request = request_at(draft, "T1")
    planning_edit.leave_out(session, draft, [request], travel=TRAVEL, by="dispatcher", now=START)
    assert_true(draft)
    assert [(one["request_id"], one["code"]) for one in draft.result["unserved"]] == [(request, "set_aside")]
    assert draft.unserved_count == 1
    move(session, draft, request, "second")
    assert (holder(draft, request), draft.result["unserved"]) == ("second", [])
    assert_true(draft)


def test_a_place_that_breaks_a_rule_says_which_and_by_how_much(session: Session, draft: Plan) -> None:
    """A township whose window has nearly closed: what comes first there makes it late, and the move is refused."""
    pickup = session.scalars(select(Pickup).where(Pickup.site_code == "T3")).one()
    problem = dict(draft.problem)
    problem["requests"] = [
        {**one, "latest_pickup_s": one["ready_s"] + 60} if one["id"] == f"P{pickup.id}" else one
        for one in problem["requests"]
    ]
    draft.problem = problem
    desk = planning_edit.Desk(draft, TRAVEL)
    owner = holder(draft, f"P{pickup.id}")
    assert owner is not None
    effects = planning_edit.effects(draft, [f"P{pickup.id}"], TRAVEL)
    refused = [place for option in effects for place in option.places if not place.fits]
    assert refused
    for place in refused:
        assert {one.code for one in place.broken} & {"late_pickup", "late_delivery", "ride", "limits_together"}
    assert desk.row is draft


def test_improving_keeps_pins_and_locks_and_is_never_worse(session: Session, draft: Plan) -> None:
    """A detour is made and locked or pinned; the search works around it, and taking the answer over can be undone."""
    request = request_at(draft, "T1")
    move(session, draft, request, "second")
    planning_edit.pin(session, draft, [request], on=True, travel=TRAVEL, by="dispatcher", now=START)
    row, job = planning_improve.order(session, draft, seconds=1, by="dispatcher", now=START, wall=wall_now())
    wish = next(one for one in planning_improve.start(row).problem.requests if one.id == request)
    assert (wish.courier_ids, {skill for skill in wish.skills if "pin" in skill}) == ({"second"}, set())
    better = worked(session, row, job)
    draft = session.get_one(Plan, draft.id)
    assert holder(better, request) == "second"
    assert better.result["cost"] <= draft.result["cost"] + 0.01
    assert_true(better)
    before = plain(draft)
    planning_edit.take_over(session, draft, better, by="dispatcher", now=START)
    assert draft.result["cost"] == better.result["cost"]
    planning_versions.undo(session, draft)
    assert plain(draft) == before
    planning_edit.lock(session, draft, "second", on=True, by="dispatcher", now=START)
    locked = next(route for route in draft.result["routes"] if route["courier_id"] == "second")
    row, job = planning_improve.order(session, draft, seconds=1, by="dispatcher", now=START, wall=wall_now())
    again = worked(session, row, job)
    assert next(route for route in again.result["routes"] if route["courier_id"] == "second") == locked
    assert_true(again)


def test_a_remedy_is_applied_with_one_click(session: Session, draft: Plan) -> None:
    """A pickup that nobody reaches in time fits once its window is longer; the problem of the draft says so."""
    site = session.get_one(Site, TOWN)
    late = pickups._new(session, site, at=START, by="x", kind="round", destination=COUNTY)
    late.slots_cold, late.latest_at = 1, START + timedelta(minutes=5)
    session.flush()
    row, job = planning.order(
        session, day=DAY, scope_code=COUNTY, seconds=1, scope=ALL, by="dispatcher", now=START, wall=wall_now()
    )
    plan = worked(session, row, job)
    left = next(one for one in plan.result["unserved"] if one["request_id"] == f"P{late.id}")
    codes = [one["code"] for one in left["remedies"]]
    earlier = codes.index("advance_shift_start")
    with pytest.raises(Conflict, match="remedy_gone"):  # the shift would have to begin before now
        planning_remedy.apply(session, plan, f"P{late.id}", earlier, travel=TRAVEL, by="dispatcher", now=START)
    clickable = {
        (one["code"], planning_remedy.may_apply(one["code"], one["params"], day=plan.day, now=START))
        for one in left["remedies"]
    }
    assert ("advance_shift_start", False) in clickable, "no button for what is past"
    assert ("extend_pickup_window", True) in clickable
    number = codes.index("extend_pickup_window")
    planning_remedy.apply(session, plan, f"P{late.id}", number, travel=TRAVEL, by="dispatcher", now=START)
    assert holder(plan, f"P{late.id}") is not None
    assert plan.unserved_count == 0
    assert_true(plan)
    planning_versions.undo(session, plan)
    assert plan.unserved_count == 1
    wish = next(one for one in plan.problem["requests"] if one["id"] == f"P{late.id}")
    assert wish["latest_pickup_s"] == 9 * 3600 + 300
    db.session.remove()
