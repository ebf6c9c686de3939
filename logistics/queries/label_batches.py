"""The read side of the ledger of pre-printed numbers: batches with their counts, and what is unaccounted for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from logistics.domain import numbers
from logistics.domain.access import Scope
from logistics.errors import NotFound
from logistics.models import BlindKey, LabelBatch, LabelNumber, Specimen
from logistics.services.label_ledger import PRINTED, STATES, VOIDED

PAGE = 30


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch and how many of its numbers stand in each state; ``printed`` ones are unaccounted for."""

    row: LabelBatch
    counts: Mapping[str, int]

    @property
    def unaccounted(self) -> int:
        return self.counts[PRINTED]


def batches(session: Session, scope: Scope, *, page: int = 1) -> tuple[list[Batch], int]:
    """(one page of batches of the sites in ``scope``, newest first; how many there are in all)."""
    query = _visible(scope)
    total = session.scalar(select(func.count()).select_from(query.with_only_columns(LabelBatch.id).subquery())) or 0
    rows = session.scalars(
        query.order_by(LabelBatch.made_at.desc(), LabelBatch.id.desc()).offset((page - 1) * PAGE).limit(PAGE)
    ).all()
    counts = _counts(session, [row.id for row in rows])
    return [Batch(row, counts[row.id]) for row in rows], total


def batch(session: Session, scope: Scope, batch_id: int) -> Batch:
    """Raises NotFound('label_batch_unknown'), for those of other sites, too."""
    row = session.scalars(_visible(scope).where(LabelBatch.id == batch_id)).first()
    if row is None:
        raise NotFound("label_batch_unknown", field="batch", batch=batch_id)
    return Batch(row, _counts(session, [row.id])[row.id])


def numbers_of(session: Session, batch_id: int, *, state: str = "") -> list[tuple[LabelNumber, int | None]]:
    """The numbers of a batch in their order, each with the id of the tube that has it."""
    tube = select(func.min(Specimen.id)).where(Specimen.accession_key == LabelNumber.number).scalar_subquery()
    query = select(LabelNumber, tube).where(LabelNumber.batch_id == batch_id).order_by(LabelNumber.position)
    if state:
        query = query.where(LabelNumber.state == state)
    return [(row, specimen) for row, specimen in session.execute(query).all()]


def unaccounted(session: Session, batch_id: int) -> list[str]:
    """The numbers that were printed and are neither used nor voided, in their order."""
    query = select(LabelNumber.number).where(LabelNumber.batch_id == batch_id, LabelNumber.state == PRINTED)
    return list(session.scalars(query.order_by(LabelNumber.position)))


def unprinted(session: Session, batch_id: int) -> list[LabelNumber]:
    """The numbers that still go to the printer: never printed and not voided, in their order."""
    query = select(LabelNumber).where(LabelNumber.batch_id == batch_id, LabelNumber.copies == 0)
    return list(session.scalars(query.where(LabelNumber.state != VOIDED).order_by(LabelNumber.position)))


def runs(texts: Sequence[str]) -> list[tuple[str, str, int]]:
    """(first, last, how many) of numbers that follow one another: what is left on a roll reads as one line."""
    found: list[tuple[str, str, int]] = []
    before = None
    for text in texts:
        number = numbers.verify(text)
        follows = before is not None and (before.issued_on, before.serial + 1) == (number.issued_on, number.serial)
        if follows:
            first, _, count = found[-1]
            found[-1] = (first, text, count + 1)
        else:
            found.append((text, text, 1))
        before = number
    return found


def _visible(scope: Scope) -> Select[LabelBatch]:
    # A blind sample's number is one like others; where it was made would tell.
    blind = select(LabelNumber.batch_id).join(BlindKey, BlindKey.tube_number == LabelNumber.number)
    query = select(LabelBatch).where(LabelBatch.id.not_in(blind))
    return query if scope.everything else query.where(LabelBatch.site_code.in_(sorted(scope.sites)))


def _counts(session: Session, ids: Iterable[int]) -> dict[int, dict[str, int]]:
    found = {batch_id: dict.fromkeys(STATES, 0) for batch_id in ids}
    rows = session.execute(
        select(LabelNumber.batch_id, LabelNumber.state, func.count())
        .where(LabelNumber.batch_id.in_(list(found)))
        .group_by(LabelNumber.batch_id, LabelNumber.state)
    )
    for batch_id, state, number in rows:
        found[batch_id][state] = number
    return found
