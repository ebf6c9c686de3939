"""Times for a fixed order of visits, exactly.

Every rule of a route has the form "x_j is at least f(x_i)" with f rising (drive and serve, ride limit, shift,
duration, wait for the next window). Solutions of such a system are closed under the element-wise minimum and
maximum, so there is one earliest and one latest schedule, and pushing bounds until nothing moves finds them;
when a bound passes its window the order is infeasible. Several windows per visit stay exact. A circle of rules
that pushes for ever is recognised by the number of rounds (Bellman and Ford's argument, once per window).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from routing.instance import FOREVER, Instance, Spans, Visit
from routing.pace import Pace
from routing.problem import Break, Courier

Times = list[int]

ENDS, BREAK = "ends", "break"
"""Marks of nodes that are no visit."""


@dataclass(frozen=True, slots=True)
class Line:
    """One route as rules: node 0 leaves the start, the last node is back, between them visits and breaks.

    ``spans[k]``: when node k may start; ``stay_s[k]``: how long it takes; ``drive_s[k]``: the way on to node
    k + 1 at the table's speed, ``visit_s[k]`` what arriving there costs. ``rows[k]``: where it is, by matrix row.
    ``marks[k]``: the visit made there, ``ENDS`` or ``BREAK``.
    ``rides``: (pickup node, delivery node, greatest difference of their starts). ``deliveries``: their nodes.
    """

    spans: tuple[Spans, ...]
    stay_s: tuple[int, ...]
    drive_s: tuple[int, ...]
    visit_s: tuple[int, ...]
    rows: tuple[int, ...]
    marks: tuple[Visit | str, ...]
    rides: tuple[tuple[int, int, int], ...]
    deliveries: tuple[int, ...]
    pace: Pace
    gap_s: tuple[int, ...]
    """Least time from each node's start to the next one's while the speed is constant."""

    def reached_s(self, node: int, start_s: int) -> int:
        """When the next node can start if ``node`` starts then."""
        return self.pace.arrival(start_s + self.stay_s[node], self.drive_s[node]) + self.visit_s[node]

    def left_s(self, node: int, start_s: int) -> int:
        """When ``node`` must start at the latest for the next one to start then."""
        return self.pace.departure(start_s - self.visit_s[node], self.drive_s[node]) - self.stay_s[node]


Placed = Mapping[int, tuple[Break, ...]]
"""Breaks by place: ``2k`` before driving on from visit k (0 = the start), ``2k + 1`` after arriving where the next
is."""


def line_of(instance: Instance, courier: int, visits: Sequence[Visit], placed: Placed | None = None) -> Line:
    """The rules for ``courier`` making ``visits`` in this order (capacity and skills are not times)."""
    person = instance.couriers[courier]
    shift: Spans = ((person.shift_start_s, person.shift_end_s),)
    marks: list[Visit | str] = [ENDS, *visits, ENDS]
    rows = [instance.start_row[courier], *map(instance.row_of, visits), instance.end_row[courier]]
    spans: list[Spans] = [shift, *map(instance.spans_of, visits), shift]
    stay_s = [0, *map(instance.service_s, visits), 0]
    visit_s = [instance.visit_s[b] if a != b else 0 for a, b in pairwise(rows)]
    visit_s[-1] = 0
    for place in sorted(placed or (), reverse=True):
        before, inside = divmod(place, 2)
        for item in reversed((placed or {})[place]):
            marks.insert(before + 1, BREAK)
            rows.insert(before + 1, rows[before + 1] if inside else rows[before])
            spans.insert(before + 1, ((item.earliest_s, item.latest_s),))
            stay_s.insert(before + 1, item.duration_s)
            visit_s.insert(before, 0)
    travel_s = instance.travel_s
    drive_s = [travel_s[a][b] for a, b in pairwise(rows)]
    return Line(
        spans=tuple(spans),
        stay_s=tuple(stay_s),
        drive_s=tuple(drive_s),
        visit_s=tuple(visit_s),
        rows=tuple(rows),
        marks=tuple(marks),
        rides=_rides(instance, person, marks),
        deliveries=tuple(node for node, mark in enumerate(marks) if isinstance(mark, int) and mark < 0),
        pace=instance.pace,
        gap_s=tuple([a + b + c for a, b, c in zip(stay_s, drive_s, visit_s, strict=False)]),
    )


def _rides(instance: Instance, person: Courier, marks: Sequence[Visit | str]) -> tuple[tuple[int, int, int], ...]:
    """Longest rides of what is fetched, and the longest duration of the route."""
    node_of: dict[int, int] = {}
    rides: list[tuple[int, int, int]] = []
    for node, mark in enumerate(marks):
        if not isinstance(mark, int):
            continue
        if mark >= 0:
            node_of[mark] = node
            continue
        limit = instance.requests[~mark].max_ride_s
        if limit is not None and instance.aboard_of[~mark] is None:
            rides.append((node_of[~mark], node, limit + instance.service_s(~mark)))
    if person.max_duration_s is not None:
        rides.append((0, len(marks) - 1, person.max_duration_s))
    return tuple(rides)


def earliest(line: Line) -> Times | None:
    """The earliest start of every node, or None when the order cannot be kept."""
    times = [-1] * len(line.spans)
    if not _forward(line, times, 0, 0):
        return None
    for _ in range(_rounds(line)):
        moved = False
        for pickup, delivery, limit in line.rides:
            bound = times[delivery] - limit
            if times[pickup] < bound:
                if not _forward(line, times, pickup, bound):
                    return None
                moved = True
        if not moved:
            return times
    return None


def latest(line: Line) -> Times | None:
    """The latest start of every node, or None when the order cannot be kept."""
    times = [FOREVER[1] + 1] * len(line.spans)
    if not _backward(line, times, len(times) - 1, FOREVER[1]):
        return None
    for _ in range(_rounds(line)):
        moved = False
        for pickup, delivery, limit in line.rides:
            bound = times[pickup] + limit
            if times[delivery] > bound:
                if not _backward(line, times, delivery, bound):
                    return None
                moved = True
        if not moved:
            return times
    return None


def plan_times(line: Line) -> Times | None:
    """The schedule that is driven, or None when the order cannot be kept.

    Back as early as possible, then leaving as late as possible (fewest paid hours), then every other visit
    as early as that allows, then the pickups as late as the deliveries allow: specimens wait in a fridge
    rather than in a car.
    """
    first = earliest(line)
    if first is None:
        return None
    tight = latest(_fixed(line, {len(first) - 1: first[-1]}))
    if tight is None:
        return None
    last = len(first) - 1
    ends = {0: tight[0], last: first[last]}
    early = earliest(_fixed(line, ends))
    if early is None:
        return None
    return latest(_fixed(line, {**ends, **{node: early[node] for node in line.deliveries}}))


def _fixed(line: Line, hold: dict[int, int]) -> Line:
    spans = list(line.spans)
    for node, time in hold.items():
        spans[node] = ((time, time),)
    return replace(line, spans=tuple(spans))


def _rounds(line: Line) -> int:
    """More rounds than this mean a circle that pushes for ever; while the speed changes, each moves a second."""
    jumps = sum(len(spans) - 1 for spans in line.spans if spans)
    return (len(line.rides) + 1) * (jumps + 1 + line.pace.last_change_s) + 1


def _not_before(spans: Spans, time: int) -> int:
    """The first allowed moment from ``time`` on, -1 when there is none."""
    for start, end in spans:
        if time <= end:
            return max(start, time)
    return -1


def _not_after(spans: Spans, time: int) -> int:
    """The last allowed moment up to ``time``, -1 when there is none."""
    for start, end in reversed(spans):
        if time >= start:
            return min(end, time)
    return -1


def _forward(line: Line, times: Times, node: int, bound: int) -> bool:
    """Raise ``node`` to ``bound`` and all after it as the ways demand. False when a window is passed."""
    spans, gaps, steady, last = line.spans, line.gap_s, line.pace.constant, len(times) - 1
    start = node
    while True:
        time = _not_before(spans[node], bound)
        if time < 0:
            return False
        if time <= times[node] and node > start:
            return True
        times[node] = max(time, times[node])
        if node == last:
            return True
        bound = times[node] + gaps[node] if steady else line.reached_s(node, times[node])
        node += 1


def _backward(line: Line, times: Times, node: int, bound: int) -> bool:
    spans, gaps, steady = line.spans, line.gap_s, line.pace.constant
    start = node
    while True:
        time = _not_after(spans[node], bound)
        if time < 0:
            return False
        if time >= times[node] and node < start:
            return True
        times[node] = min(time, times[node])
        if node == 0:
            return True
        bound = times[node] - gaps[node - 1] if steady else line.left_s(node - 1, times[node])
        node -= 1
