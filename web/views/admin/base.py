"""What the administration's pages share: the blueprint, reading forms, saving with the error beside its field."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from flask import Blueprint, request
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics.db import transaction
from logistics.errors import Invalid, LabrelayError
from logistics.models import User
from web.errors import status_of
from web.messages import sentence_of

blueprint = Blueprint("admin", __name__, url_prefix="/admin")
READERS = ("administrator", "auditor")
EDITOR = "administrator"
MAX_TEXT = 200
TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")
Page = str | Response | tuple[str, int]


class Problem:
    """The refusal of a form: ``sentence`` beside ``field``, or above the form when it is about none of its fields."""

    def __init__(self, error: LabrelayError | None = None) -> None:
        self.field = error.field if error else None
        self.sentence = sentence_of(error) if error else ""
        self.status = status_of(error) if error else 200

    def at(self, name: str) -> str | None:
        return self.sentence if self.field == name else None

    def __bool__(self) -> bool:
        return bool(self.sentence)


NO_PROBLEM = Problem()


def attempt(work: Callable[[Session], Response | str], page: Callable[[Problem], str]) -> Page:
    """Do ``work`` in one transaction; when it is refused, show ``page`` again with what was typed and the reason."""
    try:
        with transaction() as session:
            return work(session)
    except LabrelayError as error:
        problem = Problem(error)
        return page(problem), problem.status


def editor(session: Session) -> User:
    return session.get_one(User, current_user.id)


def typed(row: Any) -> Callable[[str, Any], Any]:
    """What a field shows: what was sent, else the row's, else the default."""

    def value(name: str, default: Any = "") -> Any:
        if request.method == "POST" and name in request.form:
            return request.form[name]
        found = getattr(row, name, None) if row is not None else None
        return default if found is None else found

    return value


def text(name: str, *, limit: int = MAX_TEXT) -> str:
    """A line of text without control characters. Raises Invalid('field_malformed')."""
    value = request.form.get(name, "").strip()
    if len(value) > limit or not value.isprintable():
        raise Invalid("field_malformed", field=name)
    return value


def optional(name: str) -> str | None:
    return text(name) or None


def flag(name: str) -> bool:
    return request.form.get(name) == "1"


def number(name: str, *, whole: bool = False) -> Any:
    """A number, None when empty. Raises Invalid('number_unreadable')."""
    value = text(name, limit=20)
    if not value:
        return None
    try:
        found = int(value) if whole else float(value)
    except ValueError:
        raise Invalid("number_unreadable", field=name, value=value) from None
    if not math.isfinite(found):
        raise Invalid("number_unreadable", field=name, value=value)
    return found


def needed(name: str, *, whole: bool = False) -> Any:
    value = number(name, whole=whole)
    if value is None:
        raise Invalid("field_missing", field=name)
    return value


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
