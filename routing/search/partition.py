"""Choose among the routes met: a set partitioning, by GLOP with delayed columns and CP-SAT on what is left.

The value of its relaxation says nothing about routes that were never met: it is not a lower bound of the problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver import pywraplp
from ortools.sat.python import cp_model

from routing.search.arrays import Arrays, Floats
from routing.search.lns import Pool
from routing.search.state import Marks

_MOST_COLUMNS = 400_000
_FIRST_COLUMNS = 1_500
_ADDED_COLUMNS = 600
_CHOSEN_COLUMNS = 800
"""So many of the most promising columns are tried first; then twice as many, until time is over. Eight hundred are
proven in a tenth of a second, three thousand in about one, six thousand often not in eight."""

_SCALE = 1e9
"""Costs become whole numbers in CP-SAT, so that the best whole plan costs about this much."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Routes: mark of type and requests, type, cost, nodes in order, and the requests of all, one after the other."""

    body: Marks
    kind: NDArray[np.int64]
    cost: Floats
    size: NDArray[np.int64]
    nodes: NDArray[np.int16]
    first: NDArray[np.int64]
    """(columns + 1) where each column's requests begin in ``flat``."""
    flat: NDArray[np.int64]


def gather(pools: Sequence[Pool], requests: int, wanted: Marks) -> Columns:
    """The cheapest route for each set of requests and type, of several threads' pools; those with the marks ``wanted``
    are among them even where there are too many."""
    held = [np.flatnonzero(pool.body) for pool in pools]
    body = np.concatenate([pool.body[at] for pool, at in zip(pools, held, strict=True)])
    cost = np.concatenate([pool.cost[at] for pool, at in zip(pools, held, strict=True)])
    kind = np.concatenate([pool.kind[at] for pool, at in zip(pools, held, strict=True)])
    count = np.concatenate([pool.size[at] for pool, at in zip(pools, held, strict=True)])
    nodes = np.concatenate([pool.nodes[at] for pool, at in zip(pools, held, strict=True)])
    order = np.lexsort((cost, body))
    fresh = np.ones(len(order), dtype=np.bool_)
    fresh[1:] = body[order][1:] != body[order][:-1]
    chosen = order[fresh]
    if len(chosen) > _MOST_COLUMNS:
        share = cost[chosen] / np.maximum(count[chosen], 1)
        share[np.isin(body[chosen], wanted)] = -np.inf
        chosen = chosen[np.sort(np.argsort(share, kind="stable")[:_MOST_COLUMNS])]
    body, kind, cost, count, nodes = body[chosen], kind[chosen], cost[chosen], count[chosen], nodes[chosen]
    delivered = (nodes >= requests) & (np.arange(nodes.shape[1]) < count[:, None])
    first = np.concatenate([[0], np.cumsum(delivered.sum(axis=1))])
    return Columns(body, kind, cost, count, nodes, first, nodes[delivered].astype(np.int64) - requests)


class Halt:
    """Ends a choice that is under way in another thread, and every later one with the same halt."""

    def __init__(self) -> None:
        self.called = False
        self._solver: cp_model.CpSolver | None = None

    def now(self) -> None:
        self.called = True
        if self._solver is not None:
            self._solver.stop_search()

    def watch(self, solver: cp_model.CpSolver | None) -> None:
        self._solver = solver


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds of wall time, or where the result must be the same each time, of CP-SAT's own clock."""

    seconds: float
    repeatable: bool = False
    halt: Halt = field(default_factory=Halt)


Chosen = tuple[int, NDArray[np.int16]]
"""Type and nodes of a route."""


@dataclass(frozen=True, slots=True)
class Relaxed:
    """The relaxation over some columns: ``value``, reduced cost of each column, price of each request and each type."""

    value: float
    reduced: Floats
    worth: Floats
    rents: Floats


def choose(
    arrays: Arrays, columns: Columns, relaxed: Relaxed, known: float, start: Marks, budget: Budget
) -> list[Chosen] | None:
    """Routes that together cost less than ``known`` (with penalties for what they leave out); None if there are
    none or time ran out. ``start``: marks of the plan that costs ``known``, to begin from."""
    limits = np.bincount(arrays.slot_type, minlength=len(arrays.capacity))
    best: list[int] | None = None
    present = np.flatnonzero(np.isin(columns.body, start))
    size, left = _CHOSEN_COLUMNS, budget.seconds
    while relaxed.value < known - 1e-6 and left > 0.0 and not budget.halt.called:
        near = np.flatnonzero(relaxed.reduced <= known - relaxed.value + 1e-6)
        near = near[np.argsort(relaxed.reduced[near], kind="stable")]
        some = np.union1d(near[:size], present)
        found, used, proven = _whole(arrays, columns, limits, some, present, known, replace(budget, seconds=left))
        if found is not None and (cost := _cost(arrays, columns, found)) < known - 1e-6:
            best, known, present = found, cost, np.array(found)
        if not proven or size >= len(near):
            break
        size, left = 2 * size, left - used
    return None if best is None else [(int(columns.kind[c]), columns.nodes[c, : columns.size[c]]) for c in best]


def _cost(arrays: Arrays, columns: Columns, chosen: Sequence[int]) -> float:
    """Of the routes, and of what they leave out."""
    served = np.zeros(len(arrays.load), dtype=np.bool_)
    for column in chosen:
        served[_served(columns, column)] = True
    return float(columns.cost[list(chosen)].sum() + arrays.penalty[~served].sum())


def _served(columns: Columns, column: int) -> NDArray[np.int64]:
    return columns.flat[columns.first[column] : columns.first[column + 1]]


def relax(arrays: Arrays, columns: Columns, last: Relaxed | None = None) -> Relaxed | None:
    """The relaxation over all columns; None where there are none, or it was not solved. ``last``: one over about the
    same columns, whose prices tell which to begin with."""
    if len(columns.cost) == 0:
        return None
    limits = np.bincount(arrays.slot_type, minlength=len(arrays.capacity))
    solver = pywraplp.Solver.CreateSolver("GLOP")
    n = len(arrays.load)
    served = [solver.RowConstraint(1.0, 1.0, "") for _ in range(n)]
    fleet = [solver.RowConstraint(0.0, float(limit), "") for limit in limits]
    goal = solver.Objective()
    goal.SetMinimization()
    infinity = solver.infinity()
    for i in range(n):
        left_out = solver.NumVar(0.0, infinity, "")
        served[i].SetCoefficient(left_out, 1.0)
        goal.SetCoefficient(left_out, float(arrays.penalty[i]))
    inside = np.zeros(len(columns.cost), dtype=np.bool_)
    share = columns.cost / np.maximum(columns.size, 1) if last is None else reduced_by(columns, last.worth, last.rents)
    adding = np.argsort(share, kind="stable")[:_FIRST_COLUMNS]
    while True:
        for column in adding:
            variable = solver.NumVar(0.0, infinity, "")
            goal.SetCoefficient(variable, float(columns.cost[column]))
            fleet[columns.kind[column]].SetCoefficient(variable, 1.0)
            for i in _served(columns, column):
                served[i].SetCoefficient(variable, 1.0)
        inside[adding] = True
        if solver.Solve() != pywraplp.Solver.OPTIMAL:
            return None
        duals = np.array([row.dual_value() for row in served])
        rents = np.array([row.dual_value() for row in fleet])
        reduced = reduced_by(columns, duals, rents)
        missing = np.flatnonzero((reduced < -1e-7) & ~inside)
        if len(missing) == 0:
            return Relaxed(float(goal.Value()), reduced, duals, rents)
        adding = missing[np.argsort(reduced[missing], kind="stable")[:_ADDED_COLUMNS]]


def reduced_by(columns: Columns, worth: Floats, rents: Floats) -> Floats:
    """What each column costs over what its requests and its courier are worth."""
    return columns.cost - np.add.reduceat(worth[columns.flat], columns.first[:-1]) - rents[columns.kind]


def _whole(
    arrays: Arrays,
    columns: Columns,
    limits: NDArray[np.int64],
    some: NDArray[np.int64],
    present: NDArray[np.int64],
    known: float,
    budget: Budget,
) -> tuple[list[int] | None, float, bool]:
    """The best choice among ``some`` columns, seconds used, and whether it is proven."""
    model = cp_model.CpModel()
    factor = _SCALE / max(known, 1.0)
    taken = [model.new_bool_var("") for _ in some]
    covering: list[list[cp_model.IntVar]] = [[] for _ in range(len(arrays.load))]
    of_type: list[list[cp_model.IntVar]] = [[] for _ in limits]
    here = set(present.tolist())
    served = {int(i) for column in present for i in _served(columns, column)}
    for variable, column in zip(taken, some.tolist(), strict=True):
        of_type[columns.kind[column]].append(variable)
        model.add_hint(variable, column in here)
        for i in _served(columns, column):
            covering[i].append(variable)
    terms = [(variable, columns.cost[column]) for variable, column in zip(taken, some, strict=True)]
    for i, variables in enumerate(covering):
        if i not in served:
            left_out = model.new_bool_var("")
            model.add_hint(left_out, True)
            variables.append(left_out)
            terms.append((left_out, float(arrays.penalty[i])))
        model.add_exactly_one(variables)
    for variables, limit in zip(of_type, limits, strict=True):
        if len(variables) > limit:
            model.add(sum(variables) <= int(limit))
    whole = [round(float(min(cost, 4 * known) * factor)) for _, cost in terms]
    model.minimize(cp_model.LinearExpr.weighted_sum([v for v, _ in terms], whole))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1  # several share what they find, and prove less in the same time
    solver.parameters.linearization_level = 2
    solver.parameters.random_seed = 1
    if budget.repeatable:
        solver.parameters.max_deterministic_time = budget.seconds
    else:
        solver.parameters.max_time_in_seconds = budget.seconds
    budget.halt.watch(solver)
    status = solver.solve(model)
    budget.halt.watch(None)
    used = solver.response_proto.deterministic_time if budget.repeatable else solver.wall_time
    picked = None
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        picked = [int(column) for variable, column in zip(taken, some, strict=True) if solver.value(variable)]
    return picked, used, status == cp_model.OPTIMAL
