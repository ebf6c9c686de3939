"""Plans over two tiers: boxes with tubes for the city are due by the trunk, whose departure is chosen with the plan."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import tasks
from logistics.clock import wall_now
from logistics.domain.access import Scope
from logistics.models import Courier, Pickup, Plan, Site, User
from logistics.queries import dispatch
from logistics.services import pickups, planning, planning_tiers
from logistics.services.planning_problem import DayClock
from tests import factories
from tests.factories import CITY, COUNTY, OTHER_COUNTY, START, TOWN

DAY = "2026-03-09"
ALL = Scope("dispatcher", CITY, everything=True)
SORTING_S = int(planning_tiers.SORTING.total_seconds())


@pytest.fixture
def world(session: Session) -> Session:
    """The small world; the county's trunk may leave until 16:00, and a courier of the city drives it."""
    factories.world(session)
    for code in (COUNTY, OTHER_COUNTY):
        session.get_one(Site, code).pickup_to_min = 16 * 60
    user = session.scalars(select(User).where(User.username == "cityreceiver")).one()
    session.add(Courier(username=user.username, start_site_code=CITY, end_site_code=CITY, shift_to_min=19 * 60))
    session.commit()
    return session


def for_the_city(session: Session) -> Pickup:
    """A sealed box at TOWN with a tube that the city tests."""
    factories.sealed(session)
    pickup = pickups.ready(session, TOWN, at=START, by="nurse")
    factories.find(session, "2611220047").destination_code = CITY
    session.commit()
    return pickup


def planned(session: Session, scope_code: str) -> Plan:
    row, job = planning.order(
        session, day=DAY, scope_code=scope_code, seconds=1, scope=ALL, by="dispatcher", now=START, wall=wall_now()
    )
    plan_id, job_id = row.id, job.id
    session.commit()
    tasks.run_job.run(job_id)
    session.expire_all()
    plan = session.get_one(Plan, plan_id)
    assert plan.state == "ready"
    return plan


def request(plan: Plan, pickup: Pickup) -> dict[str, Any]:
    return next(one for one in plan.problem["requests"] if one["id"] == f"P{pickup.id}")


def shown(session: Session, plan: Plan, centre: str = COUNTY) -> dict[str, Any]:
    return next(one for one in dispatch.plan(session, plan, "en")["trunks"] if one["centre"] == centre)


def test_a_box_for_the_city_is_due_before_the_trunk_that_the_same_plan_sends(world: Session) -> None:
    """Sorting lies between the box's handover and the departure, which is within the hours of the trunk run."""
    pickup = for_the_city(world)
    plan = planned(world, CITY)
    assert plan.unserved_count == 0
    line = shown(world, plan)
    run = line["runs"][0]
    assert [box["request"] for box in run["boxes"]] == [f"P{pickup.id}"]
    departs = DayClock(DAY).s(datetime.fromisoformat(run["departs_at"]))
    assert 13.5 * 3600 <= departs <= 16 * 3600 + planning_tiers.WAIT_S
    assert request(plan, pickup)["due_s"] + SORTING_S <= departs
    assert line["missed"] == []
    assert run["boxes"][0]["delay_s"] == 24 * 3600, "what misses the only run waits for the next day's"


def test_what_no_trunk_can_take_is_brought_all_the_same_and_its_price_is_shown(world: Session) -> None:
    """Ready so late that no run waits for it: it is fetched, and the plan says when the city has it instead."""
    pickup = for_the_city(world)
    pickup.ready_at = START + timedelta(hours=6, minutes=50)  # 15:50
    pickup.latest_at = pickup.ready_at + timedelta(hours=1)
    for site in (COUNTY, CITY):
        world.get_one(Site, site).cutoff_min = 19 * 60
    factories.find(world, "2611220047").use_by_at = START + timedelta(hours=20)
    world.commit()
    planning_boxes(world, pickup)
    plan = planned(world, CITY)
    line = shown(world, plan)
    assert [box["request"] for box in line["missed"]] == [f"P{pickup.id}"]
    assert f"P{pickup.id}" not in [one["request_id"] for one in plan.result["unserved"]]
    assert line["missed"][0]["too_late"], "its use-by is before tomorrow's run"
    assert line["missed"][0]["delay_s"] == 24 * 3600


def planning_boxes(session: Session, pickup: Pickup) -> None:
    """The box was sealed when the pickup says it is ready."""
    for box in pickups.waiting(session, pickup.site_code):
        box.sealed_at = pickup.ready_at
    session.commit()


def test_a_county_plans_by_the_trunk_that_the_city_has_promised(world: Session) -> None:
    """Before the city plans, the fixed last departure counts; then the published stop at the county centre."""
    pickup = for_the_city(world)
    first = planned(world, COUNTY)
    assert request(first, pickup)["due_s"] == 16 * 3600 - SORTING_S - 60
    city = planned(world, CITY)
    for route in city.result["routes"]:  # the county's own couriers stay with the county
        if route["courier_id"] != "cityreceiver":
            route["stops"] = []
    planning.keep(city, city.result)
    planning.publish(world, city, by="dispatcher", now=START)
    pickup.state = "open"
    world.commit()
    departs = shown(world, city)["runs"][0]["departs_at"]
    second = planned(world, COUNTY)
    at_s = DayClock(DAY).s(datetime.fromisoformat(departs))
    assert request(second, pickup)["due_s"] == min(at_s - SORTING_S - 60, 16 * 3600 + 15 * 60)
    assert shown(world, second)["runs"][0]["departs_at"] == departs


def test_rounds_of_townships_that_lately_sent_tubes_for_the_city_are_due_by_the_trunk(world: Session) -> None:
    """A forecast round is taken for a feeder after a box with such a tube in the last weeks, not without."""
    plain = planned(world, CITY)
    assert plain.marks["tiers"]["onward"] == []
    factories.sealed(world)
    factories.find(world, "2611220047").destination_code = CITY
    for box in pickups.waiting(world, TOWN):
        box.sealed_at, box.state = START - timedelta(days=7), "closed"
    world.commit()
    again = planned(world, CITY)
    pickup = world.scalars(select(Pickup).where(Pickup.site_code == TOWN, Pickup.kind == "round")).one()
    assert [one["request_id"] for one in again.marks["tiers"]["onward"]] == [f"P{pickup.id}"]
