"""The planning job: read the day, search with progress, keep the answer. Each step its own short transaction."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import transaction
from logistics.errors import Invalid
from logistics.services import planning
from logistics.services.jobs import Claim
from routing import PlanProgress, ProblemError
from routing.travel import CachedProvider, FallbackProvider, GeodesicProvider, OsrmProvider, TravelProvider

HISTORY = 120
_GEODESIC = CachedProvider(GeodesicProvider())
_ROADS: dict[str, CachedProvider] = {}

Tell = Callable[[dict[str, Any]], None]


def provider(osrm_url: str | None) -> TravelProvider:
    """The road server if one is set, with the embedded estimate behind it; both remember pairs of places."""
    if not osrm_url:
        return _GEODESIC
    roads = _ROADS.setdefault(osrm_url, CachedProvider(OsrmProvider(osrm_url)))
    return FallbackProvider(roads, _GEODESIC)


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
    from routing.solve import SolveParams, solve  # imports the search: half a second that no web process needs

    plan_id, seconds = int(claim.args["plan_id"]), float(claim.args["seconds"])
    falling = Falling(tell, seconds)
    falling.phase("reading")
    with transaction() as session:
        draft = planning.prepare(session, plan_id, now=clock.now())
    sizes = {"requests": len(draft.problem.requests), "couriers": len(draft.problem.couriers)}
    falling.phase("search", elapsed_s=0.0, **sizes)
    try:
        plan = solve(
            draft.problem,
            SolveParams(seconds=seconds),
            travel=provider(osrm_url),
            progress=falling,
            should_stop=should_stop,
        )
    except ProblemError as error:
        raise Invalid("plan_problem_refused", field=error.field, problem=error.code) from error
    falling.phase("saving", **sizes)
    with transaction() as session:
        planning.store(session, plan_id, plan, draft)
        served = sum(len(stop.picked) for route in plan.routes for stop in route.stops)
        conclude(session, {"cost": plan.cost, "unserved": len(plan.unserved), "served": served, **sizes})
