"""Dial-a-ride instances in the format of Cordeau (2006) for the search: the nearest public relative of our problem.

Header ``K n T Q L`` (vehicles, requests, longest route, capacity, longest ride), then one line a node:
``id x y service load earliest latest``; 0 is the depot, i the pickup and n + i the delivery of request i, a further
depot line at the end is optional. Travel time and cost are the unrounded Euclidean distance. Ride time of i:
start(delivery) - start(pickup) - service(pickup).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from routing.search.arrays import BIG, Arrays, make

Tours = Sequence[Sequence[int]]
"""Nodes of each vehicle in order, numbered as in the file, without the depot."""

_SLACK = 1e-6


class DarpError(ValueError):
    """The file is not such an instance; the message names the line."""


@dataclass(frozen=True, slots=True)
class DarpInstance:
    """``nodes``: one row a node of id, x, y, service, load, earliest, latest (depot first)."""

    nodes: NDArray[np.float64]
    vehicles: int
    longest: float
    capacity: float
    ride: float
    arrays: Arrays

    @property
    def requests(self) -> int:
        """How many passengers."""
        return (len(self.nodes) - 1) // 2

    def way(self, start: int, end: int) -> float:
        """Distance, which is time as well."""
        a, b = self.nodes[start], self.nodes[end]
        return math.hypot(a[1] - b[1], a[2] - b[2])


def read(path: Path) -> DarpInstance:
    """The instance in ``path``. Raises :class:`DarpError` naming the line that cannot be read."""
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [(number, fields) for number, fields in enumerate(lines, start=1) if fields]
    if not rows or len(rows[0][1]) < 5:
        raise DarpError(f"{path.name}: line 1 must read: vehicles requests longest-route capacity longest-ride")
    vehicles, count, longest, capacity, ride = _numbers(path, *rows[0])[:5]
    nodes = [_numbers(path, number, fields) for number, fields in rows[1:]]
    short = [number for number, fields in rows[1:] if len(fields) < 7]
    if short:
        raise DarpError(f"{path.name}: line {short[0]}: a node has 7 numbers")
    requests = int(count) if len(nodes) >= 2 * count + 1 else int(count) // 2
    if requests < 1 or len(nodes) < 2 * requests + 1 or len(nodes) > 2 * requests + 2:
        raise DarpError(f"{path.name}: {len(nodes)} nodes do not go with {int(count)} requests or nodes")
    table = np.array([node[:7] for node in nodes[: 2 * requests + 1]])
    arrays = _arrays(table, int(vehicles), longest, capacity, ride)
    return DarpInstance(table, int(vehicles), longest, capacity, ride, arrays)


def _numbers(path: Path, number: int, fields: list[str]) -> list[float]:
    try:
        return [float(field) for field in fields]
    except ValueError:
        raise DarpError(f"{path.name}: line {number} is not a row of numbers") from None


def _arrays(node: np.ndarray, vehicles: int, longest: float, capacity: float, ride: float) -> Arrays:
    n = (len(node) - 1) // 2
    away = np.sqrt(((node[:, None, 1:3] - node[None, :, 1:3]) ** 2).sum(axis=2))
    one = np.ones(1)
    return make(
        row=np.arange(1, 2 * n + 1, dtype=np.int64), drive=away, visit=np.zeros(len(node)), distance=away,
        window_count=np.ones(2 * n, dtype=np.int64), window_start=node[1:, 5:6].copy(),
        window_end=node[1:, 6:7].copy(), service=node[1:, 3].copy(),
        load=node[1 : n + 1, 4:5].astype(np.int64), ride=np.full(n, ride), aboard=np.zeros(n, dtype=np.bool_),
        kind=np.zeros(n, dtype=np.int64), conflict=np.zeros((1, 1), dtype=np.bool_),
        soft_due=np.full(n, BIG), late_rate=np.zeros(n), promised=np.full(n, BIG), tolerance=np.zeros(n),
        change_cost=np.zeros(n), penalty=np.full(n, 10.0 * float(away.max()) * 4),
        capacity=np.full((1, 1), int(capacity), dtype=np.int64), shift_start=one * node[0, 5],
        shift_end=one * node[0, 6], max_duration=one * longest, cost_fixed=0 * one, cost_distance=one,
        cost_time=0 * one, start_row=np.zeros(1, dtype=np.int64), end_row=np.zeros(1, dtype=np.int64),
        allowed=np.ones((1, n), dtype=np.bool_), pair_cost=np.zeros((1, n)),
        break_count=np.zeros(1, dtype=np.int64), break_start=np.zeros((1, 1)), break_end=np.zeros((1, 1)),
        break_length=np.zeros((1, 1)), band_start=np.zeros(0), band_factor=np.zeros(0),
        slot_type=np.zeros(vehicles, dtype=np.int64),
    )  # fmt: skip


def cost_of(instance: DarpInstance, tours: Tours) -> float:
    """Distance of all tours from the depot and back."""
    return sum(instance.way(a, b) for tour in tours if tour for a, b in pairwise([0, *tour, 0]))


def faults(instance: DarpInstance, tours: Tours) -> list[str]:
    """Every rule that the tours break, found by a plain simulation that shares nothing with the search."""
    n, seen, wrong = instance.requests, [0] * (2 * instance.requests + 1), []
    if len(tours) > instance.vehicles:
        wrong.append(f"{len(tours)} tours for {instance.vehicles} vehicles")
    for number, tour in enumerate(tours):
        aboard: set[int] = set()
        for node in tour:
            seen[node] += 1
            if node <= n:
                aboard.add(node)
            elif node - n not in aboard:
                wrong.append(f"tour {number}: {node} before {node - n}")
            else:
                aboard.remove(node - n)
            if sum(instance.nodes[i][4] for i in aboard) > instance.capacity + _SLACK:
                wrong.append(f"tour {number}: too full at {node}")
        if aboard:
            wrong.append(f"tour {number}: never delivered {sorted(aboard)}")
        if not _keeps_time(instance, tour):
            wrong.append(f"tour {number}: no schedule keeps windows, rides and duration")
    wrong += [f"node {node} served {count} times" for node, count in enumerate(seen[1:], start=1) if count > 1]
    return wrong


def _keeps_time(instance: DarpInstance, tour: Sequence[int]) -> bool:
    """Whether a schedule exists: no circle of negative length among the rules (Bellman and Ford)."""
    nodes, n = instance.nodes, instance.requests
    stops = [0, *tour, 0]
    rules: list[tuple[int, int, float]] = []  # x[b] >= x[a] + gap
    for k, (a, b) in enumerate(pairwise(stops)):
        rules.append((k, k + 1, nodes[a][3] + instance.way(a, b)))
    at = {node: k for k, node in enumerate(stops) if node}
    for node, k in at.items():
        if node > n:
            rules.append((k, at[node - n], -(instance.ride + nodes[node - n][3])))
    rules.append((len(stops) - 1, 0, -instance.longest))
    time = [float(nodes[node][5]) for node in stops]
    for _ in range(len(stops) + 1):
        moved = False
        for a, b, gap in rules:
            if time[b] < time[a] + gap - 1e-9:
                time[b] = time[a] + gap
                moved = True
        if not moved:
            return all(time[k] <= nodes[node][6] + _SLACK for k, node in enumerate(stops))
    return False
