"""Reads of patient references are logged, also of the masked ones in a list or on a label."""

from __future__ import annotations

from collections.abc import Sequence

from flask_login import current_user
from sqlalchemy.orm import Session

from logistics.db import transaction
from logistics.models import Specimen
from web.auth import audit


def log_page(rows: Sequence[Specimen], page: str) -> None:
    """A page shows these tubes: in a transaction of its own, since a page only reads."""
    if any(row.patient_ref for row in rows):
        with transaction() as session:
            log(session, rows, page)


def log(session: Session, rows: Sequence[Specimen], page: str) -> None:
    """The same inside a transaction. Nothing when none of them bears a reference."""
    shown = sum(1 for row in rows if row.patient_ref)
    if shown:
        audit(session, "patient_refs_read", current_user.site_code or "", shown=shown, page=page)
