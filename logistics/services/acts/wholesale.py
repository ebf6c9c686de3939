"""One act about many tubes of a box: a rack read at once, one decision for all. Each tube still gets its own event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.custody import EventType as E
from logistics.domain.projection import OUT_OF_BOX
from logistics.errors import Conflict, Invalid
from logistics.models import Consignment, ConsignmentLine, Specimen
from logistics.services import alerts, lookup, reasons
from logistics.services.acts import decisions, receipt
from logistics.services.desk import Desk

MOST_TUBES = 1000
STALE = frozenset({"expired", "outside"})
DECISIONS: Mapping[str, E] = {
    "accept": E.ACCEPTED, "concession": E.ACCEPTED_CONCESSION, "hold": E.HELD, "reject": E.REJECTED,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Contents:
    """The tubes of a manifest, locked, with their lines; loaded at once, so that 200 tubes cost three queries."""

    tubes: Mapping[int, Specimen]
    lines: Mapping[int, ConsignmentLine]


def contents(session: Session, number: str) -> Contents:
    """In id order, so that two acts about the same box never wait crosswise."""
    on_it = select(ConsignmentLine.specimen_id).where(ConsignmentLine.consignment_number == number)
    tubes = lookup.locked(session, select(Specimen).where(Specimen.id.in_(on_it)).order_by(Specimen.id))
    lines = session.scalars(
        select(ConsignmentLine)
        .where(ConsignmentLine.consignment_number == number)
        .execution_options(populate_existing=True)
    )
    return Contents({one.id: one for one in tubes}, {line.specimen_id: line for line in lines})


def _named(desk: Desk) -> list[int] | None:
    """The ids that the act names; None when it names none. Raises Invalid."""
    ids = desk.payload("specimens", list, required=False)
    if ids is None:
        return None
    if not ids or len(ids) > MOST_TUBES or not all(isinstance(one, int) and not isinstance(one, bool) for one in ids):
        raise Invalid("field_malformed", field="specimens")
    return list(dict.fromkeys(ids))


def receive_all(desk: Desk) -> None:
    """Tubes of the manifest that were read together, all in the condition that the receiver states for them.

    They are named one by one: a tube that nobody read is never received along with the others.
    """
    consignment = receipt.here(desk)
    stated = receipt.condition(desk)
    wanted = _named(desk)
    if wanted is None:
        raise Invalid("field_missing", field="specimens")
    inside = contents(desk.session, consignment.number)
    excursions = alerts.undecided_excursions(desk.session, consignment.number)
    done, left = [], []
    for specimen_id in sorted(wanted):
        specimen, line = inside.tubes.get(specimen_id), inside.lines.get(specimen_id)
        if specimen is None or line is None or line.outcome in OUT_OF_BOX:
            left.append({"specimen_id": specimen_id, "specimen": None, "why": "unexpected"})
        elif line.outcome in receipt.CHECKED:
            left.append(_left(specimen, "received"))
        elif specimen.state not in {"delivered", "missing"}:
            left.append(_left(specimen, "state"))
        else:
            receipt.take_in(desk, specimen, consignment, line, stated, excursions)
            done.append(specimen)
    desk.result.update(_result(consignment, done, left))


def decide_all(desk: Desk) -> None:
    """One decision for the tubes of a box, with one reason: 'temperature breach, all on hold'.

    Without ``specimens`` it is about every received tube of the box that is not decided. What cannot be decided so
    stays open, each named with what stands against it.
    """
    consignment = lookup.consignment(desk)
    site = desk.own_site()
    if consignment.destination_code != site:
        raise Conflict(
            "wrong_destination", field="site", consignment=consignment.number, destination=consignment.destination_code
        )
    decision = desk.payload("decision")
    if decision not in DECISIONS:
        raise Invalid("decision_unknown", field="decision", decision=decision[:40])
    payload = _payload(desk, decision, consignment)
    inside = contents(desk.session, consignment.number)
    wanted = _named(desk)
    for specimen_id in wanted or ():
        if specimen_id not in inside.tubes:
            raise Invalid("specimen_not_in_consignment", field="specimens", specimen=str(specimen_id))
    done, left = [], []
    for specimen in inside.tubes.values():
        if (specimen.id not in wanted) if wanted is not None else (specimen.state != "received"):
            continue
        against = _against(specimen, decision, site)
        if against is None:
            desk.append_specimen(specimen, DECISIONS[decision], payload, site=site)
            done.append(specimen)
        else:
            left.append(_left(specimen, against))
    desk.result.update(_result(consignment, done, left), decision=decision)


def _payload(desk: Desk, decision: str, consignment: Consignment) -> dict[str, Any]:
    """What every tube's event says; read once, checked as for a single tube."""
    if decision == "accept":
        return {}
    code = desk.payload("reason")
    if decision == "hold":
        reason = decisions.held_for(desk, code)
        why = decisions.because(desk, reason)
        return {**why, "reason": why["note"] or reason.zh, "code": reason.code, "consignment": consignment.number}
    if decision == "concession":
        reason = reasons.concession(desk.session, code)
    else:
        reason = reasons.known_reason(desk.session, code, kinds=(reasons.REJECT,))
    return {**decisions.because(desk, reason), "consignment": consignment.number}


def _against(specimen: Specimen, decision: str, site: str) -> str | None:  # noqa: PLR0911  # one line a rule
    """What stands against the decision about this tube; None: nothing."""
    if specimen.location_code != site or specimen.state != "received":
        return "state"
    if decision == "hold":
        return "on_hold" if specimen.on_hold else None
    if decision == "reject":
        return None
    if specimen.on_hold:
        return "on_hold"
    if specimen.destination_code != site:
        return "destination"
    if decision == "concession":
        return None
    if specimen.condition != "good":
        return "condition"
    return "stability" if specimen.stability in STALE else None


def _left(specimen: Specimen, why: str) -> dict[str, Any]:
    return {"specimen_id": specimen.id, "specimen": specimen.accession, "why": why}


def _result(consignment: Consignment, done: Sequence[Specimen], left: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "consignment": consignment.number,
        "count": len(done),
        "specimens": [{"id": one.id, "state": one.state, "on_hold": one.on_hold} for one in done],
        "left": list(left),
    }
