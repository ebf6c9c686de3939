"""Township → county centre → city within one plan: what goes on, which trunk run it must reach, and planning by that.

A box with tubes for the city is due at its county centre so early that they are sorted before the trunk is loaded;
of the day's forecast rounds, those of townships that lately sent such tubes. What no trunk can take along is brought
all the same, within its own limits, and the plan says what that costs. Plans keep what they know of this beside their
routes, so that the connections are right after every edit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Consignment, ConsignmentLine, Pickup, Plan, Site, Specimen, Stop
from logistics.models.network import COUNTY_CENTRE, TOWNSHIP
from logistics.services import planning_limits, roads, timetable
from logistics.services.pickups import at_minute
from logistics.services.planning_problem import AREA, DayClock, Draft, pickup_of
from routing import Courier, Problem, Request, Route, Window, from_builtins
from routing import Plan as Found
from routing.connections import Connections, Departure, Hub, Onward, Tiers, departure_of, legs_of
from routing.tiers import WAIT_S, Centre, TwoTiers, derived, every, must_be_handed_s, plan_tiers, run_id

SORTING = timedelta(minutes=30)
"""At a county centre, from the handover of a box until its tubes for the city are sealed for the trunk."""
STEP_S = 1800
"""Departures to choose from lie so far apart."""
LOOK_BACK = timedelta(weeks=4)
CHOOSING, REPAIRING = 0.2, 0.2
"""Shares of the planning time."""
ROUNDS = 4
"""Times that the whole is planned at most, because something of it could not be kept."""
QUICK_S = 0.4


class Solve(Protocol):
    """Plans ``problem`` for so long, from ``start``; ``quick``: one of many, nobody is told of it."""

    def __call__(
        self, problem: Problem, seconds: float, start: Found | None = None, /, *, quick: bool = False
    ) -> Found:
        """The plan."""


def read(session: Session, draft: Draft, *, day: str, now: datetime) -> Tiers:
    """What of the draft goes on to the city, and by which runs."""
    return _Reader(session, draft, day, now).tiers()


def connections(row: Plan) -> Connections | None:
    """Which box makes which trunk in a stored plan; None for a plan without trunks."""
    tiers = tiers_of(row)
    if tiers is None or not (tiers.onward or tiers.trips):
        return None
    return tiers.connections(from_builtins(route, Route) for route in row.result["routes"])


def tiers_of(row: Plan) -> Tiers | None:
    """What a stored plan knows of its two tiers."""
    held = row.marks.get("tiers")
    return from_builtins(held, Tiers) if held else None


class _Reader:
    def __init__(self, session: Session, draft: Draft, day: str, now: datetime) -> None:
        self.session, self.day, self.clock = session, day, DayClock(day)
        self.roads = roads.known(session)
        self.limits = planning_limits.Limits(session, day, now)
        self.requests = {one.id: one for one in draft.problem.requests}
        ids = [found for name in self.requests if (found := pickup_of(name)) is not None]
        self.pickups = list(session.scalars(select(Pickup).where(Pickup.id.in_(ids)).order_by(Pickup.id)))
        self.sites: dict[str, Site] = {site.code: site for site in session.scalars(select(Site))}

    def tiers(self) -> Tiers:
        trips = {f"P{one.id}": one.site_code for one in self.pickups if self._is_trunk(one)}
        onward = [*self._fetched(), *self._aboard()]
        centres = sorted({*trips.values(), *(one.centre for one in onward)})
        hubs = tuple(Hub(code, int(SORTING.total_seconds()), self._moments(code, trips)) for code in centres)
        others = [departure for code in centres for departure in self._elsewhere(code, set(trips))]
        known = {*trips.values(), *(one.centre for one in others)}
        others += [self._by_rule(code) for code in centres if code not in known]
        return Tiers(tuple(onward), hubs, trips, tuple(others))

    def _is_trunk(self, pickup: Pickup) -> bool:
        site = self.sites[pickup.site_code]
        return site.tier == COUNTY_CENTRE and pickup.destination_code == site.parent_code

    def _is_feeder(self, origin: str, destination: str) -> bool:
        to = self.sites[destination]
        return self.sites[origin].tier == TOWNSHIP and to.tier == COUNTY_CENTRE and to.parent_code is not None

    def _fetched(self) -> list[Onward]:
        feeders = [one for one in self.pickups if self._is_feeder(one.site_code, one.destination_code)]
        lately = self._lately({one.site_code for one in feeders})
        found = []
        for pickup in feeders:
            boxes = self.limits.boxes(pickup) if pickup.kind != "round" else []
            keeps: list[datetime | None] | None = [None] if pickup.site_code in lately else None
            if boxes:
                keeps = self.limits.going_on([box.number for box in boxes], pickup.destination_code)
            if keeps is not None:
                found.append(self._onward(f"P{pickup.id}", pickup.destination_code, keeps))
        return found

    def _aboard(self) -> list[Onward]:
        found = []
        for name, request in self.requests.items():
            to = self.sites.get(request.delivery_site)
            if not name.startswith("A") or to is None or to.tier != COUNTY_CENTRE or to.parent_code is None:
                continue
            keeps = self.limits.going_on([name[1:]], to.code)
            consignment = self.session.get(Consignment, name[1:])
            if keeps is not None and consignment is not None and consignment.kind == "specimens":
                found.append(self._onward(name, to.code, keeps))
        return found

    def _onward(self, name: str, centre: str, keeps: Sequence[datetime | None]) -> Onward:
        city = self.sites[str(self.sites[centre].parent_code)]
        cutoff = self.limits.cutoff(city.code) or at_minute(self.day, 24 * 60 - 1)
        due = min([cutoff, *(use_by for use_by in keeps if use_by is not None)])
        return Onward(name, centre, {}, self.clock.s(due))

    def _lately(self, townships: Collection[str]) -> set[str]:
        """Those from which tubes went on to the city in the last weeks."""
        since = self.clock.midnight - LOOK_BACK
        rows = self.session.scalars(
            select(Consignment.origin_code)
            .join(ConsignmentLine, ConsignmentLine.consignment_number == Consignment.number)
            .join(Specimen, Specimen.id == ConsignmentLine.specimen_id)
            .where(Consignment.origin_code.in_(sorted(townships)), Consignment.sealed_at >= since)
            .where(Specimen.destination_code != Consignment.destination_code)
            .distinct()
        )
        return set(rows)

    def _moments(self, centre: str, trips: Mapping[str, str]) -> tuple[int, ...]:
        """When a trunk could be loaded: within the hours of the run that this plan has, else of the fixed one."""
        own = [self.requests[name] for name, code in trips.items() if code == centre]
        if own:
            window = Window(min(one.ready_s for one in own), max(one.latest_pickup_s for one in own))
        else:
            first, last = timetable.trunk_window(self.day, self.sites[centre])
            window = Window(self.clock.s(first), self.clock.s(last))
        return every(window, STEP_S)

    def _elsewhere(self, centre: str, trips: set[str]) -> list[Departure]:
        """Runs of published plans that this one does not plan: promised to couriers, or driven already."""
        parent = self.sites[centre].parent_code
        ids = set(
            self.session.scalars(
                select(Pickup.id).where(
                    Pickup.day == self.day, Pickup.site_code == centre, Pickup.destination_code == parent
                )
            )
        ) - {pickup_of(name) for name in trips}
        stops = self.session.scalars(
            select(Stop)
            .join(Plan, Plan.id == Stop.plan_id)
            .where(Plan.day == self.day, Plan.state.in_(("published", "superseded")))
            .where(Stop.site_code.in_((centre, parent or centre)), Stop.state != "skipped")
            .order_by(Stop.plan_id, Stop.position)
        ).all()
        found: dict[int, Departure] = {}
        for loading in stops:
            for one in ids & set(loading.pickup_ids):
                handing = next(
                    (stop for stop in stops if stop.courier == loading.courier and one in stop.delivery_ids), None
                )
                at_s = self.clock.s(loading.actual_arrive_at or loading.arrive_at) + roads.DOOR_S
                city_s = self.clock.s(handing.actual_arrive_at or handing.arrive_at) if handing else None
                city_s = city_s if city_s is not None else at_s + self._ride_s(centre)
                found[one] = Departure(f"P{one}", centre, at_s, max(at_s, city_s), loading.courier)
        return list(found.values())

    def _by_rule(self, centre: str) -> Departure:
        """The city has not planned yet: the run leaves at the last moment of the fixed one."""
        at_s = self.clock.s(timetable.trunk_latest(self.day, self.sites[centre]))
        return Departure("", centre, at_s, at_s + self._ride_s(centre))

    def _ride_s(self, centre: str) -> int:
        known = [self.sites[centre], self.sites[str(self.sites[centre].parent_code)]]
        places = [self.roads.place(site) for site in known]
        if None in places:
            return int(planning_limits.TRUNK_RIDE.total_seconds())
        return int(self.roads.estimate.matrix([place for place in places if place]).travel_s[0, 1])


def plan(
    draft: Draft, tiers: Tiers, seconds: float, solve: Solve, should_stop: Callable[[], bool]
) -> tuple[Problem, Found]:
    """Plan the draft so that what goes on reaches its trunk; the problem as it was planned, with its derived times."""
    problem = draft.problem
    if not tiers.onward:
        return problem, solve(problem, seconds)
    windows: dict[str, tuple[int, int]] = {}
    departs = {one.centre: one.departs_s for one in tiers.departures}
    start: Found | None = None
    if tiers.trips:
        began = time.monotonic()
        windows, start = _chosen(problem, tiers, seconds * CHOOSING, solve, should_stop)
        seconds = max(1.0, seconds - (time.monotonic() - began))
        departs |= {tiers.trips[name]: window[0] for name, window in windows.items()}
    asked = _Asked(problem, tiers, windows, departs)
    share = seconds
    for last in (*[False] * (ROUNDS - 1), True):
        wanted = asked.problem()
        found = solve(wanted, share, start)
        if last or not asked.learnt(found):
            break
        share, start = max(1.0, seconds * REPAIRING), found
    return wanted, found


class _Asked:
    """What is asked of the plan at present: departures, and due times by them, until something cannot be kept."""

    def __init__(
        self, whole: Problem, tiers: Tiers, windows: Mapping[str, tuple[int, int]], departs: Mapping[str, int]
    ) -> None:
        self.whole, self.tiers = whole, tiers
        self.windows, self.departs = dict(windows), dict(departs)
        self.late: set[str] = set()
        """What misses its trunk whatever is done."""

    def problem(self) -> Problem:
        due_s = _dues(self.whole, self.tiers, self.departs)
        kept = {name: at_s for name, at_s in due_s.items() if name not in self.late}
        return derived(_within(self.whole, self.windows), kept)

    def learnt(self, found: Found) -> bool:
        """Take back what this plan could not keep, and hold its runs to when they leave; False: all is as asked."""
        left = {one.request_id for one in found.unserved}
        missed = {one.request_id for one in self.tiers.onward if one.centre in self.departs} & left - self.late
        dropped = {name for name in self.windows if name in left}
        self.late |= missed
        for name in dropped:  # it leaves when it can: then its feeders are due by that
            del self.windows[name]
            self.departs.pop(self.tiers.trips[name], None)
        legs = legs_of(found.routes)
        fixed = False
        for name, centre in self.tiers.trips.items():
            run = departure_of(name, centre, legs)
            if run is not None and name not in self.windows and centre not in self.departs:
                self.windows[name] = (run.departs_s, run.departs_s + WAIT_S)
                self.departs[centre] = run.departs_s
                fixed = True
        return bool(missed or dropped or fixed)


def _dues(problem: Problem, tiers: Tiers, departs: Mapping[str, int]) -> dict[str, int]:
    """When each box that goes on must be handed over at its centre; none for what has missed its trunk already."""
    transfer = {hub.site_id: hub.transfer_s for hub in tiers.hubs}
    requests = {one.id: one for one in problem.requests}
    found = {
        one.request_id: must_be_handed_s(departs[one.centre], transfer[one.centre], requests[one.request_id])
        for one in tiers.onward
        if one.centre in departs
    }
    return {name: at_s for name, at_s in found.items() if at_s > requests[name].ready_s}


def _within(problem: Problem, windows: Mapping[str, tuple[int, int]]) -> Problem:
    requests = tuple(_at(one, *windows[one.id]) if one.id in windows else one for one in problem.requests)
    return replace(problem, requests=requests)


def _at(run: Request, from_s: int, until_s: int) -> Request:
    return replace(run, ready_s=from_s, latest_pickup_s=max(from_s, min(run.latest_pickup_s, until_s)))


def _chosen(
    problem: Problem, tiers: Tiers, seconds: float, solve: Solve, should_stop: Callable[[], bool]
) -> tuple[dict[str, tuple[int, int]], Found | None]:
    """A departure for each centre's run, and where the search of the whole begins."""
    until = time.monotonic() + seconds
    transfer = {hub.site_id: hub for hub in tiers.hubs}
    by_centre: dict[str, str] = {}
    for name, centre in tiers.trips.items():
        by_centre.setdefault(centre, name)
    trunk_people = _drivers(problem)
    centres = [
        Centre(
            site_id=code,
            feeders=_feeders(problem, code, trunk_people),
            onward=tuple(one for one in tiers.onward if one.centre == code),
            trunk=next(one for one in problem.requests if one.id == name),
            departures=transfer[code].extra_s,
            transfer_s=transfer[code].transfer_s,
        )
        for code, name in sorted(by_centre.items())
    ]
    centres = [_only_asked(centre) for centre in centres]
    trunk = replace(problem, requests=(), couriers=trunk_people)

    def stop() -> bool:
        return should_stop() or time.monotonic() > until

    found = plan_tiers(centres, trunk, lambda one: solve(one, QUICK_S, quick=True), should_stop=stop)
    names = {run_id(code, at_s): by_centre[code] for code, choice in found.departures.items() for at_s in choice}
    windows = {names[run_id(code, at)]: (at, at + WAIT_S) for code, choice in found.departures.items() for at in choice}
    return windows, _together(found, names)


def _only_asked(centre: Centre) -> Centre:
    """What goes on but is not among the feeders of the county's own couriers is left to the whole plan."""
    asked = {one.id for one in centre.feeders.requests}
    return replace(centre, onward=tuple(one for one in centre.onward if one.request_id in asked))


def _drivers(problem: Problem) -> tuple[Courier, ...]:
    """The couriers who may enter more than one county; where there are none, all."""
    roaming = tuple(one for one in problem.couriers if sum(skill.startswith(AREA) for skill in one.skills) > 1)
    return roaming or problem.couriers


def _feeders(problem: Problem, centre: str, drivers: Sequence[Courier]) -> Problem:
    """The county as its own couriers can drive it; where it has none, with the city's."""
    area = AREA + centre
    busy = {one.id for one in drivers}
    people = tuple(one for one in problem.couriers if area in one.skills and one.id not in busy)
    people = people or tuple(drivers)
    requests = tuple(
        one
        for one in problem.requests
        if one.delivery_site == centre and any(one.skills <= person.skills for person in people)
    )
    return replace(problem, requests=requests, couriers=people, name=centre)


def _together(found: TwoTiers, names: Mapping[str, str]) -> Found | None:
    """All routes as one plan; None when one courier would drive two of them."""
    routes = [route for plan in (*found.feeders.values(), found.trunk) for route in plan.routes]
    if len({route.courier_id for route in routes}) < len(routes):
        return None
    return replace(found.trunk, routes=tuple(_renamed(route, names) for route in routes), unserved=())


def _renamed(route: Route, names: Mapping[str, str]) -> Route:
    stops = tuple(
        replace(
            stop,
            services=tuple(replace(one, request_id=names.get(one.request_id, one.request_id)) for one in stop.services),
        )
        for stop in route.stops
    )
    return replace(route, stops=stops)


def carried(fresh: Request, planned: Mapping[str, Any] | None) -> Request:
    """A request as it stands now with the times that a plan has derived for it, where these are tighter."""
    if planned is None:
        return fresh
    ready_s = max(fresh.ready_s, int(planned["ready_s"]))
    return replace(
        fresh,
        ready_s=ready_s,
        latest_pickup_s=max(ready_s, min(fresh.latest_pickup_s, int(planned["latest_pickup_s"]))),
        due_s=min(fresh.due_s, int(planned["due_s"])),
    )
