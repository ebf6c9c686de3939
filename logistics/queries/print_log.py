"""The read side of the log of prints: who printed what, when, how often, and why again."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics.domain.access import Scope
from logistics.models import PrintEntry

PAGE = 100


def entries(session: Session, scope: Scope, *, subject: str = "", page: int = 1) -> tuple[list[PrintEntry], int]:
    """(one page of the prints at sites in ``scope``, newest first; how many there are in all).

    ``subject``: how the number on what was printed begins.
    """
    query = select(PrintEntry)
    if not scope.everything:
        query = query.where(PrintEntry.site_code.in_(sorted(scope.sites)))
    if subject:
        query = query.where(PrintEntry.subject.startswith(subject, autoescape=True))
    total = session.scalar(select(func.count()).select_from(query.with_only_columns(PrintEntry.id).subquery())) or 0
    rows = session.scalars(query.order_by(PrintEntry.id.desc()).offset((page - 1) * PAGE).limit(PAGE))
    return list(rows), total
