"""Improving a draft in the background: from where it stands, with its pins and locks kept, beside the draft itself.

The answer is a plan of its own (``parent_id`` names the draft), so that the dispatcher may go on working, compare,
and take it over. It is never worse than the draft it began from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from logistics.errors import Conflict
from logistics.models import Job
from logistics.models import Plan as PlanRow
from logistics.services import jobs, planning
from routing import Plan, Problem, Route, Unserved, from_builtins, to_builtins

NOT_HIS, ALLOW = "courier_not_allowed", "allow_courier"
"""The planner's words for a courier whom a request does not name; a pin names one."""


def order(
    session: Session, row: PlanRow, *, seconds: float, by: str, now: datetime, wall: datetime, name: str = ""
) -> tuple[PlanRow, Job]:
    """A job that searches on from this draft, and the plan that will hold what it finds."""
    planning.check_seconds(seconds)
    if row.state != "ready" or not row.problem:
        raise Conflict("plan_not_editable", field="plan", state=row.state)
    child = PlanRow(
        day=row.day, scope_code=row.scope_code, name=name or row.name, state="planning", created_at=now, created_by=by,
        problem=row.problem, result={}, notice="", marks=row.marks, parent_id=row.id,
    )  # fmt: skip
    session.add(child)
    session.flush()
    planning.keep(child, row.result)
    job = jobs.add(session, planning.JOB_KIND, {"plan_id": child.id, "seconds": seconds, "by": by}, by=by, now=wall)
    child.job_id = job.id
    return child, job


@dataclass(frozen=True, slots=True)
class Start:
    """What the search works on, and what it leaves alone."""

    problem: Problem
    routes: tuple[Route, ...]
    locked: tuple[Route, ...]
    aside: tuple[Unserved, ...]
    whole: Problem
    standing: Mapping[str, Any]
    pins: Mapping[str, str]

    def plan(self) -> Plan:
        """The draft without its locked routes: where the search begins."""
        return Plan(
            routes=self.routes,
            unserved=(),
            cost=sum(route.cost for route in self.routes),
            distance_m=sum(route.distance_m for route in self.routes),
            duration_s=sum(route.end_s - route.start_s for route in self.routes),
            travel_source=str(self.standing.get("travel_source", "")),
        )

    def together(self, found: Plan) -> tuple[Route, ...]:
        """The routes of :meth:`result`."""
        if self._worse(found):
            return tuple(from_builtins(route, Route) for route in self.standing["routes"])
        place = {person.id: number for number, person in enumerate(self.whole.couriers)}
        return tuple(sorted((*self.locked, *found.routes), key=lambda route: place[route.courier_id]))

    def result(self, found: Plan) -> dict[str, Any]:
        """What was found with the locked routes put back; the draft as it was when that is better."""
        if self._worse(found):
            notices = [one for one in self.standing["notices"] if one["code"] != "no_better_found"]
            return {**self.standing, "notices": [*notices, {"code": "no_better_found", "params": {}}]}
        routes = self.together(found)
        plain = to_builtins(found)
        left = [_without_pins(one) if one.request_id in self.pins else one for one in found.unserved]
        return {
            **plain,
            "routes": [to_builtins(route) for route in routes],
            "unserved": [to_builtins(one) for one in (*left, *self.aside)],
            "cost": round(sum(route.cost for route in routes), 2),
            "distance_m": sum(route.distance_m for route in routes),
            "duration_s": sum(route.end_s - route.start_s for route in routes),
        }

    def _worse(self, found: Plan) -> bool:
        left = len(found.unserved) + len(self.aside)
        cost = found.cost + sum(route.cost for route in self.locked)
        return (left, round(cost, 2)) > (len(self.standing["unserved"]), round(float(self.standing["cost"]), 2))


def start(row: PlanRow) -> Start:
    """The draft as a problem for the search: locked routes and what they serve taken out, pins put in."""
    whole = from_builtins(row.problem, Problem)
    routes = [from_builtins(route, Route) for route in row.result["routes"]]
    locks = set(row.marks.get("locks", ()))
    pins: Mapping[str, str] = row.marks.get("pins", {})
    locked = tuple(route for route in routes if route.courier_id in locks)
    kept = {one for route in locked for stop in route.stops for one in (*stop.picked, *stop.delivered)}
    known = {request.id for request in whole.requests}
    requests = tuple(
        replace(request, courier_ids=frozenset({pins[request.id]})) if request.id in pins else request
        for request in whole.requests
        if request.id not in kept
    )
    couriers = tuple(person for person in whole.couriers if person.id not in locks)
    aside = tuple(from_builtins(one, Unserved) for one in row.result["unserved"] if one["request_id"] not in known)
    return Start(
        problem=replace(whole, requests=requests, couriers=couriers),
        routes=tuple(route for route in routes if route.courier_id not in locks),
        locked=locked,
        aside=aside,
        whole=whole,
        standing=row.result,
        pins=pins,
    )


def _without_pins(one: Unserved) -> Unserved:
    """Other couriers are barred by the pin, which people know as such and take away themselves."""
    return replace(
        one,
        couriers=tuple(
            replace(b, code="pinned_elsewhere", params={}) if b.code == NOT_HIS else b for b in one.couriers
        ),
        remedies=tuple(remedy for remedy in one.remedies if remedy.code != ALLOW),
    )
