"""Reading the audit log a page at a time, newest first, by user, action, subject, day and words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from logistics.domain.numbers import normalise
from logistics.models import AuditEntry, Specimen
from logistics.queries.walk import Conditions, Cursor, Walk, everything, page

PAGE = 100
EXPORT_PAGE = 1_000
TUBES = 20  # so many tubes may have had the same number


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What of the audit log is wanted; instants in UTC. ``subject``: what the entry is about, exactly; a tube's number
    stands for the tube."""

    words: str = ""
    username: str = ""
    action: str = ""
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Entries; ``first``, ``after`` and ``cut`` as in ``search.Page``."""

    rows: Sequence[AuditEntry]
    first: int
    after: str | None
    cut: bool


def find(session: Session, wanted: AuditFilter, *, after: str = "", size: int = PAGE) -> Page:
    """Raises Invalid('page_malformed')."""
    cursor = Cursor.read(after, "log", (datetime, int))
    subjects = _subjects(session, wanted.subject)
    walk = _walk(wanted, subjects)
    step = page(session, [walk], _keep(wanted), size=size, after=cursor.key if cursor else None)
    query = select(AuditEntry).where(AuditEntry.id.in_(step.ids)).order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
    rows = session.scalars(query).all() if step.ids else []
    seen = cursor.seen if cursor else 0
    following = Cursor("log", seen + len(rows), step.after).text() if step.after else None
    return Page(rows, seen + 1, following, step.cut)


def export(session: Session, wanted: AuditFilter) -> Iterator[AuditEntry]:
    """Everything, a page at a time."""
    return everything(session, lambda after: find(session, wanted, after=after, size=EXPORT_PAGE))


def _subjects(session: Session, given: str) -> list[str]:
    """The subject as given, and the tubes that it numbers."""
    if not given:
        return []
    query = select(Specimen.id).where(Specimen.accession_key == normalise(given)).limit(TUBES)
    return [given, *(f"specimen:{ident}" for ident in session.scalars(query))]


def _walk(wanted: AuditFilter, subjects: Sequence[str]) -> Walk:
    source: Any = select(
        AuditEntry.id, AuditEntry.at, AuditEntry.username, AuditEntry.action, AuditEntry.subject, AuditEntry.address
    )
    if subjects:
        source = source.where(AuditEntry.subject.in_(subjects))
    elif wanted.username:
        source = source.where(AuditEntry.username == wanted.username)
    elif wanted.action:
        source = source.where(AuditEntry.action == wanted.action)
    if wanted.since:
        source = source.where(AuditEntry.at >= wanted.since)
    if wanted.until:
        source = source.where(AuditEntry.at < wanted.until)
    return Walk(source, (AuditEntry.at, AuditEntry.id))


def _keep(wanted: AuditFilter) -> Conditions:
    def conditions(at: Any) -> Iterable[ColumnElement[bool]]:
        if wanted.username:
            yield at.username == wanted.username
        if wanted.action:
            yield at.action == wanted.action
        if wanted.words:
            like = f"%{_escaped(wanted.words)}%"
            yield or_(
                *(one.ilike(like, escape="\\") for one in (at.username, at.action, at.subject, at.address)),
            )

    return conditions


def _escaped(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
