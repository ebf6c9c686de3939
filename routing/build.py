"""From an order of visits to a route as people read it: stops with times, loads, legs and cost."""

from __future__ import annotations

from collections.abc import Sequence

from routing.instance import Instance, Visit
from routing.plan import Kind, Route, Service, Stop
from routing.schedule import line_of, plan_times


def build_route(instance: Instance, courier: int, visits: Sequence[Visit]) -> Route:
    """The route with its late-pickup schedule. Raises ValueError when the order cannot be kept."""
    person = instance.couriers[courier]
    times = plan_times(line_of(instance, courier, visits))
    if times is None:
        raise ValueError(f"courier {person.id}: this order cannot be kept")
    aboard = dict.fromkeys(instance.classes, 0)
    stops: list[Stop] = []
    here, left_s, row = times[0], times[0], instance.start_row[courier]
    for group in _grouped(instance, visits, times):
        there = instance.row_of(group[0][0])
        here = left_s + instance.travel_s[row][there]
        services = tuple(_service(instance, visit, start_s) for visit, start_s in group)
        for visit, _ in group:
            _shift_load(instance, aboard, visit)
        stop = Stop(
            site_id=instance.matrix.site_ids[there],
            arrive_s=here,
            start_s=services[0].start_s,
            depart_s=services[-1].end_s,
            services=services,
            load_after=dict(aboard),
            travel_s=instance.travel_s[row][there],
            distance_m=instance.distance_m[row][there],
        )
        stops.append(stop)
        left_s, row = stop.depart_s, there
    back = instance.end_row[courier]
    back_s, back_m = instance.travel_s[row][back], instance.distance_m[row][back]
    distance_m = sum(stop.distance_m for stop in stops) + back_m
    duration_s = times[-1] - times[0]
    cost = person.cost_fixed + person.cost_per_km * distance_m / 1000 + person.cost_per_hour * duration_s / 3600
    return Route(
        courier_id=person.id,
        start_site=person.start_site,
        end_site=person.end_site,
        start_s=times[0],
        end_s=times[-1],
        stops=tuple(stops),
        return_travel_s=back_s,
        return_distance_m=back_m,
        distance_m=distance_m,
        drive_s=sum(stop.travel_s for stop in stops) + back_s,
        cost=round(cost, 2),
    )


def _grouped(instance: Instance, visits: Sequence[Visit], times: Sequence[int]) -> list[list[tuple[Visit, int]]]:
    """Visits that follow each other at one site make one stop."""
    groups: list[list[tuple[Visit, int]]] = []
    before = -1
    for visit, start_s in zip(visits, times[1:-1], strict=True):
        row = instance.row_of(visit)
        if row != before:
            groups.append([])
        groups[-1].append((visit, start_s))
        before = row
    return groups


def _service(instance: Instance, visit: Visit, start_s: int) -> Service:
    kind = Kind.PICKUP if visit >= 0 else Kind.DELIVERY
    request = instance.requests[visit if visit >= 0 else ~visit]
    return Service(request.id, kind, start_s, start_s + instance.service_s(visit))


def _shift_load(instance: Instance, aboard: dict[str, int], visit: Visit) -> None:
    load = instance.load[visit if visit >= 0 else ~visit]
    for name, slots in zip(instance.classes, load, strict=True):
        aboard[name] += slots if visit >= 0 else -slots
