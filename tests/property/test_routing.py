"""Rules that hold for every problem: plans pass the independent check, reasons and remedies are true."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing import Kind, Problem, Remedy
from routing.check import violations
from routing.diagnose import examine
from routing.instance import Instance
from routing.prune import prune
from routing.schedule import earliest, latest, line_of, plan_times
from routing.solve import SolveParams, solve
from routing.travel import travel_matrix
from tests.routing.cases import random_problem

SEEDS = st.integers(min_value=0, max_value=1_000_000)
PLANS = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
QUICK = SolveParams(seconds=2.0, iterations=12)


@PLANS
@given(SEEDS)
def test_every_plan_passes_the_check(seed: int) -> None:
    """Whatever the problem, the plan breaks no rule, accounts for every request and explains what it leaves."""
    case = random_problem(seed)
    travel = travel_matrix(case)
    plan = solve(case, QUICK, travel=travel)
    assert violations(case, plan, travel) == []
    assert all(item.code for item in plan.unserved)


@PLANS
@given(SEEDS)
def test_impossible_requests_change_nothing_for_the_others(seed: int) -> None:
    """What is possible alone is not lost because something impossible stands beside it."""
    case = random_problem(seed, requests=4)
    travel = travel_matrix(case)
    possible = set(prune(Instance(case, travel)).possible)
    served = {
        name for route in solve(case, QUICK, travel=travel).routes for stop in route.stops for name in stop.picked
    }
    names = {request.id for index, request in enumerate(case.requests) if index in possible}
    assert served <= names
    assert bool(served) == bool(names)


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_the_schedule_agrees_with_itself_and_with_the_check(seed: int) -> None:
    """For every order of two requests: earliest ≤ driven ≤ latest, and all three exist or none does."""
    instance = _instance(random_problem(seed, requests=2))
    for courier in range(len(instance.couriers)):
        for order in _orders(len(instance.requests)):
            line = line_of(instance, courier, order)
            first, last, driven = earliest(line), latest(line), plan_times(line)
            assert (first is None) == (last is None) == (driven is None)
            if first and last and driven:
                assert all(a <= b <= c for a, b, c in zip(first, driven, last, strict=True))


def _instance(case: Problem) -> Instance:
    return Instance(case, travel_matrix(case))


def _orders(count: int) -> list[tuple[int, ...]]:
    visits = [*range(count), *(~i for i in range(count))]
    return [order for order in permutations(visits) if all(order.index(i) < order.index(~i) for i in range(count))]


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_a_remedy_is_enough_and_no_more_than_needed(seed: int) -> None:
    """Apply what is offered and the request becomes possible; one second less and it does not."""
    case = random_problem(seed)
    for item in prune(_instance(case)).impossible:
        for remedy in item.remedies:
            only = _only(case, item.request_id, remedy.params["courier_id"])
            assert _possible(_with(only, item.request_id, remedy, 0)), remedy
            if remedy.effort_s is not None and remedy.code != "extend_receiving":
                assert not _possible(_with(only, item.request_id, remedy, 1)), remedy


def _only(case: Problem, request_id: str, courier_id: str) -> Problem:
    return replace(
        case,
        requests=tuple(request for request in case.requests if request.id == request_id),
        couriers=tuple(courier for courier in case.couriers if courier.id == courier_id),
    )


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_remedies_hold_beside_what_is_planned(seed: int) -> None:
    """On a crowded day: with the remedy applied, the request fits into the route as it was planned."""
    case = random_problem(seed, requests=14, couriers=2)
    plan = solve(case, QUICK)
    number = {request.id: index for index, request in enumerate(case.requests)}
    route_of = {
        route.courier_id: tuple(
            number[service.request_id] if service.kind is Kind.PICKUP else ~number[service.request_id]
            for stop in route.stops
            for service in stop.services
        )
        for route in plan.routes
    }
    couriers = [courier.id for courier in case.couriers]
    for item in plan.unserved:
        for remedy in item.remedies:
            name = remedy.params.get("courier_id") or remedy.params["like_courier_id"]
            beside = "courier_id" in remedy.params and not remedy.replan
            visits = route_of.get(name, ()) if beside else ()
            changed = _with(case, item.request_id, remedy, 0)
            found = examine(_instance(changed), couriers.index(name), visits, number[item.request_id])
            assert found.binding is None, remedy


def _possible(case: Problem) -> bool:
    return not prune(_instance(case)).impossible


def _with(case: Problem, request_id: str, remedy: Remedy, less: int) -> Problem:
    """The problem with the remedy applied, ``less`` seconds short of it."""
    code, params = remedy.code, remedy.params
    wish = next(request for request in case.requests if request.id == request_id)
    person = next(courier for courier in case.couriers if courier.id == params.get("courier_id", courier.id))
    site = next(site for site in case.sites if site.id == wish.delivery_site)
    if code == "extend_due":
        wish = replace(wish, due_s=params["until_s"] - less)
    elif code == "extend_pickup_window":
        until = params["until_s"] - less
        usable = [window for window in wish.pickup_windows if window.start_s <= wish.latest_pickup_s]
        usable = [window for window in usable if window.end_s >= wish.ready_s]
        windows = (*usable[:-1], replace(usable[-1], end_s=until)) if usable else ()
        wish = replace(wish, latest_pickup_s=until, pickup_windows=windows)
    elif code == "extend_receiving":
        windows = site.receiving_windows
        site = replace(site, receiving_windows=(*windows[:-1], replace(windows[-1], end_s=params["until_s"])))
        wish = replace(wish, due_s=max(wish.due_s, params["until_s"]))
    elif code == "extend_ride":
        wish = replace(wish, max_ride_s=params["max_ride_s"] - less)
    elif code == "extend_shift_end":
        person = replace(person, shift_end_s=params["shift_end_s"] - less)
    elif code == "advance_shift_start":
        person = replace(person, shift_start_s=params["shift_start_s"] + less)
    elif code == "extend_duration":
        person = replace(person, max_duration_s=params["max_duration_s"] - less)
    elif code == "add_capacity":
        more = {**person.capacity}
        more[params["temperature_class"]] = more.get(params["temperature_class"], 0) + params["slots"]
        person = replace(person, capacity=more)
    elif code == "grant_skill":
        person = replace(person, skills=person.skills | frozenset(params["skills"]))
    return replace(
        case,
        requests=tuple(wish if old.id == wish.id else old for old in case.requests),
        couriers=tuple(person if old.id == person.id else old for old in case.couriers),
        sites=tuple(site if old.id == site.id else old for old in case.sites),
    )
