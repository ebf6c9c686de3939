"""Alerts (one per incident), their history, the channels and the outbox of deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from logistics.db import Base, partial_index

UNANSWERED = "acknowledged_at IS NULL AND state <> 'closed'"
"""Of an alert that waits for somebody: the inbox reads these by an index of their own."""


class Alert(Base):
    """Telling someone about one incident; later facts of the same incident update it."""

    __tablename__ = "alert"
    __table_args__ = (
        UniqueConstraint("incident_key"),
        Index("ix_alert_site_state", "site_code", "state"),
        Index("ix_alert_site_updated", "site_code", "updated_at", "id"),
        partial_index("ix_alert_unanswered", UNANSWERED, "site_code", "occurred_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    incident_key: Mapped[str]  # e.g. excursion:BX-0731:1:…; one open alert for each
    kind: Mapped[str]  # excursion | silence | missing | overdue | …
    severity: Mapped[str]  # critical | warning | info
    site_code: Mapped[str] = mapped_column(ForeignKey("site.code"))  # the laboratory whose manager decides
    origin_code: Mapped[str | None] = mapped_column(ForeignKey("site.code"))
    box_code: Mapped[str | None] = mapped_column(ForeignKey("box.code"))
    consignment_number: Mapped[str | None] = mapped_column(ForeignKey("consignment.number"))
    params: Mapped[dict[str, Any]] = mapped_column(default=dict)  # fills the sentence of kind
    specimen_ids: Mapped[list[Any]] = mapped_column(default=list)
    occurred_at: Mapped[datetime]  # when it happened
    raised_at: Mapped[datetime]  # when we learned of it
    updated_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default="open")  # open | ended | closed
    ended_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    acknowledged_at: Mapped[datetime | None]
    comment: Mapped[str] = mapped_column(default="")
    snoozed_until: Mapped[datetime | None]
    snoozed_by: Mapped[str | None]
    level: Mapped[int] = mapped_column(default=0)  # rung of the escalation ladder
    level_at: Mapped[datetime | None]  # when it climbed there

    notes: Mapped[list[AlertNote]] = relationship(cascade="all, delete-orphan", order_by="AlertNote.id")


class AlertNote(Base):
    """What happened to an alert: raised, updated, escalated, acknowledged, ended."""

    __tablename__ = "alert_note"

    id: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alert.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    kind: Mapped[str]
    username: Mapped[str | None]
    text: Mapped[str] = mapped_column(default="")
    params: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Channel(Base):
    """Where alerts go besides the inbox. ``config`` is the typed form's content; secrets never reach a page."""

    __tablename__ = "channel"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]  # mail | http | wecom | dingtalk | feishu
    site_code: Mapped[str] = mapped_column(ForeignKey("site.code"), index=True)
    config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    kinds: Mapped[list[Any]] = mapped_column(default=list)  # empty: every kind
    min_severity: Mapped[str] = mapped_column(default="warning")
    locale: Mapped[str] = mapped_column(default="zh_CN")
    active: Mapped[bool] = mapped_column(default=True)
    quiet_from_min: Mapped[int | None]  # local minutes of the day; what is not critical waits until they are over
    quiet_until_min: Mapped[int | None]


class AlertRoute(Base):
    """A row of the routing table: alerts of ``site_code`` that match go to the channel, on this rung of the ladder.

    A site without rows has the standard: each of its channels at once, no deputy, then those of the site above.
    """

    __tablename__ = "alert_route"

    id: Mapped[int] = mapped_column(primary_key=True)
    site_code: Mapped[str] = mapped_column(ForeignKey("site.code"), index=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id", ondelete="CASCADE"))
    rung: Mapped[str] = mapped_column(default="manager")  # manager (at once) | deputy (after the site's minutes)
    kinds: Mapped[list[Any]] = mapped_column(default=list)  # empty: every kind
    min_severity: Mapped[str] = mapped_column(default="warning")
    weekdays: Mapped[list[Any]] = mapped_column(default=list)  # 1 = Monday; empty: every day
    from_min: Mapped[int] = mapped_column(default=0)  # local minutes of the day; equal ends: the whole day
    until_min: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)


class AlertLadder(Base):
    """After how many minutes without an answer the next rung is told, where a site wants other than the standard."""

    __tablename__ = "alert_ladder"

    site_code: Mapped[str] = mapped_column(ForeignKey("site.code"), primary_key=True)
    step_min: Mapped[int]


class Delivery(Base):
    """The outbox: one message to one channel, leased while it is being sent, marked after."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("dedup_id"),
        Index("ix_delivery_state_next", "state", "next_try_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alert.id", ondelete="CASCADE"), index=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id", ondelete="CASCADE"), index=True)
    dedup_id: Mapped[str]
    title: Mapped[str]
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(default="waiting")  # waiting | sent | failed
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime]  # real time, like every lease
    lease_until: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(default="")
    queued_at: Mapped[datetime | None]  # business time
    batch_id: Mapped[int | None] = mapped_column(index=True)  # went out in the message of this row
    accepted: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")  # receivers of a mail that have it


class DeliveryAttempt(Base):
    """One try to send: begun with the lease, ended with what the other side said. Without an end: the worker died."""

    __tablename__ = "delivery_attempt"

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("delivery.id", ondelete="CASCADE"), index=True)
    number: Mapped[int]
    begun_at: Mapped[datetime]  # real time, like the lease
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(default="")  # sent | the code of the error; empty: no answer
    detail: Mapped[str] = mapped_column(default="")
