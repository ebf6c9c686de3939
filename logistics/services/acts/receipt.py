"""At the laboratory: every tube of a box is scanned, ticked by hand, or declared missing by name."""

from __future__ import annotations

from sqlalchemy import select

from logistics.domain.custody import EventType as E
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Consignment, ConsignmentLine, Nonconformity, Specimen
from logistics.services import alerts, items, lookup
from logistics.services.desk import OUT_OF_BOX, Desk
from logistics.services.reasons import known_reason

CONDITIONS = ("good", "damaged", "leaked")


def receive(desk: Desk) -> None:
    """A tube of the manifest is here, in a stated condition."""
    consignment = _here(desk)
    specimen = lookup.specimen(desk, in_consignment=consignment.number)
    line = desk.session.get(ConsignmentLine, (consignment.number, specimen.id))
    if line is None or line.outcome in OUT_OF_BOX:
        raise Conflict(
            "specimen_unexpected", field="specimen", specimen=specimen.accession, consignment=consignment.number
        )
    if line.outcome in {"scanned", "ticked", "unexpected"}:
        raise Conflict("specimen_received_already", field="specimen", specimen=specimen.accession)
    if line.outcome == "missing":
        desk.append_specimen(specimen, E.FOUND, {"consignment": consignment.number}, site=desk.site)
    desk.append_specimen(
        specimen, E.RECEIVED, {"condition": _condition(desk), "consignment": consignment.number}, site=desk.site
    )
    _hold_if_warm(desk, specimen, consignment)
    desk.result.update(_about(specimen), **_progress(desk, consignment))


def _hold_if_warm(desk: Desk, specimen: Specimen, consignment: Consignment) -> None:
    """A tube whose box left its band waits for the manager's decision, so that nobody accepts it in passing."""
    alert = alerts.undecided_excursion(desk.session, consignment.number, specimen.id)
    if alert is not None and not specimen.on_hold:
        desk.append_specimen(specimen, E.HELD, {"reason": "excursion", "incident": alert.incident_key}, site=desk.site)


def receive_unexpected(desk: Desk) -> None:
    """A tube is in the box that is not on the manifest: logged with a reason, never silently added."""
    consignment = _here(desk)
    note = desk.payload("note", required=False, default="")[:1000]
    condition = _condition(desk)
    accession = lookup.text(desk.act.subject.get("specimen"), field="specimen")
    try:
        specimen: Specimen | None = lookup.specimen(desk)
    except NotFound:
        specimen = None  # nobody knows this number: it is kept on record all the same
    desk.session.add(
        Nonconformity(
            specimen_id=specimen.id if specimen else None,
            consignment_number=consignment.number,
            site_code=desk.site,
            reason_code=known_reason(desk.session, desk.payload("reason")).code,
            note=note,
            found_by=desk.actor.username,
            found_at=desk.act.occurred_at,
            accession=accession,
        )
    )
    desk.append_consignment(
        consignment, E.UNEXPECTED_TUBE, {"accession": accession, "known": specimen is not None, "note": note}
    )
    if specimen is not None:
        line = desk.session.get(ConsignmentLine, (consignment.number, specimen.id))
        if line is not None and line.outcome == "expected":
            raise Conflict("specimen_is_expected", field="specimen", specimen=accession)
        desk.append_specimen(
            specimen,
            E.RECEIVED_UNEXPECTED,
            {"condition": condition, "consignment": consignment.number, "from": specimen.consignment_number},
            site=desk.site,
        )
        _hold_if_warm(desk, specimen, consignment)
        desk.result.update(_about(specimen))
    desk.result.update(known=specimen is not None, **_progress(desk, consignment))


def declare_missing(desk: Desk) -> None:
    """A named person states that a tube of the manifest is not in the box."""
    consignment = _here(desk)
    specimen = lookup.specimen(desk, in_consignment=consignment.number)
    desk.append_specimen(specimen, E.DECLARED_MISSING, {"consignment": consignment.number}, site=desk.site)
    desk.session.add(
        Nonconformity(
            specimen_id=specimen.id,
            consignment_number=consignment.number,
            site_code=desk.site,
            reason_code="TUBE_MISSING",
            found_by=desk.actor.username,
            found_at=desk.act.occurred_at,
            accession=specimen.accession,
        )
    )
    alerts.raise_alert(
        desk.session,
        kind="missing",
        severity="critical",
        site_code=desk.site,
        origin_code=consignment.origin_code,
        box_code=consignment.box_code,
        consignment_number=consignment.number,
        incident_key=f"missing:{consignment.number}",
        params={"consignment": consignment.number, "box": consignment.box_code, "last": specimen.accession},
        specimen_ids=[specimen.id],
        occurred_at=desk.act.occurred_at,
        now=desk.now,
    )
    desk.result.update(_about(specimen), **_progress(desk, consignment))


def found(desk: Desk) -> None:
    """A tube that was declared missing or lost has turned up at this laboratory."""
    specimen = lookup.specimen(desk)
    line = desk.session.scalars(
        select(ConsignmentLine)
        .where(ConsignmentLine.specimen_id == specimen.id, ConsignmentLine.outcome == "missing")
        .order_by(ConsignmentLine.consignment_number.desc())
    ).first()
    number = line.consignment_number if line else None
    desk.append_specimen(specimen, E.FOUND, {"consignment": number} if number else {}, site=desk.own_site())
    desk.append_specimen(specimen, E.RECEIVED, {"condition": _condition(desk)}, site=desk.own_site())
    if number is not None:
        _end_missing(desk, number)
    desk.result.update(_about(specimen))


def _end_missing(desk: Desk, number: str) -> None:
    still = desk.session.scalars(
        select(ConsignmentLine.specimen_id).where(
            ConsignmentLine.consignment_number == number, ConsignmentLine.outcome == "missing"
        )
    ).first()
    if still is None:
        alerts.end_alert(desk.session, f"missing:{number}", now=desk.now)


def close(desk: Desk) -> None:
    """The receipt is complete: every tube is accounted for. It never requires received = sent."""
    consignment = _here(desk)
    if consignment.kind == items.RETURN:
        items.close(desk, consignment)
        return
    lines = desk.session.scalars(
        select(ConsignmentLine).where(ConsignmentLine.consignment_number == consignment.number)
    ).all()
    open_lines = [line for line in lines if line.outcome == "expected"]
    if open_lines:
        raise Conflict("receipt_incomplete", field="consignment", open=len(open_lines), total=len(lines))
    counts: dict[str, int] = {}
    for line in lines:
        counts[line.outcome] = counts.get(line.outcome, 0) + 1
    desk.append_consignment(consignment, E.CLOSED, {"counts": counts}, site=desk.site)
    # The tubes are out of the box: what happens in it from here on concerns none of them.
    alerts.end_alert(desk.session, f"excursion:{consignment.box_code}:{consignment.number}", now=desk.now)
    desk.result.update(consignment=consignment.number, state=consignment.state, counts=counts)


def _here(desk: Desk) -> Consignment:
    """The consignment being received: handed to this laboratory, not closed."""
    consignment = lookup.consignment(desk)
    site = desk.own_site()
    if consignment.destination_code != site:
        raise Conflict(
            "wrong_destination", field="site", consignment=consignment.number, destination=consignment.destination_code
        )
    if consignment.state != "delivered":
        code = "receipt_closed" if consignment.state == "closed" else "handover_first"
        raise Conflict(code, field="consignment", consignment=consignment.number)
    return consignment


def _condition(desk: Desk) -> str:
    """As stated by the receiver; there is no default."""
    condition: str = desk.payload("condition")
    if condition not in CONDITIONS:
        raise Invalid("condition_unknown", field="condition", condition=condition[:40])
    return condition


def _about(specimen: Specimen) -> dict[str, object]:
    return {
        "specimen": specimen.accession,
        "specimen_id": specimen.id,
        "state": specimen.state,
        "on_hold": specimen.on_hold,
        "use_by": specimen.use_by_at.isoformat() if specimen.use_by_at else None,
        "stability": specimen.stability,
    }


def _progress(desk: Desk, consignment: Consignment) -> dict[str, int]:
    desk.session.flush()
    outcomes = desk.session.scalars(
        select(ConsignmentLine.outcome).where(ConsignmentLine.consignment_number == consignment.number)
    ).all()
    inside = [outcome for outcome in outcomes if outcome not in OUT_OF_BOX]
    return {"checked": sum(outcome != "expected" for outcome in inside), "total": len(inside)}
