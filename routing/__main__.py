"""``python -m routing PROBLEM.json --seconds 10 --out PLAN.json``: plan one problem from a file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from routing.command import Asked, run


def main(arguments: list[str] | None = None) -> int:
    """Read, solve, check, write. Problems with the input go to standard error as ``file: code field params``."""
    return run(Asked(**vars(_parser().parse_args(arguments))))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m routing", description=__doc__)
    parser.add_argument("problem", type=Path, help="problem as JSON, see docs/formats/problem.md")
    parser.add_argument("--seconds", type=float, default=10.0, help="search time (default 10)")
    parser.add_argument("--workers", type=int, default=1, help="threads of the search (default 1)")
    parser.add_argument("--out", type=Path, help="where the plan goes (default: standard output)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--iterations", type=int, help="end after so many rounds whatever the time")
    parser.add_argument("--start", type=Path, metavar="PLAN.json", help="improve this plan")
    parser.add_argument("--osrm", metavar="URL", help="take road times from this OSRM server")
    parser.add_argument("--matrix", type=Path, metavar="FILE", help="take travel from this table, JSON or CSV")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


if __name__ == "__main__":
    sys.exit(main())
