"""Ids of handovers to come, drawn for the giver's device.

A giver who signs on his own device shows one of his ids to the taker. Nobody else has seen it, so a taker who sends it
has stood before the giver's screen; the signature itself is the giver's own half. Ids are drawn ahead, so that they
are at hand without a signal.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Handover, HandoverHalf, HandoverOffer, User

MOST = 20
KEPT = timedelta(days=30)  # a phone may come back into contact after weeks
ONE_VISIT = timedelta(hours=2)  # within which the boxes of one handover change hands


def draw(session: Session, user: User, *, count: int, now: datetime) -> list[str]:
    """New ids for this giver. Raises Invalid('field_malformed') unless 1 <= count <= 20."""
    if not 1 <= count <= MOST:
        raise Invalid("field_malformed", field="count")
    _forget_unused(session, user.username, now)
    drawn = [str(uuid.uuid4()) for _ in range(count)]
    session.add_all(HandoverOffer(id=one, username=user.username, issued_at=now) for one in drawn)
    return drawn


def _forget_unused(session: Session, username: str, now: datetime) -> None:
    used = select(Handover.id).union(select(HandoverHalf.handover_id))
    session.execute(
        delete(HandoverOffer)
        .where(HandoverOffer.username == username, HandoverOffer.issued_at < now - KEPT)
        .where(HandoverOffer.id.not_in(used))
    )


def locked(session: Session, handover_id: str) -> HandoverOffer:
    """The offer, held until the transaction ends: the two halves are then judged one after the other.

    Raises NotFound('offer_unknown').
    """
    query = select(HandoverOffer).where(HandoverOffer.id == handover_id.lower()).with_for_update()
    found = session.scalars(query).first()
    if found is None:
        raise NotFound("offer_unknown", field="handover_id")
    return found


def require_same_visit(session: Session, handover_id: str, *, taker: str, at: datetime) -> None:
    """An offer is for one taker and one visit. Raises Conflict('offer_used') when it served another before."""
    for row in session.scalars(select(Handover).where(Handover.id == handover_id)):
        if row.taker != taker or abs(row.occurred_at - at) > ONE_VISIT:
            raise Conflict("offer_used", field="handover_id", taker=row.taker_name)
