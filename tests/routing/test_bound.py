"""The lower bound: never above the best plan, found by trying everything or proven by others; and not idle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from routing import Plan, Problem
from routing.bound import Net, bound, lower_bound, net_of
from routing.build import build_route
from routing.darp import DarpInstance, read
from routing.instance import Instance, Visit
from routing.moves import holds
from routing.travel import travel_matrix
from tests.routing import cases
from tests.routing.rich import rich_problem

DATA = Path(__file__).parent / "data"
OPTIMA = {"a2-16": 294.248, "a2-24": 431.1204, "a3-24": 344.8336, "a4-40": 557.6872}
"""Of Cordeau's instances, proven by others."""


def orders(
    requests: Sequence[int], aboard: frozenset[int], done: tuple[Visit, ...] = ()
) -> Iterator[tuple[Visit, ...]]:
    """Every order of pickups and deliveries of these requests."""
    waiting = [one for one in requests if one not in done and one not in aboard and ~one not in done]
    carried = [one for one in requests if ~one not in done and (one in done or one in aboard)]
    if not waiting and not carried:
        yield done
    for one in waiting:
        yield from orders(requests, aboard, (*done, one))
    for one in carried:
        yield from orders(requests, aboard, (*done, ~one))


def cheapest_route(instance: Instance, courier: int, requests: Sequence[int]) -> float:
    """The best route of one courier with exactly these requests, by trying all; infinite where there is none."""
    if not requests:
        return 0.0
    if not all(instance.may_serve(courier, one) for one in requests):
        return float("inf")
    aboard = frozenset(one for one in requests if instance.aboard_of[one] is not None)
    costs = [float("inf")]
    for visits in orders(requests, aboard):
        order = tuple(one for one in visits if one < 0 or one not in aboard)
        if holds(instance, courier, order):
            costs.append(build_route(instance, courier, order).cost)
    return min(costs)


def optimum(instance: Instance, requests: Sequence[int]) -> float:
    """The best plan that serves all of these requests."""
    known: dict[tuple[int, tuple[int, ...]], float] = {}
    best = float("inf")
    for who in product(range(len(instance.couriers)), repeat=len(requests)):
        total = 0.0
        for courier in range(len(instance.couriers)):
            mine = tuple(one for one, given in zip(requests, who, strict=True) if given == courier)
            if (courier, mine) not in known:
                known[courier, mine] = cheapest_route(instance, courier, mine)
            total += known[courier, mine]
        best = min(best, total)
    return best


@pytest.mark.parametrize("make", [cases.random_problem, rich_problem])
def test_the_bound_is_never_above_the_best_of_all_plans(make: object) -> None:
    """Small random problems with every rule: the bound is at most the optimum found by trying every plan."""
    tight = 0
    tried = 0
    for seed in range(24):
        case: Problem = make(seed, requests=3, couriers=2)  # type: ignore[operator]
        instance = Instance(case, travel_matrix(case))
        plan = cases.planned(case)
        left = {one.request_id for one in plan.unserved}
        served = [number for number, one in enumerate(case.requests) if one.id not in left]
        if not served:
            assert lower_bound(instance, plan) is None
            continue
        found = bound(net_of(instance, served), plan.cost, seconds=5.0, rounds=60)
        best = optimum(instance, served)
        assert found is not None, seed
        assert found <= best + 0.011, (seed, found, best)
        tried += 1
        tight += found >= 0.9 * best
    assert tight >= tried // 3, "it says something"


def test_what_is_shown_is_at_most_the_plan_itself(tiny: Problem, tiny_plan: Plan) -> None:
    """Two sites on one round: the bound of that day is its cost; of a plan that wastes a courier it is less."""
    instance = Instance(tiny, travel_matrix(tiny))
    shown = lower_bound(instance, tiny_plan)
    assert shown is not None
    assert shown == pytest.approx(tiny_plan.cost, abs=0.02)
    two = replace(tiny, couriers=(cases.courier("C1"), cases.courier("C2")))
    both = Instance(two, travel_matrix(two))
    apart = [build_route(both, courier, (courier, ~courier)) for courier in (0, 1)]
    wasteful = replace(tiny_plan, routes=tuple(apart), cost=round(sum(route.cost for route in apart), 2))
    assert lower_bound(both, wasteful) == pytest.approx(shown, abs=0.02)


def net_of_darp(case: DarpInstance) -> Net:
    """A public instance for the bound: time and cost are the distance, all vehicles alike."""
    nodes, n = case.nodes, case.requests
    xy, stay = nodes[:, 1:3], nodes[:, 3]
    far = np.hypot(xy[:, None, 0] - xy[None, :, 0], xy[:, None, 1] - xy[None, :, 1])
    way, many = far[1:, 1:], case.vehicles
    early, late = nodes[1:, 5].copy(), nodes[1:, 6].copy()
    return Net(
        request=np.tile(np.arange(n), 2),
        pickup=np.arange(2 * n) < n,
        step_s=stay[1:, None] + way,
        cost=way,
        early_s=early,
        late_s=late,
        first_s=np.tile(far[0, 1:], (many, 1)),
        first_cost=np.tile(far[0, 1:], (many, 1)),
        last_s=np.tile((stay[1:] + far[1:, 0])[:, None], (1, many)),
        last_cost=np.tile(far[1:, 0][:, None], (1, many)),
        shift_s=np.tile([nodes[0, 5], nodes[0, 6]], (many, 1)),
        ride_s=case.ride + stay[1 : n + 1],
        load=np.abs(nodes[1 : n + 1, 4:5]),
        room=np.array([case.capacity]),
    )


def test_the_bound_is_never_above_a_proven_optimum() -> None:
    """Cordeau's instances: below each proven optimum, and within a quarter of it."""
    for name, best in OPTIMA.items():
        found = bound(net_of_darp(read(DATA / f"{name}.txt")), best, seconds=5.0, rounds=40)
        assert found is not None
        assert 0.75 * best <= found <= best + 1e-3, (name, found, best)
