"""Finding specimens by number, box, consignment, site, courier, test, priority, day and state, within a scope.

Every question is led by one index (``search_leads``), chosen from what it names; the rest is looked at row by
row, for a bounded number of rows (``walk.REACH``). The cost of a page therefore does not grow with the history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from logistics.domain.access import Scope
from logistics.domain.transitions import State
from logistics.errors import Invalid
from logistics.models import Site, Specimen, Test, User
from logistics.models.specimens import PRIORITIES
from logistics.queries.search_leads import Filter, Question, days, keep, lead, question
from logistics.queries.search_text import Meaning, Sense
from logistics.queries.walk import Cursor, everything, page

__all__ = ["Filter", "Page", "check", "couriers", "export", "find"]
PAGE = 50
EXPORT_PAGE = 500
STATES = (*(state.value for state in State if state is not State.NEW), "on_hold")


@dataclass(frozen=True, slots=True)
class Page:
    """What was found. ``first`` is the place of the first row (from 1); ``after`` leads to the next page, and ``cut``
    says that the search stopped at its reach rather than at a full page. ``meaning``: how the text was understood."""

    rows: Sequence[Specimen]
    first: int
    after: str | None
    cut: bool
    meaning: Meaning | None = None


def check(session: Session, scope: Scope, wanted: Filter) -> None:
    """Refuse choices that do not exist (a saved filter may be older than the network).

    Raises Invalid('search_…') naming the field.
    """
    days(wanted)
    if wanted.state and wanted.state not in STATES:
        raise Invalid("search_state_unknown", field="state", value=wanted.state)
    if wanted.priority and wanted.priority not in PRIORITIES:
        raise Invalid("search_priority_unknown", field="priority", value=wanted.priority)
    if wanted.site and not (scope.covers(wanted.site) and site_known(session, wanted.site)):
        raise Invalid("search_site_unknown", field="site", value=wanted.site)
    if wanted.test and session.get(Test, wanted.test) is None:
        raise Invalid("search_test_unknown", field="test", value=wanted.test)
    if wanted.courier and wanted.courier not in {one.username for one in couriers(session, scope, gone=True)}:
        raise Invalid("search_courier_unknown", field="courier", value=wanted.courier)


def find(session: Session, scope: Scope, username: str, wanted: Filter, *, after: str = "", size: int = PAGE) -> Page:
    """A page, newest first (a part of a number: by number). Raises Invalid('search_day_malformed') or
    Invalid('page_malformed')."""
    asked = question(session, scope, username, wanted)
    understood = asked.meaning
    if understood is None or understood.sense is not Sense.BEGINS:
        return _page(session, asked, after, size)
    other = replace(asked, meaning=replace(understood, sense=Sense.ENDS))
    if after.startswith(Sense.ENDS):
        return _page(session, other, after, size)
    found = _page(session, asked, after, size)
    # Numbers that begin like this may all be of other sites; then those that end like it.
    if found.rows or after:
        return found
    ending = _page(session, other, "", size)
    return ending if ending.rows else found


def _page(session: Session, asked: Question, after: str, size: int) -> Page:
    leading = lead(asked)
    cursor = Cursor.read(after, leading.kind, leading.types)
    step = page(session, leading.walks, keep(asked), size=size, after=cursor.key if cursor else None)
    seen = cursor.seen if cursor else 0
    following = Cursor(leading.kind, seen + len(step.ids), step.after).text() if step.after else None
    return Page(_rows(session, step.ids), seen + 1, following, step.cut, asked.meaning)


def export(session: Session, scope: Scope, username: str, wanted: Filter) -> Iterator[Specimen]:
    """Everything found, read a page at a time and forgotten: memory does not grow."""
    return everything(session, lambda after: find(session, scope, username, wanted, after=after, size=EXPORT_PAGE))


def couriers(session: Session, scope: Scope, *, gone: bool = False) -> list[User]:
    """Whom one may ask for; those who have left, too, when ``gone``."""
    query = select(User).where(User.role == "courier").order_by(User.username)
    if not gone:
        query = query.where(User.active)
    if not scope.everything:
        query = query.where(User.site_code.in_(sorted(scope.sites)))
    return list(session.scalars(query))


def site_known(session: Session, code: str) -> bool:
    return session.scalar(select(Site.code).where(Site.code == code)) is not None


def _rows(session: Session, ids: Sequence[int]) -> list[Specimen]:
    query = select(Specimen).where(Specimen.id.in_(ids)).options(selectinload(Specimen.tests))
    found = {one.id: one for one in session.scalars(query)} if ids else {}
    return [found[ident] for ident in ids if ident in found]
