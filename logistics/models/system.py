"""Jobs and the files they make, counters, settings, the audit log and the print log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from logistics.db import Base


class Job(Base):
    """Long work. A worker takes it with a lease (real time); a sweep sends it again when the lease has run out."""

    __tablename__ = "job"
    __table_args__ = (Index("ix_job_state_lease", "state", "lease_until"),)

    id: Mapped[str] = mapped_column(primary_key=True)  # UUID
    kind: Mapped[str]
    args: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(default="waiting")  # waiting | running | done | failed | cancelled
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    progress: Mapped[dict[str, Any]] = mapped_column(default=dict)
    stop_requested: Mapped[bool] = mapped_column(default=False)
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[str] = mapped_column(Text, default="")


class PreparedFile(Base):
    """A file that a worker made for one person, fetched from a page; cleared away after a day."""

    __tablename__ = "prepared_file"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str]
    media_type: Mapped[str]
    made_for: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(index=True)
    data: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


class Counter(Base):
    """Named numbers: sequences for consignment numbers, versions that wake live pages."""

    __tablename__ = "counter"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(default=0)


class Setting(Base):
    """Installation facts that live in the database, e.g. how it was seeded."""

    __tablename__ = "setting"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(default=dict)


class AuditEntry(Base):
    """Who logged in, who read a patient reference, who changed the network: kept at least six months."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_at", "at"),
        Index("ix_audit_entry_user_at", "username", "at"),
        Index("ix_audit_entry_action_at", "action", "at"),
        Index("ix_audit_entry_subject_at", "subject", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    username: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str] = mapped_column(default="")
    site_code: Mapped[str | None]
    address: Mapped[str] = mapped_column(default="")
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)


class PrintEntry(Base):
    """Every print of a label, manifest or register; of a reprint with the reason. See ``services/prints.py``."""

    __tablename__ = "print_entry"
    __table_args__ = (Index("ix_print_entry_subject_at", "subject", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    username: Mapped[str]
    kind: Mapped[str]  # one of services.prints.KINDS
    subject: Mapped[str]
    copies: Mapped[int] = mapped_column(default=1)
    version: Mapped[int | None]
    reason: Mapped[str] = mapped_column(default="")  # why again; empty at the first print
    output: Mapped[str] = mapped_column(default="pdf")  # pdf | zpl | zpl_graphic | xlsx
    site_code: Mapped[str | None]  # where it was printed
