"""The problem as the kernels want it: numbers by index, windows cut to what counts, travel as plain lists."""

from __future__ import annotations

from collections.abc import Sequence

from routing.problem import HORIZON_S, Problem, Window
from routing.travel import TravelMatrix

Span = tuple[int, int]
Spans = tuple[Span, ...]
"""Closed spans in order, without overlap. Empty = never."""

FOREVER: Span = (0, 4 * HORIZON_S)
"""Reaches past every time that any route can produce."""

Visit = int
"""A place in a route: ``i`` is the pickup of request i, ``~i`` its delivery."""


def cut(windows: Sequence[Window], start_s: int, end_s: int) -> Spans:
    """The windows (none = always) within ``start_s … end_s``."""
    spans = [(window.start_s, window.end_s) for window in windows] or [FOREVER]
    return tuple((max(a, start_s), min(b, end_s)) for a, b in spans if max(a, start_s) <= min(b, end_s))


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
        self.pickup_row = [row[request.pickup_site] for request in self.requests]
        self.delivery_row = [row[request.delivery_site] for request in self.requests]
        self.pickup_spans = [cut(r.pickup_windows, r.ready_s, r.latest_pickup_s) for r in self.requests]
        self.receiving = [site_of[request.delivery_site].receiving_windows for request in self.requests]
        self.delivery_spans = [
            cut(windows, 0, request.due_s) for windows, request in zip(self.receiving, self.requests, strict=True)
        ]
        names = {name for request in self.requests for name, slots in request.load.items() if slots}
        self.classes = tuple(sorted(names))
        self.load = [[request.load.get(name, 0) for name in self.classes] for request in self.requests]
        self.capacity = [[c.capacity.get(name, 0) for name in self.classes] for c in self.couriers]

    def row_of(self, visit: Visit) -> int:
        """The matrix row of the site where the visit takes place."""
        return self.pickup_row[visit] if visit >= 0 else self.delivery_row[~visit]

    def service_s(self, visit: Visit) -> int:
        """How long the pickup or handover itself takes."""
        if visit >= 0:
            return self.requests[visit].pickup_service_s
        return self.requests[~visit].delivery_service_s

    def spans_of(self, visit: Visit) -> Spans:
        """When the service may start."""
        return self.pickup_spans[visit] if visit >= 0 else self.delivery_spans[~visit]
