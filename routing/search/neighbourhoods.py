"""What is taken out of a plan in one round of the search, and in what order it is put back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.search.arrays import Arrays, Floats, Ints
from routing.search.desk import NEVER, Desk
from routing.search.insert import Memory, best_place
from routing.search.jit import kernel
from routing.search.packed import (
    NEAR_WIDTH,
    REQUESTS,
    Packed,
    distance,
    end_row,
    near,
    penalty,
    row,
    slot_type,
    start_row,
)
from routing.search.state import State, put_in, refresh

RANDOM, RELATED, STRINGS, WORST, ROUTE, TIME = range(6)
WAYS = 6


class Round(NamedTuple):
    """What one round works with."""

    gone: NDArray[np.bool_]
    """(n) taken out in this round."""
    waiting: Ints
    """(n) requests without a place."""
    delta: Floats
    """(n, R) what each courier's route would cost more with the waiting request, NEVER = not possible."""
    place: NDArray[np.int64]
    """(n, R, 2) items after which pickup and delivery would go."""
    dice: NDArray[np.uint64]
    """(1) state of the random numbers."""
    score: Floats
    """(n)."""


def new_round(problem: Arrays, seed: int) -> Round:
    """Room for rounds, with dice of their own."""
    n, couriers = len(problem.load), len(problem.slot_type)
    dice = np.array([seed * 2_654_435_761 + 88_172_645_463_325_252], dtype=np.uint64)
    return Round(
        gone=np.zeros(n, dtype=np.bool_), waiting=np.zeros(n, dtype=np.int64),
        delta=np.full((n, couriers), NEVER),
        place=np.zeros((n, couriers, 2), dtype=np.int64), dice=dice, score=np.zeros(n),
    )  # fmt: skip


@kernel
def draw(dice: Any) -> float:
    """A number in 0 … 1 (xorshift64*)."""
    x = dice[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    dice[0] = x
    return float((x * np.uint64(2_685_821_657_736_338_717)) >> np.uint64(11)) / 9007199254740992.0


@kernel
def pick(dice: Any, count: int) -> int:
    """A number in 0 … count - 1."""
    return min(count - 1, int(draw(dice) * count))


@kernel
def choose(p: Packed, s: State, b: Round, way: int, size: int) -> int:
    """Mark in ``b.gone`` about ``size`` requests that go together in the given way; how many are marked."""
    n = p.i[REQUESTS]
    for i in range(n):
        b.gone[i] = False
    seed = pick(b.dice, n)
    for _ in range(4):
        if s.where[seed] < 0 or (way not in (RELATED, STRINGS)):
            break
        if draw(b.dice) < 0.5:
            break
        seed = pick(b.dice, n)
    if way == RELATED:
        return related(p, b, seed, size)
    if way == STRINGS:
        return strings(p, s, b, seed, size)
    if way == WORST:
        return worst(p, s, b, size)
    if way == ROUTE:
        return whole_route(p, s, b, seed, size)
    if way == TIME:
        return same_time(p, s, b, seed, size)
    marked = 0
    for _ in range(size):
        i = pick(b.dice, n)
        if not b.gone[i]:
            b.gone[i] = True
            marked += 1
    return marked


@kernel
def related(p: Packed, b: Round, seed: int, size: int) -> int:
    """The seed and others near it, the nearest most likely."""
    b.gone[seed] = True
    marked, width = 1, p.i[NEAR_WIDTH]
    reach = min(width, 2 * size + 2)
    for _ in range(8 * size):
        if marked >= size or width == 0:
            break
        other = near(p, seed, int(draw(b.dice) ** 1.5 * reach))
        if not b.gone[other]:
            b.gone[other] = True
            marked += 1
    return marked


@kernel
def strings(p: Packed, s: State, b: Round, seed: int, size: int) -> int:
    """Stretches of the routes that pass near the seed (Christiaens and Vanden Berghe 2020)."""
    n, marked, width = p.i[REQUESTS], 0, p.i[NEAR_WIDTH]
    for step in range(width + 1):
        center = seed if step == 0 else near(p, seed, step - 1)
        r = s.where[center]
        if marked >= size:
            break
        if r < 0 or b.gone[center]:
            if r < 0 and not b.gone[center]:
                b.gone[center] = True
                marked += 1
            continue
        fresh = True
        for k in range(s.size[r]):
            node = s.nodes[r, k]
            if b.gone[node if node < n else node - n]:
                fresh = False
                break
        if not fresh:
            continue
        long = 2 + pick(b.dice, max(2, size))
        at = 0
        for k in range(s.size[r]):
            if s.nodes[r, k] == center or s.nodes[r, k] == n + center:
                at = k
                break
        begin = max(0, at - pick(b.dice, long))
        for k in range(begin, min(s.size[r], begin + long)):
            node = s.nodes[r, k]
            i = node if node < n else node - n
            if not b.gone[i]:
                b.gone[i] = True
                marked += 1
    return marked


@kernel
def worst(p: Packed, s: State, b: Round, size: int) -> int:
    """Those whose ends cost long detours, with some chance."""
    n = p.i[REQUESTS]
    for i in range(n):
        b.score[i] = 0.0
    for r in range(s.size.shape[0]):
        kind, count = slot_type(p, r), s.size[r]
        for k in range(count):
            node = s.nodes[r, k]
            here = row(p, node)
            before = start_row(p, kind) if k == 0 else row(p, s.nodes[r, k - 1])
            after = end_row(p, kind) if k == count - 1 else row(p, s.nodes[r, k + 1])
            gain = distance(p, before, here) + distance(p, here, after) - distance(p, before, after)
            b.score[node if node < n else node - n] += gain
    for i in range(n):
        b.score[i] *= 0.2 + draw(b.dice)
        if s.where[i] < 0:
            b.score[i] = 1e18
    marked = 0
    for _ in range(min(size, n)):
        top = -1
        for i in range(n):
            if not b.gone[i] and (top < 0 or b.score[i] > b.score[top]):
                top = i
        b.gone[top] = True
        marked += 1
    return marked


@kernel
def whole_route(p: Packed, s: State, b: Round, seed: int, size: int) -> int:
    """All of the seed's route (the first ``2 * size`` of a long one), and some others near it."""
    n, marked, r = p.i[REQUESTS], 0, s.where[seed]
    b.gone[seed] = True
    marked = 1
    if r >= 0:
        for k in range(s.size[r]):
            node = s.nodes[r, k]
            i = node if node < n else node - n
            if not b.gone[i] and marked < 2 * size + 4:
                b.gone[i] = True
                marked += 1
    width = p.i[NEAR_WIDTH]
    for _ in range(size // 3):
        if width == 0:
            break
        other = near(p, seed, pick(b.dice, width))
        if not b.gone[other]:
            b.gone[other] = True
            marked += 1
    return marked


@kernel
def same_time(p: Packed, s: State, b: Round, seed: int, size: int) -> int:
    """The seed and those picked up at about the same time, wherever that is."""
    n = p.i[REQUESTS]
    for i in range(n):
        b.score[i] = 0.0
    for r in range(s.size.shape[0]):
        for k in range(s.size[r]):
            node = s.nodes[r, k]
            if node < n:
                b.score[node] = s.times[0, r, k + 1]
    b.gone[seed] = True
    marked, moment, span = 1, b.score[seed], 0.0
    for i in range(n):
        span = max(span, abs(b.score[i] - moment))
    for _ in range(12 * size):
        if marked >= size:
            break
        i = pick(b.dice, n)
        if not b.gone[i] and abs(b.score[i] - moment) < span * (0.02 + 0.2 * draw(b.dice)):
            b.gone[i] = True
            marked += 1
    return marked


@kernel
def fill(
    p: Packed, s: State, z: Any, b: Round, m: Memory, w: Desk, count: int, regret: int, tries: int, blink: float
) -> bool:
    """Put ``b.waiting[:count]`` back: always the one that would lose most by waiting (regret over ``regret`` routes;
    1 = the cheapest first). What fits nowhere stays out. Routes changed are refreshed; False when one broke."""
    couriers = s.size.shape[0]
    for r in range(couriers):
        twin = False
        for q in range(r):
            twin = twin or (s.size[r] + s.size[q] == 0 and slot_type(p, q) == slot_type(p, r))
        for u in range(count):
            if twin or draw(b.dice) < blink:
                b.delta[u, r] = NEVER
            else:
                ask(p, s, z, b, m, w, u, r, tries)
    while count > 0:
        top, route, top_score = np.int64(-1), np.int64(-1), -1e300
        for u in range(count):
            r, score = judge(p, s, b, u, regret)
            if r >= 0 and score > top_score:
                top, route, top_score = u, r, score
        if top < 0:
            return True
        was_empty = s.size[route] == 0
        put_in(p, s, route, b.waiting[top], b.place[top, route, 0], b.place[top, route, 1])
        if not refresh(p, s, z, route, w):
            return False
        count -= 1
        b.waiting[top] = b.waiting[count]
        for r in range(couriers):
            b.delta[top, r] = b.delta[count, r]
            b.place[top, r, 0], b.place[top, r, 1] = b.place[count, r, 0], b.place[count, r, 1]
        renew(p, s, z, b, m, w, count, route, tries)
        if was_empty:
            for q in range(couriers):
                if s.size[q] == 0 and slot_type(p, q) == slot_type(p, route):
                    renew(p, s, z, b, m, w, count, q, tries)
                    break
    return True


@kernel
def ask(p: Packed, s: State, z: Any, b: Round, m: Memory, w: Desk, u: int, r: int, tries: int) -> None:
    """Note what route ``r`` would make of the waiting request number ``u``."""
    slot = best_place(p, s, z, r, b.waiting[u], m, w, tries)
    b.delta[u, r] = m.delta[slot]
    b.place[u, r, 0], b.place[u, r, 1] = m.place[slot, 0], m.place[slot, 1]


@kernel
def renew(p: Packed, s: State, z: Any, b: Round, m: Memory, w: Desk, count: int, r: int, tries: int) -> None:
    """Ask again for route ``r``, which has changed."""
    for u in range(count):
        ask(p, s, z, b, m, w, u, r, tries)


@kernel
def judge(p: Packed, s: State, b: Round, u: int, regret: int) -> tuple[int, float]:
    """The cheapest route for the waiting request number ``u`` (-1 none), and how urgent it is to place it."""
    best, second, third, fourth, route = NEVER, NEVER, NEVER, NEVER, np.int64(-1)
    for r in range(s.size.shape[0]):
        delta = b.delta[u, r]
        if delta < best:
            best, second, third, fourth, route = delta, best, second, third, r
        elif delta < second:
            second, third, fourth = delta, second, third
        elif delta < third:
            third, fourth = delta, third
        elif delta < fourth:
            fourth = delta
    if route < 0:
        return route, 0.0
    alone = penalty(p, b.waiting[u])
    if regret <= 1:
        return route, alone - best if alone < best else -best
    score = min(second, alone) - best
    if regret > 2:
        score += min(third, alone) - best
    if regret > 3:
        score += min(fourth, alone) - best
    return route, score
