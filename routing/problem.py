"""What has to be fetched, by whom, from where to where: the input of the planner, units stated once.

Units and datum
    Times (``…_s`` that name a moment) are whole seconds from **local midnight at the start of the plan day**,
    0 … 172 800 (two days, so that a night shift may run past midnight). Durations are whole seconds,
    distances whole metres, loads whole slots of a transport box, positions degrees WGS84, money in the
    currency of the caller. Identifiers are non-empty texts, unique within their list.
    Speeds are factors of the travel table's speed.

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
class Break:
    """A rest of ``duration_s`` that begins within ``earliest_s … latest_s`` and overlaps no service.

    Within a leg it makes the leg that much longer; before leaving or after being back it costs nothing.
    """

    earliest_s: int
    latest_s: int
    duration_s: int


@dataclass(frozen=True, slots=True)
class SpeedBand:
    """From ``start_s`` until the next band driving goes at ``factor`` times the speed of the travel table.

    0.5 = twice the time. Before the first band the factor is 1. Who leaves first arrives first: a leg across
    a change of speed is driven partly at each (Ichoua, Gendreau, Potvin 2003); arrivals are rounded up.
    """

    start_s: int
    factor: float


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
    ``skills``: what the courier must all have. ``courier_ids``: only these couriers; empty = anybody.
    ``load_kind``: what is carried, see ``Problem.incompatible``; empty = goes with everything.

    Soft cut-off: a delivery that starts after ``soft_due_s`` costs ``late_cost_per_hour`` for each hour.

    Aboard already: with ``aboard_of`` the load is in that courier's box when the route begins. Only that courier
    can deliver it, there is no pickup, and ``pickup_site``, ``ready_s``, ``latest_pickup_s``,
    ``pickup_windows`` and ``pickup_service_s`` are not used; ``max_ride_s`` counts from ``aboard_since_s``
    (negative = before midnight). Left out, it is taken to have been unloaded.

    Promised: when another courier than ``promised_courier_id`` serves it, or its pickup starts further than
    ``promise_tolerance_s`` from ``promised_pickup_s``, ``change_cost`` is charged once.
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
    load_kind: str = ""
    soft_due_s: int | None = None
    late_cost_per_hour: float = 0.0
    courier_ids: frozenset[str] = frozenset()
    aboard_of: str | None = None
    aboard_since_s: int | None = None
    promised_courier_id: str | None = None
    promised_pickup_s: int | None = None
    promise_tolerance_s: int = 600
    change_cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Courier:
    """A person with a vehicle for one shift.

    The route leaves ``start_site`` at ``shift_start_s`` or later and is back at ``end_site`` by
    ``shift_end_s``. ``capacity``: slots per temperature class, a class not named has none.
    ``max_duration_s``: from leaving to being back; None = the whole shift.
    Costs: ``cost_fixed`` once if used at all, ``cost_per_km`` driven, ``cost_per_hour`` from leaving to back.
    ``breaks``: in order; each is over before the next may begin, wherever they are taken.
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
    breaks: tuple[Break, ...] = ()


@dataclass(frozen=True, slots=True)
class TravelTable:
    """Known travel, instead of asking a provider: row = from, column = to, in the order of ``site_ids``."""

    site_ids: tuple[str, ...]
    travel_s: tuple[tuple[int, ...], ...]
    distance_m: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One planning problem: a day of a county or a city. Several depots and laboratories are normal.

    ``speed_bands``: how driving times change over the day; they apply to driving alone. ``incompatible``: pairs
    of load kinds; neither is picked up while the other is aboard.
    """

    sites: tuple[Site, ...]
    requests: tuple[Request, ...]
    couriers: tuple[Courier, ...]
    name: str = ""
    travel: TravelTable | None = None
    speed_bands: tuple[SpeedBand, ...] = ()
    incompatible: tuple[tuple[str, str], ...] = ()
    version: int = field(default=FORMAT_VERSION)
