"""Who is calling: session for people, bearer token for machines; CSRF; throttled login; idle timeout."""

from __future__ import annotations

import hashlib
import secrets

from flask import Flask, current_app, g, redirect, request, session, url_for
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, current_user, login_user, logout_user
from flask_wtf.csrf import CSRFError, CSRFProtect
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Response

from logistics.clock import wall_now
from logistics.db import db
from logistics.domain import personal
from logistics.domain.access import COURIER, Scope
from logistics.errors import Forbidden, Invalid
from logistics.models import ApiToken, AuditEntry, User
from logistics.services import network, reference
from web import remembered
from web.access import PUBLIC, check, is_api, roles_of

csrf = CSRFProtect()
limiter = Limiter(key_func=get_remote_address)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
OPEN_BEFORE_CHANGE = frozenset({"auth.account", "auth.logout"})
SEEN_EVERY_S = 30
MIN_PASSWORD = 10
# A hash of nothing: checked for unknown names so that they take as long as known ones.
_NO_HASH = "scrypt:32768:8:1$AAAAAAAAAAAAAAAA$" + "0" * 128


def init_app(app: Flask) -> None:
    settings = app.extensions["labrelay.settings"]
    manager = LoginManager(app)
    manager.session_protection = None
    csrf.init_app(app)
    limiter.init_app(app)

    @manager.user_loader  # type: ignore[untyped-decorator]
    def _from_session(identity: str) -> User | None:
        user_id, _, version = identity.partition(".")
        query = select(User, reference.stamp()).where(User.id == int(user_id))
        found = db.session.execute(query).first()
        user: User | None = found[0] if found is not None else None
        if found is None or user is None or not user.active or str(user.session_version) != version:
            return None
        wall = wall_now().timestamp()
        idle_s, age_s = wall - float(session.get("seen", 0)), wall - float(session.get("since", 0))
        # A courier's shift outlasts an office session: the phone in a pocket must not lose its work.
        idle_limit = settings.session_absolute if user.role == COURIER else settings.session_idle
        if idle_s > idle_limit.total_seconds() or age_s > settings.session_absolute.total_seconds():
            session.clear()
            return None
        # A page that asks for news by itself is not a person who is still there.
        by_hand = request.method not in SAFE_METHODS or not request.path.startswith("/api/")
        if idle_s > SEEN_EVERY_S and by_hand:
            session["seen"] = wall_now().timestamp()
        reference.seen(db.session(), found[1])
        return user

    manager.request_loader(_from_token)

    @app.before_request
    def _csrf() -> None:
        if request.method in SAFE_METHODS or request.endpoint is None or not app.config["WTF_CSRF_ENABLED"]:
            return
        # What carries no cookie of ours cannot be forged with it; another site cannot add the header unasked.
        by_machine = "Authorization" in request.headers or app.config["SESSION_COOKIE_NAME"] not in request.cookies
        if by_machine and request.path.startswith("/api/"):
            return
        try:
            csrf.protect()
        except CSRFError:
            raise Invalid("csrf_failed") from None

    app.before_request(_own_password_first)


def _from_token(_request: object) -> User | None:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        return None
    found = remembered.recall(digest(secret)) or _of_token(digest(secret))
    if found is None or (found.expires_at and found.expires_at < wall_now()):
        return None
    g.token_name = found.token_name
    return found.user


def _of_token(secret_sha256: str) -> remembered.Known | None:
    query = select(User, reference.stamp(), ApiToken.name, ApiToken.expires_at)
    query = query.join(ApiToken, ApiToken.user_id == User.id).where(ApiToken.secret_sha256 == secret_sha256)
    row = db.session.execute(query.where(ApiToken.revoked_at.is_(None), User.active)).first()
    if row is None:
        return None
    user, stamp, name, expires_at = row
    reference.seen(db.session(), stamp)
    known = remembered.Known(user, network.scope_of_user(db.session(), user), stamp, name, expires_at)
    remembered.keep(secret_sha256, known)
    return known


def _own_password_first() -> Response | None:
    """A password that somebody else has seen opens nothing but the page where it is changed."""
    if request.endpoint is None or not current_user.is_authenticated or not current_user.must_change_password:
        return None
    if request.endpoint in OPEN_BEFORE_CHANGE or roles_of(current_app, request.endpoint) == PUBLIC:
        return None
    if is_api() or request.method not in SAFE_METHODS:
        raise Forbidden("password_change_first")
    return redirect(url_for("auth.account"))


def look_again() -> None:
    """Who is calling and whether he may, from the tables, when he was only remembered. Raises Forbidden."""
    if remembered.forget():
        check()
        _own_password_first()


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def authenticate(session_db: Session, username: str, password: str) -> User:
    """The user of these credentials. Raises Forbidden('login_failed') without saying which of the two was wrong."""
    user: User | None = session_db.scalar(select(User).where(User.username == username.strip()))
    right = check_password_hash(user.password_hash if user and user.password_hash else _NO_HASH, password)
    if user is None or not right or not user.active:
        raise Forbidden("login_failed", field="password")
    return user


def start_session(user: User) -> None:
    locale = session.get("locale")
    session.clear()
    login_user(user)
    session["seen"] = session["since"] = wall_now().timestamp()
    if locale:
        session["locale"] = locale
    session.permanent = False


def end_session() -> None:
    logout_user()
    session.clear()


def set_password(user: User, password: str) -> None:
    if len(password) < MIN_PASSWORD:
        raise Invalid("password_too_short", field="password", minimum=MIN_PASSWORD)
    user.password_hash = generate_password_hash(password)
    user.session_version = (user.session_version or 0) + 1  # a user who is not stored yet has none


def set_pin(user: User, pin: str) -> None:
    if not (pin.isascii() and pin.isdigit() and 4 <= len(pin) <= 8):
        raise Invalid("pin_malformed", field="pin")
    user.pin_hash = generate_password_hash(pin, method="scrypt:4096:8:1")


def issue_token(session_db: Session, user: User, name: str) -> str:
    """A new machine key for ``user``; the secret is returned once and never kept."""
    secret = f"lr_{secrets.token_urlsafe(32)}"
    session_db.add(ApiToken(user_id=user.id, name=name, secret_sha256=digest(secret), created_at=wall_now()))
    return secret


def scope() -> Scope:
    """The sites of the present user, worked out once a request."""
    if "scope" not in g:
        g.scope = network.scope_of_user(db.session(), current_user)
    found: Scope = g.scope
    return found


def audit(session_db: Session, action: str, subject: str = "", **detail: object) -> None:
    """Write an audit entry for the present user (inside a transaction). Real time: it is evidence of access.

    It stays for ever: identity numbers that somebody typed into a search or a login are starred out.
    """
    session_db.add(
        AuditEntry(
            at=wall_now(),
            username=getattr(current_user, "username", None) or str(detail.pop("username", "")),
            action=action,
            subject=personal.mask(subject, phones=False),
            site_code=getattr(current_user, "site_code", None),
            address=request.remote_addr or "",
            detail=personal.mask_all(detail, phones=False),
        )
    )
