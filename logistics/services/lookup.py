"""Finding the tube, box or consignment that a label names, within what the actor may see, locked for writing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from logistics.domain import numbers
from logistics.domain.projection import OUT_OF_BOX
from logistics.domain.transitions import FINAL, State
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Alert, Box, Consignment, ConsignmentLine, Specimen
from logistics.services import alerts
from logistics.services.desk import Desk

Row = TypeVar("Row")
MAX_ID = 2**31 - 1
GONE = FINAL | {State.REJECTED, State.LOST}


def specimen(desk: Desk, *, key: str = "specimen", in_consignment: str | None = None) -> Specimen:
    """The tube the act is about: by ``specimen_id``, or by accession number with the issuing site when it is known.

    Raises NotFound('specimen_unknown'), or Conflict('specimen_ambiguous') with the choices when one number
    stands for several living tubes.
    """
    subject = desk.act.subject
    wanted = subject.get("specimen_id")
    if wanted is not None:
        if isinstance(wanted, bool) or not isinstance(wanted, int):
            raise Invalid("field_malformed", field="specimen_id")
        found = _by_id(desk, wanted) if 0 < wanted <= MAX_ID else None
        if found is None or not may_see(desk, found):
            raise NotFound("specimen_unknown", field="specimen", specimen=str(wanted)[:40])
        return found
    accession = text(subject.get(key), field="specimen")
    issuer = subject.get("issuing_site")
    issuing_site = text(issuer, field="issuing_site") if issuer else None
    return by_accession(desk, accession, issuing_site=issuing_site, in_consignment=in_consignment)


def _by_id(desk: Desk, specimen_id: int) -> Specimen | None:
    if desk.shelf is not None and specimen_id in desk.shelf.tubes:
        return desk.shelf.tubes[specimen_id]
    return next(iter(locked(desk.session, select(Specimen).where(Specimen.id == specimen_id))), None)


def by_accession(
    desk: Desk, accession: str, *, issuing_site: str | None = None, in_consignment: str | None = None
) -> Specimen:
    candidates = _of_key(desk, numbers.normalise(accession))
    if issuing_site:
        candidates = [one for one in candidates if one.issuing_site_code == issuing_site]
    seen = [one for one in candidates if may_see(desk, one)]
    if not seen:
        raise NotFound("specimen_unknown", field="specimen", specimen=accession)
    return _the_one(desk, seen, in_consignment)


def _of_key(desk: Desk, key: str) -> Sequence[Specimen]:
    """Every tube of this number, locked, in id order."""
    if desk.shelf is not None and key in desk.shelf.tubes_by_key:
        return desk.shelf.tubes_by_key[key]
    return locked(desk.session, select(Specimen).where(Specimen.accession_key == key).order_by(Specimen.id))


def _the_one(desk: Desk, candidates: Sequence[Specimen], in_consignment: str | None) -> Specimen:
    """The likeliest of several tubes with one number: on this manifest, else alive, else asks."""
    if len(candidates) == 1:
        return candidates[0]
    if in_consignment:
        lines = select(ConsignmentLine.specimen_id).where(ConsignmentLine.consignment_number == in_consignment)
        on_it = set(desk.session.scalars(lines))
        listed = [one for one in candidates if one.id in on_it]
        if len(listed) == 1:
            return listed[0]
    alive = [one for one in candidates if one.state not in GONE]
    if len(alive) == 1:
        return alive[0]
    choices = [
        {"id": one.id, "site": one.issuing_site_code, "registered_on": one.registered_on, "state": one.state}
        for one in alive or candidates
    ]
    raise Conflict("specimen_ambiguous", field="specimen", specimen=candidates[0].accession, choices=choices)


def may_see(desk: Desk, one: Specimen) -> bool:
    return one.holder == desk.actor.username or desk.scope.covers(
        one.collecting_site_code, one.destination_code, one.location_code
    )


def box(desk: Desk, *, key: str = "box") -> Box:
    """The transport box named by the act. Raises NotFound('box_unknown')."""
    code = text(desk.act.subject.get(key), field="box")
    codes = {code, numbers.normalise(code)}
    if desk.shelf is not None and codes <= desk.shelf.boxes.keys():
        found = next((one for each in sorted(codes) if (one := desk.shelf.boxes[each]) is not None), None)
    else:
        found = next(iter(locked(desk.session, select(Box).where(Box.code.in_(codes)))), None)
    if found is None or not found.active:
        raise NotFound("box_unknown", field="box", box=code)
    return found


def consignment(desk: Desk, number: str | None = None) -> Consignment:
    """The consignment named by the act: by its number, or by the box it travels in."""
    subject = desk.act.subject
    if number is None and not subject.get("consignment") and subject.get("box"):
        number = box(desk).consignment_number
        if number is None:
            raise NotFound("box_empty", field="box", box=subject["box"])
    wanted = number or text(subject.get("consignment"), field="consignment")
    found = _of_number(desk, wanted)
    if found is None or not may_see_consignment(desk, found):
        raise NotFound("consignment_unknown", field="consignment", consignment=wanted)
    return found


def _of_number(desk: Desk, number: str) -> Consignment | None:
    if desk.shelf is not None and number in desk.shelf.consignments:
        return desk.shelf.consignments[number]
    found = next(iter(locked(desk.session, select(Consignment).where(Consignment.number == number))), None)
    if found is not None and desk.shelf is not None:
        desk.shelf.hold(found)
    return found


def may_see_consignment(desk: Desk, one: Consignment) -> bool:
    return one.holder == desk.actor.username or desk.scope.covers(
        one.origin_code, one.destination_code, one.location_code
    )


def tubes(session: Session, number: str) -> list[Specimen]:
    """The tubes that travel in a consignment now, locked, in id order (so that two acts never wait crosswise)."""
    query = select(Specimen).where(Specimen.consignment_number == number).order_by(Specimen.id)
    return list(locked(session, query))


def locked(session: Session, query: Select[Row]) -> Sequence[Row]:
    """Rows as they stand in the database now, held until the transaction ends (SQLite: its one write lock)."""
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).all()


def require_class(box: Box, needs: str, *, of: str) -> None:
    """What is packed keeps in this box; a bag keeps nothing. Raises Conflict('wrong_temperature_class')."""
    if box.kind == "bag" or box.temp_class != needs:
        raise Conflict(
            "wrong_temperature_class", field="box", specimen=of, needs=needs, box=box.code, has=box.temp_class
        )


def text(value: object, *, field: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Invalid("field_missing", field=field)
    if len(value) > 64 or "\x00" in value:
        raise Invalid("field_malformed", field=field)
    return value.strip()


def progress(desk: Desk, number: str) -> dict[str, int]:
    """How many tubes of the manifest are accounted for, of how many: {checked, total}."""
    if desk.shelf is not None and number in desk.shelf.progress:
        tally = desk.shelf.progress[number]
        return {"checked": tally.checked, "total": tally.total}
    desk.session.flush()
    checked, total = desk.session.execute(
        select(func.sum(case((ConsignmentLine.outcome != "expected", 1), else_=0)), func.count()).where(
            ConsignmentLine.consignment_number == number, ConsignmentLine.outcome.not_in(sorted(OUT_OF_BOX))
        )
    ).one()
    return {"checked": int(checked or 0), "total": int(total)}


def excursions(desk: Desk, number: str) -> Sequence[Alert]:
    """The excursions of the consignment that nobody has decided yet; looked up once for a post."""
    if desk.shelf is None:
        return alerts.undecided_excursions(desk.session, number)
    if number not in desk.shelf.excursions:
        desk.shelf.excursions[number] = alerts.undecided_excursions(desk.session, number)
    return desk.shelf.excursions[number]
