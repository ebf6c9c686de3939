"""How sure is a plan: times as distributions fitted from recorded legs, and the plan driven thousands of times.

    spread = fit_spread(driven, served)                # from what was recorded; few records stay near the prior
    odds = simulate(problem, plan, travel, spread)     # odds.stops[i].on_time, odds.requests["R1"], odds.plan_on_time
    chosen = plan_for(problem, travel, spread, 0.9, plan_of)     # plan so that nine of ten requests are in time

A leg takes its model time × exp(m + d + e): ``m`` by hour of day, ``d`` one draw for a courier's whole day (weather,
road works, the car), ``e`` one for each leg, both normal. A service takes its own time × exp(s). Couriers keep to the
plan where they are early: a pickup does not begin before its planned time, a handover as soon as the door is open.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from routing.plan import Kind, Plan, Route, Service
from routing.problem import Problem, Window
from routing.travel.base import TravelMatrix

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

HOURS = 24
RUNS = 2000
_FAR = 5.0  # standard deviations: what lies farther out is a mistake in the record


@dataclass(frozen=True, slots=True)
class Spread:
    """Logarithms of taken ÷ modelled time: means and standard deviations.

    ``by_hour``: mean of a leg by hour of departure (24). ``day``: spread between couriers' days, shared by all legs
    of one; ``leg``: what is left from leg to leg. ``service_mean``, ``service``: of time spent on a service.
    The defaults are a judgement: legs about 15 % and days about 8 % around the model, services 35 %.
    """

    by_hour: tuple[float, ...] = (0.0,) * HOURS
    day: float = 0.08
    leg: float = 0.15
    service_mean: float = 0.0
    service: float = 0.35
    legs: int = 0
    services: int = 0

    def travel_factor(self, quantile: float, legs: int = 4) -> float:
        """What to multiply travel by so that ``legs`` legs in a row take no longer with this probability."""
        deviation = math.hypot(self.day, self.leg / math.sqrt(legs))
        return math.exp(sum(self.by_hour) / HOURS + NormalDist().inv_cdf(quantile) * deviation)

    def service_factor(self, quantile: float, services: int = 4) -> float:
        """The same for ``services`` services."""
        return math.exp(self.service_mean + NormalDist().inv_cdf(quantile) * self.service / math.sqrt(services))


@dataclass(frozen=True, slots=True)
class Driven:
    """A recorded leg: ``group`` names the courier's day, ``model_s`` what was expected, ``taken_s`` what it took."""

    group: str
    depart_s: int
    model_s: float
    taken_s: float


@dataclass(frozen=True, slots=True)
class Served:
    """A recorded service, expected and taken."""

    model_s: float
    taken_s: float


@dataclass(frozen=True, slots=True)
class StopOdds:
    """A visit: probability that everything done there is in time, and when the courier arrives (10, 50, 90 %)."""

    courier_id: str
    index: int
    site_id: str
    on_time: float
    arrive_p10_s: int
    arrive_p50_s: int
    arrive_p90_s: int


@dataclass(frozen=True, slots=True)
class Odds:
    """A plan driven ``runs`` times.

    ``requests``: probability that the request is picked up, rides and is handed over within its limits; 0 for what
    the plan leaves out. ``share_on_time``: mean of these. ``plan_on_time``: probability that all served ones are.
    ``overtime``: by courier, the probability of being back after the end of the shift.
    """

    runs: int
    requests: dict[str, float]
    stops: tuple[StopOdds, ...]
    share_on_time: float
    plan_on_time: float
    overtime: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The plan for a wanted share on time: planned with times at ``quantile``; ``tried``: (quantile, share, cost)."""

    plan: Plan
    odds: Odds
    quantile: float
    tried: tuple[tuple[float, float, float], ...]
    reached: bool


def fit_spread(
    driven: Sequence[Driven], served: Sequence[Served] = (), prior: Spread | None = None, *, prior_count: float = 20.0
) -> Spread:
    """Distributions from recorded legs and services, each number held near ``prior`` as if by ``prior_count`` records.

    The spread of days and of legs are told apart by the analysis of variance of one-way groups of unequal size.
    """
    prior = prior or Spread()
    usable = [one for one in driven if one.model_s > 0 and one.taken_s > 0]
    by_hour, day, leg = prior.by_hour, prior.day, prior.leg
    if usable:
        off = _pulled_in(np.log([one.taken_s / one.model_s for one in usable]))
        hour = np.array([one.depart_s // 3600 % HOURS for one in usable])
        by_hour = _means(off, hour, prior.by_hour, prior_count)
        rest = off - np.array(by_hour)[hour]
        day, leg = _two_spreads(rest, [one.group for one in usable], prior, prior_count)
    times = [one for one in served if one.model_s > 0 and one.taken_s > 0]
    mean, spread = prior.service_mean, prior.service
    if times:
        off = _pulled_in(np.log([one.taken_s / one.model_s for one in times]))
        mean = float((off.sum() + prior_count * mean) / (len(off) + prior_count))
        spread = _shrunk(float(((off - mean) ** 2).mean()), len(off), spread, prior_count)
    return Spread(by_hour, day, leg, mean, spread, len(usable), len(times))


def _means(off: Floats, hour: npt.NDArray[np.int64], prior: Sequence[float], prior_count: float) -> tuple[float, ...]:
    """Mean by hour, drawn to the mean of all; that one drawn to the prior."""
    level = float((off - np.array(prior)[hour]).sum() / (len(off) + prior_count))
    base = np.array(prior) + level
    sums = np.bincount(hour, weights=off - base[hour], minlength=HOURS)
    return tuple((base + sums / (np.bincount(hour, minlength=HOURS) + prior_count)).tolist())


def _two_spreads(rest: Floats, groups: Sequence[str], prior: Spread, prior_count: float) -> tuple[float, float]:
    names, at, counts = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    means = np.bincount(at, weights=rest) / counts
    inside = int(len(rest) - len(names))
    within = float(((rest - means[at]) ** 2).sum() / inside) if inside else prior.leg**2
    leg = _shrunk(within, inside, prior.leg, prior_count)
    between = len(names) - 1
    if not between:
        return prior.day, leg
    typical = (len(rest) - float((counts**2).sum()) / len(rest)) / between
    around = float((counts * (means - rest.mean()) ** 2).sum() / between)
    return _shrunk(max(0.0, (around - within) / typical), between, prior.day, prior_count), leg


def _shrunk(variance: float, count: int, prior: float, prior_count: float) -> float:
    return math.sqrt((variance * count + prior**2 * prior_count) / (count + prior_count))


def _pulled_in(off: Floats) -> Floats:
    """Mistakes in the record (a courier who forgot to say that he left) do not widen the spread for ever."""
    middle = float(np.median(off))
    deviation = max(0.02, 1.4826 * float(np.median(np.abs(off - middle))))
    return np.asarray(np.clip(off, middle - _FAR * deviation, middle + _FAR * deviation), dtype=np.float64)


def simulate(
    problem: Problem,
    plan: Plan,
    travel: TravelMatrix,
    spread: Spread,
    *,
    runs: int = RUNS,
    seed: int = 1,
) -> Odds:
    """Drive ``plan`` ``runs`` times. ``travel``: the model's own times, not those of a quantile."""
    drive = _Drive(problem, travel, spread, runs, np.random.default_rng(seed))
    for route in plan.routes:
        drive.route(route)
    requests = {request.id: 0.0 for request in problem.requests}
    everything = np.ones(runs, dtype=bool)
    for name, fine in drive.fine.items():
        requests[name] = round(float(fine.mean()), 4)
        everything &= fine
    return Odds(
        runs=runs,
        requests=requests,
        stops=tuple(drive.stops),
        share_on_time=round(sum(requests.values()) / len(requests), 4) if requests else 1.0,
        plan_on_time=round(float(everything.mean()), 4),
        overtime=drive.overtime,
    )


class _Drive:
    """Moves all runs along a route at once: one array operation for each leg and service."""

    def __init__(
        self, problem: Problem, travel: TravelMatrix, spread: Spread, runs: int, rng: np.random.Generator
    ) -> None:
        self.spread, self.runs, self.rng = spread, runs, rng
        self.requests = {request.id: request for request in problem.requests}
        self.sites = {site.id: site for site in problem.sites}
        self.couriers = {courier.id: courier for courier in problem.couriers}
        self.row = {site: row for row, site in enumerate(travel.site_ids)}
        self.seconds = travel.travel_s
        self.by_hour = np.array(spread.by_hour)
        self.bands = _bands(problem)
        self.picked: dict[str, Floats] = {
            one.id: np.full(runs, float(one.aboard_since_s))
            for one in problem.requests
            if one.aboard_of is not None and one.aboard_since_s is not None
        }
        self.fine: dict[str, Bools] = defaultdict(lambda: np.ones(runs, dtype=bool))
        self.stops: list[StopOdds] = []
        self.overtime: dict[str, float] = {}

    def route(self, route: Route) -> None:
        day = self.rng.normal(0.0, self.spread.day, self.runs)
        now = np.full(self.runs, float(route.start_s))
        here, left_s = route.start_site, route.start_s
        for index, stop in enumerate(route.stops):
            rest_s = max(0, stop.arrive_s - left_s - stop.travel_s)  # a break, or a planned wait
            arrive = now + rest_s + self._leg(here, stop.site_id, now + rest_s, day)
            now = arrive + (self.sites[stop.site_id].visit_s if here != stop.site_id else 0)
            fine = np.ones(self.runs, dtype=bool)
            for service in stop.services:
                now, in_time = self._service(service, stop.site_id, now)
                self.fine[service.request_id] &= in_time
                fine &= in_time
            low, middle, high = np.quantile(arrive, (0.1, 0.5, 0.9))
            times = (round(float(low)), round(float(middle)), round(float(high)))
            self.stops.append(StopOdds(route.courier_id, index, stop.site_id, round(float(fine.mean()), 4), *times))
            here, left_s = stop.site_id, stop.depart_s
        back = now + self._leg(here, route.end_site, now, day)
        courier = self.couriers.get(route.courier_id)
        if courier is not None:
            self.overtime[route.courier_id] = round(float((back > courier.shift_end_s).mean()), 4)

    def _leg(self, origin: str, target: str, leaves: Floats, day: Floats) -> Floats:
        model_s = float(self.seconds[self.row[origin], self.row[target]])
        hour = (leaves // 3600).astype(np.int64) % HOURS
        noise = self.rng.normal(0.0, self.spread.leg, self.runs)
        drive = np.asarray(model_s * np.exp(self.by_hour[hour] + day + noise), dtype=np.float64)
        return _in_bands(self.bands, leaves, drive)

    def _service(self, service: Service, site_id: str, now: Floats) -> tuple[Floats, Bools]:
        """When the service ends, and whether it began within its limits."""
        request = self.requests[service.request_id]
        picks = service.kind is Kind.PICKUP
        if picks:
            start = np.maximum(now, max(service.start_s, request.ready_s))
            start = _at_door(start, request.pickup_windows)
            fine = start <= request.latest_pickup_s
        else:
            start = _at_door(now, self.sites[site_id].receiving_windows)
            fine = start <= request.due_s
            if request.max_ride_s is not None and request.id in self.picked:
                fine &= start - self.picked[request.id] <= request.max_ride_s
        model_s = request.pickup_service_s if picks else request.delivery_service_s
        takes = model_s * np.exp(self.rng.normal(self.spread.service_mean, self.spread.service, self.runs))
        ends = np.asarray(np.where(np.isinf(start), now, start) + takes, dtype=np.float64)
        if picks:
            self.picked[request.id] = ends
        return ends, np.asarray(fine)


def _bands(problem: Problem) -> list[tuple[float, float, float]]:
    """Start, end and speed factor of each span of the day; none when the speed never changes."""
    if not problem.speed_bands:
        return []
    starts = [-math.inf, *(float(band.start_s) for band in problem.speed_bands), math.inf]
    factors = [1.0, *(band.factor for band in problem.speed_bands)]
    return [(starts[i], starts[i + 1], factor) for i, factor in enumerate(factors)]


def _in_bands(bands: Sequence[tuple[float, float, float]], leaves: Floats, drive: Floats) -> Floats:
    """Seconds on the way for ``drive`` seconds at full speed, driven through the bands of the day."""
    now, left = leaves, drive
    for _, end_s, factor in bands:
        used = np.minimum(left, np.maximum(0.0, end_s - now) * factor)
        now, left = now + used / factor, left - used
    return np.asarray(now - leaves if bands else drive, dtype=np.float64)


def _at_door(now: Floats, windows: Sequence[Window]) -> Floats:
    """When the door is open next; infinity after its last closing."""
    if not windows:
        return now
    start = np.full(now.shape, np.inf)
    for window in reversed(windows):
        start = np.where(now <= window.end_s, np.maximum(now, window.start_s), start)
    return start


def at_quantile(
    problem: Problem, travel: TravelMatrix, spread: Spread, quantile: float
) -> tuple[Problem, TravelMatrix]:
    """The same day with travel and services so long that they suffice with this probability."""
    factor, service = spread.travel_factor(quantile), spread.service_factor(quantile)
    requests = tuple(
        replace(
            request,
            pickup_service_s=round(request.pickup_service_s * service),
            delivery_service_s=round(request.delivery_service_s * service),
        )
        for request in problem.requests
    )
    longer = np.ceil(travel.travel_s * factor).astype(np.int32)
    return replace(problem, requests=requests, travel=None), replace(travel, travel_s=longer)


def plan_for(
    problem: Problem,
    travel: TravelMatrix,
    spread: Spread,
    share: float,
    plan_of: Callable[[Problem, TravelMatrix], Plan],
    *,
    quantiles: Sequence[float] = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98),
    runs: int = RUNS,
    seed: int = 1,
) -> Chosen:
    """Plan with ever longer times until ``share`` of the requests are in time in the simulation.

    ``plan_of`` makes a plan, for instance ``lambda p, t: solve(p, params, travel=t)``. When no quantile reaches the
    share, the best one is returned with ``reached=False``. The plan's times are those of its quantile.
    """
    tried: list[tuple[float, float, float]] = []
    best: Chosen | None = None
    for quantile in quantiles:
        plan = plan_of(*at_quantile(problem, travel, spread, quantile))
        odds = simulate(problem, plan, travel, spread, runs=runs, seed=seed)
        tried.append((quantile, odds.share_on_time, plan.cost))
        if best is None or odds.share_on_time > best.odds.share_on_time:
            best = Chosen(plan, odds, quantile, (), odds.share_on_time >= share)
        if odds.share_on_time >= share:
            break
    if best is None:
        raise ValueError("no quantile to plan for")
    return replace(best, tried=tuple(tried))
