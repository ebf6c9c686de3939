"""What a request meets in the box: no room, or loads it may not travel with; and what would be enough there."""

from __future__ import annotations

from collections.abc import Sequence

from routing.driven import holds
from routing.finding import Finding
from routing.insertion import clash, loads_hold
from routing.instance import FOREVER, Instance, Visit
from routing.plan import Binding, Params, Remedy


def company(instance: Instance, courier: int, orders: Sequence[tuple[Visit, ...]], stops: int) -> Finding:
    """Why none of the ``orders``, all too full or with foes aboard, can be driven. Empty: others' promises bind."""
    person = instance.couriers[courier].id
    capacity = instance.capacity[courier]
    full: Finding | None = None
    for order in orders:
        met = clash(instance, order)
        if not holds(instance, courier, order):
            continue
        roomy = loads_hold(instance, capacity, order)
        if met is not None and roomy:
            one, other = (instance.requests[number] for number in met)
            params: Params = {"load_kind": one.load_kind, "other_kind": other.load_kind, "other_id": other.id}
            only = _foes_once(instance, order, frozenset({one.load_kind, other.load_kind}))
            remedy = Remedy("carry_together", {"courier_id": person, **params})
            binding = Binding(person, "incompatible_aboard", params)
            return Finding(None, 0, binding, (remedy,) if only else (), FOREVER[1])
        if met is None and full is None:
            short = _short(instance, capacity, order)
            if len(short) == 1:
                ((name, slots),) = short.items()
                more = {"courier_id": person, "temperature_class": name, "slots": slots}
                binding = Binding(person, "aboard_full", {"stops": stops})
                full = Finding(None, 0, binding, (Remedy("add_capacity", more),), FOREVER[1])
    if full is not None:
        return full
    code = "aboard_full" if orders else "other_promises"
    return Finding(None, 0, Binding(person, code, {"stops": stops}), shortfall_s=FOREVER[1])


def _foes_once(instance: Instance, order: Sequence[Visit], pair: frozenset[str]) -> bool:
    """Whether no other pair of kinds than this one meets along the order."""
    aboard = [~visit for visit in order if visit < 0 and instance.aboard_of[~visit] is not None]
    for visit in order:
        if visit < 0:
            aboard.remove(~visit)
            continue
        kind = instance.requests[visit].load_kind
        foes = instance.foes.get(kind, frozenset())
        for other in aboard:
            met = instance.requests[other].load_kind
            if met in foes and {kind, met} != pair:
                return False
        aboard.append(visit)
    return True


def _short(instance: Instance, capacity: Sequence[int], order: Sequence[Visit]) -> dict[str, int]:
    """Slots missing per temperature class at the fullest moment."""
    aboard = [0] * len(capacity)
    for visit in order:
        if visit < 0 and instance.aboard_of[~visit] is not None:
            aboard = [a + b for a, b in zip(aboard, instance.load[~visit], strict=True)]
    most = list(aboard)
    for visit in order:
        load = instance.load[visit if visit >= 0 else ~visit]
        aboard = [a + (b if visit >= 0 else -b) for a, b in zip(aboard, load, strict=True)]
        most = list(map(max, most, aboard))
    names = zip(instance.classes, most, capacity, strict=True)
    return {name: slots - room for name, slots, room in names if slots > room}
