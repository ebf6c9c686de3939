"""Ruin and recreate: take related requests out of the routes and put them back better, exactly checked.

The OR-Tools search is good at shortening routes and poor at making room for what it left out; this is the
other half. Nothing here is trusted that the exact schedule did not accept.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from routing.insertion import drive_s, loads_hold, orders
from routing.instance import Instance, Visit
from routing.plan import PlanProgress
from routing.schedule import earliest, line_of, plan_times

Routes = tuple[tuple[Visit, ...], ...]
Score = tuple[int, float]

_WEIGHT = {"routine": 1, "urgent": 1_000, "stat": 1_000_000}
_CACHE_LIMIT = 400_000
_PATIENCE = 30
"""Rounds per request without a better plan after which the search ends early: small days need no waiting."""

_WARM = 0.02
"""How much worse than the best, as a share of its cost, may still be accepted at the beginning."""


@dataclass(slots=True)
class Rounds:
    """When to end: after ``seconds``, or after ``count`` rounds where that is given (reproducible)."""

    seconds: float
    count: int | None = None


@dataclass(slots=True)
class _Memory:
    """Best insertions and costs already worked out; a route is its own key."""

    place: dict[tuple[int, int, tuple[Visit, ...]], tuple[float, tuple[Visit, ...]] | None] = field(
        default_factory=dict
    )
    cost: dict[tuple[int, tuple[Visit, ...]], float] = field(default_factory=dict)


class Improver:
    """One run over one instance. ``allowed[i]``: couriers that may take request i."""

    def __init__(
        self, instance: Instance, requests: Sequence[int], allowed: Sequence[Sequence[int]], seed: int = 1
    ) -> None:
        self.instance = instance
        self.requests = tuple(requests)
        self.allowed = allowed
        self._rng = random.Random(seed)
        self._memory = _Memory()
        self._related = {request: self._neighbours(request) for request in self.requests}

    def _neighbours(self, request: int) -> list[int]:
        """The other requests, nearest in place and time first."""
        here, wish = self.instance, self.instance.requests[request]

        def far(other: int) -> float:
            rival = here.requests[other]
            apart = here.travel_s[here.pickup_row[request]][here.pickup_row[other]]
            ends = here.travel_s[here.delivery_row[request]][here.delivery_row[other]]
            return apart + 0.5 * ends + 0.3 * abs(wish.ready_s - rival.ready_s)

        return sorted((other for other in self.requests if other != request), key=far)

    def cost(self, courier: int, visits: tuple[Visit, ...]) -> float:
        """What the route costs as it will be driven; infinite when its order cannot be kept."""
        key = (courier, visits)
        known = self._memory.cost.get(key)
        if known is None:
            known = self._memory.cost[key] = self._exact(courier, visits) if visits else 0.0
        return known

    def _exact(self, courier: int, visits: tuple[Visit, ...]) -> float:
        times = plan_times(line_of(self.instance, courier, visits))
        return math.inf if times is None else self._priced(courier, visits, times[-1] - times[0])

    def _guess(self, courier: int, visits: tuple[Visit, ...]) -> float:
        """The same without waiting, for the order in which places are tried."""
        busy_s = drive_s(self.instance, courier, visits) + sum(map(self.instance.service_s, visits))
        return self._priced(courier, visits, busy_s) if visits else 0.0

    def _priced(self, courier: int, visits: tuple[Visit, ...], seconds: int) -> float:
        instance, person = self.instance, self.instance.couriers[courier]
        rows = [instance.start_row[courier], *map(instance.row_of, visits), instance.end_row[courier]]
        metres = sum(instance.distance_m[a][b] for a, b in pairwise(rows))
        return person.cost_fixed + person.cost_per_km * metres / 1000 + person.cost_per_hour * seconds / 3600

    def place(self, courier: int, visits: tuple[Visit, ...], request: int) -> tuple[float, tuple[Visit, ...]] | None:
        """The cheapest order that takes the request in and holds exactly: added cost and the order."""
        key = (request, courier, visits)
        if key in self._memory.place:
            return self._memory.place[key]
        if len(self._memory.place) > _CACHE_LIMIT:
            self._memory = _Memory()
        instance, base = self.instance, self._guess(courier, visits)
        tries = sorted(
            (self._guess(courier, order) - base, order) for order in orders(instance, courier, visits, request)
        )
        found = None
        for added, order in tries:
            if not loads_hold(instance, instance.capacity[courier], order):
                continue
            if earliest(line_of(instance, courier, order)) is not None:
                found = (added, order)
                break
        self._memory.place[key] = found
        return found

    def score(self, routes: Routes, left: Sequence[int]) -> Score:
        """First what is left out, weighed by priority, then the cost."""
        weight = sum(_WEIGHT[self.instance.requests[request].priority] for request in left)
        return weight, sum(self.cost(courier, visits) for courier, visits in enumerate(routes))

    def fill(self, routes: Routes, left: Sequence[int]) -> tuple[Routes, list[int]]:
        """Put in what fits: the urgent first, then who would lose most by waiting (regret)."""
        now, waiting, out = list(routes), list(left), []
        while waiting:
            options = {request: self._options(now, request) for request in waiting}
            request = max(waiting, key=lambda one: self._regret(one, options[one]))
            waiting.remove(request)
            if not options[request]:
                out.append(request)
                continue
            _, courier, order = options[request][0]
            now[courier] = order
        return tuple(now), out

    def _options(self, routes: Sequence[tuple[Visit, ...]], request: int) -> list[tuple[float, int, tuple[Visit, ...]]]:
        found = []
        for courier in self.allowed[request]:
            if self._rng.random() < 0.03:
                continue  # a blink: now and then the obvious courier is overlooked
            place = self.place(courier, routes[courier], request)
            if place is not None:
                found.append((place[0], courier, place[1]))
        return sorted(found)

    def _regret(self, request: int, options: Sequence[tuple[float, int, tuple[Visit, ...]]]) -> tuple[int, float]:
        weight = _WEIGHT[self.instance.requests[request].priority]
        if not options:
            return weight, float("-inf")
        if len(options) == 1:
            return weight, 1e6 - options[0][0]
        return weight, options[1][0] - options[0][0] + self._rng.random()

    def ruin(self, routes: Routes, left: Sequence[int]) -> tuple[Routes, list[int]]:
        """Take out some requests around a seed, more often around one that is left out."""
        rng = self._rng
        seed = rng.choice(left) if left and rng.random() < 0.6 else rng.choice(self.requests)
        size = min(len(self._related[seed]), rng.randint(3, 12))
        near = self._related[seed][: 3 * size]
        gone = {seed, *rng.sample(near, size)} if rng.random() < 0.5 else {seed, *near[:size]}
        kept = tuple(
            tuple(visit for visit in visits if (visit if visit >= 0 else ~visit) not in gone) for visits in routes
        )
        return kept, sorted(gone | set(left))

    def run(
        self,
        routes: Routes,
        rounds: Rounds,
        progress: Callable[[PlanProgress], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        *,
        offset_s: float = 0.0,
    ) -> tuple[Routes, bool]:
        """Improve until the rounds are over; the best routes and whether the caller asked to stop."""
        began = time.monotonic()
        served = {visit for visits in routes for visit in visits if visit >= 0}
        now, out = self.fill(routes, [request for request in self.requests if request not in served])
        score = self.score(now, out)
        best, best_score = now, score
        done = since = 0
        while since < _PATIENCE * max(10, len(self.requests)):
            spent = (time.monotonic() - began) / max(rounds.seconds, 1e-9)
            if spent >= 1 or (rounds.count is not None and done >= rounds.count):
                break
            if should_stop is not None and should_stop():
                return best, True
            done, since = done + 1, since + 1
            share = done / rounds.count if rounds.count is not None else spent
            tried, still = self.fill(*self.ruin(now, out))
            new = self.score(tried, still)
            if new[0] < score[0] or (new[0] == score[0] and new[1] < best_score[1] * (1 + _WARM * (1 - share))):
                now, out, score = tried, still, new
            if new < best_score:
                best, best_score, since = tried, new, 0
                if progress is not None:
                    elapsed_s = offset_s + time.monotonic() - began
                    progress(PlanProgress(elapsed_s, round(new[1], 2), len(still), done))
        return best, False
