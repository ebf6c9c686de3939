"""Edits of a draft by hand: move, leave out, pin, lock, take over. What a move costs is computed before it is made.

Everything is exact: routes are built again by the planner's own schedule, so a draft never holds what cannot be
driven. A move that breaks a rule is refused with the rules it breaks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Plan as PlanRow
from logistics.services import planning_versions
from routing import Problem, Route, Unserved, from_builtins, moves, to_builtins
from routing.build import build_route, order_of
from routing.diagnose import examine
from routing.instance import Instance
from routing.moves import Broken, Visits
from routing.prune import cheapest, unserved
from routing.travel import TravelProvider, travel_matrix

SET_ASIDE = "set_aside"
NO_BOUND = {"lower_bound": None, "bound_method": ""}
AGAIN = {"no_room_left", SET_ASIDE, "fits_now"}
"""Reasons that depend on the other stops, so that every edit may change them."""


class MoveRefused(Conflict):
    """The move breaks rules; ``broken`` are those."""

    def __init__(self, broken: Sequence[Broken]) -> None:
        super().__init__("move_breaks_rules", field="courier", rules=[one.code for one in broken])
        self.broken = tuple(broken)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a move does: driving, distance, working time and money more (or less), and who waits longest for it.

    ``before``: the stop of the courier's present route before which it goes; None = the best place of all.
    """

    courier: str
    before: int | None
    broken: tuple[Broken, ...]
    same: bool = False
    extra_s: int = 0
    extra_m: int = 0
    work_s: int = 0
    cost: float = 0.0
    later_s: int = 0
    later_site: str | None = None
    pickup_s: int | None = None
    routes: Mapping[int, Visits] | None = None

    @property
    def fits(self) -> bool:
        return not self.broken


class Desk:
    """A draft taken apart: problem, travel, and the order of every courier."""

    def __init__(self, row: PlanRow, travel: TravelProvider, *, problem: Problem | None = None) -> None:
        self.row = row
        self.problem = problem or from_builtins(row.problem, Problem)
        self.instance = Instance(self.problem, travel_matrix(self.problem, travel))
        self.index = {request.id: number for number, request in enumerate(self.problem.requests)}
        self.number = {person.id: number for number, person in enumerate(self.problem.couriers)}
        self.routes = {self.number[one["courier_id"]]: from_builtins(one, Route) for one in row.result["routes"]}
        self.visits: dict[int, Visits] = {
            number: order_of(self.routes[number], self.index) if number in self.routes else ()
            for number in self.number.values()
        }
        self.pins: Mapping[str, str] = row.marks.get("pins", {})
        self.locks = frozenset(row.marks.get("locks", ()))

    def requests(self, names: Sequence[str]) -> list[int]:
        """The numbers of these requests. Raises NotFound for one that the plan does not know."""
        unknown = [name for name in names if name not in self.index]
        if unknown or not names:
            raise NotFound("request_unknown", field="requests", request=unknown[0] if unknown else "")
        return [self.index[name] for name in dict.fromkeys(names)]

    def courier(self, username: str) -> int:
        if username not in self.number:
            raise NotFound("courier_not_in_plan", field="courier", courier=username)
        return self.number[username]

    def held_by(self, requests: Collection[int]) -> set[int]:
        """The couriers who have any of these requests now."""
        return {number for number, visits in self.visits.items() if any(one in requests for one in visits)}

    def places(self, courier: int) -> int:
        """Stops of the courier's present route that people see: his starting place is none."""
        route = self.routes.get(courier)
        return sum(not stop.site_id.startswith("@") for stop in route.stops) if route else 0

    def offset(self, courier: int, before: int, taken: Collection[int] = ()) -> int:
        """How many visits come before the shown stop number ``before``, those of ``taken`` not counted."""
        route = self.routes.get(courier)
        if route is None:
            return 0
        found = shown = 0
        for stop in route.stops:
            if not stop.site_id.startswith("@"):
                if shown == before:
                    break
                shown += 1
            found += sum(self.index[service.request_id] not in taken for service in stop.services)
        return found

    def barred(self, requests: Sequence[int], target: int) -> tuple[Broken, ...]:
        """Pins and locks, which only people put and take away, then skills and the size of the vehicle."""
        locked = [number for number in {target, *self.held_by(requests)} if self.name(number) in self.locks]
        if locked:
            return (Broken("locked", None, 0),)
        pinned = [
            name for one in requests if self.pins.get(name := self.problem.requests[one].id, self.name(target))
            != self.name(target)
        ]  # fmt: skip
        return (Broken("pinned", pinned[0], 0),) if pinned else moves.may_serve(self.instance, target, requests)

    def name(self, courier: int) -> str:
        return self.problem.couriers[courier].id

    def effect(self, requests: Sequence[int], target: int, before: int | None, *, deliveries: bool = False) -> Effect:
        """What putting ``requests`` there does. ``deliveries``: only where they are handed over, in the same route."""
        barred = self.barred(requests, target)
        if barred:
            return Effect(self.name(target), before, barred)
        if before is None:
            return best_of([self.effect(requests, target, at) for at in range(self.places(target) + 1)])
        changed = {source: moves.without(self.visits[source], requests) for source in self.held_by(requests)}
        if deliveries and set(changed) == {target}:
            at = self.offset(target, before)
            order, broken = moves.deliver_at(self.instance, target, self.visits[target], requests, at)
        else:
            left = changed.get(target, self.visits[target])
            at = self.offset(target, before, requests)
            order, broken = moves.place(self.instance, target, left, requests, at)
        if broken:
            return Effect(self.name(target), before, broken)
        return self._priced(target, before, {**changed, target: order}, requests)

    def _priced(
        self, target: int, before: int | None, changed: Mapping[int, Visits], requests: Sequence[int]
    ) -> Effect:
        if all(self.visits[number] == visits for number, visits in changed.items()):
            return Effect(self.name(target), before, (), same=True, routes=changed)
        try:
            new = {number: self.built(number, visits) for number, visits in changed.items()}
        except ValueError:
            return Effect(self.name(target), before, (Broken("limits_together", None, 0),))
        old = [self.routes.get(number) for number in changed]
        moved = {self.problem.requests[one].id for one in requests}
        later_s, site = _later([one for one in old if one], [one for one in new.values() if one], moved)
        there = new[target]
        pickups = starts_of(there) if there else {}
        first = self.problem.requests[requests[0]].id
        return Effect(
            courier=self.name(target),
            before=before,
            broken=(),
            extra_s=_sum(new.values(), "drive_s") - _sum(old, "drive_s"),
            extra_m=_sum(new.values(), "distance_m") - _sum(old, "distance_m"),
            work_s=_work(new.values()) - _work(old),
            cost=round(sum(r.cost for r in new.values() if r) - sum(r.cost for r in old if r), 2),
            later_s=later_s,
            later_site=site,
            pickup_s=pickups.get((first, "pickup"), (None, ""))[0],
            routes=changed,
        )

    def built(self, courier: int, visits: Visits) -> Route | None:
        """The route as it is driven; None for nothing to do. Raises ValueError when the order cannot be kept."""
        return build_route(self.instance, courier, visits) if visits else None

    def result(self, changed: Mapping[int, Visits], gone: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The plan with these orders. ``gone``: requests that are left out now, each with the code why."""
        routes = dict(self.routes)
        for number, visits in changed.items():
            route = self.built(number, visits)
            routes.pop(number, None) if route is None else routes.update({number: route})
        kept = [routes.pop(number) for number in self.routes if number in routes]
        return self.whole([*kept, *routes.values()], gone or {})

    def whole(self, routes: Sequence[Route], gone: Mapping[str, str]) -> dict[str, Any]:
        """A result around these routes, with fresh reasons for what none of them serves."""
        served = {one for route in routes for stop in route.stops for one in stop.picked}
        orders: dict[int, Visits] = dict.fromkeys(self.number.values(), ()) | {
            self.number[route.courier_id]: order_of(route, self.index) for route in routes
        }
        before = {one["request_id"]: from_builtins(one, Unserved) for one in self.row.result["unserved"]}
        for name, code in gone.items():
            before[name] = Unserved(name, code, {})
        left = [self._reason(one, orders) for name, one in before.items() if name not in served]
        same = {name for route in self.routes.values() for stop in route.stops for name in stop.picked} == served
        bounded = same and self.row.problem == to_builtins(self.problem)  # else it was a bound of something else
        return {
            **self.row.result,
            **({} if bounded else NO_BOUND),
            "routes": [to_builtins(route) for route in routes],
            "unserved": [to_builtins(one) for one in left],
            "cost": round(sum(route.cost for route in routes), 2),
            "distance_m": sum(route.distance_m for route in routes),
            "duration_s": sum(route.end_s - route.start_s for route in routes),
        }

    def _reason(self, old: Unserved, orders: Mapping[int, Visits]) -> Unserved:
        """Why a request is left out beside the routes as they are now."""
        number = self.index.get(old.request_id)
        if number is None or old.code not in AGAIN:
            return old
        found = [examine(self.instance, courier, visits, number) for courier, visits in orders.items()]
        fitting = [(one.extra_s, courier) for one, courier in zip(found, orders, strict=True) if one.visits is not None]
        if fitting:
            code = SET_ASIDE if old.code == SET_ASIDE else "fits_now"
            return Unserved(old.request_id, code, {"courier_id": self.name(min(fitting)[1])})
        nearest = unserved(self.instance, number, found)
        params = {"courier_id": nearest.params.get("courier_id"), "binding": nearest.code}
        more = [one for one in old.remedies if one.code == "add_courier"]
        return replace(
            old, code="no_room_left", params=params, couriers=nearest.couriers, remedies=cheapest(found, more)
        )


def best_of(places: Sequence[Effect]) -> Effect:
    """The place that costs least; when none holds, the one that misses by least. Named as 'the best place'."""
    fitting = [one for one in places if one.fits]
    if fitting:
        return replace(min(fitting, key=lambda one: (one.cost, one.extra_s)), before=None)
    return replace(min(places, key=lambda one: moves.weight(one.broken)), before=None)


def _sum(routes: Any, name: str) -> int:
    return sum(int(getattr(route, name)) for route in routes if route)


def _work(routes: Any) -> int:
    return sum(route.end_s - route.start_s for route in routes if route)


def starts_of(route: Route) -> dict[tuple[str, str], tuple[int, str]]:
    """When each pickup and delivery of a route begins, and where."""
    return {
        (service.request_id, service.kind.value): (service.start_s, stop.site_id)
        for stop in route.stops
        for service in stop.services
    }


def _later(old: Sequence[Route], new: Sequence[Route], moved: Collection[str]) -> tuple[int, str | None]:
    """By how much the stop that is put off most begins later, and where; those that are moved do not count."""
    then = {key: value for route in old for key, value in starts_of(route).items()}
    now = {key: value for route in new for key, value in starts_of(route).items()}
    delays = [
        (start_s - then[key][0], site) for key, (start_s, site) in now.items() if key in then and key[0] not in moved
    ]
    worst = max(delays, default=(0, ""))
    return (worst[0], worst[1]) if worst[0] > 0 else (0, None)


@dataclass(frozen=True, slots=True)
class Options:
    """One courier as the target of a move: the best place, and every place before each of his stops and at the end."""

    courier: str
    best: Effect
    places: tuple[Effect, ...]


def effects(row: PlanRow, names: Sequence[str], travel: TravelProvider, *, deliveries: bool = False) -> list[Options]:
    """What it would do to put these requests with every courier at every place. Changes nothing."""
    desk = Desk(row, travel)
    requests = desk.requests(names)
    found = []
    for target in desk.number.values():
        stops = range(desk.places(target) + 1)
        places = tuple(desk.effect(requests, target, at, deliveries=deliveries) for at in stops)
        wholes = tuple(desk.effect(requests, target, at) for at in stops) if deliveries else places
        found.append(Options(desk.name(target), best_of(wholes), places))
    return found


def move(
    session: Session,
    row: PlanRow,
    names: Sequence[str],
    *,
    courier: str,
    before: int | None,
    deliveries: bool,
    travel: TravelProvider,
    by: str,
    now: datetime,
) -> Effect:
    """Make the move. Raises MoveRefused with the rules that it breaks."""
    desk = Desk(row, travel)
    requests = desk.requests(names)
    target = desk.courier(courier)
    if before is not None and not 0 <= before <= desk.places(target):
        raise Invalid("place_unknown", field="before", place=before)
    effect = desk.effect(requests, target, before, deliveries=deliveries)
    if effect.broken or effect.routes is None:
        raise MoveRefused(effect.broken)
    if effect.same:
        return effect
    params = {"courier_id": courier, **_place(desk, requests)}
    planning_versions.record(session, row, "move", params, by=by, now=now, result=desk.result(effect.routes))
    return effect


def _place(desk: Desk, requests: Sequence[int]) -> dict[str, Any]:
    return {"site_id": desk.problem.requests[requests[0]].pickup_site, "requests": len(requests)}


def leave_out(
    session: Session, row: PlanRow, names: Sequence[str], *, travel: TravelProvider, by: str, now: datetime
) -> None:
    """Take requests out of all routes; they stand among what is left out. Not what is aboard already."""
    desk = Desk(row, travel)
    requests = desk.requests(names)
    if any(name.startswith("A") for name in names):
        raise Conflict("aboard_must_be_brought", field="requests")
    holders = desk.held_by(requests)
    if any(desk.name(number) in desk.locks for number in holders):
        raise MoveRefused((Broken("locked", None, 0),))
    changed = {number: moves.without(desk.visits[number], requests) for number in holders}
    try:
        result = desk.result(changed, dict.fromkeys(names, SET_ASIDE))
    except ValueError:
        raise MoveRefused((Broken("limits_together", None, 0),)) from None
    marks = _marks(row)
    for name in names:
        marks["pins"].pop(name, None)
    params = _place(desk, requests)
    planning_versions.record(session, row, "leave_out", params, by=by, now=now, result=result, marks=marks)


def _marks(row: PlanRow) -> dict[str, Any]:
    return {**row.marks, "pins": dict(row.marks.get("pins", {})), "locks": list(row.marks.get("locks", []))}


def pin(
    session: Session, row: PlanRow, names: Sequence[str], *, on: bool, travel: TravelProvider, by: str, now: datetime
) -> None:
    """Requests stay with the courier who has them, by hand and when the plan is improved; or are free again."""
    desk = Desk(row, travel)
    requests = desk.requests(names)
    marks = _marks(row)
    for number in requests:
        name = desk.problem.requests[number].id
        holder = next(iter(desk.held_by([number])), None)
        if on and holder is None:
            raise Conflict("not_in_a_route", field="requests", request=name)
        marks["pins"].pop(name, None)
        if on and holder is not None:
            marks["pins"][name] = desk.name(holder)
    action = "pin" if on else "unpin"
    planning_versions.record(session, row, action, _place(desk, requests), by=by, now=now, marks=marks)


def lock(session: Session, row: PlanRow, courier: str, *, on: bool, by: str, now: datetime) -> None:
    """A courier's route stays as it is, or may change again."""
    if courier not in {person["id"] for person in row.problem.get("couriers", ())}:
        raise NotFound("courier_not_in_plan", field="courier", courier=courier)
    marks = _marks(row)
    marks["locks"] = sorted({*marks["locks"], courier} if on else {*marks["locks"]} - {courier})
    action = "lock" if on else "unlock"
    planning_versions.record(session, row, action, {"courier_id": courier}, by=by, now=now, marks=marks)


def take_over(session: Session, row: PlanRow, other: PlanRow, *, by: str, now: datetime) -> None:
    """The draft becomes what another draft of the same day and scope is; undo brings the old one back."""
    if (other.day, other.scope_code) != (row.day, row.scope_code):
        raise Conflict("plans_do_not_match", field="plan")
    if not other.result:
        raise Conflict("plan_not_ready", field="plan", state=other.state)
    problem = other.problem if other.problem != row.problem else None
    marks = {**_marks(row), **other.marks, "pins": _valid_pins(row, other), "locks": _marks(row)["locks"]}
    planning_versions.record(
        session, row, "take_over", {"plan": other.id}, by=by, now=now,
        result=other.result, marks=marks, problem=problem,
    )  # fmt: skip


def _valid_pins(row: PlanRow, other: PlanRow) -> dict[str, str]:
    """Pins that the other plan keeps: a pin says who has it, so it must not say what is not so."""
    holders = {
        service["request_id"]: route["courier_id"]
        for route in other.result["routes"]
        for stop in route["stops"]
        for service in stop["services"]
    }
    return {name: who for name, who in row.marks.get("pins", {}).items() if holders.get(name) == who}
