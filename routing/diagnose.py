"""Why a courier cannot take a request, and the single change that would be enough. Exact, by trying it.

A request is put at a place in a courier's route with its own limits (pickup window's end, due time, receiving
hours, ride) and the courier's (end of shift, duration) lifted. The earliest schedule then tells which limits
it would break and by how much; a remedy is only offered after the schedule with that one limit changed was
found to hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from routing.insertion import drive_s, loads_hold, orders
from routing.instance import FOREVER, Instance, Spans, Visit
from routing.plan import Binding, Params, Remedy
from routing.schedule import Line, Times, earliest, latest, line_of


@dataclass(frozen=True, slots=True)
class Finding:
    """The best place found for one request with one courier.

    When it fits, ``visits`` is the new order, ``extra_s`` the added driving and ``binding`` None. Otherwise
    ``shortfall_s`` tells by how much the limits are missed, for order.
    """

    visits: tuple[Visit, ...] | None
    extra_s: int
    binding: Binding | None
    remedies: tuple[Remedy, ...] = ()
    shortfall_s: int = 0


def examine(instance: Instance, courier: int, visits: Sequence[Visit], request: int) -> Finding:
    """Best insertion of ``request`` into the route, or the limit that binds there and what would lift it."""
    barred = _barred(instance, courier, visits, request)
    if barred is not None:
        return barred
    best: Finding | None = None
    crowded = False
    base_s = drive_s(instance, courier, visits)
    for order in orders(instance, courier, visits, request):
        if not loads_hold(instance, instance.capacity[courier], order):
            crowded = True
            continue
        found = _at(instance, courier, order, request, fits_only=best is not None and best.binding is None)
        if found is None:
            continue
        if found.visits is not None:
            found = replace(found, extra_s=drive_s(instance, courier, order) - base_s)
        if best is None or _rank(found) < _rank(best):
            best = found
    if best is not None:
        return best
    person = instance.couriers[courier].id
    code = "aboard_full" if crowded else "other_promises"
    return Finding(None, 0, Binding(person, code, {"stops": len(visits)}), shortfall_s=FOREVER[1])


def _rank(found: Finding) -> tuple[bool, bool, int, int]:
    return (found.binding is not None, not found.remedies, found.shortfall_s, found.extra_s)


def _barred(instance: Instance, courier: int, visits: Sequence[Visit], request: int) -> Finding | None:
    """Skills and box size: no place in the route can help. A remedy is only named if it is enough alone."""
    person, wish = instance.couriers[courier], instance.requests[request]
    missing = sorted(wish.skills - person.skills)
    needed, there = instance.load[request], instance.capacity[courier]
    short = [index for index, slots in enumerate(needed) if slots > there[index]]
    if not missing and not short:
        return None
    roomier = list(there)
    for index in short:
        roomier[index] = needed[index]
    single = len(short) + bool(missing) == 1
    enough = single and _fits_anywhere(instance, courier, roomier, visits, request)
    if missing:
        params: Params = {"skills": missing}
        binding = Binding(person.id, "no_skill", params)
        remedy = Remedy("grant_skill", {"courier_id": person.id, "skills": missing})
    else:
        kind = {"temperature_class": instance.classes[short[0]]}
        slots = {"needed_slots": needed[short[0]], "available_slots": there[short[0]]}
        binding = Binding(person.id, "capacity_exceeded", {**kind, **slots})
        more = {"courier_id": person.id, **kind, "slots": needed[short[0]] - there[short[0]]}
        remedy = Remedy("add_capacity", more)
    return Finding(None, 0, binding, (remedy,) if enough else (), FOREVER[1])


def _fits_anywhere(
    instance: Instance, courier: int, capacity: Sequence[int], visits: Sequence[Visit], request: int
) -> bool:
    return any(
        loads_hold(instance, capacity, order) and earliest(line_of(instance, courier, order)) is not None
        for order in orders(instance, courier, visits, request)
    )


@dataclass(frozen=True, slots=True)
class _Limits:
    """One place in a route, with the nodes whose limits may be lifted."""

    line: Line
    pickup: int
    delivery: int
    pickup_open: Spans
    delivery_open: Spans

    def lifted(
        self,
        *,
        pickup: bool = False,
        delivery: bool = False,
        shift_end: bool = False,
        ride: bool = False,
        duration: bool = False,
        shift_start: bool = False,
    ) -> Line:
        spans = list(self.line.spans)
        last = len(spans) - 1
        if pickup:
            spans[self.pickup] = self.pickup_open
        if delivery:
            spans[self.delivery] = self.delivery_open
        if shift_end:
            spans[0] = ((spans[0][0][0], FOREVER[1]),)
            spans[last] = ((spans[last][0][0], FOREVER[1]),)
        if shift_start:
            spans[0] = ((0, spans[0][0][1]),)
            spans[last] = ((0, spans[last][0][1]),)
        rides = tuple(
            limit
            for limit in self.line.rides
            if not (ride and limit[:2] == (self.pickup, self.delivery)) and not (duration and limit[:2] == (0, last))
        )
        return replace(self.line, spans=tuple(spans), rides=rides)


def _open_ended(spans: Spans) -> Spans:
    return (*spans[:-1], (spans[-1][0], FOREVER[1])) if spans else ((0, FOREVER[1]),)


def _limits(instance: Instance, courier: int, order: Sequence[Visit], request: int) -> _Limits:
    wish = instance.requests[request]
    pickup_spans = instance.pickup_spans[request] or ((wish.ready_s, wish.ready_s),)
    hours: Spans = tuple((window.start_s, window.end_s) for window in instance.receiving[request])
    return _Limits(
        line_of(instance, courier, order),
        order.index(request) + 1,
        order.index(~request) + 1,
        _open_ended(pickup_spans),
        _open_ended(hours),
    )


def _at(instance: Instance, courier: int, order: tuple[Visit, ...], request: int, *, fits_only: bool) -> Finding | None:
    """What this order gives; None when even lifting every limit of the request and courier does not help."""
    limits = _limits(instance, courier, order, request)
    times = earliest(limits.line)
    if times is not None:
        return Finding(order, 0, None)
    if fits_only:
        return None
    free = earliest(limits.lifted(pickup=True, delivery=True, shift_end=True, ride=True, duration=True))
    if free is None:
        return None
    return _broken(instance, courier, request, limits, free)


def _broken(instance: Instance, courier: int, request: int, limits: _Limits, free: Times) -> Finding:
    person, wish = instance.couriers[courier], instance.requests[request]
    arrive, hand_over, back = free[limits.pickup], free[limits.delivery], free[-1]
    hours = instance.receiving[request]
    closes = hours[-1].end_s if hours else FOREVER[1]
    spans = instance.pickup_spans[request]
    closing = _closing(instance, request)
    over = {
        "pickup": arrive - closing if spans else FOREVER[1],
        "delivery": hand_over - min(wish.due_s, closes),
        "shift_end": back - person.shift_end_s,
    }
    broken = [name for name, seconds in over.items() if seconds > 0]
    if not broken:
        return _between(instance, courier, request, limits)
    codes: dict[str, tuple[str, Params]] = {
        "pickup": (
            "pickup_window_too_early",
            {"earliest_arrival_s": arrive, "latest_pickup_s": closing, "site_id": wish.pickup_site},
        ),
        "delivery": (
            ("due_before_arrival", {"earliest_delivery_s": hand_over, "due_s": wish.due_s})
            if hand_over > wish.due_s
            else (
                "laboratory_closed",
                {"earliest_delivery_s": hand_over, "closes_s": closes, "site_id": wish.delivery_site},
            )
        ),
        "shift_end": ("shift_too_short", {"earliest_end_s": back, "shift_end_s": person.shift_end_s}),
    }
    code, params = codes[broken[0]]
    if person.shift_end_s < wish.ready_s or person.shift_start_s > wish.due_s:
        code, params = "off_duty", {"shift_start_s": person.shift_start_s, "shift_end_s": person.shift_end_s}
    if not spans:
        code, params = "pickup_window_empty", {"ready_s": wish.ready_s, "latest_pickup_s": wish.latest_pickup_s}
    remedies = _remedies(instance, courier, request, limits, broken)
    shortfall = sum(max(0, seconds) for seconds in over.values())
    return Finding(None, 0, Binding(person.id, code, params), remedies, shortfall)


def _closing(instance: Instance, request: int) -> int:
    """The last moment at which a pickup may start, windows and latest pickup together."""
    spans, wish = instance.pickup_spans[request], instance.requests[request]
    if spans:
        return spans[-1][1]
    return min([wish.latest_pickup_s, *(window.end_s for window in wish.pickup_windows)])


def _remedies(instance: Instance, courier: int, request: int, limits: _Limits, broken: list[str]) -> tuple[Remedy, ...]:
    """Single changes that make this order hold: lifting the only broken limit, or beginning the shift earlier."""
    person, wish = instance.couriers[courier], instance.requests[request]
    found: list[Remedy] = []
    if broken == ["pickup"]:
        times = earliest(limits.lifted(pickup=True))
        if times is not None:
            until = times[limits.pickup]
            params = {"site_id": wish.pickup_site, "until_s": until, "courier_id": person.id}
            found.append(Remedy("extend_pickup_window", params, max(0, until - _closing(instance, request))))
    elif broken == ["delivery"]:
        times = earliest(limits.lifted(delivery=True))
        if times is not None:
            found.append(_later_delivery(instance, request, person.id, times[limits.delivery]))
    elif broken == ["shift_end"]:
        times = earliest(limits.lifted(shift_end=True))
        if times is not None:
            params = {"courier_id": person.id, "shift_end_s": times[-1]}
            found.append(Remedy("extend_shift_end", params, times[-1] - person.shift_end_s))
    times = latest(limits.lifted(shift_start=True))
    if times is not None and times[0] < person.shift_start_s:
        params = {"courier_id": person.id, "shift_start_s": times[0]}
        found.append(Remedy("advance_shift_start", params, person.shift_start_s - times[0]))
    return tuple(found)


def _later_delivery(instance: Instance, request: int, courier_id: str, until: int) -> Remedy:
    wish, hours = instance.requests[request], instance.receiving[request]
    params = {"site_id": wish.delivery_site, "until_s": until, "courier_id": courier_id}
    if hours and until > hours[-1].end_s:
        late = max(until - hours[-1].end_s, until - wish.due_s)
        return Remedy("extend_receiving", {**params, "due_too": until > wish.due_s}, late)
    return Remedy("extend_due", params, until - wish.due_s)


def _between(instance: Instance, courier: int, request: int, limits: _Limits) -> Finding:
    """Every moment is within its limit taken alone: the ride or the duration binds, or several together."""
    person, wish = instance.couriers[courier], instance.requests[request]
    line = limits.lifted(ride=True)
    ride_s = _least_between(line, limits.pickup, limits.delivery)
    if wish.max_ride_s is not None and ride_s is not None:
        ride_s -= wish.pickup_service_s
        params = {"ride_s": ride_s, "max_ride_s": wish.max_ride_s}
        remedy = Remedy("extend_ride", {"max_ride_s": ride_s, "courier_id": person.id}, ride_s - wish.max_ride_s)
        binding = Binding(person.id, "ride_too_long", params)
        return Finding(None, 0, binding, (remedy,), ride_s - wish.max_ride_s)
    duration_s = _least_between(limits.lifted(duration=True), 0, len(limits.line.spans) - 1)
    if person.max_duration_s is not None and duration_s is not None:
        params = {"duration_s": duration_s, "max_duration_s": person.max_duration_s}
        change = {"courier_id": person.id, "max_duration_s": duration_s}
        over = duration_s - person.max_duration_s
        binding = Binding(person.id, "duration_too_long", params)
        return Finding(None, 0, binding, (Remedy("extend_duration", change, over),), over)
    limit = wish.max_ride_s if wish.max_ride_s is not None else FOREVER[1]
    binding = Binding(person.id, "limits_together", {"max_ride_s": limit, "due_s": wish.due_s})
    return Finding(None, 0, binding, (), FOREVER[1] // 2)


def _least_between(line: Line, first: int, second: int) -> int | None:
    """The least time from node ``first`` to ``second``: the latest first for the earliest second.

    That is exact where both have one window each, so every pair of their windows is tried.
    """
    found = [
        span
        for opens in line.spans[first]
        for closes in line.spans[second]
        if (span := _span(line, {first: (opens,), second: (closes,)}, first, second)) is not None
    ]
    return min(found, default=None)


def _span(line: Line, hold: dict[int, Spans], first: int, second: int) -> int | None:
    narrowed = replace(line, spans=tuple(hold.get(node, spans) for node, spans in enumerate(line.spans)))
    early = earliest(narrowed)
    if early is None:
        return None
    hold = {**hold, second: ((early[second], early[second]),)}
    late = latest(replace(line, spans=tuple(hold.get(node, spans) for node, spans in enumerate(line.spans))))
    return None if late is None else early[second] - late[first]
