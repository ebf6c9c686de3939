"""solve(): the whole way, on the tiny network and on a day of Xianning."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.xianning import xianning_problem
from routing import COLD_2_8, Plan, PlanProgress, Problem, Site, Window, plan_from_json, problem_from_json, to_json
from routing.check import violations
from routing.problem import Priority
from routing.solve import SolveParams, solve
from routing.travel import FallbackProvider, GeodesicProvider, OsrmProvider, travel_matrix
from tests.routing.cases import HOUR, LAB, MIN, QUICK, A, B, courier, planned, problem, random_problem, request

H8 = 8 * HOUR


def _deliveries(plan: Plan) -> int:
    return sum(1 for route in plan.routes for stop in route.stops if stop.delivered)


def test_several_laboratory_visits_in_a_shift() -> None:
    """A box of two slots and four requests of two: four trips with one courier, nothing left out."""
    case = problem([request(f"R{i}", A if i % 2 else B) for i in range(4)], [courier(capacity={COLD_2_8: 2})])
    plan = planned(case)
    assert plan.unserved == ()
    assert plan.couriers_used == 1
    assert _deliveries(plan) == 4
    assert violations(case, plan, travel_matrix(case)) == []


def test_several_depots_and_different_ends() -> None:
    """Each courier starts from and returns to its own place; the nearer one goes."""
    people = [courier("at_lab"), courier("at_b", start_site=B, end_site=B)]
    case = problem([request("R1", B, delivery_site=LAB)], people)
    one_way = replace(case, couriers=(courier("through", start_site=B, end_site=LAB), people[0]))
    assert violations(case, planned(case), travel_matrix(case)) == []
    route = planned(one_way).routes[0]
    assert (route.courier_id, route.distance_m) == ("through", 15_000)


def test_skills_send_the_right_courier() -> None:
    """Only the second may carry it although the first is as near."""
    case = problem([request(skills=frozenset({"blood"}))], [courier(), courier("C2", skills=frozenset({"blood"}))])
    assert [route.courier_id for route in planned(case).routes] == ["C2"]


def test_stat_goes_first_when_not_all_fit() -> None:
    """Three routine requests against one stat request that excludes them: the stat one is served."""
    late = {"latest_pickup_s": H8, "due_s": H8 + 20 * MIN}
    rest = [request(f"R{i}", **late) for i in range(3)]
    case = problem([*rest, request("S", B, priority=Priority.STAT, **late)])
    plan = planned(case)
    assert {item.request_id for item in plan.unserved} == {"R0", "R1", "R2"}


def test_pickup_windows_with_a_gap() -> None:
    """The search respects the gap too: ready at 08:00, but the counter is closed from 08:01 to 09:00."""
    windows = (Window(7 * HOUR, 7 * HOUR + MIN), Window(9 * HOUR, 10 * HOUR))
    case = problem([request(ready_s=7 * HOUR, pickup_windows=windows)])
    plan = planned(case)
    assert plan.routes[0].stops[0].start_s == 9 * HOUR


def test_the_same_problem_gives_the_same_plan() -> None:
    """With a limit of rounds the answer is reproducible to the byte, times of search aside."""
    case = random_problem(5)
    first, second = (replace(solve(case, QUICK), search_s=0.0, trace=()) for _ in range(2))
    assert to_json(first) == to_json(second)


def test_progress_falls_and_counts(tiny: Problem) -> None:
    """Every report is better than the one before; the last one's cost is the plan's."""
    seen: list[PlanProgress] = []
    case = replace(tiny, requests=tuple(request(f"R{i}", A if i % 2 else B) for i in range(8)))
    plan = solve(case, QUICK, progress=seen.append)
    keys = [(item.unserved or 0, item.cost or 0.0) for item in seen]
    assert keys == sorted(keys, reverse=True)
    assert seen[-1].cost is not None
    assert abs(seen[-1].cost - plan.cost) < 0.5


def test_stop_keeps_the_best(tiny: Problem) -> None:
    """Asked to stop after the first report, the plan is complete, valid and says that it was stopped."""
    seen: list[PlanProgress] = []
    plan = solve(tiny, SolveParams(seconds=30), progress=seen.append, should_stop=lambda: bool(seen))
    assert plan.search_s < 5
    assert [notice.code for notice in plan.notices] == ["stopped_early"]
    assert violations(tiny, plan, travel_matrix(tiny)) == []
    assert plan.unserved == ()


def test_an_error_of_the_caller_comes_back_to_the_caller(tiny: Problem) -> None:
    """A progress function that fails (a database that is away) fails the call, not the process."""

    def broken(_: PlanProgress) -> None:
        raise ConnectionError("away")

    with pytest.raises(ConnectionError):
        solve(tiny, SolveParams(seconds=5), progress=broken)

    def asked() -> bool:
        raise ConnectionError("away")

    with pytest.raises(ConnectionError):
        solve(tiny, SolveParams(seconds=5), should_stop=asked)


def test_a_small_day_is_not_searched_for_the_whole_time(tiny: Problem) -> None:
    """Two requests are done when they are done, not after the ten seconds that were allowed."""
    assert solve(tiny, SolveParams(seconds=10)).search_s < 3


def test_without_a_compiler_or_tools_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where numba is absent the OR-Tools routing model makes the plan; it holds, and nothing possible is left out."""
    monkeypatch.setattr("routing.solve.COMPILED", False)
    case = xianning_problem(requests=30, couriers=8)
    travel = travel_matrix(case)
    plan = solve(case, SolveParams(seconds=5, iterations=20), travel=travel)
    assert violations(case, plan, travel) == []
    assert len(plan.unserved) <= 3


def test_a_given_plan_is_improved_from() -> None:
    """A start that is good already is not lost: the first report is at least as good, and so is the plan."""
    case = xianning_problem(requests=40, couriers=6)
    travel = travel_matrix(case)
    first = solve(case, SolveParams(iterations=400), travel=travel)
    seen: list[PlanProgress] = []
    again = solve(case, SolveParams(iterations=20, seed=9), travel=travel, start=first, progress=seen.append)
    assert (len(again.unserved), again.cost) <= (len(first.unserved), first.cost + 0.01)
    assert seen[0].unserved is not None
    assert seen[0].unserved <= len(first.unserved)


def test_the_example_of_the_documentation_works() -> None:
    """The JSON in docs/formats/problem.md is read and planned as it stands."""
    text = (Path(__file__).parents[2] / "docs" / "formats" / "problem.md").read_text(encoding="utf-8")
    case = problem_from_json(text.split("```json\n")[1].split("```")[0])
    plan = planned(case)
    assert plan.unserved == ()
    assert violations(case, plan, travel_matrix(case)) == []


def test_the_plan_tells_that_roads_were_guessed(tiny: Problem) -> None:
    """A road server that is away ends up as a notice on the plan."""
    case = replace(tiny, travel=None)
    provider = FallbackProvider(OsrmProvider("http://127.0.0.1:9", timeout_s=1), GeodesicProvider())
    plan = solve(case, QUICK, travel=provider)
    assert plan.travel_source == "geodesic"
    assert [notice.code for notice in plan.notices] == ["travel_fallback"]


def test_one_impossible_request_does_not_empty_the_plan(tiny: Problem) -> None:
    """Far away on an island: listed; the others are served."""
    island = Site("island", 18.2, 109.5)
    case = replace(tiny, travel=None, sites=(*tiny.sites, island), requests=(*tiny.requests, request("X", "island")))
    plan = solve(case, QUICK)
    assert [item.request_id for item in plan.unserved] == ["X"]
    assert plan.couriers_used == 1


def test_a_day_of_xianning() -> None:
    """77 sites, 110 requests, 12 couriers: valid after some rounds, and all but a few are served."""
    case = xianning_problem(requests=110, couriers=12)
    travel = travel_matrix(case)
    plan = solve(case, SolveParams(iterations=2_000), travel=travel)
    assert violations(case, plan, travel) == []
    assert len(plan.unserved) <= 5
    assert all(item.remedies for item in plan.unserved)


def test_the_command_line(tiny: Problem, tmp_path: Path) -> None:
    """``python -m routing`` reads a problem, writes a plan, and names the field of a bad problem."""
    source, target = tmp_path / "problem.json", tmp_path / "plan.json"
    source.write_bytes(to_json(tiny))
    command = [sys.executable, "-m", "routing", str(source), "--seconds", "1", "--out", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert plan_from_json(target.read_bytes()).unserved == ()
    source.write_bytes(to_json(tiny).replace(b'"ready_s":', b'"redy_s":', 1))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "unknown_field requests[0].redy_s" in done.stderr
