"""Ids and keys of handovers to come, drawn for the giver's device.

A giver who signs on his own device shows a code (``logistics.domain.offer_code``) with one of his ids to the taker.
Nobody else has seen it, so a taker who sends it has stood before the giver's screen; the signature itself is the
giver's own half. Ids are drawn ahead, so that they are at hand without a signal.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from logistics.domain import offer_code
from logistics.domain.offer_code import Shown
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Handover, HandoverHalf, HandoverOffer, User

MOST = 20
KEPT = timedelta(days=30)  # a phone may come back into contact after weeks
FORGOTTEN = 3 * KEPT  # what was taken in time may still have to be sent
KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Drawn:
    """``key``: hexadecimal; for the giver's device alone."""

    id: str
    key: str


def draw(session: Session, user: User, *, count: int, now: datetime) -> list[Drawn]:
    """New ids with their keys for this giver. Raises Invalid('field_malformed') unless 1 <= count <= 20."""
    if not 1 <= count <= MOST:
        raise Invalid("field_malformed", field="count")
    _forget_unused(session, user.username, now)
    drawn = [Drawn(str(uuid.uuid4()), secrets.token_hex(KEY_BYTES)) for _ in range(count)]
    session.add_all(HandoverOffer(id=one.id, key=one.key, username=user.username, issued_at=now) for one in drawn)
    return drawn


def _forget_unused(session: Session, username: str, now: datetime) -> None:
    used = select(Handover.id).union(select(HandoverHalf.handover_id))
    session.execute(
        delete(HandoverOffer)
        .where(HandoverOffer.username == username, HandoverOffer.issued_at < now - FORGOTTEN)
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


def shown(session: Session, text: str, *, taker: str, at: datetime) -> tuple[HandoverOffer, Shown]:
    """The offer behind a code that ``taker`` scanned and signed ``at``, held, and what the code says.

    A code is good for one taker, for what it names and for a short time; an id that was never shown, for a month.
    Raises Invalid ``offer_malformed`` or ``offer_altered``, NotFound ``offer_unknown``, Conflict ``offer_expired`` or
    ``offer_used`` (it served another).
    """
    said = offer_code.read(text)
    offer = locked(session, said.id)
    offer_code.require_genuine(text, offer.key)
    offer_code.require_fresh(said, at)
    if at > offer.issued_at + KEPT:
        raise Conflict("offer_expired", field="code", minutes=int(offer_code.GOOD_FOR.total_seconds() // 60))
    other = session.scalars(select(Handover).where(Handover.id == offer.id, Handover.taker != taker)).first()
    if other is not None:
        raise Conflict("offer_used", field="code", taker=other.taker_name)
    return offer, said
