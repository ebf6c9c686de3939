"""Every seal number that was ever put on a box: each is used once, whatever became of it since.

A seal that is broken, replaced or taken off may lie on a desk or in a bin. Whoever put it on again could open a box on
the way and close it as if nothing had happened; so its number never counts a second time, not even on its own box.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.db import insert_ignoring
from logistics.domain import numbers
from logistics.domain.custody import Event
from logistics.domain.projection import seal_put_on
from logistics.errors import Conflict
from logistics.models import SealUse


def follow(session: Session, consignment: str, event: Event) -> None:
    """After an event of a consignment. Raises Conflict('seal_used') for a number that any box bears or bore.

    The key decides between two who seal at once: the second waits for the first, then gets the same refusal.
    """
    seal = seal_put_on(event)
    if seal is None:
        return
    row = {"number": numbers.normalise(seal), **_columns(consignment, event)}
    session.flush()
    if not insert_ignoring(session, SealUse.__table__, row):
        refuse_used(session, seal)


def refuse_used(session: Session, seal: str, *, field: str = "seal") -> None:
    """Raises Conflict('seal_used')."""
    query = select(SealUse.consignment_number).where(SealUse.number == numbers.normalise(seal))
    used = session.scalars(query).first()
    if used is not None:
        raise Conflict("seal_used", field=field, seal=seal, consignment=used)


def replayed(uses: dict[tuple[str], dict[str, Any]], consignment: str, event: Event) -> None:
    """The columns by the number, after an event of the log; the first use counts."""
    seal = seal_put_on(event)
    if seal is not None:
        uses.setdefault((numbers.normalise(seal),), _columns(consignment, event))


def _columns(consignment: str, event: Event) -> dict[str, Any]:
    return {"consignment_number": consignment, "used_at": event.occurred_at, "used_by": event.actor}
