"""An urgent call beside a published plan: where it fits best, what it costs the others, and taking it in.

The promised order of all other stops is kept; only times move. The places tried and the schedule are exact
(``routing.diagnose.examine``), so an offer holds when it is accepted at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.errors import Conflict, NotFound
from logistics.models import Pickup, Stop
from logistics.models import Plan as PlanRow
from logistics.services import planning, planning_problem, planning_tiers
from logistics.services.planning_problem import DayClock
from routing import Problem, Route, from_builtins, to_builtins
from routing.build import build_route
from routing.diagnose import examine
from routing.instance import Instance, Visit
from routing.problem import HORIZON_S
from routing.schedule import earliest, line_of
from routing.travel import TravelProvider, travel_matrix

Visits = tuple[Visit, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """One courier who could take the call: when, for how much more, and what it does to his other stops.

    ``extra_s`` and ``extra_m``: driving added. ``later``: the stop that is moved most, and by how much.
    """

    courier: str
    pickup_at: datetime
    delivery_at: datetime
    extra_s: int
    extra_m: int
    later_s: int
    later_site: str | None
    in_time: bool = True


class _Board:
    """The published routes as the planner's visits, on the problem as it stands now."""

    def __init__(self, session: Session, row: PlanRow, pickup_id: int, now: datetime, travel: TravelProvider) -> None:
        self.row = row
        self.clock = DayClock(row.day)
        pickup = session.get(Pickup, pickup_id)
        inside = planning_problem.scope_sites(session, row.scope_code)
        if pickup is None or pickup.site_code not in inside or pickup.day != row.day:
            raise NotFound("pickup_unknown", field="pickup", pickup=pickup_id)
        if pickup.state != "open":
            raise Conflict("pickup_not_open", field="pickup", pickup=pickup_id)
        if row.state != "published":
            raise Conflict("plan_not_published", field="plan")
        self.draft = planning_problem.draft(session, day=row.day, scope_code=row.scope_code, now=now)
        promised = _promised(session, row)
        kept = {f"P{one}" for stops in promised.values() for stop in stops for one in stop.pickup_ids}
        name = f"P{pickup_id}"
        planned = {one["id"]: one for one in row.problem.get("requests", ())}
        requests = tuple(
            planning_tiers.carried(request, planned.get(request.id))
            for request in self.draft.problem.requests
            if request.id in kept or request.id == name or request.id.startswith("A")
        )
        problem = replace(self.draft.problem, requests=requests)
        matrix = travel_matrix(problem, travel)
        self.instance = Instance(problem, matrix)
        self.index = {request.id: number for number, request in enumerate(requests)}
        if name not in self.index:
            raise Conflict("pickup_not_plannable", field="pickup", pickup=pickup_id)
        self.request = self.index[name]
        self.routes = {
            number: self._visits(person.id, promised.get(person.id, ()))
            for number, person in enumerate(problem.couriers)
        }
        self.problem: Problem = problem
        late = {number for number, visits in self.routes.items() if self._late(number, visits)}
        if late:
            behind = {visit for number in late for visit in self.routes[number] if visit >= 0}
            self.instance = Instance(_relaxed(problem, behind, late), matrix)

    def _late(self, courier: int, visits: Visits) -> bool:
        return earliest(line_of(self.instance, courier, visits)) is None

    def _visits(self, username: str, stops: Sequence[Stop]) -> Visits:
        """First what is aboard, then the open stops in their promised order."""
        carried = [
            number
            for name, number in self.index.items()
            if name.startswith("A") and self.instance.requests[number].pickup_site == planning_problem.here(username)
        ]
        visits: list[Visit] = list(carried)
        loaded = set(carried)
        for stop in stops:
            for number in sorted(loaded):
                if self.instance.requests[number].delivery_site == stop.site_code:
                    visits.append(~number)
                    loaded.discard(number)
            for one in stop.pickup_ids:
                number = self.index.get(f"P{one}", -1)
                if number >= 0 and number != self.request:
                    visits.append(number)
                    loaded.add(number)
        return (*visits, *(~number for number in sorted(loaded)))

    def offers(self) -> list[tuple[Offer, int, Visits]]:
        found = []
        for courier, visits in self.routes.items():
            seen = examine(self.instance, courier, visits, self.request)
            if seen.visits is not None:
                found.append((self._offer(courier, visits, seen.visits, seen.extra_s), courier, seen.visits))
        return sorted(found, key=lambda one: (one[0].extra_s, one[0].later_s, one[0].courier))

    def _offer(self, courier: int, before: Visits, after: Visits, extra_s: int) -> Offer:
        new = build_route(self.instance, courier, after)
        old = build_route(self.instance, courier, before) if before else None
        then = _starts(old) if old else {}
        now = _starts(new)
        name = self.instance.requests[self.request].id
        moved = [(now[key][0] - start_s, site) for key, (start_s, site) in then.items() if key in now]
        later_s, site = max(moved, default=(0, None))
        return Offer(
            courier=new.courier_id,
            pickup_at=self.clock.at(now[name, "pickup"][0]),
            delivery_at=self.clock.at(now[name, "delivery"][0]),
            extra_s=extra_s,
            extra_m=new.distance_m - (old.distance_m if old else 0),
            later_s=max(0, later_s),
            later_site=site if later_s > 0 else None,
        )


def _starts(route: Route) -> dict[tuple[str, str], tuple[int, str]]:
    return {
        (service.request_id, service.kind.value): (service.start_s, stop.site_id)
        for stop in route.stops
        for service in stop.services
    }


def _relaxed(problem: Problem, behind: set[int], late: set[int]) -> Problem:
    """Couriers ``late`` with requests ``behind`` have broken limits already; calls must be offered beside them."""
    requests = tuple(
        replace(request, latest_pickup_s=HORIZON_S, due_s=HORIZON_S, max_ride_s=None, pickup_windows=())
        if number in behind
        else request
        for number, request in enumerate(problem.requests)
    )
    couriers = tuple(
        replace(courier, shift_end_s=HORIZON_S, max_duration_s=None) if number in late else courier
        for number, courier in enumerate(problem.couriers)
    )
    return replace(problem, requests=requests, couriers=couriers)


def _promised(session: Session, row: PlanRow) -> Mapping[str, list[Stop]]:
    query = (
        select(Stop)
        .where(Stop.plan_id == row.id, Stop.state.in_(planning.OPEN_STOP))
        .order_by(Stop.courier, Stop.position)
    )
    found: dict[str, list[Stop]] = {}
    for stop in session.scalars(query):
        found.setdefault(stop.courier, []).append(stop)
    return found


def offers(session: Session, row: PlanRow, pickup_id: int, *, travel: TravelProvider, now: datetime) -> list[Offer]:
    """Every courier who can take the call beside what he has promised, least driving first.

    Raises NotFound, or Conflict when the plan is not published or the pickup not open.
    """
    return [offer for offer, _, _ in _Board(session, row, pickup_id, now, travel).offers()]


def accept(
    session: Session, row: PlanRow, pickup_id: int, *, courier: str, travel: TravelProvider, by: str, now: datetime
) -> PlanRow:
    """Take the call into the courier's route and publish that as a new version of the plan.

    Raises Conflict('offer_gone') when it does not fit any more.
    """
    # A colleague may have published since the offers were read: his version is the one to go on from.
    planning.alone_on(session, row.day)
    session.refresh(row)
    board = _Board(session, row, pickup_id, now, travel)
    chosen = next((one for one in board.offers() if one[0].courier == courier), None)
    if chosen is None:
        raise Conflict("offer_gone", field="courier", courier=courier)
    _, number, visits = chosen
    route = to_builtins(build_route(board.instance, number, visits))
    routes = [route if one["courier_id"] == courier else one for one in row.result["routes"]]
    if route not in routes:
        routes.append(route)
    fresh = PlanRow(
        day=row.day,
        scope_code=row.scope_code,
        name=row.name,
        state="ready",
        created_at=now,
        created_by=by,
        problem=to_builtins(_joined(from_builtins(row.problem, Problem), board.problem, courier)),
        result={},
        notice=row.notice,
        marks={name: held for name, held in row.marks.items() if name == "tiers"},
    )
    session.add(fresh)
    session.flush()
    planning.keep(
        fresh,
        {
            **row.result,
            "lower_bound": None,
            "bound_method": "",
            "routes": routes,
            "unserved": _still_left(row, pickup_id),
            "cost": round(sum(float(one["cost"]) for one in routes), 2),
            "distance_m": sum(int(one["distance_m"]) for one in routes),
            "duration_s": sum(int(one["end_s"]) - int(one["start_s"]) for one in routes),
        },
    )
    planning.replace_route(session, row, fresh, courier, by=by, now=now)
    return fresh


def _joined(old: Problem, now: Problem, courier: str) -> Problem:
    """The day's problem as it was, with the call, what is aboard, and the courier as he is now."""
    sites = {site.id: site for site in (*old.sites, *now.sites)}
    requests = {request.id: request for request in (*now.requests, *old.requests)}
    couriers = {person.id: person for person in (*now.couriers, *old.couriers)}
    couriers[courier] = next(person for person in now.couriers if person.id == courier)
    return replace(
        old,
        sites=tuple(sites[name] for name in sorted(sites)),
        requests=tuple(requests[name] for name in sorted(requests)),
        couriers=tuple(couriers[name] for name in sorted(couriers)),
    )


def _still_left(row: PlanRow, pickup_id: int) -> list[object]:
    return [one for one in row.result.get("unserved", ()) if one["request_id"] != f"P{pickup_id}"]
