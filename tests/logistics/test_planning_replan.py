"""The rest of a day planned anew: promises hold where they can, who is out drives nothing, the price is told first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import tasks
from logistics.clock import FixedClock, wall_now
from logistics.domain.access import Scope
from logistics.errors import Conflict, Invalid
from logistics.models import Courier, Plan, Site, Stop, User, Vehicle
from logistics.services import planning, planning_replan
from tests import factories
from tests.factories import CITY, COUNTY, START

DAY = "2026-03-09"
ALL = Scope("dispatcher", CITY, everything=True)


@pytest.fixture
def driven(session: Session) -> Plan:
    """A published plan of a county with four townships and two couriers at hand."""
    factories.world(session)
    for number in range(3):
        session.add(
            Site(
                code=f"T{number}", name_zh=f"{number}镇", tier="township", parent_code=COUNTY, lat=29.70 + number / 25,
                lon=113.80 + number / 40,
            )
        )  # fmt: skip
    session.add(User(username="second", role="courier", site_code=COUNTY, name_zh="二号"))
    session.add(Vehicle(code="VAN-2", site_code=COUNTY))
    session.flush()
    session.add(Courier(username="second", vehicle_code="VAN-2", start_site_code=COUNTY, end_site_code=COUNTY))
    row, job = planning.order(
        session, day=DAY, scope_code=COUNTY, seconds=1, scope=ALL, by="dispatcher", now=START, wall=wall_now()
    )
    plan = worked(session, row.id, job.id)
    planning.publish(session, plan, by="dispatcher", now=START)
    session.commit()
    return plan


def worked(session: Session, plan_id: int, job_id: str) -> Plan:
    session.commit()
    tasks.run_job.run(job_id)
    session.expire_all()
    plan = session.get_one(Plan, plan_id)
    assert plan.state == "ready", plan.notice
    return plan


def replanned(session: Session, plan: Plan, *, now: object = START, out: tuple[str, ...] = ()) -> Plan:
    row, job = planning_replan.order(
        session,
        plan,
        out=out,
        seconds=1,
        job_kind=planning.JOB_KIND,
        by="dispatcher",
        now=now,
        wall=wall_now(),  # type: ignore[arg-type]
    )
    return worked(session, row.id, job.id)


def pickups_of(plan: Plan) -> dict[str, tuple[str, int]]:
    return {
        service["request_id"]: (route["courier_id"], service["start_s"])
        for route in plan.result["routes"]
        for stop in route["stops"]
        for service in stop["services"]
        if service["kind"] == "pickup"
    }


def test_nothing_has_happened_so_nothing_moves(session: Session, driven: Plan) -> None:
    """Replanned at once: courier and time of every promise stay, and it costs nothing more."""
    again = replanned(session, driven)
    before, after = pickups_of(driven), pickups_of(again)
    assert {name: who for name, (who, _) in after.items()} == {name: who for name, (who, _) in before.items()}
    assert all(abs(after[name][1] - at_s) <= 600 for name, (_, at_s) in before.items())
    found = planning_replan.difference(again)
    assert found is not None
    assert abs(found["cost"]) < 8
    assert driven.state == "published", "nothing moves before it is accepted"


def test_a_courier_whose_car_is_broken_is_taken_out(session: Session, driven: Plan) -> None:
    """His stops go to the other one at about the promised time; accepting leaves him none; the price is told."""
    (first,) = {who for who, _ in pickups_of(driven).values()}
    other = "second" if first == "courier" else "courier"
    again = replanned(session, driven, out=(first,))
    assert {who for who, _ in pickups_of(again).values()} == {other}
    assert set(pickups_of(again)) == set(pickups_of(driven))
    planning.publish(session, again, by="dispatcher", now=START)
    session.commit()
    assert set(session.scalars(select(Stop.courier).where(Stop.state == "planned"))) == {other}
    session.refresh(driven)
    assert driven.state == "superseded"


def test_a_late_courier_begins_where_he_is(session: Session, driven: Plan, app_clock: FixedClock) -> None:
    """Half an hour on, with the first stop done late: it is not planned again, and nothing begins before now."""
    now = START + timedelta(minutes=40)
    stop = session.scalars(select(Stop).where(Stop.plan_id == driven.id).order_by(Stop.position)).first()
    assert stop is not None
    stop.state, stop.actual_arrive_at, stop.actual_depart_at = "done", now, now
    factories_done = {f"P{one}" for one in stop.pickup_ids}
    for one in stop.pickup_ids:
        session.get_one(planning.Pickup, one).state = "done"
    session.commit()
    app_clock.set(now)
    again = replanned(session, driven, now=now)
    assert not factories_done & set(pickups_of(again))
    clock = planning.DayClock(DAY)
    assert all(clock.at(route["start_s"]) >= now for route in again.result["routes"])
    wishes = [one for one in again.problem["requests"] if one["id"] in pickups_of(driven)]
    assert {one["promised_courier_id"] for one in wishes} <= {who for who, _ in pickups_of(driven).values()}
    assert all(one["change_cost"] == planning_replan.CHANGE_COST for one in wishes)


def test_what_cannot_be_replanned_is_refused(session: Session, driven: Plan) -> None:
    """Another day, a stranger, nobody left: each with its code."""
    cases = [
        ((), START + timedelta(days=1), Conflict, "plan_not_driven_now"),
        (("stranger",), START, Invalid, "courier_not_in_plan"),
        (("courier", "second"), START, Invalid, "no_couriers"),
    ]
    for out, now, error, code in cases:
        with pytest.raises(error, match=code):
            planning_replan.order(
                session, driven, out=out, seconds=1, job_kind=planning.JOB_KIND, by="x", now=now, wall=wall_now()
            )
