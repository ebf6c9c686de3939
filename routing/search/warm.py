"""``python -m routing.search.warm``: compile the kernels now, so that nobody's first plan waits for it.

What was compiled stays on disk beside the code and is used by every process until the code changes.
"""

from __future__ import annotations

import time

import numpy as np

from routing.instance import Instance
from routing.problem import Courier, Problem, Request, Site
from routing.search import lns
from routing.search.arrays import from_instance
from routing.search.jit import COMPILED
from routing.search.packed import pack
from routing.search.pricing import neighbours
from routing.solve import SolveParams, solve
from routing.travel import travel_matrix


def main() -> int:
    """Plan a day of two requests."""
    if not COMPILED:
        print("numba is not installed: plans are made by the OR-Tools routing model")
        return 0
    began = time.monotonic()
    sites = (Site("a", 29.8, 114.3), Site("b", 29.9, 114.3))
    requests = tuple(Request(name, "a", "b", {"cold_2_8": 1}, 0, 40_000, 80_000) for name in ("one", "two"))
    couriers = (Courier("courier", "b", "b", 0, 80_000, {"cold_2_8": 4}),)
    problem = Problem(sites, requests, couriers)
    solve(problem, SolveParams(iterations=20))
    _pricing(problem)
    print(f"Search compiled in {time.monotonic() - began:.0f} s")
    return 0


def _pricing(problem: Problem) -> None:
    """What a search needs only where its first plans are not the best yet."""
    everyone = [[0] for _ in problem.requests]
    arrays = from_instance(Instance(problem, travel_matrix(problem)), range(len(problem.requests)), everyone)
    packed, x = pack(arrays), lns.searcher(arrays, 1)
    prices, nodes = np.full(len(arrays.load), 1e9), np.array([0, len(arrays.load)])
    neighbours(packed, x, prices, 0.0, 0, nodes, 1)
    lns.forget(x.pool, len(arrays.load), prices, np.zeros(len(arrays.capacity)), 0.0)


if __name__ == "__main__":
    raise SystemExit(main())
