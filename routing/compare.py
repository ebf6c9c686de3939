"""What if: named changes to a problem, and two plans side by side.

changed = apply(problem, [AddCourier("C1"), MoveCutoff("LAB", 16 * 3600)])
compare(figures(problem, plan), figures(changed, other))        # rows: km, hours, couriers, on time, …
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from routing.plan import Plan
from routing.problem import HORIZON_S, Courier, Problem, ProblemError, Request, Site, Window
from routing.uncertainty import Odds


@dataclass(frozen=True, slots=True)
class CloseWindow:
    """``site`` neither hands out nor receives anything that starts strictly between ``start_s`` and ``end_s``."""

    site: str
    start_s: int
    end_s: int


@dataclass(frozen=True, slots=True)
class AddCourier:
    """``count`` more couriers with the vehicle, shift and skills of ``like``."""

    like: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class RemoveCourier:
    """``courier`` does not come."""

    courier: str


@dataclass(frozen=True, slots=True)
class MoveCutoff:
    """The laboratory ``site`` receives until ``to_s``.

    What was due at the old cut-off or later is due at the new one; what was due before (its stability ends) keeps
    its time. ``from_s``: the old cut-off; None = the end of the last receiving window, else the latest due time.
    """

    site: str
    to_s: int
    from_s: int | None = None


Change: TypeAlias = CloseWindow | AddCourier | RemoveCourier | MoveCutoff


def apply(problem: Problem, changes: Sequence[Change]) -> Problem:
    """The problem after all changes, in order.

    Raises :class:`ProblemError` ``unknown_site``, ``unknown_courier``, ``window_reversed`` or ``out_of_range`` with
    ``field`` = ``changes[i].…``.
    """
    for place, change in enumerate(changes):
        problem = _applied(problem, change, f"changes[{place}]")
    return problem


def _applied(problem: Problem, change: Change, where: str) -> Problem:
    if isinstance(change, AddCourier):
        if not 1 <= change.count <= 100:
            raise ProblemError("out_of_range", f"{where}.count", value=change.count, min=1, max=100)
        like = _courier(problem, change.like, f"{where}.like")
        return replace(problem, couriers=(*problem.couriers, *_more(problem, like, change.count)))
    if isinstance(change, RemoveCourier):
        _courier(problem, change.courier, f"{where}.courier")
        return replace(problem, couriers=tuple(one for one in problem.couriers if one.id != change.courier))
    if change.site not in {site.id for site in problem.sites}:
        raise ProblemError("unknown_site", f"{where}.site", site=change.site)
    return _closed(problem, change, where) if isinstance(change, CloseWindow) else _moved(problem, change, where)


def _courier(problem: Problem, name: str, where: str) -> Courier:
    for one in problem.couriers:
        if one.id == name:
            return one
    raise ProblemError("unknown_courier", where, courier=name)


def _more(problem: Problem, like: Courier, count: int) -> list[Courier]:
    known = {one.id for one in problem.couriers}
    names = (f"{like.id}+{number}" for number in range(1, len(known) + count + 1))
    return [replace(like, id=name) for name in [name for name in names if name not in known][:count]]


def _closed(problem: Problem, change: CloseWindow, where: str) -> Problem:
    if change.end_s <= change.start_s:
        raise ProblemError("window_reversed", f"{where}.end_s", start_s=change.start_s, end_s=change.end_s)
    requests = tuple(
        replace(one, pickup_windows=without(one.pickup_windows, change.start_s, change.end_s))
        if one.pickup_site == change.site and one.aboard_of is None
        else one
        for one in problem.requests
    )
    return replace(problem, requests=requests, sites=_sites(problem, change.site, change.start_s, change.end_s))


def _sites(problem: Problem, name: str, start_s: int, end_s: int) -> tuple[Site, ...]:
    return tuple(
        replace(site, receiving_windows=without(site.receiving_windows, start_s, end_s)) if site.id == name else site
        for site in problem.sites
    )


def without(windows: Sequence[Window], start_s: int, end_s: int) -> tuple[Window, ...]:
    """``windows`` (none = always) without what lies strictly between the two moments.

    Where nothing is left there would be no window, which means always: the moment 0 is kept instead.
    """
    left: list[Window] = []
    for window in windows or (Window(0, HORIZON_S),):
        if window.end_s <= start_s or window.start_s >= end_s:
            left.append(window)
            continue
        if window.start_s <= start_s:
            left.append(Window(window.start_s, start_s))
        if window.end_s >= end_s:
            left.append(Window(end_s, window.end_s))
    return tuple(left) or (Window(0, 0),)


def _moved(problem: Problem, change: MoveCutoff, where: str) -> Problem:
    if not 0 <= change.to_s <= HORIZON_S:
        raise ProblemError("out_of_range", f"{where}.to_s", value=change.to_s, min=0, max=HORIZON_S)
    site = next(one for one in problem.sites if one.id == change.site)
    dues = [one.due_s for one in problem.requests if one.delivery_site == change.site]
    last = site.receiving_windows[-1].end_s if site.receiving_windows else max(dues, default=change.to_s)
    old = last if change.from_s is None else change.from_s
    windows = site.receiving_windows
    if windows:
        kept = [one for one in windows[:-1] if one.start_s <= change.to_s]
        ends = [replace(one, end_s=min(one.end_s, change.to_s)) for one in kept]
        final = [Window(windows[-1].start_s, change.to_s)] if windows[-1].start_s <= change.to_s else []
        windows = (*ends, *final) or (Window(0, 0),)
    sites = tuple(replace(one, receiving_windows=windows) if one.id == site.id else one for one in problem.sites)
    requests = tuple(_due(one, old, change.to_s) if one.delivery_site == site.id else one for one in problem.requests)
    return replace(problem, sites=sites, requests=requests)


def _due(request: Request, old_s: int, new_s: int) -> Request:
    due_s = new_s if request.due_s >= old_s else min(request.due_s, new_s)
    soft = request.soft_due_s
    return replace(request, due_s=due_s, soft_due_s=min(soft, due_s) if soft is not None else None)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a dispatcher compares. ``on_time``: share of all requests in time by simulation; None = not simulated."""

    requests: int
    served: int
    couriers: int
    distance_km: float
    paid_h: float
    drive_h: float
    cost: float
    on_time: float | None = None
    late_h: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of both plans. ``better``: 'a', 'b' or '' (alike, or not known)."""

    name: str
    a: float | None
    b: float | None
    difference: float | None
    better: str


@dataclass(frozen=True, slots=True)
class Moves:
    """What happens to single requests on the way from plan a to plan b: ids, in the order of the problem."""

    gained: tuple[str, ...]
    lost: tuple[str, ...]
    other_courier: tuple[str, ...]
    moved: tuple[tuple[str, int], ...]
    """Same courier, pickup at another time: seconds later (negative = earlier)."""


_MORE_IS_BETTER = frozenset({"served", "on_time"})
_NEITHER = frozenset({"requests"})


def figures(problem: Problem, plan: Plan, odds: Odds | None = None) -> Figures:
    """The figures of one plan; ``odds`` from ``routing.uncertainty.simulate`` where on-time share is wanted."""
    due = {one.id: one.soft_due_s for one in problem.requests}
    late_s = 0
    for route in plan.routes:
        for stop in route.stops:
            for service in stop.services:
                soft = due.get(service.request_id)
                if soft is not None and service.kind == "delivery":
                    late_s += max(0, service.start_s - soft)
    return Figures(
        requests=len(problem.requests),
        served=len(problem.requests) - len(plan.unserved),
        couriers=plan.couriers_used,
        distance_km=round(plan.distance_m / 1000, 1),
        paid_h=round(plan.duration_s / 3600, 2),
        drive_h=round(sum(route.drive_s for route in plan.routes) / 3600, 2),
        cost=plan.cost,
        on_time=odds.share_on_time if odds else None,
        late_h=round(late_s / 3600, 2),
    )


def compare(a: Figures, b: Figures) -> list[Row]:
    """Both plans side by side, one row for each figure."""
    return [_row(name, getattr(a, name), getattr(b, name)) for name in Figures.__dataclass_fields__]


def _row(name: str, a: float | None, b: float | None) -> Row:
    if a is None or b is None:
        return Row(name, a, b, None, "")
    difference = round(b - a, 4)
    if not difference or name in _NEITHER:
        return Row(name, a, b, difference, "")
    more = difference > 0
    return Row(name, a, b, difference, "b" if more == (name in _MORE_IS_BETTER) else "a")


def moves(a: Plan, b: Plan, least_s: int = 300) -> Moves:
    """What changes for whom. Pickups that move by less than ``least_s`` are not told."""
    before, after = _pickups(a), _pickups(b)
    both = [name for name in before if name in after]
    return Moves(
        gained=tuple(name for name in after if name not in before),
        lost=tuple(name for name in before if name not in after),
        other_courier=tuple(name for name in both if before[name][0] != after[name][0]),
        moved=tuple(
            (name, after[name][1] - before[name][1])
            for name in both
            if before[name][0] == after[name][0] and abs(after[name][1] - before[name][1]) >= least_s
        ),
    )


def _pickups(plan: Plan) -> dict[str, tuple[str, int]]:
    """Courier and time of each request's pickup (of its delivery, where it was aboard)."""
    found: dict[str, tuple[str, int]] = {}
    for route in plan.routes:
        for stop in route.stops:
            for service in stop.services:
                found.setdefault(service.request_id, (route.courier_id, service.start_s))
    return found
