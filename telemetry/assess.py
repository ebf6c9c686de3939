"""What people decided about excursions, kept beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from telemetry.models import ExcursionChange, ExcursionRow

ASSESSED = "assessed"


def assessed(
    session: Session,
    rows: Iterable[ExcursionRow],
    *,
    by: str,
    comment: str,
    dispositions: Sequence[dict[str, Any]],
    now: datetime,
) -> None:
    """Keep the comment and what was signed. ``dispositions``: [{specimen, accession, disposition, reason}]."""
    for row in rows:
        if row.acknowledged_at is None:
            row.acknowledged_at, row.acknowledged_by = now, by
        row.comment = comment
        detail = {"by": by, "comment": comment, "dispositions": list(dispositions)}
        session.add(ExcursionChange(excursion_id=row.id, at=now, what=ASSESSED, detail=detail))


def changes(session: Session, excursion_ids: Iterable[int]) -> list[ExcursionChange]:
    """The history of excursions, oldest first."""
    ids = sorted(excursion_ids)
    query = select(ExcursionChange).where(ExcursionChange.excursion_id.in_(ids))
    return list(session.scalars(query.order_by(ExcursionChange.at, ExcursionChange.id)))
