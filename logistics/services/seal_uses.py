"""Every seal number that was ever put on a box: each is used once, whatever became of it since.

A seal that is broken, replaced or taken off may lie on a desk or in a bin. Whoever put it on again could open a box on
the way and close it as if nothing had happened; so its number never counts a second time, not even on its own box.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.db import insert_ignoring
from logistics.domain import numbers
from logistics.domain.custody import Event
from logistics.domain.projection import seal_put_on
from logistics.errors import Conflict
from logistics.models import SealUse


@dataclass(frozen=True, slots=True)
class Use:
    """Where a number was used, when, by whom."""

    consignment_number: str
    used_at: datetime
    used_by: str


def follow(session: Session, consignment: str, event: Event) -> None:
    """After an event of a consignment. Raises Conflict('seal_used') for a number that any box bears or bore.

    The key decides between two who seal at once: the second waits for the first, then gets the same refusal.
    """
    seal = seal_put_on(event)
    if seal is None:
        return
    row = {"number": numbers.normalise(seal), "consignment_number": consignment, "used_at": event.occurred_at,
           "used_by": event.actor}  # fmt: skip
    session.flush()
    if not insert_ignoring(session, SealUse.__table__, row):
        refuse_used(session, seal)


def refuse_used(session: Session, seal: str, *, field: str = "seal") -> None:
    """Raises Conflict('seal_used')."""
    query = select(SealUse.consignment_number).where(SealUse.number == numbers.normalise(seal))
    used = session.scalars(query).first()
    if used is not None:
        raise Conflict("seal_used", field=field, seal=seal, consignment=used)


def replayed(uses: dict[str, Use], consignment: str, event: Event) -> None:
    """The same for an event of the log; the first use counts."""
    seal = seal_put_on(event)
    if seal is not None:
        uses.setdefault(numbers.normalise(seal), Use(consignment, event.occurred_at, event.actor))


def differences(session: Session, uses: dict[str, Use]) -> list[str]:
    actual = {row.number: _of_row(row) for row in session.scalars(select(SealUse))}
    return [
        f"seal:{number}: {actual.get(number)} ≠ {uses.get(number)}"
        for number in sorted(actual.keys() | uses.keys())
        if actual.get(number) != uses.get(number)
    ]


def rebuild(session: Session, uses: dict[str, Use]) -> None:
    """Write the uses anew from what the log gives."""
    rows = {row.number: row for row in session.scalars(select(SealUse))}
    for number, row in rows.items():
        if number not in uses:
            session.delete(row)
    for number, use in uses.items():
        row = rows.get(number) or SealUse(number=number)
        row.consignment_number, row.used_at, row.used_by = use.consignment_number, use.used_at, use.used_by
        session.add(row)


def _of_row(row: SealUse) -> Use:
    return Use(row.consignment_number, row.used_at, row.used_by)
