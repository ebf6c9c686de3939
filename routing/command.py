"""One problem file planned into one plan file: what ``labrelay plan`` and ``python -m routing`` both do."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from routing.bound import bounded
from routing.check import violations
from routing.codec import plan_from_json, problem_from_json, to_json
from routing.instance import Instance
from routing.plan import Plan, PlanProgress
from routing.problem import Problem, ProblemError
from routing.solve import SolveParams, solve
from routing.travel import (
    FallbackProvider,
    GeodesicProvider,
    OsrmProvider,
    TravelError,
    TravelMatrix,
    TravelProvider,
    travel_matrix,
)
from routing.travel.table import read_matrix

BROKEN = 1
"""Exit status: the plan broke its own rules (a fault of the program)."""
REFUSED = 2
"""Exit status: a file cannot be read or written, or travel cannot be known."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The files and limits of one run. ``start``: a plan to improve. ``matrix``: travel from a file, JSON or CSV.

    ``osrm``: take road times from this server (the estimate where it is away). ``out`` None: standard output.
    """

    problem: Path
    out: Path | None = None
    seconds: float = 10.0
    workers: int = 1
    seed: int = 1
    iterations: int | None = None
    start: Path | None = None
    osrm: str | None = None
    matrix: Path | None = None
    quiet: bool = False


def run(asked: Asked) -> int:
    """Read, solve, check, write; the exit status. What is wrong with a file goes to standard error in one line."""
    try:
        problem, travel, start = _read(asked)
    except _Refused as refused:
        print(refused, file=sys.stderr)
        return REFUSED
    params = SolveParams(seconds=asked.seconds, workers=asked.workers, seed=asked.seed, iterations=asked.iterations)
    plan = solve(problem, params, travel=travel, start=start, progress=None if asked.quiet else _tell)
    plan = bounded(Instance(problem, travel), plan)
    broken = violations(problem, plan, travel)
    for violation in broken:
        print(violation.code, violation.where, dict(violation.params), file=sys.stderr)
    try:
        _write(asked.out, to_json(plan, indent=2) + b"\n")
    except OSError as error:
        print(error, file=sys.stderr)
        return REFUSED
    if not asked.quiet:
        print(_summary(plan), file=sys.stderr)
    return BROKEN if broken else 0


class _Refused(Exception):
    """A file that cannot be used; the text names the file, the code and the field."""


def _read(asked: Asked) -> tuple[Problem, TravelMatrix, Plan | None]:
    path = asked.problem
    try:
        problem = problem_from_json(path.read_bytes())
        if asked.matrix is not None:
            path = asked.matrix
            problem = replace(problem, travel=read_matrix(path.read_bytes(), path.name))
        travel = _travel(problem, asked.osrm)
        start = None
        if asked.start is not None:
            path = asked.start
            start = plan_from_json(path.read_bytes())
    except (ProblemError, TravelError) as error:
        raise _Refused(f"{path}: {error}") from error
    except OSError as error:
        raise _Refused(str(error)) from error
    return problem, travel, start


def _travel(problem: Problem, osrm: str | None) -> TravelMatrix:
    provider: TravelProvider = GeodesicProvider()
    if osrm:
        provider = FallbackProvider(OsrmProvider(osrm), provider)
    return travel_matrix(problem, provider)


def _write(out: Path | None, data: bytes) -> None:
    if out is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        out.write_bytes(data)


def _tell(progress: PlanProgress) -> None:
    if progress.cost is not None:
        left = progress.unserved
        print(f"{progress.elapsed_s:7.2f} s  cost {progress.cost:.2f}  unserved {left}", file=sys.stderr)


def _summary(plan: Plan) -> str:
    lines = [
        f"{plan.couriers_used} couriers, {plan.distance_m / 1000:.1f} km, {plan.duration_s / 3600:.1f} h, "
        f"cost {plan.cost:.2f}, {len(plan.unserved)} unserved, travel: {plan.travel_source}"
    ]
    if plan.lower_bound is not None:
        gap = f", at most {plan.cost / plan.lower_bound - 1:.1%} above the best" if plan.lower_bound > 0 else ""
        lines.append(f"no plan serving the same costs less than {plan.lower_bound:.2f} ({plan.bound_method}){gap}")
    lines += [f"left out: {one.request_id} ({one.code})" for one in plan.unserved]
    return "\n".join(lines)
