"""The problem as the kernels read it: flat arrays of numbers, couriers that are alike as one type.

Nodes: ``i`` is the pickup of request i, ``n + i`` its delivery. Rows are places of the matrices. Times in the unit of
the problem (seconds; any unit in :mod:`routing.darp`), ``BIG`` stands for 'no limit'.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from routing.instance import Instance
from routing.problem import Courier, Priority, Request

BIG = 1e15
Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]


class Arrays(NamedTuple):
    """n requests, T courier types, R matrix rows, C temperature classes, W windows at most, K load kinds."""

    row: Ints
    """(2n) matrix row of each node."""
    drive: Floats
    """(R, R) driving time."""
    hop: Floats
    """(R, R) driving time and, at another place, its ``visit``."""
    visit: Floats
    """(R) time that arriving from elsewhere costs before the first service."""
    distance: Floats
    """(R, R)."""
    window_count: Ints
    """(2n) windows of a node; the service starts within one of them."""
    window_start: Floats
    """(2n, W)."""
    window_end: Floats
    """(2n, W)."""
    service: Floats
    """(2n)."""
    load: Ints
    """(n, C)."""
    ride: Floats
    """(n) greatest time from the end of the pickup's service to the start of the delivery's."""
    aboard: Flags
    """(n) on the vehicle already: only the delivery is made."""
    kind: Ints
    """(n) load kind."""
    conflict: Flags
    """(K, K) kinds that are never aboard together."""
    soft_due: Floats
    """(n)."""
    late_rate: Floats
    """(n) cost per unit of time after ``soft_due``."""
    promised: Floats
    """(n) promised start of the pickup; BIG = none."""
    tolerance: Floats
    """(n)."""
    change_cost: Floats
    """(n) when the pickup starts further from its promise than ``tolerance``."""
    penalty: Floats
    """(n) cost of leaving the request out."""
    capacity: Ints
    """(T, C)."""
    shift_start: Floats
    shift_end: Floats
    max_duration: Floats
    cost_fixed: Floats
    cost_distance: Floats
    """(T) per unit of distance."""
    cost_time: Floats
    """(T) per unit of time from leaving to being back."""
    start_row: Ints
    end_row: Ints
    allowed: Flags
    """(T, n) whether the type may take the request."""
    pair_cost: Floats
    """(T, n) extra cost when the type serves the request."""
    break_count: Ints
    break_start: Floats
    """(T, B)."""
    break_end: Floats
    break_length: Floats
    band_start: Floats
    """(S) from when on ``band_factor`` holds; empty = constant speed."""
    band_factor: Floats
    slot_type: Ints
    """(couriers) type of each courier."""
    near: Ints
    """(n, up to NEAR) other requests, most related first."""
    timed: bool
    """Whether the cost of a route depends on its times (hours, lateness, promises)."""


NEAR = 60


def from_instance(instance: Instance, possible: Sequence[int], allowed: Sequence[Sequence[int]]) -> Arrays:
    """Arrays of the ``possible`` requests of a validated problem (request i of the arrays is ``possible[i]`` of the
    problem); ``allowed[i]`` are the couriers that may take request i of the problem."""
    requests, couriers = [instance.requests[i] for i in possible], instance.couriers
    may = np.zeros((len(couriers), len(requests)), dtype=np.bool_)
    for request, origin in enumerate(possible):
        may[list(allowed[origin]), request] = True
    extra = np.array([[_moved_cost(person, wish) for wish in requests] for person in couriers], dtype=np.float64)
    extra = extra.reshape(len(couriers), len(requests))
    kinds = {name: index for index, name in enumerate(dict.fromkeys(wish.load_kind for wish in requests))}
    conflict = np.zeros((max(1, len(kinds)), max(1, len(kinds))), dtype=np.bool_)
    for one, other in instance.problem.incompatible:
        if one in kinds and other in kinds:
            conflict[kinds[one], kinds[other]] = conflict[kinds[other], kinds[one]] = True
    types, slot_type = _types(instance, may, extra)
    first = [couriers[index] for index in types]
    bands = instance.problem.speed_bands
    spans = [instance.spans_of(i) for i in possible] + [instance.spans_of(~i) for i in possible]
    counts, starts, ends = _windows(spans)
    breaks = [person.breaks for person in first]
    return make(
        row=np.array(
            [*(instance.pickup_row[i] for i in possible), *(instance.delivery_row[i] for i in possible)], dtype=np.int64
        ),
        drive=np.array(instance.travel_s, dtype=np.float64),
        visit=np.array(instance.visit_s, dtype=np.float64),
        distance=np.array(instance.distance_m, dtype=np.float64),
        window_count=counts,
        window_start=starts,
        window_end=ends,
        service=np.array(
            [*(0 if r.aboard_of else r.pickup_service_s for r in requests), *(r.delivery_service_s for r in requests)],
            dtype=np.float64,
        ),
        load=_matrix([instance.load[i] for i in possible], len(instance.classes)),
        ride=np.array(
            [BIG if r.max_ride_s is None or r.aboard_of else r.max_ride_s for r in requests], dtype=np.float64
        ),
        aboard=np.array([r.aboard_of is not None for r in requests], dtype=np.bool_),
        kind=np.array([kinds[r.load_kind] for r in requests], dtype=np.int64),
        conflict=conflict,
        soft_due=np.array([BIG if r.soft_due_s is None else r.soft_due_s for r in requests], dtype=np.float64),
        late_rate=np.array([r.late_cost_per_hour / 3600 for r in requests], dtype=np.float64),
        promised=np.array(
            [BIG if r.promised_pickup_s is None else r.promised_pickup_s for r in requests], dtype=np.float64
        ),
        tolerance=np.array([r.promise_tolerance_s for r in requests], dtype=np.float64),
        change_cost=np.array([r.change_cost for r in requests], dtype=np.float64),
        penalty=penalties(instance, requests),
        capacity=_matrix([instance.capacity[index] for index in types], len(instance.classes)),
        shift_start=np.array([p.shift_start_s for p in first], dtype=np.float64),
        shift_end=np.array([p.shift_end_s for p in first], dtype=np.float64),
        max_duration=np.array([BIG if p.max_duration_s is None else p.max_duration_s for p in first], dtype=np.float64),
        cost_fixed=np.array([p.cost_fixed for p in first], dtype=np.float64),
        cost_distance=np.array([p.cost_per_km / 1000 for p in first], dtype=np.float64),
        cost_time=np.array([p.cost_per_hour / 3600 for p in first], dtype=np.float64),
        start_row=np.array([instance.start_row[index] for index in types], dtype=np.int64),
        end_row=np.array([instance.end_row[index] for index in types], dtype=np.int64),
        allowed=may[types] if types else may,
        pair_cost=extra[types] if types else extra,
        break_count=np.array([len(items) for items in breaks], dtype=np.int64),
        break_start=_ragged([[item.earliest_s for item in items] for items in breaks]),
        break_end=_ragged([[item.latest_s for item in items] for items in breaks]),
        break_length=_ragged([[item.duration_s for item in items] for items in breaks]),
        band_start=np.array([band.start_s for band in bands], dtype=np.float64),
        band_factor=np.array([band.factor for band in bands], dtype=np.float64),
        slot_type=slot_type,
    )


def make(**fields: Any) -> Arrays:
    """Arrays with what follows from the rest: windows cut to what can be kept, neighbours, whether times cost."""
    _tighten(fields)
    timed = bool(
        (fields["cost_time"] > 0).any()
        or ((fields["soft_due"] < BIG) & (fields["late_rate"] > 0)).any()
        or ((fields["promised"] < BIG) & (fields["change_cost"] > 0)).any()
    )
    away = ~np.eye(len(fields["drive"]), dtype=np.bool_)
    hop = fields["drive"] + away * fields["visit"][None, :]
    return Arrays(**fields, hop=hop, near=_near(fields), timed=timed)


def penalties(instance: Instance, requests: Sequence[Request]) -> Floats:
    """What leaving a request out costs: more than any courier's whole day, STAT above all urgent, those above all
    routine ones (by a factor of the number of requests, so that the sums stay exact enough)."""
    far = max((max(line) for line in instance.distance_m), default=0)
    day = max(
        (p.cost_fixed + p.cost_per_hour * 48 + p.cost_per_km * 6 * far / 1000 for p in instance.couriers), default=0.0
    )
    lateness = max((wish.late_cost_per_hour * 48 + wish.change_cost for wish in requests), default=0.0)
    base = day + lateness + 1.0
    step = float(min(1_000, len(requests) + 1))
    level = {Priority.ROUTINE: 0, Priority.URGENT: 1, Priority.STAT: 2}
    return np.array([base * step ** level[wish.priority] for wish in requests], dtype=np.float64)


def _moved_cost(person: Courier, wish: Request) -> float:
    promised = wish.promised_courier_id
    return wish.change_cost if promised is not None and promised != person.id else 0.0


def _types(instance: Instance, may: Flags, extra: Floats) -> tuple[list[int], Ints]:
    """The first courier of each type, and the type of every courier."""
    known: dict[object, int] = {}
    first: list[int] = []
    slots = np.zeros(len(instance.couriers), dtype=np.int64)
    for index, person in enumerate(instance.couriers):
        key = (
            person.start_site, person.end_site, person.shift_start_s, person.shift_end_s, person.max_duration_s,
            person.cost_fixed, person.cost_per_km, person.cost_per_hour, person.breaks,
            tuple(instance.capacity[index]), may[index].tobytes(), extra[index].tobytes(),
        )  # fmt: skip
        if key not in known:
            known[key] = len(first)
            first.append(index)
        slots[index] = known[key]
    return first, slots


def _matrix(rows: list[list[int]], width: int) -> Ints:
    return np.array(rows, dtype=np.int64).reshape(len(rows), width)


def _ragged(rows: list[list[int]]) -> Floats:
    width = max((len(line) for line in rows), default=0) or 1
    table = np.full((len(rows), width), BIG, dtype=np.float64)
    for index, line in enumerate(rows):
        table[index, : len(line)] = line
    return table


def _windows(spans: list[tuple[tuple[int, int], ...]]) -> tuple[Ints, Floats, Floats]:
    width = max((len(items) for items in spans), default=0) or 1
    counts = np.array([len(items) for items in spans], dtype=np.int64)
    starts, ends = np.full((len(spans), width), BIG), np.full((len(spans), width), -BIG)
    for node, items in enumerate(spans):
        for index, (start, end) in enumerate(items):
            starts[node, index], ends[node, index] = start, end
    return counts, starts, ends


def _tighten(fields: dict[str, Any]) -> None:
    """Cut single windows of a pair to what its ride allows; others stay (the exact evaluation knows them)."""
    n = len(fields["load"])
    row, drive, visit, service = fields["row"], fields["drive"], fields["visit"], fields["service"]
    fastest = max(1.0, float(fields["band_factor"].max(initial=1.0)))
    starts, ends, counts = fields["window_start"], fields["window_end"], fields["window_count"]
    for i in range(n):
        if fields["aboard"][i] or counts[i] != 1 or counts[n + i] != 1:
            continue
        a, b = row[i], row[n + i]
        least = service[i] + drive[a, b] / fastest + (visit[b] if a != b else 0.0)
        most = service[i] + fields["ride"][i]
        starts[n + i, 0] = max(starts[n + i, 0], starts[i, 0] + least)
        ends[n + i, 0] = min(ends[n + i, 0], ends[i, 0] + most)
        starts[i, 0] = max(starts[i, 0], starts[n + i, 0] - most)
        ends[i, 0] = min(ends[i, 0], ends[n + i, 0] - least)


def _near(fields: dict[str, Any]) -> Ints:
    """Others in order of how well they go together: places of both ends, crosswise too, and times."""
    n = len(fields["load"])
    if n == 0:
        return np.zeros((0, 0), dtype=np.int64)
    pick, drop, drive = fields["row"][:n], fields["row"][n:], fields["drive"]
    gap = drive[np.ix_(pick, pick)] + drive[np.ix_(drop, drop)]
    cross = np.minimum(drive[np.ix_(pick, drop)], drive[np.ix_(drop, pick)])
    apart = np.minimum(gap, 2 * cross + 0.25 * gap)
    middle = _middle(fields, np.arange(n)) + _middle(fields, np.arange(n, 2 * n))
    apart = apart + 0.25 * np.abs(middle[:, None] - middle[None, :])
    np.fill_diagonal(apart, np.inf)
    width = min(n - 1, NEAR)
    return np.argsort(apart, axis=1, kind="stable")[:, :width].astype(np.int64).reshape(n, width)


def _middle(fields: dict[str, Any], nodes: NDArray[np.int64]) -> Floats:
    count = np.maximum(fields["window_count"][nodes], 1)
    first, last = fields["window_start"][nodes, 0], fields["window_end"][nodes, count - 1]
    return np.asarray((np.clip(first, -BIG, 2e5) + np.clip(last, -2e5, 2e5)) / 2, dtype=np.float64)
