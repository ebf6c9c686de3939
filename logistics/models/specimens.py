"""Orders, specimens (one row a tube) and what was found wrong with them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from logistics.db import Base
from logistics.models.catalogue import Test


class Order(Base):
    """A request as it came from a laboratory system, a file or a form. Holds a masked reference, never a name."""

    __tablename__ = "lab_order"
    __table_args__ = (UniqueConstraint("site_code", "order_number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    site_code: Mapped[str] = mapped_column(ForeignKey("site.code"), index=True)
    order_number: Mapped[str]
    patient_ref: Mapped[str] = mapped_column(default="")  # masked, e.g. 张**
    sex: Mapped[str] = mapped_column(default="")
    age: Mapped[str] = mapped_column(default="")
    department: Mapped[str] = mapped_column(default="")
    ordered_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(default="")
    source: Mapped[str] = mapped_column(default="typed")  # typed | imported | api


class Specimen(Base):
    """One tube. The columns from ``state`` down are a projection of its custody stream."""

    __tablename__ = "specimen"
    __table_args__ = (
        UniqueConstraint("issuing_site_code", "accession_key", "registered_on"),
        Index("ix_specimen_accession_key", "accession_key"),
        Index("ix_specimen_collecting_state", "collecting_site_code", "state"),
        Index("ix_specimen_destination_state", "destination_code", "state"),
        Index("ix_specimen_state_use_by", "state", "use_by_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    accession: Mapped[str]  # as the label has it
    accession_key: Mapped[str]  # as scanners and people give it: upper case, half width, no blanks or hyphens
    issuing_site_code: Mapped[str] = mapped_column(ForeignKey("site.code"))
    registered_on: Mapped[str]  # local date: hospital barcodes come back after months
    order_id: Mapped[int | None] = mapped_column(ForeignKey("lab_order.id"), index=True)
    specimen_type: Mapped[str]
    container: Mapped[str] = mapped_column(default="")
    temp_class: Mapped[str]
    stage: Mapped[str] = mapped_column(default="unseparated")
    priority: Mapped[str] = mapped_column(default="routine")  # routine | urgent | stat
    patient_ref: Mapped[str] = mapped_column(default="")
    collecting_site_code: Mapped[str] = mapped_column(ForeignKey("site.code"))
    destination_code: Mapped[str] = mapped_column(ForeignKey("site.code"))
    recollects_id: Mapped[int | None] = mapped_column(ForeignKey("specimen.id"))
    labels_printed: Mapped[int] = mapped_column(default=0)
    use_by_at: Mapped[datetime | None]
    use_by_test: Mapped[str | None]
    stability: Mapped[str] = mapped_column(default="fit")  # fit | use_by | expired | outside | unknown

    state: Mapped[str] = mapped_column(default="registered")
    state_since: Mapped[datetime]
    registered_at: Mapped[datetime]
    collected_at: Mapped[datetime | None]
    collector: Mapped[str | None]
    box_code: Mapped[str | None] = mapped_column(ForeignKey("box.code"), index=True)
    consignment_number: Mapped[str | None] = mapped_column(ForeignKey("consignment.number"), index=True)
    holder: Mapped[str | None]  # username of who answers for it; None: the site does
    location_code: Mapped[str | None] = mapped_column(ForeignKey("site.code"))
    condition: Mapped[str | None]
    received_at: Mapped[datetime | None]
    received_how: Mapped[str | None]  # scanned | ticked
    decided_at: Mapped[datetime | None]
    reject_reason: Mapped[str | None]
    on_hold: Mapped[bool] = mapped_column(default=False)
    stream_seq: Mapped[int] = mapped_column(default=0)
    stream_head: Mapped[str] = mapped_column(default="")

    tests: Mapped[list[SpecimenTest]] = relationship(
        cascade="all, delete-orphan", lazy="selectin", order_by="SpecimenTest.test_code"
    )
    order: Mapped[Order | None] = relationship()
    recollects: Mapped[Specimen | None] = relationship(remote_side=[id])


class SpecimenTest(Base):
    """A test ordered on a tube."""

    __tablename__ = "specimen_test"

    specimen_id: Mapped[int] = mapped_column(ForeignKey("specimen.id"), primary_key=True)
    test_code: Mapped[str] = mapped_column(ForeignKey("test.code"), primary_key=True)

    test: Mapped[Test] = relationship(lazy="joined")


class Nonconformity(Base):
    """Something wrong with a tube or box: who found it, what was decided, what replaced it."""

    __tablename__ = "nonconformity"

    id: Mapped[int] = mapped_column(primary_key=True)
    specimen_id: Mapped[int | None] = mapped_column(ForeignKey("specimen.id"), index=True)
    consignment_number: Mapped[str | None] = mapped_column(ForeignKey("consignment.number"), index=True)
    site_code: Mapped[str] = mapped_column(ForeignKey("site.code"), index=True)
    reason_code: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
    found_by: Mapped[str]
    found_at: Mapped[datetime]
    disposition: Mapped[str] = mapped_column(default="")  # accept | concession | reject | recollect | found …
    disposed_by: Mapped[str | None]
    disposed_at: Mapped[datetime | None]
    photo: Mapped[str | None]
    accession: Mapped[str] = mapped_column(default="")  # as scanned: an unexpected tube may be unknown

    specimen: Mapped[Specimen | None] = relationship()
