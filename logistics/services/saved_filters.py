"""Filters that people keep: their own, and those shared by somebody of their site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.orm import Session

from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import DefaultFilter, SavedFilter

MOST = 30  # a user's, for one page
NAME_LENGTH = 40
VALUE_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Owner:
    """Who asks. ``site_code`` None: somebody of the whole network; they share among each other."""

    username: str
    site_code: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A filter as its page lists it. ``mine``: the asker's own; ``chosen``: the page opens with it."""

    id: int
    name: str
    query: Mapping[str, str]
    mine: bool
    shared: bool
    by: str
    chosen: bool


def of_page(session: Session, owner: Owner, page: str) -> list[Kept]:
    """The owner's own and those shared at the site, by name."""
    chosen = _chosen(session, owner, page)
    query = select(SavedFilter).where(SavedFilter.page == page, _visible(owner))
    found = session.scalars(query.order_by(SavedFilter.username != owner.username, SavedFilter.name, SavedFilter.id))
    return [_kept(one, owner, chosen) for one in found]


def default_of(session: Session, owner: Owner, page: str) -> Kept | None:
    """What the page opens with, if it may still be seen."""
    chosen = _chosen(session, owner, page)
    found = session.scalars(select(SavedFilter).where(SavedFilter.id == chosen, _visible(owner))).first()
    return _kept(found, owner, chosen) if found is not None else None


def save(
    session: Session,
    owner: Owner,
    page: str,
    name: str,
    query: Mapping[str, str],
    *,
    shared: bool,
    now: datetime,
) -> SavedFilter:
    """Keep ``query`` under ``name``; the owner's filter of that name is replaced.

    Raises Invalid('filter_name_missing', 'filter_name_long', 'filter_empty') or Conflict('filter_too_many').
    """
    name = " ".join(name.split())
    if not name:
        raise Invalid("filter_name_missing", field="name")
    if len(name) > NAME_LENGTH:
        raise Invalid("filter_name_long", field="name", maximum=NAME_LENGTH)
    asked = {key: value[:VALUE_LENGTH] for key, value in query.items() if value}
    if not asked:
        raise Invalid("filter_empty", field="name")
    own = session.scalars(
        select(SavedFilter).where(SavedFilter.username == owner.username, SavedFilter.page == page)
    ).all()
    found = next((one for one in own if one.name == name), None)
    if found is None:
        if len(own) >= MOST:
            raise Conflict("filter_too_many", field="name", maximum=MOST)
        found = SavedFilter(page=page, name=name, username=owner.username, created_at=now)
        session.add(found)
    found.query, found.shared, found.site_code = asked, shared, owner.site_code
    session.flush()
    return found


def forget(session: Session, owner: Owner, filter_id: int) -> SavedFilter:
    """Delete one's own filter, also where others open a page with it. Raises NotFound('filter_unknown')."""
    found = _one(session, owner, filter_id)
    if found.username != owner.username:
        raise NotFound("filter_unknown")
    session.execute(delete(DefaultFilter).where(DefaultFilter.filter_id == found.id))
    session.delete(found)
    return found


def choose(session: Session, owner: Owner, filter_id: int, *, on: bool) -> SavedFilter:
    """Open its page with this filter from now on, or no longer. Raises NotFound('filter_unknown')."""
    found = _one(session, owner, filter_id)
    current = session.get(DefaultFilter, (owner.username, found.page))
    if on and current is None:
        session.add(DefaultFilter(username=owner.username, page=found.page, filter_id=found.id))
    elif on and current is not None:
        current.filter_id = found.id
    elif current is not None and current.filter_id == found.id:
        session.delete(current)
    return found


def unknown_fields(query: Mapping[str, str], known: Sequence[str]) -> list[str]:
    """What a filter asks that its page no longer knows."""
    return sorted(set(query) - set(known))


def _one(session: Session, owner: Owner, filter_id: int) -> SavedFilter:
    found = session.scalars(select(SavedFilter).where(SavedFilter.id == filter_id, _visible(owner))).first()
    if found is None:
        raise NotFound("filter_unknown")
    return found


def _visible(owner: Owner) -> ColumnElement[bool]:
    site = SavedFilter.site_code
    same = site == owner.site_code if owner.site_code else site.is_(None)
    return or_(SavedFilter.username == owner.username, and_(SavedFilter.shared, same))


def _chosen(session: Session, owner: Owner, page: str) -> int | None:
    found = session.get(DefaultFilter, (owner.username, page))
    return found.filter_id if found else None


def _kept(one: SavedFilter, owner: Owner, chosen: int | None) -> Kept:
    query = {str(key): str(value) for key, value in one.query.items()}
    return Kept(one.id, one.name, query, one.username == owner.username, one.shared, one.username, one.id == chosen)
