"""Fixed rounds (定时定点): a weekly timetable from history, and a day's plan as changes against it.

    week = demand(history)                             # what each weekday asks for, with how often it does
    table = timetable(week, base, plan_of)             # a plan for each weekday: '09:40 ± 10' for each pickup
    problem = promise(problem, table, weekday, 15.0)   # the day keeps to it unless a change saves more than 15
    plan = solve(problem)                              # as ever
    for change in changes(problem, plan, table, weekday): ...

A past pickup is the :class:`~routing.problem.Request` as it was asked on its day. Weekdays: 0 = Monday.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from routing.plan import Kind, Plan
from routing.problem import Problem, Request

ROUND_TO_S = 300
TOLERANCE_S = 600
MIN_FREQUENCY = 0.5
"""Fetched on less than half of the weeks: not a round, but a call."""


@dataclass(frozen=True, slots=True)
class Past:
    """A pickup as it was asked on ``day`` (YYYY-MM-DD), and when it was made, where that is known."""

    day: str
    weekday: int
    request: Request
    picked_s: int | None = None


@dataclass(frozen=True, slots=True)
class Demand:
    """What one weekday asks for: ``request`` has robust limits and loads of ``days`` of ``of_days`` such days.

    ``usual_s``: the median time of the pickup, where it was recorded. ``frequency`` = days ÷ of_days.
    """

    weekday: int
    request: Request
    days: int
    of_days: int
    usual_s: int | None

    @property
    def frequency(self) -> float:
        """Share of the weeks in which it was asked for."""
        return self.days / self.of_days


@dataclass(frozen=True, slots=True)
class Appointment:
    """A line of the timetable: at ``site_id`` on ``weekday`` at ``pickup_s`` ± ``tolerance_s``, by ``courier_id``."""

    weekday: int
    site_id: str
    destination: str
    pickup_s: int
    tolerance_s: int
    courier_id: str
    frequency: float
    request_id: str


@dataclass(frozen=True, slots=True)
class Timetable:
    """All appointments of the week in order of time, and what no plan could serve (ids of ``Demand.request``)."""

    appointments: tuple[Appointment, ...]
    unserved: tuple[str, ...] = ()

    def on(self, weekday: int) -> list[Appointment]:
        """The appointments of one weekday, in order of time."""
        return [one for one in self.appointments if one.weekday == weekday]


class ChangeKind(StrEnum):
    """How a day differs from the timetable."""

    MOVED = "moved"
    OTHER_COURIER = "other_courier"
    ADDED = "added"
    DROPPED = "dropped"
    UNSERVED = "unserved"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. ``from_s``/``from_courier_id``: the timetable's; ``to_s``/``to_courier_id``: the day's."""

    kind: ChangeKind
    site_id: str
    request_id: str = ""
    from_s: int | None = None
    to_s: int | None = None
    from_courier_id: str = ""
    to_courier_id: str = ""


def demand(history: Sequence[Past], min_frequency: float = MIN_FREQUENCY) -> list[Demand]:
    """What each weekday asks for again and again, in order of weekday and ready time.

    Several pickups a day from one site to one laboratory are told apart by their time of day. A day counts as
    observed when anything at all was fetched on it, so that holidays do not thin the rounds.
    """
    days: dict[int, set[str]] = defaultdict(set)
    lanes: dict[tuple[int, str, str], dict[str, list[Past]]] = defaultdict(lambda: defaultdict(list))
    for past in history:
        days[past.weekday].add(past.day)
        key = (past.weekday, past.request.pickup_site, past.request.delivery_site)
        lanes[key][past.day].append(past)
    found: list[Demand] = []
    for (weekday, site, destination), by_day in lanes.items():
        for number, group in enumerate(_rounds(by_day), 1):
            seen = len({past.day for past in group})
            if seen >= min_frequency * len(days[weekday]):
                name = f"W{weekday + 1}-{site}-{destination}-{number}"
                found.append(_demand(name, weekday, group, seen, len(days[weekday])))
    return sorted(found, key=lambda one: (one.weekday, one.request.ready_s, one.request.id))


def _when(past: Past) -> int:
    return past.request.ready_s if past.picked_s is None else past.picked_s


def _rounds(by_day: Mapping[str, Sequence[Past]]) -> list[list[Past]]:
    """The pickups of one lane, by round: as many rounds as the median day has, each around its usual time."""
    everything = [past for pasts in by_day.values() for past in pasts]
    count = max(1, round(float(np.median([len(pasts) for pasts in by_day.values()]))))
    times = np.array([_when(past) for past in everything], dtype=np.float64)
    middles = np.quantile(times, (np.arange(count) + 0.5) / count)
    nearest = np.zeros(len(times), dtype=np.int64)
    for _ in range(25):
        nearest = np.abs(times[:, None] - middles[None, :]).argmin(axis=1)
        fresh = np.array([np.median(times[nearest == i]) if (nearest == i).any() else middles[i] for i in range(count)])
        if (fresh == middles).all():
            break
        middles = fresh
    groups = [[past for past, at in zip(everything, nearest, strict=True) if at == i] for i in range(count)]
    return [group for group in groups if group]


def _demand(name: str, weekday: int, group: Sequence[Past], seen: int, of_days: int) -> Demand:
    """Limits that hold on most days: ready on four of five, due and load likewise."""
    requests = [past.request for past in group]
    picked = [past.picked_s for past in group if past.picked_s is not None]
    ready_s = _quantile((one.ready_s for one in requests), 0.8)
    rides = [one.max_ride_s for one in requests if one.max_ride_s is not None]
    classes = sorted({name for one in requests for name in one.load})
    typical = replace(
        requests[-1],
        id=name,
        load={kind: _quantile((one.load.get(kind, 0) for one in requests), 0.8) for kind in classes},
        ready_s=ready_s,
        latest_pickup_s=max(ready_s, _quantile((one.latest_pickup_s for one in requests), 0.2)),
        due_s=_quantile((one.due_s for one in requests), 0.2),
        max_ride_s=_quantile(rides, 0.2) if rides else None,
        promised_courier_id=None,
        promised_pickup_s=None,
        aboard_of=None,
        aboard_since_s=None,
        change_cost=0.0,
    )
    return Demand(weekday, typical, seen, of_days, _quantile(picked, 0.5) if picked else None)


def _quantile(values: Iterable[int], share: float) -> int:
    return int(np.quantile(list(values), share, method="nearest"))


def timetable(
    week: Sequence[Demand],
    base: Problem,
    plan_of: Callable[[Problem], Plan],
    *,
    round_to_s: int = ROUND_TO_S,
    tolerance_s: int = TOLERANCE_S,
) -> Timetable:
    """A plan for each weekday with demand, as appointments. ``base``: the sites, couriers and travel of any day.

    Times are rounded to ``round_to_s`` so that people can remember them, never out of the pickup's own window.
    """
    appointments: list[Appointment] = []
    unserved: list[str] = []
    for weekday in sorted({one.weekday for one in week}):
        asked = {one.request.id: one for one in week if one.weekday == weekday}
        problem = replace(
            base, requests=tuple(one.request for one in asked.values()), name=f"{base.name} W{weekday + 1}".strip()
        )
        plan = plan_of(problem)
        unserved += [item.request_id for item in plan.unserved]
        for courier, name, at_s in pickups(plan):
            wish = asked[name].request
            rounded = round(at_s / round_to_s) * round_to_s
            appointments.append(
                Appointment(
                    weekday=weekday,
                    site_id=wish.pickup_site,
                    destination=wish.delivery_site,
                    pickup_s=max(wish.ready_s, min(wish.latest_pickup_s, rounded)),
                    tolerance_s=tolerance_s,
                    courier_id=courier,
                    frequency=round(asked[name].frequency, 3),
                    request_id=name,
                )
            )
    ordered = sorted(appointments, key=lambda one: (one.weekday, one.pickup_s, one.site_id))
    return Timetable(tuple(ordered), tuple(unserved))


def pickups(plan: Plan) -> list[tuple[str, str, int]]:
    """Courier, request and start of every pickup of a plan."""
    return [
        (route.courier_id, service.request_id, service.start_s)
        for route in plan.routes
        for stop in route.stops
        for service in stop.services
        if service.kind is Kind.PICKUP
    ]


def matched(problem: Problem, table: Timetable, weekday: int) -> dict[str, Appointment]:
    """Which request of the day each appointment stands for: same site and laboratory, nearest in time, each once.

    A request whose window does not reach the appointment ± its tolerance is a call of its own.
    """
    pairs = sorted(
        (
            (_apart(request, one), request.id, place)
            for place, one in enumerate(table.on(weekday))
            for request in problem.requests
            if (request.pickup_site, request.delivery_site) == (one.site_id, one.destination)
            and request.aboard_of is None
            and _apart(request, one) <= one.tolerance_s
        ),
    )
    appointments = table.on(weekday)
    found: dict[str, Appointment] = {}
    taken: set[int] = set()
    for _, name, place in pairs:
        if name not in found and place not in taken:
            found[name] = appointments[place]
            taken.add(place)
    return found


def _apart(request: Request, one: Appointment) -> int:
    """Seconds from the appointment to the nearest moment at which the request can be picked up."""
    return max(0, request.ready_s - one.pickup_s, one.pickup_s - request.latest_pickup_s)


def promise(problem: Problem, table: Timetable, weekday: int, change_cost: float) -> Problem:
    """The same day with the timetable's promises: a change costs ``change_cost``, so it is made when it saves more.

    A promise by a courier who is not there today is one of time alone.
    """
    found = matched(problem, table, weekday)
    present = {courier.id for courier in problem.couriers}
    requests = [
        request
        if (one := found.get(request.id)) is None
        else replace(
            request,
            promised_courier_id=one.courier_id if one.courier_id in present else None,
            promised_pickup_s=one.pickup_s,
            promise_tolerance_s=one.tolerance_s,
            change_cost=change_cost,
        )
        for request in problem.requests
    ]
    return replace(problem, requests=tuple(requests))


def changes(problem: Problem, plan: Plan, table: Timetable, weekday: int) -> list[Change]:
    """How the day's plan differs from the timetable, in order of time; empty when it is driven as printed."""
    found = matched(problem, table, weekday)
    made = {name: (courier, at_s) for courier, name, at_s in pickups(plan)}
    differences: list[Change] = []
    for request in problem.requests:
        if request.aboard_of is not None:
            continue
        one, done = found.get(request.id), made.get(request.id)
        if done is None:
            differences.append(_change(ChangeKind.UNSERVED, request, one, done))
        elif one is None:
            differences.append(_change(ChangeKind.ADDED, request, one, done))
        elif done[0] != one.courier_id:
            differences.append(_change(ChangeKind.OTHER_COURIER, request, one, done))
        elif abs(done[1] - one.pickup_s) > one.tolerance_s:
            differences.append(_change(ChangeKind.MOVED, request, one, done))
    kept = {one.request_id for one in found.values()}
    differences += [
        Change(ChangeKind.DROPPED, one.site_id, "", one.pickup_s, None, one.courier_id)
        for one in table.on(weekday)
        if one.request_id not in kept
    ]
    return sorted(differences, key=lambda one: (one.to_s if one.to_s is not None else one.from_s or 0, one.site_id))


def _change(kind: ChangeKind, request: Request, one: Appointment | None, done: tuple[str, int] | None) -> Change:
    return Change(
        kind=kind,
        site_id=request.pickup_site,
        request_id=request.id,
        from_s=one.pickup_s if one else None,
        to_s=done[1] if done else None,
        from_courier_id=one.courier_id if one else "",
        to_courier_id=done[0] if done else "",
    )
