"""A made-up working day on the 77 real sites of Xianning, and what the planner makes of it.

``python -m bench.xianning --requests 160 --couriers 12 --seconds 10`` prints the plan beside
nearest-neighbour fixed rounds; ``--long 600`` also how far it is from a longer search.
Townships send to their county centre (one in ten to the city), county centres to the city. The amounts are
invented, the places are real (logistics/catalogue/sites_xianning.csv). Roads: docs/formats/problem.md, "Travel".
"""

from __future__ import annotations

import argparse
import csv
import random
import time
from pathlib import Path

from bench.fixed_rounds import fixed_rounds
from routing import AMBIENT_15_25, COLD_2_8, FROZEN, Courier, Plan, Priority, Problem, Request, Site, Window
from routing.check import violations
from routing.solve import SolveParams, solve
from routing.travel import TravelMatrix, travel_matrix

SITES_CSV = Path(__file__).parent.parent / "logistics" / "catalogue" / "sites_xianning.csv"
CITY = "H421200"
PLAIN = {"421281", "421221"}
HILLS = {"421224", "421223", "421222"}
HOUR_S = 3600


def read_sites() -> list[tuple[str, Site]]:
    """Level and site of every row, with the detour factor and speed of its county's terrain."""
    sites = []
    with SITES_CSV.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            county = row["id"].removeprefix("H")[:6]
            detour = 1.3 if county in PLAIN else 1.5 if county in HILLS else 1.4
            is_laboratory = row["level"] != "township"
            site = Site(
                id=row["id"],
                lat=float(row["lat"]),
                lon=float(row["lon"]),
                receiving_windows=(Window(7 * HOUR_S, 18 * HOUR_S),) if is_laboratory else (),
                visit_s=150,
                detour_factor=detour,
                speed_kmh=35.0 if county in HILLS else 40.0,
            )
            sites.append((row["level"], site))
    return sites


def xianning_problem(requests: int = 160, couriers: int = 12, seed: int = 1) -> Problem:
    """A day: from the townships to their county centres, from those (and one township in ten) to the city."""
    rng = random.Random(seed)
    rows = read_sites()
    townships = [site.id for level, site in rows if level == "township"]
    centres = [site.id for level, site in rows if level == "county_centre"]
    wishes = [_request(rng, number, townships, centres) for number in range(requests)]
    return Problem(
        name=f"xianning-{requests}-{couriers}-{seed}",
        sites=tuple(site for _, site in rows),
        requests=tuple(wishes),
        couriers=tuple(_courier(number, centres) for number in range(couriers)),
    )


def _request(rng: random.Random, number: int, townships: list[str], centres: list[str]) -> Request:
    rounds = 2 * len(townships)
    origin = townships[number % len(townships)] if number < rounds else centres[number % len(centres)]
    county = f"H{origin.removeprefix('H')[:6]}"
    to_city = origin in centres or rng.random() < 0.1
    afternoon = number >= len(townships)
    ready_s = (13 * HOUR_S if afternoon else 8 * HOUR_S) + rng.randrange(5) * 900
    return Request(
        id=f"R{number + 1:03}",
        pickup_site=origin,
        delivery_site=CITY if to_city else county,
        load=rng.choice(({COLD_2_8: 1}, {AMBIENT_15_25: 1}, {COLD_2_8: 1, AMBIENT_15_25: 1}, {FROZEN: 1})),
        ready_s=ready_s,
        latest_pickup_s=ready_s + 3 * HOUR_S,
        due_s=min(ready_s + 5 * HOUR_S, 18 * HOUR_S),
        max_ride_s=(4 if to_city else 2) * HOUR_S,
        priority=rng.choices((Priority.ROUTINE, Priority.URGENT, Priority.STAT), (90, 8, 2))[0],
    )


def _courier(number: int, centres: list[str]) -> Courier:
    home = centres[number % len(centres)]
    return Courier(
        id=f"C{number + 1:02}",
        start_site=home,
        end_site=home,
        shift_start_s=int(7.5 * HOUR_S),
        shift_end_s=18 * HOUR_S,
        capacity={COLD_2_8: 12, AMBIENT_15_25: 12, FROZEN: 4},
        cost_fixed=60.0,
        cost_per_km=0.8,
        cost_per_hour=25.0,
    )


def figures(problem: Problem, plan: Plan) -> dict[str, float]:
    """What a dispatcher compares: couriers, kilometres, hours, cost, share delivered in time."""
    served = len(problem.requests) - len(plan.unserved)
    return {
        "requests": len(problem.requests),
        "served": served,
        "couriers": plan.couriers_used,
        "km": round(plan.distance_m / 1000, 1),
        "hours": round(plan.duration_s / HOUR_S, 1),
        "cost": plan.cost,
    }


def main() -> None:
    """Solve once and print it beside the fixed rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=160)
    parser.add_argument("--couriers", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--long", type=float, default=0.0, help="seconds of a second run to compare with")
    options = parser.parse_args()
    problem = xianning_problem(options.requests, options.couriers, options.seed)
    began = time.monotonic()
    travel = travel_matrix(problem)
    print(f"matrix {len(problem.sites)}x{len(problem.sites)}: {time.monotonic() - began:.2f} s")
    plan = solve(problem, SolveParams(seconds=options.seconds, workers=options.workers), travel=travel)
    print(side_by_side(problem, travel, plan))
    for item in plan.unserved:
        remedy = item.remedies[0].code if item.remedies else "-"
        print(f"  left out {item.request_id}: {item.code} {dict(item.params)}; {remedy}")
    print(f"total {plan.search_s:.1f} s, broken rules: {len(violations(problem, plan, travel))}", flush=True)
    if options.long:
        longer = solve(problem, SolveParams(seconds=options.long, workers=options.workers), travel=travel)
        print(f"after {options.long:g} s: cost {longer.cost:.2f}, {len(longer.unserved)} unserved; the "
              f"{options.seconds:g} s answer is {plan.cost / longer.cost - 1:+.2%}")  # fmt: skip


def side_by_side(problem: Problem, travel: TravelMatrix, plan: Plan) -> str:
    """Our plan beside nearest-neighbour fixed rounds; what a plan serves is on time, what it leaves out is not."""
    ours = figures(problem, plan)
    rounds = fixed_rounds(problem, travel)
    theirs = {
        "requests": len(problem.requests),
        "served": len(problem.requests),
        "couriers": rounds.couriers,
        "km": round(rounds.metres / 1000, 1),
        "hours": round(rounds.seconds / HOUR_S, 1),
        "cost": round(rounds.cost, 2),
        "on time": f"{len(rounds.on_time) / len(problem.requests):.1%}",
    }
    mine = {**ours, "on time": f"{ours['served'] / len(problem.requests):.1%}"}
    lines = [f"{'':>10}{'planned':>12}{'fixed rounds':>14}"]
    return "\n".join(lines + [f"{name:>10}{mine[name]:>12}{value:>14}" for name, value in theirs.items()])


if __name__ == "__main__":
    main()
