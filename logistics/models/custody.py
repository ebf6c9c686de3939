"""The custody log, the acts that made it, and the handovers that were signed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from logistics.db import Base

BigId = BigInteger().with_variant(Integer, "sqlite")


class Act(Base):
    """What somebody sent, by the UUID made where it happened, with the answer they got: kept for ever."""

    __tablename__ = "act"
    __table_args__ = (
        Index("ix_act_status_recorded", "status", "recorded_at"),
        Index(
            "ix_act_recorded", "recorded_at", postgresql_using="brin"
        ),  # what arrived on a day; costs writers nothing
        Index(
            "ix_act_answered",
            "answered_at",
            postgresql_where=text("answered_at IS NOT NULL"),
            sqlite_where=text("answered_at IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)  # UUID, lower case
    type: Mapped[str]
    body_sha256: Mapped[str]
    body: Mapped[str] = mapped_column(Text)  # canonical JSON as sent
    username: Mapped[str]
    device: Mapped[str] = mapped_column(default="")
    seq: Mapped[int | None]
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    status: Mapped[str]  # done | refused | review | applied | void
    answer: Mapped[str] = mapped_column(Text)  # JSON
    answer_sha256: Mapped[str | None]  # of id, status and answer; None: recorded before this was kept
    answered_at: Mapped[datetime | None]  # when it got another answer than at first


class WaitingAct(Base):
    """A late act that does not fit the record yet, under each thing it is about: an act about the same wakes it."""

    __tablename__ = "waiting_act"

    key: Mapped[str] = mapped_column(primary_key=True)  # specimen:<number> | box:<code> | consignment:<number> | …
    act_id: Mapped[str] = mapped_column(ForeignKey("act.id"), primary_key=True, index=True)


class CustodyEvent(Base):
    """One link of a stream's hash chain. Never updated, never deleted."""

    __tablename__ = "custody_event"
    __table_args__ = (
        UniqueConstraint("stream", "seq"),
        Index("ix_custody_event_recorded", "recorded_at"),
        Index("ix_custody_event_act", "act_id"),
    )

    position: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    stream: Mapped[str]  # specimen:<id> | consignment:<number> | item:<number>
    seq: Mapped[int]
    type: Mapped[str]
    act_id: Mapped[str]
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    actor: Mapped[str]
    site_code: Mapped[str | None]
    body: Mapped[str] = mapped_column(Text)  # the canonical text that was hashed; the columns beside it are copies
    prev_hash: Mapped[str]
    hash: Mapped[str]
    lane: Mapped[int]
    place: Mapped[int]  # 1, 2, … in its lane


class CustodyLane(Base):
    """Where the log grows: a transaction takes a lane that nobody else is using and numbers its events in it."""

    __tablename__ = "custody_lane"

    lane: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(default=0)


class Handover(Base):
    """Custody passing from one person to another, signed by both (21 CFR 11.50: printed name, time, meaning)."""

    __tablename__ = "handover"
    __table_args__ = (
        Index("ix_handover_state", "state", "occurred_at"),
        Index("ix_handover_taker", "taker", "occurred_at", "consignment_number"),
        Index("ix_handover_consignment", "consignment_number", "occurred_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)  # UUID made on the device
    consignment_number: Mapped[str] = mapped_column(ForeignKey("consignment.number"), primary_key=True)
    site_code: Mapped[str | None]
    giver: Mapped[str]
    giver_name: Mapped[str]
    taker: Mapped[str]
    taker_name: Mapped[str]
    method: Mapped[str]  # pin | app | seal
    meaning: Mapped[str]  # pickup | delivery | transfer | elsewhere
    occurred_at: Mapped[datetime]
    tube_count: Mapped[int]
    refused_count: Mapped[int] = mapped_column(default=0)
    box_temp_c: Mapped[float | None]
    giver_signed_at: Mapped[datetime | None]  # None: not yet, or the seal stood for him
    taker_signed_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(default="signed")  # signed | giver_outstanding | differs
    differs: Mapped[str] = mapped_column(default="")  # in what the giver's half differs: names of fields, with commas
    organisation: Mapped[str] = mapped_column(default="")  # of a taker from outside, who has no account
    witness: Mapped[str] = mapped_column(default="")  # who of ours confirmed such a taker with the own PIN
    witness_name: Mapped[str] = mapped_column(default="")
