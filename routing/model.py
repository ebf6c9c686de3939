"""The OR-Tools routing model: orders of visits for each courier. The only file that imports OR-Tools routing.

What a trial taught: every request optional with a large penalty (mandatory nodes fail), the ride limit by
``SetPickupToDeliveryLimitFunctionForPair`` (a constraint between cumuls left requests unserved), matrices and
vectors instead of Python callbacks, a time axis that reaches past the end of every window.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ortools.constraint_solver import pywrapcp, routing_enums_pb2

from routing.instance import FOREVER, Instance, Visit
from routing.plan import PlanProgress
from routing.problem import HORIZON_S, Priority

UNITS_PER_COST = 360_000
"""Search costs are whole numbers: hundredths of the currency times 3 600, so that one second of a whole hourly
rate and one metre of a whole kilometre rate are whole too."""

_POLL_EVERY = 64


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """When the search ends: ``seconds`` of wall time, and for tests after ``solutions`` improvements."""

    seconds: float
    solutions: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Visits per courier, best of the search; ``stopped`` when the caller asked to stop."""

    visits: tuple[tuple[Visit, ...], ...]
    stopped: bool
    solutions: int


class _Nodes:
    """Node numbers: pickups, deliveries, then starts and ends of the couriers."""

    def __init__(self, instance: Instance, requests: Sequence[int]) -> None:
        self.requests = tuple(requests)
        count, people = len(self.requests), len(instance.couriers)
        self.visits: list[Visit] = [*self.requests, *(~request for request in self.requests)]
        self.starts = [2 * count + courier for courier in range(people)]
        self.ends = [2 * count + people + courier for courier in range(people)]
        self.size = 2 * count + 2 * people
        self.rows = [
            *(instance.row_of(visit) for visit in self.visits),
            *instance.start_row,
            *instance.end_row,
        ]


def search(
    instance: Instance,
    requests: Sequence[int],
    allowed: Sequence[Sequence[int]],
    limits: SearchLimits,
    progress: Callable[[PlanProgress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Found:
    """Routes for ``requests`` (indices), each only with its ``allowed`` couriers; some may be left out."""
    if not requests or not instance.couriers:
        return Found(tuple(() for _ in instance.couriers), False, 0)
    model = _Model(instance, requests, allowed)
    return model.run(limits, progress, should_stop)


def penalties(instance: Instance) -> dict[Priority, int]:
    """What leaving one request out costs: more than any courier's whole day, and each priority more than all
    requests of the one below it together (capped, so that sums stay within 64 bits)."""
    far = max((max(row) for row in instance.distance_m), default=0)
    day = max(
        person.cost_fixed + person.cost_per_hour * HORIZON_S / 3600 + person.cost_per_km * 4 * far / 1000
        for person in instance.couriers
    )
    base = max(1, round((day + 1) * UNITS_PER_COST))
    step = min(1_000, len(instance.requests) + 1)
    top = 2**61 // (2 * len(instance.requests) + 1)
    return {
        priority: min(top, base * step**level)
        for level, priority in enumerate((Priority.ROUTINE, Priority.URGENT, Priority.STAT))
    }


class _Model:
    """One OR-Tools model, built once, searched once."""

    def __init__(self, instance: Instance, requests: Sequence[int], allowed: Sequence[Sequence[int]]) -> None:
        self.instance = instance
        self.nodes = _Nodes(instance, requests)
        people = len(instance.couriers)
        self.manager = pywrapcp.RoutingIndexManager(self.nodes.size, people, self.nodes.starts, self.nodes.ends)
        self.routing = pywrapcp.RoutingModel(self.manager)
        self.penalty = penalties(instance)
        self._keep: list[Any] = []
        self._costs()
        self._capacities()
        self._time()
        self._requests(allowed)

    def _index(self, node: int) -> int:
        return int(self.manager.NodeToIndex(node))

    def _costs(self) -> None:
        rows, distance = self.nodes.rows, self.instance.distance_m
        arc_of_rate: dict[float, int] = {}
        for courier, person in enumerate(self.instance.couriers):
            arc = arc_of_rate.get(person.cost_per_km)
            if arc is None:
                per_m = person.cost_per_km * UNITS_PER_COST / 1000
                matrix = [[round(distance[a][b] * per_m) for b in rows] for a in rows]
                arc = arc_of_rate[person.cost_per_km] = self.routing.RegisterTransitMatrix(matrix)
            self.routing.SetArcCostEvaluatorOfVehicle(arc, courier)
            self.routing.SetFixedCostOfVehicle(round(person.cost_fixed * UNITS_PER_COST), courier)

    def _capacities(self) -> None:
        nodes, instance = self.nodes, self.instance
        spare = nodes.size - len(nodes.visits)
        for kind, name in enumerate(instance.classes):
            signed = [
                instance.load[visit][kind] if visit >= 0 else -instance.load[~visit][kind] for visit in nodes.visits
            ]
            vector = self.routing.RegisterUnaryTransitVector(signed + [0] * spare)
            room = [capacity[kind] for capacity in instance.capacity]
            self.routing.AddDimensionWithVehicleCapacity(vector, 0, room, True, f"slots_{name}")

    def _time(self) -> None:
        nodes, instance, routing = self.nodes, self.instance, self.routing
        service = [instance.service_s(visit) for visit in nodes.visits]
        service += [0] * (nodes.size - len(service))
        first_end = nodes.size - len(instance.couriers)
        matrix = [
            [
                service[a] + (instance.travel_s if b >= first_end else instance.hop_s)[nodes.rows[a]][nodes.rows[b]]
                for b in range(nodes.size)
            ]
            for a in range(nodes.size)
        ]
        transit = routing.RegisterTransitMatrix(matrix)
        routing.AddDimension(transit, FOREVER[1], FOREVER[1], False, "time")
        self.time = routing.GetDimensionOrDie("time")
        for courier, person in enumerate(instance.couriers):
            for index in (routing.Start(courier), routing.End(courier)):
                self.time.CumulVar(index).SetRange(person.shift_start_s, person.shift_end_s)
            if person.max_duration_s is not None:
                self.time.SetSpanUpperBoundForVehicle(person.max_duration_s, courier)
            rate = round(person.cost_per_hour * UNITS_PER_COST / 3600)
            if rate:
                self.time.SetSpanCostCoefficientForVehicle(rate, courier)
            routing.AddVariableMinimizedByFinalizer(self.time.CumulVar(routing.End(courier)))
            routing.AddVariableMaximizedByFinalizer(self.time.CumulVar(routing.Start(courier)))

    def _requests(self, allowed: Sequence[Sequence[int]]) -> None:
        routing, instance, count = self.routing, self.instance, len(self.nodes.requests)
        solver = routing.solver()
        limited = False
        for pair, request in enumerate(self.nodes.requests):
            wish = instance.requests[request]
            pickup, delivery = self._index(pair), self._index(count + pair)
            routing.AddPickupAndDelivery(pickup, delivery)
            solver.Add(routing.VehicleVar(pickup) == routing.VehicleVar(delivery))
            for index, visit in ((pickup, request), (delivery, ~request)):
                routing.AddDisjunction([index], self.penalty[wish.priority])
                self._open(index, instance.spans_of(visit))
                if len(allowed[request]) < len(instance.couriers):
                    routing.VehicleVar(index).SetValues([-1, *allowed[request]])  # -1 = left out
            limited = limited or wish.max_ride_s is not None
        if limited:
            self._rides()

    def _rides(self) -> None:
        """The limit is on the difference of starts, so the pickup's own service is added to it."""
        for pair, request in enumerate(self.nodes.requests):
            wish = self.instance.requests[request]
            if wish.max_ride_s is None:
                continue
            limit = wish.max_ride_s + wish.pickup_service_s

            def of_pair(_pickup: int, _delivery: int, limit: int = limit) -> int:
                return limit

            self._keep.append(of_pair)
            self.time.SetPickupToDeliveryLimitFunctionForPair(of_pair, pair)

    def _open(self, index: int, spans: Sequence[tuple[int, int]]) -> None:
        cumul = self.time.CumulVar(index)
        cumul.SetRange(spans[0][0], spans[-1][1])
        for (_, closed), (opens, _) in pairwise(spans):
            if closed + 1 <= opens - 1:
                cumul.RemoveInterval(closed + 1, opens - 1)

    def run(
        self,
        limits: SearchLimits,
        progress: Callable[[PlanProgress], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> Found:
        """Search; the watch keeps the best routes itself, so that a stop at any moment loses nothing."""
        watch = _Watch(self, progress, should_stop)
        self.routing.AddAtSolutionCallback(watch.at_solution)
        if should_stop is not None or progress is not None:
            self.routing.AddSearchMonitor(self.routing.solver().CustomLimit(watch.asked_to_stop))
        self.routing.SolveWithParameters(_parameters(limits))
        if watch.failure is not None:
            raise watch.failure
        empty: tuple[tuple[Visit, ...], ...] = tuple(() for _ in self.instance.couriers)
        return Found(watch.best or empty, watch.stopped, watch.solutions)

    def read(self) -> tuple[tuple[Visit, ...], ...]:
        """The routes of the solution that the solver has just found."""
        routing = self.routing
        routes = []
        for courier in range(len(self.instance.couriers)):
            visits: list[Visit] = []
            index = routing.NextVar(routing.Start(courier)).Value()
            while not routing.IsEnd(index):
                visits.append(self.nodes.visits[self.manager.IndexToNode(index)])
                index = routing.NextVar(index).Value()
            routes.append(tuple(visits))
        return tuple(routes)

    def left_out(self, routes: Sequence[Sequence[Visit]]) -> tuple[int, int]:
        """How many requests these routes leave out, and the penalties for them."""
        served = {visit for visits in routes for visit in visits if visit >= 0}
        out = [request for request in self.nodes.requests if request not in served]
        cost = sum(2 * self.penalty[self.instance.requests[request].priority] for request in out)
        return len(out), cost


class _Watch:
    """Keeps the best solution, tells about it, and asks whether to stop."""

    def __init__(
        self,
        model: _Model,
        progress: Callable[[PlanProgress], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self._model = model
        self._progress = progress
        self._should_stop = should_stop
        self._began = time.monotonic()
        self._objective: int | None = None
        self._polls = 0
        self.best: tuple[tuple[Visit, ...], ...] | None = None
        self.stopped = False
        self.solutions = 0
        self.failure: BaseException | None = None

    def at_solution(self) -> None:
        """Called by the solver. What the caller's own functions raise waits until the solver has ended:
        an exception that crosses it would end the process."""
        if self.failure is None:
            try:
                self._take()
            except BaseException as failure:
                self.failure = failure

    def _take(self) -> None:
        objective = int(self._model.routing.CostVar().Max())
        self.solutions += 1
        if self._objective is not None and objective >= self._objective:
            return
        self._objective = objective
        self.best = self._model.read()
        if self._progress is not None:
            count, penalty = self._model.left_out(self.best)
            cost = (objective - penalty) / UNITS_PER_COST
            elapsed_s = time.monotonic() - self._began
            self._progress(PlanProgress(elapsed_s, cost, count, self.solutions))
        self._ask()

    def asked_to_stop(self) -> bool:
        """Called by the solver very often, so the caller is asked now and then only."""
        self._polls += 1
        if self.failure is None and self._polls % _POLL_EVERY == 1:
            try:
                self._ask()
            except BaseException as failure:
                self.failure = failure
        return self.stopped or self.failure is not None

    def _ask(self) -> None:
        if self._should_stop is not None and not self.stopped:
            self.stopped = self._should_stop()


def _parameters(limits: SearchLimits) -> Any:
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    parameters.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PARALLEL_CHEAPEST_INSERTION
    parameters.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    milliseconds = max(1, round(limits.seconds * 1000))
    parameters.time_limit.seconds = milliseconds // 1000
    parameters.time_limit.nanos = milliseconds % 1000 * 1_000_000
    if limits.solutions is not None:
        parameters.solution_limit = limits.solutions
    return parameters
