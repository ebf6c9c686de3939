"""The day as it is driven without a planner: nearest-neighbour fixed rounds, in the morning and in the afternoon.

Each county's couriers share its townships in nearest-neighbour order from the county centre, and drive the same round
twice a day. A round ends at the county centre; what is for the city goes on there at once, and the courier drives
home. Who comes early waits until the specimens are ready. Paid are the hours on the rounds, not the noon between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from routing import Courier, Problem, Request
from routing.travel import TravelMatrix

ROUNDS_S = (30_600, 48_600)
"""When the rounds leave: 8:30 and 13:30."""
NOON_S = 43_200


@dataclass(slots=True)
class Driven:
    """What the rounds come to. ``on_time``: requests fetched and delivered within every limit of theirs."""

    couriers: int = 0
    metres: int = 0
    seconds: int = 0
    cost: float = 0.0
    on_time: set[str] = field(default_factory=set)


class _Round:
    """A courier under way: clock, place, metres and when each request was fetched."""

    def __init__(self, problem: Problem, travel: TravelMatrix, courier: Courier, leaves_s: int) -> None:
        self.row = {name: i for i, name in enumerate(travel.site_ids)}
        self.site = {site.id: site for site in problem.sites}
        self.travel = travel
        self.at, self.now_s, self.metres = courier.start_site, leaves_s, 0
        self.picked_s: dict[str, int] = {}
        self.on_time: set[str] = set()

    def go(self, place: str, visit: bool = True) -> None:
        """Drive to ``place`` and, with ``visit``, park and walk in."""
        if place != self.at:
            pair = self.row[self.at], self.row[place]
            self.metres += int(self.travel.distance_m[pair])
            self.now_s += int(self.travel.travel_s[pair]) + (self.site[place].visit_s if visit else 0)
            self.at = place

    def fetch(self, requests: Sequence[Request]) -> None:
        """Pick up in the order in which they are ready."""
        for one in sorted(requests, key=lambda r: r.ready_s):
            self.now_s = max(self.now_s, one.ready_s)
            if self.now_s <= one.latest_pickup_s:
                self.on_time.add(one.id)
            self.now_s += one.pickup_service_s
            self.picked_s[one.id] = self.now_s

    def deliver(self, requests: Sequence[Request], closes_s: int) -> None:
        """Hand over; late ones are no longer on time."""
        for one in requests:
            too_long = one.max_ride_s is not None and self.now_s - self.picked_s[one.id] > one.max_ride_s
            if too_long or self.now_s > min(one.due_s, closes_s):
                self.on_time.discard(one.id)
            self.now_s += one.delivery_service_s


def nearest_neighbour(start: str, places: Sequence[str], travel: TravelMatrix) -> list[str]:
    """The places in the order in which the nearest by road is always next."""
    row = {name: i for i, name in enumerate(travel.site_ids)}
    left, order, at = sorted(places), [], start
    while left:
        at = min(left, key=lambda name: (int(travel.distance_m[row[at], row[name]]), name))
        left.remove(at)
        order.append(at)
    return order


def fixed_rounds(problem: Problem, travel: TravelMatrix) -> Driven:
    """Drive both rounds of every county. Capacity is not looked at: the boxes are taken to be large enough."""
    crews: dict[str, list[Courier]] = defaultdict(list)
    for courier in problem.couriers:
        crews[courier.start_site].append(courier)
    county_of = {centre.removeprefix("H")[:6]: centre for centre in crews}
    places: dict[str, set[str]] = defaultdict(set)
    for one in problem.requests:
        places[county_of[one.pickup_site.removeprefix("H")[:6]]].add(one.pickup_site)
    result = Driven()
    for centre, crew in sorted(crews.items()):
        order = nearest_neighbour(centre, [name for name in places[centre] if name != centre], travel)
        share = -(-len(order) // len(crew))
        for number, courier in enumerate(crew):
            stops = order[number * share : (number + 1) * share] + ([centre] if number == 0 else [])
            _day(problem, travel, courier, stops, result)
    return result


def _day(problem: Problem, travel: TravelMatrix, courier: Courier, stops: Sequence[str], result: Driven) -> None:
    free_s, metres, seconds = 0, 0, 0
    closes_s = {site.id: site.receiving_windows[-1].end_s for site in problem.sites if site.receiving_windows}
    for leaves_s in ROUNDS_S:
        wishes = [
            one for one in problem.requests
            if one.pickup_site in stops and (one.ready_s > NOON_S) == (leaves_s > NOON_S)
        ]  # fmt: skip
        if not wishes:
            continue
        began_s = max(free_s, leaves_s)
        way = _Round(problem, travel, courier, began_s)
        for place in stops:
            here = [one for one in wishes if one.pickup_site == place]
            if here:
                way.go(place)
                way.fetch(here)
        for place in sorted({one.delivery_site for one in wishes}, key=lambda name: name != courier.start_site):
            way.go(place)
            way.deliver([one for one in wishes if one.delivery_site == place], closes_s.get(place, 172_800))
        way.go(courier.end_site, visit=False)
        free_s = way.now_s
        metres, seconds = metres + way.metres, seconds + way.now_s - began_s
        result.on_time |= way.on_time
    if metres:
        result.couriers += 1
        result.metres += metres
        result.seconds += seconds
        result.cost += courier.cost_fixed + courier.cost_per_km * metres / 1000 + courier.cost_per_hour * seconds / 3600
