"""What a typed or scanned text stands for: one question of one index, never all at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, true
from sqlalchemy.orm import Session

from logistics.domain import numbers, seals
from logistics.domain.access import COURIER, Scope
from logistics.domain.numbers import Kind
from logistics.models import Box, Consignment, Specimen, Test

SHORTEST_START = 3  # fewer characters than this must be the whole number
SHORTEST_END = 4


class Sense(StrEnum):
    """How the text was understood."""

    NUMBER = "number"  # the whole number of a tube
    BOX = "box"
    CONSIGNMENT = "consignment"
    SEAL = "seal"
    TEST = "test"
    BEGINS = "begins"  # numbers of tubes that begin like this
    ENDS = "ends"  # … and that end like this
    NOTHING = "nothing"  # too short, and the whole number of nothing


@dataclass(frozen=True, slots=True)
class Meaning:
    """``slip``: it has the form of a number of ours and a wrong check character."""

    sense: Sense
    value: str
    slip: bool = False


OWN = {Kind.CONSIGNMENT: Sense.CONSIGNMENT, Kind.BOX: Sense.BOX, Kind.SEAL: Sense.SEAL, Kind.ACCESSION: Sense.NUMBER}


def meaning(session: Session, text: str) -> Meaning:
    """Own numbers by their form; anything else by what exists: tube, box, consignment, seal, test; else a part.

    What exists is asked of the whole network and tells nobody anything: the rows themselves keep to a scope.
    """
    plain = numbers.normalise(text)
    codes = sorted({text, plain, text.upper()})
    own = numbers.recognise(plain)
    if own in OWN and numbers.checks(plain):
        return Meaning(OWN[own], plain)
    whole: tuple[tuple[Sense, Select[Any]], ...] = (
        (Sense.NUMBER, select(Specimen.accession_key).where(Specimen.accession_key.in_(codes))),
        (Sense.BOX, select(Box.code).where(Box.code.in_(codes))),
        (Sense.CONSIGNMENT, select(Consignment.number).where(Consignment.number.in_(codes))),
        (Sense.SEAL, select(Consignment.seal_number).where(Consignment.seal_number.in_(codes))),
        (Sense.TEST, select(Test.code).where(Test.code.in_(codes))),
    )
    for sense, query in whole:
        found = session.scalar(query.limit(1))
        if found is not None:
            return Meaning(sense, str(found))
    slip = own is not None
    if len(plain) >= SHORTEST_START and session.scalar(select(Specimen.id).where(begins(plain)).limit(1)) is not None:
        return Meaning(Sense.BEGINS, plain, slip)
    return Meaning(Sense.ENDS if len(plain) >= SHORTEST_END else Sense.NOTHING, plain, slip)


def may_name_seal(scope: Scope) -> ColumnElement[bool]:
    """Consignments that this reader may find by their seal (``domain.seals.hides``, in SQL): who may still have to
    prove that he looked at one must not learn its end by asking for every number there is."""
    if scope.role not in seals.TAKERS:
        return true()
    over = Consignment.state.in_(sorted(seals.OVER))
    return over if scope.role == COURIER else or_(over, Consignment.origin_code == scope.home)


def begins(plain: str) -> ColumnElement[bool]:
    return starting(Specimen.accession_key, plain)


def ends(plain: str) -> ColumnElement[bool]:
    return starting(Specimen.accession_tail, plain[::-1])


def starting(column: Any, head: str) -> ColumnElement[bool]:
    """The texts that begin with ``head``, as a range of an index that compares byte by byte."""
    last = ord(head[-1])
    if last >= 0x10FFFF:
        return and_(column >= head)
    following = 0xE000 if last == 0xD7FF else last + 1  # surrogates are no characters
    return and_(column >= head, column < head[:-1] + chr(following))
