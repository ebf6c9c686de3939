"""Why a courier cannot take a request, and the single change that would be enough. Exact, by trying it.

A request is put at a place in a courier's route with its own limits (pickup window's end, due time, receiving
hours, ride) and the courier's (end of shift, duration) lifted. The earliest schedule then tells which limits
it would break and by how much; a remedy is only offered after the schedule with that one limit changed was
found to hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from routing.company import company
from routing.driven import Change, holds, lines
from routing.finding import Finding
from routing.insertion import clash, drive_s, loads_hold, orders
from routing.instance import FOREVER, Instance, Spans, Visit, last_delivery_s
from routing.plan import Binding, Params, Remedy
from routing.problem import HORIZON_S
from routing.schedule import ENDS, Line, earliest, latest, line_of

__all__ = ["Finding", "examine"]

_LOOKED_INTO = 24
"""Orders whose limits are looked into for a courier with breaks, who has many ways to drive each; fits are always
found."""


def examine(instance: Instance, courier: int, visits: Sequence[Visit], request: int) -> Finding:
    """Best insertion of ``request`` into the route, or the limit that binds there and what would lift it."""
    barred = _barred(instance, courier, visits, request)
    if barred is not None:
        return barred
    best: Finding | None = None
    barred_orders: list[tuple[Visit, ...]] = []
    most, looked_into = _LOOKED_INTO if instance.couriers[courier].breaks else FOREVER[1], 0
    base_s = drive_s(instance, courier, visits)
    for order in orders(instance, courier, visits, request):
        if not loads_hold(instance, instance.capacity[courier], order) or clash(instance, order) is not None:
            barred_orders.append(order)
            continue
        fits_only = (best is not None and best.binding is None) or looked_into >= most
        found = _at(instance, courier, order, request, fits_only=fits_only)
        looked_into += not fits_only
        if found is None:
            continue
        if found.visits is not None:
            found = replace(found, extra_s=drive_s(instance, courier, order) - base_s)
        if best is None or _rank(found) < _rank(best):
            best = found
    if best is not None and best.binding is not None and barred_orders:
        return replace(best, remedies=(*best.remedies, *company(instance, courier, barred_orders, 0).remedies))
    if best is not None:
        return best
    return company(instance, courier, barred_orders, len(visits))


def _rank(found: Finding) -> tuple[bool, bool, int, int]:
    return (found.binding is not None, not found.remedies, found.shortfall_s, found.extra_s)


def _barred(instance: Instance, courier: int, visits: Sequence[Visit], request: int) -> Finding | None:
    """Skills and box size: no place in the route can help. A remedy is only named if it is enough alone."""
    person, wish = instance.couriers[courier], instance.requests[request]
    if instance.aboard_of[request] not in {None, courier}:
        binding = Binding(person.id, "aboard_of_another", {"aboard_of_courier_id": wish.aboard_of})
        return Finding(None, 0, binding, (), FOREVER[1])
    if wish.courier_ids and person.id not in wish.courier_ids:
        binding = Binding(person.id, "courier_not_allowed", {"courier_ids": sorted(wish.courier_ids)})
        able = wish.skills <= person.skills
        if able and _fits_anywhere(instance, courier, instance.capacity[courier], visits, request):
            return Finding(None, 0, binding, (Remedy("allow_courier", {"courier_id": person.id}),), FOREVER[1])
        return Finding(None, 0, binding, (), FOREVER[1])
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
        loads_hold(instance, capacity, order) and clash(instance, order) is None and holds(instance, courier, order)
        for order in orders(instance, courier, visits, request)
    )


@dataclass(frozen=True, slots=True)
class _Limits:
    """One order, with the visits whose limits may be lifted. ``pickup`` is the delivery for what is aboard."""

    instance: Instance
    courier: int
    order: tuple[Visit, ...]
    pickup: Visit
    delivery: Visit
    pickup_open: Spans
    delivery_open: Spans

    def lift(self, *names: str) -> Change:
        """Without the named limits: pickup, delivery, shift_end, shift_start, ride, duration."""
        return self.set(dict.fromkeys(names))

    def set(self, limits: Mapping[str, int | None]) -> Change:
        """The same; ride and duration may be given another limit instead."""

        def change(line: Line) -> Line:
            spans, last = list(line.spans), len(line.spans) - 1
            pickup, delivery = line.marks.index(self.pickup), line.marks.index(self.delivery)
            if "pickup" in limits:
                spans[pickup] = self.pickup_open
            if "delivery" in limits:
                spans[delivery] = self.delivery_open
            for node in (0, last):
                start, end = spans[node][0]
                low = 0 if "shift_start" in limits else start
                spans[node] = ((low, FOREVER[1] if "shift_end" in limits else end),)
            named = {(pickup, delivery): "ride", (0, last): "duration"}
            rides = []
            for first, second, limit in line.rides:
                name = named.get((first, second), "")
                new = limits.get(name, limit)
                if new is not None:
                    rides.append((first, second, new))
            return replace(line, spans=tuple(spans), rides=tuple(rides))

        return change

    def first(self, change: Change, mark: Visit | str) -> int | None:
        """The earliest moment of a visit (``ENDS``: of being back) with breaks taken wherever that is best."""
        moments = []
        for line in lines(self.instance, self.courier, self.order, change):
            times = earliest(line)
            if times is not None:
                moments.append(times[-1] if mark == ENDS else times[line.marks.index(mark)])
        return min(moments, default=None)

    def least(self, name: str, current_s: int) -> int | None:
        """The smallest limit for the ride or the duration with which the order holds, all others in force."""
        ends = (self.pickup, self.delivery)
        high: int | None = None
        for line in lines(self.instance, self.courier, self.order, self.lift(name)):
            times = earliest(line)
            if times is not None:
                first, second = (0, -1) if name == "duration" else map(line.marks.index, ends)
                high = min(high or FOREVER[1], times[second] - times[first])
        low = current_s + 1
        while high is not None and low < high:
            middle = (low + high) // 2
            ways = lines(self.instance, self.courier, self.order, self.set({name: middle}))
            if any(earliest(line) is not None for line in ways):
                high = middle
            else:
                low = middle + 1
        return high


def _open_ended(spans: Spans) -> Spans:
    return (*spans[:-1], (spans[-1][0], FOREVER[1])) if spans else ((0, FOREVER[1]),)


def _limits(instance: Instance, courier: int, order: Sequence[Visit], request: int) -> _Limits:
    wish = instance.requests[request]
    pickup_spans = instance.pickup_spans[request] or ((wish.ready_s, wish.ready_s),)
    hours: Spans = tuple((window.start_s, window.end_s) for window in instance.receiving[request])
    return _Limits(
        instance,
        courier,
        tuple(order),
        request if instance.aboard_of[request] is None else ~request,
        ~request,
        _open_ended(pickup_spans),
        _open_ended(hours),
    )


def _at(instance: Instance, courier: int, order: tuple[Visit, ...], request: int, *, fits_only: bool) -> Finding | None:
    """What this order gives; None when even lifting every limit of the request and courier does not help."""
    limits = _limits(instance, courier, order, request)
    if holds(instance, courier, order):
        return Finding(order, 0, None)
    if fits_only:
        return None
    plain = line_of(instance, courier, order)
    if earliest(plain) is not None:
        return _no_rest(limits, request)
    line = limits.lift("pickup", "delivery", "shift_end", "ride", "duration")(plain)
    free = earliest(line)
    if free is None:
        return None
    at = {"pickup": line.marks.index(limits.pickup), "delivery": line.marks.index(limits.delivery), "shift_end": -1}
    return _broken(instance, courier, request, limits, {name: free[node] for name, node in at.items()})


def _no_rest(limits: _Limits, request: int) -> Finding:
    """It holds without breaks: a later break, or one lifted limit, may be enough."""
    instance, courier = limits.instance, limits.courier
    person = instance.couriers[courier]
    found: list[Remedy] = []
    rest = person.breaks[0]
    for number, item in enumerate(person.breaks):
        after = person.breaks[number + 1 :]
        most = after[0].earliest_s - item.duration_s if after else HORIZON_S
        latest_s = _later_break(limits, number, most)
        if latest_s is not None:
            rest = item
            params = {"courier_id": person.id, "break_from_s": item.earliest_s, "latest_s": latest_s}
            found.append(Remedy("move_break", params, latest_s - item.latest_s))
    for broken in ("pickup", "delivery", "shift_end"):
        found += _one_limit(instance, courier, request, limits, broken)
    span = {"earliest_s": rest.earliest_s, "latest_s": rest.latest_s, "duration_s": rest.duration_s}
    shortfall_s = min((remedy.effort_s for remedy in found if remedy.effort_s is not None), default=FOREVER[1] // 2)
    return Finding(None, 0, Binding(person.id, "no_time_for_break", span), tuple(found), shortfall_s)


def _later_break(limits: _Limits, number: int, most_s: int) -> int | None:
    """The least latest start of one break with which the order holds."""
    breaks = limits.instance.couriers[limits.courier].breaks

    def enough(latest_s: int) -> bool:
        moved = (*breaks[:number], replace(breaks[number], latest_s=latest_s), *breaks[number + 1 :])
        ways = lines(limits.instance, limits.courier, limits.order, breaks=moved)
        return any(earliest(line) is not None for line in ways)

    low, high = breaks[number].latest_s + 1, most_s
    if low > high or not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high


def _broken(instance: Instance, courier: int, request: int, limits: _Limits, free: Mapping[str, int]) -> Finding:
    person, wish = instance.couriers[courier], instance.requests[request]
    arrive, hand_over, back = free["pickup"], free["delivery"], free["shift_end"]
    due_s, aboard = last_delivery_s(wish), instance.aboard_of[request] is not None
    hours = instance.receiving[request]
    closes = hours[-1].end_s if hours else FOREVER[1]
    spans = instance.pickup_spans[request]
    closing = _closing(instance, request)
    over = {
        "pickup": 0 if aboard else arrive - closing if spans else FOREVER[1],
        "delivery": hand_over - min(due_s, closes),
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
            ("due_before_arrival", {"earliest_delivery_s": hand_over, "due_s": due_s})
            if hand_over > due_s
            else (
                "laboratory_closed",
                {"earliest_delivery_s": hand_over, "closes_s": closes, "site_id": wish.delivery_site},
            )
        ),
        "shift_end": ("shift_too_short", {"earliest_end_s": back, "shift_end_s": person.shift_end_s}),
    }
    code, params = codes[broken[0]]
    if (not aboard and person.shift_end_s < wish.ready_s) or person.shift_start_s > due_s:
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
    person = instance.couriers[courier]
    found = list(_one_limit(instance, courier, request, limits, broken[0])) if len(broken) == 1 else []
    starts = [
        times[0]
        for line in lines(instance, courier, limits.order, limits.lift("shift_start"))
        if (times := latest(line)) is not None
    ]
    if starts and max(starts) < person.shift_start_s:
        params = {"courier_id": person.id, "shift_start_s": max(starts)}
        found.append(Remedy("advance_shift_start", params, person.shift_start_s - max(starts)))
    return tuple(found)


def _one_limit(instance: Instance, courier: int, request: int, limits: _Limits, name: str) -> tuple[Remedy, ...]:
    """The least by which this one limit has to give way, if that is enough."""
    person, wish = instance.couriers[courier], instance.requests[request]
    marks: dict[str, Visit | str] = {"pickup": limits.pickup, "delivery": limits.delivery, "shift_end": ENDS}
    until = limits.first(limits.lift(name), marks[name])
    if until is None:
        return ()
    if name == "pickup":
        params = {"site_id": wish.pickup_site, "until_s": until, "courier_id": person.id}
        late_s = until - _closing(instance, request)
        return (Remedy("extend_pickup_window", params, max(0, late_s)),) if instance.aboard_of[request] is None else ()
    if name == "delivery":
        return (_later_delivery(instance, request, person.id, until),)
    return (Remedy("extend_shift_end", {"courier_id": person.id, "shift_end_s": until}, until - person.shift_end_s),)


def _later_delivery(instance: Instance, request: int, courier_id: str, until: int) -> Remedy:
    wish, hours = instance.requests[request], instance.receiving[request]
    params = {"site_id": wish.delivery_site, "until_s": until, "courier_id": courier_id}
    since_s = wish.aboard_since_s
    if since_s is not None and wish.max_ride_s is not None and last_delivery_s(wish) < min(until, wish.due_s + 1):
        ride_s = until - since_s
        return Remedy("extend_ride", {"max_ride_s": ride_s, "courier_id": courier_id}, ride_s - wish.max_ride_s)
    if hours and until > hours[-1].end_s:
        late = max(until - hours[-1].end_s, until - wish.due_s)
        return Remedy("extend_receiving", {**params, "due_too": until > wish.due_s}, late)
    return Remedy("extend_due", params, until - wish.due_s)


def _between(instance: Instance, courier: int, request: int, limits: _Limits) -> Finding:
    """Every moment is within its limit taken alone: the ride or the duration binds, or several together."""
    person, wish = instance.couriers[courier], instance.requests[request]
    if wish.max_ride_s is not None and instance.aboard_of[request] is None:
        span_s = limits.least("ride", wish.max_ride_s + wish.pickup_service_s)
        if span_s is not None:
            ride_s = span_s - wish.pickup_service_s
            params = {"ride_s": ride_s, "max_ride_s": wish.max_ride_s}
            remedy = Remedy("extend_ride", {"max_ride_s": ride_s, "courier_id": person.id}, ride_s - wish.max_ride_s)
            return Finding(None, 0, Binding(person.id, "ride_too_long", params), (remedy,), ride_s - wish.max_ride_s)
    if person.max_duration_s is not None:
        duration_s = limits.least("duration", person.max_duration_s)
        if duration_s is not None:
            params = {"duration_s": duration_s, "max_duration_s": person.max_duration_s}
            change = {"courier_id": person.id, "max_duration_s": duration_s}
            over = duration_s - person.max_duration_s
            binding = Binding(person.id, "duration_too_long", params)
            return Finding(None, 0, binding, (Remedy("extend_duration", change, over),), over)
    limit = wish.max_ride_s if wish.max_ride_s is not None else FOREVER[1]
    binding = Binding(person.id, "limits_together", {"max_ride_s": limit, "due_s": wish.due_s})
    return Finding(None, 0, binding, (), FOREVER[1] // 2)
