"""A running plan is planned anew: the past is frozen, loads aboard are deliveries only, promises have a price.

fresh = remaining(problem, plan, now_s, positions, done)   # what is still to be decided
new = solve(fresh, …)
whole = stitched(problem, plan, new, now_s, done)          # what was driven, and what will be
changes = diff(plan, whole)                                # for a person to accept
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from routing.driven import promise_broken
from routing.plan import Kind, Plan, Route, Service, Stop
from routing.problem import Courier, Problem, ProblemError, Request, Site

Done = Collection[tuple[str, Kind]]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a courier is free to be sent elsewhere: at a site, or at a point; from ``free_s`` on.

    A courier who drives to a stop that he will not leave out is given that site and the moment it is done.
    """

    free_s: int
    site_id: str | None = None
    lat: float | None = None
    lon: float | None = None


def here(courier_id: str) -> str:
    """The id of the place at which a courier begins what remains."""
    return f"@{courier_id}"


def remaining(
    problem: Problem,
    plan: Plan,
    now_s: int,
    positions: Mapping[str, Position],
    done: Done,
    change_cost: float = 50.0,
) -> Problem:
    """What is left to decide at ``now_s``. ``done``: services that have been made, by request and kind.

    Delivered requests are gone. Fetched ones are aboard of who fetched them, with what is left of their ride.
    All others keep the courier and pickup time of ``plan`` as promises at ``change_cost``. Couriers without a
    position begin where their shift begins. Fixed cost and break are spent once. Travel by table is kept only for
    sites; a courier at a point needs a provider. Raises ProblemError for a position that cannot be read.
    """
    services = _services(plan)
    wishes = []
    for request in problem.requests:
        if (request.id, Kind.DELIVERY) in done:
            continue
        fetched = services.get((request.id, Kind.PICKUP))
        if (request.id, Kind.PICKUP) in done and fetched is not None:
            courier_id, service = fetched
            wishes.append(replace(_plain(request), aboard_of=courier_id, aboard_since_s=service.end_s))
        elif request.aboard_of is not None:
            wishes.append(request)
        else:
            wishes.append(_promised(request, now_s, fetched, change_cost))
    sites = list(problem.sites)
    routes = {route.courier_id: route for route in plan.routes}
    people = []
    for person in problem.couriers:
        position = positions.get(person.id)
        route = routes.get(person.id)
        people.append(_person(person, route, position, now_s, sites, problem.travel is not None))
    return replace(problem, requests=tuple(wishes), couriers=tuple(people), sites=tuple(sites))


def _services(plan: Plan) -> dict[tuple[str, Kind], tuple[str, Service]]:
    return {
        (service.request_id, service.kind): (route.courier_id, service)
        for route in plan.routes
        for stop in route.stops
        for service in stop.services
    }


def _plain(request: Request) -> Request:
    return replace(request, courier_ids=frozenset(), promised_courier_id=None, promised_pickup_s=None, change_cost=0.0)


def _promised(request: Request, now_s: int, planned: tuple[str, Service] | None, change_cost: float) -> Request:
    request = replace(request, ready_s=max(request.ready_s, now_s))
    if planned is None:
        return request
    courier_id, service = planned
    return replace(request, promised_courier_id=courier_id, promised_pickup_s=service.start_s, change_cost=change_cost)


def _person(
    person: Courier, route: Route | None, position: Position | None, now_s: int, sites: list[Site], table: bool
) -> Courier:
    if position is None:
        start_s = min(max(person.shift_start_s, now_s), person.shift_end_s)
        return replace(person, shift_start_s=start_s)
    where = position.site_id
    if where is None:
        if position.lat is None or position.lon is None:
            raise ProblemError("missing_field", f"positions[{person.id}].lat")
        if table:
            raise ProblemError("matrix_missing_site", f"positions[{person.id}]", site=here(person.id))
        where = here(person.id)
        sites.append(Site(where, position.lat, position.lon))
    elif where not in {site.id for site in sites}:
        raise ProblemError("unknown_site", f"positions[{person.id}].site_id", site=where)
    start_s = max(now_s, position.free_s)
    spent_s = 0 if route is None else max(0, start_s - route.start_s)
    longest = None if person.max_duration_s is None else max(0, person.max_duration_s - spent_s)
    taken = [] if route is None else [rest.start_s for rest in route.breaks if rest.start_s < start_s]
    breaks = tuple(
        replace(rest, earliest_s=max(rest.earliest_s, start_s))
        for rest in person.breaks
        if rest.latest_s >= start_s and not any(rest.earliest_s <= at_s <= rest.latest_s for at_s in taken)
    )
    return replace(
        person,
        start_site=where,
        shift_start_s=min(start_s, person.shift_end_s),
        max_duration_s=longest,
        cost_fixed=0.0,
        breaks=breaks,
    )


def stitched(problem: Problem, plan: Plan, new: Plan, now_s: int, done: Done) -> Plan:
    """The driven part of ``plan`` with ``new`` behind it. Costs, hours and distances count both.

    ``problem``: the day's as ``plan`` was made for, with what couriers cost.
    """
    wishes = {wish.id: wish for wish in problem.requests}
    people = {person.id: person for person in problem.couriers}
    fresh = {route.courier_id: route for route in new.routes}
    old = {route.courier_id: route for route in plan.routes}
    routes = []
    for name in dict.fromkeys([*old, *fresh]):
        past = _past(old[name], done) if name in old else ()
        after = fresh.get(name)
        if past:
            route = _joined(old[name], past, after, now_s)
            routes.append(replace(route, cost=_cost(route, people[name], past, after, wishes)))
        elif after is not None:
            routes.append(after)
    return replace(
        new,
        routes=tuple(routes),
        cost=round(sum(route.cost for route in routes), 2),
        distance_m=sum(route.distance_m for route in routes),
        duration_s=sum(route.end_s - route.start_s for route in routes),
        lower_bound=None,
        bound_method="",
    )


def _cost(
    route: Route, person: Courier, past: tuple[Stop, ...], after: Route | None, wishes: Mapping[str, Request]
) -> float:
    """What the whole route costs: the courier for all of it, lateness and changed promises of both parts."""

    def paid(hours_s: int, metres: int) -> float:
        return person.cost_per_hour * hours_s / 3600 + person.cost_per_km * metres / 1000

    total = person.cost_fixed + paid(route.end_s - route.start_s, route.distance_m)
    if after is not None:
        total += after.cost - paid(after.end_s - after.start_s, after.distance_m)
    for stop in past:
        for service in stop.services:
            wish = wishes[service.request_id]
            if service.kind is Kind.PICKUP:
                total += wish.change_cost * promise_broken(wish, person.id, service.start_s)
            elif wish.soft_due_s is not None:
                total += wish.late_cost_per_hour * max(0, service.start_s - wish.soft_due_s) / 3600
    return round(total, 2)


def _past(route: Route, done: Done) -> tuple[Stop, ...]:
    """Stops with what was done there."""
    stops = []
    for stop in route.stops:
        services = tuple(item for item in stop.services if (item.request_id, item.kind) in done)
        if services:
            stops.append(replace(stop, services=services, start_s=services[0].start_s))
    return tuple(stops)


def _joined(old: Route, past: tuple[Stop, ...], after: Route | None, now_s: int) -> Route:
    driven_m, driven_s = sum(stop.distance_m for stop in past), sum(stop.travel_s for stop in past)
    if after is None:
        return replace(
            old, stops=past, end_s=max(past[-1].depart_s, min(now_s, old.end_s)), distance_m=driven_m,
            drive_s=driven_s, return_travel_s=0, return_distance_m=0,
        )  # fmt: skip
    under_way = _under_way(old, past, after)
    if under_way is not None and after.stops and after.stops[0].site_id == under_way.site_id:
        first = replace(after.stops[0], travel_s=under_way.travel_s, distance_m=under_way.distance_m)
        after = replace(after, stops=(first, *after.stops[1:]))
    if under_way is not None:
        driven_m, driven_s = driven_m + under_way.distance_m, driven_s + under_way.travel_s
    breaks = (*(rest for rest in old.breaks if rest.end_s <= after.start_s), *after.breaks)
    return replace(
        after,
        start_site=old.start_site,
        start_s=old.start_s,
        stops=(*past, *after.stops),
        distance_m=driven_m + after.distance_m,
        drive_s=driven_s + after.drive_s,
        breaks=breaks,
    )


def _under_way(old: Route, past: tuple[Stop, ...], after: Route) -> Stop | None:
    """The stop to which the courier was driving when the rest was planned anew from there: its leg is in no part."""
    if past[-1].site_id == after.start_site:
        return None
    behind = (stop for stop in old.stops if stop.depart_s > past[-1].depart_s)
    following = next(behind, None)
    return following if following is not None and following.site_id == after.start_site else None


@dataclass(frozen=True, slots=True)
class Moved:
    """A request that another courier serves, or at another time; None = not served there."""

    request_id: str
    courier_before: str | None
    courier_after: str | None
    pickup_before_s: int | None
    pickup_after_s: int | None
    delivery_before_s: int | None
    delivery_after_s: int | None


@dataclass(frozen=True, slots=True)
class Workload:
    """What a courier drives."""

    distance_m: int = 0
    duration_s: int = 0
    stops: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Diff:
    """What accepting a new plan would change, requests in order of id, couriers whose work differs."""

    moved: tuple[Moved, ...]
    couriers: Mapping[str, tuple[Workload, Workload]]
    lost: tuple[str, ...]
    won: tuple[str, ...]
    cost: float


def diff(old: Plan, new: Plan, least_s: int = 60) -> Diff:
    """Requests that change courier, or a time by ``least_s`` or more; work per courier before and after."""
    before, after = _served(old), _served(new)
    moved = []
    for name in sorted(set(before) | set(after)):
        one, other = before.get(name, _NOWHERE), after.get(name, _NOWHERE)
        shifts = [abs((a or 0) - (b or 0)) for a, b in zip(one[1:], other[1:], strict=True)]
        if one[0] != other[0] or max(shifts) >= least_s:
            moved.append(Moved(name, one[0], other[0], one[1], other[1], one[2], other[2]))
    work_before, work_after = _work(old), _work(new)
    couriers = {
        name: pair
        for name in sorted(set(work_before) | set(work_after))
        if (pair := (work_before.get(name, Workload()), work_after.get(name, Workload())))[0] != pair[1]
    }
    lost, won = tuple(sorted(set(before) - set(after))), tuple(sorted(set(after) - set(before)))
    return Diff(tuple(moved), couriers, lost, won, round(new.cost - old.cost, 2))


_NOWHERE: tuple[str | None, int | None, int | None] = (None, None, None)


def _served(plan: Plan) -> dict[str, tuple[str | None, int | None, int | None]]:
    found: dict[str, tuple[str | None, int | None, int | None]] = {}
    for (name, kind), (courier_id, service) in _services(plan).items():
        _, pickup_s, delivery_s = found.get(name, _NOWHERE)
        if kind is Kind.PICKUP:
            pickup_s = service.start_s
        else:
            delivery_s = service.start_s
        found[name] = (courier_id, pickup_s, delivery_s)
    return found


def _work(plan: Plan) -> dict[str, Workload]:
    return {
        route.courier_id: Workload(route.distance_m, route.end_s - route.start_s, len(route.stops), route.cost)
        for route in plan.routes
    }
