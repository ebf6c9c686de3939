"""What the laboratory decides about a tube: accept, concede, reject, hold, recall, dispose."""

from __future__ import annotations

from typing import Any

from logistics.domain.custody import EventType as E
from logistics.errors import Conflict, Invalid
from logistics.models import Reason, Specimen
from logistics.services import attachments, lookup, reasons, recall
from logistics.services.desk import Desk

BAD_CONDITIONS = frozenset({"damaged", "leaked"})


def _own(desk: Desk) -> Specimen:
    """The tube, which must stand at the actor's laboratory or be on its way there."""
    specimen = lookup.specimen(desk)
    desk.scope.require(
        specimen.location_code, specimen.destination_code, specimen.collecting_site_code, code="specimen_unknown"
    )
    return specimen


def _at_hand(desk: Desk) -> Specimen:
    """The tube, which must not stand at a laboratory that the actor does not act for, wherever it was collected."""
    specimen = _own(desk)
    if specimen.location_code is not None and not desk.scope.covers(specimen.location_code):
        raise Conflict("specimen_elsewhere", field="specimen", specimen=specimen.accession, site=specimen.location_code)
    return specimen


def accept(desk: Desk) -> None:
    """Accepted, or accepted with concession when a reason is given (the reason shows on the report)."""
    specimen = _own(desk)
    if specimen.location_code != desk.own_site():
        raise Conflict("specimen_elsewhere", field="specimen", specimen=specimen.accession, site=specimen.location_code)
    code = desk.payload("reason", required=False)
    if code is not None:
        why = because(desk, reasons.concession(desk.session, code))
        desk.append_specimen(specimen, E.ACCEPTED_CONCESSION, why | _came_in(desk, specimen))
    elif specimen.condition in BAD_CONDITIONS and specimen.state == "received":
        raise Conflict("concession_needed", field="reason", specimen=specimen.accession, condition=specimen.condition)
    else:
        desk.append_specimen(specimen, E.ACCEPTED)
    _tell(desk, specimen)


def reject(desk: Desk) -> None:
    """Not fit for testing, for a coded reason; the collecting site sees it at once and may collect again."""
    specimen = _at_hand(desk)
    reason = reasons.known_reason(desk.session, desk.payload("reason"), kinds=(reasons.REJECT,))
    payload = because(desk, reason)
    condition = desk.payload("condition", required=False)
    if condition:
        payload["condition"] = condition
    desk.append_specimen(specimen, E.REJECTED, payload | _came_in(desk, specimen))
    _tell(desk, specimen)


def reject_tests(desk: Desk) -> None:
    """The tube serves for some of its tests and not for others, e.g. too little for one of them.

    When no test is left, the tube is rejected.
    """
    specimen = _at_hand(desk)
    reason = reasons.known_reason(desk.session, desk.payload("reason"), kinds=(reasons.REJECT,))
    wanted = _tests(desk, specimen)
    left = [one.test_code for one in specimen.tests if one.rejected_reason is None and one.test_code not in wanted]
    payload = because(desk, reason) | _came_in(desk, specimen)
    if left:
        desk.append_specimen(specimen, E.TESTS_REJECTED, payload | {"tests": wanted})
    else:
        desk.append_specimen(specimen, E.REJECTED, payload)
    _tell(desk, specimen)
    desk.result.update(rejected=wanted, left=left)


def _tests(desk: Desk, specimen: Specimen) -> list[str]:
    """The tests that the act names, each ordered on the tube and not rejected yet."""
    named = desk.payload("tests", list)
    if not named or not all(isinstance(code, str) for code in named):
        raise Invalid("field_malformed", field="tests")
    known = {ordered.test_code: ordered for ordered in specimen.tests}
    wanted = sorted(set(named))
    for code in wanted:
        if code not in known:
            raise Invalid("test_not_ordered", field="tests", test=code[:40], specimen=specimen.accession)
        if known[code].rejected_reason is not None:
            raise Conflict("test_rejected_already", field="tests", test=code, specimen=specimen.accession)
    return wanted


def hold(desk: Desk) -> None:
    """Nothing may happen to the tube until a manager has decided. ``code`` is a coded reason beside the words."""
    specimen = _at_hand(desk)
    payload: dict[str, Any] = {"reason": desk.payload("reason")}
    code = desk.payload("code", required=False)
    if code is not None:
        payload |= {"code": held_for(desk, code).code, **attachments.quoted(desk), **_came_in(desk, specimen)}
    desk.append_specimen(specimen, E.HELD, payload)
    _tell(desk, specimen)


def held_for(desk: Desk, code: str) -> Reason:
    """A tube may be held for anything that may be wrong with it or with its box."""
    return reasons.known_reason(desk.session, code, kinds=(reasons.REJECT, reasons.DEVIATION, reasons.HANDOVER))


def release(desk: Desk) -> None:
    """The manager has decided that the tube may go on."""
    specimen = _at_hand(desk)
    if not specimen.on_hold:
        raise Conflict("specimen_not_on_hold", field="specimen", specimen=specimen.accession)
    desk.append_specimen(specimen, E.RELEASED, {"reason": desk.payload("reason", required=False, default="")})
    _tell(desk, specimen)


def lost(desk: Desk) -> None:
    """A manager states that the tube will not be found."""
    specimen = _at_hand(desk)
    desk.append_specimen(specimen, E.LOST, {"note": _note(desk)})
    recall.account(desk.session, [specimen.id], now=desk.now)
    _tell(desk, specimen)


def dispose(desk: Desk) -> None:
    specimen = _at_hand(desk)
    desk.append_specimen(specimen, E.DISPOSED, {"note": _note(desk)})
    recall.account(desk.session, [specimen.id], now=desk.now)
    _tell(desk, specimen)


def note(desk: Desk) -> None:
    """A remark on the record."""
    specimen = _own(desk)
    text = _note(desk)
    if not text:
        raise Invalid("field_missing", field="note")
    desk.append_specimen(specimen, E.NOTED, {"note": text})
    _tell(desk, specimen)


def _note(desk: Desk) -> str:
    text: str = desk.payload("note", required=False, default="")
    return text[:1000]


def because(desk: Desk, reason: Reason) -> dict[str, Any]:
    """What an event says about why: the coded reason with its HL7 code, the words, the picture's hash."""
    return {"reason": reason.code, "hl7": reason.hl7, "note": _note(desk), **attachments.quoted(desk)}


def _came_in(desk: Desk, specimen: Specimen) -> dict[str, Any]:
    """The consignment in which the tube came, so that a finding leads back to its box."""
    number = specimen.consignment_number or attachments.last_consignment(desk.session, specimen.id)
    return {"consignment": number} if number else {}


def _tell(desk: Desk, specimen: Specimen) -> None:
    desk.result.update(
        specimen=specimen.accession, specimen_id=specimen.id, state=specimen.state, on_hold=specimen.on_hold
    )
