"""What trying a request with a courier gave."""

from __future__ import annotations

from dataclasses import dataclass

from routing.instance import Visit
from routing.plan import Binding, Remedy


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
