"""Finding consignments by number, box, seal, site, courier, priority, day and state; by the same walks as specimens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, or_, select, true
from sqlalchemy.orm import Session, joinedload

from logistics.domain import numbers
from logistics.domain.access import Scope
from logistics.domain.transitions import ConsignmentState as C
from logistics.errors import Invalid
from logistics.models import Consignment, Handover
from logistics.models.specimens import PRIORITIES
from logistics.queries.search import EXPORT_PAGE, PAGE, couriers, site_known
from logistics.queries.search_leads import NARROW, Filter, Question, days, question
from logistics.queries.search_text import may_name_seal, starting
from logistics.queries.walk import Conditions, Cursor, Walk, everything, page

STATES = tuple(state.value for state in C if state is not C.NEW)
MOVING = (C.SEALED, C.IN_TRANSIT, C.ARRIVED, C.DELIVERED)
NEWEST = (datetime, str)
READ = ("number", "state", "priority", "origin_code", "destination_code", "location_code", "holder", "box_code",
        "seal_number", "opened_at")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Page:
    """What was found; as ``search.Page``."""

    rows: Sequence[Consignment]
    first: int
    after: str | None
    cut: bool


def check(session: Session, scope: Scope, wanted: Filter) -> None:
    """Refuse choices that do not exist. Raises Invalid('search_…') naming the field."""
    days(wanted)
    if wanted.state and wanted.state not in STATES:
        raise Invalid("search_state_unknown", field="state", value=wanted.state)
    if wanted.priority and wanted.priority not in PRIORITIES:
        raise Invalid("search_priority_unknown", field="priority", value=wanted.priority)
    if wanted.site and not (scope.covers(wanted.site) and site_known(session, wanted.site)):
        raise Invalid("search_site_unknown", field="site", value=wanted.site)
    if wanted.courier and wanted.courier not in {one.username for one in couriers(session, scope, gone=True)}:
        raise Invalid("search_courier_unknown", field="courier", value=wanted.courier)


def find(session: Session, scope: Scope, username: str, wanted: Filter, *, after: str = "", size: int = PAGE) -> Page:
    """A page, newest first. Raises Invalid('search_day_malformed') or Invalid('page_malformed')."""
    asked = question(session, scope, username, wanted)
    cursor = Cursor.read(after, "opened", NEWEST)
    walks = list(_walks(session, asked))
    step = page(session, walks, _keep(asked), size=size, after=cursor.key if cursor else None)
    seen = cursor.seen if cursor else 0
    following = Cursor("opened", seen + len(step.ids), step.after).text() if step.after else None
    return Page(_rows(session, step.ids), seen + 1, following, step.cut)


def export(session: Session, scope: Scope, username: str, wanted: Filter) -> Iterator[Consignment]:
    """Everything found, a page at a time."""
    return everything(session, lambda after: find(session, scope, username, wanted, after=after, size=EXPORT_PAGE))


def _rows(session: Session, ids: Sequence[str]) -> list[Consignment]:
    query = select(Consignment).where(Consignment.number.in_(ids))
    query = query.options(joinedload(Consignment.origin), joinedload(Consignment.destination))
    found = {one.number: one for one in session.scalars(query)} if ids else {}
    return [found[ident] for ident in ids if ident in found]


def _walks(session: Session, asked: Question) -> Iterable[Walk]:
    wanted = asked.wanted
    words = wanted.text.strip()
    if words:
        yield from _by_text(session, asked.scope, words)
    elif wanted.box:
        yield _by_time(asked, Consignment.box_code == wanted.box)
    elif wanted.courier:
        # A courier drives every day: of the newest consignments many are his.
        yield _by_time(asked)
    elif wanted.site or (not asked.whole and len(asked.scope.sites) <= NARROW):
        yield from _by_site(asked, [wanted.site] if wanted.site else sorted(asked.scope.sites))
    else:
        yield _by_time(asked, *([Consignment.state == wanted.state] if wanted.state else []))


def _by_text(session: Session, scope: Scope, words: str) -> Iterable[Walk]:
    plain = numbers.normalise(words)
    codes = sorted({words, plain, words.upper()})
    for column in (Consignment.number, Consignment.box_code, Consignment.seal_number):
        if session.scalar(select(Consignment.number).where(column.in_(codes)).limit(1)) is not None:
            named = may_name_seal(scope) if column is Consignment.seal_number else true()
            yield _walk(_source().where(column.in_(codes), named))
            return
    if len(plain) >= 4:
        yield _walk(_source().where(starting(Consignment.number, plain)))


def _by_site(asked: Question, sites: Sequence[str]) -> Iterable[Walk]:
    """What a site sent, what it gets, what stands there on its way; what the asker holds, when no site was named."""
    state = [Consignment.state == asked.wanted.state] if asked.wanted.state else []
    origin, destination = Consignment.origin_code, Consignment.destination_code
    for site in sites:
        yield _by_time(asked, origin == site, *state)
        yield _by_time(asked, destination == site, origin.not_in(sites), *state)
        passing = (Consignment.location_code == site, Consignment.state.in_(MOVING))
        yield _by_time(asked, *passing, origin.not_in(sites), destination.not_in(sites), *state)
    if not asked.wanted.site:
        yield _by_time(asked, Consignment.holder == asked.username, Consignment.state.in_(MOVING), *state)


def _source() -> Select[Any]:
    return select(Consignment.number.label("id"), *(getattr(Consignment, name) for name in READ))


def _by_time(asked: Question, *conditions: Any) -> Walk:
    source = _source().where(*conditions)
    if asked.since:
        source = source.where(Consignment.opened_at >= asked.since)
    if asked.until:
        source = source.where(Consignment.opened_at < asked.until)
    return _walk(source)


def _walk(source: Select[Any]) -> Walk:
    return Walk(source, (Consignment.opened_at, Consignment.number))


def _taken_by(at: Any, courier: str) -> ColumnElement[bool]:
    return or_(
        at.holder == courier, exists().where(Handover.consignment_number == at.number, Handover.taker == courier)
    )


def _keep(asked: Question) -> Conditions:
    wanted = asked.wanted

    def conditions(at: Any) -> Iterable[ColumnElement[bool]]:
        places = (at.origin_code, at.destination_code, at.location_code)
        if not asked.whole:
            sites = sorted(asked.scope.sites)
            yield or_(*(place.in_(sites) for place in places), at.holder == asked.username)
        if wanted.site:
            yield or_(*(place == wanted.site for place in places))
        for column, value in (("state", wanted.state), ("priority", wanted.priority), ("box_code", wanted.box)):
            if value:
                yield getattr(at, column) == value
        if wanted.courier:
            yield _taken_by(at, wanted.courier)
        if asked.since:
            yield at.opened_at >= asked.since
        if asked.until:
            yield at.opened_at < asked.until

    return conditions
