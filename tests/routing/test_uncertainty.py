"""Uncertainty: known distributions are found again, foretold shares come true, the simulation is quick."""

from __future__ import annotations

import math
import random
import time
from dataclasses import replace

import numpy as np
import pytest

from bench.xianning import xianning_problem
from routing import Problem, SpeedBand, Window
from routing.plan import Plan
from routing.solve import SolveParams, solve
from routing.travel import TravelMatrix, travel_matrix
from routing.uncertainty import Driven, Served, Spread, at_quantile, fit_spread, plan_for, simulate
from tests.routing import cases

STILL = Spread(day=0.0, leg=0.0, service=0.0)
TRUE = Spread(tuple(0.25 if hour in {7, 8} else 0.05 for hour in range(24)), day=0.12, leg=0.2, service=0.3)


def record(days: int, legs: int = 12, seed: int = 1) -> list[Driven]:
    """Couriers' days drawn from TRUE."""
    rng = np.random.default_rng(seed)
    found = []
    for day in range(days):
        shift = rng.normal(0, TRUE.day)
        for _ in range(legs):
            depart_s = int(rng.uniform(7, 17) * 3600)
            off = TRUE.by_hour[depart_s // 3600] + shift + rng.normal(0, TRUE.leg)
            found.append(Driven(f"{day}", depart_s, 1000.0, 1000.0 * math.exp(off)))
    return found


def test_the_distributions_that_made_the_record_are_found() -> None:
    """300 days: both spreads within 10 %, the rush within 0.03; services, too."""
    rng = np.random.default_rng(2)
    served = [Served(120, 120 * math.exp(rng.normal(0.1, 0.3))) for _ in range(2000)]
    found = fit_spread(record(300), served)
    assert found.day == pytest.approx(TRUE.day, rel=0.1)
    assert found.leg == pytest.approx(TRUE.leg, rel=0.1)
    assert found.by_hour[8] == pytest.approx(0.25, abs=0.03)
    assert found.by_hour[12] == pytest.approx(0.05, abs=0.03)
    assert found.service_mean == pytest.approx(0.1, abs=0.02)
    assert found.service == pytest.approx(0.3, rel=0.05)
    assert (found.legs, found.services) == (3600, 2000)


def test_little_or_nothing_recorded_stays_at_the_prior() -> None:
    """No leg: the prior itself. Three legs move it a little. A forgotten departure does not widen it for ever."""
    assert fit_spread([]) == Spread()
    few = fit_spread([Driven("1", 36_000, 100, 200)] * 3)
    assert 0 < few.by_hour[10] < 0.3
    assert few.day == Spread().day
    known = record(100)
    spoilt = fit_spread([*known, *[Driven(f"x{i}", 36_000, 100, 50_000) for i in range(3)]])
    assert spoilt.leg == pytest.approx(fit_spread(known).leg, rel=0.1)


def test_without_spread_the_plan_happens_as_planned(tiny: Problem, tiny_plan: Plan, tiny_travel: TravelMatrix) -> None:
    """Every run arrives at the planned second, everything is in time; what is left out has no chance."""
    odds = simulate(tiny, tiny_plan, tiny_travel, STILL, runs=50)
    stops = tiny_plan.routes[0].stops
    assert [one.arrive_p10_s for one in odds.stops] == [stop.arrive_s for stop in stops]
    assert [one.arrive_p90_s for one in odds.stops] == [stop.arrive_s for stop in stops]
    assert odds.plan_on_time == odds.share_on_time == 1.0
    assert odds.overtime == {"C1": 0.0}
    more = replace(tiny, requests=(*tiny.requests, cases.request("R9")))
    assert simulate(more, tiny_plan, tiny_travel, STILL, runs=50).requests["R9"] == 0.0


def test_a_known_probability_comes_out() -> None:
    """One leg of 10 min that must not take over 12: P(ratio ≤ 1.2) of the lognormal; ride limits count alike."""
    case = cases.problem([cases.request(ready_s=8 * cases.HOUR, latest_pickup_s=8 * cases.HOUR, max_ride_s=12 * 60)])
    plan = cases.planned(case)
    spread = Spread(day=0.15, leg=0.2, service=0.0)
    case = replace(case, requests=(replace(case.requests[0], latest_pickup_s=12 * cases.HOUR),))
    odds = simulate(case, plan, travel_matrix(case), spread, runs=40_000)
    expected = 0.5 * (1 + math.erf(math.log(1.2) / math.hypot(0.15, 0.2) / math.sqrt(2)))
    assert odds.requests["R1"] == pytest.approx(expected, abs=0.01)
    assert odds.stops[1].on_time == pytest.approx(expected, abs=0.01)
    assert odds.stops[0].on_time == 1.0


def test_the_speed_of_the_day_is_driven_through() -> None:
    """Half speed from 09:00: a plan that crosses it is driven to the second as planned (arrivals round up)."""
    case = cases.problem([cases.request(ready_s=8 * cases.HOUR + 3000, latest_pickup_s=8 * cases.HOUR + 3300)])
    case = replace(case, speed_bands=(SpeedBand(9 * cases.HOUR, 0.5),))
    plan = cases.planned(case)
    odds = simulate(case, plan, travel_matrix(case), STILL, runs=5)
    stops = plan.routes[0].stops
    assert stops[1].travel_s > 600
    assert [one.arrive_p50_s for one in odds.stops] == pytest.approx([stop.arrive_s for stop in stops], abs=1)


def test_what_is_aboard_rides_since_then() -> None:
    """Aboard since 07:00 with two hours to ride: in time at 08:10, not when the road takes ten times as long."""
    aboard = cases.request(
        aboard_of="C1", aboard_since_s=7 * cases.HOUR, max_ride_s=2 * cases.HOUR, pickup_site=cases.B
    )
    case = cases.problem([aboard], [cases.courier(start_site=cases.B, shift_start_s=8 * cases.HOUR)])
    plan = cases.planned(case)
    assert simulate(case, plan, travel_matrix(case), STILL, runs=5).requests["R1"] == 1.0
    slow = Spread(by_hour=(math.log(10.0),) * 24, day=0.0, leg=0.0, service=0.0)
    assert simulate(case, plan, travel_matrix(case), slow, runs=5).requests["R1"] == 0.0


def test_closed_doors_are_waited_for_or_missed() -> None:
    """Arriving in the noon break is served after it; after the last closing never."""
    hours = (Window(8 * cases.HOUR, 12 * cases.HOUR), Window(13 * cases.HOUR, 14 * cases.HOUR))
    case = cases.problem([cases.request(due_s=14 * cases.HOUR)], hours=hours)
    plan = cases.planned(case)
    late = Spread(by_hour=(math.log(40.0),) * 24, day=0.0, leg=0.0, service=0.0)
    odds = simulate(case, plan, travel_matrix(case), late, runs=10)
    assert odds.requests["R1"] == 0.0
    slow = Spread(by_hour=(math.log(4.0),) * 24, day=0.0, leg=0.0, service=0.0)
    relaxed = replace(case, requests=(replace(case.requests[0], latest_pickup_s=18 * cases.HOUR),))
    assert simulate(relaxed, plan, travel_matrix(case), slow, runs=10).requests["R1"] == 1.0


def test_foretold_shares_come_true() -> None:
    """Requests foretold at 85–95 % are in time on about 90 % of days driven one by one by other code."""
    case = cases.random_problem(7, requests=30, couriers=4)
    travel = travel_matrix(case)
    plan = solve(case, SolveParams(seconds=3.0, iterations=60), travel=travel)
    spread = Spread(day=0.1, leg=0.2, service=0.3)
    odds = simulate(case, plan, travel, spread, runs=4000, seed=3)
    seen = _days(case, plan, travel, spread, 1500)
    served = [name for name, value in odds.requests.items() if value > 0]
    assert served
    for name in served:
        assert seen[name] == pytest.approx(odds.requests[name], abs=0.05), name


def _days(case: Problem, plan: Plan, travel: TravelMatrix, spread: Spread, days: int) -> dict[str, float]:
    """Day after day with plain numbers; shares no code with the simulation."""
    rng = random.Random(11)
    requests = {request.id: request for request in case.requests}
    sites = {site.id: site for site in case.sites}
    row = {name: i for i, name in enumerate(travel.site_ids)}
    fine = dict.fromkeys(requests, 0)
    for _ in range(days):
        good = dict.fromkeys([one for route in plan.routes for stop in route.stops for one in stop.picked], True)
        for route in plan.routes:
            day, now, here, left = rng.gauss(0, spread.day), float(route.start_s), route.start_site, route.start_s
            taken: dict[str, float] = {}
            for stop in route.stops:
                now += max(0, stop.arrive_s - left - stop.travel_s)
                base = int(travel.travel_s[row[here], row[stop.site_id]])
                now += base * math.exp(day + rng.gauss(0, spread.leg))
                now += sites[stop.site_id].visit_s if here != stop.site_id else 0
                for service in stop.services:
                    request = requests[service.request_id]
                    picks = service.kind == "pickup"
                    windows = request.pickup_windows if picks else sites[stop.site_id].receiving_windows
                    start = max(now, service.start_s, request.ready_s) if picks else now
                    opens = [max(start, window.start_s) for window in windows if start <= window.end_s]
                    shut = bool(windows) and not opens
                    start = min(opens) if opens else start
                    limit = request.latest_pickup_s if picks else request.due_s
                    ride = not picks and request.max_ride_s is not None
                    if shut or start > limit or (ride and start - taken[request.id] > (request.max_ride_s or 0)):
                        good[request.id] = False
                    length = request.pickup_service_s if picks else request.delivery_service_s
                    now = (now if shut else start) + length * math.exp(rng.gauss(0, spread.service))
                    if picks:
                        taken[request.id] = now
                here, left = stop.site_id, stop.depart_s
        for name, value in good.items():
            fine[name] += value
    return {name: count / days for name, count in fine.items()}


def test_planning_for_a_quantile_raises_the_share() -> None:
    """Times at 90 % are longer; a plan that must be in time nine times of ten is found, and costs what it costs."""
    case = cases.problem()
    spread = Spread(day=0.15, leg=0.3)
    travel = travel_matrix(case)
    slow_case, slow = at_quantile(case, travel, spread, 0.9)
    assert slow.travel_s[0, 1] == math.ceil(600 * spread.travel_factor(0.9)) > 600
    assert slow_case.requests[0].pickup_service_s > case.requests[0].pickup_service_s
    tight = replace(
        case, requests=tuple(replace(one, max_ride_s=1500, latest_pickup_s=9 * cases.HOUR) for one in case.requests)
    )

    def plan_of(p: Problem, t: TravelMatrix) -> Plan:
        return solve(p, cases.QUICK, travel=t)

    chosen = plan_for(tight, travel, spread, 0.9, plan_of)
    assert chosen.reached
    assert chosen.odds.share_on_time >= 0.9
    assert chosen.tried[0][1] <= chosen.odds.share_on_time
    never = plan_for(tight, travel, spread, 1.01, plan_of, quantiles=(0.5, 0.9))
    assert not never.reached
    assert [one[0] for one in never.tried] == [0.5, 0.9]


def test_two_thousand_runs_of_a_day_are_quick() -> None:
    """160 requests × 2,000 runs cost less than 2 s of processor time (0.2 s on a free one)."""
    case = xianning_problem()
    travel = travel_matrix(case)
    plan = solve(case, SolveParams(seconds=1.0, iterations=5), travel=travel)
    began = time.process_time()
    odds = simulate(case, plan, travel, Spread())
    assert time.process_time() - began < 2.0
    assert odds.runs == 2000
    assert len(odds.requests) == 160
