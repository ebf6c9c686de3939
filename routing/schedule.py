"""Times for a fixed order of visits, exactly.

Every rule of a route has the form "x_j is at least f(x_i)" with f rising (drive and serve, ride limit, shift,
duration, wait for the next window). Solutions of such a system are closed under the element-wise minimum and
maximum, so there is one earliest and one latest schedule, and pushing bounds until nothing moves finds them;
when a bound passes its window the order is infeasible. Several windows per visit stay exact. A circle of rules
that pushes for ever is recognised by the number of rounds (Bellman and Ford's argument, once per window).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from routing.instance import FOREVER, Instance, Spans, Visit

Times = list[int]


@dataclass(frozen=True, slots=True)
class Line:
    """One route as rules: node 0 leaves the start, the last node is back, between them the visits.

    ``spans[k]``: when node k may start. ``gap_s[k]``: least time from node k's start to node k+1's.
    ``rides``: (pickup node, delivery node, greatest difference of their starts). ``deliveries``: their nodes.
    """

    spans: tuple[Spans, ...]
    gap_s: tuple[int, ...]
    rides: tuple[tuple[int, int, int], ...]
    deliveries: tuple[int, ...] = ()


def line_of(instance: Instance, courier: int, visits: Sequence[Visit]) -> Line:
    """The rules for ``courier`` making ``visits`` in this order (capacity and skills are not times)."""
    person = instance.couriers[courier]
    shift: Spans = ((person.shift_start_s, person.shift_end_s),)
    spans: list[Spans] = [shift]
    gaps: list[int] = []
    rides: list[tuple[int, int, int]] = []
    node_of: dict[int, int] = {}
    here, service = instance.start_row[courier], 0
    for node, visit in enumerate(visits, start=1):
        there = instance.row_of(visit)
        gaps.append(service + instance.hop_s[here][there])
        spans.append(instance.spans_of(visit))
        here, service = there, instance.service_s(visit)
        if visit >= 0:
            node_of[visit] = node
        else:
            limit = instance.requests[~visit].max_ride_s
            if limit is not None:
                pickup = node_of[~visit]
                rides.append((pickup, node, limit + instance.service_s(~visit)))
    gaps.append(service + instance.travel_s[here][instance.end_row[courier]])
    spans.append(shift)
    if person.max_duration_s is not None:
        rides.append((0, len(spans) - 1, person.max_duration_s))
    deliveries = tuple(node for node, visit in enumerate(visits, start=1) if visit < 0)
    return Line(tuple(spans), tuple(gaps), tuple(rides), deliveries)


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
    jumps = sum(len(spans) - 1 for spans in line.spans if spans)
    return (len(line.rides) + 1) * (jumps + 1) + 1


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
    """Raise ``node`` to ``bound`` and all after it as the gaps demand. False when a window is passed."""
    spans, gaps, last = line.spans, line.gap_s, len(times) - 1
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
        bound = times[node] + gaps[node]
        node += 1


def _backward(line: Line, times: Times, node: int, bound: int) -> bool:
    spans, gaps = line.spans, line.gap_s
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
        bound = times[node] - gaps[node - 1]
        node -= 1
