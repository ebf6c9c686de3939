"""How sure a plan is: driven many times with travel and service times as they vary, in the planning job.

What is kept with the plan (``marks["odds"]``) is valid for its routes as they were; an edit drops it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Stop
from logistics.services import roads
from logistics.services.planning_problem import DayClock
from routing import Plan, Problem
from routing.travel import TravelMatrix
from routing.uncertainty import Driven, Odds, Served, Spread, fit_spread, simulate

MARK = "odds"


def spread(session: Session, *, day: str) -> Spread:
    """Distributions fitted from the stops that were driven in the last weeks: actual against planned times."""
    since = DayClock(day).midnight - roads.LOOK_BACK
    drives: list[Driven] = []
    for before, stop in roads.driven(session, since=since):
        left, reached = before.actual_depart_at, stop.actual_arrive_at
        planned = stop.arrive_at - before.depart_at
        if left is not None and reached is not None and planned > timedelta():
            run = f"{stop.plan_id}:{stop.courier}"
            drives.append(Driven(run, _of_day(left), planned.total_seconds(), (reached - left).total_seconds()))
    return fit_spread(drives, _served(session, since))


def _served(session: Session, since: datetime) -> list[Served]:
    stops = session.execute(
        select(Stop.arrive_at, Stop.depart_at, Stop.actual_arrive_at, Stop.actual_depart_at).where(
            Stop.actual_arrive_at >= since, Stop.actual_depart_at.is_not(None), Stop.state == "done"
        )
    )
    spans = [
        ((leave - come).total_seconds(), (left - came).total_seconds())
        for come, leave, came, left in stops
        if came is not None and left is not None
    ]
    longest = roads.LONGEST.total_seconds()
    return [Served(planned, taken) for planned, taken in spans if 0 < taken < longest and planned > 0]


def _of_day(at: datetime) -> int:
    local = at.astimezone(DayClock("2000-01-01").midnight.tzinfo)
    return local.hour * 3600 + local.minute * 60


def odds(problem: Problem, plan: Plan, travel: TravelMatrix, known: Spread) -> dict[str, Any]:
    """The plan driven many times, as it is kept: shares of one, and for each courier a number for each stop."""
    found = simulate(problem, plan, travel, known)
    return {
        "runs": found.runs,
        "legs": known.legs,
        "share": found.share_on_time,
        "plan": found.plan_on_time,
        "overtime": dict(found.overtime),
        "stops": _by_courier(found),
    }


def _by_courier(found: Odds) -> dict[str, list[float]]:
    stops: dict[str, list[float]] = {}
    for stop in found.stops:
        stops.setdefault(stop.courier_id, []).append(stop.on_time)
    return stops


def without(marks: Mapping[str, Any]) -> dict[str, Any]:
    """Marks of a plan whose routes have changed."""
    return {name: held for name, held in marks.items() if name != MARK}


def of_stops(marks: Mapping[str, Any], courier: str) -> Sequence[float]:
    """The probability that each stop of a courier is in time; empty when it is not known."""
    held: Sequence[float] = marks.get(MARK, {}).get("stops", {}).get(courier, ())
    return held
