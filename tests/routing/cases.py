"""One tiny network with round numbers, and a generator of small problems, shared by the routing tests.

LAB ──10 min, 10 km── A ──10 min, 8 km── B; B ──15 min, 15 km── LAB. The courier lives at LAB.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from routing import COLD_2_8, FROZEN, Courier, Priority, Problem, Request, Site, TravelTable, Window
from routing.plan import Plan
from routing.solve import SolveParams, solve

HOUR = 3600
MIN = 60
LAB, A, B = "LAB", "A", "B"
TRAVEL = TravelTable(
    (LAB, A, B),
    ((0, 600, 900), (600, 0, 600), (900, 600, 0)),
    ((0, 10_000, 15_000), (10_000, 0, 8_000), (15_000, 8_000, 0)),
)
QUICK = SolveParams(seconds=5.0, iterations=30)


def request(name: str = "R1", site: str = A, **changes: Any) -> Request:
    """Two cold slots, ready 08:00, to be fetched by 10:00 and at the laboratory by 12:00."""
    base = Request(
        id=name,
        pickup_site=site,
        delivery_site=LAB,
        load={COLD_2_8: 2},
        ready_s=8 * HOUR,
        latest_pickup_s=10 * HOUR,
        due_s=12 * HOUR,
        pickup_service_s=2 * MIN,
        delivery_service_s=MIN,
    )
    return replace(base, **changes)


def courier(name: str = "C1", **changes: Any) -> Courier:
    """At the laboratory from 07:30 to 17:00 with ten cold slots."""
    base = Courier(
        id=name,
        start_site=LAB,
        end_site=LAB,
        shift_start_s=7 * HOUR + 30 * MIN,
        shift_end_s=17 * HOUR,
        capacity={COLD_2_8: 10},
        cost_fixed=10.0,
        cost_per_km=1.0,
        cost_per_hour=20.0,
    )
    return replace(base, **changes)


def problem(
    requests: list[Request] | None = None,
    couriers: list[Courier] | None = None,
    *,
    hours: tuple[Window, ...] = (),
    visit_s: int = 0,
) -> Problem:
    """The tiny network; ``hours`` are the laboratory's."""
    sites = (Site(LAB, 29.84, 114.32, hours, visit_s), Site(A, 29.9, 114.3), Site(B, 29.8, 114.2))
    wishes = [request(), request("R2", B)] if requests is None else requests
    return Problem(sites, tuple(wishes), tuple([courier()] if couriers is None else couriers), "tiny", TRAVEL)


def planned(case: Problem) -> Plan:
    """A reproducible plan."""
    return solve(case, QUICK)


def random_problem(seed: int, *, requests: int = 8, couriers: int = 3) -> Problem:
    """A small problem with every rule in play; some of its requests are impossible."""
    rng = random.Random(seed)
    sites = [_site(rng, number) for number in range(7)]
    names = [site.id for site in sites]
    return Problem(
        name=f"random-{seed}",
        sites=tuple(sites),
        requests=tuple(_random_request(rng, number, names) for number in range(rng.randint(1, requests))),
        couriers=tuple(_random_courier(rng, number, names) for number in range(rng.randint(1, couriers))),
    )


def _site(rng: random.Random, number: int) -> Site:
    is_laboratory = number < 2
    hours: tuple[Window, ...] = ()
    if is_laboratory and rng.random() < 0.6:
        hours = (Window(8 * HOUR, 12 * HOUR), Window(13 * HOUR, 17 * HOUR))
    return Site(
        id=f"S{number}",
        lat=29.6 + rng.random() * 0.4,
        lon=114.0 + rng.random() * 0.4,
        receiving_windows=hours,
        visit_s=rng.choice((0, 120)),
    )


def _random_request(rng: random.Random, number: int, sites: list[str]) -> Request:
    ready_s = rng.randrange(7 * HOUR, 14 * HOUR, 300)
    latest_s = ready_s + rng.randrange(-600, 3 * HOUR, 300)
    windows: tuple[Window, ...] = ()
    if rng.random() < 0.3:
        windows = (Window(ready_s, ready_s + 900), Window(ready_s + 2400, ready_s + 4000))
    return Request(
        id=f"R{number}",
        pickup_site=rng.choice(sites[2:]),
        delivery_site=rng.choice(sites[:2]),
        load={COLD_2_8: rng.randint(0, 4), FROZEN: rng.choice((0, 0, 1))},
        ready_s=ready_s,
        latest_pickup_s=latest_s,
        due_s=ready_s + rng.randrange(0, 5 * HOUR, 300),
        max_ride_s=rng.choice((None, 1800, 3600, 7200)),
        pickup_service_s=rng.choice((0, 120, 300)),
        delivery_service_s=rng.choice((0, 60)),
        priority=rng.choice(list(Priority)),
        pickup_windows=windows,
        skills=frozenset({"cold_chain"}) if rng.random() < 0.15 else frozenset(),
    )


def _random_courier(rng: random.Random, number: int, sites: list[str]) -> Courier:
    start_s = rng.randrange(6 * HOUR, 10 * HOUR, 900)
    return Courier(
        id=f"C{number}",
        start_site=rng.choice(sites),
        end_site=rng.choice(sites[:2]),
        shift_start_s=start_s,
        shift_end_s=start_s + rng.randrange(2 * HOUR, 10 * HOUR, 900),
        capacity={COLD_2_8: rng.randint(2, 8), FROZEN: rng.randint(0, 2)},
        max_duration_s=rng.choice((None, 4 * HOUR)),
        cost_fixed=rng.choice((0.0, 20.0)),
        cost_per_km=1.0,
        cost_per_hour=rng.choice((0.0, 15.0)),
        skills=frozenset({"cold_chain"}) if rng.random() < 0.5 else frozenset(),
    )
