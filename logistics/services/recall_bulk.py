"""Recalling many tubes in one incident: everything of a box, or of a site, a test, a container, a day of collection."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from logistics.domain.access import Scope
from logistics.domain.acts import Act, Answer, Status
from logistics.domain.numbers import normalise
from logistics.domain.projection import OUT_OF_BOX
from logistics.domain.transitions import RECALLABLE
from logistics.errors import Invalid
from logistics.models import Act as ActRow
from logistics.models import Consignment, ConsignmentLine, Specimen, SpecimenTest, User
from logistics.services import custody
from logistics.services.orders import day_start

MAX_TUBES = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tubes: everything that is given must hold. ``day`` is the local day of collection (YYYY-MM-DD)."""

    consignment: str = ""  # its number, or the code of the box it travels in
    site: str = ""  # that collected
    test: str = ""
    container: str = ""
    day: str = ""
    numbers: tuple[str, ...] = field(default_factory=tuple)

    @property
    def empty(self) -> bool:
        return self == Wanted()


def candidates(session: Session, scope: Scope, wanted: Wanted, *, limit: int = MAX_TUBES + 1) -> list[Specimen]:
    """The tubes that would be recalled, oldest first. Raises Invalid for a day that is none, or without any wish."""
    if wanted.empty:
        raise Invalid("recall_of_what", field="consignment")
    query = select(Specimen).where(Specimen.state.in_(sorted(RECALLABLE)), *_conditions(wanted))
    if not scope.everything:
        mine = sorted(scope.sites)
        query = query.where(
            or_(
                Specimen.collecting_site_code.in_(mine),
                Specimen.destination_code.in_(mine),
                Specimen.location_code.in_(mine),
            )
        )
    return list(session.scalars(query.order_by(Specimen.registered_at, Specimen.id).limit(limit)))


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.consignment:
        lines = (
            select(ConsignmentLine.specimen_id)
            .join(Consignment, Consignment.number == ConsignmentLine.consignment_number)
            .where(_named(wanted.consignment))
            .where(ConsignmentLine.outcome.not_in(sorted(OUT_OF_BOX)))
        )
        found.append(Specimen.id.in_(lines))
    if wanted.site:
        found.append(Specimen.collecting_site_code == wanted.site)
    if wanted.container:
        found.append(Specimen.container == wanted.container)
    if wanted.test:
        found.append(Specimen.id.in_(select(SpecimenTest.specimen_id).where(SpecimenTest.test_code == wanted.test)))
    if wanted.day:
        start = day_start(wanted.day, "day", "day_malformed")
        found.append(Specimen.collected_at >= start)
        found.append(Specimen.collected_at < start + timedelta(days=1))
    if wanted.numbers:
        found.append(Specimen.accession_key.in_(wanted.numbers))
    return found


def _named(text: str) -> ColumnElement[bool]:
    """The consignment of this number, or the one that a box of this code carries now."""
    names = {text, normalise(text)}
    carried = Consignment.box_code.in_(names) & Consignment.state.not_in(("closed", "cancelled"))
    return or_(Consignment.number.in_(names), carried)


@dataclass(frozen=True, slots=True)
class Recalled:
    """What became of a bulk recall."""

    done: int
    refused: Sequence[tuple[int, Answer]]


def bulk(
    session: Session,
    recall: str,
    specimen_ids: Sequence[int],
    payload: Mapping[str, Any],
    *,
    actor: User,
    scope: Scope,
    now: datetime,
) -> Recalled:
    """Recall these tubes in one incident; the same again changes nothing. ``recall``: a UUID made on the page.

    Raises Invalid without tubes, with too many, or for an id that is none; each tube's refusal is in the answer.
    """
    if not specimen_ids:
        raise Invalid("recall_of_what", field="tubes")
    if len(specimen_ids) > MAX_TUBES:
        raise Invalid("recall_too_many", field="tubes", limit=MAX_TUBES)
    try:
        root = uuid.UUID(recall)
    except ValueError:
        raise Invalid("act_id_malformed", field="id") from None
    acts = []
    for specimen_id in sorted(set(specimen_ids)):
        act_id = str(uuid.uuid5(root, str(specimen_id)))
        known = session.get(ActRow, act_id)
        at = known.occurred_at if known else now  # a repetition is the same act, not a later one
        facts = {**payload, "recall": str(root)}
        acts.append(Act(act_id, "recall", at, {"specimen_id": specimen_id}, facts, how="typed", site=actor.site_code))
    answers = custody.record(session, acts, actor=actor, scope=scope, now=now)
    good = {Status.DONE, Status.DUPLICATE}
    refused = [
        (int(act.subject["specimen_id"]), answer)
        for act, answer in zip(acts, answers, strict=True)
        if answer.status not in good
    ]
    return Recalled(len(acts) - len(refused), refused)
