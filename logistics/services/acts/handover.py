"""Custody passes from hand to hand, signed by both: a PIN on one screen, each on his own device, or by the seal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from logistics.domain import access, offer_code
from logistics.domain import handover as halves
from logistics.domain import signatures as signed
from logistics.domain.custody import EventType as E
from logistics.domain.offer_code import Shown
from logistics.domain.transitions import CARRIERS
from logistics.errors import Conflict, Forbidden, Invalid, LabrelayError, NotFound
from logistics.models import Consignment, Handover, HandoverHalf, Pickup, Specimen, Stop, User
from logistics.services import alerts, half_signed, items, legs, lookup, offers, pickups, signatures
from logistics.services.acts import seals, transport
from logistics.services.desk import Desk
from logistics.services.orders import ZONE
from logistics.services.reasons import known_reason

DEFAULT_LEG = timedelta(hours=2)
PIN, APP, BY_SEAL = "pin", "app", "seal"
SAME_WITHIN = timedelta(minutes=15)
"""What is signed once more with the same id of the handover is the same one, sent from a page that was loaded anew."""
PICKUP, TRANSFER, DELIVERY, ELSEWHERE = "pickup", "transfer", "delivery", "elsewhere"
MAX_NOTE = 400


@dataclass(frozen=True, slots=True)
class Passing:
    """What the handover means and which event it is. ``facts``: what a deliberate stop elsewhere states besides."""

    meaning: str
    event: E = E.HANDED_OVER
    facts: Mapping[str, Any] = field(default_factory=dict)


def hand_over(desk: Desk) -> None:
    """Custody passes; the act is the taker's, or the giver's while both stand at one screen.

    subject: one ``consignment`` or ``box``, or ``consignments`` (several in one go: all or none). payload: ``other``
    with ``pin``; or ``method`` app with ``code`` (read off the giver's screen: its text); or ``seal_tail``
    (the taker alone). For each consignment ``count``, [``refused`` with ``seal_now``, ``box_temp_c``, ``seal``], in
    ``parts`` by number when there are several. [``elsewhere`` {reason, note}: deliberately at a site it does not go
    to; ``meaning`` transfer: sealed, at a site on its way.] Who gives and who takes follows from who holds it.
    """
    other, method = _other_party(desk)  # first: what was shown to prove presence is not kept, should the rest wait
    several = desk.act.subject.get("consignments")
    if several is None:
        desk.result.update(_pass_on(desk, _consignment(desk, other), desk.act.payload, other, method))
    else:
        _pass_on_all(desk, halves.listed(several, field="consignments"), other, method)
    if method == APP:
        half_signed.settle(desk.session, _handover_id(desk), now=desk.now)


def _pass_on_all(desk: Desk, numbers: list[str], other: User | None, method: str) -> None:
    """Several in one go with one pair of signatures. What does not fit in one stops all, and is named."""
    if method == BY_SEAL:
        raise Invalid("one_seal_each", field="consignments")
    parts = desk.payload("parts", dict)
    passed = []
    for number in numbers:
        part = parts.get(number)
        if not isinstance(part, dict):
            raise Invalid("part_missing", field="parts", consignment=number)
        try:
            passed.append(_pass_on(desk, _consignment(desk, other, number), part, other, method))
        except LabrelayError as error:
            error.params.setdefault("consignment", number)
            raise
    desk.result.update(handover=_handover_id(desk), consignments=passed)


def _consignment(desk: Desk, other: User | None, number: str | None = None) -> Consignment:
    """The consignment of the act. What stands before both of them is there for the taker, too, whatever his sites:
    he must learn that it does not belong there."""
    try:
        return lookup.consignment(desk, number)
    except NotFound as error:
        wanted = error.params.get("consignment")  # also when it was named by its box
        if other is None or not isinstance(wanted, str):
            raise
        query = select(Consignment).where(Consignment.number == wanted, Consignment.holder == other.username)
        found = lookup.locked(desk.session, query)
        if not found:
            raise
        return found[0]


def _pass_on(
    desk: Desk, consignment: Consignment, part: Mapping[str, Any], other: User | None, method: str
) -> dict[str, Any]:
    """One consignment changes hands. Returns what the answer says of it."""
    if method == APP:
        offer_code.require_names(_shown(desk), consignment.number)
    known = desk.session.get(Handover, (_handover_id(desk), consignment.number))
    if known is not None:
        return _once_more(desk, consignment, known, other)
    if method == BY_SEAL:
        signatures.require_seal_tail(desk, consignment)
    site = desk.site
    giver, taker = _parties(desk, consignment, other, method)
    passing = _passing(desk, consignment, taker, site, part)
    _both_here(desk, consignment, passing.meaning, giver, taker)
    _may_sign(passing.meaning, giver, taker)
    tubes = lookup.tubes(desk.session, consignment.number)
    refused = _refuse(desk, consignment, tubes, part)
    staying = [tube for tube in tubes if tube.id not in refused]
    _check_count(consignment, part, len(staying) + consignment.item_count)
    seals.compare(desk, consignment, _text(part, "seal"), site)
    if refused:
        seals.without(desk, consignment, refused, _text(part, "seal_now"), site)
    if passing.meaning == DELIVERY and consignment.state == "in_transit":
        transport.arrived(desk, consignment, site)  # nobody told of the arrival, and both sides stand here
    temp = _text(part, "box_temp_c")
    transport.measured(temp)
    signature = {
        "handover": _handover_id(desk),
        "giver": giver.username if giver else "",
        "giver_name": giver.name_zh if giver else "",
        "taker": taker.username,
        "taker_name": taker.name_zh,
        "meaning": passing.meaning,
        "method": method,
    }
    facts = {
        **signature,
        **passing.facts,
        "count": len(staying) + consignment.item_count,
        "refused": len(refused),
        "box_temp_c": temp,
        "box": consignment.box_code,
    }
    if passing.meaning == PICKUP and consignment.expected_at is None:  # a stop on the way does not move the promise
        consignment.expected_at = _promised(desk, consignment, taker, site)
        facts["expected"] = consignment.expected_at.isoformat()
    event = desk.append_consignment(consignment, passing.event, facts, site=site)
    for tube in staying:
        told = {**signature, **passing.facts, "consignment": consignment.number}
        desk.append_specimen(tube, passing.event, told, site=site)
    items.follow(desk, consignment, passing.event, signature, site=site)
    items.close_empty(desk, consignment, site)
    _after(desk, consignment, passing, taker, site)
    desk.session.add(Handover(**asdict(signed.passed(event))))
    return {
        "consignment": consignment.number,
        "state": consignment.state,
        "count": facts["count"],
        "refused": len(refused),
        "meaning": passing.meaning,
        "giver": signature["giver_name"],
        "taker": taker.username,
    }


def _once_more(desk: Desk, consignment: Consignment, known: Handover, other: User | None) -> dict[str, Any]:
    """The same handover of the same consignment, sent again under another id of the act: nothing happens twice.

    Between other people, or at another time (the same two, the other way round), it is another handover, which must
    not be told that it was done.
    """
    signing = {desk.actor.username} | ({other.username} if other is not None else set())
    later = abs(desk.act.occurred_at - known.occurred_at) > SAME_WITHIN
    if later or not signing <= {known.giver, known.taker}:
        raise Conflict("offer_used", field="handover_id", taker=known.taker_name)
    return {
        "consignment": consignment.number,
        "state": consignment.state,
        "count": known.tube_count,
        "refused": known.refused_count,
        "meaning": known.meaning,
        "giver": known.giver_name,
        "taker": known.taker,
    }


def _handover_id(desk: Desk) -> str:
    if desk.payload("method", required=False) == APP:
        return _shown(desk).id
    given = desk.payload("handover_id", required=False, default=desk.act.id)
    return lookup.text(given, field="handover_id").lower()


def _shown(desk: Desk) -> Shown:
    return offer_code.read(desk.payload("code"))


# --- who signs ----------------------------------------------------------------------------------------------------


def _other_party(desk: Desk) -> tuple[User | None, str]:
    """The other one who signs, and how; None at an unattended handover."""
    if desk.payload("method", required=False) == APP:
        return _offerer(desk), APP
    username = desk.payload("other", required=False)
    if username is None:
        desk.payload("seal_tail", required=not signatures.proven(desk, signatures.SEAL))
        return None, BY_SEAL
    other = _person(desk, username)
    signatures.require_pin(desk, other)
    return other, PIN


def _offerer(desk: Desk) -> User:
    """The giver on whose screen the id of this handover stood. His own half is his signature, and comes from him."""
    offer, said = offers.shown(desk.session, desk.payload("code"), taker=desk.actor.username, at=desk.act.occurred_at)
    if desk.payload("handover_id", required=False, default=said.id) != said.id:
        raise Invalid("offer_altered", field="handover_id")
    if desk.payload("other", required=False, default=offer.username) != offer.username:
        raise Conflict("offer_of_other", field="other")
    return _person(desk, offer.username)


def _person(desk: Desk, username: str) -> User:
    other = desk.session.scalars(select(User).where(User.username == username, User.active)).first()
    if other is None:
        raise NotFound("user_unknown", field="other")
    if other.id == desk.actor.id:
        raise Invalid("two_people_needed", field="other")
    return other


def _parties(desk: Desk, consignment: Consignment, other: User | None, method: str) -> tuple[User | None, User]:
    """(giver, taker). The one who holds it gives; at a site that is whoever of the site signs."""
    holder = consignment.holder
    if method == APP:  # the offer is the giver's, so the sender takes
        if holder is not None and (other is None or other.username != holder):
            raise Conflict("not_the_holder", field="other", consignment=consignment.number)
        return other, desk.actor
    if holder == desk.actor.username:
        return desk.actor, _needed(other)
    takers = {access.RECEIVER, access.COLLECTOR} if consignment.kind == items.RETURN else {access.RECEIVER}
    if method == BY_SEAL and holder is not None and desk.actor.role in takers:
        # The courier has left the box at the door: the seal in the receiver's hand proves it is this one.
        return desk.session.scalars(select(User).where(User.username == holder)).one(), desk.actor
    if holder is not None and (other is None or other.username != holder):
        raise Conflict("not_the_holder", field="other", consignment=consignment.number)
    # It stands at a site: the courier takes it, whoever's screen both sign on.
    gives = desk.actor.role not in {access.COURIER, access.RECEIVER} or (
        desk.actor.role == access.RECEIVER and other is not None and other.role == access.COURIER
    )
    if holder is None and gives:
        return desk.actor, _needed(other)
    return other, desk.actor


def _needed(other: User | None) -> User:
    if other is None:
        raise Invalid("other_party_missing", field="other")
    return other


def _may_sign(meaning: str, giver: User | None, taker: User) -> None:
    """The table speaks of who sends the act; the other signature is one of those roles, too. A box that stands at a
    site is given by somebody of the site: two couriers do not take it between them. Raises Forbidden('signer_role')."""
    givers = CARRIERS - {access.COURIER} if meaning == PICKUP else CARRIERS
    if taker.role not in CARRIERS or (giver is not None and giver.role not in givers):
        raise Forbidden("signer_role", field="other")


def _both_here(desk: Desk, consignment: Consignment, meaning: str, *people: User | None) -> None:
    """Couriers sign anywhere; who gives or takes for a site must work there, or above it."""
    here = consignment.location_code if meaning == PICKUP else None
    for person in people:
        if person is not None and not signatures.stands_at(desk.session, person, here or desk.site):
            raise Forbidden("signer_elsewhere", field="other", site=here or desk.site)


# --- what it means ------------------------------------------------------------------------------------------------


def _passing(desk: Desk, consignment: Consignment, taker: User, site: str, part: Mapping[str, Any]) -> Passing:
    if consignment.holder is None:
        if desk.act.site and consignment.location_code not in {None, desk.act.site}:
            # A late delivery that is uploaded before its pickup must not count as one.
            raise Conflict(
                "consignment_elsewhere", field="site", consignment=consignment.number, site=consignment.location_code
            )
        return Passing(PICKUP)
    if taker.role == access.COURIER:
        return Passing(TRANSFER)
    if site == consignment.destination_code:
        return Passing(DELIVERY)
    on_the_way = legs.between(desk.session, consignment.origin_code, consignment.destination_code)
    if site in on_the_way and part.get("meaning") == TRANSFER:
        return Passing(TRANSFER, E.HANDED_IN, {"destination": consignment.destination_code})
    elsewhere = part.get("elsewhere")
    if elsewhere is None:
        raise Conflict(
            "wrong_destination", field="site", consignment=consignment.number, destination=consignment.destination_code,
            transfer=site in on_the_way,
        )  # fmt: skip
    if not isinstance(elsewhere, dict):
        raise Invalid("field_malformed", field="elsewhere")
    reason = known_reason(desk.session, str(elsewhere.get("reason", "")), field="elsewhere")
    note = str(elsewhere.get("note") or "")[:MAX_NOTE]
    facts = {"reason": reason.code, "note": note, "destination": consignment.destination_code}
    return Passing(ELSEWHERE, E.HANDED_IN, facts)


def _refuse(desk: Desk, consignment: Consignment, tubes: list[Specimen], part: Mapping[str, Any]) -> dict[int, str]:
    """Tubes that the taker does not take along, each with a coded reason: they stay at the site, unpacked."""
    refused: dict[int, str] = {}
    by_accession = {tube.accession: tube for tube in tubes}
    entries = part.get("refused") or []
    if not isinstance(entries, list):
        raise Invalid("field_malformed", field="refused")
    for entry in entries:
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
        refused[tube.id] = reason.code
    return refused


def _check_count(consignment: Consignment, part: Mapping[str, Any], expected: int) -> None:
    counted = part.get("count")
    if counted is None:
        raise Invalid("field_missing", field="count")
    if isinstance(counted, bool) or not isinstance(counted, int):
        raise Invalid("field_malformed", field="count")
    if counted != expected:
        raise Conflict(
            "handover_count_differs", field="count", counted=counted, expected=expected, consignment=consignment.number
        )


def _text(part: Mapping[str, Any], key: str) -> str | None:
    value = part.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Invalid("field_malformed", field=key)
    return value


# --- what follows from it -----------------------------------------------------------------------------------------


def _after(desk: Desk, consignment: Consignment, passing: Passing, taker: User, site: str) -> None:
    number, at = consignment.number, desk.act.occurred_at
    if passing.meaning == PICKUP:
        _fetched(desk, consignment, site)
        transport.arrived_already(desk, consignment, taker)
    elif passing.meaning == DELIVERY:
        alerts.end_alert(desk.session, elsewhere_key(number), now=desk.now)
    if passing.event is not E.HANDED_IN:
        return
    desk.session.flush()
    pickups.ready(desk.session, site, at=at, by=desk.actor.username)
    if passing.meaning != ELSEWHERE:
        return
    alerts.raise_alert(
        desk.session,
        kind="elsewhere",
        severity="warning",
        site_code=consignment.destination_code,
        origin_code=consignment.origin_code,
        box_code=consignment.box_code,
        consignment_number=number,
        incident_key=elsewhere_key(number),
        params={
            "consignment": number, "box": consignment.box_code, "site": site, "reason": passing.facts["reason"],
            "destination": consignment.destination_code,
        },
        specimen_ids=[tube.id for tube in lookup.tubes(desk.session, number)],
        occurred_at=at,
        now=desk.now,
    )  # fmt: skip


def elsewhere_key(number: str) -> str:
    return f"elsewhere:{number}"


def _fetched(desk: Desk, consignment: Consignment, site: str) -> None:
    """Nothing waits there any more to be fetched."""
    at = desk.act.occurred_at
    query = select(Pickup).where(
        Pickup.site_code == site,
        Pickup.state.in_(("open", "planned")),
        Pickup.day == at.astimezone(ZONE).date().isoformat(),
    )
    if consignment.kind == items.RETURN:  # the laboratory's own pickups are of tubes for the next one
        query = query.where(Pickup.consignment_number == consignment.number)
    for pickup in desk.session.scalars(query):
        pickup.state = "done"


def _promised(desk: Desk, consignment: Consignment, taker: User, site: str) -> datetime:
    """When it will be there: as the plan has it, else so long a leg."""
    legs_left = len(legs.between(desk.session, site, consignment.destination_code)) + 1
    return planned_delivery(desk, consignment, taker) or desk.act.occurred_at + legs_left * DEFAULT_LEG


def planned_delivery(desk: Desk, consignment: Consignment, taker: User) -> datetime | None:
    """When the published plan has the taker at the consignment's destination next."""
    return desk.session.scalars(
        select(Stop.arrive_at)
        .where(
            Stop.courier == taker.username,
            Stop.site_code == consignment.destination_code,
            Stop.state == "planned",
            Stop.arrive_at > desk.act.occurred_at,
        )
        .order_by(Stop.arrive_at)
    ).first()


# --- the giver's half ---------------------------------------------------------------------------------------------


def sign(desk: Desk) -> None:
    """The giver signs on his own device what he has handed over; before or after the taker's half arrives.

    subject: ``consignments`` or one ``consignment``; payload: ``handover_id`` (drawn for him), ``counts`` by number or
    ``count``, [``other`` who took it, ``meaning``]. Custody does not pass by it. What differs from the taker's half is
    kept beside it and told, never refused: it is what this person states.
    """
    offer = offers.locked(desk.session, desk.payload("handover_id"))
    if offer.username != desk.actor.username:
        raise Conflict("offer_of_other", field="handover_id")
    meaning = desk.payload("meaning", required=False, default="")
    if meaning not in {"", PICKUP, TRANSFER, DELIVERY, ELSEWHERE}:
        raise Invalid("field_malformed", field="meaning")
    other = desk.payload("other", required=False, default="")
    if other:
        _person(desk, other)
    counts = _counts(desk)
    mine = [_sign_one(desk, offer.id, number, counts[number], other, meaning) for number in sorted(counts)]
    half_signed.settle(desk.session, offer.id, now=desk.now)
    desk.result.update(
        handover=offer.id,
        consignments=[{"consignment": half.consignment_number, "state": half.state} for half in mine],
    )


def _counts(desk: Desk) -> dict[str, int]:
    several = desk.act.subject.get("consignments")
    if several is None:
        number = lookup.text(desk.act.subject.get("consignment"), field="consignment")
        return {number: desk.payload("count", int)}
    counts = desk.payload("counts", dict)
    found: dict[str, int] = {}
    for number in halves.listed(several, field="consignments"):
        count = counts.get(number)
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise Invalid("part_missing", field="counts", consignment=number)
        found[number] = count
    return found


def _sign_one(desk: Desk, handover_id: str, number: str, count: int, other: str, meaning: str) -> HandoverHalf:
    """The giver's statement about one consignment."""
    consignment = _given(desk, handover_id, number)
    facts = {
        "handover": handover_id,
        "giver": desk.actor.username,
        "giver_name": desk.actor.name_zh,
        "other": other,
        "meaning": meaning,
        "count": count,
    }
    event = desk.append_consignment(consignment, E.HANDOVER_SIGNED, facts, site=desk.site)
    half = HandoverHalf(**asdict(signed.signed(event)))
    desk.session.add(half)
    return half


def _given(desk: Desk, handover_id: str, number: str) -> Consignment:
    """A consignment that he may state something about: it is or was of his sites, or the taker names him as giver."""
    known = desk.session.get(Handover, (handover_id, number))
    if known is None or known.giver != desk.actor.username:
        return lookup.consignment(desk, number)
    return lookup.locked(desk.session, select(Consignment).where(Consignment.number == number))[0]
