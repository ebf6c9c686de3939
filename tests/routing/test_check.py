"""The checker finds each broken rule when a good plan is spoilt in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from routing import Plan, Problem, Route, Stop
from routing.check import violations
from routing.travel import TravelMatrix
from tests.routing.cases import HOUR, courier, request

Spoil = Callable[[Problem, Plan], tuple[Problem, Plan]]


def _route(plan: Plan, **changes: object) -> Plan:
    return replace(plan, routes=(replace(plan.routes[0], **changes), *plan.routes[1:]))


def _stop(plan: Plan, number: int, **changes: object) -> Plan:
    stops = list(plan.routes[0].stops)
    stops[number] = replace(stops[number], **changes)
    return _route(plan, stops=tuple(stops))


def _requests(case: Problem, **changes: object) -> Problem:
    return replace(case, requests=tuple(replace(item, **changes) for item in case.requests))


def _couriers(case: Problem, **changes: object) -> Problem:
    return replace(case, couriers=tuple(replace(item, **changes) for item in case.couriers))


SPOILT: dict[str, Spoil] = {
    "not_exactly_once": lambda case, plan: (replace(case, requests=(*case.requests, request("R9"))), plan),
    "unknown_request": lambda case, plan: (replace(case, requests=case.requests[:1]), plan),
    "unknown_courier": lambda case, plan: (replace(case, couriers=(courier("other"),)), plan),
    "courier_twice": lambda case, plan: (case, replace(plan, routes=(plan.routes[0], plan.routes[0]))),
    "wrong_depot": lambda case, plan: (_couriers(case, start_site="A"), plan),
    "outside_shift": lambda case, plan: (_couriers(case, shift_end_s=8 * HOUR), plan),
    "duration_exceeded": lambda case, plan: (_couriers(case, max_duration_s=60), plan),
    "capacity_exceeded": lambda case, plan: (_couriers(case, capacity={"cold_2_8": 3}), plan),
    "skill_missing": lambda case, plan: (_requests(case, skills=frozenset({"x"})), plan),
    "pickup_outside_window": lambda case, plan: (_requests(case, ready_s=9 * HOUR), plan),
    "delivered_late": lambda case, plan: (_requests(case, due_s=8 * HOUR), plan),
    "ride_too_long": lambda case, plan: (_requests(case, max_ride_s=60), plan),
    "wrong_service": lambda case, plan: (_requests(case, pickup_service_s=1), plan),
    "wrong_site": lambda case, plan: (_requests(case, pickup_site="A", delivery_site="B"), plan),
    "arrives_before_possible": lambda case, plan: (case, _stop(plan, 1, arrive_s=0)),
    "starts_before_possible": lambda case, plan: (case, _stop(plan, 1, arrive_s=20 * HOUR)),
    "departs_before_done": lambda case, plan: (case, _stop(plan, 0, depart_s=0)),
    "wrong_stop_times": lambda case, plan: (case, _stop(plan, 0, start_s=0)),
    "wrong_load": lambda case, plan: (case, _stop(plan, 0, load_after={"cold_2_8": 9})),
    "wrong_leg": lambda case, plan: (case, _stop(plan, 0, travel_s=1)),
    "unknown_place": lambda case, plan: (case, _stop(plan, 0, site_id="nowhere")),
    "back_before_possible": lambda case, plan: (case, _route(plan, end_s=plan.routes[0].start_s)),
    "wrong_cost": lambda case, plan: (case, _route(plan, cost=1.0)),
    "wrong_total": lambda case, plan: (case, replace(plan, distance_m=1)),
    "laboratory_closed": lambda case, plan: (_closed(case), plan),
    "still_aboard": lambda case, plan: (case, _route(plan, stops=plan.routes[0].stops[:-1])),
    "delivered_before_pickup": lambda case, plan: (case, _route(plan, stops=plan.routes[0].stops[::-1])),
}


def _closed(case: Problem) -> Problem:
    from routing import Window

    laboratory = replace(case.sites[0], receiving_windows=(Window(0, 60),))
    return replace(case, sites=(laboratory, *case.sites[1:]))


def test_a_good_plan_breaks_nothing(tiny: Problem, tiny_plan: Plan, tiny_travel: TravelMatrix) -> None:
    """The tiny plan: one courier, both served, no violation."""
    assert tiny_plan.couriers_used == 1
    assert tiny_plan.unserved == ()
    assert violations(tiny, tiny_plan, tiny_travel) == []


@pytest.mark.parametrize("code", sorted(SPOILT))
def test_every_rule_is_checked(code: str, tiny: Problem, tiny_plan: Plan, tiny_travel: TravelMatrix) -> None:
    """Spoil one thing, find its code."""
    case, plan = SPOILT[code](tiny, tiny_plan)
    assert code in {violation.code for violation in violations(case, plan, tiny_travel)}


def test_the_tiny_plan_is_the_best_one(tiny_plan: Plan) -> None:
    """LAB → A and B in one tour: 33 km; picked, delivered, loads and legs as drawn."""
    route: Route = tiny_plan.routes[0]
    assert route.distance_m == 33_000
    assert route.drive_s == 2100
    assert {name for stop in route.stops for name in stop.picked} == {"R1", "R2"}
    last: Stop = route.stops[-1]
    assert set(last.delivered) == {"R1", "R2"}
    assert last.load_after == {"cold_2_8": 0}
    assert [stop.load_after["cold_2_8"] for stop in route.stops] == [2, 4, 0]
    assert tiny_plan.cost == pytest.approx(10 + 33 + 20 * tiny_plan.duration_s / 3600, abs=0.01)
