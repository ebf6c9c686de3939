"""A lower bound: no plan that serves the same requests costs less. Valid, cheap, and weaker than exact pricing.

What is bounded
    Money that every plan spends: fixed cost of a courier who drives, kilometres, hours at the wheel, at the door and
    at service. Waiting, breaks, lateness and changed promises cost nothing here, and each leg is charged at the
    cheapest courier who may serve both its ends; a real plan pays at least that.

The relaxation (method ``assignment_cuts``)
    Every visit has one visit (or start) before it and one (or end) after it; every courier's start is followed by a
    visit or by his own end. The cheapest choice of such successions is an assignment problem, and every plan is one
    of its solutions: the assignment costs no more than the best plan. Successions that no route can contain are left
    out: those that break time windows, ride limits, the order of pickup and delivery or the boxes' room, judged by
    least times between places (shortest paths, so that this holds without the triangle inequality).

    An assignment may form circles, or part a pickup from its delivery. Three kinds of cuts hold for every plan:

    * a set of visits without start and end is left at least once;
    * the starts of all K couriers with visits among which is a delivery but not its pickup are left at least K + 1
      times: each courier leaves them once to reach his end, and who makes the pickup comes back in between;
    * the same backwards: all ends with visits among which is a pickup but not its delivery are entered K + 1 times.

    A cut a·x >= b with a price p >= 0 is put into the objective: min (c - p a)·x + p b is a lower bound of
    min c·x over all x that keep the cut, whatever p is. So every round of the search for good prices (subgradient)
    gives a valid bound, and the greatest counts. Costs are rounded down to whole numbers for the assignment.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from ortools.graph.python.linear_sum_assignment import SimpleLinearSumAssignment

from routing.instance import Instance
from routing.plan import Plan

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

METHOD = "assignment_cuts"
MOST_REQUESTS = 300  # beyond them a bound takes longer than it is worth
NEVER = math.inf
_SCALE = 10_000.0
_MOST_CUTS = 400
_HAIR = 1e-6


@dataclass(frozen=True, slots=True)
class Net:
    """What the bound knows: visits (pickups and deliveries), vehicles, least times and costs between them.

    ``request``/``pickup``: of each visit, which request it belongs to and whether it is its pickup. ``step_s[i, j]``:
    least time from the start of visit i to that of j directly after; ``cost[i, j]`` its least cost, infinite where no
    vehicle may serve both. ``early_s``/``late_s``: when a visit may start. ``first_…``: from each vehicle's start, its
    own hours in ``shift_s``; ``last_…``: back to its end. ``ride_s[r]``: greatest time from start to start. ``load``,
    ``room``: per class, of each request and of the largest vehicle.
    """

    request: Ints
    pickup: Bools
    step_s: Floats
    cost: Floats
    early_s: Floats
    late_s: Floats
    first_s: Floats
    first_cost: Floats
    last_s: Floats
    last_cost: Floats
    shift_s: Floats
    ride_s: Floats
    load: Floats
    room: Floats


@dataclass(frozen=True, slots=True)
class Cut:
    """At least ``least`` of the successions from ``rows`` to ``cols`` are in every plan."""

    rows: Ints
    cols: Ints
    least: float


def bounded(instance: Instance, plan: Plan, *, seconds: float = 1.0) -> Plan:
    """The plan with its lower bound and what kind of bound that is; without one where there are too many requests."""
    few = len(instance.requests) <= MOST_REQUESTS
    found = lower_bound(instance, plan, seconds=seconds) if few else None
    return replace(plan, lower_bound=found, bound_method="" if found is None else METHOD)


def lower_bound(instance: Instance, plan: Plan, *, seconds: float = 1.0, rounds: int = 400) -> float | None:
    """No plan that serves what ``plan`` serves costs less than this; None when there is nothing to bound."""
    served = {item.request_id for route in plan.routes for stop in route.stops for item in stop.services}
    chosen = [number for number, wish in enumerate(instance.requests) if wish.id in served]
    if not chosen or not instance.couriers:
        return None
    found = bound(net_of(instance, chosen), plan.cost, seconds=seconds, rounds=rounds)
    return None if found is None else min(plan.cost, math.floor(found * 100) / 100)


def net_of(instance: Instance, chosen: Sequence[int]) -> Net:
    """The problem with these requests."""
    visits = [(r, True) for r in chosen if instance.aboard_of[r] is None] + [(r, False) for r in chosen]
    number = {r: k for k, r in enumerate(chosen)}
    marks = [r if pickup else ~r for r, pickup in visits]
    rows = np.array([instance.row_of(mark) for mark in marks])
    fastest = max([1.0, *(band.factor for band in instance.problem.speed_bands)])
    travel = np.array(instance.travel_s, dtype=np.float64) / fastest
    metres = np.array(instance.distance_m, dtype=np.float64)
    door = np.array(instance.visit_s, dtype=np.float64)
    stay = np.array([instance.service_s(mark) for mark in marks], dtype=np.float64)
    moved = rows[:, None] != rows[None, :]
    step = stay[:, None] + travel[np.ix_(rows, rows)] + np.where(moved, door[rows][None, :], 0.0)
    way = metres[np.ix_(rows, rows)]
    people, size = len(instance.couriers), len(visits)
    cost = np.full((size, size), NEVER)
    first_s, first_cost = np.zeros((people, size)), np.zeros((people, size))
    last_s, last_cost = np.zeros((size, people)), np.zeros((size, people))
    for k, person in enumerate(instance.couriers):
        may = np.array([instance.may_serve(k, r) for r, _ in visits], dtype=np.bool_)
        hour, km = person.cost_per_hour / 3600, person.cost_per_km / 1000
        both = may[:, None] & may[None, :]
        cost = np.minimum(cost, np.where(both, hour * step + km * way, NEVER))
        start, end = instance.start_row[k], instance.end_row[k]
        first_s[k] = travel[start, rows] + np.where(rows != start, door[rows], 0.0)
        first_cost[k] = np.where(may, person.cost_fixed + hour * first_s[k] + km * metres[start, rows], NEVER)
        last_s[:, k] = stay + travel[rows, end]
        last_cost[:, k] = np.where(may, hour * last_s[:, k] + km * metres[rows, end], NEVER)
    spans = [instance.spans_of(mark) for mark in marks]
    wishes = [instance.requests[r] for r in chosen]
    return Net(
        request=np.array([number[r] for r, _ in visits], dtype=np.int64),
        pickup=np.array([pickup for _, pickup in visits], dtype=np.bool_),
        step_s=step,
        cost=cost,
        early_s=np.array([span[0][0] if span else NEVER for span in spans], dtype=np.float64),
        late_s=np.array([span[-1][1] if span else -NEVER for span in spans], dtype=np.float64),
        first_s=first_s,
        first_cost=first_cost,
        last_s=last_s,
        last_cost=last_cost,
        shift_s=np.array([(one.shift_start_s, one.shift_end_s) for one in instance.couriers], dtype=np.float64),
        ride_s=np.array([NEVER if one.max_ride_s is None else one.max_ride_s + one.pickup_service_s for one in wishes]),
        load=np.array([instance.load[r] for r in chosen], dtype=np.float64).reshape(len(chosen), -1),
        room=np.array(instance.capacity, dtype=np.float64).reshape(people, -1).max(axis=0),
    )


def bound(net: Net, known: float, *, seconds: float = 1.0, rounds: int = 400) -> float | None:
    """The greatest bound found. ``known``: the cost of some plan, which only sets the pace of the search."""
    until = time.monotonic() + seconds
    costs = _possible(net)
    prices: list[float] = []
    cuts: list[Cut] = []
    names: set[tuple[bytes, bytes]] = set()
    best: float | None = None
    pace, since = 1.0, 0
    for _ in range(rounds):
        found = _assigned(costs, cuts, prices)
        if found is None:
            return best
        value, after = found
        if best is None or value > best + 1e-4:
            best, since = value, 0
        else:
            since += 1
        if since >= 8:
            pace, since = pace / 2, 0
        for cut in _broken(net, after):
            name = (cut.rows.tobytes(), cut.cols.tobytes())
            if name not in names and len(cuts) < _MOST_CUTS:
                names.add(name)
                cuts.append(cut)
                prices.append(0.0)
        slack = np.array([cut.least - _used(cut, after) for cut in cuts])
        length = float((slack**2).sum())
        if length == 0.0 or pace < 1e-3 or best >= known - _HAIR or time.monotonic() > until:
            break
        goal = min(known, best + 0.1 * abs(best))  # a far goal overshoots: the plan may cost twice the bound
        step = pace * max(goal - value, 0.01 * abs(known)) / length
        prices = [max(0.0, price + step * off) for price, off in zip(prices, slack.tolist(), strict=True)]
    return best


def _possible(net: Net) -> Floats:
    """Costs of all successions, rows visits then starts, columns visits then ends; infinite = in no route."""
    size, people = len(net.request), len(net.shift_s)
    away = _shortest(net.step_s)
    early, late = _windows(net, away)
    costs = np.full((size + people, size + people), NEVER)
    costs[:size, :size] = np.where(_may_follow(net, away, early, late), net.cost, NEVER)
    lone = np.ones(size, dtype=np.bool_)  # deliveries of what is aboard may come first
    lone[~net.pickup] = ~np.isin(net.request[~net.pickup], net.request[net.pickup])
    starts = net.shift_s[:, :1] + net.first_s <= late[None, :] + _HAIR
    costs[size:, :size] = np.where(starts & lone[None, :], net.first_cost, NEVER)
    ends = early[:, None] + net.last_s <= net.shift_s[:, 1][None, :] + _HAIR
    costs[:size, size:] = np.where(ends & ~net.pickup[:, None], net.last_cost, NEVER)
    costs[size + np.arange(people), size + np.arange(people)] = 0.0
    return costs


def _shortest(step: Floats) -> Floats:
    """Least time between the starts of any two visits, by whatever visits lie in between."""
    away = step.copy()
    for k in range(len(away)):
        np.minimum(away, away[:, k : k + 1] + away[k : k + 1, :], out=away)
    return away


def _mates(net: Net) -> tuple[Ints, Ints]:
    """Pickup and delivery of each request; -1 where there is none."""
    count = len(net.ride_s)
    pick, drop = np.full(count, -1, dtype=np.int64), np.full(count, -1, dtype=np.int64)
    visits = np.arange(len(net.request))
    pick[net.request[net.pickup]] = visits[net.pickup]
    drop[net.request[~net.pickup]] = visits[~net.pickup]
    return pick, drop


def _windows(net: Net, away: Floats) -> tuple[Floats, Floats]:
    """When each visit can start at all: shifts, the way there and back, pickup before delivery, rides."""
    out = np.minimum(net.first_s, (net.first_s[:, :, None] + away[None, :, :]).min(axis=1))
    back = np.minimum(net.last_s, (away[:, :, None] + net.last_s[None, :, :]).min(axis=1))
    early = np.maximum(net.early_s, (net.shift_s[:, :1] + out).min(axis=0))
    late = np.minimum(net.late_s, (net.shift_s[:, 1][None, :] - back).max(axis=1))
    pick, drop = _mates(net)
    both = pick >= 0
    p, d, ride = pick[both], drop[both], net.ride_s[both]
    for _ in range(2):
        early[d] = np.maximum(early[d], early[p] + away[p, d])
        late[p] = np.minimum(late[p], late[d] - away[p, d])
        late[d] = np.minimum(late[d], late[p] + ride)
        early[p] = np.maximum(early[p], early[d] - ride)
    return early, late


def _may_follow(net: Net, away: Floats, early: Floats, late: Floats) -> Bools:
    """Whether visit j can come directly after i in some route: each combination tried with the mates around it."""
    size = len(net.request)
    reach = np.maximum(early[:, None] + net.step_s, early[None, :])
    fine = reach <= late[None, :] + _HAIR
    fine[np.arange(size), np.arange(size)] = False
    pick, drop = _mates(net)
    for i in range(size):
        r = int(net.request[i])
        fine[i, :] &= ~((net.request == r) & (net.pickup | ~net.pickup[i]))
        for j in np.flatnonzero(fine[i]).tolist():
            q = int(net.request[j])
            if q == r:
                continue
            orders = _orders(i, j, int(pick[r]), int(drop[r]), int(pick[q]), int(drop[q]), net)
            fine[i, j] = any(_goes(net, order, (i, j), away, early, late) for order in orders)
    return fine


def _orders(i: int, j: int, p: int, d: int, q: int, e: int, net: Net) -> list[tuple[int, ...]]:
    """The ways in which the four visits of two requests can lie around 'j directly after i'."""
    if net.pickup[i] and net.pickup[j]:
        found = [(p, q, d, e), (p, q, e, d)]
    elif net.pickup[i]:
        found = [(q, p, e, d)]
    elif net.pickup[j]:
        found = [(p, d, q, e)]
    else:
        found = [(p, q, d, e), (q, p, d, e)]
    together = not (not net.pickup[i] and net.pickup[j])
    if together and (net.load[net.request[i]] + net.load[net.request[j]] > net.room + _HAIR).any():
        return []
    return [tuple(one for one in order if one >= 0) for order in found]


def _goes(net: Net, order: tuple[int, ...], direct: tuple[int, int], away: Floats, early: Floats, late: Floats) -> bool:
    """Whether the visits can be made in this order, others perhaps in between but not within ``direct``."""
    at, passed, begun = -NEVER, 0.0, {}
    before = -1
    for visit in order:
        if before >= 0:
            gap = float((net.step_s if (before, visit) == direct else away)[before, visit])
            at, passed = at + gap, passed + gap
        at = max(at, float(early[visit]))
        if at > late[visit] + _HAIR:
            return False
        r = int(net.request[visit])
        if net.pickup[visit]:
            begun[r] = passed
        elif r in begun and passed - begun[r] > net.ride_s[r] + _HAIR:
            return False
        before = visit
    return True


def _assigned(costs: Floats, cuts: Sequence[Cut], prices: Sequence[float]) -> tuple[float, Ints] | None:
    """The cheapest assignment with the cuts at their prices, and what follows what."""
    priced, given = costs.copy(), 0.0
    for cut, price in zip(cuts, prices, strict=True):
        if price > 0.0:
            priced[np.ix_(cut.rows, cut.cols)] -= price
            given += price * cut.least
    rows, cols = np.nonzero(np.isfinite(costs))
    whole = np.floor(priced[rows, cols] * _SCALE).astype(np.int64)
    shift = int(min(0, whole.min()))
    solver = SimpleLinearSumAssignment()
    solver.add_arcs_with_cost(rows.astype(np.int32), cols.astype(np.int32), whole - shift)
    if solver.solve() != solver.OPTIMAL:
        return None
    count = len(costs)
    value = (solver.optimal_cost() + shift * count) / _SCALE + given
    return value, np.array([solver.right_mate(row) for row in range(count)], dtype=np.int64)


def _used(cut: Cut, after: Ints) -> int:
    return int(np.isin(after[cut.rows], cut.cols).sum())


def _broken(net: Net, after: Ints) -> Iterator[Cut]:
    """Cuts that this assignment breaks."""
    size, count = len(net.request), len(after)
    everything, starts = np.arange(count), np.arange(size, count)
    least = count - size + 1
    seen = np.zeros(size, dtype=np.bool_)
    for start in starts.tolist():
        path = []
        here = int(after[start])
        while here < size:
            path.append(here)
            seen[here] = True
            here = int(after[here])
        if not path:
            continue
        some = np.array(sorted(path), dtype=np.int64)
        picked = {int(net.request[visit]) for visit in path if net.pickup[visit]}
        handed = {int(net.request[visit]) for visit in path if not net.pickup[visit]}
        fetched = {int(one) for one in net.request[net.pickup]}
        out = np.concatenate([some, starts])
        rest = np.setdiff1d(everything, some)
        if (handed & fetched) - picked:
            yield Cut(out, rest, least)
        if picked - handed:
            yield Cut(rest, out, least)
    for visit in range(size):
        if seen[visit]:
            continue
        ring, here = [], visit
        while not seen[here]:
            seen[here] = True
            ring.append(here)
            here = int(after[here])
        inside = np.array(sorted(ring), dtype=np.int64)
        yield Cut(inside, np.setdiff1d(everything, inside), 1.0)
