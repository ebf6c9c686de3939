"""A province planned county by county, and the time that one problem takes by its number of requests.

``python -m bench.province [--seconds-per-county 4]``. The places are the 1,163 townships of bench/data (sources there),
the amounts are invented: each township sends in the morning and in the afternoon to its county's most central place.
Two processes plan counties side by side, each with one thread; a county has seconds in proportion to its requests.
"""

from __future__ import annotations

import argparse
import csv
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np

from routing import AMBIENT_15_25, COLD_2_8, Courier, Plan, Problem, Request, Site, Window
from routing.check import violations
from routing.solve import SolveParams, solve
from routing.travel import travel_matrix
from routing.travel.geodesic import straight_m

TOWNSHIPS_CSV = Path(__file__).parent / "data" / "hubei_townships.csv"
HOUR_S = 3600
SIZES = (20, 50, 100, 200, 500, 1_000)
NEAR = 0.01
"""The time until the cost is within 1 % of the last."""


@dataclass(frozen=True, slots=True)
class Done:
    """One problem planned: requests, what it took and what came of it."""

    name: str
    requests: int
    wall_s: float
    near_s: float
    unserved: int
    broken: int
    couriers: int
    km: float


def counties() -> dict[str, list[Site]]:
    """The townships of each county (first six digits), the most central one first: it has the laboratory."""
    found: dict[str, list[Site]] = defaultdict(list)
    with TOWNSHIPS_CSV.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["id"][:6]].append(Site(row["id"], float(row["lat"]), float(row["lon"]), visit_s=150))
    return {county: central_first(sites) for county, sites in sorted(found.items())}


def central_first(sites: Sequence[Site]) -> list[Site]:
    """By the distance from the place whose distances to all others are least; that place receives from 7 to 18."""
    lat, lon = (np.array([getattr(site, name) for site in sites]) for name in ("lat", "lon"))
    metres = straight_m(lat[:, None], lon[:, None], lat[None, :], lon[None, :])
    order = np.argsort(metres[int(metres.sum(axis=1).argmin())], kind="stable")
    first = sites[int(order[0])]
    laboratory = Site(first.id, first.lat, first.lon, (Window(7 * HOUR_S, 18 * HOUR_S),), visit_s=150)
    return [laboratory, *(sites[int(at)] for at in order[1:])]


def problem_of(name: str, sites: Sequence[Site], requests: int, seed: int = 1) -> Problem:
    """``requests`` from the places after the first to the first, half in the morning; a courier for each eight."""
    rng = random.Random(f"{name}-{seed}")
    origins = sites[1:]
    wishes = []
    for number in range(requests):
        ready_s = (13 if number >= requests / 2 else 8) * HOUR_S + rng.randrange(5) * 900
        wishes.append(
            Request(
                id=f"R{number + 1:04}",
                pickup_site=origins[number % len(origins)].id,
                delivery_site=sites[0].id,
                load=rng.choice(({COLD_2_8: 1}, {AMBIENT_15_25: 1}, {COLD_2_8: 1, AMBIENT_15_25: 1})),
                ready_s=ready_s,
                latest_pickup_s=ready_s + 3 * HOUR_S,
                due_s=min(ready_s + 5 * HOUR_S, 18 * HOUR_S),
                max_ride_s=2 * HOUR_S,
            )
        )
    people = tuple(
        Courier(f"C{number + 1:03}", sites[0].id, sites[0].id, 7 * HOUR_S, 18 * HOUR_S,
                {COLD_2_8: 12, AMBIENT_15_25: 12}, cost_fixed=60.0, cost_per_km=0.8, cost_per_hour=25.0)
        for number in range(ceil(requests / 8) + 1)
    )  # fmt: skip
    return Problem(tuple(sites), tuple(wishes), people, name=name)


def planned(problem: Problem, seconds: float) -> Done:
    """Plan with one thread and check. The wall time includes travel, explanations and the check of every rule."""
    began = time.monotonic()
    travel = travel_matrix(problem)
    plan = solve(problem, SolveParams(seconds=seconds, workers=1), travel=travel)
    broken = len(violations(problem, plan, travel))
    return Done(
        problem.name, len(problem.requests), time.monotonic() - began, near_s(plan), len(plan.unserved), broken,
        plan.couriers_used, plan.distance_m / 1000,
    )  # fmt: skip


def near_s(plan: Plan) -> float:
    """When the search first had a plan within 1 % of the last, with as much served."""
    known = [step for step in plan.trace if step.cost is not None]
    if not known or known[-1].cost is None:
        return 0.0
    last, left = known[-1].cost, known[-1].unserved
    return next(step.elapsed_s for step in known if step.unserved == left and (step.cost or 0) <= last * (1 + NEAR))


def county_work(seconds_per_county: float) -> list[tuple[Problem, float]]:
    """The problem of each county with a township to fetch from, and its seconds; the largest first."""
    problems = [
        problem_of(county, sites, 2 * (len(sites) - 1)) for county, sites in counties().items() if len(sites) > 1
    ]
    mean = statistics.mean(len(problem.requests) for problem in problems)
    work = [(problem, seconds_per_county * len(problem.requests) / mean) for problem in problems]
    return sorted(work, key=lambda one: -one[1])


def _county(work: tuple[Problem, float]) -> Done:
    return planned(*work)


def province(seconds_per_county: float) -> None:
    """Plan every county in two processes and print the sums."""
    work = county_work(seconds_per_county)
    began = time.monotonic()
    with ProcessPoolExecutor(2) as pool:
        done = list(pool.map(_county, work))
    wall_s = time.monotonic() - began
    print(f"province: {len(done)} counties, {sum(one.requests for one in done)} requests in {wall_s:.0f} s "
          f"(goal 300 s), slowest county {max(one.wall_s for one in done):.1f} s")  # fmt: skip
    unserved, broken = sum(one.unserved for one in done), sum(one.broken for one in done)
    print(f"{sum(one.couriers for one in done)} couriers, {sum(one.km for one in done):.0f} km, "
          f"{unserved} unserved, {broken} rules broken", flush=True)  # fmt: skip


def growth(seconds: float, sizes: Sequence[int]) -> None:
    """Single problems around the province's most central place: time against requests, with a bar to see it."""
    everywhere = central_first([site for sites in counties().values() for site in sites])
    print(f"{'requests':>8}{'limit s':>9}{'wall s':>8}{'near s':>8}{'unserved':>10}{'broken':>8}")
    for size in sizes:
        limit = max(1.0, seconds * size / 100)
        one = planned(problem_of(f"growth-{size}", everywhere[: size // 2 + 1], size), limit)
        bar = "#" * max(1, round(one.near_s))
        print(
            f"{size:8}{limit:9.1f}{one.wall_s:8.1f}{one.near_s:8.1f}{one.unserved:10}{one.broken:8}  {bar}", flush=True
        )


def main() -> None:
    """Print the province, then the growth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds-per-county", type=float, default=4.0)
    parser.add_argument("--seconds-per-100", type=float, default=4.0, help="for the single problems; 0 leaves them out")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    options = parser.parse_args()
    if options.seconds_per_county > 0:
        province(options.seconds_per_county)
    if options.seconds_per_100 > 0:
        growth(options.seconds_per_100, options.sizes)


if __name__ == "__main__":
    main()
