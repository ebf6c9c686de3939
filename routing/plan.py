"""What the planner answers: routes with their stops, what is left out and why. Units as in ``routing.problem``.

Reasons, remedies and notices are codes with parameters; the sentences live where people read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

Params: TypeAlias = Mapping[str, Any]


class Kind(StrEnum):
    """What happens to a request at a stop."""

    PICKUP = "pickup"
    DELIVERY = "delivery"


@dataclass(frozen=True, slots=True)
class Service:
    """One pickup or delivery at a stop, from ``start_s`` to ``end_s``."""

    request_id: str
    kind: Kind
    start_s: int
    end_s: int


@dataclass(frozen=True, slots=True)
class Stop:
    """One visit to a site.

    ``arrive_s`` the vehicle is there; ``start_s`` the first service starts (parked, walked in, window open);
    ``depart_s`` it leaves. ``load_after``: slots aboard per temperature class on leaving.
    ``travel_s`` and ``distance_m``: the leg from the place before to here, seconds at the wheel at that hour.
    """

    site_id: str
    arrive_s: int
    start_s: int
    depart_s: int
    services: tuple[Service, ...]
    load_after: Mapping[str, int]
    travel_s: int
    distance_m: int

    @property
    def picked(self) -> tuple[str, ...]:
        """Requests picked up here, in order."""
        return tuple(item.request_id for item in self.services if item.kind is Kind.PICKUP)

    @property
    def delivered(self) -> tuple[str, ...]:
        """Requests handed over here, in order."""
        return tuple(item.request_id for item in self.services if item.kind is Kind.DELIVERY)


@dataclass(frozen=True, slots=True)
class BreakTaken:
    """A break between leaving and being back; one that is taken before or after needs no entry."""

    start_s: int
    end_s: int


@dataclass(frozen=True, slots=True)
class Route:
    """What one courier drives: leaves ``start_site`` at ``start_s``, is back at ``end_site`` at ``end_s``.

    ``distance_m`` and ``drive_s`` are totals with the way back (``return_distance_m``, ``return_travel_s``).
    ``cost``: fixed, kilometres, hours, lateness at soft cut-offs and changed promises of the requests in it.
    """

    courier_id: str
    start_site: str
    end_site: str
    start_s: int
    end_s: int
    stops: tuple[Stop, ...]
    return_travel_s: int
    return_distance_m: int
    distance_m: int
    drive_s: int
    cost: float
    breaks: tuple[BreakTaken, ...] = ()


@dataclass(frozen=True, slots=True)
class Binding:
    """Why one courier cannot take a request: the constraint that binds at its best place in the route."""

    courier_id: str
    code: str
    params: Params


@dataclass(frozen=True, slots=True)
class Remedy:
    """A single change that is enough for the request to be served.

    ``effort_s``: what it asks of somebody in seconds, for order; None where seconds are no measure (last).
    ``replan``: False = it fits beside everything planned as it stands; True = found with the request alone,
    so it makes the request possible but the day has to be planned anew and something else may give way.
    """

    code: str
    params: Params
    effort_s: int | None = None
    replan: bool = False


@dataclass(frozen=True, slots=True)
class Unserved:
    """A request that the plan leaves out, with the reason, per courier and in all, and remedies, cheapest first."""

    request_id: str
    code: str
    params: Params
    couriers: tuple[Binding, ...] = ()
    remedies: tuple[Remedy, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about the plan as a whole that its reader should know, such as a road server that was away."""

    code: str
    params: Params


@dataclass(frozen=True, slots=True)
class PlanProgress:
    """Best so far: ``elapsed_s`` since the search began, its ``cost`` (penalties excluded) and unserved count.

    ``cost`` and ``unserved`` are None until there is a first plan.
    """

    elapsed_s: float
    cost: float | None
    unserved: int | None
    solutions: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """All routes of a day. Couriers without stops have no route. ``cost`` in the currency of the problem.

    ``lower_bound``: no plan that serves what this one serves costs less, by ``bound_method``; None = not known.
    ``changed``: requests served otherwise than promised. ``trace``: the best cost over time, as it fell.
    """

    routes: tuple[Route, ...]
    unserved: tuple[Unserved, ...]
    cost: float
    distance_m: int
    duration_s: int
    travel_source: str
    notices: tuple[Notice, ...] = ()
    search_s: float = 0.0
    problem_name: str = ""
    lower_bound: float | None = None
    bound_method: str = ""
    changed: tuple[str, ...] = ()
    trace: tuple[PlanProgress, ...] = ()

    @property
    def couriers_used(self) -> int:
        """How many couriers drive."""
        return len(self.routes)
