"""Two tiers: townships to their county centre, and from there on with a trunk run to the city.

    found = plan_tiers(centres, trunk, lambda problem: solve(problem, params))

Departures are chosen among candidates: a run that leaves late takes more along, one that leaves early is in the city
early and may share a courier. From a departure follows the due time of every feeder that must reach it; what cannot
reach it goes by the next run, or is brought to the centre within its own limits and waits there.

The choice is a descent, one centre at a time, over plans that are all made by ``plan_of``; it proves nothing. The
first key is how many consignments fail to arrive in time, then money, then how early the city has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from routing.connections import Chain, Connections, Departure, Hub, Onward, Run, connect, departure_of, legs_of
from routing.plan import Plan
from routing.problem import DAY_S, HORIZON_S, Problem, Request, Window

PlanOf = Callable[[Problem], Plan]
TRIES = 60
WAIT_S = 900


@dataclass(frozen=True, slots=True)
class Centre:
    """A county: its feeders' problem, what of it goes on, and when a trunk may be loaded.

    ``trunk``: one run to the city with what the centre itself sends; what the feeders add to its load, and its hours,
    are put in for each departure. ``departures``: moments at which loading may begin, or see :func:`every`.
    ``transfer_s``: from handover at the centre to loading. ``runs``: at most so many departures are chosen.
    """

    site_id: str
    feeders: Problem
    onward: tuple[Onward, ...]
    trunk: Request
    departures: tuple[int, ...]
    transfer_s: int = 1800
    runs: int = 1


@dataclass(frozen=True, slots=True)
class TwoTiers:
    """Plans of all counties and of the trunk, with the problems as they were derived: each plan keeps its own.

    ``departures``: chosen for each centre. ``chains``: every request of every county in order.
    """

    departures: Mapping[str, tuple[int, ...]]
    feeder_problems: Mapping[str, Problem]
    feeders: Mapping[str, Plan]
    trunk_problem: Problem
    trunk: Plan
    chains: tuple[Chain, ...]
    runs: tuple[Run, ...]
    tried: int = 0

    @property
    def cost(self) -> float:
        """Of all tiers together."""
        return round(self.trunk.cost + sum(plan.cost for plan in self.feeders.values()), 2)


def every(window: Window, step_s: int = 900) -> tuple[int, ...]:
    """A window of departures as moments, its end included."""
    return tuple(sorted({*range(window.start_s, window.end_s, step_s), window.end_s}))


def run_id(centre: str, departs_s: int) -> str:
    """The name of a trunk run in the trunk's problem."""
    return f"trunk:{centre}:{departs_s}"


def must_be_handed_s(departs_s: int, transfer_s: int, request: Request) -> int:
    """When a handover at the centre must begin for the load to be sorted before the departure."""
    return departs_s - transfer_s - request.delivery_service_s


def derived(problem: Problem, due_s: Mapping[str, int]) -> Problem:
    """The problem with earlier due times for these requests; never later than their own."""
    requests = tuple(
        replace(one, due_s=max(0, min(one.due_s, due_s[one.id]))) if one.id in due_s else one
        for one in problem.requests
    )
    return replace(problem, requests=requests)


def relaxed(
    problem: Problem, ladder: Mapping[str, Sequence[int]], plan_of: PlanOf
) -> tuple[Problem, Plan, dict[str, int]]:
    """Plan with the first due time of each ladder; what finds no place then has the next, at last its own.

    Returns the problem as planned, the plan, and how far down each request went.
    """
    step = dict.fromkeys(ladder, 0)
    while True:
        due_s = {name: dues[step[name]] for name, dues in ladder.items() if step[name] < len(dues)}
        wanted = derived(problem, due_s)
        plan = plan_of(wanted)
        missed = [one.request_id for one in plan.unserved if one.request_id in due_s]
        if not missed:
            return wanted, plan, step
        for name in missed:
            step[name] += 1


Choice = tuple[int, ...]


def plan_tiers(
    centres: Sequence[Centre],
    trunk: Problem,
    plan_of: PlanOf,
    *,
    tries: int = TRIES,
    wait_s: int = WAIT_S,
    should_stop: Callable[[], bool] | None = None,
) -> TwoTiers:
    """Choose departures and plan both tiers. ``trunk``: couriers and sites of the city, and what else they fetch.

    ``wait_s``: how long after its departure a run may be loaded, so that one courier can fetch from several centres.
    ``tries``: how many combinations of departures are planned at most. Raises ValueError for a centre without
    departures.
    """
    for centre in centres:
        if not centre.departures:
            raise ValueError(f"{centre.site_id}: no departure to choose from")
    table = _Table(centres, trunk, plan_of, wait_s)
    best = table.tried(table.together())
    better = True
    while better:
        better = False
        for number, centre in enumerate(centres):
            for option in _options(centre):
                if table.count >= tries or (should_stop is not None and should_stop()):
                    return best.found(table.count)
                choices = [*best.choices[:number], option, *best.choices[number + 1 :]]
                if option != best.choices[number] and (other := table.tried(choices)).score < best.score:
                    best, better = other, True
        better = better and len(centres) > 1
    return best.found(table.count)


def _options(centre: Centre) -> Iterator[Choice]:
    """Every choice of one departure, then of more."""
    moments = sorted(set(centre.departures), reverse=True)
    for size in range(1, centre.runs + 1):
        yield from (tuple(sorted(some)) for some in combinations(moments, size))


@dataclass(frozen=True, slots=True)
class _Fed:
    """A county planned for a choice of departures."""

    problem: Problem
    plan: Plan
    made: Mapping[str, int | None]
    """Each consignment's departure by the times of the plan; None = it misses all."""


@dataclass(frozen=True, slots=True)
class _Tried:
    choices: list[Choice]
    fed: list[_Fed]
    trunk_problem: Problem
    trunk: Plan
    connections: Connections
    score: tuple[int, float, int]
    centres: Sequence[Centre]

    def found(self, tried: int) -> TwoTiers:
        names = [centre.site_id for centre in self.centres]
        rest = [
            Chain(one.id, centre.site_id, False, (leg,) if (leg := legs.get(one.id)) else ())
            for centre, fed in zip(self.centres, self.fed, strict=True)
            for legs in (legs_of(fed.plan.routes),)
            for one in fed.problem.requests
            if one.id not in fed.made
        ]
        return TwoTiers(
            departures=dict(zip(names, self.choices, strict=True)),
            feeder_problems={name: fed.problem for name, fed in zip(names, self.fed, strict=True)},
            feeders={name: fed.plan for name, fed in zip(names, self.fed, strict=True)},
            trunk_problem=self.trunk_problem,
            trunk=self.trunk,
            chains=(*self.connections.chains, *rest),
            runs=self.connections.runs,
            tried=tried,
        )


@dataclass(slots=True)
class _Table:
    """Plans made so far: a county's depend on its own departures alone."""

    centres: Sequence[Centre]
    trunk: Problem
    plan_of: PlanOf
    wait_s: int
    count: int = 0
    fed: dict[tuple[str, Choice], _Fed] = field(default_factory=dict)

    def together(self) -> list[Choice]:
        """One departure for each centre, such that the couriers can make them all: loads are fetched late."""
        wishes = [self._open(centre) for centre in self.centres]
        plan = self.plan_of(replace(self.trunk, requests=(*self.trunk.requests, *wishes)))
        legs = legs_of(plan.routes)
        found: list[Choice] = []
        for centre, wish in zip(self.centres, wishes, strict=True):
            leg = legs.get(wish.id)
            moments = sorted(set(centre.departures))
            loaded = moments[-1] if leg is None or leg.start_s is None else leg.start_s
            found.append((max((at_s for at_s in moments if at_s <= loaded), default=moments[0]),))
        return found

    def _open(self, centre: Centre) -> Request:
        """The run at whichever of its departures, with everything aboard."""
        moments = sorted(set(centre.departures))
        ends = [
            min(at_s + self.wait_s, after - 1) for at_s, after in zip(moments, [*moments[1:], HORIZON_S], strict=True)
        ]
        run = self._run(centre, moments[0], ())
        windows = tuple(Window(at_s, end_s) for at_s, end_s in zip(moments, ends, strict=True))
        return replace(run, load=_loaded(centre, centre.onward), latest_pickup_s=ends[-1], pickup_windows=windows)

    def tried(self, choices: Sequence[Choice]) -> _Tried:
        self.count += 1
        pairs = list(zip(self.centres, choices, strict=True))
        fed = [self._feeders(centre, choice) for centre, choice in pairs]
        runs = [
            (centre, at_s, tuple(one for one in centre.onward if made.made.get(one.request_id) == at_s))
            for (centre, choice), made in zip(pairs, fed, strict=True)
            for at_s in choice
        ]
        runs = [run for run in runs if run[2] or any(run[0].trunk.load.values())]  # nothing to drive for
        problem, plan = self.trunk_plan(runs)
        legs = legs_of(route for one in (*(county.plan for county in fed), plan) for route in one.routes)
        departures = [
            found
            for centre, at_s, _ in runs
            if (found := departure_of(run_id(centre.site_id, at_s), centre.site_id, legs)) is not None
        ]
        hubs = {centre.site_id: _hub(centre, choice) for centre, choice in pairs}
        onward = [one for centre in self.centres for one in centre.onward]
        booked = {one.request_id: run_id(centre.site_id, at_s) for centre, at_s, aboard in runs for one in aboard}
        joined = connect(onward, hubs, departures, legs, booked)
        failed = sum(not chain.in_time for chain in joined.chains) + len(plan.unserved)
        failed += sum(one.request_id not in made.made for made in fed for one in made.plan.unserved)
        cost = round(plan.cost + sum(one.plan.cost for one in fed), 2)
        score = (failed, cost, sum(departure.city_s for departure in departures))
        return _Tried(list(choices), fed, problem, plan, joined, score, self.centres)

    def _feeders(self, centre: Centre, choice: Choice) -> _Fed:
        key = (centre.site_id, choice)
        if key not in self.fed:
            requests = {one.id: one for one in centre.feeders.requests}
            ladder = {
                one.request_id: [must_be_handed_s(at_s, centre.transfer_s, requests[one.request_id]) for at_s in choice]
                for one in centre.onward
            }
            problem, plan, _ = relaxed(centre.feeders, ladder, self.plan_of)
            legs = legs_of(plan.routes)
            made = {
                one.request_id: next(
                    (
                        at_s
                        for at_s in choice
                        if one.request_id in legs and legs[one.request_id].handed_s + centre.transfer_s <= at_s
                    ),
                    None,
                )
                for one in centre.onward
            }
            self.fed[key] = _Fed(problem, plan, made)
        return self.fed[key]

    def trunk_plan(self, runs: Sequence[tuple[Centre, int, tuple[Onward, ...]]]) -> tuple[Problem, Plan]:
        """The trunk with these runs and what each takes along."""
        wishes = [self._run(*run) for run in runs]
        problem = replace(self.trunk, requests=(*self.trunk.requests, *wishes))
        plan = self.plan_of(problem)
        left = {one.request_id for one in plan.unserved}
        if not any(wish.id in left for wish in wishes):
            return problem, plan
        # A use-by that a run cannot meet must not keep the rest of its load at the centre.
        own = [replace(wish, due_s=run[0].trunk.due_s) for wish, run in zip(wishes, runs, strict=True)]
        wishes = [later if wish.id in left else wish for wish, later in zip(wishes, own, strict=True)]
        problem = replace(self.trunk, requests=(*self.trunk.requests, *wishes))
        return problem, self.plan_of(problem)

    def _run(self, centre: Centre, at_s: int, aboard: Sequence[Onward]) -> Request:
        due_s = min([centre.trunk.due_s, *(one.due_s for one in aboard if one.due_s > at_s)])
        return replace(
            centre.trunk,
            id=run_id(centre.site_id, at_s),
            load=_loaded(centre, aboard),
            ready_s=at_s,
            latest_pickup_s=at_s + self.wait_s,
            pickup_windows=(),
            due_s=due_s,
        )


def _loaded(centre: Centre, aboard: Sequence[Onward]) -> dict[str, int]:
    """Slots of what the centre itself sends and of these consignments."""
    load = dict(centre.trunk.load)
    for one in aboard:
        for name, slots in one.load.items():
            load[name] = load.get(name, 0) + slots
    return load


def _hub(centre: Centre, choice: Choice) -> Hub:
    extra = tuple(at_s for at_s in sorted(set(centre.departures)) if at_s not in choice)
    tomorrow_s = choice[0] + DAY_S
    return Hub(centre.site_id, centre.transfer_s, extra, tomorrow_s if tomorrow_s <= HORIZON_S else None)


__all__ = [
    "Centre",
    "Departure",
    "Onward",
    "TwoTiers",
    "derived",
    "every",
    "must_be_handed_s",
    "plan_tiers",
    "relaxed",
    "run_id",
]
