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
from logistics.services.planning_problem import DayClock
from routing import Plan, Problem
from routing.travel import TravelMatrix
from routing.uncertainty import Driven, Odds, Served, Spread, fit_spread, simulate

MARK = "odds"
LOOK_BACK = timedelta(weeks=4)
LONGEST = timedelta(hours=4)
"""What took longer was no leg but a break, or a forgotten scan."""


def spread(session: Session, *, day: str) -> Spread:
    """Distributions fitted from the stops that were driven in the last weeks: actual against planned times."""
    since = DayClock(day).midnight - LOOK_BACK
    stops = session.scalars(
        select(Stop)
        .where(Stop.actual_arrive_at >= since, Stop.actual_depart_at.is_not(None), Stop.state == "done")
        .order_by(Stop.plan_id, Stop.courier, Stop.actual_arrive_at)
    ).all()
    driven: list[Driven] = []
    served: list[Served] = []
    for before, stop in zip([None, *stops], stops, strict=False):
        if stop.actual_arrive_at is None or stop.actual_depart_at is None:
            continue
        served.append(Served(_s(stop.depart_at - stop.arrive_at), _s(stop.actual_depart_at - stop.actual_arrive_at)))
        same = before is not None and (before.plan_id, before.courier) == (stop.plan_id, stop.courier)
        if before is None or not same or before.actual_depart_at is None:
            continue
        taken, planned = stop.actual_arrive_at - before.actual_depart_at, stop.arrive_at - before.depart_at
        if timedelta() < taken < LONGEST and planned > timedelta() and stop.position == before.position + 1:
            depart_s = _of_day(before.actual_depart_at)
            driven.append(Driven(f"{stop.plan_id}:{stop.courier}", depart_s, _s(planned), _s(taken)))
    usable = [one for one in served if 0 < one.taken_s < LONGEST.total_seconds() and one.model_s > 0]
    return fit_spread(driven, usable)


def _s(span: timedelta) -> float:
    return span.total_seconds()


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
