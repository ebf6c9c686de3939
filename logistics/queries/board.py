"""The live board: who is late, who is silent, whose box is too warm, what still waits. Reads only.

Late before silent before cold alarm before fine. A courier is late when some stop that is left will begin more
than ``LATE`` after its planned beginning; waiting time in the plan swallows delay first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from geopy.distance import geodesic
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics.domain.access import Scope
from logistics.models import (
    Alert,
    Consignment,
    Counter,
    Courier,
    CourierPosition,
    CustodyEvent,
    Pickup,
    Plan,
    Site,
    Stop,
)
from logistics.queries.dispatch import TIERS, iso, user_names
from logistics.services import roads
from logistics.services.orders import local_day
from logistics.services.pickups import at_minute
from logistics.services.roads import Roads
from routing.travel import road_time_s

LATE = timedelta(minutes=10)
SILENT = timedelta(minutes=15)
FRESH = timedelta(minutes=15)
OVERSTAY = timedelta(minutes=5)
RANK = {"late": 0, "silent": 1, "alarm": 2, "fine": 3, "idle": 4}
CARRIED = ("in_transit", "arrived")
NEWEST = 1000  # events that may be recorded while one transaction is under way


def version(session: Session) -> tuple[int, int]:
    """Numbers that move when custody, plans, positions or alerts do: cheap to ask every two seconds.

    Custody shows in the log itself: a counter that every act raised would make all writers wait for each other. The
    sum over its newest positions grows with every event, also with one whose transaction ended after a later one's.
    """
    rows = session.execute(select(Counter.name, Counter.value).where(Counter.name.in_(("board", "alerts")))).all()
    found: dict[str, int] = dict(rows)
    newest = select(CustodyEvent.position).order_by(CustodyEvent.position.desc()).limit(NEWEST).subquery()
    events = session.scalar(select(func.sum(newest.c.position))) or 0
    return found.get("board", 0) + int(events), found.get("alerts", 0)


@dataclass
class _Line:
    """One courier's day as the board judges it."""

    courier: Courier
    roads: Roads
    stops: list[Stop] = field(default_factory=list)
    position: CourierPosition | None = None
    boxes: list[Consignment] = field(default_factory=list)
    etas: dict[int, datetime] = field(default_factory=dict)
    state: str = "idle"
    why: str = "board_idle"
    params: dict[str, Any] = field(default_factory=dict)
    late: timedelta = timedelta()
    alarm: str | None = None

    @property
    def left(self) -> list[Stop]:
        left = [stop for stop in self.stops if stop.state in ("planned", "arrived")]
        return sorted(left, key=lambda stop: stop.eta_at or stop.arrive_at) if self.own_order else left

    @property
    def own_order(self) -> bool:
        """The courier has put the stops that are left into an order of his own: each has his expected time."""
        planned = [stop for stop in self.stops if stop.state == "planned" and stop.kind != "start"]
        return bool(planned) and all(stop.eta_at is not None for stop in planned)


def board(session: Session, scope: Scope, locale: str, *, now: datetime) -> dict[str, Any]:
    """Everything that the live board shows."""
    day = local_day(now).isoformat()
    sites = _sites(session, scope)
    lines = _lines(session, set(sites), day, now)
    warm = _alarms(session, [one.box_code for line in lines for one in line.boxes])
    for line in lines:
        _judge(line, sites, warm, now)
    lines.sort(key=lambda line: (RANK[line.state], -line.late, line.courier.username))
    people = user_names(session, [line.courier.username for line in lines], locale)
    states = [line.state for line in lines]
    pickups = [_pickup(one, sites, locale, now) for one in _pickups(session, set(sites), day)]
    return {
        "now": iso(now),
        "day": day,
        "counts": {
            **{state: states.count(state) for state in RANK},
            "open_pickups": sum(1 for one in pickups if one["state"] == "open"),
            "urgent": sum(1 for one in pickups if one["kind"] == "urgent" and one["state"] == "open"),
        },
        "couriers": [_courier(line, people, sites, locale) for line in lines],
        "pickups": pickups,
        "sites": [
            {"code": s.code, "name": s.name(locale), "tier": TIERS.get(s.tier, "township"), "lat": s.lat, "lon": s.lon}
            for s in sites.values()
            if s.lat is not None
        ],
        "plans": [
            {"id": plan.id, "scope": plan.scope_code, "published_at": iso(plan.published_at)}
            for plan in _plans(session, scope, day)
        ],
    }


def _sites(session: Session, scope: Scope) -> dict[str, Site]:
    query = select(Site).where(Site.active).order_by(Site.code)
    if not scope.everything:
        query = query.where(Site.code.in_(sorted(scope.sites)))
    return {site.code: site for site in session.scalars(query)}


def _plans(session: Session, scope: Scope, day: str) -> list[Plan]:
    query = select(Plan).where(Plan.day == day, Plan.state == "published").order_by(Plan.id)
    return [plan for plan in session.scalars(query) if scope.covers(plan.scope_code)]


def _lines(session: Session, codes: set[str], day: str, now: datetime) -> list[_Line]:
    couriers = session.scalars(
        select(Courier).where(Courier.active, Courier.start_site_code.in_(sorted(codes))).order_by(Courier.username)
    )
    known = roads.known(session)
    lines = {courier.username: _Line(courier, known) for courier in couriers}
    stops = session.scalars(
        select(Stop)
        .join(Plan, Plan.id == Stop.plan_id)
        .where(Plan.day == day, Plan.state.in_(("published", "superseded")), Stop.courier.in_(sorted(lines)))
        .order_by(Stop.courier, Plan.id, Stop.position)
    )
    for stop in stops:
        lines[stop.courier].stops.append(stop)
    newest = (
        select(CourierPosition.username, func.max(CourierPosition.at).label("at"))
        .where(CourierPosition.username.in_(sorted(lines)), CourierPosition.at >= now - timedelta(hours=12))
        .group_by(CourierPosition.username)
        .subquery()
    )
    positions = session.scalars(
        select(CourierPosition).join(
            newest, (newest.c.username == CourierPosition.username) & (newest.c.at == CourierPosition.at)
        )
    )
    for position in positions:
        lines[position.username].position = position
    held = select(Consignment).where(Consignment.holder.in_(sorted(lines)), Consignment.state.in_(CARRIED))
    for consignment in session.scalars(held):
        lines[consignment.holder or ""].boxes.append(consignment)
    return list(lines.values())


def _alarms(session: Session, boxes: Sequence[str]) -> dict[str, Alert]:
    query = select(Alert).where(Alert.kind == "excursion", Alert.state == "open", Alert.box_code.in_(sorted(boxes)))
    return {alert.box_code: alert for alert in session.scalars(query) if alert.box_code}


def _judge(line: _Line, sites: dict[str, Site], warm: dict[str, Alert], now: datetime) -> None:
    left = line.left
    alarm = line.alarm = next((one.box_code for one in line.boxes if one.box_code in warm), None)
    on_duty = line.courier.on_duty_since is not None
    if left:
        worst = _expect(line, left, now)
        if worst is not None:
            return _late(line, worst, on_duty, now)
    if on_duty and _silence(line, now) > SILENT:
        minutes = int(_silence(line, now).total_seconds() // 60)
        line.state, line.why, line.params = "silent", "board_silent", {"minutes": minutes}
    elif alarm is not None:
        line.state, line.why, line.params = "alarm", "board_alarm", {"box": alarm}
    elif left:
        line.state, line.why = "fine", "board_fine"
        line.params = {"site": left[0].site_code, "at": iso(line.etas[left[0].id])}
    elif line.stops:
        line.state, line.why = "fine", "board_finished"
    return None


def shift_start(courier: Courier, now: datetime) -> datetime:
    """When his shift of today begins or began."""
    return at_minute(local_day(now).isoformat(), courier.shift_from_min)


def _silence(line: _Line, now: datetime) -> timedelta:
    """How long nothing was heard; the night before the shift does not count."""
    since = max(line.courier.on_duty_since or now, shift_start(line.courier, now))
    last = max(since, line.position.at) if line.position else since
    return now - last


def _expect(line: _Line, left: Sequence[Stop], now: datetime) -> Stop | None:
    """Fill the expected arrivals of the stops that are left; the stop that will begin latest beyond the limit."""
    if line.own_order:
        return _expect_own(line, left, now)
    worst: Stop | None = None
    at: datetime | None = None
    for stop in left:
        service = timedelta(minutes=stop.site.service_min)
        begin = max(stop.arrive_at, stop.depart_at - service) if stop.kind != "delivery" else stop.arrive_at
        if stop.state == "arrived":
            eta = stop.actual_arrive_at or now
            at = max(now, eta + service)
            line.etas[stop.id] = eta
            continue
        eta = _first_eta(line, stop, now) if at is None else at + _leg(line, stop)
        line.etas[stop.id] = eta
        behind = eta - begin
        if behind > max(LATE, line.late):
            worst, line.late = stop, behind
        at = max(eta, begin) + service
    return worst


def _expect_own(line: _Line, left: Sequence[Stop], now: datetime) -> Stop | None:
    """The same in the courier's own order: as told, moved on by what has passed; late is what misses its window."""
    worst: Stop | None = None
    planned = [stop for stop in left if stop.state == "planned" and stop.kind != "start"]
    passed = max(timedelta(), now - (planned[0].eta_at or now))
    for stop in left:
        if stop not in planned:
            line.etas[stop.id] = stop.actual_arrive_at or now
            continue
        eta = line.etas[stop.id] = (stop.eta_at or now) + passed
        behind = eta - (stop.window_to_at or stop.arrive_at + LATE)
        if behind > line.late:
            worst, line.late = stop, behind
    return worst


def _leg(line: _Line, stop: Stop) -> timedelta:
    return timedelta(seconds=road_time_s(stop.distance_m, line.roads.of(stop.site.terrain).speed_kmh))


def _first_eta(line: _Line, stop: Stop, now: datetime) -> datetime:
    """From where he is known to be; without a fresh position, as planned unless that has passed."""
    position, site = line.position, stop.site
    if position is None or now - position.at > FRESH or site.lat is None or site.lon is None:
        return max(stop.arrive_at, now)
    road = line.roads.of(site.terrain)
    straight_m = float(geodesic((position.lat, position.lon), (site.lat, site.lon)).meters)
    soonest = now + timedelta(seconds=road_time_s(straight_m * road.detour_factor, road.speed_kmh))
    # Before the first move he leaves when the plan says so: being far away is no delay yet.
    return max(soonest, stop.arrive_at)


def _late(line: _Line, worst: Stop, on_duty: bool, now: datetime) -> None:
    line.state = "late"
    minutes = int(line.late.total_seconds() // 60)
    line.params = {"site": worst.site_code, "minutes": minutes, "at": iso(line.etas[worst.id])}
    here = next((stop for stop in line.left if stop.state == "arrived"), None)
    done = [stop for stop in line.stops if stop.state == "done"]
    if here is not None and now - (here.actual_arrive_at or now) > timedelta(minutes=here.site.service_min) + OVERSTAY:
        line.why = "board_late_held"
        stay = int((now - (here.actual_arrive_at or now)).total_seconds() // 60)
        line.params |= {"here": here.site_code, "stay": stay}
    elif not on_duty and not done:
        line.why = "board_late_off_duty"
    elif _silence(line, now) > SILENT:
        line.why = "board_late_silent"
        line.params |= {"silence": int(_silence(line, now).total_seconds() // 60)}
    elif not done and here is None:
        line.why = "board_late_not_left"
    else:
        line.why = "board_late_on_way"


def _courier(line: _Line, people: dict[str, str], sites: dict[str, Site], locale: str) -> dict[str, Any]:
    position, left = line.position, line.left
    return {
        "username": line.courier.username,
        "name": people.get(line.courier.username, line.courier.username),
        "home": sites[line.courier.start_site_code].name(locale),
        "phone": line.courier.phone,
        "state": line.state,
        "why": line.why,
        "params": line.params,
        "alarm": line.alarm,
        "late_min": int(line.late.total_seconds() // 60) if line.state == "late" else 0,
        "on_duty_since": iso(line.courier.on_duty_since),
        "position": {"at": iso(position.at), "lat": position.lat, "lon": position.lon} if position else None,
        "done": sum(1 for stop in line.stops if stop.state == "done"),
        "total": len(line.stops),
        "own_order": line.own_order,
        "seen_at": iso(min((stop.seen_at for stop in line.stops if stop.seen_at), default=None)),
        "unseen": sum(1 for stop in left if stop.seen_at is None),
        "boxes": [{"box": one.box_code, "consignment": one.number, "tubes": one.tube_count} for one in line.boxes],
        "stops": [_stop(stop, line, locale) for stop in line.stops],
    }


def _stop(stop: Stop, line: _Line, locale: str) -> dict[str, Any]:
    eta = line.etas.get(stop.id)
    return {
        "id": stop.id,
        "plan": stop.plan_id,
        "site": stop.site_code,
        "name": stop.site.name(locale),
        "kind": stop.kind,
        "state": stop.state,
        "arrive_at": iso(stop.arrive_at),
        "eta_at": iso(eta) if stop.state == "planned" else None,
        "actual_arrive_at": iso(stop.actual_arrive_at),
        "actual_depart_at": iso(stop.actual_depart_at),
        "window_to_at": iso(stop.window_to_at),
        "late": bool(eta and stop.state == "planned" and stop.window_to_at and eta > stop.window_to_at),
    }


def _pickups(session: Session, codes: set[str], day: str) -> list[Pickup]:
    query = (
        select(Pickup)
        .where(Pickup.day == day, Pickup.site_code.in_(sorted(codes)), Pickup.state.in_(("open", "planned")))
        .order_by(Pickup.latest_at, Pickup.id)
    )
    return list(session.scalars(query))


def _pickup(one: Pickup, sites: dict[str, Site], locale: str, now: datetime) -> dict[str, Any]:
    return {
        "id": one.id,
        "site": one.site_code,
        "name": sites[one.site_code].name(locale),
        "destination": one.destination_code,
        "kind": one.kind,
        "priority": one.priority,
        "state": one.state,
        "slots": one.slots_cold + one.slots_ambient + one.slots_frozen,
        "ready_at": iso(one.ready_at),
        "latest_at": iso(one.latest_at),
        "missed": one.latest_at < now,
        "note": one.note,
    }
