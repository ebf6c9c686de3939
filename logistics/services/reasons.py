"""Coded reasons."""

from __future__ import annotations

from sqlalchemy.orm import Session

from logistics.errors import Invalid
from logistics.models import Reason


def known_reason(session: Session, code: str, *, field: str = "reason") -> Reason:
    """The reason of this code. Raises Invalid('reason_unknown')."""
    reason = session.get(Reason, code)
    if reason is None or not reason.active:
        raise Invalid("reason_unknown", field=field, reason=code[:40])
    return reason
