"""Reads every rule of the problem again over a finished plan. Shares no code with the search or the schedule.

It knows the problem, the plan and the matrix, nothing else, so that a mistake in one is not repeated here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import pairwise

from routing.plan import BreakTaken, Kind, Params, Plan, Route, Service, Stop
from routing.problem import Courier, Problem, Request, Site, SpeedBand, Window
from routing.travel import TravelMatrix


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule; ``where`` is a path in the plan such as ``routes[0].stops[2]``."""

    code: str
    where: str
    params: Params


def violations(problem: Problem, plan: Plan, travel: TravelMatrix) -> list[Violation]:
    """Every rule that ``plan`` breaks; an empty list means that it may be driven as it stands."""
    return [
        *_accounting(problem, plan),
        *_routes(problem, plan, travel),
        *_changes(problem, plan),
        *_totals(plan),
    ]


def _accounting(problem: Problem, plan: Plan) -> Iterator[Violation]:
    """Each request exactly once: picked up and handed over by one courier, or listed as unserved.

    What is aboard already is handed over only.
    """
    known = {request.id: int(request.aboard_of is None) for request in problem.requests}
    seen = Counter(
        (service.request_id, service.kind) for route in plan.routes for stop in route.stops for service in stop.services
    )
    left_out = Counter(item.request_id for item in plan.unserved)
    named = {name for name, _ in seen} | set(left_out)
    for item in plan.unserved:
        if not item.code:
            yield Violation("unserved_without_code", "unserved", {"request_id": item.request_id})
    for name in sorted(named - set(known)):
        yield Violation("unknown_request", "routes", {"request_id": name})
    for name in sorted(known):
        counts = (seen[name, Kind.PICKUP], seen[name, Kind.DELIVERY], left_out[name])
        if counts not in {(known[name], 1, 0), (0, 0, 1)}:
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
        self.bands = problem.speed_bands
        self.foes = {frozenset(pair) for pair in problem.incompatible}
        self.route, self.courier, self.travel, self.where = route, courier, travel, where
        self.picked_s: dict[str, int | None] = {}
        self.aboard: Counter[str] = Counter()
        self.carried: set[str] = set()
        self.extra = 0.0
        """Cost of lateness and of changed promises."""

    def read(self) -> Iterator[Violation]:
        yield from self._shift()
        yield from self._rests()
        yield from self._loaded()
        place, free_s, driven_m, driven_s = self.courier.start_site, self.route.start_s, 0, 0
        for number, stop in enumerate(self.route.stops):
            where = f"{self.where}.stops[{number}]"
            reached_s = yield from self._leg(place, stop.site_id, free_s, (stop.travel_s, stop.distance_m), where)
            if stop.arrive_s < reached_s:
                yield self._wrong("arrives_before_possible", where, arrive_s=stop.arrive_s, free_s=free_s)
            yield from self._stop(stop, place, where)
            place, free_s = stop.site_id, stop.depart_s
            driven_m, driven_s = driven_m + stop.distance_m, driven_s + stop.travel_s
        route = self.route
        last = (route.return_travel_s, route.return_distance_m)
        if route.end_s < (yield from self._leg(place, self.courier.end_site, free_s, last, self.where)):
            yield self._wrong("back_before_possible", self.where, end_s=route.end_s, free_s=free_s)
        if (route.distance_m, route.drive_s) != (driven_m + route.return_distance_m, driven_s + route.return_travel_s):
            yield self._wrong("wrong_total", self.where, distance_m=route.distance_m, drive_s=route.drive_s)
        for name in sorted(name for name, slots in self.aboard.items() if slots):
            yield self._wrong("still_aboard", self.where, temperature_class=name, slots=self.aboard[name])
        yield from self._cost()

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

    def _cost(self) -> Iterator[Violation]:
        route, courier = self.route, self.courier
        hours, km = (route.end_s - route.start_s) / 3600, route.distance_m / 1000
        cost = courier.cost_fixed + courier.cost_per_hour * hours + courier.cost_per_km * km + self.extra
        if abs(cost - route.cost) > 0.02:
            yield self._wrong("wrong_cost", self.where, cost=route.cost, expected=cost)

    def _rests(self) -> Iterator[Violation]:
        """Every break is taken on the way, before leaving or after being back, and none during a service."""
        route, left = self.route, list(self.route.breaks)
        for wanted in self.courier.breaks:
            if left and _is_break(left[0], wanted.earliest_s, wanted.latest_s, wanted.duration_s):
                left.pop(0)
            elif wanted.earliest_s + wanted.duration_s > route.start_s and wanted.latest_s < route.end_s:
                yield self._wrong("break_missing", self.where, earliest_s=wanted.earliest_s, latest_s=wanted.latest_s)
        for item in left:
            yield self._wrong("break_unknown", self.where, start_s=item.start_s)
        services = [service for stop in route.stops for service in stop.services]
        for item in route.breaks:
            if item.start_s < route.start_s or item.end_s > route.end_s:
                yield self._wrong("break_outside_route", self.where, start_s=item.start_s)
            for service in services:
                if service.start_s < item.end_s and item.start_s < service.end_s:
                    yield self._wrong("break_during_service", self.where, request_id=service.request_id)

    def _loaded(self) -> Iterator[Violation]:
        """What the route hands over that was in the box when it began."""
        for stop in self.route.stops:
            for name in stop.delivered:
                request = self.requests.get(name)
                if request is not None and request.aboard_of is not None:
                    self.picked_s[name] = request.aboard_since_s
                    self.aboard.update(request.load)
                    self.carried.add(name)
        yield from self._room(self.where)

    def _room(self, where: str) -> Iterator[Violation]:
        for kind, slots in self.aboard.items():
            if slots > self.courier.capacity.get(kind, 0):
                yield self._wrong("capacity_exceeded", where, temperature_class=kind, slots=slots)

    def _rested_s(self, start_s: int, end_s: int) -> int:
        """Seconds of break between two moments."""
        spans = ((max(start_s, item.start_s), min(end_s, item.end_s)) for item in self.route.breaks)
        return sum(max(0, end - start) for start, end in spans)

    def _leg(
        self, start: str, end: str, leave_s: int, claimed: tuple[int, int], where: str
    ) -> Generator[Violation, None, int]:
        """The first whole second at which the leg can be done; its seconds at the wheel and metres are compared."""
        if start not in self.row or end not in self.row:
            yield self._wrong("unknown_place", where, start=start, end=end)
            return leave_s
        a, b = self.row[start], self.row[end]
        drive_s = int(self.travel.travel_s[a, b])
        slow = min((band.factor for band in self.bands), default=1.0)
        pauses_s = self._rested_s(leave_s, self.route.end_s)
        low, high = leave_s, leave_s + pauses_s + int(drive_s / min(1.0, slow)) + 2
        while low < high:
            middle = (low + high) // 2
            if self._driven(leave_s, middle) >= drive_s - 1e-7:
                high = middle
            else:
                low = middle + 1
        travel_s = low - leave_s - self._rested_s(leave_s, low)
        if claimed != (travel_s, int(self.travel.distance_m[a, b])):
            names = {"start": start, "end": end, "travel_s": claimed[0], "distance_m": claimed[1]}
            yield self._wrong("wrong_leg", where, **names)
        return low

    def _driven(self, start_s: int, end_s: int) -> float:
        """Seconds at the table's speed that are driven between two moments, breaks left out."""
        done = _at_speed(self.bands, start_s, end_s)
        for item in self.route.breaks:
            if item.start_s < end_s and item.end_s > start_s:
                done -= _at_speed(self.bands, max(start_s, item.start_s), min(end_s, item.end_s))
        return done

    def _stop(self, stop: Stop, before: str, where: str) -> Iterator[Violation]:
        site = self.sites.get(stop.site_id)
        if site is None:
            yield self._wrong("unknown_place", where, start=before, end=stop.site_id)
            return
        if not stop.services or stop.start_s != stop.services[0].start_s:
            yield self._wrong("wrong_stop_times", where, start_s=stop.start_s)
        free_s, walk_s = stop.arrive_s, site.visit_s if before != stop.site_id else 0
        for service in stop.services:
            request = self.requests.get(service.request_id)
            if request is None:
                continue
            if service.start_s < free_s + walk_s + (self._rested_s(free_s, service.start_s) if walk_s else 0):
                yield self._wrong("starts_before_possible", where, request_id=request.id, start_s=service.start_s)
            yield from self._who(request, where)
            if service.kind is Kind.PICKUP:
                yield from self._pickup(request, service, stop.site_id, where)
            else:
                yield from self._delivery(request, service, site, where)
            free_s, walk_s = service.end_s, 0
        if stop.depart_s < free_s:
            yield self._wrong("departs_before_done", where, depart_s=stop.depart_s)
        claimed = Counter({name: slots for name, slots in stop.load_after.items() if slots})
        if claimed != Counter({name: slots for name, slots in self.aboard.items() if slots}):
            yield self._wrong("wrong_load", where, load_after=dict(stop.load_after))

    def _who(self, request: Request, where: str) -> Iterator[Violation]:
        """Whether this courier is one who may serve the request."""
        if not request.skills <= self.courier.skills:
            yield self._wrong("skill_missing", where, request_id=request.id)
        if request.courier_ids and self.courier.id not in request.courier_ids:
            yield self._wrong("courier_not_allowed", where, request_id=request.id)
        if request.aboard_of not in {None, self.courier.id}:
            yield self._wrong("aboard_of_another", where, request_id=request.id)

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
        for other in sorted(self.carried):
            if frozenset({request.load_kind, self.requests[other].load_kind}) in self.foes:
                yield self._wrong("incompatible_aboard", where, request_id=name, other=other)
        self.picked_s[name] = service.end_s
        self.carried.add(name)
        self.aboard.update(request.load)
        yield from self._room(where)
        if _not_as_promised(request, self.courier.id, start_s):
            self.extra += request.change_cost

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
        since_s = self.picked_s[name]
        if request.max_ride_s is not None and since_s is not None and start_s - since_s > request.max_ride_s:
            yield self._wrong("ride_too_long", where, request_id=name, ride_s=start_s - since_s)
        self.aboard.subtract(request.load)
        self.carried.discard(name)
        if request.soft_due_s is not None and start_s > request.soft_due_s:
            self.extra += request.late_cost_per_hour * (start_s - request.soft_due_s) / 3600
        if request.aboard_of is not None and _not_as_promised(request, self.courier.id, None):
            self.extra += request.change_cost


def _within(moment_s: int, windows: tuple[Window, ...]) -> bool:
    return any(window.start_s <= moment_s <= window.end_s for window in windows)


def _is_break(item: BreakTaken, earliest_s: int, latest_s: int, duration_s: int) -> bool:
    return earliest_s <= item.start_s <= latest_s and item.end_s - item.start_s == duration_s


def _at_speed(bands: tuple[SpeedBand, ...], start_s: int, end_s: int) -> float:
    """Seconds at the table's speed between two moments of which none is a break."""
    edges = [(-math.inf, 1.0), *((band.start_s, band.factor) for band in bands), (math.inf, 0.0)]
    done = 0.0
    for (begin, factor), (finish, _) in pairwise(edges):
        done += max(0.0, min(end_s, finish) - max(start_s, begin)) * factor
    return done


def _not_as_promised(request: Request, courier_id: str, pickup_s: int | None) -> bool:
    moved = request.promised_courier_id is not None and request.promised_courier_id != courier_id
    if request.promised_pickup_s is None or pickup_s is None:
        return moved
    early_s, late_s = pickup_s - request.promised_pickup_s, request.promised_pickup_s - pickup_s
    return moved or max(early_s, late_s) > request.promise_tolerance_s


def _changes(problem: Problem, plan: Plan) -> Iterator[Violation]:
    """``Plan.changed`` names exactly the served requests whose promise is not kept."""
    served: dict[str, tuple[str, int | None]] = {}
    for route in plan.routes:
        for stop in route.stops:
            for service in stop.services:
                if service.kind is Kind.PICKUP:
                    served[service.request_id] = (route.courier_id, service.start_s)
                else:
                    served.setdefault(service.request_id, (route.courier_id, None))
    moved = {r.id for r in problem.requests if r.id in served and _not_as_promised(r, *served[r.id])}
    if moved != set(plan.changed):
        params = {"missing": sorted(moved - set(plan.changed)), "unfounded": sorted(set(plan.changed) - moved)}
        yield Violation("wrong_changes", "changed", params)


def _totals(plan: Plan) -> Iterator[Violation]:
    distance_m = sum(route.distance_m for route in plan.routes)
    duration_s = sum(route.end_s - route.start_s for route in plan.routes)
    cost = sum(route.cost for route in plan.routes)
    if plan.distance_m != distance_m or plan.duration_s != duration_s or abs(plan.cost - cost) > 0.02:
        params = {"distance_m": distance_m, "duration_s": duration_s, "cost": cost}
        yield Violation("wrong_total", "", params)
