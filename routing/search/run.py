"""From a validated problem to the compiled search and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from routing.instance import Instance, Visit
from routing.plan import PlanProgress
from routing.search.arrays import from_instance
from routing.search.engine import Engine, Limits, Routes

_PATIENCE = (2_000, 250)
"""Rounds without a better plan after which a day is taken as done: so many, and so many for each request."""


@dataclass(frozen=True, slots=True)
class Started:
    """``seconds`` or ``rounds`` as limits, ``start``: visits of each courier to improve from."""

    seconds: float
    rounds: int | None
    workers: int
    seed: int
    start: Sequence[Sequence[Visit]] | None = None


def compiled_search(
    instance: Instance,
    possible: Sequence[int],
    allowed: Sequence[Sequence[int]],
    asked: Started,
    progress: Callable[[PlanProgress], None],
    should_stop: Callable[[], bool] | None = None,
) -> tuple[tuple[tuple[Visit, ...], ...], bool]:
    """Visits of each courier, and whether ``should_stop`` ended the search."""
    arrays = from_instance(instance, possible, allowed)
    count = len(possible)
    patience = None if asked.rounds is not None else _PATIENCE[0] + _PATIENCE[1] * count
    limits = Limits(asked.seconds, asked.rounds, asked.workers, asked.seed, patience=patience)
    solutions = 0

    def tell(seconds: float, cost: float, routes: Routes) -> None:
        nonlocal solutions
        solutions += 1
        served = {node - count for nodes in routes for node in nodes if node >= count}
        penalties = sum(float(arrays.penalty[i]) for i in range(count) if i not in served)
        unserved = len(instance.requests) - len(served)
        progress(PlanProgress(round(seconds, 3), round(cost - penalties, 2), unserved, solutions))

    start = None if asked.start is None else _nodes(instance, possible, asked.start)
    found, _, stopped = Engine(arrays, limits).run(start, tell, should_stop)
    return tuple(tuple(_visit(node, possible) for node in nodes) for nodes in found), stopped


def _visit(node: int, possible: Sequence[int]) -> Visit:
    return possible[node] if node < len(possible) else ~possible[node - len(possible)]


def _nodes(instance: Instance, possible: Sequence[int], start: Sequence[Sequence[Visit]]) -> Routes:
    """Whole requests of the start, each once, as nodes."""
    number = {request: index for index, request in enumerate(possible)}
    routes: Routes = []
    taken: set[int] = set()
    for visits in start:
        here = set(visits)
        kept = [
            visit
            for visit in visits
            if (request := visit if visit >= 0 else ~visit) in number
            and request not in taken
            and ~request in here
            and (request in here) != (instance.requests[request].aboard_of is not None)
        ]
        taken |= {visit if visit >= 0 else ~visit for visit in kept}
        routes.append([number[v] if v >= 0 else len(possible) + number[~v] for v in kept])
    return routes
