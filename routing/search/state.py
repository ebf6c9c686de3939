"""A plan under search: routes by courier with what insertion needs to know about each, and how to change one."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from routing.search.arrays import Arrays, Floats, Ints
from routing.search.desk import EARLY, LATE, NEVER, Desk
from routing.search.evaluate import backward, evaluate, forward, lay
from routing.search.jit import kernel
from routing.search.packed import (
    CLASSES,
    PLAIN,
    REQUESTS,
    Packed,
    aboard,
    break_count,
    load,
    penalty,
    shift_end,
    slot_type,
)
from routing.search.plain import plain_backward, plain_forward

Marks: TypeAlias = NDArray[np.uint64]


class State(NamedTuple):
    """R couriers; routes as rows of nodes."""

    nodes: Ints
    """(R, longest route)."""
    size: Ints
    """(R) nodes in each route."""
    cost: Floats
    """(R)."""
    times: Floats
    """(2, R, longest + 2) earliest and latest start of each item, 0 = start of the route, breaks left aside."""
    after: Ints
    """(R, longest + 2, C) slots aboard after each item."""
    mark: Marks
    """(2, R) fingerprint of order and type, and of the set of requests and type."""
    where: Ints
    """(n) courier of each request, -1 = left out."""
    total: Floats
    """(1) cost of the routes and of what is left out."""


def marks(problem: Arrays, seed: int = 7) -> Marks:
    """Random marks of the 2n nodes, n requests and T types, the same for every thread."""
    n, types = len(problem.load), len(problem.capacity)
    rng = np.random.default_rng(seed)
    return rng.integers(1, 2**63 - 1, size=3 * n + types, dtype=np.uint64) | np.uint64(1)


def empty(problem: Arrays) -> State:
    """Nobody drives, everything is left out."""
    n, couriers, classes = len(problem.load), len(problem.slot_type), problem.load.shape[1]
    longest = 2 * n + 1
    return State(
        nodes=np.zeros((couriers, longest), dtype=np.int64), size=np.zeros(couriers, dtype=np.int64),
        cost=np.zeros(couriers), times=np.zeros((2, couriers, longest + 2)),
        after=np.zeros((couriers, longest + 2, classes), dtype=np.int64), mark=np.zeros((2, couriers), dtype=np.uint64),
        where=np.full(n, -1, dtype=np.int64), total=np.array([problem.penalty.sum()]),
    )  # fmt: skip


@kernel
def refresh(p: Packed, s: State, z: Any, r: int, w: Desk) -> bool:
    """Work out again what belongs to route ``r`` after its nodes changed; False when it cannot be driven."""
    kind, count, n, classes = slot_type(p, r), s.size[r], p.i[REQUESTS], p.i[CLASSES]
    name, body = z[3 * n + kind], z[3 * n + kind]
    for k in range(count):
        node = s.nodes[r, k]
        name = (name ^ z[node]) * np.uint64(0x9E3779B97F4A7C15)
        name ^= name >> np.uint64(29)
        if node >= n:
            body ^= z[2 * n + node - n]
    s.mark[0, r], s.mark[1, r] = name, body
    for c in range(classes):
        s.after[r, 0, c] = 0
    for k in range(count):
        node = s.nodes[r, k]
        if node >= n and aboard(p, node - n):
            for c in range(classes):
                s.after[r, 0, c] += load(p, node - n, c)
    for k in range(count):
        node = s.nodes[r, k]
        for c in range(classes):
            change = load(p, node, c) if node < n else -load(p, node - n, c)
            s.after[r, k + 1, c] = s.after[r, k, c] + change
    cost = evaluate(p, kind, s.nodes[r], count, w)
    s.cost[r] = cost
    if cost >= NEVER:
        return False
    if p.i[PLAIN] and break_count(p, kind) == 0:
        if not plain_forward(p, kind, s.nodes[r], count, w):
            return False
        if not plain_backward(p, kind, s.nodes[r], count, w, shift_end(p, kind)):
            return False
        for k in range(count + 2):
            s.times[0, r, k], s.times[1, r, k] = w.f[EARLY, k], w.f[LATE, k]
        return True
    last = lay(p, kind, s.nodes[r], count, w, np.int64(0))
    return forward(p, last, w, s.times[0, r]) and backward(p, last, w, s.times[1, r])


@kernel
def start_all(p: Packed, s: State, z: Any, w: Desk) -> None:
    """Work out every route and the total."""
    for r in range(s.size.shape[0]):
        refresh(p, s, z, r, w)
    retotal(p, s)


@kernel
def retotal(p: Packed, s: State) -> float:
    """Sum of the routes and of the penalties."""
    total = 0.0
    for r in range(s.size.shape[0]):
        total += s.cost[r]
    for i in range(s.where.shape[0]):
        if s.where[i] < 0:
            total += penalty(p, i)
    s.total[0] = total
    return total


@kernel
def copy_route(source: State, r: int, target: State, q: int) -> None:
    """Route ``r`` of ``source`` into ``q`` of ``target`` with all that belongs to it."""
    count, classes = source.size[r], source.after.shape[2]
    target.size[q], target.cost[q] = count, source.cost[r]
    target.mark[0, q], target.mark[1, q] = source.mark[0, r], source.mark[1, r]
    for k in range(count):
        target.nodes[q, k] = source.nodes[r, k]
    for k in range(count + 2):
        target.times[0, q, k], target.times[1, q, k] = source.times[0, r, k], source.times[1, r, k]
        for c in range(classes):
            target.after[q, k, c] = source.after[r, k, c]


@kernel
def copy_all(source: State, target: State) -> None:
    """All of ``source`` into ``target``."""
    for r in range(source.size.shape[0]):
        copy_route(source, r, target, r)
    for i in range(source.where.shape[0]):
        target.where[i] = source.where[i]
    target.total[0] = source.total[0]


@kernel
def take_out(p: Packed, s: State, r: int, gone: Any) -> None:
    """Remove from route ``r`` every request with ``gone[i]``."""
    n, kept = p.i[REQUESTS], 0
    for k in range(s.size[r]):
        node = s.nodes[r, k]
        request = node if node < n else node - n
        if gone[request]:
            s.where[request] = -1
        else:
            s.nodes[r, kept] = node
            kept += 1
    s.size[r] = kept


@kernel
def put_in(p: Packed, s: State, r: int, request: int, pickup: int, delivery: int) -> None:
    """Insert the pickup after item ``pickup`` and the delivery after item ``delivery`` (as counted before)."""
    n, count = p.i[REQUESTS], s.size[r]
    if aboard(p, request):
        for k in range(count, delivery, -1):
            s.nodes[r, k] = s.nodes[r, k - 1]
        s.nodes[r, delivery] = n + request
        s.size[r] = count + 1
    else:
        for k in range(count - 1, delivery - 1, -1):
            s.nodes[r, k + 2] = s.nodes[r, k]
        s.nodes[r, delivery + 1] = n + request
        for k in range(delivery - 1, pickup - 1, -1):
            s.nodes[r, k + 1] = s.nodes[r, k]
        s.nodes[r, pickup] = request
        s.size[r] = count + 2
    s.where[request] = r
