"""Which tests must be collected again, and what stands in their place already."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.transitions import State as S
from logistics.errors import Conflict
from logistics.models import Specimen

AGAIN = frozenset({S.REJECTED, S.LOST, S.MISSING, S.DISPOSED, S.RECALLED, S.RETURNED})
"""States in which all tests of a tube must be collected again."""


def rejected_tests(specimen: Specimen) -> list[str]:
    """The tests that this tube will not give a result for: all of a rejected tube, else those rejected alone."""
    if specimen.state in AGAIN:
        return [ordered.test_code for ordered in specimen.tests]
    return [ordered.test_code for ordered in specimen.tests if ordered.rejected_reason is not None]


def open_tests(specimen: Specimen, replacements: Collection[Specimen]) -> list[str]:
    """Of these, the ones that no new tube stands for. A new tube that could not be collected stands for nothing."""
    covered = {ordered.test_code for one in replacements if one.state != S.COLLECTION_FAILED for ordered in one.tests}
    return [code for code in rejected_tests(specimen) if code not in covered]


def tests_to_collect(session: Session, old: Specimen) -> list[str]:
    """The tests for a new tube in place of ``old``.

    Raises Conflict('recollect_not_needed') or Conflict('recollect_exists').
    """
    if not rejected_tests(old):
        raise Conflict("recollect_not_needed", field="specimen", specimen=old.accession, state=old.state)
    replacements = session.scalars(select(Specimen).where(Specimen.recollects_id == old.id).order_by(Specimen.id)).all()
    wanted = open_tests(old, replacements)
    if not wanted:
        again = replacements[-1].accession
        raise Conflict("recollect_exists", field="specimen", specimen=old.accession, again=again)
    return wanted
