"""Who may call which view. Deny by default: an endpoint without ``@access`` is refused to everybody.

Roles are checked here; whose site a thing belongs to is checked by the view through ``logistics.domain.access``
scopes, because only the view knows which thing is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from logistics.domain.access import ROLES
from logistics.errors import Forbidden

View = TypeVar("View", bound=Callable[..., Any])
PUBLIC = frozenset({"public"})
ANY_ROLE = frozenset(ROLES)
PUBLIC_ENDPOINTS = frozenset({"static"})


def access(*roles: str) -> Callable[[View], View]:
    """Allow these roles. ``"public"`` allows everybody, ``"any"`` every user who is logged in."""
    allowed = ANY_ROLE if roles == ("any",) else frozenset(roles)
    unknown = allowed - ANY_ROLE - PUBLIC
    if unknown or not allowed:
        raise ValueError(f"unknown roles: {sorted(unknown)}")

    def mark(view: View) -> View:
        view.labrelay_roles = allowed  # type: ignore[attr-defined]
        return view

    return mark


def roles_of(app: Flask, endpoint: str) -> frozenset[str]:
    """The roles that may call ``endpoint``; empty when nobody said."""
    if endpoint in PUBLIC_ENDPOINTS:
        return PUBLIC
    return getattr(app.view_functions[endpoint], "labrelay_roles", frozenset())


def is_api() -> bool:
    """Whether a program asks: what it is answered is JSON, refusals too. Scripts of pages send JSON, forms do not."""
    return request.path.startswith("/api/") or request.is_json


def guard(app: Flask) -> None:
    app.before_request(check)


def check() -> Response | None:
    """Whether whoever calls may call this view. Raises Forbidden, or sends a person to the login page."""
    if request.endpoint is None:
        return None  # 404 and 405 are answered by the error handler
    allowed = roles_of(current_app, request.endpoint)
    if allowed == PUBLIC:
        return None
    if not current_user.is_authenticated:
        if is_api() or request.method != "GET":
            raise Forbidden("login_required")
        return redirect(url_for("auth.login", next=request.full_path.rstrip("?")))
    if current_user.role not in allowed:
        raise Forbidden("role_not_allowed")
    return None
