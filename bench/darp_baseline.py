"""Dial-a-ride instances by OR-Tools' own routing search: what :mod:`bench.darp` is compared with."""

from __future__ import annotations

from ortools.constraint_solver import pywrapcp, routing_enums_pb2

from routing.darp import DarpInstance, Tours


def baseline(instance: DarpInstance, seconds: float) -> Tours | None:
    """The same instance by OR-Tools' routing search: cheapest insertion, then guided local search."""
    unit, n, vehicles = 10_000, instance.requests, instance.vehicles
    manager = pywrapcp.RoutingIndexManager(2 * n + 1, vehicles, 0)
    routing = pywrapcp.RoutingModel(manager)
    size = range(2 * n + 1)
    way = [[round(instance.way(a, b) * unit) for b in size] for a in size]
    gap = [[way[a][b] + round(instance.nodes[a][3] * unit) for b in size] for a in size]
    routing.SetArcCostEvaluatorOfAllVehicles(routing.RegisterTransitMatrix(way))
    latest = int(max(instance.nodes[:, 6].max(), instance.nodes[0][6]) * unit)
    routing.AddDimension(routing.RegisterTransitMatrix(gap), latest, latest, False, "time")
    loads = routing.RegisterUnaryTransitVector([int(node[4]) for node in instance.nodes])
    routing.AddDimension(loads, 0, int(instance.capacity), True, "load")
    time = routing.GetDimensionOrDie("time")
    for vehicle in range(vehicles):
        time.SetSpanUpperBoundForVehicle(int(instance.longest * unit), vehicle)
    for node in range(1, 2 * n + 1):
        low, high = int(instance.nodes[node][5] * unit), int(instance.nodes[node][6] * unit)
        time.CumulVar(manager.NodeToIndex(node)).SetRange(low, high)
    for i in range(1, n + 1):
        pickup, delivery = manager.NodeToIndex(i), manager.NodeToIndex(n + i)
        routing.AddPickupAndDelivery(pickup, delivery)
        routing.solver().Add(routing.VehicleVar(pickup) == routing.VehicleVar(delivery))
        routing.solver().Add(time.CumulVar(pickup) <= time.CumulVar(delivery))
        most = int((instance.ride + instance.nodes[i][3]) * unit)
        routing.solver().Add(time.CumulVar(delivery) - time.CumulVar(pickup) <= most)
    search = pywrapcp.DefaultRoutingSearchParameters()
    search.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PARALLEL_CHEAPEST_INSERTION
    search.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    search.time_limit.FromMilliseconds(int(seconds * 1000))
    answer = routing.SolveWithParameters(search)
    if answer is None:
        return None
    tours: list[list[int]] = []
    for vehicle in range(vehicles):
        index, tour = answer.Value(routing.NextVar(routing.Start(vehicle))), []
        while not routing.IsEnd(index):
            tour.append(manager.IndexToNode(index))
            index = answer.Value(routing.NextVar(index))
        if tour:
            tours.append(tour)
    return tours
