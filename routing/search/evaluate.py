"""One route, exactly: may it be driven, and what does it cost. Every constraint of the problem is here and only here.

A route is a sequence of nodes. All its rules of time have the form 'x_j is at least f(x_i)' with f rising, so there
is one earliest and one latest schedule (see :mod:`routing.schedule`, the same in plain Python); both are found by
pushing bounds until nothing moves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from routing.search.arrays import BIG
from routing.search.desk import (
    ABOARD,
    CHOSEN,
    DRIVE,
    EARLY,
    HAIR,
    HIGH,
    KEPT,
    LATE,
    LIMIT,
    LOW,
    MATE,
    NEVER,
    NODE,
    PLACE,
    ROW,
    SERVICE,
    SLOTS,
    VISIT,
    WITH,
    Desk,
)
from routing.search.jit import kernel
from routing.search.packed import (
    BANDS,
    CLASSES,
    KINDS,
    PLAIN,
    REQUESTS,
    TIMED,
    Packed,
    aboard,
    band_start,
    break_count,
    break_end,
    break_length,
    break_start,
    capacity,
    change_cost,
    conflict,
    cost_distance,
    cost_fixed,
    cost_time,
    distance,
    drive,
    end_row,
    kind_of,
    late_rate,
    load,
    max_duration,
    pair_cost,
    promised,
    ride,
    row,
    service,
    shift_end,
    shift_start,
    soft_due,
    start_row,
    tolerance,
    visit,
    window_count,
    window_end,
    window_start,
)
from routing.search.plain import plain_cost
from routing.search.travel_bands import arrival, departure


@kernel
def evaluate(p: Packed, kind: int, nodes: Any, count: int, w: Desk) -> float:
    """Cost of type ``kind`` serving ``nodes[:count]`` in this order as it will be driven; NEVER if it cannot be.

    Leaves the times of the (break-free) earliest schedule in ``w.early`` for problems whose cost is not timed.
    """
    if count == 0:
        return 0.0
    if p.i[PLAIN] and break_count(p, kind) == 0:
        return plain_cost(p, kind, nodes, count, w)
    if not fits(p, kind, nodes, count, w):
        return NEVER
    base = cost_fixed(p, kind) + cost_distance(p, kind) * length(p, kind, nodes, count)
    n = p.i[REQUESTS]
    for k in range(count):
        if nodes[k] >= n:
            base += pair_cost(p, kind, nodes[k] - n)
    if break_count(p, kind) == 0:
        last = lay(p, kind, nodes, count, w, np.int64(0))
        return base + drive_cost(p, kind, last, w)
    return base + best_breaks(p, kind, nodes, count, w)


@kernel
def length(p: Packed, kind: int, nodes: Any, count: int) -> float:
    """Distance from the start to the end of the route."""
    here, total = start_row(p, kind), 0.0
    for k in range(count):
        there = row(p, nodes[k])
        total += distance(p, here, there)
        here = there
    return total + distance(p, here, end_row(p, kind))


@kernel
def fits(p: Packed, kind: int, nodes: Any, count: int, w: Desk) -> bool:
    """Whether boxes have room all along and what may not travel together does not."""
    n, classes, kinds = p.i[REQUESTS], p.i[CLASSES], p.i[KINDS]
    for c in range(classes):
        w.i[ABOARD, c] = 0
    for k in range(kinds):
        w.i[WITH, k] = 0
    for k in range(count):
        if nodes[k] >= n and aboard(p, nodes[k] - n):
            for c in range(classes):
                w.i[ABOARD, c] += load(p, nodes[k] - n, c)
            w.i[WITH, kind_of(p, nodes[k] - n)] += 1
    for c in range(classes):
        if w.i[ABOARD, c] > capacity(p, kind, c):
            return False
    for k in range(count):
        node = nodes[k]
        if node >= n:
            for c in range(classes):
                w.i[ABOARD, c] -= load(p, node - n, c)
            w.i[WITH, kind_of(p, node - n)] -= 1
            continue
        for c in range(classes):
            w.i[ABOARD, c] += load(p, node, c)
            if w.i[ABOARD, c] > capacity(p, kind, c):
                return False
        w.i[WITH, kind_of(p, node)] += 1
        if kinds > 1:
            for other in range(kinds):
                if conflict(p, kind_of(p, node), other) and w.i[WITH, other] > 0:
                    return False
    return True


@kernel
def lay(p: Packed, kind: int, nodes: Any, count: int, w: Desk, breaks: int) -> int:
    """Write the route as items with their rules into ``w``; the index of the last item.

    With ``breaks`` the first so many breaks stand where ``w.slots`` says: ``2k`` before driving from item k (counted
    without breaks), ``2k + 1`` after arriving at the item that follows it.
    """
    n = p.i[REQUESTS]
    item, taken = np.int64(0), np.int64(0)
    w.i[NODE, 0], w.i[ROW, 0], w.f[SERVICE, 0], w.i[MATE, 0] = -1, start_row(p, kind), 0.0, -1
    w.f[LOW, 0], w.f[HIGH, 0] = shift_start(p, kind), shift_end(p, kind)
    for k in range(count + 1):
        here = w.i[ROW, item]
        node = nodes[k] if k < count else -1
        there = row(p, node) if node >= 0 else end_row(p, kind)
        way = drive(p, here, there)
        stay = visit(p, there) if (here != there and node >= 0) else 0.0
        while taken < breaks and (w.i[SLOTS, taken] == 2 * k or w.i[SLOTS, taken] == 2 * k + 1):
            inside = w.i[SLOTS, taken] == 2 * k + 1
            w.f[DRIVE, item], w.f[VISIT, item] = (way if inside else 0.0), 0.0
            item += 1
            w.i[NODE, item], w.i[ROW, item], w.f[SERVICE, item], w.i[MATE, item] = (
                -2,
                there if inside else here,
                break_length(p, kind, taken),
                -1,
            )
            w.f[LOW, item], w.f[HIGH, item] = break_start(p, kind, taken), break_end(p, kind, taken)
            if inside:
                way = 0.0
            taken += 1
        w.f[DRIVE, item], w.f[VISIT, item] = way, stay
        item += 1
        w.i[NODE, item], w.i[ROW, item], w.i[MATE, item] = node, there, -1
        if node < 0:
            w.f[SERVICE, item] = 0.0
            w.f[LOW, item], w.f[HIGH, item] = shift_start(p, kind), shift_end(p, kind)
            if max_duration(p, kind) < BIG:
                w.i[MATE, item], w.f[LIMIT, item] = 0, max_duration(p, kind)
            return item
        w.f[SERVICE, item] = service(p, node)
        windows = window_count(p, node)
        if windows == 0:
            w.f[LOW, item], w.f[HIGH, item] = BIG, -BIG
        else:
            w.f[LOW, item], w.f[HIGH, item] = window_start(p, node, np.int64(0)), window_end(p, node, windows - 1)
        if node < n:
            w.i[PLACE, node] = item
        elif ride(p, node - n) < BIG and not aboard(p, node - n):
            w.i[MATE, item] = w.i[PLACE, node - n]
            w.f[LIMIT, item] = ride(p, node - n) + service(p, node - n)
    return item


@kernel
def not_before(p: Packed, w: Desk, item: int, time: float) -> float:
    """The first moment from ``time`` on when the item may start; BIG when there is none."""
    time = max(time, w.f[LOW, item])
    if time > w.f[HIGH, item] + HAIR:
        return BIG
    node = w.i[NODE, item]
    if node >= 0 and window_count(p, node) > 1:
        for k in range(window_count(p, node)):
            if time <= window_end(p, node, k):
                return max(time, window_start(p, node, k))
        return BIG
    return time


@kernel
def not_after(p: Packed, w: Desk, item: int, time: float) -> float:
    """The last moment up to ``time`` when the item may start; -BIG when there is none."""
    time = min(time, w.f[HIGH, item])
    if time < w.f[LOW, item] - HAIR:
        return -BIG
    node = w.i[NODE, item]
    if node >= 0 and window_count(p, node) > 1:
        for k in range(window_count(p, node) - 1, -1, -1):
            if time >= window_start(p, node, k):
                return min(time, window_end(p, node, k))
        return -BIG
    return time


@kernel
def follow(p: Packed, w: Desk, item: int, time: float) -> float:
    """When the item after ``item`` is reached, if that one starts at ``time``."""
    leave = time + w.f[SERVICE, item]
    if p.i[BANDS] == 0:
        return leave + w.f[DRIVE, item] + w.f[VISIT, item]
    return arrival(p, leave, w.f[DRIVE, item]) + w.f[VISIT, item]


@kernel
def precede(p: Packed, w: Desk, item: int, time: float) -> float:
    """When ``item`` must start at the latest for the next to start at ``time``."""
    reach = time - w.f[VISIT, item]
    if p.i[BANDS] == 0:
        return reach - w.f[DRIVE, item] - w.f[SERVICE, item]
    return departure(p, reach, w.f[DRIVE, item]) - w.f[SERVICE, item]


@kernel
def rounds(p: Packed, last: int) -> int:
    """More rounds than this mean a circle of rules that pushes for ever.

    Where speed changes, a round may gain one whole second only: a ride limit and a leg that gets shorter the later it
    begins come to rest like a bouncing ball.
    """
    if p.i[BANDS] == 0:
        return 8 * last + 8
    return 8 * last + 8 + last * int(band_start(p, p.i[BANDS] - 1))


@kernel
def forward(p: Packed, last: int, w: Desk, x: Any) -> bool:
    """The earliest schedule into ``x``; False when there is none."""
    time = w.f[LOW, 0]
    if time > w.f[HIGH, 0] + HAIR:
        return False
    x[0] = time
    for k in range(1, last + 1):
        time = not_before(p, w, k, follow(p, w, k - 1, time))
        if time >= BIG:
            return False
        x[k] = time
    for _ in range(rounds(p, last)):
        moved = False
        for k in range(1, last + 1):
            mate = w.i[MATE, k]
            if mate < 0:
                continue
            bound = x[k] - w.f[LIMIT, k]
            if x[mate] < bound - HAIR:
                moved = True
                time = not_before(p, w, mate, bound)
                if time >= BIG:
                    return False
                x[mate] = time
                for j in range(mate, last):
                    time = not_before(p, w, j + 1, follow(p, w, j, x[j]))
                    if time >= BIG:
                        return False
                    if time <= x[j + 1]:
                        break
                    x[j + 1] = time
        if not moved:
            return True
    return False


@kernel
def backward(p: Packed, last: int, w: Desk, x: Any) -> bool:
    """The latest schedule into ``x``; False when there is none."""
    time = w.f[HIGH, last]
    if time < w.f[LOW, last] - HAIR:
        return False
    x[last] = time
    for k in range(last - 1, -1, -1):
        time = not_after(p, w, k, precede(p, w, k, time))
        if time <= -BIG:
            return False
        x[k] = time
    for _ in range(rounds(p, last)):
        moved = False
        for k in range(last, 0, -1):
            mate = w.i[MATE, k]
            if mate < 0:
                continue
            bound = x[mate] + w.f[LIMIT, k]
            if x[k] > bound + HAIR:
                moved = True
                time = not_after(p, w, k, bound)
                if time <= -BIG:
                    return False
                x[k] = time
                for j in range(k, 0, -1):
                    time = not_after(p, w, j - 1, precede(p, w, j - 1, x[j]))
                    if time <= -BIG:
                        return False
                    if time >= x[j - 1]:
                        break
                    x[j - 1] = time
        if not moved:
            return True
    return False


@kernel
def drive_cost(p: Packed, kind: int, last: int, w: Desk) -> float:
    """Cost that depends on times (hours, lateness, promises) of the items in ``w``; NEVER if they cannot be kept."""
    if not forward(p, last, w, w.f[EARLY]):
        return NEVER
    if not p.i[TIMED]:
        return 0.0
    w.f[LOW, last] = w.f[HIGH, last] = w.f[EARLY, last]
    if not backward(p, last, w, w.f[LATE]):
        return NEVER
    cost = cost_time(p, kind) * (w.f[EARLY, last] - w.f[LATE, 0])
    n, soft = p.i[REQUESTS], False
    for k in range(1, last):
        node = w.i[NODE, k]
        if (node >= n and soft_due(p, node - n) < BIG) or (0 <= node < n and promised(p, node) < BIG):
            soft = True
    if not soft:
        return cost
    w.f[LOW, 0] = w.f[HIGH, 0] = w.f[LATE, 0]
    if not forward(p, last, w, w.f[EARLY]):
        return NEVER
    for k in range(1, last):
        node = w.i[NODE, k]
        if node >= n:
            over = w.f[EARLY, k] - soft_due(p, node - n)
            if over > 0:
                cost += over * late_rate(p, node - n)
            w.f[LOW, k] = w.f[HIGH, k] = w.f[EARLY, k]
    if not backward(p, last, w, w.f[LATE]):
        return NEVER
    for k in range(1, last):
        node = w.i[NODE, k]
        if 0 <= node < n and promised(p, node) < BIG and pair_cost(p, kind, node) == 0.0:
            if abs(w.f[LATE, k] - promised(p, node)) > tolerance(p, node) + HAIR:
                cost += change_cost(p, node)
    return cost


@kernel
def best_breaks(p: Packed, kind: int, nodes: Any, count: int, w: Desk) -> float:
    """The cheapest way to take all breaks: each before leaving (-2), after being back (-1) or at a place.

    ``w.slots`` keeps the best choice; -2 and -1 as above, else as :func:`lay` reads them.
    """
    breaks = break_count(p, kind)
    choices = 2 * (count + 1)
    chosen, kept = w.i[CHOSEN], w.i[KEPT]
    for b in range(breaks):
        chosen[b] = kept[b] = -2
    best = NEVER
    while True:
        rising = True
        for b in range(1, breaks):
            before, now = chosen[b - 1], chosen[b]
            if (before == -1 and now != -1) or (now == -2 and before != -2) or (now >= 0 and before > now):
                rising = False
        if rising:
            cost = with_breaks(p, kind, nodes, count, w, chosen)
            if cost < best:
                best = cost
                for k in range(breaks):
                    kept[k] = chosen[k]
        b = breaks - 1
        while b >= 0:
            chosen[b] += 1
            if chosen[b] < choices:
                break
            chosen[b] = -2
            b -= 1
        if b < 0:
            break
    for b in range(breaks):
        w.i[SLOTS, b] = kept[b]
    return best


@kernel
def with_breaks(p: Packed, kind: int, nodes: Any, count: int, w: Desk, chosen: Any) -> float:
    """Cost with every break where ``chosen`` says, see :func:`best_breaks`."""
    breaks = break_count(p, kind)
    before, on_way = np.int64(0), np.int64(0)
    for b in range(breaks):
        if chosen[b] == -2:
            before += 1
        elif chosen[b] >= 0:
            w.i[SLOTS, on_way] = chosen[b]
            on_way += 1
    last = lay_from(p, kind, nodes, count, w, before, on_way)
    if before > 0:
        w.f[LOW, 0] = max(w.f[LOW, 0], break_start(p, kind, before - 1) + break_length(p, kind, before - 1))
    if before + on_way < breaks:
        w.f[HIGH, last] = min(w.f[HIGH, last], break_end(p, kind, before + on_way))
    return drive_cost(p, kind, last, w)


@kernel
def lay_from(p: Packed, kind: int, nodes: Any, count: int, w: Desk, skip: int, breaks: int) -> int:
    """:func:`lay` with the breaks from number ``skip`` on."""
    last = lay(p, kind, nodes, count, w, breaks)
    if skip:
        taken = 0
        for k in range(last + 1):
            if w.i[NODE, k] == -2:
                b = skip + taken
                w.f[SERVICE, k] = break_length(p, kind, b)
                w.f[LOW, k], w.f[HIGH, k] = break_start(p, kind, b), break_end(p, kind, b)
                taken += 1
    return last
