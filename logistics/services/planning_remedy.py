"""One click from 'it would fit if …' to a draft in which it fits: a remedy changes one limit of the plan's day.

A dispatcher may agree with a courier on other hours, with a site on a longer window, with a laboratory on a later
handover up to the tubes' own use-by, and send another of his couriers. He may not lengthen a box's hold time nor
grant what a courier is not trained for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from logistics.errors import Conflict, NotFound
from logistics.models import Pickup
from logistics.models import Plan as PlanRow
from logistics.services import planning_edit, planning_limits, planning_versions
from logistics.services.planning_problem import DayClock, pickup_of
from routing import Courier, Problem, Remedy, Request, Site, Window, from_builtins, to_builtins
from routing.travel import TravelProvider

ONE_CLICK = frozenset(
    {"extend_pickup_window", "extend_receiving", "extend_due", "extend_shift_end", "advance_shift_start"}
)
"""Remedies that a dispatcher may apply to a draft."""


def may_apply(code: str, params: Mapping[str, Any], *, day: str, now: datetime) -> bool:
    """Whether a dispatcher may apply this remedy, and it is not too late for it."""
    return code in ONE_CLICK and not _gone(code, params, day, now)


def _gone(code: str, params: Mapping[str, Any], day: str, now: datetime) -> bool:
    """A shift cannot begin in the past."""
    return code == "advance_shift_start" and DayClock(day).at(int(params["shift_start_s"])) < now


def apply(
    session: Session,
    row: PlanRow,
    request_id: str,
    number: int,
    *,
    travel: TravelProvider,
    by: str,
    now: datetime,
) -> None:
    """Change the one limit and put the request where it fits then. Raises Conflict when it may not or does not."""
    left = next((one for one in row.result["unserved"] if one["request_id"] == request_id), None)
    if left is None or not 0 <= number < len(left["remedies"]):
        raise NotFound("remedy_gone", field="remedy")
    remedy = from_builtins(left["remedies"][number], Remedy)
    if remedy.code not in ONE_CLICK:
        raise Conflict("remedy_not_yours", field="remedy")
    if _gone(remedy.code, remedy.params, row.day, now):
        raise Conflict("remedy_gone", field="remedy")
    _refuse_useless(session, row, request_id, remedy, now)
    problem = changed(from_builtins(row.problem, Problem), request_id, remedy)
    plain = to_builtins(problem)
    desk = planning_edit.Desk(row, travel, problem=problem)
    requests = desk.requests([request_id])
    options = [desk.effect(requests, courier, None) for courier in desk.number.values()]
    best = planning_edit.best_of(options)
    if best.routes is None:
        raise planning_edit.MoveRefused(best.broken)
    params = {"site_id": problem.requests[requests[0]].pickup_site, "code": remedy.code, **remedy.params}
    planning_versions.record(
        session, row, "remedy", params, by=by, now=now, result=desk.result(best.routes), problem=plain
    )


def _refuse_useless(session: Session, row: PlanRow, request_id: str, remedy: Remedy, now: datetime) -> None:
    """A laboratory can be asked to wait; tubes cannot. Past their use-by nothing helps them."""
    clock = DayClock(row.day)
    pickup = session.get(Pickup, pickup_of(request_id) or 0)
    if remedy.code not in {"extend_due", "extend_receiving"} or pickup is None:
        return
    limits = planning_limits.Limits(session, row.day, now)
    numbers = [box.number for box in limits.boxes(pickup)]
    own = limits.of_tubes(numbers) if numbers else []
    if pickup.due_at is not None:
        own.append(pickup.due_at)
    until = clock.at(int(remedy.params["until_s"]))
    if own and min(own) < until:
        raise Conflict("remedy_beyond_use_by", field="remedy", limit=min(own).isoformat())


def changed(problem: Problem, request_id: str, remedy: Remedy) -> Problem:
    """The problem with the one limit of the remedy changed."""
    params = remedy.params
    if remedy.code == "extend_pickup_window":
        return replace(problem, requests=_requests(problem.requests, request_id, _longer_window, params))
    if remedy.code == "extend_due":
        return replace(problem, requests=_requests(problem.requests, request_id, _later_due, params))
    if remedy.code == "extend_receiving":
        sites = tuple(_open_longer(s, params) if s.id == params["site_id"] else s for s in problem.sites)
        return replace(problem, sites=sites, requests=_requests(problem.requests, request_id, _later_due, params))
    couriers = tuple(_hours(c, params) if c.id == params["courier_id"] else c for c in problem.couriers)
    return replace(problem, couriers=couriers)


def _requests(requests: Sequence[Request], name: str, change: Any, params: Mapping[str, Any]) -> tuple[Request, ...]:
    return tuple(change(one, params) if one.id == name else one for one in requests)


def _longer_window(wish: Request, params: Mapping[str, Any]) -> Request:
    until = int(params["until_s"])
    windows = wish.pickup_windows
    if windows:
        windows = (*windows[:-1], Window(windows[-1].start_s, max(until, windows[-1].end_s)))
    return replace(wish, latest_pickup_s=max(wish.latest_pickup_s, until), pickup_windows=windows)


def _later_due(wish: Request, params: Mapping[str, Any]) -> Request:
    return replace(wish, due_s=max(wish.due_s, int(params["until_s"])))


def _open_longer(site: Site, params: Mapping[str, Any]) -> Site:
    last = site.receiving_windows[-1]
    longer = Window(last.start_s, max(last.end_s, int(params["until_s"])))
    return replace(site, receiving_windows=(*site.receiving_windows[:-1], longer))


def _hours(courier: Courier, params: Mapping[str, Any]) -> Courier:
    return replace(
        courier,
        shift_start_s=min(courier.shift_start_s, int(params.get("shift_start_s", courier.shift_start_s))),
        shift_end_s=max(courier.shift_end_s, int(params.get("shift_end_s", courier.shift_end_s))),
    )
