"""At the laboratory: every tube of a box is scanned, typed in or ticked by hand, or declared missing by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from logistics.domain import access, numbers
from logistics.domain.acts import HOWS
from logistics.domain.custody import EventType as E
from logistics.domain.projection import OUT_OF_BOX
from logistics.domain.transitions import State
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Alert, Consignment, ConsignmentLine, Nonconformity, Specimen
from logistics.services import alerts, attachments, items, lookup, reasons
from logistics.services.desk import Desk

CONDITIONS = ("good", "damaged", "leaked")
CHECKED = frozenset({*HOWS, "unexpected", "found", "late"})
ASTRAY = (State.MISSING, State.LOST)


def receive(desk: Desk) -> None:
    """A tube of the manifest is here, in a stated condition."""
    consignment = here(desk)
    specimen = lookup.specimen(desk, in_consignment=consignment.number)
    line = desk.session.get(ConsignmentLine, (consignment.number, specimen.id))
    if line is None or line.outcome in OUT_OF_BOX:
        raise Conflict(
            "specimen_unexpected", field="specimen", specimen=specimen.accession, consignment=consignment.number
        )
    if line.outcome in CHECKED:
        raise Conflict("specimen_received_already", field="specimen", specimen=specimen.accession)
    stated = condition(desk)
    take_in(desk, specimen, consignment, line, stated, lookup.excursions(desk, consignment.number))
    desk.result.update(_about(specimen), **_progress(desk, consignment))


def take_in(
    desk: Desk,
    specimen: Specimen,
    consignment: Consignment,
    line: ConsignmentLine,
    stated: str,
    excursions: Sequence[Alert],
) -> None:
    """Receive one tube of the manifest, found again when it had been declared missing, on hold when it came warm."""
    payload = {"condition": stated, "consignment": consignment.number}
    if line.outcome == "missing":
        desk.append_specimen(specimen, E.FOUND, {"consignment": consignment.number}, site=desk.site)
        _end_missing(desk, consignment.number)
    desk.append_specimen(specimen, E.RECEIVED, payload, site=desk.site)
    _hold_if_warm(desk, specimen, excursions)


def _hold_if_warm(desk: Desk, specimen: Specimen, excursions: Sequence[Alert]) -> None:
    """A tube whose box left its band waits for the manager's decision, so that nobody accepts it in passing."""
    alert = next((one for one in excursions if specimen.id in one.specimen_ids), None)
    if alert is not None and not specimen.on_hold:
        desk.append_specimen(specimen, E.HELD, {"reason": "excursion", "incident": alert.incident_key}, site=desk.site)


def receive_unexpected(desk: Desk) -> None:
    """A tube is in the box that is not on the manifest: logged with a reason, never silently added.

    One that another receipt misses has turned up: its line there says where, and the search for it ends.
    """
    consignment = here(desk)
    stated = condition(desk)
    reason = reasons.about_tube(desk.session, desk.payload("reason"))
    accession = lookup.text(desk.act.subject.get("specimen"), field="specimen")
    specimen = _unexpected(desk, consignment, accession)
    note = desk.payload("note", required=False, default="")[:1000]
    why = {"reason": reason.code, "note": note, **attachments.quoted(desk)}
    desk.append_consignment(
        consignment, E.UNEXPECTED_TUBE, {"accession": accession, "known": specimen is not None, **why}, site=desk.site
    )
    if specimen is not None:
        missed = specimen.missing_from
        came_from = specimen.consignment_number or missed
        payload = {"condition": stated, "consignment": consignment.number, "from": came_from, **why}
        desk.append_specimen(specimen, E.RECEIVED_UNEXPECTED, payload, site=desk.site)
        _hold_if_warm(desk, specimen, alerts.undecided_excursions(desk.session, consignment.number))
        if missed is not None:
            _end_missing(desk, missed)
        desk.result.update(_about(specimen), missed=missed)
    desk.result.update(known=specimen is not None, **_progress(desk, consignment))


def _unexpected(desk: Desk, consignment: Consignment, accession: str) -> Specimen | None:
    """The tube; None when nobody knows its number: it is kept on record all the same."""
    try:
        specimen = lookup.specimen(desk)
    except NotFound:
        return _astray(desk, accession)
    line = desk.session.get(ConsignmentLine, (consignment.number, specimen.id))
    if line is not None and line.outcome in {"expected", "missing"}:
        raise Conflict("specimen_is_expected", field="specimen", specimen=accession)
    return specimen


def _astray(desk: Desk, accession: str) -> Specimen | None:
    """A tube that another county misses, which this laboratory could not see before it lay on its desk.

    Whether it is that tube is for the one to say who has it in his hand. Raises Conflict('specimen_astray') with
    the choices, until ``specimen_id`` names one or ``stranger`` says that it is none of them.
    """
    if desk.payload("stranger", bool, required=False, default=False):
        return None
    query = select(Specimen).where(Specimen.accession_key == numbers.normalise(accession), Specimen.state.in_(ASTRAY))
    missed = lookup.locked(desk.session, query.order_by(Specimen.id))
    wanted = desk.act.subject.get("specimen_id")
    chosen = next((one for one in missed if one.id == wanted), None)
    if chosen is not None or not missed:
        return chosen
    choices = [
        {"id": one.id, "site": one.issuing_site_code, "registered_on": one.registered_on, "state": one.state}
        for one in missed
    ]
    raise Conflict("specimen_astray", field="specimen", specimen=accession, choices=choices)


def declare_missing(desk: Desk) -> None:
    """A named person states that a tube of the manifest is not in the box."""
    consignment = here(desk)
    specimen = lookup.specimen(desk, in_consignment=consignment.number)
    line = desk.session.get(ConsignmentLine, (consignment.number, specimen.id))
    if line is None or line.outcome in OUT_OF_BOX:
        raise Conflict("specimen_not_in_consignment", field="specimen", specimen=specimen.accession)
    note = desk.payload("note", required=False, default="")[:1000]
    payload = {"consignment": consignment.number, **({"note": note} if note else {})}
    desk.append_specimen(specimen, E.DECLARED_MISSING, payload, site=desk.site)
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
    """A tube that was declared missing or lost has turned up: at a laboratory, or where it was collected."""
    specimen = _found(desk)
    number = specimen.missing_from
    if desk.actor.role == access.COLLECTOR:
        _found_at_origin(desk, specimen, number)
    else:
        stated = condition(desk)
        payload: dict[str, Any] = {"condition": stated}
        if number is not None:
            closed = lookup.locked(desk.session, select(Consignment).where(Consignment.number == number))
            payload |= {"consignment": number, "late": closed[0].state == "closed"}
        desk.append_specimen(specimen, E.FOUND, payload, site=desk.own_site())
        desk.append_specimen(specimen, E.RECEIVED, {"condition": stated}, site=desk.own_site())
    if number is not None:
        _end_missing(desk, number)
    desk.result.update(_about(specimen), missed=number)


def _found(desk: Desk) -> Specimen:
    try:
        return lookup.specimen(desk)
    except NotFound:
        accession = desk.act.subject.get("specimen")
        specimen = _astray(desk, accession) if isinstance(accession, str) else None
        if specimen is None:
            raise
        return specimen


def _found_at_origin(desk: Desk, specimen: Specimen, number: str | None) -> None:
    """It never left: it lies where it was collected and may be packed again."""
    if specimen.collecting_site_code != desk.own_site():
        raise Conflict(
            "specimen_elsewhere", field="specimen", specimen=specimen.accession, site=specimen.collecting_site_code
        )
    payload = {"from": number} if number is not None else {}
    desk.append_specimen(specimen, E.FOUND_AT_ORIGIN, payload, site=desk.own_site())


def _end_missing(desk: Desk, number: str) -> None:
    """The alert of a receipt ends when none of its tubes is missing any more."""
    desk.session.flush()
    still = desk.session.scalars(
        select(ConsignmentLine.specimen_id).where(
            ConsignmentLine.consignment_number == number, ConsignmentLine.outcome == "missing"
        )
    ).first()
    if still is None:
        alerts.end_alert(desk.session, f"missing:{number}", now=desk.now)


def deviation(desk: Desk) -> None:
    """Something is wrong with the box: seal broken, damaged, too warm. Coded, with words and a picture."""
    consignment = lookup.consignment(desk)
    reason = reasons.about_box(desk.session, desk.payload("reason"))
    note = desk.payload("note", required=False, default="")[:1000]
    payload = {"box": consignment.box_code, "reason": reason.code, "hl7": reason.hl7, "note": note}
    event = desk.append_consignment(
        consignment, E.DEVIATION, payload | dict(attachments.quoted(desk)), site=desk.own_site()
    )
    desk.result.update(consignment=consignment.number, finding=event.seq)


def settle(desk: Desk) -> None:
    """What became of a tube that nobody knew: a word closes the finding."""
    consignment = lookup.consignment(desk)
    desk.scope.require(consignment.destination_code, code="consignment_unknown")
    seq = desk.payload("finding", int)
    note = desk.payload("note")[:1000]
    stream = f"consignment:{consignment.number}"
    finding = desk.session.scalars(
        select(Nonconformity).where(Nonconformity.stream == stream, Nonconformity.seq == seq)
    ).first()
    if finding is None or finding.disposition:
        raise Conflict("finding_settled", field="finding")
    desk.append_consignment(consignment, E.SETTLED, {"finding": seq, "note": note}, site=desk.own_site())
    desk.result.update(consignment=consignment.number, finding=seq)


def close(desk: Desk) -> None:
    """The receipt is complete: every tube is accounted for. It never requires received = sent."""
    consignment = here(desk)
    if consignment.kind == items.RETURN:
        items.close(desk, consignment)
        return
    rows = desk.session.execute(
        select(ConsignmentLine.outcome, func.count())
        .where(ConsignmentLine.consignment_number == consignment.number)
        .group_by(ConsignmentLine.outcome)
    ).all()
    counts: dict[str, int] = {str(outcome): int(number) for outcome, number in rows}
    if counts.get("expected"):
        raise Conflict("receipt_incomplete", field="consignment", open=counts["expected"], total=sum(counts.values()))
    desk.append_consignment(consignment, E.CLOSED, {"counts": counts}, site=desk.site)
    # The tubes are out of the box: what happens in it from here on concerns none of them.
    alerts.end_alert(desk.session, f"excursion:{consignment.box_code}:{consignment.number}", now=desk.now)
    desk.result.update(consignment=consignment.number, state=consignment.state, counts=counts)


def here(desk: Desk) -> Consignment:
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


def condition(desk: Desk) -> str:
    """As stated by the receiver; there is no default."""
    stated: str = desk.payload("condition")
    if stated not in CONDITIONS:
        raise Invalid("condition_unknown", field="condition", condition=stated[:40])
    return stated


def _about(specimen: Specimen) -> Mapping[str, Any]:
    return {
        "specimen": specimen.accession,
        "specimen_id": specimen.id,
        "state": specimen.state,
        "on_hold": specimen.on_hold,
        "use_by": specimen.use_by_at.isoformat() if specimen.use_by_at else None,
        "stability": specimen.stability,
    }


def _progress(desk: Desk, consignment: Consignment) -> dict[str, int]:
    return lookup.progress(desk, consignment.number)
