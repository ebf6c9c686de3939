"""Who sends acts with a key, remembered from the request before: looking him up again would cost more than his act.

What is remembered carries the stamp under which it was read (``logistics.services.reference``: it changes with
every change of a user, a key or a site). Only views in ``ENDPOINTS`` are given it, and they must compare the stamp in
the transaction in which they write, and call ``auth.look_again`` when it is another one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from flask import current_app, g, request
from flask_login import current_user

from logistics.domain.access import Scope
from logistics.models import User

ENDPOINTS = frozenset({"acts.post_acts"})
MOST = 2000
SECRETS = frozenset({"password_hash", "pin_hash"})
_KEPT = "labrelay.remembered"


@dataclass(frozen=True)
class Known:
    """The owner of a key, where he may act, and the stamp under which both were read."""

    user: User
    scope: Scope
    stamp: int | None
    token_name: str
    expires_at: datetime | None


def recall(secret_sha256: str) -> Known | None:
    """Who sent something with this key before, when the view can do with that."""
    if request.endpoint not in ENDPOINTS:
        return None
    known: Known | None = _kept().get(secret_sha256)
    if known is not None:
        g.remembered, g.remembered_stamp, g.scope = secret_sha256, known.stamp, known.scope
    return known


def keep(secret_sha256: str, known: Known) -> None:
    if request.endpoint in ENDPOINTS and known.stamp is not None:
        kept = _kept()
        if len(kept) >= MOST:
            kept.clear()
        kept[secret_sha256] = replace(known, user=copy_of(known.user))


def sender() -> User:
    """Who is calling, in no session: threads may share him."""
    user: User = current_user._get_current_object()
    return user if stamp() is not None else copy_of(user)


def stamp() -> int | None:
    """The stamp that must still stand; None when whoever calls was looked up for this request."""
    found: int | None = g.get("remembered_stamp")
    return found


def forget() -> bool:
    """Forget who is calling. False when he was looked up for this request."""
    secret_sha256 = g.pop("remembered", None)
    if secret_sha256 is None:
        return False
    _kept().pop(secret_sha256, None)
    for name in ("remembered_stamp", "scope", "_login_user"):  # the last is flask-login's: it asks the loader again
        g.pop(name, None)
    return True


def copy_of(user: User) -> User:
    """The user as he is, in no session and without what proves him: threads may share it."""
    columns = User.__table__.columns.keys()
    return User(**{name: getattr(user, name) for name in columns if name not in SECRETS})


def _kept() -> dict[str, Known]:
    kept: dict[str, Known] = current_app.extensions.setdefault(_KEPT, {})
    return kept
