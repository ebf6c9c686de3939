"""The schedule that is driven: where the breaks are taken, and what it costs.

Every break is tried before leaving, after being back, and at each stop (before driving on, or after arriving);
of the ways that hold, the cheapest is driven. Lateness and promises are measured on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from routing.instance import Instance, Visit
from routing.problem import Break, Request
from routing.schedule import Line, Placed, Times, earliest, latest, line_of, plan_times


@dataclass(frozen=True, slots=True)
class Driven:
    """A line with the times at which its nodes start and its cost in all."""

    line: Line
    times: Times
    cost: float

    @property
    def starts(self) -> dict[Visit, int]:
        """When each visit's service starts."""
        pairs = zip(self.line.marks, self.times, strict=True)
        return {mark: time for mark, time in pairs if isinstance(mark, int)}


def driven(instance: Instance, courier: int, visits: Sequence[Visit]) -> Driven | None:
    """The cheapest way to drive this order, None when it cannot be kept. Loads and skills are not looked at."""
    best: Driven | None = None
    for line in lines(instance, courier, visits):
        times = plan_times(line)
        if times is None:
            continue
        cost = cost_of(instance, courier, line, times)
        if best is None or cost < best.cost - 1e-9:
            best = Driven(line, times, cost)
    return best


def holds(instance: Instance, courier: int, visits: Sequence[Visit]) -> bool:
    """Whether the order can be kept with all breaks. Loads and skills are not looked at."""
    return any(earliest(line) is not None for line in lines(instance, courier, visits))


Change = Callable[[Line], Line]


def as_it_is(line: Line) -> Line:
    """No change."""
    return line


def lines(
    instance: Instance,
    courier: int,
    visits: Sequence[Visit],
    change: Change = as_it_is,
    breaks: Sequence[Break] | None = None,
) -> Iterator[Line]:
    """The order with its breaks in every way that is not ruled out at a glance.

    ``change``: lifts limits of each line; ``breaks``: other ones than the courier's own.
    """
    plain = change(line_of(instance, courier, visits))
    if breaks is None:
        breaks = instance.couriers[courier].breaks
    if not breaks:
        yield plain
        return
    early, late = earliest(plain), latest(plain)
    if early is None or late is None:
        return
    for before in range(len(breaks) + 1):
        for after in range(len(breaks), before - 1, -1):
            leave_s = breaks[before - 1].earliest_s + breaks[before - 1].duration_s if before else 0
            back_s = breaks[after].latest_s if after < len(breaks) else late[-1]
            if leave_s > late[0] or back_s < early[-1]:
                continue
            for placed in _placings(plain, early, late, breaks[before:after]):
                yield _within(change(line_of(instance, courier, visits, placed)), leave_s, back_s)


def _placings(line: Line, early: Times, late: Times, breaks: Sequence[Break]) -> Iterator[Placed]:
    if not breaks:
        yield {}
        return
    places = [_places(line, early, late, item) for item in breaks]
    for choice in _rising(places, 0):
        placed: dict[int, tuple[Break, ...]] = {}
        for item, place in zip(breaks, choice, strict=True):
            placed[place] = (*placed.get(place, ()), item)
        yield placed


def _places(line: Line, early: Times, late: Times, item: Break) -> list[int]:
    """Where this break alone would not push what comes next past its latest start.

    Not before the first drive and not after the last: before leaving and after being back is never worse.
    """
    found = []
    last = len(early) - 1
    for node in range(last):
        free_s = early[node] + line.stay_s[node]
        if node > 0:
            done_s = max(free_s, item.earliest_s) + item.duration_s
            fits = max(free_s, item.earliest_s) <= item.latest_s
            if fits and line.pace.arrival(done_s, line.drive_s[node]) + line.visit_s[node] <= late[node + 1]:
                found.append(2 * node)
        if node + 1 < last:
            there_s = max(line.pace.arrival(free_s, line.drive_s[node]), item.earliest_s)
            if there_s <= item.latest_s and there_s + item.duration_s + line.visit_s[node] <= late[node + 1]:
                found.append(2 * node + 1)
    return found


def _rising(places: Sequence[Sequence[int]], least: int) -> Iterator[tuple[int, ...]]:
    if not places:
        yield ()
        return
    for place in places[0]:
        if place >= least:
            for rest in _rising(places[1:], place):
                yield (place, *rest)


def _within(line: Line, leave_s: int, back_s: int) -> Line:
    """Leaving not before the breaks taken at home, back in time for those that come after."""
    ((start_s, first_end_s),), ((last_start_s, end_s),) = line.spans[0], line.spans[-1]
    first, last = (max(start_s, leave_s), first_end_s), (last_start_s, min(end_s, back_s))
    begin = (first,) if first[0] <= first[1] else ()
    end = (last,) if last[0] <= last[1] else ()
    return replace(line, spans=(begin, *line.spans[1:-1], end))


def cost_of(instance: Instance, courier: int, line: Line, times: Times) -> float:
    """Fixed, kilometres, hours, lateness at soft cut-offs and changed promises of a driven line."""
    person = instance.couriers[courier]
    metres = sum(instance.distance_m[a][b] for a, b in pairwise(line.rows))
    cost = person.cost_fixed + person.cost_per_km * metres / 1000
    cost += person.cost_per_hour * (times[-1] - times[0]) / 3600
    picked: dict[int, int] = {}
    for mark, time in zip(line.marks, times, strict=True):
        if not isinstance(mark, int):
            continue
        if mark >= 0:
            picked[mark] = time
            continue
        wish = instance.requests[~mark]
        cost += late_cost(wish, time)
        if promise_broken(wish, person.id, picked.get(~mark)):
            cost += wish.change_cost
    return cost


def late_cost(request: Request, delivery_s: int) -> float:
    """What a delivery that starts then costs beyond its soft cut-off."""
    if request.soft_due_s is None:
        return 0.0
    return max(0, delivery_s - request.soft_due_s) * request.late_cost_per_hour / 3600


def promise_broken(request: Request, courier_id: str, pickup_s: int | None) -> bool:
    """Whether serving it so is not what was promised. ``pickup_s`` None = aboard already, no pickup is made."""
    if request.promised_courier_id not in {None, courier_id}:
        return True
    if request.promised_pickup_s is None or pickup_s is None:
        return False
    return abs(pickup_s - request.promised_pickup_s) > request.promise_tolerance_s
