"""The log of prints: every label, manifest and register that left a printer, and why again.

    prints.log(session, "manifest", number, by=user.username, now=clock.now(), version=2)

A reprint has a reason: two labels with one number in a building are how tubes are mixed up. ``queries/print_log.py``
reads it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from logistics.errors import Invalid
from logistics.models import PrintEntry

KINDS = (
    "specimen_label", "item_label", "box_label", "consignment_label", "manifest", "command_sheet", "number_label",
    "register",
)  # fmt: skip
OUTPUTS = ("pdf", "zpl", "zpl_graphic", "xlsx")
REASONS = ("damaged", "misprinted", "jammed", "lost", "fell_off", "second_copy", "other")
"""Why something is printed again. Words: web/label_words.py."""
MAX_COPIES = 20


def log(
    session: Session,
    kind: str,
    subject: str,
    *,
    by: str,
    now: datetime,
    copies: int = 1,
    version: int | None = None,
    reason: str = "",
    output: str = "pdf",
    site: str | None = None,
) -> None:
    """Remember one print. ``subject``: the number on what was printed, or what a register covers."""
    log_all(
        session,
        kind,
        [subject],
        by=by,
        now=now,
        copies=copies,
        version=version,
        reason=reason,
        output=output,
        site=site,
    )


def log_all(
    session: Session,
    kind: str,
    subjects: Iterable[str],
    *,
    by: str,
    now: datetime,
    copies: int = 1,
    version: int | None = None,
    reason: str = "",
    output: str = "pdf",
    site: str | None = None,
) -> None:
    """Remember one print of each subject, with one statement however many there are."""
    rows = [
        {
            "at": now, "username": by, "kind": kind, "subject": subject, "copies": copies, "version": version,
            "reason": reason, "output": output, "site_code": site,
        }
        for subject in subjects
    ]  # fmt: skip
    if rows:
        session.execute(insert(PrintEntry), rows)


class ReprintReason(Invalid):
    """Something is printed again and nobody has said why."""

    def __init__(self) -> None:
        super().__init__("reprint_reason_missing", field="reason")


def checked_reason(reason: str, *, again: bool) -> str:
    """The reason of a reprint; empty at a first print. Raises ReprintReason('reprint_reason_missing')."""
    if not again:
        return ""
    if reason not in REASONS:
        raise ReprintReason
    return reason


def was_printed(session: Session, kind: str, subject: str, *, version: int | None = None) -> bool:
    """Whether it left a printer before; a new version of a manifest is a new thing."""
    query = select(PrintEntry.id).where(
        PrintEntry.subject == subject, PrintEntry.kind == kind, PrintEntry.version == version
    )
    return session.scalars(query.limit(1)).first() is not None


def checked_copies(text: str) -> int:
    """1 … MAX_COPIES from a form; empty is 1. Raises Invalid('label_copies')."""
    if not text:
        return 1
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and 1 <= int(text) <= MAX_COPIES):
        raise Invalid("label_copies", field="copies", most=MAX_COPIES)
    return int(text)
