"""The Xianning day without ride limits, planned by three engines on one matrix: ours, VROOM and PyVRP.

``pip install pyvroom pyvrp``, then ``python -m bench.xianning_baselines --seconds 10 --workers 2``. Ride limits are
left out because neither of the others knows them; hours cost nothing, because VROOM counts driving only. What is left
is the same for all three: windows, loads of three classes, shifts, a visit's time, fixed cost and kilometres. Every
plan is rebuilt from its order of visits, costed and checked by the same code.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pyvrp
import vroom
from pyvrp.stop import MaxRuntime

from bench.xianning import xianning_problem
from routing import Plan, Problem
from routing.build import build_route
from routing.check import violations
from routing.instance import Instance
from routing.problem import TEMPERATURE_CLASSES
from routing.solve import SolveParams, solve
from routing.travel import TravelMatrix, travel_matrix

SCALE = 10
"""Costs as whole numbers: 0.8 a kilometre is 8."""


class NoPlan(Exception):
    """An engine found nothing that could be compared."""


Orders = list[list[tuple[int, bool]]]
"""For each courier the visits: (request, is a pickup)."""


def relaxed(problem: Problem) -> Problem:
    """The day as all three can read it: no ride limits, no cost of hours, no priorities."""
    requests = tuple(replace(one, max_ride_s=None, priority="routine") for one in problem.requests)
    return replace(problem, requests=requests, couriers=tuple(replace(c, cost_per_hour=0.0) for c in problem.couriers))


def _window(problem: Problem, request: Any) -> tuple[int, int]:
    """When the handover may start: due time and the laboratory's one window."""
    site = next(one for one in problem.sites if one.id == request.delivery_site)
    if len(site.receiving_windows) > 1:
        raise SystemExit("the other engines take one window a handover")
    opens, closes = 0, request.due_s
    if site.receiving_windows:
        opens, closes = site.receiving_windows[0].start_s, site.receiving_windows[0].end_s
    return opens, min(closes, request.due_s)


def by_vroom(problem: Problem, travel: TravelMatrix, seconds: float, workers: int) -> Orders:
    """VROOM at its deepest exploration, with as much time as the others (it ends when it has nothing left to try)."""
    row, home, metres, durations = _ways(problem, travel)
    asked = vroom.Input()
    asked.set_durations_matrix("car", durations.astype("uint32"))
    asked.set_distances_matrix("car", metres.astype("uint32"))
    for number, person in enumerate(problem.couriers):
        asked.add_vehicle(
            vroom.Vehicle(
                number,
                start=home[person.start_site],
                end=home[person.end_site],
                capacity=[person.capacity.get(name, 0) for name in TEMPERATURE_CLASSES],
                time_window=vroom.TimeWindow(person.shift_start_s, person.shift_end_s),
                costs=vroom.VehicleCosts(
                    fixed=round(person.cost_fixed * SCALE), per_hour=0, per_km=round(person.cost_per_km * SCALE)
                ),
            )
        )
    for number, one in enumerate(problem.requests):
        window = [vroom.TimeWindow(one.ready_s, one.latest_pickup_s)]
        pickup = vroom.ShipmentStep(number, row[one.pickup_site], 0, one.pickup_service_s, window)
        window = [vroom.TimeWindow(*_window(problem, one))]
        delivery = vroom.ShipmentStep(number, row[one.delivery_site], 0, one.delivery_service_s, window)
        amount = vroom.Amount([one.load.get(name, 0) for name in TEMPERATURE_CLASSES])
        asked.add_shipment(pickup, delivery, amount)
    found = asked.solve(exploration_level=5, nb_threads=workers, timeout=timedelta(seconds=seconds))
    orders: Orders = [[] for _ in problem.couriers]
    for step in found.routes.to_dict("records"):
        if step["type"] in {"pickup", "delivery"}:
            orders[int(step["vehicle_id"])].append((int(step["id"]), step["type"] == "pickup"))
    return orders


def by_pyvrp(problem: Problem, travel: TravelMatrix, seconds: float, workers: int) -> Orders:
    """PyVRP with shipments (one thread: it knows no more)."""
    row, home, metres, durations = _ways(problem, travel)
    model = pyvrp.Model()
    places = [model.add_location(0, 0) for _ in range(len(metres))]
    depots = {name: model.add_depot(places[at], name=name) for name, at in home.items()}
    for person in problem.couriers:
        model.add_vehicle_type(
            1, [person.capacity.get(name, 0) for name in TEMPERATURE_CLASSES],
            start_depot=depots[person.start_site], end_depot=depots[person.end_site],
            fixed_cost=round(person.cost_fixed * SCALE * 1000), unit_distance_cost=round(person.cost_per_km * SCALE),
            tw_early=person.shift_start_s, tw_late=person.shift_end_s, name=person.id,
        )  # fmt: skip
    for one in problem.requests:
        opens, closes = _window(problem, one)
        model.add_shipment(
            places[row[one.pickup_site]], places[row[one.delivery_site]],
            one.ready_s, one.latest_pickup_s, one.pickup_service_s, opens, closes, one.delivery_service_s,
            [one.load.get(name, 0) for name in TEMPERATURE_CLASSES], name=one.id,
        )  # fmt: skip
    for a, start in enumerate(places):
        for b, end in enumerate(places):
            model.add_edge(start, end, int(metres[a, b]), int(durations[a, b]))
    result = model.solve(MaxRuntime(seconds), seed=1, collect_stats=False, display=False)
    if not result.is_feasible():
        raise NoPlan(f"no feasible plan after {result.num_iterations} iterations")
    orders: Orders = [[] for _ in problem.couriers]
    for route in result.best.routes():
        for activity in route:
            if activity.is_pickup() or activity.is_delivery():
                orders[route.vehicle_type()].append((activity.idx, activity.is_pickup()))
    return orders


def _ways(problem: Problem, travel: TravelMatrix) -> tuple[dict[str, int], dict[str, int], Any, Any]:
    """Row of each site and of each home, metres, seconds; the time of a visit is part of every way to another place."""
    row = {name: i for i, name in enumerate(travel.site_ids)}
    home = {name: len(row) + i for i, name in enumerate(_homes(problem))}
    at = np.array([*range(len(row)), *(row[name] for name in home)])
    pick = np.ix_(at, at)
    visit_s = np.array([*(site.visit_s for site in problem.sites), *(0 for _ in home)])
    return row, home, travel.distance_m[pick], travel.travel_s[pick] + np.where(at[:, None] != at, visit_s[None, :], 0)


def _homes(problem: Problem) -> list[str]:
    return sorted({name for one in problem.couriers for name in (one.start_site, one.end_site)})


def rebuilt(problem: Problem, travel: TravelMatrix, orders: Orders) -> Plan:
    """A plan with our schedule and our cost from somebody else's order of visits."""
    instance = Instance(problem, travel)
    routes = tuple(
        build_route(instance, courier, [number if picks else ~number for number, picks in visits])
        for courier, visits in enumerate(orders)
        if visits
    )
    served = {number for visits in orders for number, _ in visits}
    if len(served) != len(problem.requests):
        raise NoPlan(f"{len(problem.requests) - len(served)} requests left out: costs cannot be compared")
    return Plan(
        routes=routes,
        unserved=(),
        cost=round(sum(route.cost for route in routes), 2),
        distance_m=sum(route.distance_m for route in routes),
        duration_s=sum(route.end_s - route.start_s for route in routes),
        travel_source=travel.source,
    )


def by_us(problem: Problem, travel: TravelMatrix, seconds: float, workers: int) -> Plan:
    """Our engine; ``workers`` where it takes them."""
    known = {field.name for field in fields(SolveParams)}
    more = {"workers": workers} if "workers" in known else {}
    return solve(problem, SolveParams(seconds=seconds, **more), travel=travel)


def compared(problem: Problem, seconds: float, workers: int, names: Sequence[str]) -> list[tuple[str, float, Plan]]:
    """Every engine's plan with the time that it really took; a plan that breaks a rule ends the comparison."""
    travel = travel_matrix(problem)
    engines: dict[str, Callable[[Problem, TravelMatrix, float, int], Orders]] = {"vroom": by_vroom, "pyvrp": by_pyvrp}
    found = []
    for name in names:
        began = time.monotonic()
        try:
            if name == "labrelay":
                plan = by_us(problem, travel, seconds, workers)
            else:
                plan = rebuilt(problem, travel, engines[name](problem, travel, seconds, workers))
        except NoPlan as error:
            print(f"{name}: {error}")
            continue
        took_s = time.monotonic() - began
        broken = violations(problem, plan, travel)
        if broken:
            raise SystemExit(f"{name} breaks {len(broken)} rules: {broken[0]}")
        found.append((name, took_s, plan))
    return found


def main() -> None:
    """Print one line for each engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--requests", type=int, default=160)
    parser.add_argument("--couriers", type=int, default=14)
    parser.add_argument("--engines", default="labrelay,vroom,pyvrp")
    options = parser.parse_args()
    problem = relaxed(xianning_problem(options.requests, options.couriers))
    rows = compared(problem, options.seconds, options.workers, options.engines.split(","))
    best = min(plan.cost for _, _, plan in rows)
    print(f"Xianning day without ride limits, {options.requests} requests, {options.couriers} couriers, "
          f"{options.seconds:g} s, {options.workers} workers")  # fmt: skip
    print(f"{'engine':10}{'seconds':>9}{'couriers':>10}{'km':>9}{'cost':>10}{'above best':>12}")
    for name, took_s, plan in rows:
        above = f"{plan.cost / best - 1:.2%}"
        print(f"{name:10}{took_s:9.1f}{plan.couriers_used:10}{plan.distance_m / 1000:9.1f}{plan.cost:10.2f}{above:>12}")


if __name__ == "__main__":
    main()
