"""Replanning: the past stays, what is aboard is only delivered, promises are named, an urgent call is offered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing import Kind, Plan, Problem, ProblemError
from routing.check import violations
from routing.instance import Instance
from routing.offer import offer, visits_of
from routing.replan import Position, diff, here, remaining, stitched
from routing.travel import travel_matrix
from routing.validate import validate
from tests.routing.cases import HOUR, MIN, B, courier, problem, request
from tests.routing.rich import greedy_routes, plan_of, rich_problem

H8 = 8 * HOUR
PICKED = {("R1", Kind.PICKUP)}


def _day() -> tuple[Problem, Plan]:
    """R1 at A at 08:00, R2 at B after it; both with C1, C2 at hand."""
    wishes = [request(ready_s=H8, latest_pickup_s=H8, max_ride_s=HOUR), request("R2", B)]
    case = problem(wishes, [courier(), courier("C2")])
    return case, plan_of(Instance(case, travel_matrix(case)), [(0, 1, ~0, ~1), ()])


def test_what_is_fetched_is_aboard_and_the_rest_is_promised() -> None:
    """At 08:05 on the way to B: R1 is aboard since 08:02, R2 promised with C1; C1 starts at B when there."""
    case, plan = _day()
    fresh = remaining(case, plan, H8 + 5 * MIN, {"C1": Position(H8 + 12 * MIN, B)}, PICKED, 40.0)
    validate(fresh)
    first, second = fresh.requests
    assert (first.aboard_of, first.aboard_since_s, first.max_ride_s) == ("C1", H8 + 2 * MIN, HOUR)
    promised = plan.routes[0].stops[1].services[0].start_s
    assert (second.promised_courier_id, second.promised_pickup_s, second.change_cost) == ("C1", promised, 40.0)
    assert (fresh.couriers[0].start_site, fresh.couriers[0].shift_start_s) == (B, H8 + 12 * MIN)
    assert fresh.couriers[0].cost_fixed == 0
    assert fresh.couriers[1].shift_start_s == H8 + 5 * MIN


def test_the_new_plan_stands_behind_the_past() -> None:
    """The rest is given to nobody else: stitched, every service is there once, and nothing has moved."""
    case, plan = _day()
    fresh = remaining(case, plan, H8 + 5 * MIN, {"C1": Position(H8 + 12 * MIN, B)}, PICKED)
    new = plan_of(Instance(fresh, travel_matrix(fresh)), [(1, ~0, ~1), ()])
    assert violations(fresh, new, travel_matrix(fresh)) == []
    whole = stitched(case, plan, new, H8 + 5 * MIN, PICKED)
    names = [(s.request_id, s.kind) for route in whole.routes for stop in route.stops for s in stop.services]
    assert sorted(names) == sorted((name, kind) for name in ("R1", "R2") for kind in Kind)
    assert whole.routes[0].stops[0] == plan.routes[0].stops[0]
    assert diff(plan, whole).moved == ()
    assert diff(plan, whole).cost == pytest.approx(0, abs=0.02), "nothing has changed, so nothing costs more or less"
    other = plan_of(Instance(fresh, travel_matrix(fresh)), [(~0,), (1, ~1)])
    assert other.changed == ("R2",)
    changes = diff(plan, stitched(case, plan, other, H8 + 5 * MIN, PICKED))
    assert [(item.request_id, item.courier_before, item.courier_after) for item in changes.moved][-1] == (
        "R2",
        "C1",
        "C2",
    )
    assert set(changes.couriers) == {"C1", "C2"}
    each = sum(after.cost - before.cost for before, after in changes.couriers.values())
    assert changes.cost == pytest.approx(each, abs=0.02)
    assert changes.cost > 40, "the promise, a second courier and his way"
    assert (changes.lost, changes.won) == ((), ())


def test_a_point_on_the_road_is_a_place_of_its_own() -> None:
    """Without a table the courier starts at the point; with a table nobody knows the way from it."""
    case, plan = _day()
    points = {"C1": Position(H8 + 6 * MIN, lat=29.85, lon=114.25)}
    fresh = remaining(replace(case, travel=None), plan, H8 + 5 * MIN, points, PICKED)
    validate(fresh)
    assert fresh.couriers[0].start_site == here("C1")
    with pytest.raises(ProblemError) as caught:
        remaining(case, plan, H8 + 5 * MIN, points, PICKED)
    assert caught.value.code == "matrix_missing_site"
    with pytest.raises(ProblemError):
        remaining(case, plan, H8, {"C1": Position(H8, "nowhere")}, PICKED)


def test_an_urgent_call_is_offered_with_what_it_costs_the_others() -> None:
    """The call from B fits with both; each offer is a route that the check accepts."""
    case = problem([request()], [courier(), courier("C2")])
    travel = travel_matrix(case)
    plan = plan_of(Instance(case, travel), [(0, ~0), ()])
    call = request("U", B, latest_pickup_s=9 * HOUR)
    offers = offer(case, plan, call, travel)
    assert [one.courier_id for one in offers] == ["C1", "C2"]
    assert offers[0].extra_m == 33_000 - 20_000
    assert offers[1].extra_m == 30_000
    assert all(delay.request_id == "R1" for delay in offers[0].delays)
    late = replace(call, due_s=call.ready_s)
    assert offer(case, plan, late, travel) == []


@pytest.mark.parametrize("seed", range(12))
def test_replanned_problems_are_sound(seed: int) -> None:
    """Half of the services done, all rules in play: what remains is a problem whose plans pass the check."""
    case = rich_problem(seed)
    travel = travel_matrix(case)
    instance = Instance(case, travel)
    plan = plan_of(instance, greedy_routes(instance, seed))
    now_s = 11 * HOUR
    done = set()
    positions = {}
    for route in plan.routes:
        over = [stop for stop in route.stops if stop.depart_s <= now_s]
        done |= {(service.request_id, service.kind) for stop in over for service in stop.services}
        if over:
            positions[route.courier_id] = Position(now_s, over[-1].site_id)
    fresh = remaining(case, plan, now_s, positions, done)
    validate(fresh)
    again = Instance(fresh, travel_matrix(fresh))
    new = plan_of(again, greedy_routes(again, seed))
    assert violations(fresh, new, travel_matrix(fresh)) == []
    whole = stitched(case, plan, new, now_s, done)
    assert len(visits_of(case, whole)) == len(whole.routes)
