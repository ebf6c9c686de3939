"""Recalls as acts: a tube or a whole consignment must not be used, wherever it is; found tubes are put aside."""

from __future__ import annotations

from sqlalchemy import select

from logistics.domain.custody import EventType as E
from logistics.domain.projection import OUT_OF_BOX
from logistics.domain.transitions import RECALLABLE, State
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Consignment, ConsignmentLine, Site, Specimen
from logistics.services import lookup, reasons, recall
from logistics.services.desk import Desk
from logistics.services.recall import Why

UNDER_LOCK = frozenset({"sealed", "in_transit", "waiting", "arrived"})
"""Nobody takes a tube out of a sealed box: it is opened at the site, or received, first."""


def recall_tube(desk: Desk) -> None:
    """One tube, in whatever state. payload: ``reason`` (coded), [``note``, ``bring_to`` site, ``recall`` UUID of the
    incident when several acts belong to one]."""
    specimen = lookup.specimen(desk)
    desk.scope.require(
        specimen.location_code, specimen.destination_code, specimen.collecting_site_code, code="specimen_unknown"
    )
    recall.require_recallable(specimen)
    why = _why(desk)
    desk.append_specimen(specimen, E.RECALLED, why.facts())
    number = specimen.consignment_number
    consignment = desk.session.get(Consignment, number) if number else None
    recall.tell(
        desk.session, why, [specimen], by=desk.actor, consignment=consignment, occurred_at=desk.act.occurred_at,
        now=desk.now,
    )  # fmt: skip
    desk.result.update(
        specimen=specimen.accession, specimen_id=specimen.id, state=specimen.state, recall=why.recall,
        bring_to=why.bring_to,
    )  # fmt: skip


def recall_consignment(desk: Desk) -> None:
    """Every tube that travels or travelled in it and is not gone already; those that were refused or taken out are not
    concerned. payload as for one tube."""
    consignment = lookup.consignment(desk)
    why = _why(desk)
    lines = select(ConsignmentLine.specimen_id).where(
        ConsignmentLine.consignment_number == consignment.number, ConsignmentLine.outcome.not_in(sorted(OUT_OF_BOX))
    )
    tubes = lookup.locked(desk.session, select(Specimen).where(Specimen.id.in_(lines)).order_by(Specimen.id))
    called = [tube for tube in tubes if tube.state in RECALLABLE]
    if not called:
        raise Conflict("recall_nothing_left", field="consignment", consignment=consignment.number)
    desk.append_consignment(consignment, E.RECALLED, {**why.facts(), "count": len(called)})
    for tube in called:
        desk.append_specimen(tube, E.RECALLED, why.facts())
    recall.tell(
        desk.session, why, called, by=desk.actor, consignment=consignment, occurred_at=desk.act.occurred_at,
        now=desk.now,
    )  # fmt: skip
    desk.result.update(consignment=consignment.number, count=len(called), recall=why.recall, bring_to=why.bring_to)


def returned(desk: Desk) -> None:
    """A recalled tube is in the actor's hands at his site, out of its box, and set aside."""
    site = desk.own_site()
    specimen = lookup.specimen(desk)
    number = specimen.consignment_number
    if number is not None and specimen.state == State.RECALLED:
        _take_out(desk, specimen, lookup.consignment(desk, number), site)
    elif specimen.location_code not in {None, site}:
        raise Conflict("specimen_elsewhere", field="specimen", specimen=specimen.accession, site=specimen.location_code)
    desk.append_specimen(specimen, E.RETURNED, {"note": desk.payload("note", required=False, default="")}, site=site)
    recall.account(desk.session, [specimen.id], now=desk.now)
    desk.result.update(specimen=specimen.accession, specimen_id=specimen.id, state=specimen.state)


def _take_out(desk: Desk, specimen: Specimen, consignment: Consignment, site: str) -> None:
    if consignment.state in UNDER_LOCK:
        raise Conflict("box_sealed", field="box", box=consignment.box_code, consignment=consignment.number)
    if consignment.location_code != site:
        raise Conflict("specimen_elsewhere", field="specimen", specimen=specimen.accession,
                       site=consignment.location_code)  # fmt: skip
    if consignment.state == "open":
        desk.append_specimen(specimen, E.UNPACKED, {"consignment": consignment.number, "box": consignment.box_code})


def _why(desk: Desk) -> Why:
    reason = reasons.known_reason(desk.session, desk.payload("reason"), kinds=(reasons.RECALL,))
    bring_to = desk.payload("bring_to", required=False, default=desk.actor.site_code)
    if bring_to is None:
        raise Invalid("field_missing", field="bring_to")
    if desk.session.get(Site, bring_to) is None:
        raise NotFound("site_unknown", field="bring_to", site=bring_to[:40])
    return Why(
        recall=lookup.text(desk.payload("recall", required=False, default=desk.act.id), field="recall").lower(),
        reason=reason,
        note=desk.payload("note", required=False, default="")[: recall.MAX_NOTE],
        bring_to=bring_to,
    )
