"""A courier's day as one document that a phone keeps: stops, boxes, who signs, travel times, reasons.

Instants are ISO 8601 in UTC, durations whole seconds, positions WGS-84. Nothing in it names a patient.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from logistics.domain import access
from logistics.domain.access import Scope
from logistics.domain.seals import tail_check
from logistics.models import Box, Consignment, Courier, Handover, Item, Pickup, Plan, Reason, Site, Specimen, Stop, User
from logistics.models.network import CITY_CENTRE, COUNTY_CENTRE
from logistics.services import legs, roads
from logistics.services.items import RETURN, SEND_OUT
from logistics.services.orders import local_day
from logistics.services.pickups import at_minute

CARRIED = ("in_transit", "arrived")
WAITING = ("sealed", "waiting")
LABORATORIES = (COUNTY_CENTRE, CITY_CENTRE)
SEAL_REASONS = ("SEAL_BROKEN", "SEAL_DIFFERS")
SIGNERS = (access.COLLECTOR, access.RECEIVER)
# Why a tube may be left behind: what a courier can see through the wall of a tube.
REFUSALS = (
    "TUBE_MISSING", "NO_LABEL", "LABEL_WRONG", "BROKEN", "LEAKED", "CONTAMINATED", "WRONG_CONTAINER", "STORAGE",
    "EXPIRED", "NO_REQUEST",
)  # fmt: skip
MAX_TRAVEL_SITES = 60


def today(session: Session, user: User, scope: Scope, *, now: datetime) -> dict[str, Any]:
    """Everything the courier ``user`` needs for the local day of ``now``, also without a signal."""
    day = local_day(now).isoformat()
    courier = session.get(Courier, user.username)
    stops = stops_of(session, user.username, day)
    consignments = _consignments(session, user.username, scope, {stop.site_code for stop in stops})
    sites = _sites(session, courier, stops, consignments)
    pickups = _pickups(session, stops)
    return {
        "generated_at": text(now),
        "day": day,
        "username": user.username,
        "on_duty_since": text(courier.on_duty_since) if courier else None,
        "shift": _shift(courier, day),
        "vehicle": _vehicle(courier),
        "start_site": courier.start_site_code if courier else user.site_code,
        "plan": _plan(stops),
        "stops": [_stop(stop, pickups) for stop in stops],
        "consignments": _loads(session, consignments),
        "handovers": _handovers(session, user.username, day),
        "sites": {site.code: _site(site) for site in sites},
        "signers": _signers(session, [site.code for site in sites]),
        "travel_s": as_planned(travel_s(session, sites), stops),
        "reasons": _reasons(session),
        "seal_reasons": _named(session, Reason.code.in_(SEAL_REASONS)),
        "diversions": _named(session, Reason.kind == "diversion"),
    }


def text(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None


def stops_of(session: Session, username: str, day: str) -> list[Stop]:
    """The courier's stops of ``day`` (local date) in driving order: what is done, then what is published."""
    query = (
        select(Stop)
        .join(Plan, Plan.id == Stop.plan_id)
        .where(Stop.courier == username, Plan.day == day)
        .where(or_(Plan.state == "published", (Plan.state == "superseded") & (Stop.state == "done")))
        .order_by(Plan.published_at, Stop.plan_id, Stop.position)
    )
    return list(session.scalars(query))


def _consignments(session: Session, username: str, scope: Scope, stops: set[str]) -> list[Consignment]:
    """What he carries, and what stands sealed at a site of his scope. Of the loads that go down, those for places
    where he stops today; without a plan all of them."""
    carried = (Consignment.holder == username) & Consignment.state.in_(CARRIED)
    waiting: ColumnElement[bool] = Consignment.state.in_(WAITING)
    if not scope.everything:
        waiting &= Consignment.location_code.in_(sorted(scope.sites))
    query = select(Consignment).where(or_(carried, waiting)).order_by(Consignment.sealed_at, Consignment.number)
    found = session.scalars(query.where(Consignment.kind != SEND_OUT))
    return [
        one
        for one in found
        if one.kind != RETURN or one.holder == username or not stops or one.destination_code in stops
    ]


def _sites(
    session: Session, courier: Courier | None, stops: Iterable[Stop], consignments: Iterable[Consignment]
) -> list[Site]:
    codes = {stop.site_code for stop in stops}
    for consignment in consignments:
        codes |= {consignment.origin_code, consignment.destination_code, consignment.location_code or ""}
    if courier:
        codes |= {courier.start_site_code, courier.end_site_code}
    # The laboratories, too: where a box may be left when it cannot go where it should.
    wanted = or_(Site.code.in_(sorted(codes)), Site.tier.in_(LABORATORIES) & Site.active)
    return list(session.scalars(select(Site).where(wanted).order_by(Site.code)))


def _shift(courier: Courier | None, day: str) -> dict[str, Any] | None:
    if courier is None:
        return None
    return {
        "from": text(at_minute(day, courier.shift_from_min)),
        "to": text(at_minute(day, courier.shift_to_min)),
    }


def _vehicle(courier: Courier | None) -> dict[str, str] | None:
    vehicle = courier.vehicle if courier else None
    if vehicle is None:
        return None
    return {"code": vehicle.code, "zh": vehicle.name_zh, "en": vehicle.name_en, "plate": vehicle.plate}


def _plan(stops: list[Stop]) -> dict[str, Any] | None:
    if not stops:
        return None
    unseen = [stop for stop in stops if stop.seen_at is None]
    return {"ids": sorted({stop.plan_id for stop in stops}), "seen": not unseen}


def _pickups(session: Session, stops: Iterable[Stop]) -> dict[int, Pickup]:
    wanted = {int(one) for stop in stops for one in (*stop.pickup_ids, *stop.delivery_ids)}
    return {pickup.id: pickup for pickup in session.scalars(select(Pickup).where(Pickup.id.in_(wanted)))}


def _stop(stop: Stop, pickups: dict[int, Pickup]) -> dict[str, Any]:
    calls = [pickups[int(one)] for one in stop.pickup_ids if int(one) in pickups]
    return {
        "id": stop.id,
        "position": stop.position,
        "site": stop.site_code,
        "kind": stop.kind,
        "state": stop.state,
        "arrive_at": text(stop.arrive_at),
        "depart_at": text(stop.depart_at),
        "window_from_at": text(stop.window_from_at),
        "window_to_at": text(stop.window_to_at),
        "actual_arrive_at": text(stop.actual_arrive_at),
        "actual_depart_at": text(stop.actual_depart_at),
        "eta_at": text(stop.eta_at),
        "distance_m": stop.distance_m,
        "calls": [{"kind": call.kind, "priority": call.priority, "note": call.note, "to": call.destination_code}
                  for call in calls],
        "boxes_planned": sum(call.slots_cold + call.slots_ambient + call.slots_frozen for call in calls),
    }  # fmt: skip


def _loads(session: Session, consignments: list[Consignment]) -> list[dict[str, Any]]:
    numbers = [consignment.number for consignment in consignments]
    tubes: dict[str, list[dict[str, Any]]] = {}
    query = select(Specimen).where(Specimen.consignment_number.in_(numbers)).order_by(Specimen.id)
    for tube in session.scalars(query):
        tubes.setdefault(tube.consignment_number or "", []).append(
            {
                "accession": tube.accession,
                "type": tube.specimen_type,
                "priority": tube.priority,
                "use_by_at": text(tube.use_by_at),
                "on_hold": tube.on_hold,
            }
        )
    _add_items(session, numbers, tubes)
    bags = set(session.scalars(select(Box.code).where(Box.kind == "bag")))
    via = _via(session, consignments)
    return [
        _load(one, tubes.get(one.number, [])) | _down(one, bags) | {"via": via.get(one.number, [])}
        for one in consignments
    ]


def _add_items(session: Session, numbers: list[str], inside: dict[str, list[dict[str, Any]]]) -> None:
    """Load items are scanned and counted as tubes are; a township's label tells no more than the item's kind."""
    query = select(Item).where(Item.consignment_number.in_(numbers)).order_by(Item.number)
    for item in session.scalars(query):
        inside.setdefault(item.consignment_number or "", []).append(
            {"accession": item.number, "type": item.kind, "priority": "routine", "use_by_at": None,
             "on_hold": item.on_hold}
        )  # fmt: skip


def _down(consignment: Consignment, bags: set[str]) -> dict[str, Any]:
    """What is said besides of a load that goes down with the round."""
    if consignment.kind != RETURN:
        return {}
    return {"kind": RETURN, "bag": consignment.box_code in bags}


def _load(consignment: Consignment, tubes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "number": consignment.number,
        "box": consignment.box_code,
        "temp_class": consignment.temp_class,
        "origin": consignment.origin_code,
        "destination": consignment.destination_code,
        "state": consignment.state,
        "holder": consignment.holder,
        "location": consignment.location_code,
        "priority": consignment.priority,
        "sealed_at": text(consignment.sealed_at),
        "departed_at": text(consignment.departed_at),
        "expected_at": text(consignment.expected_at),
        "seal_check": tail_check(consignment.seal_number) if consignment.seal_number else None,
        "tubes": tubes,
    }


def _handovers(session: Session, username: str, day: str) -> list[dict[str, Any]]:
    query = select(Handover).where(
        or_(Handover.giver == username, Handover.taker == username), Handover.occurred_at >= at_minute(day, 0)
    )
    return [
        {
            "site": handover.site_code,
            "consignment": handover.consignment_number,
            "meaning": handover.meaning,
            "tubes": handover.tube_count,
            "refused": handover.refused_count,
            "at": text(handover.occurred_at),
            "other": handover.giver_name if handover.taker == username else handover.taker_name,
        }
        for handover in session.scalars(query.order_by(Handover.occurred_at))
    ]


def _site(site: Site) -> dict[str, Any]:
    return {
        "zh": site.name_zh,
        "en": site.name_en or site.name_zh,
        "tier": site.tier,
        "lat": site.lat,
        "lon": site.lon,
        "phone": site.contact_phone,
        "service_s": site.service_min * 60,
    }


def _signers(session: Session, codes: list[str]) -> dict[str, list[dict[str, str]]]:
    """Who can confirm a handover with a PIN, by site."""
    query = select(User).where(User.site_code.in_(codes), User.active, User.role.in_(SIGNERS), User.pin_hash != "")
    found: dict[str, list[dict[str, str]]] = {}
    for user in session.scalars(query.order_by(User.username)):
        person = {"username": user.username, "zh": user.name("zh_CN"), "en": user.name("en")}
        found.setdefault(user.site_code or "", []).append(person)
    return found


def travel_s(session: Session, sites: list[Site]) -> dict[str, dict[str, int]]:
    """Seconds of driving from each site to each other one, estimated, so that the phone can tell what a change
    of order costs without asking."""
    known = roads.known(session)
    placed = [place for site in sites if (place := known.place(site)) is not None][:MAX_TRAVEL_SITES]
    matrix = known.estimate.matrix(placed)
    return {
        row: {column: int(matrix.travel_s[i, j]) for j, column in enumerate(matrix.site_ids) if i != j}
        for i, row in enumerate(matrix.site_ids)
    }


def as_planned(travel: dict[str, dict[str, int]], stops: list[Stop]) -> dict[str, dict[str, int]]:
    """The same with the plan's own driving times where it drives that leg and is quicker than the estimate: the
    plan may know the roads; its longer legs hold waiting time."""
    for here, there in pairwise(stops):
        known = travel.get(here.site_code, {}).get(there.site_code)
        if known is not None and here.plan_id == there.plan_id:
            planned = int((there.arrive_at - here.depart_at).total_seconds())
            travel[here.site_code][there.site_code] = max(0, min(known, planned))
    return travel


def _named(session: Session, which: ColumnElement[bool]) -> list[dict[str, str]]:
    query = select(Reason).where(which, Reason.active).order_by(Reason.position, Reason.code)
    return [{"code": one.code, "zh": one.zh, "en": one.en} for one in session.scalars(query)]


def _via(session: Session, consignments: list[Consignment]) -> dict[str, list[str]]:
    """The sites on the way of each, where it may be handed in sealed and was not yet."""
    on_the_way = {
        one.number: legs.between(session, one.origin_code, one.destination_code)
        for one in consignments
        if one.state in CARRIED
    }
    numbers = [number for number, sites in on_the_way.items() if sites]
    rows = session.execute(
        select(Handover.consignment_number, Handover.site_code).where(Handover.consignment_number.in_(numbers))
    )
    been = {(number, site) for number, site in rows}
    return {number: [site for site in on_the_way[number] if (number, site) not in been] for number in numbers}


def _reasons(session: Session) -> list[dict[str, str]]:
    rows = {
        reason.code: reason
        for reason in session.scalars(select(Reason).where(Reason.code.in_(REFUSALS), Reason.active))
    }
    return [{"code": code, "zh": rows[code].zh, "en": rows[code].en} for code in REFUSALS if code in rows]
