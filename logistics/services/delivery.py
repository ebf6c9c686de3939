"""The outbox of alerts: a row is leased, sent, and marked afterwards, so that a killed worker loses nothing.

    delivery.deliver_due(render, allowed_hosts=…)

At least once: a worker that dies after sending and before marking makes one repetition with the same dedup
id. Rows are the truth; everything here may run in several workers at once. Leases are real time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from logistics.clock import now as business_now
from logistics.clock import wall_now
from logistics.db import next_number, transaction
from logistics.errors import Invalid, LabrelayError
from logistics.models import Alert, Channel, Delivery
from logistics.services import alert_channels, alerts

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
PER_MINUTE = 20  # what WeCom and DingTalk take from one robot
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=15), timedelta(hours=1)
MAX_ATTEMPTS = 14  # with the waits above: about nine hours
BATCH = 50

Render = Callable[[Session, Alert, str], tuple[str, str]]
"""(session, alert, locale) → (title, text). No personal data."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a leased row says, whole, so that nothing is read while it is sent."""

    delivery_id: int
    alert_id: int
    channel: str
    kind: str
    config: dict[str, Any]
    title: str
    text: str
    dedup_id: str
    critical: bool
    lease_until: datetime


def deliver_due(
    render: Render,
    *,
    allowed_hosts: Iterable[str] = (),
    wall: Callable[[], datetime] = wall_now,
    send: Callable[..., None] = alert_channels.send,
    resolver: alert_channels.Resolve = alert_channels.resolve,
) -> int:
    """Send what waits, each message in transactions of its own. Returns how many were sent."""
    with transaction() as session:
        waiting = due(session, now=wall())
    sent = 0
    for delivery_id in waiting:
        try:
            with transaction() as session:
                message = lease(session, delivery_id, render, now=wall())
        except Exception:  # one row that cannot be put into words must not hold up the others
            log.exception("delivery %s could not be prepared", delivery_id)
            continue
        if message is None:
            continue
        error = _try(message, send, allowed_hosts, resolver)
        with transaction() as session:
            if error is None:
                sent += mark_sent(session, message, now=wall(), at=business_now())
            else:
                mark_failed(session, message, error, now=wall(), at=business_now())
    return sent


def _try(
    message: Message, send: Callable[..., None], allowed_hosts: Iterable[str], resolver: alert_channels.Resolve
) -> LabrelayError | None:
    try:
        host = alert_channels.check_config(message.kind, message.config)
        alert_channels.check_host(host, allowed_hosts, resolver=resolver)
        send(
            message.kind,
            message.config,
            title=message.title,
            text=message.text,
            dedup_id=message.dedup_id,
            critical=message.critical,
        )
    except LabrelayError as error:
        return error
    except Exception as error:  # whatever a library raises: the row must not stay leased without a reason
        log.exception("delivery %s failed", message.dedup_id)
        return LabrelayError("channel_not_accepted", detail=type(error).__name__)
    return None


def due(session: Session, *, now: datetime) -> list[int]:
    """Rows that may be sent now, oldest first: waiting, due, and not leased by somebody who still may be alive."""
    return list(
        session.scalars(
            select(Delivery.id)
            .where(Delivery.state == "waiting", Delivery.next_try_at <= now, _free(now))
            .order_by(Delivery.next_try_at, Delivery.id)
            .limit(BATCH)
        )
    )


def lease(session: Session, delivery_id: int, render: Render, *, now: datetime) -> Message | None:
    """Take a row for LEASE. None: somebody else has it, it is done, or its channel has no room this minute."""
    channel = session.scalars(
        select(Channel)
        .join(Delivery, Delivery.channel_id == Channel.id)
        .where(Delivery.id == delivery_id)
        .with_for_update(of=Channel)
    ).one()
    free_at = _room(session, channel.id, now)
    if free_at is not None:
        session.execute(update(Delivery).where(Delivery.id == delivery_id, _free(now)).values(next_try_at=free_at))
        return None
    taken = session.execute(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.state == "waiting", Delivery.next_try_at <= now, _free(now))
        .values(lease_until=now + LEASE, attempts=Delivery.attempts + 1)
        .returning(Delivery.id)
    ).scalar_one_or_none()
    if taken is None:
        return None
    row = session.get_one(Delivery, delivery_id, populate_existing=True)
    alert = session.get_one(Alert, row.alert_id)
    row.title, row.text = render(session, alert, channel.locale)
    return Message(
        row.id, alert.id, channel.name, channel.kind, dict(channel.config), row.title, row.text, row.dedup_id,
        alert.severity == "critical", now + LEASE,
    )  # fmt: skip


def mark_sent(session: Session, message: Message, *, now: datetime, at: datetime) -> int:
    """The other side took it. ``at`` (business time) stands in the alert's history. Returns 1 if it was ours."""
    row = _ours(session, message)
    if row is None:
        return 0
    row.state, row.sent_at, row.lease_until, row.error = "sent", now, None, ""
    _note(session, message, "delivered", at, {})
    return 1


def mark_failed(session: Session, message: Message, error: LabrelayError, *, now: datetime, at: datetime) -> None:
    """It did not go out: wait longer each time; what cannot ever go is given up at once."""
    row = _ours(session, message)
    if row is None:
        return
    row.lease_until, row.error = None, error.code
    if isinstance(error, Invalid) or row.attempts >= MAX_ATTEMPTS:
        row.state = "failed"
    else:
        row.next_try_at = now + min(LONGEST_WAIT, FIRST_WAIT * 2 ** (row.attempts - 1))
    _note(session, message, "delivery_failed", at, {"code": error.code, "attempt": row.attempts})


def _ours(session: Session, message: Message) -> Delivery | None:
    """The row, if this worker's lease still stands on it."""
    return session.scalars(
        select(Delivery)
        .where(
            Delivery.id == message.delivery_id,
            Delivery.state == "waiting",
            Delivery.lease_until == message.lease_until,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()


def _note(session: Session, message: Message, kind: str, at: datetime, params: dict[str, Any]) -> None:
    alert = session.get(Alert, message.alert_id)
    if alert is not None:
        alerts.note(session, alert, kind, now=at, params={"channel": message.channel, **params})
        next_number(session, alerts.VERSION)


def _free(now: datetime) -> Any:
    return or_(Delivery.lease_until.is_(None), Delivery.lease_until <= now)


def _room(session: Session, channel_id: int, now: datetime) -> datetime | None:
    """None when the channel takes one more message this minute, else when it will."""
    minute = timedelta(minutes=1)
    of_channel = Delivery.channel_id == channel_id
    sent, first = session.execute(
        select(func.count(), func.min(Delivery.sent_at)).where(of_channel, Delivery.sent_at > now - minute)
    ).one()
    leased = session.scalar(select(func.count()).where(of_channel, Delivery.lease_until > now)) or 0
    if sent + leased < PER_MINUTE:
        return None
    return (first or now) + minute
