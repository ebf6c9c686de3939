"""The problem as the kernels want it: numbers by index, windows cut to what counts, travel as plain lists."""

from __future__ import annotations

from collections.abc import Sequence

from routing.pace import Pace
from routing.problem import HORIZON_S, Problem, Request, Window
from routing.travel import TravelMatrix

Span = tuple[int, int]
Spans = tuple[Span, ...]
"""Closed spans in order, without overlap. Empty = never."""

FOREVER: Span = (0, 4 * HORIZON_S)
"""Reaches past every time that any route can produce."""

Visit = int
"""A place in a route: ``i`` is the pickup of request i, ``~i`` its delivery (alone for what is aboard already)."""


def cut(windows: Sequence[Window], start_s: int, end_s: int) -> Spans:
    """The windows (none = always) within ``start_s … end_s``."""
    spans = [(window.start_s, window.end_s) for window in windows] or [FOREVER]
    return tuple((max(a, start_s), min(b, end_s)) for a, b in spans if max(a, start_s) <= min(b, end_s))


def last_delivery_s(request: Request) -> int:
    """When the delivery has to start at the latest: due, and for what is aboard already the end of its ride."""
    if request.aboard_of is None or request.aboard_since_s is None or request.max_ride_s is None:
        return request.due_s
    return min(request.due_s, request.aboard_since_s + request.max_ride_s)


class Instance:
    """A validated problem with its travel matrix, indexed. Treated as frozen once built."""

    def __init__(self, problem: Problem, travel: TravelMatrix) -> None:
        self.problem = problem
        self.matrix = travel
        self.requests = problem.requests
        self.couriers = problem.couriers
        row = {site_id: index for index, site_id in enumerate(travel.site_ids)}
        site_of = {site.id: site for site in problem.sites}
        self.travel_s: list[list[int]] = travel.travel_s.tolist()
        self.distance_m: list[list[int]] = travel.distance_m.tolist()
        visit_s = [site_of[site_id].visit_s if site_id in site_of else 0 for site_id in travel.site_ids]
        self.hop_s: list[list[int]] = [
            [seconds + (visit_s[j] if i != j else 0) for j, seconds in enumerate(line)]
            for i, line in enumerate(self.travel_s)
        ]
        """From leaving i to being ready to serve at j: travel and, at another site, its ``visit_s``."""
        self.visit_s = visit_s
        self.start_row = [row[courier.start_site] for courier in self.couriers]
        self.end_row = [row[courier.end_site] for courier in self.couriers]
        self.delivery_row = [row[request.delivery_site] for request in self.requests]
        number = {courier.id: index for index, courier in enumerate(self.couriers)}
        self.aboard_of = [None if r.aboard_of is None else number[r.aboard_of] for r in self.requests]
        """The courier whose box each request is in already; None = it waits to be fetched."""
        self.pickup_row = [
            row[r.pickup_site] if r.aboard_of is None else self.delivery_row[i] for i, r in enumerate(self.requests)
        ]
        self.pickup_spans = [
            cut(r.pickup_windows, r.ready_s, r.latest_pickup_s) if r.aboard_of is None else (FOREVER,)
            for r in self.requests
        ]
        self.receiving = [site_of[request.delivery_site].receiving_windows for request in self.requests]
        self.delivery_spans = [
            cut(windows, 0, last_delivery_s(request))
            for windows, request in zip(self.receiving, self.requests, strict=True)
        ]
        names = {name for request in self.requests for name, slots in request.load.items() if slots}
        self.classes = tuple(sorted(names))
        self.load = [[request.load.get(name, 0) for name in self.classes] for request in self.requests]
        self.capacity = [[c.capacity.get(name, 0) for name in self.classes] for c in self.couriers]
        self.pace = Pace(problem.speed_bands)
        self.foes: dict[str, frozenset[str]] = {}
        """Load kinds that each load kind may not meet aboard."""
        for one, other in (*problem.incompatible, *((b, a) for a, b in problem.incompatible)):
            self.foes[one] = self.foes.get(one, frozenset()) | {other}

    def row_of(self, visit: Visit) -> int:
        """The matrix row of the site where the visit takes place."""
        return self.pickup_row[visit] if visit >= 0 else self.delivery_row[~visit]

    def service_s(self, visit: Visit) -> int:
        """How long the pickup or handover itself takes."""
        if visit < 0:
            return self.requests[~visit].delivery_service_s
        return self.requests[visit].pickup_service_s if self.aboard_of[visit] is None else 0

    def may_serve(self, courier: int, request: int) -> bool:
        """Whether the courier is one who may have the request at all: skills, named couriers, load aboard."""
        person, wish = self.couriers[courier], self.requests[request]
        named = not wish.courier_ids or person.id in wish.courier_ids
        return named and wish.skills <= person.skills and self.aboard_of[request] in {None, courier}

    def spans_of(self, visit: Visit) -> Spans:
        """When the service may start."""
        return self.pickup_spans[visit] if visit >= 0 else self.delivery_spans[~visit]
