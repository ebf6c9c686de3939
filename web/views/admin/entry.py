"""A thing that administrators add and change on one form: its four views, from how it is found, shown and written."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from flask import flash, redirect, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics.db import db
from web.access import access
from web.views.admin.base import EDITOR, NO_PROBLEM, READERS, Page, Problem, attempt, blueprint

Row = TypeVar("Row")
Key = TypeVar("Key", str, int)
Again = Callable[[Key, Problem], str]


def entry(
    name: str,
    room: str,
    key: str,
    *,
    known: Callable[[Session, Key], Row],
    page: Callable[[Row | None, Problem], str],
    change: Callable[[Key, Session], Response | str],
    add: Callable[[Session], Response | str],
) -> Again[Key]:
    """``/room/new`` is admin.new_NAME and admin.add_NAME, ``/room/<key>`` is admin.NAME and admin.change_NAME.

    ``key`` is the rule's converter and variable; ``known`` raises NotFound; ``page`` shows the form, of nothing yet
    or of the row. Returns what shows the form of a row again, with the reason why something else was refused.
    """

    def again(value: Key, problem: Problem) -> str:
        return page(known(db.session(), value), problem)

    def new() -> str:
        return page(None, NO_PROBLEM)

    def added() -> Page:
        return attempt(add, partial(page, None))

    def shown(**at: Key) -> str:
        (value,) = at.values()
        return again(value, NO_PROBLEM)

    def changed(**at: Key) -> Page:
        (value,) = at.values()
        return attempt(partial(change, value), partial(again, value))

    _route(f"/{room}/new", f"new_{name}", new, "GET", EDITOR)
    _route(f"/{room}/new", f"add_{name}", added, "POST", EDITOR)
    _route(f"/{room}/<{key}>", name, shown, "GET", *READERS)
    _route(f"/{room}/<{key}>", f"change_{name}", changed, "POST", EDITOR)
    return again


def _route(rule: str, endpoint: str, view: Callable[..., Any], method: str, *roles: str) -> None:
    blueprint.add_url_rule(rule, endpoint, access(*roles)(view), methods=[method])


def done(sentence: str, endpoint: str, **at: Any) -> Response:
    """It is written: say so on the page that comes next."""
    flash(sentence, "ok")
    return redirect(url_for(f"admin.{endpoint}", **at))


def saved(endpoint: str, **at: Any) -> Response:
    return done(gettext("Saved."), endpoint, **at)
