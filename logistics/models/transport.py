"""Transport boxes, consignments and their manifests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from logistics.db import Base
from logistics.models.network import Site

BOX_KINDS = ("box", "bag")


class Box(Base):
    """A transport box. ``location_code`` and ``consignment_number`` are projections of custody."""

    __tablename__ = "box"

    code: Mapped[str] = mapped_column(primary_key=True)
    temp_class: Mapped[str]
    capacity: Mapped[int] = mapped_column(default=50)
    hold_h: Mapped[float] = mapped_column(default=8.0)  # validated hold time
    home_code: Mapped[str] = mapped_column(ForeignKey("site.code"), index=True)
    active: Mapped[bool] = mapped_column(default=True)
    kind: Mapped[str] = mapped_column(default="box")  # box | bag: a document bag carries papers, never specimens

    location_code: Mapped[str | None] = mapped_column(ForeignKey("site.code"), index=True)
    holder: Mapped[str | None]
    consignment_number: Mapped[str | None]  # the open one


class Consignment(Base):
    """What travels: one box from one site to the next, with the tubes inside. From ``state`` on: projections."""

    __tablename__ = "consignment"
    __table_args__ = (
        Index("ix_consignment_origin_state", "origin_code", "state"),
        Index("ix_consignment_destination_state", "destination_code", "state"),
        Index("ix_consignment_holder_state", "holder", "state"),
        # found, newest first (queries/search.py), and what closed today
        Index("ix_consignment_opened", "opened_at", "number"),
        Index("ix_consignment_state_opened", "state", "opened_at", "number"),
        Index("ix_consignment_origin_opened", "origin_code", "opened_at", "number"),
        Index("ix_consignment_destination_opened", "destination_code", "opened_at", "number"),
        Index("ix_consignment_destination_closed", "destination_code", "closed_at"),
        Index("ix_consignment_box_opened", "box_code", "opened_at", "number"),
        Index("ix_consignment_seal", "seal_number"),
    )

    number: Mapped[str] = mapped_column(primary_key=True)
    origin_code: Mapped[str] = mapped_column(ForeignKey("site.code"))
    destination_code: Mapped[str] = mapped_column(ForeignKey("site.code"))
    box_code: Mapped[str] = mapped_column(ForeignKey("box.code"), index=True)
    temp_class: Mapped[str]
    opened_at: Mapped[datetime]
    opened_by: Mapped[str]
    expected_at: Mapped[datetime | None]
    priority: Mapped[str] = mapped_column(default="routine")
    kind: Mapped[str] = mapped_column(default="specimens")  # specimens | return | send_out
    contract_reference: Mapped[str | None]  # of a send-out

    state: Mapped[str] = mapped_column(default="open")
    state_since: Mapped[datetime]
    seal_number: Mapped[str | None]
    sealed_at: Mapped[datetime | None]
    manifest_version: Mapped[int] = mapped_column(default=0)
    holder: Mapped[str | None]
    location_code: Mapped[str | None] = mapped_column(ForeignKey("site.code"))
    departed_at: Mapped[datetime | None]
    arrived_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    tube_count: Mapped[int] = mapped_column(default=0)
    item_count: Mapped[int] = mapped_column(default=0)  # load items, in a return consignment
    stream_seq: Mapped[int] = mapped_column(default=0)
    stream_head: Mapped[str] = mapped_column(default="")

    origin: Mapped[Site] = relationship(foreign_keys=[origin_code])
    destination: Mapped[Site] = relationship(foreign_keys=[destination_code])
    lines: Mapped[list[ConsignmentLine]] = relationship(
        cascade="all, delete-orphan", order_by="ConsignmentLine.position"
    )


class ConsignmentLine(Base):
    """A tube of a consignment and what became of it there. Kept after the tube has gone on."""

    __tablename__ = "consignment_line"

    consignment_number: Mapped[str] = mapped_column(ForeignKey("consignment.number"), primary_key=True)
    specimen_id: Mapped[int] = mapped_column(ForeignKey("specimen.id"), primary_key=True, index=True)
    position: Mapped[int]
    # expected | recalled | unpacked | refused | elsewhere | scanned | typed | ticked | imported | missing | found |
    # late | unexpected
    outcome: Mapped[str] = mapped_column(default="expected")
    condition: Mapped[str | None]
    checked_by: Mapped[str | None]
    checked_at: Mapped[datetime | None]
    found_site: Mapped[str | None]  # where it turned up when that was not in this box, or late
    found_in: Mapped[str | None]  # and the consignment in which it did


class ManifestVersion(Base):
    """The manifest as it was locked; never changed, a later change makes a new version."""

    __tablename__ = "manifest_version"
    __table_args__ = (UniqueConstraint("consignment_number", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    consignment_number: Mapped[str] = mapped_column(ForeignKey("consignment.number"), index=True)
    version: Mapped[int]
    locked_at: Mapped[datetime]
    locked_by: Mapped[str]
    seal_number: Mapped[str]
    lines: Mapped[list[Any]]  # [{"accession", "specimen", "type", "container", "tests", "priority"}]
    reason: Mapped[str] = mapped_column(default="")


class SealUse(Base):
    """A seal number that was put on a box. It is used once, ever, whatever became of the seal. A projection."""

    __tablename__ = "seal_use"

    number: Mapped[str] = mapped_column(primary_key=True)  # as ``numbers.normalise`` reads it
    consignment_number: Mapped[str] = mapped_column(ForeignKey("consignment.number"), index=True)
    used_at: Mapped[datetime]
    used_by: Mapped[str]
