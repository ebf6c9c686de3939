"""Large-neighbourhood search (Ropke and Pisinger 2006): take some requests out, put them back better, now and then
accept something worse (simulated annealing), remember every good route for the set partitioning."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.search.arrays import Arrays, Floats, Ints
from routing.search.desk import NEVER, Desk, desk
from routing.search.insert import Memory, memory
from routing.search.jit import kernel
from routing.search.neighbourhoods import WAYS, WORST, Round, choose, draw, fill, new_round
from routing.search.packed import REQUESTS, Packed, slot_type
from routing.search.state import (
    Marks,
    State,
    copy_all,
    copy_route,
    empty,
    marks,
    refresh,
    retotal,
    start_all,
    take_out,
)


class Pool(NamedTuple):
    """Routes met, the cheapest order for each set of requests; an open hash table over ``body``."""

    body: NDArray[np.uint64]
    cost: Floats
    kind: Ints
    size: Ints
    nodes: NDArray[np.int16]
    held: NDArray[np.int64]
    """(1) how many."""


class Searcher(NamedTuple):
    """All that one thread works with."""

    now: State
    best: State
    spare: State
    """Routes as they were before the round."""
    marks: Marks
    round: Round
    memory: Memory
    desk: Desk
    pool: Pool
    spared: NDArray[np.bool_]
    """(R) which routes the round has touched."""
    won: Floats
    """(ways, 2) tries and gains of each way to take out."""


def searcher(problem: Arrays, seed: int, pool_size: int = 1 << 17) -> Searcher:
    """A thread's own room, starting from an empty plan."""
    state = [empty(problem) for _ in range(3)]
    longest = state[0].nodes.shape[1]
    pool_size = max(1 << 10, min(pool_size, 1 << int(math.log2(2.5e8 / longest))))
    pool = Pool(
        body=np.zeros(pool_size, dtype=np.uint64), cost=np.zeros(pool_size),
        kind=np.zeros(pool_size, dtype=np.int64), size=np.zeros(pool_size, dtype=np.int64),
        nodes=np.zeros((pool_size, min(longest, _LONGEST)), dtype=np.int16), held=np.zeros(1, dtype=np.int64),
    )  # fmt: skip
    return Searcher(
        now=state[0], best=state[1], spare=state[2], marks=marks(problem), round=new_round(problem, seed),
        memory=memory(), desk=desk(problem), pool=pool,
        spared=np.zeros(len(problem.slot_type), dtype=np.bool_), won=np.ones((WAYS, 2)),
    )  # fmt: skip


_LONGEST = 160
"""Longer routes are not kept for the set partitioning."""


@kernel
def remember(p: Packed, q: Pool, s: State, r: int) -> None:
    """Keep route ``r`` if its set of requests is new or this order is cheaper."""
    keep_route(q, s.mark[1, r], s.cost[r], slot_type(p, r), s.nodes[r], s.size[r])


@kernel
def keep_route(q: Pool, body: Any, cost: float, kind: int, nodes: Any, count: int) -> None:
    """Keep a route, ``body`` the mark of its type and requests, if it is the first or the cheapest of that mark."""
    if count == 0 or count > q.nodes.shape[1] or cost >= NEVER:
        return
    size = q.body.shape[0]
    slot = np.int64((body ^ (body >> np.uint64(33))) & np.uint64(size - 1))
    while q.body[slot] != body:
        if q.body[slot] == 0:
            if q.held[0] * 4 >= size * 3:
                return
            q.held[0] += 1
            break
        slot = (slot + 1) & (size - 1)
    else:
        if q.cost[slot] <= cost + 1e-9:
            return
    q.body[slot], q.cost[slot], q.kind[slot], q.size[slot] = body, cost, kind, count
    for k in range(count):
        q.nodes[slot, k] = nodes[k]


@kernel
def forget(q: Pool, n: int, worth: Any, rents: Any, limit: float) -> None:
    """Keep only the routes that cost at most ``limit`` over what their requests and their courier are worth."""
    size, kept = q.body.shape[0], 0
    for slot in range(size):
        if q.body[slot] == 0:
            continue
        value = q.cost[slot] - rents[q.kind[slot]]
        for k in range(q.size[slot]):
            if q.nodes[slot, k] >= n:
                value -= worth[q.nodes[slot, k] - n]
        if value <= limit:
            q.body[kept], q.cost[kept] = q.body[slot], q.cost[slot]
            q.kind[kept], q.size[kept] = q.kind[slot], q.size[slot]
            for k in range(q.size[slot]):
                q.nodes[kept, k] = q.nodes[slot, k]
            kept += 1
    body, cost, kind, count = q.body[:kept].copy(), q.cost[:kept].copy(), q.kind[:kept].copy(), q.size[:kept].copy()
    nodes = q.nodes[:kept].copy()
    for slot in range(size):
        q.body[slot] = 0
    q.held[0] = 0
    for k in range(kept):
        keep_route(q, body[k], cost[k], kind[k], nodes[k], count[k])


@kernel
def search(p: Packed, x: Searcher, rounds: int, warm: float, cold: float, most: int, tries: int, keep: float) -> int:
    """``rounds`` rounds from ``x.now``, the temperature falling from ``warm`` to ``cold`` (in units of cost).

    ``most`` requests at most are taken out at once; routes of plans within ``keep`` of the best go to the pool.
    How many rounds improved the best.
    """
    s, b, dice = x.now, x.round, x.round.dice
    better = 0
    for step in range(rounds):
        heat = warm * (cold / warm) ** (step / rounds)
        way = spin(x.won, dice)
        size = 1 + int(draw(dice) ** 2 * most)
        if way == WORST:
            size = min(size, 12)
        before = s.total[0]
        choose(p, s, b, way, size)
        whole = attempt(p, x, tries)
        after = s.total[0] if whole else NEVER
        if whole and after < x.best.total[0] * (1.0 + keep) + 1e-9:
            for r in range(s.size.shape[0]):
                if x.spared[r]:
                    remember(p, x.pool, s, r)
        x.won[way, 0] += 1.0
        if whole and after < before - heat * math.log(max(1e-12, draw(dice))):
            if after < before - 1e-7:
                x.won[way, 1] += 1.0
            if after < x.best.total[0] - 1e-7:
                copy_all(s, x.best)
                better += 1
        else:
            undo(p, s, x)
    return better


@kernel
def spin(won: Any, dice: Any) -> int:
    """A way to take out, those that won more often more likely, none forgotten."""
    total = 0.0
    for k in range(won.shape[0]):
        total += 0.02 + won[k, 1] / won[k, 0]
    left = draw(dice) * total
    for k in range(won.shape[0]):
        left -= 0.02 + won[k, 1] / won[k, 0]
        if left <= 0.0:
            return k
    return 0


@kernel
def attempt(p: Packed, x: Searcher, tries: int) -> bool:
    """Take out what is marked and put it back; False when a route broke on the way.

    ``x.spare`` holds the plan as it was, ``x.spared`` tells which of its routes were touched.
    """
    s, b, w = x.now, x.round, x.desk
    n, count = p.i[REQUESTS], np.int64(0)
    for r in range(s.size.shape[0]):
        copy_route(s, r, x.spare, r)
        x.spared[r] = False
    for i in range(n):
        if s.where[i] < 0 or b.gone[i]:
            b.waiting[count] = i
            count += 1
            if s.where[i] >= 0:
                x.spared[s.where[i]] = True
    for r in range(s.size.shape[0]):
        if x.spared[r]:
            take_out(p, s, r, b.gone)
            if not refresh(p, s, x.marks, r, w):
                return False
    luck = draw(b.dice)
    regret = 1 if luck < 0.3 else 2 if luck < 0.6 else 3 if luck < 0.85 else 4
    blink = 0.0 if draw(b.dice) < 0.5 else 0.02
    whole = fill(p, s, x.marks, b, x.memory, w, count, regret, tries, blink)
    for r in range(s.size.shape[0]):
        if s.mark[0, r] != x.spare.mark[0, r]:
            x.spared[r] = True
    retotal(p, s)
    return whole


@kernel
def undo(p: Packed, s: State, x: Searcher) -> None:
    """Back to the plan before the round."""
    n = p.i[REQUESTS]
    for r in range(s.size.shape[0]):
        if x.spared[r]:
            copy_route(x.spare, r, s, r)
    for i in range(n):
        s.where[i] = -1
    for r in range(s.size.shape[0]):
        for k in range(s.size[r]):
            if s.nodes[r, k] >= n:
                s.where[s.nodes[r, k] - n] = r
    retotal(p, s)


@kernel
def adopt(p: Packed, x: Searcher) -> None:
    """Work out ``x.now`` from its nodes, and take it as the best if it is."""
    start_all(p, x.now, x.marks, x.desk)
    if x.now.total[0] < x.best.total[0] - 1e-7:
        copy_all(x.now, x.best)
    for r in range(x.now.size.shape[0]):
        remember(p, x.pool, x.now, r)
