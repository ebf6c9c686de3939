"""From an order of visits to a route as people read it: stops with times, loads, legs, breaks and cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from routing.driven import Driven, driven, promise_broken
from routing.instance import Instance, Visit
from routing.plan import BreakTaken, Kind, Route, Service, Stop
from routing.schedule import BREAK


def build_route(instance: Instance, courier: int, visits: Sequence[Visit]) -> Route:
    """The route with its late-pickup schedule. Raises ValueError when the order cannot be kept."""
    way = driven(instance, courier, visits)
    if way is None:
        raise ValueError(f"courier {instance.couriers[courier].id}: this order cannot be kept")
    return _Builder(instance, courier, way).route()


def order_of(route: Route, number: Mapping[str, int]) -> tuple[Visit, ...]:
    """The visits of a route in order. ``number``: index of each request; those not in it are skipped."""
    return tuple(
        number[service.request_id] if service.kind is Kind.PICKUP else ~number[service.request_id]
        for stop in route.stops
        for service in stop.services
        if service.request_id in number
    )


def changed_promises(instance: Instance, routes: Iterable[Route]) -> tuple[str, ...]:
    """Requests of the routes that are not served as promised, in the order of the problem."""
    by: dict[str, str] = {}
    picked: dict[str, int] = {}
    for route in routes:
        for stop in route.stops:
            for service in stop.services:
                by[service.request_id] = route.courier_id
                if service.kind is Kind.PICKUP:
                    picked[service.request_id] = service.start_s
    return tuple(
        wish.id
        for wish in instance.requests
        if wish.id in by and promise_broken(wish, by[wish.id], picked.get(wish.id))
    )


class _Builder:
    """Walks along a driven line and writes down its stops."""

    def __init__(self, instance: Instance, courier: int, way: Driven) -> None:
        self.instance, self.person, self.way = instance, instance.couriers[courier], way
        self.row, self.left_s = instance.start_row[courier], way.times[0]
        self.end_row = instance.end_row[courier]
        self.stops: list[Stop] = []
        self.breaks: list[BreakTaken] = []
        self.arrive_s, self.leg = 0, (0, 0)
        self.services: list[Service] | None = None
        self.aboard = dict.fromkeys(instance.classes, 0)
        for mark in way.line.marks:
            if isinstance(mark, int) and mark < 0 and instance.aboard_of[~mark] is not None:
                self._shift_load(~mark, 1)

    def route(self) -> Route:
        line, times = self.way.line, self.way.times
        for node in range(1, len(times) - 1):
            row, mark = line.rows[node], line.marks[node]
            if row != self.row or (self.services is None and isinstance(mark, int)):
                self._arrive(row)
            end_s = times[node] + line.stay_s[node]
            if isinstance(mark, int):
                self._serve(mark, times[node], end_s)
            elif mark == BREAK:
                self.breaks.append(BreakTaken(times[node], end_s))
            self.left_s = end_s
        self._depart()
        back_s, back_m = self._way(self.end_row)
        distance_m = sum(stop.distance_m for stop in self.stops) + back_m
        return Route(
            courier_id=self.person.id,
            start_site=self.person.start_site,
            end_site=self.person.end_site,
            start_s=times[0],
            end_s=times[-1],
            stops=tuple(self.stops),
            return_travel_s=back_s,
            return_distance_m=back_m,
            distance_m=distance_m,
            drive_s=sum(stop.travel_s for stop in self.stops) + back_s,
            cost=round(self.way.cost, 2),
            breaks=tuple(self.breaks),
        )

    def _way(self, row: int) -> tuple[int, int]:
        """Seconds at this hour and metres from here."""
        drive_s = self.instance.travel_s[self.row][row]
        return self.instance.pace.arrival(self.left_s, drive_s) - self.left_s, self.instance.distance_m[self.row][row]

    def _arrive(self, row: int) -> None:
        self._depart()
        self.leg = self._way(row)
        self.arrive_s, self.row, self.services = self.left_s + self.leg[0], row, []

    def _serve(self, visit: Visit, start_s: int, end_s: int) -> None:
        request = visit if visit >= 0 else ~visit
        kind = Kind.PICKUP if visit >= 0 else Kind.DELIVERY
        self._shift_load(request, 1 if visit >= 0 else -1)
        if self.services is not None:
            self.services.append(Service(self.instance.requests[request].id, kind, start_s, end_s))

    def _depart(self) -> None:
        if self.services:
            stop = Stop(
                site_id=self.instance.matrix.site_ids[self.row],
                arrive_s=self.arrive_s,
                start_s=self.services[0].start_s,
                depart_s=self.left_s,
                services=tuple(self.services),
                load_after=dict(self.aboard),
                travel_s=self.leg[0],
                distance_m=self.leg[1],
            )
            self.stops.append(stop)
        self.services = None

    def _shift_load(self, request: int, sign: int) -> None:
        for name, slots in zip(self.instance.classes, self.instance.load[request], strict=True):
            self.aboard[name] += sign * slots
