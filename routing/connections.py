"""From the township to the city: which trunk run each consignment makes, and what it costs to miss one.

A consignment for the city is handed over at its county centre, sorted there for ``Hub.transfer_s``, and goes on with
the first trunk run that is loaded after that. What no run of the day takes waits for the next day's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from routing.plan import Kind, Route
from routing.problem import DAY_S


@dataclass(frozen=True, slots=True)
class Onward:
    """A feeder's request that goes on to the city.

    ``load``: slots it takes on the trunk. ``due_s``: when its handover in the city must begin (use-by or cut-off).
    """

    request_id: str
    centre: str
    load: Mapping[str, int]
    due_s: int


@dataclass(frozen=True, slots=True)
class Hub:
    """A county centre between two tiers.

    ``transfer_s``: from the end of a handover there until it may be loaded on a trunk. ``extra_s``: moments of the day
    at which one more run could be loaded. ``tomorrow_s``: when the next day's first run is loaded; None = not known.
    """

    site_id: str
    transfer_s: int
    extra_s: tuple[int, ...] = ()
    tomorrow_s: int | None = None


@dataclass(frozen=True, slots=True)
class Departure:
    """A trunk run as planned: loaded from ``departs_s`` on, handed over in the city from ``city_s`` on."""

    request_id: str
    centre: str
    departs_s: int
    city_s: int
    courier_id: str = ""


@dataclass(frozen=True, slots=True)
class Leg:
    """One courier's part: loading ``start_s … loaded_s``, handing over ``arrive_s … handed_s``.

    What was aboard when the plan begins has no loading and no place of it.
    """

    courier_id: str
    from_site: str | None
    to_site: str
    start_s: int | None
    loaded_s: int | None
    arrive_s: int
    handed_s: int


@dataclass(frozen=True, slots=True)
class Missing:
    """What one consignment pays when a run goes without it: ``delay_s`` later in the city, at ``city_s``.

    None = no later run is known. ``too_late``: it is past its due time then and was not before.
    """

    request_id: str
    delay_s: int | None
    city_s: int | None
    too_late: bool


@dataclass(frozen=True, slots=True)
class Run:
    """A trunk run with what makes it; ``next_s``: when what misses it is loaded, ``extra_s``: or by a run more."""

    departure: Departure
    aboard: tuple[str, ...]
    next_s: int | None
    extra_s: int | None
    missing: tuple[Missing, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """One request from its township on: its legs with their times, when it was sorted, and the trunk that it makes.

    ``legs`` is empty for what the plan leaves out. ``trunk`` None for a consignment that goes on: it misses every run
    of the day, and ``missed`` says what that costs against the last one it might have taken.
    """

    request_id: str
    centre: str
    onward: bool
    legs: tuple[Leg, ...]
    sorted_s: int | None = None
    trunk: str | None = None
    city_s: int | None = None
    due_s: int | None = None
    missed: Missing | None = None

    @property
    def in_time(self) -> bool:
        """Whether it is handed over in the city by its due time; what stays at the centre: whether it gets there."""
        if not self.onward:
            return bool(self.legs)
        return self.trunk is not None and self.city_s is not None and self.due_s is not None and (
            self.city_s <= self.due_s
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Connections:
    """Chains of all requests that go on, and the runs, in order of centre and time."""

    chains: tuple[Chain, ...]
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Tiers:
    """Two tiers within one plan: what goes on, by which trunk requests of the problem, and what other plans drive.

    ``trips``: trunk request → its centre. ``departures``: runs that are driven or gone whatever this plan says.
    """

    onward: tuple[Onward, ...] = ()
    hubs: tuple[Hub, ...] = ()
    trips: Mapping[str, str] = field(default_factory=dict)
    departures: tuple[Departure, ...] = ()

    def connections(self, routes: Iterable[Route]) -> Connections:
        """Who makes which run in these routes. The next day's first run is loaded when this day's is."""
        legs = legs_of(routes)
        found = [departure_of(name, centre, legs) for name, centre in self.trips.items()]
        departures = [*self.departures, *(one for one in found if one is not None)]
        first: dict[str, int] = {}
        for one in departures:
            first[one.centre] = min(one.departs_s, first.get(one.centre, one.departs_s))
        hubs = {
            hub.site_id: replace(hub, tomorrow_s=first[hub.site_id] + DAY_S) if hub.site_id in first else hub
            for hub in self.hubs
        }
        return connect(self.onward, hubs, departures, legs)


def legs_of(routes: Iterable[Route]) -> dict[str, Leg]:
    """Each request that is delivered, as one leg."""
    picked: dict[str, tuple[str, int, int]] = {}
    found: dict[str, Leg] = {}
    for route in routes:
        for stop in route.stops:
            for service in stop.services:
                name = service.request_id
                if service.kind is Kind.PICKUP:
                    picked[name] = (stop.site_id, service.start_s, service.end_s)
                    continue
                site, start_s, loaded_s = picked.get(name, (None, None, None))
                leg = Leg(route.courier_id, site, stop.site_id, start_s, loaded_s, service.start_s, service.end_s)
                found[name] = leg
    return found


def departure_of(request_id: str, centre: str, legs: Mapping[str, Leg]) -> Departure | None:
    """The run that a trunk request became; None when it is left out or was loaded before the plan began."""
    leg = legs.get(request_id)
    if leg is None or leg.start_s is None:
        return None
    return Departure(request_id, centre, leg.start_s, leg.arrive_s, leg.courier_id)


def connect(
    onward: Sequence[Onward],
    hubs: Mapping[str, Hub],
    departures: Iterable[Departure],
    legs: Mapping[str, Leg],
    booked: Mapping[str, str | None] | None = None,
) -> Connections:
    """Which run each consignment makes, by the times of the plans, and what missing each run costs.

    ``booked``: the one run that has room for each consignment; left out, every run has room for all.
    """
    of_centre: dict[str, list[Departure]] = {name: [] for name in sorted(hubs)}
    for departure in sorted(departures, key=lambda one: (one.departs_s, one.request_id)):
        of_centre.setdefault(departure.centre, []).append(departure)
    chains = []
    for one in onward:
        line = of_centre[one.centre]
        mine = line if booked is None else [run for run in line if run.request_id == booked.get(one.request_id)]
        chains.append(_chain(one, hubs[one.centre], line, mine, legs))
    runs = [
        _run(number, line, hubs[centre], [one for one in chains if one.trunk == line[number].request_id])
        for centre, line in of_centre.items()
        for number in range(len(line))
    ]
    return Connections(tuple(chains), tuple(runs))


def _chain(
    one: Onward, hub: Hub, line: Sequence[Departure], mine: Sequence[Departure], legs: Mapping[str, Leg]
) -> Chain:
    first = legs.get(one.request_id)
    if first is None:
        return Chain(one.request_id, one.centre, True, (), due_s=one.due_s)
    sorted_s = first.handed_s + hub.transfer_s
    taken = next((run for run in mine if run.departs_s >= sorted_s), None)
    if taken is None:
        missed = _missing(one.request_id, one.due_s, line[-1], _after(line[-1], (), hub)) if line else None
        return Chain(one.request_id, one.centre, True, (first,), sorted_s, due_s=one.due_s, missed=missed)
    second = legs.get(taken.request_id)
    ways = (first,) if second is None else (first, second)
    return Chain(one.request_id, one.centre, True, ways, sorted_s, taken.request_id, taken.city_s, one.due_s)


def _run(number: int, line: Sequence[Departure], hub: Hub, aboard: Sequence[Chain]) -> Run:
    this = line[number]
    after = _after(this, line[number + 1 :], hub)
    extra = next((at_s for at_s in sorted(hub.extra_s) if at_s > this.departs_s), None)
    return Run(
        departure=this,
        aboard=tuple(one.request_id for one in aboard),
        next_s=after[0] if after else None,
        extra_s=extra,
        missing=tuple(_missing(one.request_id, one.due_s, this, after) for one in aboard),
    )


def _after(this: Departure, later: Sequence[Departure], hub: Hub) -> tuple[int, int] | None:
    """(loaded, in the city) of the run that takes what misses ``this``; tomorrow's needs as long as this one."""
    if later:
        return later[0].departs_s, later[0].city_s
    if hub.tomorrow_s is None:
        return None
    return hub.tomorrow_s, hub.tomorrow_s + this.city_s - this.departs_s


def _missing(name: str, due_s: int | None, this: Departure, after: tuple[int, int] | None) -> Missing:
    if after is None:
        return Missing(name, None, None, True)
    late = due_s is not None and this.city_s <= due_s < after[1]
    return Missing(name, after[1] - this.city_s, after[1], late)
