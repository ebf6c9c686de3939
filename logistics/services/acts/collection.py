"""At the township: an order becomes a tube, the tube is collected, or collection fails."""

from __future__ import annotations

from logistics.domain.custody import EventType as E
from logistics.errors import NotFound
from logistics.models import Specimen
from logistics.services import label_ledger, lookup, orders, stability
from logistics.services.desk import Desk
from logistics.services.reasons import known_reason


def register(desk: Desk) -> None:
    """A new tube: payload as ``orders.OrderLine`` (tests, accession, priority, patient reference already masked)."""
    line = orders.line_from_payload(desk.act.payload, accession=desk.act.subject.get("specimen"))
    specimen = orders.register(desk, line)
    desk.result.update(specimen=specimen.accession, specimen_id=specimen.id, destination=specimen.destination_code)


def collect(desk: Desk) -> None:
    """The tube has been taken from the patient; its stability clock starts."""
    specimen = _labelled(desk)
    desk.append_specimen(specimen, E.COLLECTED, site=desk.own_site())
    stability.start_clock(desk.session, specimen)
    desk.result.update(specimen=specimen.accession, state=specimen.state, use_by=_iso(specimen.use_by_at))


def _labelled(desk: Desk) -> Specimen:
    """The tube in the nurse's hand; when its number is unknown, what is wrong with the label."""
    try:
        return lookup.specimen(desk)
    except NotFound:
        accession = desk.act.subject.get("specimen")
        if isinstance(accession, str):
            label_ledger.refuse_unusable(desk.session, accession)
        raise


def collection_failed(desk: Desk) -> None:
    specimen = lookup.specimen(desk)
    reason = known_reason(desk.session, desk.payload("reason"))
    desk.append_specimen(
        specimen, E.COLLECTION_FAILED, {"reason": reason.code, "note": desk.payload("note", required=False, default="")}
    )
    desk.result.update(specimen=specimen.accession, state=specimen.state)


def recollect(desk: Desk) -> None:
    """A new tube for one that was rejected or lost: same order, a number of its own, linked to the old.

    It is for the tests that the old one gives no result for: all of them, or those that were rejected alone.
    """
    old = lookup.specimen(desk)
    accession = desk.payload("accession", required=False)
    specimen = orders.recollect(desk, old, accession)
    desk.result.update(
        specimen=specimen.accession,
        specimen_id=specimen.id,
        replaces=old.accession,
        tests=[ordered.test_code for ordered in specimen.tests],
    )


def _iso(at: object) -> str | None:
    return at.isoformat() if at is not None else None  # type: ignore[attr-defined]
