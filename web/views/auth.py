"""Login, logout, the own account, and the way home."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Blueprint, current_app, redirect, render_template, request, session, url_for
from flask_login import current_user
from werkzeug.security import check_password_hash
from werkzeug.wrappers import Response

from logistics.clock import wall_now
from logistics.db import db, transaction
from logistics.errors import Forbidden, Invalid, LabrelayError
from logistics.models import User
from web import auth, i18n, nav, personal
from web.access import access
from web.demo import DemoLogin, logins
from web.errors import status_of
from web.messages import sentence_of
from web.rendering import locale

blueprint = Blueprint("auth", __name__)


def login_key() -> str:
    return f"{request.remote_addr}|{request.form.get('username', '').strip().lower()}"


def login_limit() -> str:
    return str(current_app.extensions["labrelay.settings"].login_limit)


@blueprint.get("/")
@access("any")
def home() -> Response:
    return redirect(nav.home_url(current_app._get_current_object(), current_user))  # type: ignore[attr-defined]


@blueprint.route("/login", methods=["GET", "POST"])
@access("public")
@auth.limiter.limit(login_limit, key_func=login_key, methods=["POST"], deduct_when=lambda r: r.status_code != 302)
def login() -> Response | str | tuple[str, int]:
    if request.method == "GET":
        return render_template("auth/login.html", error=None, username="", logins=demo_logins())
    username = request.form.get("username", "")
    try:
        personal.refuse()
        with transaction() as session_db:
            user = auth.authenticate(session_db, username, request.form.get("password", ""))
            user.last_login_at = wall_now()
            auth.audit(session_db, "login", user.username, username=user.username)
    except LabrelayError as error:
        with transaction() as session_db:
            auth.audit(session_db, "login_failed", username[:80], username=username[:80])
        page = render_template("auth/login.html", error=sentence_of(error), username=username, logins=demo_logins())
        return page, status_of(error)
    auth.start_session(user)
    if user.must_change_password:
        return redirect(url_for("auth.account"))
    return redirect(safe_next(request.args.get("next")) or url_for("auth.home"))


def safe_next(target: str | None) -> str | None:
    """Only a path of this site: an open redirect would lend our name to a forger."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return None
    parts = urlsplit(target)
    return target if not parts.scheme and not parts.netloc else None


def demo_logins() -> Sequence[DemoLogin]:
    if not current_app.extensions["labrelay.settings"].demo:
        return []
    return logins()


@blueprint.post("/logout")
@access("any")
def logout() -> Response:
    with transaction() as session_db:
        auth.audit(session_db, "logout", current_user.username)
    auth.end_session()
    return redirect(url_for("auth.login"))


@blueprint.route("/account", methods=["GET", "POST"])
@access("any")
def account() -> str | tuple[str, int]:
    """The own name, language, password and handover PIN."""
    error: LabrelayError | None = None
    saved = False
    if request.method == "POST":
        try:
            personal.refuse()
            _save_account()
            saved = True
        except LabrelayError as refused:
            error = refused
    page = render_template(
        "auth/account.html",
        error=sentence_of(error) if error else None,
        error_field=error.field if error else None,
        saved=saved,
        minimum=auth.MIN_PASSWORD,
    )
    return page, status_of(error) if error else 200


def _save_account() -> None:
    form = request.form
    with transaction() as session_db:
        user = session_db.get_one(User, current_user.id)
        if form.get("locale") in i18n.LOCALES:
            user.locale = form["locale"]
            session["locale"] = form["locale"]
        if form.get("new_password") or form.get("pin"):
            if not check_password_hash(user.password_hash, form.get("password", "")):
                raise Forbidden("password_wrong", field="password")
            if form.get("new_password"):
                if form["new_password"] != form.get("repeat_password"):
                    raise Invalid("passwords_differ", field="repeat_password")
                auth.set_password(user, form["new_password"])
                user.must_change_password = False
                auth.audit(session_db, "password_changed", user.username)
            if form.get("pin"):
                auth.set_pin(user, form["pin"])
                auth.audit(session_db, "pin_changed", user.username)
    auth.start_session(db.session.get_one(User, current_user.id))


@blueprint.get("/offline")
@access("public")
def offline() -> str:
    return render_template("errors/offline.html", locale=locale())
