"""Changing a plan by hand, exactly: where a request may stand in a route, what that costs, which rule it would break.

Every place is tried with the exact schedule. A place that holds is answered with the routes as they would be
driven; one that does not, with each broken rule and by how many seconds, all upper limits being lifted to see it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from routing import driven
from routing.insertion import clash, drive_s, loads_hold
from routing.instance import FOREVER, Instance, Visit
from routing.schedule import Line, earliest, line_of

Visits = tuple[Visit, ...]
_MOST = FOREVER[1]
MOST_EXPLAINED = 4
"""Orders whose broken rules are looked at, of those that put a request at one place and do not hold."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that an order breaks: its code, whose it is (a request, or None for the courier's) and by how much."""

    code: str
    request_id: str | None
    by_s: int


def without(visits: Sequence[Visit], requests: Collection[int]) -> Visits:
    """The order that is left when these requests are taken out."""
    return tuple(visit for visit in visits if (visit if visit >= 0 else ~visit) not in requests)


def may_serve(instance: Instance, courier: int, requests: Collection[int]) -> tuple[Broken, ...]:
    """What bars the courier from these requests wherever they stand: skills, or a vehicle that is too small."""
    person = instance.couriers[courier]
    found = []
    for request in sorted(requests):
        wish = instance.requests[request]
        if not wish.skills <= person.skills:
            found.append(Broken("no_skill", wish.id, 0))
        elif any(need > there for need, there in zip(instance.load[request], instance.capacity[courier], strict=True)):
            found.append(Broken("capacity_exceeded", wish.id, 0))
    return tuple(found)


def place(
    instance: Instance, courier: int, visits: Sequence[Visit], requests: Sequence[int], at: int
) -> tuple[Visits, tuple[Broken, ...]]:
    """Pickups of ``requests`` one after the other before ``visits[at]``, each delivery where that is best.

    With broken rules when no place of the deliveries holds: then the order that misses by least.
    """
    order: Visits = tuple(visits)
    broken: tuple[Broken, ...] = ()
    for number, request in enumerate(requests):
        order, broken = _least(instance, courier, _with_pickup_at(order, request, at + number))
    return order, broken


def deliver_at(
    instance: Instance, courier: int, visits: Sequence[Visit], requests: Collection[int], at: int
) -> tuple[Visits, tuple[Broken, ...]]:
    """The deliveries of ``requests`` moved together before ``visits[at]`` in the same route."""
    block = [visit for visit in visits if visit < 0 and ~visit in requests]
    before = [visit for visit in visits[:at] if visit not in block]
    after = [visit for visit in visits[at:] if visit not in block]
    order: Visits = (*before, *block, *after)
    early = {~visit for visit in block} - set(before)
    if early:
        return order, tuple(Broken("delivery_before_pickup", instance.requests[one].id, 0) for one in sorted(early))
    return order, strain(instance, courier, order)


def _with_pickup_at(visits: Visits, request: int, at: int) -> Iterator[Visits]:
    for j in range(at, len(visits) + 1):
        yield (*visits[:at], request, *visits[at:j], ~request, *visits[j:])


def _least(instance: Instance, courier: int, options: Iterator[Visits]) -> tuple[Visits, tuple[Broken, ...]]:
    """The order with the least driving of those that hold; if none holds, the one that misses by least.

    What misses is looked at only where the handover has company at its place, at once after the pickup, or last.
    """
    tried = sorted(options, key=lambda order: (drive_s(instance, courier, order), _seams(instance, order)))
    for order in tried:
        if holds(instance, courier, order):
            return order, ()
    fewest = min(_seams(instance, order) for order in tried)
    likely = [order for order in tried if _seams(instance, order) <= fewest] or tried
    missed = [(strain(instance, courier, order), order) for order in likely[:MOST_EXPLAINED]]
    broken, order = min(missed, key=lambda one: weight(one[0]))
    return order, broken


def _seams(instance: Instance, order: Visits) -> int:
    """Changes of place: of equal ways, the one with fewer stops."""
    return sum(instance.row_of(a) != instance.row_of(b) for a, b in pairwise(order))


def weight(broken: Sequence[Broken]) -> tuple[int, int]:
    """How far from holding, for order: first what seconds do not measure."""
    hard = sum(one.code in {"aboard_full", "limits_together"} for one in broken)
    return hard, sum(one.by_s for one in broken)


def holds(instance: Instance, courier: int, order: Sequence[Visit]) -> bool:
    """True when loads, breaks and every rule of time hold and nothing meets what it may not."""
    return (
        loads_hold(instance, instance.capacity[courier], order)
        and clash(instance, order) is None
        and driven.holds(instance, courier, order)
    )


def strain(instance: Instance, courier: int, order: Sequence[Visit]) -> tuple[Broken, ...]:
    """Every rule that this order breaks; nothing when it holds."""
    if holds(instance, courier, order):
        return ()
    if not loads_hold(instance, instance.capacity[courier], order):
        return (Broken("aboard_full", None, 0),)
    line = line_of(instance, courier, order)
    plain = earliest(line) is None  # else it is a break or company aboard, of which no seconds tell
    return (plain and (_windows(instance, line) or _rides(instance, line))) or (Broken("limits_together", None, 0),)


def _lifted(line: Line) -> Line:
    """Every node may start after its last window as well; rides and duration are free."""
    spans = tuple((*spans[:-1], (spans[-1][0], _MOST)) if spans else ((0, _MOST),) for spans in line.spans)
    return replace(line, spans=spans, rides=())


def _windows(instance: Instance, line: Line) -> tuple[Broken, ...]:
    """What begins after its window when everything goes as fast as it can: no order of these visits does better."""
    times = earliest(_lifted(line))
    if times is None:
        return (Broken("limits_together", None, 0),)
    found = []
    for node, visit in enumerate(line.marks):
        if not isinstance(visit, int):
            continue
        late_s = times[node] - (line.spans[node][-1][1] if line.spans[node] else 0)
        if late_s > 0:
            code = "late_pickup" if visit >= 0 else "late_delivery"
            found.append(Broken(code, instance.requests[visit if visit >= 0 else ~visit].id, late_s))
    over_s = times[-1] - line.spans[-1][-1][1]
    if over_s > 0:
        found.append(Broken("shift_end", None, over_s))
    return tuple(found)


def _rides(instance: Instance, line: Line) -> tuple[Broken, ...]:
    """Each window could be kept: the single ride or the duration whose lifting is enough, else all together."""
    for limit in line.rides:
        rest = tuple(one for one in line.rides if one is not limit)
        by_s = _least_over(replace(line, rides=rest), limit)
        if by_s is not None:
            if limit[:2] == (0, len(line.spans) - 1):
                return (Broken("duration", None, by_s),)
            return (Broken("ride", _whose(instance, line, limit[0]), by_s),)
    return (Broken("limits_together", None, 0),)


def _whose(instance: Instance, line: Line, node: int) -> str | None:
    visit = line.marks[node]
    return instance.requests[visit if visit >= 0 else ~visit].id if isinstance(visit, int) else None


def _least_over(line: Line, limit: tuple[int, int, int]) -> int | None:
    """By how much the limit must grow for the rest to hold, to the next minute; None when that is not enough."""
    if earliest(line) is None:
        return None
    low, high = 0, 1440
    while low < high:
        middle = (low + high) // 2
        longer = (limit[0], limit[1], limit[2] + middle * 60)
        if earliest(replace(line, rides=(*line.rides, longer))) is None:
            low = middle + 1
        else:
            high = middle
    return low * 60
