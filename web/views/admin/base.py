"""What the administration's pages share: the blueprint, who may, times of day; reading forms is ``web/forms.py``."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint
from flask_login import current_user
from sqlalchemy.orm import Session

from logistics.errors import Invalid
from logistics.models import User
from web.forms import NO_PROBLEM, Page, Problem, attempt, flag, needed, number, optional, text, typed

__all__ = [
    "EDITOR", "NO_PROBLEM", "READERS", "Page", "Problem", "attempt", "blueprint", "clock_face", "editor", "flag",
    "minutes", "needed", "number", "optional", "text", "typed",
]  # fmt: skip
blueprint = Blueprint("admin", __name__, url_prefix="/admin")
READERS = ("administrator", "auditor")
EDITOR = "administrator"
TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")


def editor(session: Session) -> User:
    return session.get_one(User, current_user.id)


def minutes(name: str, *, empty: bool = False) -> Any:
    """'08:30' as minutes after local midnight. Raises Invalid('time_of_day_malformed')."""
    value = text(name, limit=5)
    if not value and empty:
        return None
    match = TIME.fullmatch(value)
    if match is None or int(match[1]) * 60 + int(match[2]) > 24 * 60:
        raise Invalid("time_of_day_malformed", field=name)
    return int(match[1]) * 60 + int(match[2])


def clock_face(value: int | str | None) -> str:
    """510 as '08:30'; what was typed stays as it is."""
    if value is None or value == "":
        return ""
    return value if isinstance(value, str) else f"{value // 60:02d}:{value % 60:02d}"


blueprint.add_app_template_filter(clock_face, "clock_face")
