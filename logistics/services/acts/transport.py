"""On the road: custody passes from hand to hand, the courier arrives and departs."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from sqlalchemy import Select, select

from logistics.domain import access
from logistics.domain.custody import EventType as E
from logistics.errors import Conflict, Forbidden, Invalid, NotFound
from logistics.models import Consignment, Handover, Pickup, Specimen, Stop, User
from logistics.services import items, lookup, signatures
from logistics.services.desk import Desk
from logistics.services.orders import ZONE
from logistics.services.reasons import known_reason

DEFAULT_TRANSPORT = timedelta(hours=2)


def hand_over(desk: Desk) -> None:
    """Custody of one consignment passes; the actor is one side, the other confirms with a PIN or by the seal.

    payload: ``other`` (username, with ``pin``) or ``seal_tail`` (the taker alone at an unattended handover);
    ``count`` of tubes as confirmed; ``refused`` [{specimen, reason}]; ``box_temp_c`` text. Who gives and who takes
    follows from who holds it.
    """
    other = _other_party(desk)  # first: what was shown to prove presence is not kept, should the rest have to wait
    consignment = lookup.consignment(desk)
    site = desk.site
    method = "pin" if other is not None else "seal"
    if other is None:
        signatures.require_seal_tail(desk, consignment)
    giver, taker = _parties(desk, consignment, other, method)
    meaning = _meaning(consignment, taker, site)
    if meaning == "delivery" and site != consignment.destination_code:
        raise Conflict(
            "wrong_destination", field="site", consignment=consignment.number, destination=consignment.destination_code
        )
    _both_here(desk, consignment, meaning, giver, taker)
    tubes = lookup.tubes(desk.session, consignment.number)
    refused = _refuse(desk, consignment, tubes)
    staying = [tube for tube in tubes if tube.id not in refused]
    _check_count(desk, len(staying) + consignment.item_count)
    if meaning == "delivery" and consignment.state == "in_transit":
        _arrived(desk, consignment, site)  # nobody told of the arrival, and both sides stand here
    temp = desk.payload("box_temp_c", required=False)
    box_temp_c = measured(temp)
    signature = {
        "handover": lookup.text(desk.payload("handover_id", required=False, default=desk.act.id), field="handover_id"),
        "giver": giver.username if giver else "",
        "giver_name": giver.name_zh if giver else "",
        "taker": taker.username,
        "taker_name": taker.name_zh,
        "meaning": meaning,
        "method": method,
    }
    facts = {
        **signature,
        "count": len(staying) + consignment.item_count,
        "refused": len(refused),
        "box_temp_c": temp,
        "box": consignment.box_code,
    }
    desk.append_consignment(consignment, E.HANDED_OVER, facts, site=site)
    for tube in staying:
        desk.append_specimen(tube, E.HANDED_OVER, {**signature, "consignment": consignment.number}, site=site)
    loads = items.follow(desk, consignment, E.HANDED_OVER, signature, site=site)
    items.close_empty(desk, consignment, site)
    _after(desk, consignment, meaning)
    desk.session.add(
        Handover(
            id=signature["handover"],
            consignment_number=consignment.number,
            site_code=site,
            giver=signature["giver"],
            giver_name=signature["giver_name"],
            taker=taker.username,
            taker_name=taker.name_zh,
            method=method,
            meaning=meaning,
            occurred_at=desk.act.occurred_at,
            tube_count=len(staying) + loads,
            refused_count=len(refused),
            box_temp_c=box_temp_c,
        )
    )
    desk.result.update(
        consignment=consignment.number, state=consignment.state, count=len(staying) + loads, refused=len(refused),
        meaning=meaning, taker=taker.username,
    )  # fmt: skip


def _parties(desk: Desk, consignment: Consignment, other: User | None, method: str) -> tuple[User | None, User]:
    """(giver, taker). The one who holds it gives; at a site that is whoever of the site signs."""
    if consignment.holder == desk.actor.username:
        if other is None:
            raise Invalid("other_party_missing", field="other")
        return desk.actor, other
    takers = {access.RECEIVER, access.COLLECTOR} if consignment.kind == items.RETURN else {access.RECEIVER}
    if method == "seal" and consignment.holder is not None and desk.actor.role in takers:
        # The courier has left the box at the door: the seal in the receiver's hand proves it is this one.
        return _user(desk, consignment.holder), desk.actor
    if consignment.holder is not None and (other is None or other.username != consignment.holder):
        raise Conflict("not_the_holder", field="other", consignment=consignment.number)
    # It stands at a site: the courier takes it, whoever's screen both sign on.
    gives = desk.actor.role not in {access.COURIER, access.RECEIVER} or (
        desk.actor.role == access.RECEIVER and other is not None and other.role == access.COURIER
    )
    if consignment.holder is None and gives:
        if other is None:
            raise Invalid("other_party_missing", field="other")
        return desk.actor, other
    return other, desk.actor


def _user(desk: Desk, username: str) -> User:
    return desk.session.scalars(select(User).where(User.username == username)).one()


def _other_party(desk: Desk) -> User | None:
    """The other one who signs, whose PIN was checked; None at an unattended handover."""
    username = desk.payload("other", required=False)
    if username is None:
        desk.payload("seal_tail", required=not signatures.proven(desk, signatures.SEAL))
        return None
    other = desk.session.scalars(select(User).where(User.username == username, User.active)).first()
    if other is None:
        raise NotFound("user_unknown", field="other")
    if other.id == desk.actor.id:
        raise Invalid("two_people_needed", field="other")
    signatures.require_pin(desk, other)
    return other


def _meaning(consignment: Consignment, taker: User, site: str) -> str:
    if consignment.holder is None:
        return "pickup"
    return "transfer" if taker.role == access.COURIER else "delivery"


def _both_here(desk: Desk, consignment: Consignment, meaning: str, *people: User | None) -> None:
    """Couriers sign anywhere; who gives or takes for a site must work there, or above it."""
    here = consignment.location_code if meaning == "pickup" else None
    for person in people:
        if person is not None and not signatures.stands_at(desk.session, person, here or desk.site):
            raise Forbidden("signer_elsewhere", field="other", site=here or desk.site)


def _refuse(desk: Desk, consignment: Consignment, tubes: list[Specimen]) -> set[int]:
    """Tubes that the taker does not take along, each with a coded reason: they stay at the site, unpacked."""
    refused: set[int] = set()
    by_accession = {tube.accession: tube for tube in tubes}
    for entry in desk.payload("refused", list, required=False, default=[]):
        if not isinstance(entry, dict):
            raise Invalid("field_malformed", field="refused")
        tube = by_accession.get(str(entry.get("specimen", "")))
        if tube is None:
            raise Invalid("specimen_not_in_consignment", field="refused", specimen=str(entry.get("specimen", ""))[:40])
        reason = known_reason(desk.session, str(entry.get("reason", "")), field="refused")
        if consignment.state != "sealed":
            raise Conflict("refuse_only_at_pickup", field="refused")
        desk.append_specimen(
            tube,
            E.UNPACKED,
            {"consignment": consignment.number, "box": consignment.box_code, "refused": True, "reason": reason.code},
        )
        refused.add(tube.id)
    return refused


def _check_count(desk: Desk, expected: int) -> None:
    counted = desk.payload("count", int)
    if counted != expected:
        raise Conflict("handover_count_differs", field="count", counted=counted, expected=expected)


def _after(desk: Desk, consignment: Consignment, meaning: str) -> None:
    if meaning == "pickup":
        planned = planned_delivery(desk, consignment)
        consignment.expected_at = planned or desk.act.occurred_at + DEFAULT_TRANSPORT
        query = select(Pickup).where(
            Pickup.site_code == consignment.origin_code,
            Pickup.state.in_(("open", "planned")),
            Pickup.day == desk.act.occurred_at.astimezone(ZONE).date().isoformat(),
        )
        if consignment.kind == items.RETURN:  # the laboratory's own pickups are of tubes for the next one
            query = query.where(Pickup.consignment_number == consignment.number)
        for pickup in desk.session.scalars(query):
            pickup.state = "done"


def planned_delivery(desk: Desk, consignment: Consignment) -> datetime | None:
    """When the published plan has the taker at the consignment's destination next."""
    return desk.session.scalars(
        select(Stop.arrive_at)
        .where(
            Stop.courier == desk.actor.username,
            Stop.site_code == consignment.destination_code,
            Stop.state == "planned",
            Stop.arrive_at > desk.act.occurred_at,
        )
        .order_by(Stop.arrive_at)
    ).first()


def arrive(desk: Desk) -> None:
    """The courier is at a site: the stop is marked, and whatever he carries for this site has arrived."""
    site = desk.site
    carried = lookup.locked(desk.session, _arriving(desk, site))
    for consignment in carried:
        _arrived(desk, consignment, site)
    stop = _stop(desk, site, ("planned",))
    if stop is not None:
        stop.state, stop.actual_arrive_at = "arrived", desk.act.occurred_at
    desk.result.update(
        site=site, stop=stop.id if stop else None, arrived=[consignment.number for consignment in carried]
    )


def _arriving(desk: Desk, site: str) -> Select[Consignment]:
    """What the courier carries for this site; at a laboratory the receiver names the one box that stands before him,
    because a courier whose phone is silent has arrived all the same."""
    query = select(Consignment).where(Consignment.destination_code == site, Consignment.state == "in_transit")
    if desk.actor.role == access.COURIER:
        return query.where(Consignment.holder == desk.actor.username)
    number = lookup.text(desk.act.subject.get("consignment"), field="consignment")
    return query.where(Consignment.number == number, Consignment.destination_code == desk.own_site())


def _arrived(desk: Desk, consignment: Consignment, site: str) -> None:
    """The consignment and its tubes have reached the site."""
    desk.append_consignment(consignment, E.ARRIVED, {"box": consignment.box_code}, site=site)
    for tube in lookup.tubes(desk.session, consignment.number):
        desk.append_specimen(tube, E.ARRIVED, {"consignment": consignment.number}, site=site)
    items.follow(desk, consignment, E.ARRIVED, site=site)


def depart(desk: Desk) -> None:
    """The courier leaves a site."""
    site = desk.site
    stop = _stop(desk, site, ("arrived", "planned"))
    if stop is not None:
        stop.state, stop.actual_depart_at = "done", desk.act.occurred_at
        stop.actual_arrive_at = stop.actual_arrive_at or desk.act.occurred_at
    desk.result.update(site=site, stop=stop.id if stop else None)


def _stop(desk: Desk, site: str, states: tuple[str, ...]) -> Stop | None:
    """The stop that the act names, else the courier's next one at this site today.

    A phone may still hold the stops of a plan that was replaced meanwhile: the visit counts all the same.
    """
    wanted = desk.act.subject.get("stop")
    query = select(Stop).where(Stop.courier == desk.actor.username, Stop.site_code == site)
    if isinstance(wanted, int) and 0 < wanted < 2**31:
        found = desk.session.scalars(query.where(Stop.id == wanted)).first()
        if found is not None:
            return found
    near = timedelta(hours=14)
    at = desk.act.occurred_at
    query = query.where(Stop.state.in_(states), Stop.arrive_at.between(at - near, at + near))
    return desk.session.scalars(query.order_by(Stop.position)).first()


def measured(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text) if len(text) <= 16 else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Invalid("field_malformed", field="box_temp_c")
    return value
