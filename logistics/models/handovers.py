"""Handovers signed on two devices: ids that were drawn for a giver's screen, and the giver's half of each."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from logistics.db import Base


class HandoverOffer(Base):
    """The id of a handover to come, known to the giver's device alone until he shows it to the taker."""

    __tablename__ = "handover_offer"

    id: Mapped[str] = mapped_column(primary_key=True)  # UUID
    username: Mapped[str] = mapped_column(index=True)
    issued_at: Mapped[datetime]
    key: Mapped[str]  # hexadecimal; the device proves with it which consignments its code was shown for


class HandoverHalf(Base):
    """The giver's signature under one consignment (21 CFR 11.50: printed name, time, meaning). Kept also when it
    says something else than the taker's; ``state``: waiting | signed | differs, judged beside the others."""

    __tablename__ = "handover_half"
    __table_args__ = (Index("ix_handover_half_state", "state", "signed_at"),)

    act_id: Mapped[str] = mapped_column(primary_key=True)
    consignment_number: Mapped[str] = mapped_column(ForeignKey("consignment.number"), primary_key=True)
    handover_id: Mapped[str] = mapped_column(index=True)
    username: Mapped[str]
    name: Mapped[str]
    other: Mapped[str] = mapped_column(default="")  # who took it, as the giver states it
    meaning: Mapped[str] = mapped_column(default="")
    site_code: Mapped[str | None]
    tube_count: Mapped[int]
    signed_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default="waiting")
    differs: Mapped[str] = mapped_column(default="")  # names of the fields, with commas
