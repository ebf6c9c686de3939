"""Planning the rest of a day anew, from where everybody is: what was promised has a price, some couriers are out.

The answer is a draft beside the published plan; nothing moves until a dispatcher has seen what changes and publishes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.errors import Conflict, Invalid
from logistics.models import Job, Stop
from logistics.models import Plan as PlanRow
from logistics.services import jobs
from logistics.services.orders import local_day
from logistics.services.planning_problem import (
    COST_FIXED,
    COST_PER_HOUR,
    COST_PER_KM,
    DayClock,
    Draft,
    aboard_skill,
)
from routing import Request, Route, Unserved, from_builtins
from routing.plan import Kind

MARK = "replan"
CHANGE_COST = 15.0
"""What moving a promised stop by more than ten minutes, or giving it to somebody else, must save to be worth it."""
NEAR_S = 1800
SECONDS = 5.0
OPEN = ("planned", "arrived")


def order(
    session: Session, row: PlanRow, *, out: Sequence[str], seconds: float, job_kind: str, by: str, now: datetime,
    wall: datetime,
) -> tuple[PlanRow, Job]:  # fmt: skip
    """A job that plans what is left of the published plan's day, without the couriers ``out``.

    Raises Conflict for a plan that nobody drives today, Invalid for a courier who is not in it or none left.
    """
    if row.state != "published" or row.day != local_day(now).isoformat():
        raise Conflict("plan_not_driven_now", field="plan", state=row.state)
    known = {person["id"] for person in row.problem.get("couriers", ())}
    strange = sorted(set(out) - known)
    if strange:
        raise Invalid("courier_not_in_plan", field="out", courier=strange[0])
    if not known - set(out):
        raise Invalid("no_couriers", field="out", day=row.day)
    fresh = PlanRow(
        day=row.day, scope_code=row.scope_code, name=row.name, state="planning", created_at=now, created_by=by,
        problem={}, result={}, notice="", parent_id=row.id, marks={MARK: {"of": row.id, "out": sorted(set(out))}},
    )  # fmt: skip
    session.add(fresh)
    session.flush()
    job = jobs.add(session, job_kind, {"plan_id": fresh.id, "seconds": seconds, "by": by}, by=by, now=wall)
    fresh.job_id = job.id
    return fresh, job


def applied(session: Session, row: PlanRow, draft: Draft, *, now: datetime) -> Draft:
    """The draft of a plan that replans another: with its promises, without who is out. Others are as they were."""
    asked = row.marks.get(MARK)
    if not asked:
        return draft
    old = session.get_one(PlanRow, int(asked["of"]))
    out = set(asked["out"])
    routes = [from_builtins(route, Route) for route in old.result["routes"]]
    promises = {
        service.request_id: (route.courier_id, service.start_s)
        for route in routes
        for stop in route.stops
        for service in stop.services
        if service.kind is Kind.PICKUP and not service.request_id.startswith("A")
    }
    stranded = {wish.id: who for wish in draft.problem.requests for who in out if aboard_skill(who) in wish.skills}
    requests = tuple(
        _promised(wish, promises.get(wish.id), out) for wish in draft.problem.requests if wish.id not in stranded
    )
    couriers = tuple(person for person in draft.problem.couriers if person.id not in out)
    if not couriers:
        raise Invalid("no_couriers", field="out", day=row.day)
    row.marks = {**row.marks, MARK: {**asked, "rest": _rest(session, old, routes, now)}}
    left = tuple(Unserved(name, "aboard_of_taken_out", {"courier_id": who}) for name, who in sorted(stranded.items()))
    hubs = tuple(replace(hub, extra_s=_near(hub.site_id, hub.extra_s, draft.tiers.trips, promises))
                 for hub in draft.tiers.hubs)  # fmt: skip
    onward = tuple(one for one in draft.tiers.onward if one.request_id not in stranded)
    return replace(
        draft,
        problem=replace(draft.problem, requests=requests, couriers=couriers),
        tiers=replace(draft.tiers, hubs=hubs, onward=onward),
        unplaceable=(*draft.unplaceable, *left),
    )


def _promised(wish: Request, promise: tuple[str, int] | None, out: set[str]) -> Request:
    if promise is None:
        return wish
    who, at_s = promise
    return replace(
        wish,
        promised_courier_id=None if who in out else who,
        promised_pickup_s=at_s,
        change_cost=CHANGE_COST,
    )


def _near(
    centre: str, moments: tuple[int, ...], trips: Mapping[str, str], promises: Mapping[str, tuple[str, int]]
) -> tuple[int, ...]:
    """A run that is promised leaves at about that time; only where it cannot, at any."""
    times = [promises[name][1] for name, code in trips.items() if code == centre and name in promises]
    near = tuple(at_s for at_s in moments if times and abs(at_s - times[0]) <= NEAR_S)
    return near or moments


def _rest(session: Session, old: PlanRow, routes: Sequence[Route], now: datetime) -> dict[str, float]:
    """What is left to drive of the published plan, priced as the new one is."""
    now_s = DayClock(old.day).s(now)
    open_stops: dict[str, int] = {}
    query = select(Stop).where(Stop.plan_id == old.id, Stop.state.in_(OPEN))
    for stop in session.scalars(query):
        metres = stop.distance_m if stop.state == "planned" else 0
        open_stops[stop.courier] = open_stops.get(stop.courier, 0) + metres
    mine = [route for route in routes if route.courier_id in open_stops]
    metres = sum(open_stops[route.courier_id] + route.return_distance_m for route in mine)
    seconds = sum(max(0, route.end_s - max(now_s, route.start_s)) for route in mine)
    return {"distance_m": metres, "duration_s": seconds, "cost": _price(len(mine), metres, seconds)}


def _price(couriers: int, metres: float, seconds: float) -> float:
    return round(COST_FIXED * couriers + COST_PER_KM * metres / 1000 + COST_PER_HOUR * seconds / 3600, 2)


def difference(row: PlanRow) -> dict[str, float] | None:
    """What the new plan drives more (or less) than what was left of the old one; None for other plans."""
    rest = row.marks.get(MARK, {}).get("rest")
    if rest is None or not row.result:
        return None
    metres, seconds = row.distance_m or 0, row.duration_s or 0
    cost = _price(len(row.result["routes"]), metres, seconds)
    return {
        "distance_m": metres - rest["distance_m"],
        "duration_s": seconds - rest["duration_s"],
        "cost": round(cost - rest["cost"], 2),
    }
