"""``solve(problem) → Plan``: prune, search, repair, schedule, explain."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from routing.build import build_route, changed_promises, order_of
from routing.diagnose import Finding, examine
from routing.instance import Instance, Visit
from routing.model import SearchLimits, search
from routing.moves import holds
from routing.plan import Notice, Plan, PlanProgress, Remedy, Unserved
from routing.problem import Problem
from routing.prune import Pruned, cheapest, prune, unserved
from routing.schedule import line_of, plan_times
from routing.search.jit import COMPILED
from routing.search.run import Started, compiled_search
from routing.travel import TravelMatrix, TravelProvider, travel_matrix
from routing.validate import validate

Progress = Callable[[PlanProgress], None]
ShouldStop = Callable[[], bool]
Routes = list[tuple[Visit, ...]]


@dataclass(frozen=True, slots=True)
class SolveParams:
    """``seconds``: wall time of the search; a small day ends sooner. ``workers``: threads of the search.

    ``iterations``: end after so many rounds whatever the time, which with one worker and the same ``seed`` gives the
    same plan each time. ``explain_s``: wall time for looking into what is left out; what is not reached has a shorter
    reason.
    """

    seconds: float = 10.0
    workers: int = 1
    iterations: int | None = None
    explain_s: float = 5.0
    seed: int = 1


def solve(
    problem: Problem,
    params: SolveParams | None = None,
    *,
    travel: TravelMatrix | TravelProvider | None = None,
    start: Plan | None = None,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Plan:
    """The best plan found in the given time, improved from ``start`` where one is given.

    ``progress`` is told of every better plan; ``should_stop`` is asked often, and once it says yes the best so
    far is returned. Both are called in the caller's thread. Raises :class:`routing.problem.ProblemError` for a
    problem that cannot be read and :class:`routing.travel.TravelError` when travel cannot be known; a request
    that cannot be served is in ``Plan.unserved`` and never an error.
    """
    params = params or SolveParams()
    validate(problem)
    matrix = travel if isinstance(travel, TravelMatrix) else travel_matrix(problem, travel)
    instance = Instance(problem, matrix)
    began = time.monotonic()
    pruned = prune(instance)
    trace: list[PlanProgress] = []

    def better(so_far: PlanProgress) -> None:
        trace.append(so_far)
        if progress is not None:
            progress(so_far)

    found, stopped = _searched(instance, pruned, params, start, better, should_stop)
    routes, left = _repaired(instance, pruned, found, thorough=COMPILED and not stopped)
    reasons, cut_short = _reasons(instance, pruned, routes, left, params.explain_s)
    notices = list(matrix.notices)
    if stopped:
        notices.append(Notice("stopped_early", {"elapsed_s": round(time.monotonic() - began, 1)}))
    if cut_short:
        notices.append(Notice("explanations_cut_short", {"requests": cut_short}))
    impossible = tuple(_beside(instance, item, routes) for item in pruned.impossible)
    plan = _plan(instance, routes, (*impossible, *reasons), notices, time.monotonic() - began)
    return replace(plan, trace=tuple(trace))


def _searched(
    instance: Instance,
    pruned: Pruned,
    params: SolveParams,
    start: Plan | None,
    progress: Progress,
    should_stop: ShouldStop | None,
) -> tuple[Sequence[tuple[Visit, ...]], bool]:
    """The compiled search, or where there is no compiler the OR-Tools model; whether the caller asked to stop."""
    if not pruned.possible:
        return tuple(() for _ in instance.couriers), False
    if COMPILED:
        asked = Started(params.seconds, params.iterations, params.workers, params.seed, _order_of(instance, start))
        return compiled_search(instance, pruned.possible, pruned.allowed, asked, progress, should_stop)
    limits = SearchLimits(params.seconds, params.iterations)
    plain = search(instance, pruned.possible, pruned.allowed, limits, progress, should_stop)
    return plain.visits, plain.stopped


def _order_of(instance: Instance, plan: Plan | None) -> list[tuple[Visit, ...]] | None:
    """The visits of each courier in ``plan``, of what the problem still knows."""
    if plan is None:
        return None
    index = {request.id: number for number, request in enumerate(instance.requests)}
    orders = {route.courier_id: order_of(route, index) for route in plan.routes}
    return [orders.get(courier.id, ()) for courier in instance.couriers]


def _repaired(
    instance: Instance, pruned: Pruned, found: Sequence[tuple[Visit, ...]], *, thorough: bool
) -> tuple[Routes, list[int]]:
    """Routes that hold exactly, with whatever the search left out put in where it simply fits.

    A ``thorough`` search has tried that itself, thousands of times: only what an exact look took out is tried again.
    """
    routes = [_holding(instance, courier, visits) for courier, visits in enumerate(found)]
    served = {visit if visit >= 0 else ~visit for visits in routes for visit in visits}
    left: list[int] = []
    order = {"stat": 0, "urgent": 1, "routine": 2}
    missing = [request for request in pruned.possible if request not in served]
    if thorough and routes == [tuple(visits) for visits in found]:
        return routes, missing
    for request in sorted(missing, key=lambda r: (order[instance.requests[r].priority], r)):
        options = [
            (result.extra_s, courier, result.visits)
            for courier in pruned.allowed[request]
            if (result := examine(instance, courier, routes[courier], request)).visits is not None
        ]
        if options:
            _, courier, visits = min(options)
            routes[courier] = visits
        else:
            left.append(request)
    return routes, sorted(left)


def _holding(instance: Instance, courier: int, visits: tuple[Visit, ...]) -> tuple[Visit, ...]:
    """The same visits; should the exact schedule refuse what the search accepted, without the last requests."""
    while visits and not holds(instance, courier, visits):
        last = max(visit if visit >= 0 else ~visit for visit in visits)
        visits = tuple(visit for visit in visits if visit not in (last, ~last))
    return visits


def _reasons(
    instance: Instance, pruned: Pruned, routes: Routes, left: Sequence[int], budget_s: float
) -> tuple[list[Unserved], int]:
    """Why each request of ``left`` found no place beside the others; how many could not be looked into."""
    began = time.monotonic()
    reasons: list[Unserved] = []
    cut_short = 0
    for request in left:
        more = _one_more(instance, pruned, request)
        name = instance.requests[request].id
        if time.monotonic() - began > budget_s:
            cut_short += 1
            reasons.append(Unserved(name, "no_room_left", {}, (), (more,)))
            continue
        found = [examine(instance, courier, visits, request) for courier, visits in enumerate(routes)]
        reasons.append(_no_room(instance, request, found, more))
    return reasons, cut_short


def _beside(instance: Instance, impossible: Unserved, routes: Routes) -> Unserved:
    """The reason stands; of the remedies, those that also hold beside the finished routes come first."""
    request = next(i for i, wish in enumerate(instance.requests) if wish.id == impossible.request_id)
    now = cheapest(examine(instance, courier, visits, request) for courier, visits in enumerate(routes))
    known = {remedy.code for remedy in now}
    later = (replace(item, replan=True) for item in impossible.remedies if item.code not in known)
    return replace(impossible, remedies=(*now, *later))


def _no_room(instance: Instance, request: int, found: Sequence[Finding], more: Remedy) -> Unserved:
    nearest = unserved(instance, request, found)
    params = {"courier_id": nearest.params.get("courier_id"), "binding": nearest.code}
    name = instance.requests[request].id
    return Unserved(name, "no_room_left", params, nearest.couriers, cheapest(found, (more,)))


def _one_more(instance: Instance, pruned: Pruned, request: int) -> Remedy:
    """A second courier like the one who would be quickest with this request alone."""
    tours = []
    for courier in pruned.allowed[request]:
        times = plan_times(line_of(instance, courier, (request, ~request)))
        if times is not None:
            tours.append((times[-1] - times[0], courier, times))
    duration_s, courier, times = min(tours)
    params = {"like_courier_id": instance.couriers[courier].id, "start_s": times[0], "end_s": times[-1]}
    return Remedy("add_courier", params, duration_s)


def _plan(
    instance: Instance,
    routes: Routes,
    left_out: tuple[Unserved, ...],
    notices: Sequence[Notice],
    search_s: float,
) -> Plan:
    built = tuple(build_route(instance, courier, visits) for courier, visits in enumerate(routes) if visits)
    place = {request.id: index for index, request in enumerate(instance.requests)}
    return Plan(
        routes=built,
        unserved=tuple(sorted(left_out, key=lambda item: place[item.request_id])),
        cost=round(sum(route.cost for route in built), 2),
        distance_m=sum(route.distance_m for route in built),
        duration_s=sum(route.end_s - route.start_s for route in built),
        travel_source=instance.matrix.source,
        notices=tuple(notices),
        search_s=round(search_s, 3),
        problem_name=instance.problem.name,
        changed=changed_promises(instance, built),
    )
