"""Problems with every rule at once: breaks, speed bands, foes aboard, promises, soft cut-offs, loads aboard."""

from __future__ import annotations

import random
from dataclasses import replace

from routing import Break, Courier, Plan, Problem, Request, Route, SpeedBand
from routing.build import build_route, changed_promises
from routing.diagnose import examine
from routing.instance import Instance, Visit
from routing.plan import Unserved
from tests.routing.cases import HOUR, MIN, random_problem

KINDS = ("", "blood", "stool", "reports")


def rich_problem(seed: int, *, requests: int = 8, couriers: int = 3) -> Problem:
    """A small random problem in which each rule is in play now and then; some requests are impossible."""
    rng = random.Random(seed)
    case = random_problem(seed, requests=requests, couriers=couriers)
    people = tuple(replace(person, breaks=_breaks(rng, person)) for person in case.couriers)
    names = [person.id for person in people]
    wishes = tuple(_request(rng, wish, names) for wish in case.requests)
    bands: tuple[SpeedBand, ...] = ()
    if rng.random() < 0.6:
        hours = sorted(rng.sample(range(6 * HOUR, 16 * HOUR, 900), rng.randint(1, 4)))
        bands = tuple(SpeedBand(at_s, rng.choice((0.4, 0.5, 0.7, 0.85, 1.0, 1.3))) for at_s in hours)
    foes = (("blood", "stool"), ("reports", "stool")) if rng.random() < 0.7 else ()
    return replace(case, requests=wishes, couriers=people, speed_bands=bands, incompatible=foes)


def _breaks(rng: random.Random, person: Courier) -> tuple[Break, ...]:
    found: list[Break] = []
    at_s = person.shift_start_s
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        earliest_s = at_s + rng.randrange(0, 2 * HOUR, 300)
        found.append(Break(earliest_s, earliest_s + rng.randrange(0, 90 * MIN, 300), rng.choice((900, 1800, 2400))))
        at_s = found[-1].latest_s + found[-1].duration_s
    return tuple(found)


def _request(rng: random.Random, wish: Request, couriers: list[str]) -> Request:
    wish = replace(wish, load_kind=rng.choice(KINDS))
    if rng.random() < 0.2:
        since_s = wish.ready_s - rng.randrange(-HOUR, HOUR, 300) if wish.max_ride_s else None
        return replace(wish, aboard_of=rng.choice(couriers), aboard_since_s=since_s, skills=frozenset())
    if rng.random() < 0.4:
        wish = replace(wish, soft_due_s=max(0, wish.due_s - HOUR), late_cost_per_hour=rng.choice((0.0, 30.0)))
    if rng.random() < 0.2:
        wish = replace(wish, courier_ids=frozenset(rng.sample(couriers, rng.randint(1, len(couriers)))))
    if rng.random() < 0.4:
        wish = replace(
            wish,
            promised_courier_id=rng.choice((None, *couriers)),
            promised_pickup_s=rng.choice((None, wish.ready_s, wish.ready_s + 1800)),
            change_cost=rng.choice((0.0, 25.0)),
        )
    return wish


def greedy_routes(instance: Instance, seed: int) -> list[tuple[Visit, ...]]:
    """Orders that hold, found by putting each request where it first fits, couriers in random order."""
    rng = random.Random(seed)
    routes: list[tuple[Visit, ...]] = [() for _ in instance.couriers]
    for request in rng.sample(range(len(instance.requests)), len(instance.requests)):
        for courier in rng.sample(range(len(routes)), len(routes)):
            visits = examine(instance, courier, routes[courier], request).visits
            if visits is not None:
                routes[courier] = visits
                break
    return routes


def plan_of(instance: Instance, routes: list[tuple[Visit, ...]]) -> Plan:
    """The plan that drives these orders and leaves out the rest."""
    built: tuple[Route, ...] = tuple(
        build_route(instance, courier, visits) for courier, visits in enumerate(routes) if visits
    )
    served = {~visit for visits in routes for visit in visits if visit < 0}
    left = [wish.id for index, wish in enumerate(instance.requests) if index not in served]
    return Plan(
        routes=built,
        unserved=tuple(Unserved(name, "no_room_left", {}) for name in left),
        cost=round(sum(route.cost for route in built), 2),
        distance_m=sum(route.distance_m for route in built),
        duration_s=sum(route.end_s - route.start_s for route in built),
        travel_source=instance.matrix.source,
        changed=changed_promises(instance, built),
    )
