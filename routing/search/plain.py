"""The quick way to evaluate a route where no rule needs more: one window a node, constant speed, no breaks, lateness,
promises or load kinds. Says the same as :mod:`routing.search.evaluate` says the long way, several times as fast."""

from __future__ import annotations

from typing import Any

import numpy as np

from routing.search.arrays import BIG
from routing.search.desk import DRIVE, EARLY, HAIR, LATE, NEVER, PLACE, Desk
from routing.search.jit import kernel
from routing.search.packed import (
    ABOARD_AT,
    ANY_ABOARD,
    CLASSES,
    DISTANCE_AT,
    DRIVE_AT,
    EXTRAS,
    HOP_AT,
    LOAD_AT,
    REQUESTS,
    RIDE_AT,
    ROW_AT,
    ROWS,
    SERVICE_AT,
    TIMED,
    WINDOW_END_AT,
    WINDOW_START_AT,
    Packed,
    capacity,
    cost_distance,
    cost_fixed,
    cost_time,
    end_row,
    max_duration,
    pair_cost,
    shift_end,
    shift_start,
    start_row,
)


@kernel
def plain_cost(p: Packed, kind: int, nodes: Any, count: int, w: Desk) -> float:
    """Cost of the route, NEVER if it cannot be driven; leaves its earliest schedule in ``w``."""
    if not plain_loads(p, kind, nodes, count, w) or not plain_forward(p, kind, nodes, count, w):
        return NEVER
    cost = cost_fixed(p, kind) + cost_distance(p, kind) * plain_length(p, kind, nodes, count)
    if p.i[EXTRAS]:
        n = p.i[REQUESTS]
        for k in range(count):
            if nodes[k] >= n:
                cost += pair_cost(p, kind, nodes[k] - n)
    if not p.i[TIMED]:
        return cost
    end = w.f[EARLY, count + 1]
    if not plain_backward(p, kind, nodes, count, w, end):
        return NEVER
    return cost + cost_time(p, kind) * (end - w.f[LATE, 0])


@kernel
def plain_length(p: Packed, kind: int, nodes: Any, count: int) -> float:
    """Distance from the start to the end of the route."""
    row, table, rows = p.i[ROW_AT], p.i[DISTANCE_AT], p.i[ROWS]
    here, total = start_row(p, kind), 0.0
    for k in range(count):
        there = p.i[row + nodes[k]]
        total += p.f[table + here * rows + there]
        here = there
    return total + p.f[table + here * rows + end_row(p, kind)]


@kernel
def plain_loads(p: Packed, kind: int, nodes: Any, count: int, w: Desk) -> bool:
    """Whether the boxes hold what is aboard, all along."""
    n, classes, table, aboard = p.i[REQUESTS], p.i[CLASSES], p.i[LOAD_AT], p.i[ABOARD_AT]
    for c in range(classes):
        held, most = np.int64(0), capacity(p, kind, c)
        if p.i[ANY_ABOARD]:
            for k in range(count):
                if nodes[k] >= n and p.i[aboard + nodes[k] - n]:
                    held += p.i[table + (nodes[k] - n) * classes + c]
            if held > most:
                return False
        for k in range(count):
            node = nodes[k]
            if node < n:
                held += p.i[table + node * classes + c]
                if held > most:
                    return False
            else:
                held -= p.i[table + (node - n) * classes + c]
    return True


@kernel
def plain_forward(p: Packed, kind: int, nodes: Any, count: int, w: Desk) -> bool:
    """The earliest schedule into ``w``, and the least time from each start to the next."""
    n, row, rows = p.i[REQUESTS], p.i[ROW_AT], p.i[ROWS]
    hop, service, opens, closes = p.i[HOP_AT], p.i[SERVICE_AT], p.i[WINDOW_START_AT], p.i[WINDOW_END_AT]
    x, gap = w.f[EARLY], w.f[DRIVE]
    time, stay, here = shift_start(p, kind), 0.0, start_row(p, kind)
    x[0] = time
    for k in range(count):
        node = nodes[k]
        there = p.i[row + node]
        gap[k] = stay + p.f[hop + here * rows + there]
        time += gap[k]
        time = max(time, p.f[opens + node])
        if time > p.f[closes + node] + HAIR:
            return False
        x[k + 1] = time
        if node < n:
            w.i[PLACE, node] = k + 1
        stay, here = p.f[service + node], there
    gap[count] = stay + plain_way(p, here, end_row(p, kind))
    x[count + 1] = time + gap[count]
    if x[count + 1] > shift_end(p, kind) + HAIR:
        return False
    return plain_rides(p, kind, nodes, count, w)


@kernel
def plain_rides(p: Packed, kind: int, nodes: Any, count: int, w: Desk) -> bool:
    """Push pickups (and the start) later until rides and duration hold."""
    n, service, ride, aboard = p.i[REQUESTS], p.i[SERVICE_AT], p.i[RIDE_AT], p.i[ABOARD_AT]
    x, most = w.f[EARLY], max_duration(p, kind)
    for _ in range(8 * count + 8):
        moved = False
        for k in range(1, count + 1):
            node = nodes[k - 1]
            if node < n or p.i[aboard + node - n]:
                continue
            mate = w.i[PLACE, node - n]
            bound = x[k] - p.f[ride + node - n] - p.f[service + node - n]
            if x[mate] < bound - HAIR:
                moved = True
                if not plain_push(p, kind, nodes, count, w, mate, bound):
                    return False
        if x[count + 1] - most > x[0] + HAIR:
            moved = True
            if not plain_push(p, kind, nodes, count, w, np.int64(0), x[count + 1] - most):
                return False
        if not moved:
            return True
    return False


@kernel
def plain_push(p: Packed, kind: int, nodes: Any, count: int, w: Desk, item: int, time: float) -> bool:
    """Start ``item`` at ``time`` and move what follows as far as it must."""
    closes, x, gap = p.i[WINDOW_END_AT], w.f[EARLY], w.f[DRIVE]
    while True:
        last = shift_end(p, kind) if item == 0 or item > count else p.f[closes + nodes[item - 1]]
        if time > last + HAIR:
            return False
        x[item] = time
        if item > count:
            return True
        time += gap[item]
        item += 1
        if time <= x[item]:
            return True


@kernel
def plain_backward(p: Packed, kind: int, nodes: Any, count: int, w: Desk, end: float) -> bool:
    """The latest schedule that is back at ``end``, into ``w``; the gaps are those of :func:`plain_forward`."""
    n, opens, closes = p.i[REQUESTS], p.i[WINDOW_START_AT], p.i[WINDOW_END_AT]
    service, ride, aboard = p.i[SERVICE_AT], p.i[RIDE_AT], p.i[ABOARD_AT]
    x, gap, most = w.f[LATE], w.f[DRIVE], max_duration(p, kind)
    time = end
    x[count + 1] = time
    for k in range(count, 0, -1):
        node = nodes[k - 1]
        time = min(time - gap[k], p.f[closes + node])
        if time < p.f[opens + node] - HAIR:
            return False
        x[k] = time
    x[0] = min(time - gap[0], shift_end(p, kind))
    if x[0] < shift_start(p, kind) - HAIR:
        return False
    for _ in range(8 * count + 8):
        moved = False
        if most < BIG and x[count + 1] > x[0] + most + HAIR:
            moved = True
            if not plain_pull(p, kind, nodes, count, w, count + 1, x[0] + most):
                return False
        for k in range(count, 0, -1):
            node = nodes[k - 1]
            if node < n or p.i[aboard + node - n]:
                continue
            bound = x[w.i[PLACE, node - n]] + p.f[ride + node - n] + p.f[service + node - n]
            if x[k] > bound + HAIR:
                moved = True
                if not plain_pull(p, kind, nodes, count, w, k, bound):
                    return False
        if not moved:
            return True
    return False


@kernel
def plain_pull(p: Packed, kind: int, nodes: Any, count: int, w: Desk, item: int, time: float) -> bool:
    """Start ``item`` at ``time`` already and move what precedes as far as it must."""
    opens, x, gap = p.i[WINDOW_START_AT], w.f[LATE], w.f[DRIVE]
    while True:
        first = shift_start(p, kind) if item == 0 or item > count else p.f[opens + nodes[item - 1]]
        if time < first - HAIR:
            return False
        x[item] = time
        if item == 0:
            return True
        item -= 1
        time -= gap[item]
        if time >= x[item]:
            return True


@kernel
def plain_way(p: Packed, here: int, there: int) -> float:
    """Driving to the end of the route: nobody is visited there."""
    return p.f[p.i[DRIVE_AT] + here * p.i[ROWS] + there]
