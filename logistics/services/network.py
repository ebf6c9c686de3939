"""Sites and scopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sqlalchemy.orm import Session

from logistics.domain import access
from logistics.errors import NotFound
from logistics.models import Site
from logistics.services import reference


class HasRole(Protocol):
    role: str
    site_code: str | None


def parents(session: Session) -> Mapping[str, str | None]:
    """Every site with its parent."""
    return reference.parents(session)


def scope_of_user(session: Session, user: HasRole) -> access.Scope:
    return reference.scope(session, user.role, user.site_code)


def site(session: Session, code: str, *, field: str = "site") -> Site:
    found = session.get(Site, code)
    if found is None:
        raise NotFound("site_unknown", field=field, site=code)
    return found
