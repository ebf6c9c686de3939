"""Users: list, add with a password shown once, change, close, new password, no PIN."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any

from flask import render_template
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics.db import db
from logistics.models import User
from logistics.queries import admin as queries
from logistics.services import admin
from web import auth
from web.access import access
from web.auth import audit
from web.i18n import LOCALES
from web.rendering import locale
from web.views.admin.base import (
    EDITOR,
    READERS,
    Page,
    Problem,
    attempt,
    blueprint,
    editor,
    flag,
    optional,
    text,
    typed,
)
from web.views.admin.entry import done, entry, saved

# Without letters and digits that look alike: it is read off a screen once and typed on a phone.
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def one_time_password() -> str:
    """Four groups of four: 79 random bits."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))


@blueprint.get("/users")
@access(*READERS)
def users() -> str:
    return render_template("admin/users.html", users=queries.users(db.session()))


def _add(session: Session) -> str:
    user = admin.add_user(session, text("username", limit=32).lower(), _values())
    password = _give_password(user)
    audit(session, "user_added", user.username, role=user.role, site=user.site_code)
    return _shown(user, password)


def _change(user_id: int, session: Session) -> Response:
    one = admin.known_user(session, user_id)
    changes = admin.change_user(session, one, _values(), by=editor(session))
    audit(session, "user_changed", one.username, **changes)
    return saved("users")


@blueprint.post("/users/<int:user_id>/password")
@access(EDITOR)
def reset_password(user_id: int) -> Page:
    """A new one-time password; every session of the user ends."""

    def work(session: Session) -> str:
        one = admin.known_user(session, user_id)
        password = _give_password(one)
        audit(session, "password_reset", one.username)
        return _shown(one, password)

    return attempt(work, partial(_again, user_id))


@blueprint.post("/users/<int:user_id>/pin")
@access(EDITOR)
def reset_pin(user_id: int) -> Page:
    """Take the handover PIN away; the user chooses another on the account page."""

    def work(session: Session) -> Response:
        one = admin.known_user(session, user_id)
        one.pin_hash = ""
        audit(session, "pin_reset", one.username)
        said = gettext("The PIN of %(name)s is no longer valid.", name=one.name(locale()))
        return done(said, "user", user_id=user_id)

    return attempt(work, partial(_again, user_id))


@blueprint.post("/users/<int:user_id>/active")
@access(EDITOR)
def switch_user(user_id: int) -> Page:
    def work(session: Session) -> Response:
        one = admin.known_user(session, user_id)
        active = flag("active")
        admin.set_active(session, one, active, by=editor(session))
        audit(session, "user_opened" if active else "user_closed", one.username)
        return saved("user", user_id=user_id)

    return attempt(work, partial(_again, user_id))


def _give_password(user: User) -> str:
    password = one_time_password()
    auth.set_password(user, password)
    user.must_change_password = True
    return password


def _shown(user: User, password: str) -> str:
    """The only page that ever shows the password."""
    return render_template("admin/password.html", user=user, password=password)


def _values() -> dict[str, Any]:
    return {
        "name_zh": text("name_zh"),
        "name_en": text("name_en"),
        "role": text("role"),
        "site_code": optional("site_code"),
        "locale": text("locale") if text("locale") in LOCALES else "zh_CN",
    }


def _page(user: User | None, problem: Problem) -> str:
    sites = [(one.code, one.name(locale())) for one in queries.sites(db.session()) if one.active]
    return render_template("admin/user.html", user=user, value=typed(user), problem=problem, sites=sites)


_again = entry("user", "users", "int:user_id", known=admin.known_user, page=_page, add=_add, change=_change)
