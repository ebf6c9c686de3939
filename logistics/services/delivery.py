"""The outbox of alerts: a row is leased, sent, and marked afterwards, so that a killed worker loses nothing.

    delivery.deliver_due(render, allowed_hosts=…)

At least once: a worker that dies after sending and before marking makes one repetition with the same dedup
id. Rows are the truth; everything here may run in several workers at once. Leases are real time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from logistics.clock import now as business_now
from logistics.clock import wall_now
from logistics.db import next_number, transaction
from logistics.errors import Invalid, LabrelayError
from logistics.models import Alert, Channel, Delivery, DeliveryAttempt
from logistics.services import alert_channels, alerts

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=40)
"""Longer than any sending takes. What a dead worker had taken is sent again within a minute, with a round of the outbox
and the start of another worker on top."""
PER_MINUTE = 20  # what WeCom and DingTalk take from one robot
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=15), timedelta(hours=1)
MAX_ATTEMPTS = 14  # with the waits above: about nine hours
BATCH = 50
GO_ON = timedelta(seconds=4)
"""Less than the time until the worker looks again, so that one thread at a time sends."""

BATCH_FROM, BATCH_MOST = 4, 40
"""So many messages waiting for one channel are a mass event: they go out as one."""

Render = Callable[[Session, Alert, str], tuple[str, str]]
"""(session, alert, locale) → (title, text). No personal data."""
RenderMany = Callable[[Session, Sequence[Alert], str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Message:
    """What a leased row says, whole, so that nothing is read while it is sent. ``alert_ids``: all that it tells of."""

    delivery_id: int
    alert_ids: tuple[int, ...]
    attempt: int
    channel: str
    kind: str
    config: dict[str, Any]
    title: str
    text: str
    dedup_id: str
    critical: bool
    lease_until: datetime
    accepted: tuple[str, ...] = ()


def deliver_due(
    render: Render,
    *,
    render_many: RenderMany | None = None,
    allowed_hosts: Iterable[str] = (),
    wall: Callable[[], datetime] = wall_now,
    send: Callable[..., None] = alert_channels.send,
    resolver: alert_channels.Resolve = alert_channels.resolve,
) -> int:
    """Send what waits, each message in transactions of its own. Returns how many were sent.

    ``render_many`` puts a mass event into one message; without it each alert has its own. What waits is taken in
    rounds, for ``GO_ON``. A channel that does not answer is left alone for the rest of it: each try may last as long
    as its time limits, and the alerts of all others would wait for that.
    """
    begun, sent = time.monotonic(), 0
    silent: set[int] = set()
    looked_at: set[int] = set()
    while True:
        with transaction() as session:
            waiting = [pair for pair in due(session, now=wall(), but=silent) if pair[0] not in looked_at]
        for delivery_id, channel_id in waiting:
            if time.monotonic() - begun > GO_ON.total_seconds():
                return sent
            looked_at.add(delivery_id)
            if channel_id in silent:
                continue
            try:
                with transaction() as session:
                    message = lease(session, delivery_id, render, render_many=render_many, now=wall())
            except Exception:  # one row that cannot be put into words must not hold up the others
                log.exception("delivery %s could not be prepared", delivery_id)
                continue
            if message is None:
                continue
            error = _try(message, send, tuple(allowed_hosts), resolver)
            with transaction() as session:
                if error is None:
                    sent += mark_sent(session, message, now=wall(), at=business_now())
                else:
                    mark_failed(session, message, error, now=wall(), at=business_now())
                    silent.add(channel_id)
        if not waiting:
            return sent


def _try(
    message: Message, send: Callable[..., None], allowed_hosts: Sequence[str], resolver: alert_channels.Resolve
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
            allowed_hosts=allowed_hosts,
            accepted=message.accepted,
        )
    except LabrelayError as error:
        return error
    except Exception as error:  # whatever a library raises: the row must not stay leased without a reason
        log.exception("delivery %s failed", message.dedup_id)
        return LabrelayError("channel_not_accepted", detail=type(error).__name__)
    return None


def due(session: Session, *, now: datetime, but: Collection[int] = ()) -> list[tuple[int, int]]:
    """(row, channel) of what may be sent now, oldest first: waiting, due, and not leased by somebody who still may be
    alive; of other channels than those in ``but``."""
    query = select(Delivery.id, Delivery.channel_id).where(
        Delivery.state == "waiting", Delivery.next_try_at <= now, _free(now), _leads()
    )
    if but:
        query = query.where(Delivery.channel_id.not_in(but))
    rows = session.execute(query.order_by(Delivery.next_try_at, Delivery.id).limit(BATCH))
    return [(row.id, row.channel_id) for row in rows]


def lease(
    session: Session, delivery_id: int, render: Render, *, now: datetime, render_many: RenderMany | None = None
) -> Message | None:
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
        .where(
            Delivery.id == delivery_id, Delivery.state == "waiting", Delivery.next_try_at <= now, _free(now), _leads()
        )
        .values(lease_until=now + LEASE, attempts=Delivery.attempts + 1)
        .returning(Delivery.id)
    ).scalar_one_or_none()
    if taken is None:
        return None
    row = session.get_one(Delivery, delivery_id, populate_existing=True)
    rows = [row, *_gathered(session, row, now, batching=render_many is not None)]
    alerts_told = [session.get_one(Alert, one.alert_id) for one in rows]
    if len(rows) > 1 and render_many is not None:
        row.title, row.text = render_many(session, alerts_told, channel.locale)
    else:
        row.title, row.text = render(session, alerts_told[0], channel.locale)
    session.add(DeliveryAttempt(delivery_id=row.id, number=row.attempts, begun_at=now))
    return Message(
        delivery_id=row.id,
        alert_ids=tuple(dict.fromkeys(alert.id for alert in alerts_told)),
        attempt=row.attempts,
        channel=channel.name,
        kind=channel.kind,
        config=dict(channel.config),
        title=row.title,
        text=row.text,
        dedup_id=row.dedup_id,
        critical=any(alert.severity == "critical" for alert in alerts_told),
        lease_until=now + LEASE,
        accepted=tuple(row.accepted),
    )


def _gathered(session: Session, row: Delivery, now: datetime, *, batching: bool) -> list[Delivery]:
    """The rows that go out in the message of ``row``: as before when it is tried again, else what waits beside it.

    What was gathered once stays together, so that a repetition says the same under the same id.
    """
    members = select(Delivery).where(Delivery.batch_id == row.id, Delivery.id != row.id, Delivery.state == "waiting")
    if row.batch_id == row.id:
        return list(session.scalars(members.order_by(Delivery.id)))
    if not batching or row.attempts > 1:
        return []
    beside = session.scalars(
        select(Delivery)
        .where(
            Delivery.channel_id == row.channel_id,
            Delivery.id != row.id,
            Delivery.state == "waiting",
            Delivery.attempts == 0,
            Delivery.batch_id.is_(None),
            Delivery.next_try_at <= now,
            _free(now),
        )
        .order_by(Delivery.next_try_at, Delivery.id)
        .limit(BATCH_MOST - 1)
        .with_for_update()
    ).all()
    if len(beside) + 1 < BATCH_FROM:
        return []
    for one in (row, *beside):
        one.batch_id = row.id
    return list(beside)


def mark_sent(session: Session, message: Message, *, now: datetime, at: datetime) -> int:
    """The other side took it. ``at`` (business time) stands in the alert's history. Returns 1 if it was ours."""
    row = _ours(session, message)
    if row is None:
        return 0
    for one in (row, *_members(session, row)):
        one.state, one.sent_at, one.lease_until, one.error = "sent", now, None, ""
    _attempted(session, message, "sent", now)
    _note(session, message, "delivered", at, {})
    return 1


def mark_failed(session: Session, message: Message, error: LabrelayError, *, now: datetime, at: datetime) -> None:
    """It did not go out: wait longer each time; what cannot ever go is given up at once."""
    row = _ours(session, message)
    if row is None:
        return
    row.lease_until, row.error = None, error.code
    if isinstance(error, alert_channels.PartlySent):
        row.accepted = [*row.accepted, *error.accepted]
    if isinstance(error, Invalid) or row.attempts >= MAX_ATTEMPTS:
        for one in (row, *_members(session, row)):
            one.state, one.error = "failed", error.code
    else:
        row.next_try_at = now + min(LONGEST_WAIT, FIRST_WAIT * 2 ** (row.attempts - 1))
    said = (error.params.get(name) for name in ("answer", "host", "detail"))
    _attempted(session, message, error.code, now, str(next((one for one in said if one), "")))
    _note(session, message, "delivery_failed", at, {"code": error.code, "attempt": row.attempts})


def _members(session: Session, row: Delivery) -> Sequence[Delivery]:
    if row.batch_id != row.id:
        return ()
    query = select(Delivery).where(Delivery.batch_id == row.id, Delivery.id != row.id, Delivery.state == "waiting")
    return session.scalars(query).all()


def _attempted(session: Session, message: Message, outcome: str, now: datetime, detail: str = "") -> None:
    session.execute(
        update(DeliveryAttempt)
        .where(DeliveryAttempt.delivery_id == message.delivery_id, DeliveryAttempt.number == message.attempt)
        .values(ended_at=now, outcome=outcome, detail=detail[:200])
    )


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
    for alert_id in message.alert_ids:
        alert = session.get(Alert, alert_id)
        if alert is not None:
            alerts.note(session, alert, kind, now=at, params={"channel": message.channel, **params})
    next_number(session, alerts.VERSION)


def _free(now: datetime) -> Any:
    return or_(Delivery.lease_until.is_(None), Delivery.lease_until <= now)


def _leads() -> Any:
    """Not a row that goes out in another's message."""
    return or_(Delivery.batch_id.is_(None), Delivery.batch_id == Delivery.id)


def _room(session: Session, channel_id: int, now: datetime) -> datetime | None:
    """None when the channel takes one more message this minute, else when it will. Also failed tries count: a robot
    that refuses counts them, too."""
    minute = timedelta(minutes=1)
    begun, first = session.execute(
        select(func.count(), func.min(DeliveryAttempt.begun_at))
        .join(Delivery, Delivery.id == DeliveryAttempt.delivery_id)
        .where(Delivery.channel_id == channel_id, DeliveryAttempt.begun_at > now - minute)
    ).one()
    if begun < PER_MINUTE:
        return None
    return (first or now) + minute
