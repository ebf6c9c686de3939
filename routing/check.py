"""Reads every rule of the problem again over a finished plan. Shares no code with the search or the schedule.

It knows the problem, the plan and the matrix, nothing else, so that a mistake in one is not repeated here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from routing.plan import Kind, Params, Plan, Route, Service, Stop
from routing.problem import Courier, Problem, Request, Site, Window
from routing.travel import TravelMatrix


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule; ``where`` is a path in the plan such as ``routes[0].stops[2]``."""

    code: str
    where: str
    params: Params


def violations(problem: Problem, plan: Plan, travel: TravelMatrix) -> list[Violation]:
    """Every rule that ``plan`` breaks; an empty list means that it may be driven as it stands."""
    return [*_accounting(problem, plan), *_routes(problem, plan, travel), *_totals(plan)]


def _accounting(problem: Problem, plan: Plan) -> Iterator[Violation]:
    """Each request exactly once: picked up and handed over by one courier, or listed as unserved."""
    known = {request.id for request in problem.requests}
    seen = Counter(
        (service.request_id, service.kind) for route in plan.routes for stop in route.stops for service in stop.services
    )
    left_out = Counter(item.request_id for item in plan.unserved)
    named = {name for name, _ in seen} | set(left_out)
    for name in sorted(named - known):
        yield Violation("unknown_request", "routes", {"request_id": name})
    for name in sorted(known):
        counts = (seen[name, Kind.PICKUP], seen[name, Kind.DELIVERY], left_out[name])
        if counts not in {(1, 1, 0), (0, 0, 1)}:
            params = {"request_id": name, "pickups": counts[0], "deliveries": counts[1], "unserved": counts[2]}
            yield Violation("not_exactly_once", "routes", params)
    couriers = Counter(route.courier_id for route in plan.routes)
    for name, count in couriers.items():
        if count > 1:
            yield Violation("courier_twice", "routes", {"courier_id": name, "routes": count})


def _routes(problem: Problem, plan: Plan, travel: TravelMatrix) -> Iterator[Violation]:
    couriers = {courier.id: courier for courier in problem.couriers}
    for number, route in enumerate(plan.routes):
        where = f"routes[{number}]"
        courier = couriers.get(route.courier_id)
        if courier is None:
            yield Violation("unknown_courier", where, {"courier_id": route.courier_id})
            continue
        yield from _Reader(problem, route, courier, travel, where).read()


class _Reader:
    """Follows one courier through the day."""

    def __init__(self, problem: Problem, route: Route, courier: Courier, travel: TravelMatrix, where: str) -> None:
        self.requests = {request.id: request for request in problem.requests}
        self.sites = {site.id: site for site in problem.sites}
        self.row = {site_id: row for row, site_id in enumerate(travel.site_ids)}
        self.route, self.courier, self.travel, self.where = route, courier, travel, where
        self.picked_s: dict[str, int] = {}
        self.aboard: Counter[str] = Counter()

    def read(self) -> Iterator[Violation]:
        yield from self._shift()
        place, free_s, driven_m, driven_s = self.courier.start_site, self.route.start_s, 0, 0
        for number, stop in enumerate(self.route.stops):
            where = f"{self.where}.stops[{number}]"
            yield from self._leg(place, stop.site_id, stop.travel_s, stop.distance_m, where)
            if stop.arrive_s < free_s + stop.travel_s:
                yield self._wrong("arrives_before_possible", where, arrive_s=stop.arrive_s, free_s=free_s)
            yield from self._stop(stop, place, where)
            place, free_s = stop.site_id, stop.depart_s
            driven_m, driven_s = driven_m + stop.distance_m, driven_s + stop.travel_s
        route = self.route
        yield from self._leg(place, self.courier.end_site, route.return_travel_s, route.return_distance_m, self.where)
        if route.end_s < free_s + route.return_travel_s:
            yield self._wrong("back_before_possible", self.where, end_s=route.end_s, free_s=free_s)
        if (route.distance_m, route.drive_s) != (driven_m + route.return_distance_m, driven_s + route.return_travel_s):
            yield self._wrong("wrong_total", self.where, distance_m=route.distance_m, drive_s=route.drive_s)
        for name in sorted(name for name, slots in self.aboard.items() if slots):
            yield self._wrong("still_aboard", self.where, temperature_class=name, slots=self.aboard[name])

    def _wrong(self, code: str, where: str, **params: object) -> Violation:
        return Violation(code, where, {"courier_id": self.courier.id, **params})

    def _shift(self) -> Iterator[Violation]:
        route, courier = self.route, self.courier
        if (route.start_site, route.end_site) != (courier.start_site, courier.end_site):
            yield self._wrong("wrong_depot", self.where, start=route.start_site, end=route.end_site)
        if route.start_s < courier.shift_start_s or route.end_s > courier.shift_end_s:
            yield self._wrong("outside_shift", self.where, start_s=route.start_s, end_s=route.end_s)
        lasted_s = route.end_s - route.start_s
        if courier.max_duration_s is not None and lasted_s > courier.max_duration_s:
            yield self._wrong("duration_exceeded", self.where, duration_s=lasted_s)
        hours, km = lasted_s / 3600, route.distance_m / 1000
        cost = courier.cost_fixed + courier.cost_per_hour * hours + courier.cost_per_km * km
        if abs(cost - route.cost) > 0.02:
            yield self._wrong("wrong_cost", self.where, cost=route.cost, expected=cost)

    def _leg(self, start: str, end: str, travel_s: int, distance_m: int, where: str) -> Iterator[Violation]:
        if start not in self.row or end not in self.row:
            yield self._wrong("unknown_place", where, start=start, end=end)
            return
        a, b = self.row[start], self.row[end]
        if travel_s != int(self.travel.travel_s[a, b]) or distance_m != int(self.travel.distance_m[a, b]):
            yield self._wrong("wrong_leg", where, start=start, end=end, travel_s=travel_s, distance_m=distance_m)

    def _stop(self, stop: Stop, before: str, where: str) -> Iterator[Violation]:
        site = self.sites.get(stop.site_id)
        if site is None:
            yield self._wrong("unknown_place", where, start=before, end=stop.site_id)
            return
        if not stop.services or stop.start_s != stop.services[0].start_s:
            yield self._wrong("wrong_stop_times", where, start_s=stop.start_s)
        free_s = stop.arrive_s + (site.visit_s if before != stop.site_id else 0)
        for service in stop.services:
            request = self.requests.get(service.request_id)
            if request is None:
                continue
            if service.start_s < free_s:
                yield self._wrong("starts_before_possible", where, request_id=request.id, start_s=service.start_s)
            if service.kind is Kind.PICKUP:
                yield from self._pickup(request, service, stop.site_id, where)
            else:
                yield from self._delivery(request, service, site, where)
            free_s = service.end_s
        if stop.depart_s < free_s:
            yield self._wrong("departs_before_done", where, depart_s=stop.depart_s)
        claimed = Counter({name: slots for name, slots in stop.load_after.items() if slots})
        if claimed != Counter({name: slots for name, slots in self.aboard.items() if slots}):
            yield self._wrong("wrong_load", where, load_after=dict(stop.load_after))

    def _pickup(self, request: Request, service: Service, site_id: str, where: str) -> Iterator[Violation]:
        name, start_s = request.id, service.start_s
        if site_id != request.pickup_site:
            yield self._wrong("wrong_site", where, request_id=name, expected=request.pickup_site)
        if not request.ready_s <= start_s <= request.latest_pickup_s:
            yield self._wrong("pickup_outside_window", where, request_id=name, start_s=start_s)
        if request.pickup_windows and not _within(start_s, request.pickup_windows):
            yield self._wrong("pickup_outside_window", where, request_id=name, start_s=start_s)
        if service.end_s - start_s != request.pickup_service_s:
            yield self._wrong("wrong_service", where, request_id=name, service_s=service.end_s - start_s)
        if not request.skills <= self.courier.skills:
            yield self._wrong("skill_missing", where, request_id=name)
        self.picked_s[name] = service.end_s
        self.aboard.update(request.load)
        for kind, slots in self.aboard.items():
            if slots > self.courier.capacity.get(kind, 0):
                yield self._wrong("capacity_exceeded", where, temperature_class=kind, slots=slots)

    def _delivery(self, request: Request, service: Service, site: Site, where: str) -> Iterator[Violation]:
        name, start_s = request.id, service.start_s
        if site.id != request.delivery_site:
            yield self._wrong("wrong_site", where, request_id=name, expected=request.delivery_site)
        if start_s > request.due_s:
            yield self._wrong("delivered_late", where, request_id=name, start_s=start_s, due_s=request.due_s)
        if site.receiving_windows and not _within(start_s, site.receiving_windows):
            yield self._wrong("laboratory_closed", where, request_id=name, start_s=start_s)
        if service.end_s - start_s != request.delivery_service_s:
            yield self._wrong("wrong_service", where, request_id=name, service_s=service.end_s - start_s)
        if name not in self.picked_s:
            yield self._wrong("delivered_before_pickup", where, request_id=name)
            return
        ride_s = start_s - self.picked_s[name]
        if request.max_ride_s is not None and ride_s > request.max_ride_s:
            yield self._wrong("ride_too_long", where, request_id=name, ride_s=ride_s)
        self.aboard.subtract(request.load)


def _within(moment_s: int, windows: tuple[Window, ...]) -> bool:
    return any(window.start_s <= moment_s <= window.end_s for window in windows)


def _totals(plan: Plan) -> Iterator[Violation]:
    distance_m = sum(route.distance_m for route in plan.routes)
    duration_s = sum(route.end_s - route.start_s for route in plan.routes)
    cost = sum(route.cost for route in plan.routes)
    if plan.distance_m != distance_m or plan.duration_s != duration_s or abs(plan.cost - cost) > 0.02:
        params = {"distance_m": distance_m, "duration_s": duration_s, "cost": cost}
        yield Violation("wrong_total", "", params)
