"""``python -m routing PROBLEM.json --seconds 10 --out PLAN.json``: plan one problem from a file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from routing.check import violations
from routing.codec import problem_from_json, to_json
from routing.plan import Plan, PlanProgress
from routing.problem import ProblemError
from routing.solve import SolveParams, solve, travel_matrix
from routing.travel import FallbackProvider, GeodesicProvider, OsrmProvider, TravelError, TravelProvider

REFUSED = 2
"""Exit status: the problem cannot be read. 1 = the plan broke its own rules (a fault of the program)."""


def main(arguments: list[str] | None = None) -> int:
    """Read, solve, check, write. Problems with the input go to standard error as ``code field params``."""
    options = _parser().parse_args(arguments)
    try:
        problem = problem_from_json(Path(options.problem).read_bytes())
        provider: TravelProvider = GeodesicProvider()
        if options.osrm:
            provider = FallbackProvider(OsrmProvider(options.osrm), provider)
        travel = travel_matrix(problem, provider)
    except (ProblemError, TravelError, OSError) as error:
        print(error, file=sys.stderr)
        return REFUSED
    progress = None if options.quiet else _tell
    plan = solve(problem, SolveParams(seconds=options.seconds), travel=travel, progress=progress)
    broken = violations(problem, plan, travel)
    for violation in broken:
        print(violation.code, violation.where, dict(violation.params), file=sys.stderr)
    data = to_json(plan, indent=2)
    if options.out:
        Path(options.out).write_bytes(data + b"\n")
    else:
        sys.stdout.buffer.write(data + b"\n")
    if not options.quiet:
        print(_summary(plan), file=sys.stderr)
    return 1 if broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m routing", description=__doc__)
    parser.add_argument("problem", help="problem as JSON, see docs/formats/problem.md")
    parser.add_argument("--seconds", type=float, default=10.0, help="search time (default 10)")
    parser.add_argument("--out", help="where the plan goes (default: standard output)")
    parser.add_argument("--osrm", metavar="URL", help="take road times from this OSRM server")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


def _tell(progress: PlanProgress) -> None:
    print(f"{progress.elapsed_s:7.2f} s  cost {progress.cost:.2f}  unserved {progress.unserved}", file=sys.stderr)


def _summary(plan: Plan) -> str:
    return (
        f"{plan.couriers_used} couriers, {plan.distance_m / 1000:.1f} km, {plan.duration_s / 3600:.1f} h, "
        f"cost {plan.cost:.2f}, {len(plan.unserved)} unserved, travel: {plan.travel_source}"
    )


if __name__ == "__main__":
    sys.exit(main())
