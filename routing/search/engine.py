"""The search of a plan: rounds of large-neighbourhood search by several threads, then the best choice among all routes
they met, and again from there."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np

from routing.search import lns
from routing.search.arrays import Arrays
from routing.search.desk import NEVER
from routing.search.packed import Packed, pack
from routing.search.partition import Budget, Chosen, Columns, Halt, Relaxed, choose, gather, relax
from routing.search.pricing import Pricing, price
from routing.search.state import State, copy_all

Routes = list[list[int]]
"""Nodes of each courier in order; see :mod:`routing.search.arrays`."""

Progress = Callable[[float, float, Routes], None]
"""Told of every better plan: seconds since the start, cost with penalties, routes."""

_SLICE_S = 0.05
"""Threads look up this often to see whether it is time to stop."""

_SLICE_ROUNDS = 200
_LOOK_S = 0.05
_FIRST_ROUNDS = 20

_WARM, _COLD = 0.004, 0.0003
"""Temperatures at the start and the end of a phase, as shares of the plan's cost."""

_KEEP = 0.1
"""Routes of plans that cost up to this share more than the best are kept for the partitioning."""


_LONGER, _LONGEST_S, _CHOICE = 1.6, 8.0, 1.6
"""Each phase is longer than the one before, up to so many seconds; the choice may take so much of the next one."""

_PRICINGS = 4
"""So often are neighbours of the best routes priced before a choice."""

_BASES, _FEW_BASES = 400, 60
"""Of so many routes at once; of few where the result must not depend on the clock."""

_NEAR = 0.001
"""Routes that cost up to this share of the plan more than they are worth are kept."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When the search ends: after ``seconds``, or after ``rounds`` in all, which makes it repeatable with one worker.

    ``goal``: a cost that cannot be beaten (a lower bound); reaching it ends the search.
    """

    seconds: float = 10.0
    rounds: int | None = None
    workers: int = 1
    seed: int = 1
    goal: float = -math.inf
    patience: int | None = None
    """Rounds of each thread without a better plan after which the search ends; None = never."""


class Engine:
    """One search over one problem."""

    def __init__(self, arrays: Arrays, limits: Limits) -> None:
        self.arrays, self.limits = arrays, limits
        self.packed = pack(arrays)
        workers = max(1, limits.workers)
        self.searchers = [lns.searcher(arrays, limits.seed * 1_000 + number) for number in range(workers)]
        self._pace = [float(_FIRST_ROUNDS)] * workers
        self._most = max(3, min(int(0.1 * len(arrays.load)) + 4, 24))
        self._told = math.inf
        self._began = 0.0
        self._idle = 0
        self._combined = False
        self._relaxed: Relaxed | None = None
        self._halt = False
        self._lock = Lock()
        self._found: tuple[float, Routes] = (math.inf, [])

    def run(
        self,
        start: Routes | None = None,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> tuple[Routes, float, bool]:
        """The best routes, their cost (penalties included) and whether ``should_stop`` ended the search."""
        self._began = time.monotonic()
        for searcher in self.searchers:
            if start is not None:
                _lay(searcher, start)
            lns.adopt(self.packed, searcher)
            _drop_broken(self.packed, searcher)
            self._publish(searcher)
        stopped = False
        halt = Halt()
        with ThreadPoolExecutor(len(self.searchers)) as threads, ThreadPoolExecutor(1) as chooser:
            pending: Future[list[Chosen] | None] | None = None
            for phase in _phases(self.limits):
                stopped = self._phase(phase, threads, progress, should_stop)
                if stopped or self._over():
                    break
                self._adopt(pending)
                budget = Budget(phase.choose_s, self.limits.rounds is not None, halt)
                pending = self._choice(phase, budget, threads, chooser)
                if len(self.searchers) == 1:
                    self._adopt(pending)
                self._spread()
                self._tell(progress)
                if self._over():
                    break
            if stopped or self._over():
                halt.now()
            self._adopt(pending)
            self._tell(progress)
        best = self._best()
        return routes_of(best), float(best.best.total[0]), stopped

    def _best(self) -> lns.Searcher:
        return min(self.searchers, key=lambda one: one.best.total[0])

    def _spent(self) -> float:
        return time.monotonic() - self._began

    def _over(self) -> bool:
        if self._found[0] <= self.limits.goal + 1e-6:
            return True
        if (
            self.limits.patience is not None
            and self._idle > self.limits.patience * len(self.searchers)
            and self._combined
        ):
            return True
        return self.limits.rounds is None and self._spent() >= self.limits.seconds

    def _phase(
        self,
        phase: _Phase,
        threads: ThreadPoolExecutor,
        progress: Progress | None,
        should_stop: Callable[[], bool] | None,
    ) -> bool:
        """Let every thread anneal once, from warm to cold; meanwhile tell what they find. True = asked to stop."""
        self._halt = False
        jobs = [threads.submit(self._anneal, number, phase) for number in range(len(self.searchers))]
        stopped = False
        try:
            while any(wait(jobs, timeout=_LOOK_S).not_done):
                self._tell(progress)
                stopped = should_stop is not None and should_stop()
                if stopped or self._over():
                    break
        finally:
            self._halt = True
            wait(jobs)
        for job in jobs:
            job.result()
        self._tell(progress)
        return stopped or (not stopped and should_stop is not None and should_stop())

    def _anneal(self, number: int, phase: _Phase) -> None:
        """One thread's part of a phase, in slices short enough to be stopped between them."""
        x, began, done = self.searchers[number], time.monotonic(), 0
        tries = _tries(self.arrays)
        while not self._halt:
            passed = done / phase.rounds if phase.rounds else (time.monotonic() - began) / phase.seconds
            if passed >= 1.0:
                return
            cost = _driven(x)
            heat = _WARM * cost * (_COLD / _WARM) ** passed
            many = min(_SLICE_ROUNDS, phase.rounds - done) if phase.rounds else max(1, int(self._pace[number]))
            at = time.monotonic()
            lns.search(self.packed, x, many, heat, heat, self._most, tries, _KEEP)
            done += many
            if not phase.rounds:
                rate = many / max(1e-4, time.monotonic() - at)
                self._pace[number] = max(1.0, min(rate * _SLICE_S, self._pace[number] * 4))
            with self._lock:
                self._idle += many
                self._publish(x)

    def _publish(self, x: lns.Searcher) -> None:
        """Note the thread's best if it is the best of all."""
        cost = float(x.best.total[0])
        if cost < self._found[0] - 1e-7:
            self._found = (cost, routes_of(x))
            self._idle, self._combined = 0, False

    def _choice(
        self, phase: _Phase, budget: Budget, threads: Executor, chooser: Executor
    ) -> Future[list[Chosen] | None] | None:
        """Begin to look for routes that cost less together than the best plan, among all that were met and neighbours
        of theirs. With several threads they go on meanwhile."""
        best = self._best()
        known, present = float(best.best.total[0]), best.best.mark[1].copy()
        began = time.monotonic()
        until = math.inf if budget.repeatable else min(began + phase.price_s, self._began + self.limits.seconds)
        priced: set[int] = set()
        for number in itertools.count():
            columns = gather([one.pool for one in self.searchers], len(self.arrays.load), present)
            found = relax(self.arrays, columns, self._relaxed)
            if found is None or found.value >= known - 1e-6:
                self._combined = True
                return None
            relaxed = self._relaxed = found
            if number == _PRICINGS or time.monotonic() >= until:
                break
            limit = min(known - relaxed.value, _NEAR * _driven(best))
            terms = Pricing(limit, _FEW_BASES if budget.repeatable else _BASES, until, _tries(self.arrays))
            price(self.arrays, self.packed, self.searchers, columns, relaxed, terms, priced, threads)
        if not budget.repeatable:
            budget = replace(budget, seconds=max(0.05, min(budget.seconds, self.limits.seconds - self._spent())))
        self._forget(columns, relaxed)
        return chooser.submit(choose, self.arrays, columns, relaxed, known, present, budget)

    def _adopt(self, pending: Future[list[Chosen] | None] | None) -> None:
        """Take over the plan that was chosen, if it is still the best."""
        picked = pending.result() if pending is not None else None
        self._combined = self._combined or pending is not None
        if picked is None:
            return
        best = self._best()
        _lay(best, _slots(self.arrays, picked))
        lns.adopt(self.packed, best)
        self._publish(self._best())

    def _spread(self) -> None:
        """The best plan goes to every second thread; the others go on from the best of their own."""
        best = self._best()
        for number, one in enumerate(self.searchers):
            if one is not best and number % 2 == 0:
                copy_all(best.best, one.best)
            copy_all(one.best, one.now)

    def _forget(self, columns: Columns, relaxed: Relaxed) -> None:
        """Room for new routes: pools that are half full keep those that the relaxation likes best."""
        for one in self.searchers:
            if one.pool.held[0] * 2 > len(one.pool.body):
                limit = float(np.quantile(relaxed.reduced, 0.5))
                lns.forget(one.pool, len(self.arrays.load), relaxed.worth, relaxed.rents, limit)

    def _tell(self, progress: Progress | None) -> None:
        with self._lock:
            cost, routes = self._found
        if cost < self._told - 1e-7:
            self._told = cost
            if progress is not None:
                progress(self._spent(), cost, routes)


@dataclass(frozen=True, slots=True)
class _Phase:
    """Seconds of annealing, of pricing after it, of the choice that goes on beside the next phase."""

    seconds: float
    price_s: float
    choose_s: float
    rounds: int | None = None


def _phases(limits: Limits) -> list[_Phase]:
    """Short ones first: small problems are done after a second."""
    if limits.rounds is not None:
        parts = max(1, min(8, limits.rounds // 200))
        each = -(-limits.rounds // parts)
        return [_Phase(1.0, 1.0, 1.0, min(each, limits.rounds - part * each)) for part in range(parts)]
    phases, spent, length = [], 0.0, min(0.5, 0.4 * limits.seconds)
    while spent < limits.seconds:
        phases.append(_Phase(length, 0.3 * length, max(0.3, _CHOICE * length)))
        spent += length
        length = min(length * _LONGER, _LONGEST_S)
    return phases


def _tries(arrays: Arrays) -> int:
    """Places of an insertion that are looked at exactly: where times cost something, the first need not be the best."""
    return 4 if arrays.timed else 1


def _driven(x: lns.Searcher) -> float:
    """Cost of the routes without penalties: the measure of temperatures."""
    return max(1e-6, float(x.best.cost.sum()))


def routes_of(x: lns.Searcher) -> Routes:
    """The best plan of a thread."""
    return _nodes(x.best)


def _nodes(state: State) -> Routes:
    return [[int(node) for node in state.nodes[r, : state.size[r]]] for r in range(len(state.size))]


def _slots(arrays: Arrays, chosen: Sequence[Chosen]) -> Routes:
    """Routes of types given to couriers of that type."""
    routes: Routes = [[] for _ in arrays.slot_type]
    free: dict[int, list[int]] = {}
    for slot in reversed(range(len(arrays.slot_type))):
        free.setdefault(int(arrays.slot_type[slot]), []).append(slot)
    for kind, nodes in chosen:
        routes[free[kind].pop()] = [int(node) for node in nodes]
    return routes


def _drop_broken(packed: Packed, x: lns.Searcher) -> None:
    """A start may hold routes that can no longer be driven: their requests wait for a new place."""
    if x.now.total[0] < NEVER:
        return
    _lay(x, [nodes if cost < NEVER else [] for nodes, cost in zip(_nodes(x.now), x.now.cost, strict=True)])
    lns.adopt(packed, x)


def _lay(x: lns.Searcher, routes: Routes) -> None:
    """Write routes into the thread's present plan; :func:`routing.search.lns.adopt` works out the rest."""
    state = x.now
    n = len(state.where)
    state.where[:] = -1
    state.size[:] = 0
    for r, nodes in enumerate(routes):
        state.size[r] = len(nodes)
        state.nodes[r, : len(nodes)] = nodes
        for node in nodes:
            if node >= n:
                state.where[node - n] = r
