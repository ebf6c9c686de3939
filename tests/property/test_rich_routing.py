"""Rules that hold with all constraints in play: what the reference drives, the independent check accepts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations_with_replacement

from hypothesis import given, settings
from hypothesis import strategies as st

from routing import Problem, SpeedBand, from_builtins, plan_from_json, problem_from_json, to_builtins, to_json
from routing.check import violations
from routing.driven import cost_of, driven, holds
from routing.instance import Instance, Visit
from routing.pace import Pace
from routing.schedule import Line, line_of, plan_times
from routing.solve import SolveParams, solve
from routing.travel import travel_matrix
from routing.validate import validate
from tests.routing.rich import greedy_routes, plan_of, rich_problem

SEEDS = st.integers(min_value=0, max_value=1_000_000)
MANY = settings(max_examples=100, deadline=None)


@MANY
@given(SEEDS)
def test_what_is_built_passes_the_check(seed: int) -> None:
    """Routes from the exact reference break no rule, whatever rules there are; JSON keeps them as they are."""
    case = rich_problem(seed)
    validate(case)
    travel = travel_matrix(case)
    instance = Instance(case, travel)
    plan = plan_of(instance, greedy_routes(instance, seed))
    assert violations(case, plan, travel) == []
    assert problem_from_json(to_json(case)) == case
    assert plan_from_json(to_json(plan)) == plan
    assert from_builtins(to_builtins(case), Problem) == case


@settings(max_examples=1000, deadline=None)
@given(SEEDS)
def test_every_plan_of_the_search_passes_the_check(seed: int) -> None:
    """A thousand small problems with every rule in play: the plan breaks none, each request is served by one courier
    or left out with a reason, and the cost is that of its routes."""
    case = rich_problem(seed)
    travel = travel_matrix(case)
    plan = solve(case, SolveParams(seconds=5.0, iterations=20, explain_s=0.02), travel=travel)
    assert violations(case, plan, travel) == []
    served = {item.request_id for route in plan.routes for stop in route.stops for item in stop.services}
    left_out = {one.request_id for one in plan.unserved}
    assert served | left_out == {wish.id for wish in case.requests}
    assert not served & left_out
    assert all(one.code for one in plan.unserved)
    assert math.isclose(plan.cost, sum(route.cost for route in plan.routes), abs_tol=0.05)


@MANY
@given(SEEDS)
def test_no_better_place_for_a_break_is_overlooked(seed: int) -> None:
    """The cheapest of all ways to take the breaks, tried one by one without any screen, is the one driven."""
    case = rich_problem(seed, requests=4, couriers=2)
    instance = Instance(case, travel_matrix(case))
    for courier, visits in enumerate(greedy_routes(instance, seed)):
        if not visits:
            continue
        best = math.inf
        for line in _every_line(instance, courier, visits):
            times = plan_times(line)
            if times is not None:
                best = min(best, cost_of(instance, courier, line, times))
        way = driven(instance, courier, visits)
        assert way is not None
        assert holds(instance, courier, visits)
        assert abs(way.cost - best) < 1e-6


def _every_line(instance: Instance, courier: int, visits: Sequence[Visit]) -> Iterator[Line]:
    breaks = instance.couriers[courier].breaks
    for before in range(len(breaks) + 1):
        for after in range(before, len(breaks) + 1):
            on_way = breaks[before:after]
            for places in combinations_with_replacement(range(2 * len(visits) + 2), len(on_way)):
                placed = {
                    place: tuple(b for b, p in zip(on_way, places, strict=True) if p == place) for place in places
                }
                line = line_of(instance, courier, visits, placed)
                low, high = line.spans[0][0][0], line.spans[-1][0][1]
                if before:
                    low = max(low, breaks[before - 1].earliest_s + breaks[before - 1].duration_s)
                if after < len(breaks):
                    high = min(high, breaks[after].latest_s)
                if low <= line.spans[0][0][1] and high >= line.spans[-1][0][0]:
                    first, last = (low, line.spans[0][0][1]), (line.spans[-1][0][0], high)
                    yield replace(line, spans=((first,), *line.spans[1:-1], (last,)))


BANDS = st.lists(st.tuples(st.integers(0, 2000), st.sampled_from((0.1, 0.3, 0.5, 0.75, 1.0, 1.7))), max_size=5)


@settings(max_examples=300, deadline=None)
@given(BANDS, st.integers(0, 2500), st.integers(0, 1500))
def test_who_leaves_later_does_not_arrive_earlier(bands: list[tuple[int, float]], leave_s: int, drive_s: int) -> None:
    """First in, first out; and the latest departure for an arrival is the latest one indeed."""
    pace = Pace([SpeedBand(start_s, factor) for start_s, factor in sorted(dict(bands).items())])
    arrive_s = pace.arrival(leave_s, drive_s)
    assert pace.arrival(leave_s + 1, drive_s) >= arrive_s
    latest_s = pace.departure(arrive_s, drive_s)
    assert latest_s >= leave_s
    assert pace.arrival(latest_s, drive_s) <= arrive_s < pace.arrival(latest_s + 1, drive_s)
