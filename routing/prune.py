"""Each request alone against each courier, before the search: what nobody can serve is left out with a reason.

One impossible pair can empty the whole answer of the search, so it never gets there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from routing.diagnose import Finding, examine
from routing.instance import Instance
from routing.plan import Params, Remedy, Unserved


@dataclass(frozen=True, slots=True)
class Pruned:
    """``allowed[i]``: couriers who could serve request i if they did nothing else; empty = impossible."""

    allowed: tuple[tuple[int, ...], ...]
    impossible: tuple[Unserved, ...]

    @property
    def possible(self) -> tuple[int, ...]:
        """The requests that the search is given."""
        return tuple(request for request, couriers in enumerate(self.allowed) if couriers)


def prune(instance: Instance) -> Pruned:
    """Try every request with every courier, nothing else planned."""
    everyone = range(len(instance.couriers))
    alone = tuple(
        tuple(examine(instance, courier, (), request) for courier in everyone)
        for request in range(len(instance.requests))
    )
    allowed = tuple(tuple(courier for courier in everyone if found[courier].binding is None) for found in alone)
    impossible = tuple(
        unserved(instance, request, found)
        for request, found in enumerate(alone)
        if all(item.binding is not None for item in found)
    )
    return Pruned(allowed, impossible)


def unserved(instance: Instance, request: int, found: Sequence[Finding]) -> Unserved:
    """The reason of the courier who comes nearest, all couriers' reasons, and the remedies in order."""
    name = instance.requests[request].id
    bindings = tuple(item.binding for item in found if item.binding is not None)
    if not bindings or all(binding.code == "off_duty" for binding in bindings):
        wish = instance.requests[request]
        span: Params = {"ready_s": wish.ready_s, "due_s": wish.due_s}
        return Unserved(name, "no_courier_on_duty", span, bindings, cheapest(found))
    _, nearest = min(
        ((_nearness(item), item.binding) for item in found if item.binding is not None),
        key=lambda pair: pair[0],
    )
    params = {**nearest.params, "courier_id": nearest.courier_id}
    return Unserved(name, nearest.code, params, bindings, cheapest(found))


def _nearness(found: Finding) -> tuple[int, bool]:
    return (found.shortfall_s, not found.remedies)


def cheapest(found: Iterable[Finding], extra: Sequence[Remedy] = ()) -> tuple[Remedy, ...]:
    """The cheapest remedy of each kind, cheapest first; those that seconds cannot measure come last."""
    best: dict[str, Remedy] = {}
    for remedy in (*(remedy for item in found for remedy in item.remedies), *extra):
        known = best.get(remedy.code)
        if known is None or _effort(remedy) < _effort(known):
            best[remedy.code] = remedy
    return tuple(sorted(best.values(), key=_effort))


def _effort(remedy: Remedy) -> tuple[bool, int]:
    return (remedy.effort_s is None, remedy.effort_s or 0)
