"""Users: list, add with a password shown once, change, close, new password, no PIN."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any

from flask import flash, redirect, render_template, url_for
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
    NO_PROBLEM,
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

# Without letters and digits that look alike: it is read off a screen once and typed on a phone.
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def one_time_password() -> str:
    """Four groups of four: 79 random bits."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))


@blueprint.get("/users")
@access(*READERS)
def users() -> str:
    return render_template("admin/users.html", users=queries.users(db.session()))


@blueprint.get("/users/new")
@access(EDITOR)
def new_user() -> str:
    return _page(None, NO_PROBLEM)


@blueprint.post("/users/new")
@access(EDITOR)
def add_user() -> Page:
    def work(session: Session) -> str:
        user = admin.add_user(session, text("username", limit=32).lower(), _values())
        password = _give_password(user)
        audit(session, "user_added", user.username, role=user.role, site=user.site_code)
        return _shown(user, password)

    return attempt(work, partial(_page, None))


@blueprint.get("/users/<int:user_id>")
@access(*READERS)
def user(user_id: int) -> str:
    return _again(user_id, NO_PROBLEM)


@blueprint.post("/users/<int:user_id>")
@access(EDITOR)
def change_user(user_id: int) -> Page:
    def work(session: Session) -> Response:
        one = admin.known_user(session, user_id)
        changes = admin.change_user(session, one, _values(), by=editor(session))
        audit(session, "user_changed", one.username, **changes)
        flash(gettext("Saved."), "ok")
        return redirect(url_for("admin.users"))

    return attempt(work, partial(_again, user_id))


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
        flash(gettext("The PIN of %(name)s is no longer valid.", name=one.name(locale())), "ok")
        return redirect(url_for("admin.user", user_id=user_id))

    return attempt(work, partial(_again, user_id))


@blueprint.post("/users/<int:user_id>/active")
@access(EDITOR)
def switch_user(user_id: int) -> Page:
    def work(session: Session) -> Response:
        one = admin.known_user(session, user_id)
        active = flag("active")
        admin.set_active(session, one, active, by=editor(session))
        audit(session, "user_opened" if active else "user_closed", one.username)
        flash(gettext("Saved."), "ok")
        return redirect(url_for("admin.user", user_id=user_id))

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


def _again(user_id: int, problem: Problem) -> str:
    return _page(admin.known_user(db.session(), user_id), problem)


def _page(user: User | None, problem: Problem) -> str:
    sites = [(one.code, one.name(locale())) for one in queries.sites(db.session()) if one.active]
    return render_template("admin/user.html", user=user, value=typed(user), problem=problem, sites=sites)
