"""Where one more request can stand in a route: every place that is not ruled out at a glance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from routing.instance import FOREVER, Instance, Visit
from routing.schedule import Line, Times, earliest, latest, line_of


def orders(instance: Instance, courier: int, visits: Sequence[Visit], request: int) -> Iterator[tuple[Visit, ...]]:
    """The orders that add the request's pickup and delivery to the route without changing the rest.

    Left out are those that break a promise to somebody else however far this request's own limits and the
    courier's shift are stretched: an arrival too late for the latest schedule of what comes next. Of what is
    aboard already only the delivery is added.
    """
    screen = _Screen(instance, courier, visits, request)
    if instance.aboard_of[request] is not None:
        for j in range(len(visits) + 1):
            if screen.delivery_may_follow(-1, j):
                yield (*visits[:j], ~request, *visits[j:])
        return
    for i in range(len(visits) + 1):
        if not screen.pickup_may_follow(i):
            continue
        for j in range(i, len(visits) + 1):
            if screen.delivery_may_follow(i, j):
                yield (*visits[:i], request, *visits[i:j], ~request, *visits[j:])


class _Screen:
    """Earliest and latest times of the route as it is, against one insertion, in constant time each.

    Node numbers are those of the schedule: 0 the start, k the visit k - 1, the last one the end.
    """

    def __init__(self, instance: Instance, courier: int, visits: Sequence[Visit], request: int) -> None:
        self._instance = instance
        self._request = request
        self._end = len(visits) + 1
        line = _stretched(line_of(instance, courier, visits))
        self._early: Times | None = earliest(line)
        self._late: Times | None = latest(line)
        self._rows: list[int] = [instance.start_row[courier], *map(instance.row_of, visits), instance.end_row[courier]]
        self._stay_s = line.stay_s
        self._pickup_s = 0

    def _hop(self, left_s: int, origin: int, row: int) -> int:
        """When one can serve at ``row`` that leaves ``origin`` then."""
        there_s = self._instance.pace.arrival(left_s, self._instance.travel_s[origin][row])
        return there_s + (self._instance.visit_s[row] if origin != row else 0)

    def pickup_may_follow(self, node: int) -> bool:
        """Can what comes after ``node`` still be reached when the pickup is made in between?"""
        if self._early is None or self._late is None:
            return False
        instance, row = self._instance, self._instance.pickup_row[self._request]
        arrive_s = self._hop(self._early[node] + self._stay_s[node], self._rows[node], row)
        self._pickup_s = max(arrive_s, instance.requests[self._request].ready_s)
        return self._reaches(self._pickup_s + instance.service_s(self._request), row, node + 1)

    def delivery_may_follow(self, pickup_after: int, node: int) -> bool:
        """The same for the delivery after ``node``, the pickup being made after ``pickup_after`` (-1 = aboard)."""
        if self._early is None:
            return False
        instance, row = self._instance, self._instance.delivery_row[self._request]
        if pickup_after == node:
            left_s, origin = self._pickup_s + instance.service_s(self._request), instance.pickup_row[self._request]
        else:
            left_s, origin = self._early[node] + self._stay_s[node], self._rows[node]
        done_s = self._hop(left_s, origin, row) + instance.service_s(~self._request)
        return self._reaches(done_s, row, node + 1)

    def _reaches(self, left_s: int, row: int, node: int) -> bool:
        if self._late is None:
            return False
        return node == self._end or self._hop(left_s, row, self._rows[node]) <= self._late[node]


def _stretched(line: Line) -> Line:
    """Without the end of the shift and the longest duration."""
    last = len(line.spans) - 1
    begin = ((line.spans[0][0][0], FOREVER[1]),)
    rides = tuple(limit for limit in line.rides if limit[:2] != (0, last))
    return replace(line, spans=(begin, *line.spans[1:-1], begin), rides=rides)


def loads_hold(instance: Instance, capacity: Sequence[int], visits: Sequence[Visit]) -> bool:
    """True when no temperature class ever holds more than ``capacity`` (slots, in order of its classes)."""
    aboard = [0] * len(capacity)
    for request in _loaded(instance, visits):
        for index, slots in enumerate(instance.load[request]):
            aboard[index] += slots
    if any(slots > room for slots, room in zip(aboard, capacity, strict=True)):
        return False
    for visit in visits:
        load = instance.load[visit if visit >= 0 else ~visit]
        for index, slots in enumerate(load):
            aboard[index] += slots if visit >= 0 else -slots
            if aboard[index] > capacity[index]:
                return False
    return True


def clash(instance: Instance, visits: Sequence[Visit]) -> tuple[int, int] | None:
    """The first request picked up while another that it may not meet is aboard, and that other."""
    if not instance.foes:
        return None
    aboard = list(_loaded(instance, visits))
    for visit in visits:
        if visit < 0:
            aboard.remove(~visit)
            continue
        foes = instance.foes.get(instance.requests[visit].load_kind, frozenset())
        for other in aboard:
            if instance.requests[other].load_kind in foes:
                return visit, other
        aboard.append(visit)
    return None


def _loaded(instance: Instance, visits: Sequence[Visit]) -> list[int]:
    """What the route delivers that is aboard when it begins."""
    return [~visit for visit in visits if visit < 0 and instance.aboard_of[~visit] is not None]


def drive_s(instance: Instance, courier: int, order: Sequence[Visit]) -> int:
    """Seconds at the wheel for these visits, from the start to the end site."""
    rows = [
        instance.start_row[courier],
        *(instance.row_of(visit) for visit in order),
        instance.end_row[courier],
    ]
    return sum(instance.travel_s[a][b] for a, b in pairwise(rows))
