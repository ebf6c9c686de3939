"""``labrelay plan``: a problem file in, a plan file out, without an installation."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from routing import Courier, Problem, Request, Site, plan_from_json, to_json
from routing.check import violations
from routing.travel import travel_matrix
from web.cli import labrelay

DAY = Problem(
    sites=(Site("LAB", 29.84, 114.32), Site("A", 29.82, 114.17), Site("B", 29.87, 114.27)),
    requests=tuple(Request(f"R{s}", s, "LAB", {"cold_2_8": 1}, 28_800, 36_000, 50_000) for s in "AB"),
    couriers=(Courier("C1", "LAB", "LAB", 27_000, 61_200, {"cold_2_8": 4}),),
)


@pytest.fixture
def problem_file(tmp_path: Path) -> Path:
    path = tmp_path / "problem.json"
    path.write_bytes(to_json(DAY))
    return path


def run(problem: Path, *more: str | Path) -> Result:
    arguments = ["plan", str(problem), "--iterations", "20", "--quiet", *map(str, more)]
    return CliRunner().invoke(labrelay, arguments)


def test_a_plan_is_written_and_can_be_improved(problem_file: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "plan.json", tmp_path / "better.json"
    result = run(problem_file, "--out", first)
    assert result.exit_code == 0, result.output
    plan = plan_from_json(first.read_bytes())
    assert violations(DAY, plan, travel_matrix(DAY)) == []
    assert plan.unserved == ()
    assert plan.travel_source == "geodesic"
    assert plan.lower_bound is not None
    assert 0 < plan.lower_bound <= plan.cost
    assert plan.bound_method == "assignment_cuts"
    result = run(problem_file, "--out", second, "--start", first, "--workers", "2", "--seed", "7")
    assert result.exit_code == 0, result.output
    assert plan_from_json(second.read_bytes()).cost <= plan.cost


def test_travel_comes_from_the_table(problem_file: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    pairs = [(a, b) for a in ("LAB", "A", "B") for b in ("LAB", "A", "B") if a != b]
    table.write_text("from,to,travel_s,distance_m\n" + "".join(f"{a},{b},600,7000\n" for a, b in pairs))
    result = run(problem_file, "--out", tmp_path / "plan.json", "--matrix", table)
    assert result.exit_code == 0, result.output
    plan = plan_from_json((tmp_path / "plan.json").read_bytes())
    assert plan.travel_source == "matrix"
    assert plan.distance_m == 21_000


def test_a_bad_file_is_refused_by_name_and_field(problem_file: Path, tmp_path: Path) -> None:
    good = problem_file.read_bytes()
    bad = tmp_path / "bad.json"
    bad.write_bytes(good.replace(b'"ready_s":28800', b'"ready_s":"soon"', 1))
    result = run(bad, "--out", tmp_path / "plan.json")
    assert result.exit_code == 2
    assert "wrong_type requests[0].ready_s" in result.stderr
    assert "bad.json" in result.stderr
    table = tmp_path / "table.csv"
    table.write_text("from,to,travel_s,distance_m\nA,B,600,far\n")
    result = run(problem_file, "--matrix", table)
    assert result.exit_code == 2
    assert "table.csv: matrix_bad_number" in result.stderr
    result = run(problem_file, "--start", problem_file)
    assert result.exit_code == 2
    assert "problem.json: unknown_field" in result.stderr
    assert run(tmp_path / "none.json").exit_code == 2
    assert run(problem_file, "--workers", "0").exit_code == 2
    assert not (tmp_path / "plan.json").exists()


def test_an_impossible_request_does_not_empty_the_plan(problem_file: Path, tmp_path: Path) -> None:
    late = replace(DAY.requests[0], id="LATE", due_s=28_900)
    problem_file.write_bytes(to_json(replace(DAY, requests=(*DAY.requests, late))))
    result = run(problem_file, "--out", tmp_path / "plan.json")
    assert result.exit_code == 0, result.output
    plan = plan_from_json((tmp_path / "plan.json").read_bytes())
    assert [item.request_id for item in plan.unserved] == ["LATE"]
    assert plan.couriers_used == 1


def test_neither_flask_nor_a_database_is_loaded(problem_file: Path) -> None:
    """Also not a setting is read: a wrong one does not matter here."""
    code = (
        "import sys\nfrom web.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'flask', 'sqlalchemy', 'celery', 'psycopg'}))\n"
    )
    command = [sys.executable, "-c", code, "plan", str(problem_file), "--iterations", "5", "--out", os.devnull]
    done = subprocess.run(
        command, env={**os.environ, "LABRELAY_DATABASE_URL": "nonsense"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    assert "1 couriers" in done.stderr


def test_the_summary_names_cost_bound_and_what_is_left_out(tmp_path: Path) -> None:
    """Two fit and one cannot: cost, the bound with its kind, and the third by name with its reason."""
    late = Request("R-LATE", "A", "LAB", {"cold_2_8": 1}, 28_800, 36_000, 28_900)
    problem_file = tmp_path / "problem.json"
    problem_file.write_bytes(to_json(replace(DAY, requests=(*DAY.requests, late))))
    arguments = ["plan", str(problem_file), "--iterations", "20", "--out", str(tmp_path / "plan.json")]
    said = CliRunner().invoke(labrelay, arguments).stderr
    assert "cost " in said
    assert "(assignment_cuts), at most" in said
    assert "left out: R-LATE (due_before_arrival)" in said
