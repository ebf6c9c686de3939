"""Reading a form, and showing it again with what was typed and the refusal beside its field."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from flask import request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics.db import transaction
from logistics.errors import Invalid, LabrelayError
from web import personal
from web.errors import status_of
from web.messages import sentence_of

MAX_TEXT = 200
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
        personal.refuse()
        with transaction() as session:
            return work(session)
    except LabrelayError as error:
        problem = Problem(error)
        return page(problem), problem.status


def typed(row: Any = None) -> Callable[..., Any]:
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
