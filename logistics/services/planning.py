"""Plans: ordered by a dispatcher, worked out in a job, published to couriers.

A draft lives in ``Plan.result`` alone; ``Stop`` rows exist only for what was published, because couriers' acts
and arrival times read them. Publishing replaces the published plan of the same day and scope: what was driven
stays with the old plan, what was still open is driven by the new one.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from logistics.db import next_number
from logistics.domain.access import Scope, subtree
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Courier, Job, Pickup, Stop
from logistics.models import Plan as PlanRow
from logistics.models.network import COUNTY_CENTRE
from logistics.services import jobs, network, planning_problem, planning_replan, planning_tiers, timetable
from logistics.services.orders import local_day
from logistics.services.planning_problem import DayClock, pickup_of
from routing import Kind, Notice, Plan, Problem, Request, Route, from_builtins, to_builtins
from routing.plan import Stop as Visit

JOB_KIND = "plan"
MIN_SECONDS, MAX_SECONDS = 1, 600
DEFAULT_SECONDS = 10
BOARD = "board"
OPEN_STOP = planning_replan.OPEN


def check_seconds(seconds: float) -> None:
    """Raises Invalid for a planning time that is too short or too long."""
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise Invalid("plan_seconds_out_of_range", field="seconds", low=MIN_SECONDS, high=MAX_SECONDS)


def order(
    session: Session,
    *,
    day: str,
    scope_code: str,
    seconds: float,
    scope: Scope,
    by: str,
    now: datetime,
    wall: datetime,
    name: str = "",
) -> tuple[PlanRow, Job]:
    """Ask for a plan: a row and a job. Raises Invalid for a wrong day, time or scope, NotFound for another's scope."""
    wanted = _checked(session, day, scope_code, seconds, scope, now)
    return _put_down(session, wanted, scope_code, seconds, by=by, now=now, wall=wall, name=name)


def order_each(
    session: Session,
    *,
    day: str,
    scope_code: str,
    seconds: float,
    scope: Scope,
    by: str,
    now: datetime,
    wall: datetime,
    name: str = "",
) -> list[tuple[PlanRow, Job]]:
    """Ask for a plan of each county in the scope by itself, in one group. Counties where nobody drives are left out.

    Raises as ``order``, and Invalid('plan_no_counties') when none is left.
    """
    wanted = _checked(session, day, scope_code, seconds, scope, now)
    sites = planning_problem.scope_sites(session, scope_code)
    driving = set(session.scalars(select(Courier.start_site_code).where(Courier.active)))
    parents = network.parents(session)
    counties = [
        code
        for code, site in sorted(sites.items())
        if site.active and site.tier == COUNTY_CENTRE and not driving.isdisjoint(subtree(code, parents))
    ]
    if not counties:
        raise Invalid("plan_no_counties", field="scope", site=scope_code)
    group = str(uuid.uuid4())
    return [
        _put_down(session, wanted, code, seconds, by=by, now=now, wall=wall, name=name, group=group)
        for code in counties
    ]


def _checked(session: Session, day: str, scope_code: str, seconds: float, scope: Scope, now: datetime) -> date:
    try:
        wanted = date.fromisoformat(day)
    except (TypeError, ValueError):
        raise Invalid("plan_day_unreadable", field="day", value=str(day)[:20]) from None
    check_seconds(seconds)
    scope.require(scope_code, code="site_unknown", what=scope_code)
    planning_problem.scope_sites(session, scope_code)
    if wanted < local_day(now):
        raise Invalid("plan_day_past", field="day", day=day)
    return wanted


def _put_down(
    session: Session,
    day: date,
    scope_code: str,
    seconds: float,
    *,
    by: str,
    now: datetime,
    wall: datetime,
    name: str,
    group: str | None = None,
) -> tuple[PlanRow, Job]:
    row = PlanRow(
        day=day.isoformat(),
        scope_code=scope_code,
        name=name.strip()[:80],
        state="planning",
        created_at=now,
        created_by=by,
        problem={},
        result={},
        notice="",
        group_id=group,
    )
    session.add(row)
    session.flush()
    job = jobs.add(session, JOB_KIND, {"plan_id": row.id, "seconds": seconds, "by": by}, by=by, now=wall)
    row.job_id = job.id
    return row, job


def visible(session: Session, plan_id: int, scope: Scope, *, lock: bool = False) -> PlanRow:
    """The plan, if it is of this user's sites. Raises NotFound otherwise."""
    row = session.get(PlanRow, plan_id, with_for_update=True if lock else None)
    if row is None or not scope.covers(row.scope_code):
        raise NotFound("plan_unknown", field="plan", plan=plan_id)
    return row


def prepare(session: Session, plan_id: int, *, now: datetime) -> planning_problem.Draft:
    """Make the day's fixed pickups and write down the problem (in the job, before the search)."""
    row = session.get_one(PlanRow, plan_id)
    inside = planning_problem.scope_sites(session, row.scope_code)
    below = [site for code, site in inside.items() if code != row.scope_code]
    timetable.ensure(session, below, day=row.day, by=row.created_by, now=now)
    draft = planning_problem.draft(session, day=row.day, scope_code=row.scope_code, now=now)
    draft = replace(draft, tiers=planning_tiers.read(session, draft, day=row.day, now=now))
    draft = planning_replan.applied(session, row, draft, now=now)
    row.problem = to_builtins(draft.problem)
    return draft


def store(
    session: Session,
    plan_id: int,
    plan: Plan,
    draft: planning_problem.Draft,
    *,
    result: Mapping[str, Any] | None = None,
    odds: Mapping[str, Any] | None = None,
) -> None:
    """Keep what the search found (as ``result``, if it was put together already); it is published after a look.

    The problem of ``draft`` is the one that was planned: with the due times that follow from trunk departures.
    """
    row = session.get_one(PlanRow, plan_id, with_for_update=True)
    notices = list(plan.notices)
    if draft.pickups_elsewhere or draft.couriers_elsewhere:
        counts = {"pickups": draft.pickups_elsewhere, "couriers": draft.couriers_elsewhere}
        notices.append(Notice("other_plans", counts))
    if odds is not None:
        row.marks = {**row.marks, "odds": dict(odds)}
    if result is not None:
        keep(row, result)
        row.state = "ready"
        next_number(session, BOARD)
        return
    row.problem = to_builtins(draft.problem)
    row.marks = {**row.marks, "tiers": to_builtins(draft.tiers)}
    found = to_builtins(plan)
    found["notices"] = [to_builtins(notice) for notice in notices]
    found["unserved"] = [*found["unserved"], *(to_builtins(one) for one in draft.unplaceable)]
    keep(row, found)
    row.state = "ready"
    next_number(session, BOARD)


def keep(row: PlanRow, result: Mapping[str, Any]) -> None:
    """Write a result with the figures that lists show beside it."""
    row.result = dict(result)
    row.distance_m = int(result["distance_m"])
    row.duration_s = int(result["duration_s"])
    row.unserved_count = len(result["unserved"])
    row.notice = next((str(n["code"]) for n in result["notices"] if n["code"] == "travel_fallback"), "")


def failed(session: Session, plan_id: int, code: str) -> None:
    """The job ended in an error; the plan says so."""
    row = session.get(PlanRow, plan_id)
    if row is not None and row.state == "planning":
        row.state, row.notice = "failed", code
        next_number(session, BOARD)


def stop(session: Session, row: PlanRow, *, wall: datetime) -> str:
    """Stop the search and keep the best so far; a job that nobody has begun is taken back."""
    if row.state != "planning" or row.job_id is None:
        raise Conflict("plan_not_running", field="plan")
    state = jobs.request_stop(session, row.job_id, now=wall)
    if state == jobs.CANCELLED:
        row.state, row.notice = "failed", "plan_cancelled"
    return state


def published(session: Session, day: str, scope_code: str) -> PlanRow | None:
    """The plan that couriers of this scope drive on that day."""
    query = select(PlanRow).where(PlanRow.day == day, PlanRow.scope_code == scope_code, PlanRow.state == "published")
    return session.scalars(query.order_by(PlanRow.id.desc()).limit(1)).first()


def publish(session: Session, row: PlanRow, *, by: str, now: datetime) -> None:
    """Give the plan to the couriers. Raises Conflict unless it is ready, or when its day has passed."""
    if row.state != "ready":
        raise Conflict("plan_not_ready", field="plan", state=row.state)
    if row.day < local_day(now).isoformat():
        raise Conflict("plan_day_past", field="plan", day=row.day)
    alone_on(session, row.day)
    problem = from_builtins(row.problem, Problem)
    routes = [from_builtins(route, Route) for route in row.result["routes"]]
    _refuse_if_promised(session, row, routes)
    standing = _retire(session, row)
    pickups = _pickups(session, problem)
    for route in routes:
        _write_stops(session, row, route, problem, pickups, standing.get(route.courier_id))
    served = {request for route in routes for visit in route.stops for request in visit.picked}
    for request_id, pickup in pickups.items():
        if pickup.state in ("open", "planned"):
            pickup.state = "planned" if request_id in served else "open"
    row.state, row.published_at, row.published_by = "published", now, by
    session.flush()
    next_number(session, BOARD)


def alone_on(session: Session, day: str) -> None:
    """One publication of a day at a time, until the transaction ends: each must see the one before it."""
    next_number(session, f"publish:{day}")


def replace_route(session: Session, old: PlanRow, fresh: PlanRow, courier: str, *, by: str, now: datetime) -> None:
    """Publish ``fresh``, which differs from ``old`` in one courier's route only.

    Everybody else keeps his stops with their promised times and with what he has seen and done.
    """
    standing = _retire(session, old, courier)
    session.execute(update(Stop).where(Stop.plan_id == old.id, Stop.courier != courier).values(plan_id=fresh.id))
    session.expire(old, ["stops"])
    problem = from_builtins(fresh.problem, Problem)
    route = next(from_builtins(one, Route) for one in fresh.result["routes"] if one["courier_id"] == courier)
    pickups = _pickups(session, problem)
    _write_stops(session, fresh, route, problem, pickups, standing.get(courier))
    for request_id in {request for visit in route.stops for request in visit.picked}:
        pickup = pickups.get(request_id)
        if pickup is not None and pickup.state == "open":
            pickup.state = "planned"
    fresh.state, fresh.published_at, fresh.published_by = "published", now, by
    session.flush()
    next_number(session, BOARD)


def _refuse_if_promised(session: Session, row: PlanRow, routes: list[Route]) -> None:
    """Another scope's plan may have been published since this one was worked out."""
    promised = set(
        session.scalars(
            select(Stop.courier)
            .join(PlanRow, PlanRow.id == Stop.plan_id)
            .where(PlanRow.day == row.day, PlanRow.state == "published", PlanRow.scope_code != row.scope_code)
            .where(Stop.state.in_(OPEN_STOP), Stop.courier.in_([route.courier_id for route in routes]))
        )
    )
    if promised:
        raise Conflict("courier_in_other_plan", field="plan", courier=min(promised))


def _retire(session: Session, row: PlanRow, courier: str | None = None) -> dict[str, Stop]:
    """Supersede the published plans of the day and scope: open stops (of ``courier`` only) go, driven ones stay.

    Returns the stop where each courier stands at this moment: it goes over to the new plan if that begins there.
    """
    standing: dict[str, Stop] = {}
    query = select(PlanRow).where(
        PlanRow.day == row.day, PlanRow.scope_code == row.scope_code, PlanRow.state == "published"
    )
    for old in session.scalars(query.with_for_update()):
        old.state = "superseded"
        for visit in list(old.stops):
            if courier is not None and visit.courier != courier:
                continue
            if visit.state == "planned":
                old.stops.remove(visit)
            elif visit.state == "arrived":
                standing[visit.courier] = visit
    session.flush()
    return standing


def _pickups(session: Session, problem: Problem) -> dict[str, Pickup]:
    ids = [found for request in problem.requests if (found := pickup_of(request.id)) is not None]
    rows = session.scalars(select(Pickup).where(Pickup.id.in_(ids)).with_for_update())
    return {f"P{pickup.id}": pickup for pickup in rows}


def _write_stops(
    session: Session,
    row: PlanRow,
    route: Route,
    problem: Problem,
    pickups: Mapping[str, Pickup],
    standing: Stop | None,
) -> None:
    clock = DayClock(row.day)
    requests = {request.id: request for request in problem.requests}
    position = 0
    for visit in route.stops:
        if visit.site_id.startswith("@") or not _still_wanted(visit, pickups):
            continue
        position += 1
        begins, ends = window_of(visit, requests)
        stop = Stop(
            plan_id=row.id,
            courier=route.courier_id,
            position=position,
            site_code=visit.site_id,
            kind=kind_of(visit),
            arrive_at=clock.at(visit.arrive_s),
            depart_at=clock.at(visit.depart_s),
            window_from_at=clock.at(begins) if begins is not None else None,
            window_to_at=clock.at(ends) if ends is not None else None,
            distance_m=visit.distance_m,
            pickup_ids=[one for request in visit.picked if (one := pickup_of(request)) is not None],
            delivery_ids=[one for request in visit.delivered if (one := pickup_of(request)) is not None],
            state="planned",
        )
        if position == 1 and standing is not None and standing.site_code == visit.site_id:
            stop.state, stop.actual_arrive_at, stop.seen_at = "arrived", standing.actual_arrive_at, standing.seen_at
            session.delete(standing)
        session.add(stop)


def _still_wanted(visit: Visit, pickups: Mapping[str, Pickup]) -> bool:
    """Not when everything to be fetched here was fetched, or taken back, while the plan was looked at."""
    if visit.delivered:
        return True
    return any(pickups[one].state in ("open", "planned") for one in visit.picked if one in pickups)


def kind_of(visit: Visit) -> str:
    if visit.picked and visit.delivered:
        return "both"
    return "pickup" if visit.picked else "delivery"


def window_of(visit: Visit, requests: Mapping[str, Request]) -> tuple[int | None, int | None]:
    """When the visit must begin at the earliest and latest, over everything that is done there."""
    begins: list[int] = []
    ends: list[int] = []
    for service in visit.services:
        request = requests[service.request_id]
        if service.kind is Kind.PICKUP:
            begins.append(request.ready_s)
            ends.append(request.latest_pickup_s)
        else:
            ends.append(request.due_s)
    return (max(begins) if begins else None, min(ends) if ends else None)
