"""The baselines that plans are measured against are themselves right."""

from __future__ import annotations

import pytest

from bench.fixed_rounds import fixed_rounds, nearest_neighbour
from bench.province import TOWNSHIPS_CSV, counties, county_work, planned, problem_of
from bench.xianning import xianning_problem
from routing import Courier, Problem, Request, Site, TravelTable
from routing.travel import travel_matrix


def line_of_places(due_s: int) -> Problem:
    """Centre, then A and B 600 s and 10 km apart in a row."""
    away = ((0, 1, 2), (1, 0, 1), (2, 1, 0))
    names = ("H421202", "421202001", "421202002")
    return Problem(
        sites=tuple(Site(name, 29.8, 114.3) for name in names),
        requests=tuple(
            Request(name, name, names[0], {"cold_2_8": 1}, 28_800, 40_000, due_s) for name in (names[2], names[1])
        ),
        couriers=(Courier("C1", names[0], names[0], 27_000, 64_800, {"cold_2_8": 2}, cost_fixed=60.0),),
        travel=TravelTable(
            names,
            tuple(tuple(600 * steps for steps in row) for row in away),
            tuple(tuple(10_000 * steps for steps in row) for row in away),
        ),
    )


def test_a_round_by_hand() -> None:
    """Out by A to B, 40 km, 2 400 s at the wheel, two pickups of 120 s and two handovers of 60 s."""
    problem = line_of_places(50_000)
    travel = travel_matrix(problem)
    assert nearest_neighbour("H421202", ["421202002", "421202001"], travel) == ["421202001", "421202002"]
    driven = fixed_rounds(problem, travel)
    assert (driven.couriers, driven.metres, driven.seconds) == (1, 40_000, 2_760)
    assert driven.cost == pytest.approx(60 + 40)
    assert driven.on_time == {"421202001", "421202002"}


def test_who_is_late_is_not_on_time() -> None:
    """At the centre at 33 240: the first handover is in time, the second 60 s later is not."""
    problem = line_of_places(33_240)
    assert len(fixed_rounds(problem, travel_matrix(problem)).on_time) == 1


def test_every_courier_of_xianning_has_a_round() -> None:
    problem = xianning_problem()
    driven = fixed_rounds(problem, travel_matrix(problem))
    assert driven.couriers == 12
    assert 0 < len(driven.on_time) <= 160


def test_the_province_is_whole() -> None:
    rows = len(TOWNSHIPS_CSV.read_text(encoding="utf-8").splitlines()) - 1
    found = counties()
    assert sum(map(len, found.values())) == rows == 1163
    work = county_work(4.0)
    assert sum(len(problem.requests) for problem, _ in work) == 2 * sum(len(s) - 1 for s in found.values())
    assert sum(seconds for _, seconds in work) == pytest.approx(4.0 * len(work))


def test_a_county_is_planned() -> None:
    sites = next(sites for sites in counties().values() if len(sites) >= 6)
    done = planned(problem_of("county", sites[:6], 10), 0.5)
    assert (done.requests, done.unserved, done.broken) == (10, 0, 0)
