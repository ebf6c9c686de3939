"""Orders, specimens (one row a tube) and what was found wrong with them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import DDL, ForeignKey, Index, UniqueConstraint, event
from sqlalchemy.orm import Mapped, mapped_column, relationship

from logistics.db import Base, KeyText, partial_index
from logistics.domain.sums import NOTHING
from logistics.models.catalogue import Test

PRIORITIES = ("routine", "urgent", "stat")
ELSEWHERE = "(location_code <> collecting_site_code AND location_code <> destination_code) IS TRUE"
"""Of a tube that stands neither where it was collected nor where it is tested: few, at any time.

As one value, of which PostgreSQL keeps statistics (``STATISTICS``): of two inequalities it would believe that nearly
all tubes meet them, and read them all.
"""
STATISTICS = f"CREATE STATISTICS st_specimen_elsewhere ON ({ELSEWHERE.removesuffix(' IS TRUE')}) FROM specimen"


def _reversed_key(context: Any) -> str:
    """So that the last characters of a number, which people remember, are the first of an indexed column."""
    return str(context.get_current_parameters()["accession_key"])[::-1]


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
        Index("ix_specimen_accession_tail", "accession_tail"),
        Index("ix_specimen_collecting_state", "collecting_site_code", "state", "registered_at"),
        Index("ix_specimen_destination_state", "destination_code", "state", "registered_at"),
        Index("ix_specimen_state_use_by", "state", "use_by_at"),
        # lists of what was found, newest first, and what happened lately at a site (queries/search.py, worklists.py)
        Index("ix_specimen_registered", "registered_at", "id"),
        Index("ix_specimen_collecting_registered", "collecting_site_code", "registered_at", "id"),
        Index("ix_specimen_collecting_since", "collecting_site_code", "state_since"),
        Index("ix_specimen_destination_registered", "destination_code", "registered_at", "id"),
        Index("ix_specimen_state_registered", "state", "registered_at", "id"),
        partial_index("ix_specimen_elsewhere", ELSEWHERE, "location_code", "registered_at", "id"),
        partial_index("ix_specimen_recollects", "recollects_id IS NOT NULL", "recollects_id"),
        partial_index("ix_specimen_on_hold", "on_hold", "registered_at", "id"),
        partial_index("ix_specimen_holder", "holder IS NOT NULL", "holder", "registered_at"),
        partial_index("ix_specimen_pressing", "priority <> 'routine'", "priority", "registered_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    accession: Mapped[str]  # as the label has it
    accession_key: Mapped[str] = mapped_column(KeyText)  # as scanned or typed: upper case, half width, no blanks
    accession_tail: Mapped[str] = mapped_column(KeyText, default=_reversed_key, server_default="")  # backwards
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
    received_how: Mapped[str | None]  # scanned | typed | ticked | imported
    decided_at: Mapped[datetime | None]
    reject_reason: Mapped[str | None]
    on_hold: Mapped[bool] = mapped_column(default=False)
    missing_from: Mapped[str | None]  # consignment that it was declared missing from
    recall_reason: Mapped[str | None]
    recall_to: Mapped[str | None]  # site where a recalled tube must be brought
    stream_seq: Mapped[int] = mapped_column(default=0)
    stream_head: Mapped[str] = mapped_column(default="")
    lines_sum: Mapped[str] = mapped_column(default=NOTHING)  # of its lines on manifests (domain.sums)

    tests: Mapped[list[SpecimenTest]] = relationship(
        cascade="all, delete-orphan", lazy="selectin", order_by="SpecimenTest.test_code"
    )
    order: Mapped[Order | None] = relationship()
    recollects: Mapped[Specimen | None] = relationship(remote_side=[id])


class SpecimenTest(Base):
    """A test ordered on a tube. ``rejected_*``: it cannot be done on this tube, though others can (projections)."""

    __tablename__ = "specimen_test"
    __table_args__ = (Index("ix_specimen_test_code", "test_code", "specimen_id"),)

    specimen_id: Mapped[int] = mapped_column(ForeignKey("specimen.id"), primary_key=True)
    test_code: Mapped[str] = mapped_column(ForeignKey("test.code"), primary_key=True)
    rejected_reason: Mapped[str | None]
    rejected_by: Mapped[str | None]
    rejected_at: Mapped[datetime | None]

    test: Mapped[Test] = relationship(lazy="joined")


class Nonconformity(Base):
    """Something wrong with a tube or box: who found it, what was decided. A projection (``domain.findings``).

    ``specimen_id``, ``accession`` and ``origin_code`` are copies for reading; the rest is what the log says.
    """

    __tablename__ = "nonconformity"
    __table_args__ = (
        UniqueConstraint("stream", "seq"),
        Index("ix_nonconformity_found", "found_at"),
        Index("ix_nonconformity_origin_found", "origin_code", "found_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    specimen_id: Mapped[int | None] = mapped_column(ForeignKey("specimen.id"), index=True)
    consignment_number: Mapped[str | None] = mapped_column(ForeignKey("consignment.number"), index=True)
    site_code: Mapped[str] = mapped_column(ForeignKey("site.code"), index=True)
    reason_code: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
    found_by: Mapped[str]
    found_at: Mapped[datetime]
    disposition: Mapped[str] = mapped_column(default="")  # "" and hold: open; the others in domain.findings
    disposed_by: Mapped[str | None]
    disposed_at: Mapped[datetime | None]
    disposed_site: Mapped[str | None]  # where it turned up, when it was missing
    photo: Mapped[str | None]  # SHA-256 of the attachment
    tests: Mapped[str] = mapped_column(default="")  # rejected tests, blank between; empty: the whole tube
    origin_code: Mapped[str | None] = mapped_column(ForeignKey("site.code"))  # the site it came from
    stream: Mapped[str | None]  # of the event that opened it
    seq: Mapped[int | None]
    accession: Mapped[str] = mapped_column(default="")  # as scanned: an unexpected tube may be unknown

    specimen: Mapped[Specimen | None] = relationship()


event.listen(
    Specimen.__table__,
    "after_create",
    DDL(STATISTICS).execute_if(dialect="postgresql"),  # type: ignore[no-untyped-call]
)
