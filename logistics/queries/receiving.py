"""What a laboratory sees: what is on the way to it, and a box being received."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, union_all
from sqlalchemy.orm import Session, joinedload

from logistics.domain.access import Scope
from logistics.domain.acts import HOWS
from logistics.domain.numbers import normalise
from logistics.domain.transitions import ConsignmentState as C
from logistics.errors import NotFound
from logistics.models import Box, Consignment, ConsignmentLine, Counter, Handover, Nonconformity, Reason, Specimen
from logistics.queries.worklists import day_start

COMING = (C.SEALED, C.IN_TRANSIT, C.WAITING, C.ARRIVED, C.DELIVERED)
GRACE = timedelta(minutes=10)
REJECT_KEYS = 9


def incoming(session: Session, scope: Scope, *, now: datetime) -> list[Consignment]:
    """Consignments for the laboratories in ``scope`` that are sealed, under way, or being received.

    Those waiting to be received come first, then by expected time; closed ones of today last.
    """
    query = select(Consignment).options(joinedload(Consignment.origin), joinedload(Consignment.destination))
    bound = select(Consignment.number)
    if not scope.everything:
        bound = bound.where(Consignment.destination_code == (scope.home or ""))
    coming, closed = bound.where(Consignment.state.in_(COMING)), bound.where(Consignment.closed_at >= day_start(now))
    query = query.where(Consignment.number.in_(union_all(coming, closed)))
    query = query.where(Consignment.state.not_in((C.OPEN, C.CANCELLED)), Consignment.kind == "specimens")
    rank = {C.DELIVERED: 0, C.ARRIVED: 1, C.IN_TRANSIT: 2, C.WAITING: 2, C.SEALED: 3, C.CLOSED: 4}
    found = list(session.scalars(query.limit(300)))
    return sorted(found, key=lambda one: (rank.get(C(one.state), 5), _when(one, now), one.number))


def _when(one: Consignment, now: datetime) -> float:
    if one.state == C.CLOSED and one.closed_at:
        return -one.closed_at.timestamp()
    return (one.expected_at or one.state_since or now).timestamp()


def is_overdue(one: Consignment, *, now: datetime) -> bool:
    """Under way later than promised, with ten minutes of grace."""
    under_way = one.state in {C.IN_TRANSIT, C.WAITING}
    return under_way and one.expected_at is not None and now > one.expected_at + GRACE


def find(session: Session, scope: Scope, code: str) -> Consignment:
    """The consignment that a scanned box or consignment label stands for, if it concerns a site in ``scope``.

    Raises NotFound('consignment_unknown') or NotFound('box_empty').
    """
    box = session.get(Box, code)
    if box is not None and box.consignment_number is None:
        raise NotFound("box_empty", field="box", box=code)
    number = box.consignment_number if box is not None else code
    consignment = session.get(Consignment, number)
    if consignment is None or not scope.covers(consignment.destination_code, consignment.origin_code):
        raise NotFound("consignment_unknown", field="consignment", consignment=code)
    return consignment


@dataclass(frozen=True, slots=True)
class Line:
    """A tube of the manifest with what has become of it."""

    line: ConsignmentLine
    specimen: Specimen


@dataclass(frozen=True, slots=True)
class Receipt:
    """A consignment as the receiver works on it."""

    consignment: Consignment
    lines: Sequence[Line]
    strangers: Sequence[Nonconformity]  # found in the box, not on the manifest, unknown to the network
    box_findings: Sequence[Nonconformity]  # what is wrong with the box itself


def receipt(session: Session, consignment: Consignment) -> Receipt:
    rows = session.execute(
        select(ConsignmentLine, Specimen)
        .join(Specimen, Specimen.id == ConsignmentLine.specimen_id)
        .where(ConsignmentLine.consignment_number == consignment.number)
        .where(ConsignmentLine.outcome.not_in(("refused", "unpacked")))
        .order_by(ConsignmentLine.position, Specimen.id)
    ).all()
    found = session.scalars(
        select(Nonconformity)
        .where(Nonconformity.consignment_number == consignment.number, Nonconformity.specimen_id.is_(None))
        .order_by(Nonconformity.id)
    ).all()
    strangers = [one for one in found if one.accession]
    of_box = [one for one in found if not one.accession]
    return Receipt(consignment, [Line(line, specimen) for line, specimen in rows], strangers, of_box)


def missed(session: Session, scope: Scope, code: str) -> list[Specimen]:
    """Tubes with this number that somebody misses, within ``scope``."""
    query = select(Specimen).where(Specimen.accession_key == normalise(code), Specimen.state.in_(("missing", "lost")))
    return [
        one
        for one in session.scalars(query.order_by(Specimen.id).limit(20))
        if scope.covers(one.collecting_site_code, one.destination_code, one.location_code)
    ]


def board(session: Session) -> int:
    """The counter that every recorded act moves on: while it stands, no receipt has changed."""
    return session.scalar(select(Counter.value).where(Counter.name == "board")) or 0


def box_wide_reasons(session: Session) -> list[Reason]:
    """What may be said of a box, or of all its tubes at once: of the box first."""
    query = select(Reason).where(Reason.kind.in_(("reject", "deviation", "handover")), Reason.active)
    query = query.where(Reason.code.not_in(("TUBE_MISSING", "UNEXPECTED")))
    return sorted(session.scalars(query), key=lambda one: (one.kind == "reject", one.position, one.code))


def handover_state(session: Session, number: str) -> str:
    """signed | giver_outstanding | differs: the worst of the handovers of a consignment."""
    states = set(session.scalars(select(Handover.state).where(Handover.consignment_number == number)))
    return next((state for state in ("differs", "giver_outstanding") if state in states), "signed")


def reject_reasons(session: Session) -> list[Reason]:
    """The reasons for a refusal, the usual ones first: the first nine answer to the keys 1 to 9."""
    query = select(Reason).where(Reason.kind == "reject", Reason.active, Reason.code != "TUBE_MISSING")
    return list(session.scalars(query.order_by(Reason.position, Reason.code)))


def deviation_reasons(session: Session) -> list[Reason]:
    """Why a tube may lie in a box without standing on its manifest; what is wrong with a box (HL7 0544) is left out."""
    query = select(Reason).where(Reason.kind == "deviation", Reason.active, Reason.hl7.not_like("0544:%"))
    return list(session.scalars(query.order_by(Reason.position, Reason.code)))


def command_of(reason: Reason) -> str:
    """The text of the printed barcode that rejects for this reason: letters and digits only, as scanners type them."""
    return f"CMDX{''.join(filter(str.isalnum, reason.code)).upper()}"[:24]


def undecided(session: Session, site_code: str) -> list[tuple[Specimen, str]]:
    """Tubes that this laboratory tests, received and not decided yet, each with the consignment it came in."""
    rows = session.execute(
        select(Specimen, ConsignmentLine.consignment_number)
        .join(ConsignmentLine, ConsignmentLine.specimen_id == Specimen.id)
        .join(Consignment, Consignment.number == ConsignmentLine.consignment_number)
        .where(Specimen.state == "received", Specimen.location_code == site_code)
        .where(Specimen.destination_code == site_code, Consignment.destination_code == site_code)
        .where(ConsignmentLine.outcome.in_((*HOWS, "found", "unexpected")))
        .order_by(Specimen.received_at)
        .limit(200)
    ).all()
    return [(specimen, number) for specimen, number in rows]
