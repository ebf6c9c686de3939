"""The planning job: read the day, search with progress, keep the answer. Each step its own short transaction."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import transaction
from logistics.errors import Invalid
from logistics.models import Plan as PlanRow
from logistics.services import planning, planning_improve, planning_odds, planning_tiers, roads
from logistics.services.jobs import Claim
from logistics.services.planning_improve import Start
from logistics.services.planning_problem import Draft
from routing import Plan, PlanProgress, Problem, ProblemError
from routing.instance import Instance
from routing.travel import (
    CachedProvider,
    FallbackProvider,
    OsrmProvider,
    TravelProvider,
    travel_matrix,
)

HISTORY = 120
QUICK_ROUNDS = 120
"""Rounds of a search that only compares departures."""
_ROADS: dict[str, CachedProvider] = {}

Tell = Callable[[dict[str, Any]], None]


def provider(session: Session, osrm_url: str | None) -> TravelProvider:
    """The road server if one is set, with the estimate behind it; both remember pairs of places."""
    estimate = roads.known(session).estimate
    if not osrm_url:
        return estimate
    return FallbackProvider(_ROADS.setdefault(osrm_url, CachedProvider(OsrmProvider(osrm_url))), estimate)


class Falling:
    """The best cost over time, thinned so that it stays a small JSON: halved whenever it grows too long."""

    def __init__(self, tell: Tell, seconds: float) -> None:
        self._tell = tell
        self._seconds = seconds
        self._points: list[list[float]] = []
        self._began = time.monotonic()

    def phase(self, name: str, **more: object) -> None:
        self._tell({"phase": name, "seconds": self._seconds, "history": list(self._points), **self._best(), **more})

    def __call__(self, seen: PlanProgress) -> None:
        if seen.cost is not None:
            point = [round(seen.elapsed_s, 2), round(seen.cost, 1), float(seen.unserved or 0)]
            self._points.append(point)
            if len(self._points) > HISTORY:
                self._points = [*self._points[:-1:2], self._points[-1]]
        self.phase("search", elapsed_s=round(seen.elapsed_s, 1))

    def _best(self) -> dict[str, object]:
        if not self._points:
            return {}
        return {"cost": self._points[-1][1], "unserved": int(self._points[-1][2])}


def run(
    claim: Claim,
    *,
    tell: Tell,
    should_stop: Callable[[], bool],
    osrm_url: str | None,
    conclude: Callable[[Session, dict[str, Any]], None],
) -> None:
    """Work out the plan of ``claim``. ``conclude`` ends the job inside the transaction that keeps the plan.

    Raises Invalid for a day that cannot be planned at all.
    """
    from routing.bound import bounded  # both import more than any web process needs
    from routing.solve import SolveParams, solve  # imports the search: half a second that no web process needs

    plan_id, seconds = int(claim.args["plan_id"]), float(claim.args["seconds"])
    falling = Falling(tell, seconds)
    falling.phase("reading")
    draft, start = _read(plan_id)
    problem = start.problem if start else draft.problem
    sizes = {"requests": len(problem.requests), "couriers": len(problem.couriers)}
    falling.phase("departures" if draft.tiers.trips else "search", elapsed_s=0.0, **sizes)
    if start is not None and not (problem.requests and problem.couriers):
        return _keep(plan_id, start.plan(), draft, start, conclude, sizes)  # everything is locked
    with transaction() as session:
        travel = provider(session, osrm_url)

    def search(one: Problem, how_long: float, begin: Plan | None = None, *, quick: bool = False) -> Plan:
        params = SolveParams(seconds=how_long, iterations=QUICK_ROUNDS if quick else None, explain_s=0 if quick else 5)
        told = None if quick else falling
        return solve(one, params, travel=travel, start=begin, progress=told, should_stop=should_stop)

    try:
        if start is not None:
            plan = search(problem, seconds, start.plan())
        else:
            problem, plan = planning_tiers.plan(draft, draft.tiers, seconds, search, should_stop)
            draft = replace(draft, problem=problem)
    except ProblemError as error:
        raise Invalid("plan_problem_refused", field=error.field, problem=error.code) from error
    falling.phase("judging", **sizes)
    whole = problem if start is None else start.whole
    routes = plan.routes if start is None else start.together(plan)
    matrix = travel_matrix(whole, travel)
    standing = replace(plan, routes=routes, cost=round(sum(route.cost for route in routes), 2))
    standing = bounded(Instance(whole, matrix), standing)
    with transaction() as session:
        spread = planning_odds.spread(session, day=session.get_one(PlanRow, plan_id).day)
    odds = planning_odds.odds(whole, standing, matrix, spread)
    plan = replace(plan, lower_bound=standing.lower_bound, bound_method=standing.bound_method)
    falling.phase("saving", **sizes)
    return _keep(plan_id, plan, draft, start, conclude, sizes, odds)


def _read(plan_id: int) -> tuple[Draft, Start | None]:
    """The day's problem; for a plan that improves another, that one's problem and where the search begins."""
    with transaction() as session:
        row = session.get_one(PlanRow, plan_id)
        if row.problem and "routes" in (row.result or {}):  # a job that died before its first plan begins anew
            start = planning_improve.start(row)
            return Draft(start.problem), start
        return planning.prepare(session, plan_id, now=clock.now()), None


def _keep(
    plan_id: int,
    plan: Plan,
    draft: Draft,
    start: Start | None,
    conclude: Callable[[Session, dict[str, Any]], None],
    sizes: dict[str, int],
    odds: dict[str, Any] | None = None,
) -> None:
    with transaction() as session:
        planning.store(session, plan_id, plan, draft, result=start.result(plan) if start else None, odds=odds)
        served = sum(len(stop.picked) for route in plan.routes for stop in route.stops)
        conclude(session, {"cost": plan.cost, "unserved": len(plan.unserved), "served": served, **sizes})
