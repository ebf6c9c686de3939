"""The best place for a request in a route: screened in constant time each, checked exactly, remembered.

A route and a request that met before are answered from a table keyed by the route's fingerprint; routes change little
from one round of the search to the next, so most questions are old ones.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.search.arrays import BIG, Floats, Ints
from routing.search.desk import HAIR, NEVER, TRIAL, Desk
from routing.search.evaluate import evaluate
from routing.search.jit import kernel
from routing.search.packed import (
    BANDS,
    CLASSES,
    DISTANCE_AT,
    DRIVE_AT,
    HOP_AT,
    PLAIN,
    REQUESTS,
    ROW_AT,
    ROWS,
    SERVICE_AT,
    WINDOW_END_AT,
    WINDOW_START_AT,
    Packed,
    aboard,
    allowed,
    capacity,
    cost_distance,
    cost_time,
    distance,
    drive,
    end_row,
    load,
    ride,
    row,
    service,
    slot_type,
    start_row,
    visit,
    window_count,
    window_end,
    window_start,
)
from routing.search.state import State
from routing.search.travel_bands import arrival


class Memory(NamedTuple):
    """Best insertions known, and room for the candidates of one question."""

    key: NDArray[np.uint64]
    delta: Floats
    place: Ints
    """(size, 2) items after which pickup and delivery go."""
    guess: Floats
    """(candidates) what each place would add if nobody had to wait."""
    at: Ints
    """(candidates, 2)."""


def memory(size: int = 1 << 19) -> Memory:
    """An empty table of ``size`` answers (a power of two)."""
    return Memory(
        key=np.zeros(size, dtype=np.uint64), delta=np.zeros(size), place=np.zeros((size, 2), dtype=np.int64),
        guess=np.zeros(8_192), at=np.zeros((8_192, 2), dtype=np.int64),
    )  # fmt: skip


@kernel
def reach(p: Packed, leave: float, here: int, there: int) -> float:
    """When a service at ``there`` can start after leaving ``here``."""
    stay = visit(p, there) if here != there else 0.0
    if p.i[BANDS] == 0:
        return leave + drive(p, here, there) + stay
    return arrival(p, leave, drive(p, here, there)) + stay


@kernel
def opens(p: Packed, node: int, time: float) -> float:
    """First moment from ``time`` on within the node's windows, BIG when none."""
    for k in range(window_count(p, node)):
        if time <= window_end(p, node, k) + HAIR:
            return max(time, window_start(p, node, k))
    return BIG


@kernel
def arc(p: Packed, kind: int, here: int, there: int) -> float:
    """What driving this arc costs, waiting left aside."""
    stay = visit(p, there) if here != there else 0.0
    return cost_distance(p, kind) * distance(p, here, there) + cost_time(p, kind) * (drive(p, here, there) + stay)


@kernel
def row_at(p: Packed, s: State, r: int, item: int) -> int:
    """Matrix row of an item of the route."""
    if item == 0:
        return start_row(p, slot_type(p, r))
    if item == s.size[r] + 1:
        return end_row(p, slot_type(p, r))
    return row(p, s.nodes[r, item - 1])


@kernel
def onward(p: Packed, s: State, r: int, leave: float, here: int, item: int) -> float:
    """When ``item`` of the route is reached from ``here``; at the end of the route nobody is visited."""
    if item > s.size[r]:
        return reach(p, leave, here, row_at(p, s, r, item)) - (
            visit(p, row_at(p, s, r, item)) if here != row_at(p, s, r, item) else 0.0
        )
    return reach(p, leave, here, row_at(p, s, r, item))


@kernel
def room(p: Packed, s: State, r: int, item: int, request: int) -> bool:
    """Whether the boxes hold the request besides what is aboard after ``item``."""
    kind = slot_type(p, r)
    for c in range(p.i[CLASSES]):
        if s.after[r, item, c] + load(p, request, c) > capacity(p, kind, c):
            return False
    return True


@kernel
def candidates(p: Packed, s: State, r: int, request: int, m: Memory) -> int:
    """Write every place that passes the screen into ``m``; how many there are."""
    n, count, kind = p.i[REQUESTS], s.size[r], slot_type(p, r)
    found, most = 0, m.guess.shape[0]
    pick, drop = row(p, request), row(p, n + request)
    for first in range(count + 1):
        if s.times[0, r, first] > window_end(p, request, max(0, window_count(p, request) - 1)) + HAIR:
            break
        if not room(p, s, r, first, request):
            continue
        here, after = row_at(p, s, r, first), row_at(p, s, r, first + 1)
        served = service(p, s.nodes[r, first - 1]) if first > 0 else 0.0
        start = opens(p, request, reach(p, s.times[0, r, first] + served, here, pick))
        if start >= BIG:
            continue
        done = start + service(p, request)
        base = arc(p, kind, here, pick) - arc(p, kind, here, after)
        end = opens(p, n + request, reach(p, done, pick, drop))
        if (
            end < BIG
            and onward(p, s, r, end + service(p, n + request), drop, first + 1) <= s.times[1, r, first + 1] + HAIR
        ):
            if found < most:
                m.guess[found] = base + arc(p, kind, pick, drop) + arc(p, kind, drop, after)
                m.at[found, 0] = m.at[found, 1] = first
                found += 1
        base += arc(p, kind, pick, after)
        leave, at, ridden = done, pick, 0.0
        for item in range(first + 1, count + 1):
            node = s.nodes[r, item - 1]
            here = row(p, node)
            stay = visit(p, here) if at != here else 0.0
            start = opens(p, node, reach(p, leave, at, here))
            if start > s.times[1, r, item] + HAIR or not room(p, s, r, item, request):
                break
            if p.i[BANDS] == 0:
                ridden += drive(p, at, here) + stay + service(p, node)
                if ridden > ride(p, request) + HAIR:
                    break
            leave, at = start + service(p, node), here
            end = opens(p, n + request, reach(p, leave, at, drop))
            if end >= BIG:
                continue
            following = row_at(p, s, r, item + 1)
            if onward(p, s, r, end + service(p, n + request), drop, item + 1) > s.times[1, r, item + 1] + HAIR:
                continue
            if found < most:
                m.guess[found] = (
                    base + arc(p, kind, at, drop) + arc(p, kind, drop, following) - arc(p, kind, at, following)
                )
                m.at[found, 0], m.at[found, 1] = first, item
                found += 1
    return found


@kernel
def plain_candidates(p: Packed, s: State, r: int, request: int, m: Memory) -> int:
    """:func:`candidates` for plain problems, with every table looked up once."""
    n, count, kind, rows = p.i[REQUESTS], s.size[r], slot_type(p, r), p.i[ROWS]
    row, hop, way, stay = p.i[ROW_AT], p.i[HOP_AT], p.i[DISTANCE_AT], p.i[SERVICE_AT]
    opening, closing = p.i[WINDOW_START_AT], p.i[WINDOW_END_AT]
    per_way, per_time = cost_distance(p, kind), cost_time(p, kind)
    nodes, early, late = s.nodes[r], s.times[0, r], s.times[1, r]
    pick, drop = p.i[row + request], p.i[row + n + request]
    pick_end, drop_start, drop_end = p.f[closing + request], p.f[opening + n + request], p.f[closing + n + request]
    picking, dropping, most = p.f[stay + request], p.f[stay + n + request], ride(p, request)
    direct = p.f[hop + pick * rows + drop]
    found, size, start, finish = np.int64(0), m.guess.shape[0], start_row(p, kind), end_row(p, kind)
    here = start
    for first in range(count + 1):
        served = 0.0
        if first > 0:
            here = p.i[row + nodes[first - 1]]
            served = p.f[stay + nodes[first - 1]]
        if early[first] > pick_end + HAIR:
            break
        time = max(p.f[opening + request], early[first] + served + p.f[hop + here * rows + pick])
        if time > pick_end + HAIR or not room(p, s, r, first, request):
            continue
        after = p.i[row + nodes[first]] if first < count else finish
        leave = time + picking
        end = max(drop_start, leave + direct)
        base = per_way * (p.f[way + here * rows + pick] - p.f[way + here * rows + after])
        base += per_time * (p.f[hop + here * rows + pick] - p.f[hop + here * rows + after])
        if (
            end <= drop_end + HAIR
            and end + dropping + p.f[(hop if first < count else p.i[DRIVE_AT]) + drop * rows + after]
            <= late[first + 1] + HAIR
            and found < size
        ):
            m.guess[found] = base + per_way * (p.f[way + pick * rows + drop] + p.f[way + drop * rows + after])
            m.guess[found] += per_time * (direct + p.f[hop + drop * rows + after])
            m.at[found, 0] = m.at[found, 1] = first
            found += 1
        base += per_way * p.f[way + pick * rows + after] + per_time * p.f[hop + pick * rows + after]
        at, ridden = pick, 0.0
        for item in range(first + 1, count + 1):
            node = nodes[item - 1]
            there = p.i[row + node]
            move = p.f[hop + at * rows + there]
            leave = max(p.f[opening + node], leave + move)
            ridden += move
            if leave > late[item] + HAIR or ridden > most + HAIR or not room(p, s, r, item, request):
                break
            ridden += p.f[stay + node]
            leave += p.f[stay + node]
            at = there
            last = p.f[hop + at * rows + drop]
            end = max(drop_start, leave + last)
            if end > drop_end + HAIR:
                if leave > drop_end:
                    break
                continue
            if ridden + last > most + HAIR:
                continue
            after = p.i[row + nodes[item]] if item < count else finish
            next_hop = p.f[(hop if item < count else p.i[DRIVE_AT]) + drop * rows + after]
            if end + dropping + next_hop > late[item + 1] + HAIR or found >= size:
                continue
            extra = p.f[way + at * rows + drop] + p.f[way + drop * rows + after] - p.f[way + at * rows + after]
            m.guess[found] = base + per_way * extra + per_time * (last + next_hop - p.f[hop + at * rows + after])
            m.at[found, 0], m.at[found, 1] = first, item
            found += 1
    return found


@kernel
def aboard_candidates(p: Packed, s: State, r: int, request: int, m: Memory) -> int:
    """The same for a request that is aboard already: only its delivery has to find a place."""
    n, count, kind, found = p.i[REQUESTS], s.size[r], slot_type(p, r), 0
    drop = row(p, n + request)
    for item in range(count + 1):
        if not room(p, s, r, item, request):
            break
        here, after = row_at(p, s, r, item), row_at(p, s, r, item + 1)
        served = service(p, s.nodes[r, item - 1]) if item > 0 else 0.0
        end = opens(p, n + request, reach(p, s.times[0, r, item] + served, here, drop))
        if (
            end >= BIG
            or onward(p, s, r, end + service(p, n + request), drop, item + 1) > s.times[1, r, item + 1] + HAIR
        ):
            continue
        m.guess[found] = arc(p, kind, here, drop) + arc(p, kind, drop, after) - arc(p, kind, here, after)
        m.at[found, 0] = m.at[found, 1] = item
        found += 1
    return found


@kernel
def trial_of(p: Packed, s: State, r: int, request: int, pickup: int, delivery: int, out: Any) -> int:
    """The nodes of route ``r`` with the request put in; how many."""
    n, at = p.i[REQUESTS], 0
    for item in range(s.size[r] + 1):
        if item > 0:
            out[at] = s.nodes[r, item - 1]
            at += 1
        if item == pickup and not aboard(p, request):
            out[at] = request
            at += 1
        if item == delivery:
            out[at] = n + request
            at += 1
    return at


@kernel
def best_place(p: Packed, s: State, z: Any, r: int, request: int, m: Memory, w: Desk, tries: int) -> int:
    """Where route ``r`` takes the request most cheaply: a slot of the table with ``delta`` (NEVER = nowhere).

    Places are tried in the order of their guess until ``tries`` of them may be driven; the cheapest of those wins.
    """
    kind = slot_type(p, r)
    key = (s.mark[0, r] + z[3 * p.i[REQUESTS] + kind]) ^ (
        z[2 * p.i[REQUESTS] + request] * np.uint64(0xD6E8FEB86659FD93)
    )
    slot = np.int64((key ^ (key >> np.uint64(31))) & np.uint64(m.key.shape[0] - 1))
    if m.key[slot] == key:
        return slot
    m.key[slot], m.delta[slot] = key, NEVER
    if not allowed(p, kind, request):
        return slot
    if aboard(p, request):
        found = aboard_candidates(p, s, r, request, m)
    elif p.i[PLAIN]:
        found = plain_candidates(p, s, r, request, m)
    else:
        found = candidates(p, s, r, request, m)
    good = 0
    while found > 0:
        low = 0
        for k in range(1, found):
            if m.guess[k] < m.guess[low]:
                low = k
        pickup, delivery = m.at[low, 0], m.at[low, 1]
        found -= 1
        m.guess[low] = m.guess[found]
        m.at[low, 0], m.at[low, 1] = m.at[found, 0], m.at[found, 1]
        count = trial_of(p, s, r, request, pickup, delivery, w.i[TRIAL])
        cost = evaluate(p, kind, w.i[TRIAL], count, w)
        if cost >= NEVER:
            continue
        if cost - s.cost[r] < m.delta[slot]:
            m.delta[slot] = cost - s.cost[r]
            m.place[slot, 0], m.place[slot, 1] = pickup, delivery
        good += 1
        if good >= tries:
            break
    return slot
