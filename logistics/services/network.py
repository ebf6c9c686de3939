"""Sites and scopes."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain import access
from logistics.errors import NotFound
from logistics.models import Site


class HasRole(Protocol):
    role: str
    site_code: str | None


def parents(session: Session) -> dict[str, str | None]:
    """Every site with its parent."""
    return dict(session.execute(select(Site.code, Site.parent_code)).all())


def scope_of_user(session: Session, user: HasRole) -> access.Scope:
    return access.scope_of(user.role, user.site_code, parents(session))


def site(session: Session, code: str, *, field: str = "site") -> Site:
    found = session.get(Site, code)
    if found is None:
        raise NotFound("site_unknown", field=field, site=code)
    return found
