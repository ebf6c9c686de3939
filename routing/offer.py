"""An urgent call: the best place in every route of a running plan, and what it does to the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from routing.build import build_route, order_of
from routing.diagnose import examine
from routing.driven import driven
from routing.instance import Instance, Visit
from routing.plan import Kind, Plan, Route
from routing.problem import Problem, Request
from routing.travel import TravelMatrix


@dataclass(frozen=True, slots=True)
class Delay:
    """A service of somebody else that starts ``later_s`` later (negative = earlier) when the call is taken."""

    request_id: str
    kind: Kind
    later_s: int


@dataclass(frozen=True, slots=True)
class Offer:
    """One courier who can take the call. ``extra_…``: added to the plan; ``delays``: services that move, most first."""

    courier_id: str
    pickup_s: int | None
    delivery_s: int
    extra_cost: float
    extra_m: int
    extra_s: int
    delays: tuple[Delay, ...]
    route: Route


def visits_of(problem: Problem, plan: Plan) -> dict[str, tuple[Visit, ...]]:
    """The orders of visits that a plan drives, per courier; requests that the problem does not know are left out."""
    number = {request.id: index for index, request in enumerate(problem.requests)}
    return {route.courier_id: order_of(route, number) for route in plan.routes}


def offer(problem: Problem, plan: Plan, request: Request, travel: TravelMatrix) -> list[Offer]:
    """Who can take ``request`` beside what is planned, cheapest first; the order of all others is kept.

    ``travel`` covers the request's sites. Empty when nobody can: then ask ``routing.solve`` why. Not tried are
    couriers whose order cannot be kept any more.
    """
    wishes = (*(item for item in problem.requests if item.id != request.id), request)
    case = replace(problem, requests=wishes)
    instance = Instance(case, travel)
    orders = visits_of(replace(case, requests=wishes[:-1]), plan)
    found = [
        one
        for courier, person in enumerate(case.couriers)
        if (one := _with(instance, courier, orders.get(person.id, ()), len(wishes) - 1)) is not None
    ]
    return sorted(found, key=lambda one: (one.extra_cost, one.courier_id))


def _with(instance: Instance, courier: int, visits: Sequence[Visit], request: int) -> Offer | None:
    before = driven(instance, courier, visits) if visits else None
    if visits and before is None:
        return None
    order = examine(instance, courier, visits, request).visits
    if order is None:
        return None
    old = build_route(instance, courier, visits) if visits else None
    new = build_route(instance, courier, order)
    then, now = _starts(old), _starts(new)
    moved = [Delay(name, kind, now[name, kind] - at_s) for (name, kind), at_s in then.items()]
    name = instance.requests[request].id
    return Offer(
        courier_id=new.courier_id,
        pickup_s=now.get((name, Kind.PICKUP)),
        delivery_s=now[name, Kind.DELIVERY],
        extra_cost=round(new.cost - (old.cost if old else 0.0), 2),
        extra_m=new.distance_m - (old.distance_m if old else 0),
        extra_s=new.end_s - new.start_s - (old.end_s - old.start_s if old else 0),
        delays=tuple(sorted((item for item in moved if item.later_s), key=lambda item: -item.later_s)),
        route=new,
    )


def _starts(route: Route | None) -> dict[tuple[str, Kind], int]:
    if route is None:
        return {}
    return {(service.request_id, service.kind): service.start_s for stop in route.stops for service in stop.services}
