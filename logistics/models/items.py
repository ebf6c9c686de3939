"""What goes down with the rounds: reports, control material, blind samples, consumables; and what they came in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from logistics.db import Base
from logistics.domain.sums import NOTHING
from logistics.models.network import Site

# A kind says what the paper on it says. A blind sample goes down in a parcel of whatever kind: that there is one inside
# stands in ``blind_key`` alone.
ITEM_KINDS = ("report", "quality_control", "proficiency", "consumables", "other")


class Item(Base):
    """One load item under a number of our own. The columns from ``state`` down are a projection of its stream."""

    __tablename__ = "load_item"
    __table_args__ = (
        Index("ix_load_item_origin_state", "origin_code", "state"),
        Index("ix_load_item_destination_state", "destination_code", "state"),
    )

    number: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    quantity: Mapped[int] = mapped_column(default=1)
    temp_class: Mapped[str | None]  # None: the temperature does not matter
    origin_code: Mapped[str] = mapped_column(ForeignKey("site.code"))
    destination_code: Mapped[str] = mapped_column(ForeignKey("site.code"))
    lot: Mapped[str] = mapped_column(default="")
    expires_on: Mapped[str | None]  # local date YYYY-MM-DD, the last day of use
    registered_by: Mapped[str]
    labels_printed: Mapped[int] = mapped_column(default=0)

    state: Mapped[str] = mapped_column(default="new")
    state_since: Mapped[datetime]
    box_code: Mapped[str | None] = mapped_column(ForeignKey("box.code"), index=True)
    consignment_number: Mapped[str | None] = mapped_column(ForeignKey("consignment.number"), index=True)
    holder: Mapped[str | None]
    location_code: Mapped[str | None] = mapped_column(ForeignKey("site.code"))
    condition: Mapped[str | None]
    received_at: Mapped[datetime | None]
    received_by: Mapped[str | None]
    received_how: Mapped[str | None]  # scanned | typed | ticked | imported
    on_hold: Mapped[bool] = mapped_column(default=False)
    stream_seq: Mapped[int] = mapped_column(default=0)
    stream_head: Mapped[str] = mapped_column(default="")
    lines_sum: Mapped[str] = mapped_column(default=NOTHING)  # of its lines (domain.sums)

    origin: Mapped[Site] = relationship(foreign_keys=[origin_code])
    destination: Mapped[Site] = relationship(foreign_keys=[destination_code])


class ItemLine(Base):
    """An item of a consignment and what became of it there. Kept after the item has gone on."""

    __tablename__ = "load_item_line"

    consignment_number: Mapped[str] = mapped_column(ForeignKey("consignment.number"), primary_key=True)
    item_number: Mapped[str] = mapped_column(ForeignKey("load_item.number"), primary_key=True, index=True)
    outcome: Mapped[str] = mapped_column(default="expected")
    """expected | unpacked | missing | found | late, or how it was received (``received_how``)."""
    condition: Mapped[str | None]
    checked_by: Mapped[str | None]
    checked_at: Mapped[datetime | None]


class BlindKey(Base):
    """What a blind sample really is, and the only tie between the parcel it goes down in and the tube that comes up.

    Read by the managers of the laboratory that made it only; every read is logged, under ``id``, which says nothing.
    Nothing of it stands in the custody log, in the act, in lists or among the prints.
    """

    __tablename__ = "blind_key"

    id: Mapped[str] = mapped_column(primary_key=True)
    item_number: Mapped[str] = mapped_column(ForeignKey("load_item.number"), unique=True)
    tube_number: Mapped[str] = mapped_column(ForeignKey("label_number.number"), unique=True)
    site_code: Mapped[str] = mapped_column(ForeignKey("site.code"), index=True)  # the laboratory that knows
    reference: Mapped[str]  # the laboratory's own number of the material
    expected: Mapped[str] = mapped_column(default="")  # the result that is expected, in words
    tests: Mapped[str]  # codes, blank between: what the tube's label asks for
    label_ref: Mapped[str] = mapped_column(default="")  # the made-up patient on its label, masked
    labels_printed: Mapped[int] = mapped_column(default=0)
    made_by: Mapped[str]
    made_at: Mapped[datetime]


class Contract(Base):
    """What an external laboratory does for one of ours, under which reference and how long."""

    __tablename__ = "contract"

    reference: Mapped[str] = mapped_column(primary_key=True)
    site_code: Mapped[str] = mapped_column(ForeignKey("site.code"), index=True)  # ours
    external_code: Mapped[str] = mapped_column(ForeignKey("site.code"), index=True)
    valid_from: Mapped[str]  # local dates YYYY-MM-DD, both included
    valid_to: Mapped[str]
    turnaround_h: Mapped[float | None]
    contact: Mapped[str] = mapped_column(default="")
    active: Mapped[bool] = mapped_column(default=True)

    external: Mapped[Site] = relationship(foreign_keys=[external_code])
    site: Mapped[Site] = relationship(foreign_keys=[site_code])
    tests: Mapped[list[ContractTest]] = relationship(
        cascade="all, delete-orphan", lazy="selectin", order_by="ContractTest.test_code"
    )


class ContractTest(Base):
    """A test that the contract covers."""

    __tablename__ = "contract_test"

    contract_reference: Mapped[str] = mapped_column(ForeignKey("contract.reference"), primary_key=True)
    test_code: Mapped[str] = mapped_column(ForeignKey("test.code"), primary_key=True)
