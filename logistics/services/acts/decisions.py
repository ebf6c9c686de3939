"""What the laboratory decides about a tube: accept, concede, reject, hold, recall, dispose."""

from __future__ import annotations

from logistics.domain.custody import EventType as E
from logistics.errors import Conflict, Invalid
from logistics.models import Nonconformity, Specimen
from logistics.services import lookup
from logistics.services.desk import Desk
from logistics.services.reasons import known_reason


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
    if code is None:
        desk.append_specimen(specimen, E.ACCEPTED)
    else:
        reason = known_reason(desk.session, code)
        payload = {"reason": reason.code, "hl7": reason.hl7, "note": _note(desk)}
        desk.append_specimen(specimen, E.ACCEPTED_CONCESSION, payload)
        _nonconformity(desk, specimen, reason.code, "concession")
    _tell(desk, specimen)


def reject(desk: Desk) -> None:
    """Not fit for testing, for a coded reason; the collecting site sees it at once and may collect again."""
    specimen = _at_hand(desk)
    reason = known_reason(desk.session, desk.payload("reason"))
    payload = {"reason": reason.code, "hl7": reason.hl7, "note": _note(desk)}
    condition = desk.payload("condition", required=False)
    if condition:
        payload["condition"] = condition
    desk.append_specimen(specimen, E.REJECTED, payload)
    _nonconformity(desk, specimen, reason.code, "reject")
    _tell(desk, specimen)


def hold(desk: Desk) -> None:
    """Nothing may happen to the tube until a manager has decided."""
    specimen = _own(desk)
    desk.append_specimen(specimen, E.HELD, {"reason": desk.payload("reason")})
    _tell(desk, specimen)


def release(desk: Desk) -> None:
    """The manager has decided that the tube may go on."""
    specimen = _own(desk)
    if not specimen.on_hold:
        raise Conflict("specimen_not_on_hold", field="specimen", specimen=specimen.accession)
    desk.append_specimen(specimen, E.RELEASED, {"reason": desk.payload("reason", required=False, default="")})
    _tell(desk, specimen)


def recall(desk: Desk) -> None:
    specimen = _own(desk)
    desk.append_specimen(specimen, E.RECALLED, {"reason": desk.payload("reason")})
    _tell(desk, specimen)


def lost(desk: Desk) -> None:
    """A manager states that the tube will not be found."""
    specimen = _own(desk)
    desk.append_specimen(specimen, E.LOST, {"note": _note(desk)})
    _tell(desk, specimen)


def dispose(desk: Desk) -> None:
    specimen = _at_hand(desk)
    desk.append_specimen(specimen, E.DISPOSED, {"note": _note(desk)})
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


def _nonconformity(desk: Desk, specimen: Specimen, reason: str, disposition: str) -> None:
    desk.session.add(
        Nonconformity(
            specimen_id=specimen.id,
            consignment_number=specimen.consignment_number,
            site_code=desk.own_site(),
            reason_code=reason,
            note=_note(desk),
            found_by=desk.actor.username,
            found_at=desk.act.occurred_at,
            disposition=disposition,
            disposed_by=desk.actor.username,
            disposed_at=desk.act.occurred_at,
            accession=specimen.accession,
        )
    )


def _tell(desk: Desk, specimen: Specimen) -> None:
    desk.result.update(
        specimen=specimen.accession, specimen_id=specimen.id, state=specimen.state, on_hold=specimen.on_hold
    )
