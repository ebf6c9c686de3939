"""Network design: which laboratory serves which township, and with how many rounds a day.

    result = design(places, terms)         # result.best and result.today: lines, hubs, cost a day

Every township is served by a county centre or directly by the city. What a round costs is not planned stop by stop
but estimated by the continuous approximation of Daganzo (Logistics Systems Analysis; Transportation Science 18, 1984):
a township at ``d`` metres from its laboratory, visited on tours of ``n`` stops among neighbours ``l`` metres apart,
costs ``2 d / n + l`` metres a round. ``n`` is what ride limit, boxes and shift allow. That makes the cost of each
pair a number, and the choice a mixed-integer programme (CP-SAT), with whole couriers for each laboratory. A trunk run
takes each round's share for the city on from the centre.

The figures of the plan of a day are somewhat different; ``bench/network.py`` prints both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ortools.sat.python import cp_model

from routing.problem import Site
from routing.travel.base import TravelMatrix

SPACING = 0.57 * 2
"""Tour metres for each stop ÷ distance to the nearest neighbour: Daganzo's 0.57 √(area ÷ stops), where √(area ÷ stops)
is twice the mean distance to the nearest neighbour (random points: Clark and Evans, Ecology 35, 1954)."""
_CENTS = 100


class Level(StrEnum):
    """What a place is in the network."""

    TOWNSHIP = "township"
    CENTRE = "centre"
    CITY = "city"


@dataclass(frozen=True, slots=True)
class Place:
    """A township with its boxes a day and the laboratory that serves it today, or a laboratory.

    A centre's boxes are its own patients': with any, it needs a trunk run a day whomever it serves.
    """

    site: Site
    level: Level
    boxes_per_day: float = 0.0
    today: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the day allows and what things cost (money: the caller's currency).

    ``window_s``: the hours in which rounds leave; n rounds leave every window ÷ n. ``turnaround_s``: from the tube's
    being ready to the laboratory that tests it, at worst: a whole interval, the ride, and for the share that the
    city tests also sorting and the trunk run. ``today_rounds``: rounds a day as they are driven now.
    """

    rounds: tuple[int, ...] = (1, 2, 3)
    today_rounds: int = 2
    window_s: int = 8 * 3600
    shift_s: int = 9 * 3600
    max_ride_s: int = 2 * 3600
    turnaround_s: int = 6 * 3600
    city_turnaround_s: int = 9 * 3600
    service_s: int = 300
    sorting_s: int = 1800
    boxes_per_car: int = 12
    city_share: float = 0.2
    cost_courier: float = 60.0
    cost_per_km: float = 0.8
    cost_per_hour: float = 25.0
    cost_unserved: float = 5_000.0


@dataclass(frozen=True, slots=True)
class Line:
    """A township under a design. ``hub`` "" = no laboratory can serve it within the terms."""

    site_id: str
    hub: str
    rounds: int
    today: str
    ride_s: int
    turnaround_s: int
    km_per_day: float

    @property
    def changed(self) -> bool:
        """Whether another laboratory serves it than today."""
        return self.hub != self.today


@dataclass(frozen=True, slots=True)
class Hub:
    """A laboratory under a design: how many townships, rounds and trunk runs a day, couriers, kilometres, hours."""

    site_id: str
    townships: int
    rounds: int
    trunk_runs: int
    couriers: int
    km_per_day: float
    hours_per_day: float


@dataclass(frozen=True, slots=True)
class Design:
    """One way to run the network, with its cost a day; ``proven``: no other is cheaper under these terms."""

    lines: tuple[Line, ...]
    hubs: tuple[Hub, ...]
    cost: float
    km_per_day: float
    hours_per_day: float
    couriers: int
    unserved: tuple[str, ...]
    mean_turnaround_s: int
    proven: bool = False
    bound: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The best design, the best with the laboratories of today, and today's with ``today_rounds`` everywhere."""

    best: Design
    same_hubs: Design
    today: Design


@dataclass(frozen=True, slots=True)
class _Option:
    """A township served by a hub with so many rounds: metres and seconds a day, worst ride and turnaround."""

    metres: float
    seconds: float
    ride_s: float
    turnaround_s: float
    fits: bool


@dataclass(slots=True)
class _Net:
    """Places and travel as numbers."""

    places: Sequence[Place]
    travel: TravelMatrix
    terms: Terms
    townships: list[int] = field(init=False)
    hubs: list[int] = field(init=False)
    city: int = field(init=False)
    options: dict[tuple[int, int, int], _Option] = field(init=False)

    def __post_init__(self) -> None:
        levels = [place.level for place in self.places]
        if levels.count(Level.CITY) != 1:
            raise ValueError("a network has one city laboratory")
        self.city = levels.index(Level.CITY)
        self.townships = [i for i, level in enumerate(levels) if level is Level.TOWNSHIP]
        self.hubs = [i for i, level in enumerate(levels) if level is not Level.TOWNSHIP]
        near = self._neighbours()
        counts = sorted({*self.terms.rounds, self.terms.today_rounds})
        self.options = {
            (i, hub, n): self._option(i, hub, n, *near[i]) for i in self.townships for hub in self.hubs for n in counts
        }

    def name(self, place: int) -> str:
        return self.places[place].site.id

    def _neighbours(self) -> dict[int, tuple[float, float]]:
        """For each township the metres and seconds that one more stop among its neighbours costs a tour."""
        metres, seconds = self.travel.distance_m, self.travel.travel_s
        found: dict[int, tuple[float, float]] = {}
        for i in self.townships:
            near = min(((int(metres[i, j]), int(seconds[i, j])) for j in self.townships if j != i), default=(0, 0))
            found[i] = (near[0] * SPACING, near[1] * SPACING)
        return found

    def _option(self, i: int, hub: int, rounds: int, near_m: float, near_s: float) -> _Option:
        terms = self.terms
        far_m, far_s = float(self.travel.distance_m[i, hub]), float(self.travel.travel_s[i, hub])
        step_s = near_s + terms.service_s
        boxes = max(self.places[i].boxes_per_day / rounds, 0.5)
        by_ride = 1 + math.floor(max(0.0, terms.max_ride_s - far_s) / step_s)
        by_car = max(1, int(terms.boxes_per_car / boxes))
        by_shift = max(1, 1 + math.floor((terms.shift_s - 2 * far_s - terms.service_s) / step_s))
        stops = max(1, min(by_ride, by_car, by_shift, len(self.townships)))
        if 2 * far_m * (1 - 1 / stops) <= near_m:  # there and back alone is shorter than by way of a neighbour
            stops = 1
        metres = 2 * far_m / stops + (near_m if stops > 1 else 0.0)
        seconds = 2 * far_s / stops + (near_s if stops > 1 else 0.0) + terms.service_s
        ride_s = far_s + (stops - 1) * step_s
        turnaround_s = terms.window_s / rounds + ride_s
        fits = far_s <= terms.max_ride_s and turnaround_s <= terms.turnaround_s
        if hub != self.city:
            onward_s = turnaround_s + terms.sorting_s + float(self.travel.travel_s[hub, self.city])
            fits = fits and (not terms.city_share or onward_s <= terms.city_turnaround_s)
            turnaround_s = (1 - terms.city_share) * turnaround_s + terms.city_share * onward_s
        return _Option(metres * rounds, seconds * rounds, ride_s, turnaround_s, fits)

    def running(self, metres: float, seconds: float) -> float:
        return self.terms.cost_per_km * metres / 1000 + self.terms.cost_per_hour * seconds / 3600

    def trunk_runs(self, hub: int, rounds: int) -> int:
        """One for each round with anything for the city; one at least where the centre has boxes of its own."""
        if hub == self.city:
            return 0
        return max(rounds if self.terms.city_share > 0 else 0, 1 if self.places[hub].boxes_per_day > 0 else 0)

    def trunk(self, hub: int) -> tuple[float, float]:
        """Metres and seconds of one trunk run there and back."""
        if hub == self.city:
            return 0.0, 0.0
        back_m = float(self.travel.distance_m[self.city, hub])
        back_s = float(self.travel.travel_s[self.city, hub])
        seconds = float(self.travel.travel_s[hub, self.city]) + back_s + self.terms.service_s
        return float(self.travel.distance_m[hub, self.city]) + back_m, seconds


def design(
    places: Sequence[Place], travel: TravelMatrix, terms: Terms | None = None, *, seconds: float = 20.0
) -> Result:
    """The cheapest network under ``terms``, beside the same without other laboratories, and beside today's.

    ``travel`` is in the order of ``places``. Raises ValueError unless there is exactly one city laboratory, or when
    a township names as ``today`` what is no laboratory.
    """
    net = _Net(places, travel, terms or Terms())
    hub_of = {net.name(hub): hub for hub in net.hubs}
    now: dict[int, int] = {}
    for i in net.townships:
        if places[i].today not in hub_of:
            raise ValueError(f"{net.name(i)}: {places[i].today!r} is no laboratory")
        now[i] = hub_of[places[i].today]
    best = _choose(net, net.terms.rounds, dict.fromkeys(net.townships, net.hubs), seconds)
    same = _choose(net, net.terms.rounds, {i: [now[i]] for i in net.townships}, seconds / 2)
    rounds = dict.fromkeys(net.hubs, net.terms.today_rounds)
    return Result(best, same, _written(net, dict(now), rounds))


def _choose(net: _Net, counts: Sequence[int], allowed: Mapping[int, Sequence[int]], seconds: float) -> Design:
    """CP-SAT over township × laboratory × rounds, whole couriers per laboratory, one number of rounds for each."""
    model, terms = cp_model.CpModel(), net.terms
    runs = {(hub, n): model.new_bool_var(f"rounds_{hub}_{n}") for hub in net.hubs for n in counts}
    serve: dict[tuple[int, int, int], cp_model.IntVar] = {}
    left = {i: model.new_bool_var(f"left_{i}") for i in net.townships}
    cost: list[cp_model.LinearExprT] = [round(terms.cost_unserved * _CENTS) * one for one in left.values()]
    for hub in net.hubs:
        model.add_at_most_one(runs[hub, n] for n in counts)
    for i in net.townships:
        for hub in allowed[i]:
            for n in counts:
                option = net.options[i, hub, n]
                if option.fits:
                    serve[i, hub, n] = one = model.new_bool_var(f"serve_{i}_{hub}_{n}")
                    model.add_implication(one, runs[hub, n])
                    cost.append(round(net.running(option.metres, option.seconds) * _CENTS) * one)
        model.add_exactly_one([left[i], *(one for (j, _, _), one in serve.items() if j == i)])
    for hub in net.hubs:
        mine = [(key, one) for key, one in serve.items() if key[1] == hub]
        couriers = model.new_int_var(0, len(net.townships) * max(counts), f"couriers_{hub}")
        work: list[cp_model.LinearExprT] = [round(net.options[key].seconds) * one for key, one in mine]
        trunk_m, trunk_s = net.trunk(hub)
        least = net.trunk_runs(hub, 0)
        work.append(round(trunk_s * least))
        cost.append(round(net.running(trunk_m, trunk_s) * least * _CENTS))
        for n in counts:
            more = net.trunk_runs(hub, n) - least
            work.append(round(trunk_s * more) * runs[hub, n])
            cost.append(round(net.running(trunk_m, trunk_s) * more * _CENTS) * runs[hub, n])
        model.add(sum(work) <= terms.shift_s * couriers)
        cost.append(round(terms.cost_courier * _CENTS) * couriers)
    model.minimize(sum(cost))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds, solver.parameters.num_workers = seconds, 2
    solver.parameters.relative_gap_limit = 0.001
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):  # everything may be left: there is always an answer
        raise RuntimeError(f"network design ended as {solver.status_name(status)}")
    chosen = {i: hub for (i, hub, n), one in serve.items() if solver.value(one)}
    rounds = {hub: n for (hub, n), one in runs.items() if solver.value(one)}
    bound = round(solver.best_objective_bound / _CENTS, 2)
    return replace(_written(net, chosen, rounds), bound=bound, proven=status == cp_model.OPTIMAL)


def _written(net: _Net, chosen: Mapping[int, int], rounds: Mapping[int, int]) -> Design:
    """The design as people read it, costed again from the options (also one that breaks the terms, as today may)."""
    lines = [_line(net, i, chosen.get(i), rounds) for i in net.townships]
    hubs = [_hub(net, hub, [i for i, at in chosen.items() if at == hub], rounds.get(hub, 0)) for hub in net.hubs]
    left = tuple(line.site_id for line in lines if not line.hub)
    kilometres, hours = sum(hub.km_per_day for hub in hubs), sum(hub.hours_per_day for hub in hubs)
    couriers = sum(hub.couriers for hub in hubs)
    terms = net.terms
    cost = terms.cost_per_km * kilometres + terms.cost_per_hour * hours + terms.cost_courier * couriers
    served = [line.turnaround_s for line in lines if line.hub]
    return Design(
        lines=tuple(lines),
        hubs=tuple(hubs),
        cost=round(cost + terms.cost_unserved * len(left), 2),
        km_per_day=round(kilometres, 1),
        hours_per_day=round(hours, 2),
        couriers=couriers,
        unserved=left,
        mean_turnaround_s=round(sum(served) / len(served)) if served else 0,
    )


def _line(net: _Net, i: int, hub: int | None, rounds: Mapping[int, int]) -> Line:
    place = net.places[i]
    if hub is None:
        return Line(place.site.id, "", 0, place.today, 0, 0, 0.0)
    option = net.options[i, hub, rounds[hub]]
    kilometres = round(option.metres / 1000, 1)
    times = (round(option.ride_s), round(option.turnaround_s))
    return Line(place.site.id, net.name(hub), rounds[hub], place.today, *times, kilometres)


def _hub(net: _Net, hub: int, mine: Sequence[int], rounds: int) -> Hub:
    runs = net.trunk_runs(hub, rounds if mine else 0)
    trunk_m, trunk_s = net.trunk(hub)
    metres = trunk_m * runs + sum(net.options[i, hub, rounds].metres for i in mine)
    seconds = trunk_s * runs + sum(net.options[i, hub, rounds].seconds for i in mine)
    couriers = math.ceil(round(seconds) / net.terms.shift_s - 1e-6)
    return Hub(
        net.name(hub),
        len(mine),
        rounds if mine else 0,
        runs,
        couriers,
        round(metres / 1000, 2),
        round(seconds / 3600, 3),
    )
