"""What has to be fetched, by whom, from where to where: the input of the planner, units stated once.

Units and datum
    Times (``…_s`` that name a moment) are whole seconds from **local midnight at the start of the plan day**,
    0 … 172 800 (two days, so that a night shift may run past midnight). Durations are whole seconds,
    distances whole metres, loads whole slots of a transport box, positions degrees WGS84, money in the
    currency of the caller. Identifiers are non-empty texts, unique within their list.

A problem that cannot be read is refused with :class:`ProblemError`. A request that nobody can serve is not an
error: the plan lists it with a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

DAY_S = 86_400
HORIZON_S = 2 * DAY_S
"""Every moment lies in 0 … HORIZON_S."""

FORMAT_VERSION = 1

COLD_2_8 = "cold_2_8"
AMBIENT_15_25 = "ambient_15_25"
FROZEN = "frozen"
TEMPERATURE_CLASSES = (COLD_2_8, AMBIENT_15_25, FROZEN)
"""The classes in use; any other lower-case name is accepted and treated alike."""


class ProblemError(ValueError):
    """The problem cannot be read. ``code`` is stable, ``field`` a path such as ``requests[3].ready_s``."""

    def __init__(self, code: str, field: str = "", **params: object) -> None:
        self.code = code
        self.field = field
        self.params = params
        super().__init__(" ".join(str(part) for part in (code, field, params or "") if part))


class Priority(StrEnum):
    """Which request is left out last when not all can be served."""

    ROUTINE = "routine"
    URGENT = "urgent"
    STAT = "stat"


@dataclass(frozen=True, slots=True)
class Window:
    """A closed span of time; a service may start at either end of it."""

    start_s: int
    end_s: int


@dataclass(frozen=True, slots=True)
class Site:
    """A place: township, county centre, laboratory, depot.

    ``receiving_windows``: when a handover *to* this site may start, in order, without overlap; none = always.
    ``visit_s``: time each visit costs before its first service (park, walk in), once however much is loaded.
    ``detour_factor`` (road metres per metre of straight line) and ``speed_kmh`` describe the roads around it;
    only providers without a road network use them.
    """

    id: str
    lat: float
    lon: float
    receiving_windows: tuple[Window, ...] = ()
    visit_s: int = 0
    detour_factor: float = 1.4
    speed_kmh: float = 40.0


@dataclass(frozen=True, slots=True)
class Request:
    """Fetch ``load`` at ``pickup_site`` and hand it over at ``delivery_site``.

    ``load``: slots per temperature class. The pickup's service starts within ``ready_s … latest_pickup_s``
    and, where ``pickup_windows`` are given, within one of them. The delivery's service starts at ``due_s``
    at the latest (hard: stability clock or cut-off) and within the site's ``receiving_windows``.
    ``max_ride_s``: from the end of the pickup's service to the start of the delivery's; None = no limit.
    ``skills``: what the courier must all have.
    """

    id: str
    pickup_site: str
    delivery_site: str
    load: Mapping[str, int]
    ready_s: int
    latest_pickup_s: int
    due_s: int
    max_ride_s: int | None = None
    pickup_service_s: int = 120
    delivery_service_s: int = 60
    priority: Priority = Priority.ROUTINE
    pickup_windows: tuple[Window, ...] = ()
    skills: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Courier:
    """A person with a vehicle for one shift.

    The route leaves ``start_site`` at ``shift_start_s`` or later and is back at ``end_site`` by
    ``shift_end_s``. ``capacity``: slots per temperature class, a class not named has none.
    ``max_duration_s``: from leaving to being back; None = the whole shift.
    Costs: ``cost_fixed`` once if used at all, ``cost_per_km`` driven, ``cost_per_hour`` from leaving to back.
    """

    id: str
    start_site: str
    end_site: str
    shift_start_s: int
    shift_end_s: int
    capacity: Mapping[str, int]
    max_duration_s: int | None = None
    cost_fixed: float = 0.0
    cost_per_km: float = 1.0
    cost_per_hour: float = 0.0
    skills: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TravelTable:
    """Known travel, instead of asking a provider: row = from, column = to, in the order of ``site_ids``."""

    site_ids: tuple[str, ...]
    travel_s: tuple[tuple[int, ...], ...]
    distance_m: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One planning problem: a day of a county or a city. Several depots and laboratories are normal."""

    sites: tuple[Site, ...]
    requests: tuple[Request, ...]
    couriers: tuple[Courier, ...]
    name: str = ""
    travel: TravelTable | None = None
    version: int = field(default=FORMAT_VERSION)
