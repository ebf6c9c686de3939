"""From rows to a routing problem: what waits or is expected, who is on shift, what is aboard, and until when.

Names in the problem: a pickup is ``P<id>``, a consignment aboard is ``A<number>``, a place where a courier is
now is ``@<username>``. The plan that comes back is read with the same names (``planning_store``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.access import subtree
from logistics.errors import Invalid
from logistics.models import (
    Consignment,
    Courier,
    CourierPosition,
    Pickup,
    Plan,
    Site,
    Stop,
)
from logistics.models import catalogue as classes
from logistics.models.network import TOWNSHIP
from logistics.services import legs, network, planning_limits, roads
from logistics.services.orders import local_day
from logistics.services.pickups import at_minute
from routing import Courier as Person
from routing import Priority, Problem, Request, Unserved
from routing import Site as Place
from routing.connections import Tiers
from routing.problem import DAY_S, HORIZON_S

LEAD = timedelta(minutes=2)
"""From publishing to a courier's first move."""
HANDOVER_S = 60
AREA = "area:"
"""A county is a skill: only couriers who have it are sent there."""
FRESH_POSITION = timedelta(minutes=30)
COST_FIXED, COST_PER_KM, COST_PER_HOUR = 20.0, 0.8, 25.0
NO_VEHICLE = {classes.COLD: 4, classes.AMBIENT: 4, classes.FROZEN: 1}
PRIORITY = {"routine": Priority.ROUTINE, "urgent": Priority.URGENT, "stat": Priority.STAT}


@dataclass(frozen=True, slots=True)
class Draft:
    """A problem with what could not even be asked, and how much is left to other plans of the day.

    ``tiers``: what of it goes on to the city, see ``planning_tiers``.
    """

    problem: Problem
    tiers: Tiers = field(default_factory=Tiers)
    unplaceable: tuple[Unserved, ...] = ()
    pickups_elsewhere: int = 0
    couriers_elsewhere: int = 0


class DayClock:
    """Seconds from local midnight of the plan day, both ways."""

    def __init__(self, day: str) -> None:
        self.midnight = at_minute(day, 0)

    def s(self, at: datetime) -> int:
        return max(0, min(HORIZON_S, int((at - self.midnight).total_seconds())))

    def at(self, seconds: int) -> datetime:
        return self.midnight + timedelta(seconds=seconds)


def pickup_of(request_id: str) -> int | None:
    """The pickup that a request of the problem stands for; None for a consignment aboard."""
    return int(request_id[1:]) if request_id.startswith("P") else None


def scope_sites(session: Session, scope_code: str) -> dict[str, Site]:
    """The scope's site and all below it. Raises Invalid when a day cannot be planned for such a site."""
    top = network.site(session, scope_code, field="scope")
    if top.tier not in ("county_centre", "city_centre"):
        raise Invalid("plan_scope_not_a_centre", field="scope", site=scope_code)
    codes = subtree(scope_code, network.parents(session))
    return {site.code: site for site in session.scalars(select(Site).where(Site.code.in_(sorted(codes))))}


def draft(session: Session, *, day: str, scope_code: str, now: datetime) -> Draft:
    """The day's problem for a scope as it stands ``now``; on the day itself only what is left of it.

    Raises Invalid('no_couriers') when nobody is on shift in the scope.
    """
    inside = scope_sites(session, scope_code)
    elsewhere = _promised_elsewhere(session, day, scope_code)
    wanted = _pickups(session, day, scope_code, inside)
    pickups = [pickup for pickup in wanted if pickup.id not in elsewhere.pickups]
    people = [c for c in _couriers(session, inside) if c.username not in elsewhere.couriers]
    builder = _Builder(session, day, now)
    persons = [person for courier in people if (person := builder.person(courier)) is not None]
    if not persons:
        raise Invalid("no_couriers", field="scope", day=day)
    requests = [request for pickup in pickups if (request := builder.request(pickup)) is not None]
    if builder.today:
        for courier in people:
            requests += builder.aboard(courier)
    used = {p.start_site for p in persons} | {p.end_site for p in persons}
    used |= {r.pickup_site for r in requests} | {r.delivery_site for r in requests}
    problem = Problem(
        sites=tuple(place for code, place in sorted(builder.places.items()) if code in used),
        requests=tuple(requests),
        couriers=tuple(persons),
        name=f"{day} {scope_code}",
        speed_bands=builder.roads.speed_bands,
    )
    return Draft(
        problem,
        unplaceable=tuple(builder.unplaceable),
        pickups_elsewhere=len(wanted) - len(pickups),
        couriers_elsewhere=len(elsewhere.couriers),
    )


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    pickups: frozenset[int]
    couriers: frozenset[str]


def _promised_elsewhere(session: Session, day: str, scope_code: str) -> _Elsewhere:
    """What published plans of other scopes hold: theirs to keep, whether county or city planned first."""
    rows = session.execute(
        select(Stop.courier, Stop.pickup_ids)
        .join(Plan, Plan.id == Stop.plan_id)
        .where(Plan.day == day, Plan.state == "published", Plan.scope_code != scope_code)
        .where(Stop.state.in_(("planned", "arrived")))
    ).all()
    return _Elsewhere(frozenset(int(one) for _, ids in rows for one in ids), frozenset(courier for courier, _ in rows))


def _pickups(session: Session, day: str, scope_code: str, inside: Mapping[str, Site]) -> list[Pickup]:
    query = (
        select(Pickup)
        .where(Pickup.day == day, Pickup.state.in_(("open", "planned")))
        .where(Pickup.site_code.in_(sorted(set(inside) - {scope_code})))
    )
    return list(session.scalars(query.order_by(Pickup.id)))


def _couriers(session: Session, inside: Mapping[str, Site]) -> list[Courier]:
    query = select(Courier).where(Courier.active, Courier.start_site_code.in_(sorted(inside)))
    return list(session.scalars(query.order_by(Courier.username)))


class _Builder:
    """Collects places while it turns couriers and pickups into what the planner knows."""

    def __init__(self, session: Session, day: str, now: datetime) -> None:
        self.session = session
        self.clock = DayClock(day)
        self.day = day
        self.now = now
        self.today = local_day(now).isoformat() == day
        self.past = local_day(now).isoformat() > day
        self.places: dict[str, Place] = {}
        self.unplaceable: list[Unserved] = []
        self._sites: dict[str, Site] = {}
        self.parents = network.parents(session)
        self.limits = planning_limits.Limits(session, day, now)
        self.roads = roads.known(session)

    def site(self, code: str) -> Site:
        if code not in self._sites:
            self._sites[code] = self.session.get_one(Site, code)
        return self._sites[code]

    def place(self, code: str) -> str | None:
        """The site as the planner knows it; None when nobody knows where it lies."""
        if code not in self.places:
            known = self.roads.place(self.site(code))
            if known is None:
                return None
            self.places[code] = known
        return code

    def person(self, courier: Courier) -> Person | None:
        start_s, end_s = courier.shift_from_min * 60, courier.shift_to_min * 60
        start, end = self.place(courier.start_site_code), self.place(courier.end_site_code)
        if self.today:
            start_s = max(start_s, self.clock.s(self.now + LEAD))
            start = self._where_now(courier) or start
        if start is None or end is None or start_s >= end_s or self.past:
            return None
        vehicle = courier.vehicle
        slots = NO_VEHICLE
        if vehicle is not None and vehicle.active:
            slots = {
                classes.COLD: vehicle.slots_cold,
                classes.AMBIENT: vehicle.slots_ambient,
                classes.FROZEN: vehicle.slots_frozen,
            }
        return Person(
            id=courier.username,
            start_site=start,
            end_site=end,
            shift_start_s=start_s,
            shift_end_s=end_s,
            capacity=slots,
            cost_fixed=COST_FIXED,
            cost_per_km=COST_PER_KM,
            cost_per_hour=COST_PER_HOUR,
            skills=frozenset(
                {*map(str, courier.skills), aboard_skill(courier.username), *self._areas(courier.start_site_code)}
            ),
        )

    def _areas(self, home: str) -> set[str]:
        """The areas a courier may enter: a county's own couriers are no party to the handovers of another."""
        return {self._area(code) for code in subtree(home, self.parents)}

    def _area(self, site_code: str) -> str:
        """The county (or city) centre at or above a site."""
        for code in legs.chain_up(site_code, self.parents):
            if self.site(code).tier != TOWNSHIP:
                return AREA + code
        return AREA + site_code

    def _where_now(self, courier: Courier) -> str | None:
        """A place of its own for a courier who has started: last position, else the last site he was at."""
        last = self.session.scalars(
            select(CourierPosition)
            .where(CourierPosition.username == courier.username, CourierPosition.at >= self.now - FRESH_POSITION)
            .order_by(CourierPosition.at.desc())
            .limit(1)
        ).first()
        stop = self.session.scalars(
            select(Stop)
            .where(Stop.courier == courier.username, Stop.actual_arrive_at >= self.clock.midnight)
            .order_by(Stop.actual_arrive_at.desc())
            .limit(1)
        ).first()
        if last is None and stop is None:
            return None
        road = self.roads.of(roads.USUAL)
        name = here(courier.username)
        there = last is None or (stop is not None and stop.state == "arrived")
        if stop is not None and (there or (last and stop.actual_arrive_at and stop.actual_arrive_at > last.at)):
            if self.place(stop.site_code) is None:
                return None
            self.places[name] = replace(self.places[stop.site_code], id=name, receiving_windows=(), visit_s=0)
        elif last is not None:
            self.places[name] = Place(name, last.lat, last.lon, (), 0, road.detour_factor, road.speed_kmh)
        return name

    def request(self, pickup: Pickup) -> Request | None:
        name = f"P{pickup.id}"
        at, to = self.place(pickup.site_code), self.place(pickup.destination_code)
        if at is None or to is None:
            missing = pickup.site_code if at is None else pickup.destination_code
            self.unplaceable.append(Unserved(name, "site_without_position", {"site_id": missing}))
            return None
        boxes = self.limits.boxes(pickup) if pickup.kind in ("ready", "urgent") else []
        ready, latest = pickup.ready_at, pickup.latest_at
        if boxes:
            ready = min(ready, max(box.sealed_at or ready for box in boxes))
        if self.today and pickup.kind != "round" and latest < self.now + planning_limits.MISSED_GRACE / 2:
            latest = self.now + planning_limits.MISSED_GRACE  # it waits all the same: late is better than never
        load = {
            name: slots
            for name, slots in (
                (classes.COLD, pickup.slots_cold),
                (classes.AMBIENT, pickup.slots_ambient),
                (classes.FROZEN, pickup.slots_frozen),
            )
            if slots
        }
        return Request(
            id=name,
            pickup_site=at,
            delivery_site=to,
            load=load or {classes.COLD: 1},
            ready_s=self.clock.s(ready),
            latest_pickup_s=max(self.clock.s(ready), self.clock.s(latest)),
            due_s=self.clock.s(self.limits.due(pickup, boxes)),
            max_ride_s=int(self.limits.ride(pickup, boxes).total_seconds()),
            pickup_service_s=self.site(pickup.site_code).service_min * 60,
            delivery_service_s=HANDOVER_S,
            priority=PRIORITY.get(pickup.priority, Priority.ROUTINE),
            skills=frozenset({self._area(pickup.site_code)}),
        )

    def aboard(self, courier: Courier) -> list[Request]:
        """What the courier carries now: fetched already, so only the delivery is left, and only he can make it."""
        held = self.session.scalars(
            select(Consignment).where(
                Consignment.holder == courier.username, Consignment.state.in_(("in_transit", "arrived"))
            )
        )
        found = []
        for consignment in held:
            start = here(courier.username)
            if start not in self.places or self.place(consignment.destination_code) is None:
                continue
            limits = [self.clock.at(DAY_S - 1)]
            limits += self.limits.of_tubes([consignment.number])
            due = max(min(limits), self.now + planning_limits.MISSED_GRACE)  # expired or not, it must be brought
            found.append(
                Request(
                    id=f"A{consignment.number}",
                    pickup_site=start,
                    delivery_site=consignment.destination_code,
                    load={consignment.temp_class: 1},
                    ready_s=0,
                    latest_pickup_s=HORIZON_S,
                    due_s=self.clock.s(due),
                    pickup_service_s=0,
                    delivery_service_s=HANDOVER_S,
                    # a bag for a township on the round is no reason to leave a tube behind
                    priority=Priority.ROUTINE if consignment.kind == "return" else Priority.STAT,
                    skills=frozenset({aboard_skill(courier.username)}),
                )
            )
        return found


def here(username: str) -> str:
    return f"@{username}"


def aboard_skill(username: str) -> str:
    return f"aboard:{username}"
