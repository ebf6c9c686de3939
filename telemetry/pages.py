"""A page of what was set aside, newest first. Counted, unlike long lists (docs/adr/0013): little is set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from telemetry.models import DeadLetter, QuarantinedReading

PAGE = 50
Row = TypeVar("Row", DeadLetter, QuarantinedReading)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    rows: Sequence[Row]
    total: int
    number: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE))


def newest_first(
    session: Session, model: type[Row], conditions: Sequence[ColumnElement[bool]], number: int
) -> Page[Row]:
    """The page of that number, or the nearest there is."""
    total = session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0
    number = min(max(number, 1), max(1, -(-total // PAGE)))
    query = select(model).where(*conditions).order_by(model.id.desc())
    return Page(session.scalars(query.offset((number - 1) * PAGE).limit(PAGE)).all(), total, number)
