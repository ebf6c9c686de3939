"""New routes for the set partitioning: one request out, another one in, wherever the prices of its relaxation promise
something. The annealing finds routes that are good together in one plan; these are good beside those of other plans.

Neighbours of known routes are looked at, not all routes there are: that none is left says nothing about a lower bound.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

from routing.search.arrays import Arrays
from routing.search.desk import TRIAL
from routing.search.insert import best_place, trial_of
from routing.search.jit import kernel
from routing.search.lns import Searcher, keep_route
from routing.search.packed import REQUESTS, Packed, aboard, slot_type
from routing.search.partition import Columns, Relaxed
from routing.search.state import State, refresh


@dataclass(frozen=True, slots=True)
class Pricing:
    """How far to go: ``limit`` of reduced cost, ``most`` routes to begin from, ``until`` when (monotonic seconds)."""

    limit: float
    most: int
    until: float
    tries: int = 1


def price(
    arrays: Arrays,
    packed: Packed,
    searchers: Sequence[Searcher],
    columns: Columns,
    relaxed: Relaxed,
    terms: Pricing,
    priced: set[int],
    threads: Executor,
) -> None:
    """Add neighbours of the columns of least reduced cost to the searchers' pools.

    ``priced``: marks of columns that need not be looked at again; those that were are added.
    """
    slot_of = {int(kind): slot for slot, kind in reversed(list(enumerate(arrays.slot_type)))}
    order = np.argsort(relaxed.reduced, kind="stable")[: terms.most + len(priced)]
    bases = [int(c) for c in order if int(columns.body[c]) not in priced][: terms.most]

    def some(number: int) -> list[int]:
        x, seen = searchers[number], []
        for c in bases[number :: len(searchers)]:
            if time.monotonic() > terms.until:
                break
            kind = int(columns.kind[c])
            nodes = columns.nodes[c, : columns.size[c]].astype(np.int64)
            limit = terms.limit + float(relaxed.rents[kind])
            neighbours(packed, x, relaxed.worth, limit, slot_of[kind], nodes, terms.tries)
            seen.append(int(columns.body[c]))
        return seen

    for seen in threads.map(some, range(len(searchers))):
        priced.update(seen)


@kernel
def neighbours(p: Packed, x: Searcher, worth: Any, limit: float, slot: int, nodes: Any, tries: int) -> None:
    """Keep every neighbour of a route that costs less than ``limit`` over what its requests are worth.

    ``worth``: (n) prices of the requests. ``limit``: with the price of the courier's type. ``slot``: a courier of the
    type. ``x.spare`` is the room for it.
    """
    s, n = x.spare, p.i[REQUESTS]
    for out in range(-1, nodes.shape[0]):
        if out >= 0 and (nodes[out] < n or aboard(p, nodes[out] - n)):
            continue
        gone = nodes[out] - n if out >= 0 else np.int64(-1)
        value = lay_without(s, slot, nodes, n, gone, worth)
        if not refresh(p, s, x.marks, slot, x.desk):
            continue
        value = s.cost[slot] - value
        if gone >= 0 and value < limit:
            keep_route(x.pool, s.mark[1, slot], s.cost[slot], slot_type(p, slot), s.nodes[slot], s.size[slot])
        for i in range(n):
            if s.where[i] == slot or i == gone or worth[i] <= 0.0 or aboard(p, i):
                continue
            found = best_place(p, s, x.marks, slot, i, x.memory, x.desk, tries)
            delta = x.memory.delta[found]
            if value + delta - worth[i] < limit:
                place, trial = x.memory.place[found], x.desk.i[TRIAL]
                size = trial_of(p, s, slot, i, place[0], place[1], trial)
                body = s.mark[1, slot] ^ x.marks[2 * n + i]
                keep_route(x.pool, body, s.cost[slot] + delta, slot_type(p, slot), trial, size)


@kernel
def lay_without(s: State, slot: int, nodes: Any, n: int, gone: Any, worth: Any) -> float:
    """Write the route without request ``gone`` (-1 = whole) into ``slot``; what its requests are worth."""
    value, kept = 0.0, 0
    for i in range(n):
        s.where[i] = -1
    for k in range(nodes.shape[0]):
        request = nodes[k] if nodes[k] < n else nodes[k] - n
        if request != gone:
            s.nodes[slot, kept] = nodes[k]
            kept += 1
            s.where[request] = slot
            if nodes[k] >= n:
                value += worth[request]
    s.size[slot] = kept
    return value
