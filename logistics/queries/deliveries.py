"""The log of messages that went out about alerts, with each try."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from logistics.domain.access import Scope
from logistics.models import Alert, Channel, Delivery, DeliveryAttempt

STATES = ("waiting", "sent", "failed")


@dataclass(frozen=True, slots=True)
class Row:
    """A message: about which alert, to which channel, and its tries. ``gathered``: how many alerts were in it."""

    delivery: Delivery
    alert: Alert
    channel: Channel
    attempts: Sequence[DeliveryAttempt]
    gathered: int


def log(session: Session, scope: Scope, *, state: str = "", limit: int) -> list[Row]:
    """The messages about alerts of the sites in ``scope``, newest first. What went out in another's message is counted
    there."""
    query = (
        select(Delivery, Alert, Channel)
        .join(Alert, Alert.id == Delivery.alert_id)
        .join(Channel, Channel.id == Delivery.channel_id)
        .where(or_(Delivery.batch_id.is_(None), Delivery.batch_id == Delivery.id))
        .order_by(Delivery.id.desc())
        .limit(limit)
    )
    if state:
        query = query.where(Delivery.state == state)
    if not scope.everything:
        query = query.where(Alert.site_code.in_(sorted(scope.sites)))
    found = session.execute(query).all()
    ids = [delivery.id for delivery, _, _ in found]
    tries: dict[int, list[DeliveryAttempt]] = {}
    wanted = select(DeliveryAttempt).where(DeliveryAttempt.delivery_id.in_(ids)).order_by(DeliveryAttempt.number)
    for attempt in session.scalars(wanted):
        tries.setdefault(attempt.delivery_id, []).append(attempt)
    batches: dict[int, int] = {}
    for batch in session.scalars(select(Delivery.batch_id).where(Delivery.batch_id.in_(ids))):
        if batch is not None:
            batches[batch] = batches.get(batch, 0) + 1
    return [
        Row(delivery, alert, channel, tries.get(delivery.id, ()), batches.get(delivery.id, 1))
        for delivery, alert, channel in found
    ]
