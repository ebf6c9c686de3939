"""Nonconformities as lists, files and rates. Who sees them: the site a tube came from and the one that found it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session, contains_eager

from logistics.domain.access import Scope
from logistics.domain.findings import DISPOSITIONS, OPEN
from logistics.domain.transitions import State
from logistics.errors import Invalid
from logistics.models import Nonconformity, Specimen, SpecimenTest
from logistics.services.recollection import open_tests

PAGE = 100
DEFAULT_DAYS = 30
MOST_DAYS = 366
STATES = ("open", "closed")
COME_BACK = (State.REJECTED, State.MISSING, State.LOST)
MOST_RETURNED = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked for. ``since`` and ``until`` bound the time of finding; empty texts ask for everything."""

    since: datetime
    until: datetime
    site: str = ""  # that the tube came from
    reason: str = ""
    disposition: str = ""
    state: str = ""  # open | closed
    text: str = ""  # a tube's or consignment's number, or how it begins

    def checked(self) -> Filter:
        """Raises Invalid for what no list holds."""
        if self.state and self.state not in STATES:
            raise Invalid("field_malformed", field="state")
        if self.disposition and self.disposition not in DISPOSITIONS:
            raise Invalid("field_malformed", field="disposition")
        if not timedelta(0) < self.until - self.since <= timedelta(days=MOST_DAYS):
            raise Invalid("days_too_many", field="from", limit=MOST_DAYS)
        return self


@dataclass(frozen=True, slots=True)
class Page:
    """``total`` counts all rows of the filter, ``open`` those that nobody has settled."""

    rows: Sequence[Nonconformity]
    total: int
    open: int
    number: int
    pages: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Tubes of one collecting site that were received, and how many of them were found wanting and rejected."""

    site: str
    received: int
    findings: int
    rejected: int

    @property
    def share(self) -> float | None:
        """Rejected of received, 0 to 1; None when nothing was received."""
        return self.rejected / self.received if self.received else None


def visible(scope: Scope) -> ColumnElement[bool]:
    """What a scope may see of the table."""
    if scope.everything:
        return Nonconformity.id.is_not(None)
    sites = sorted(scope.sites)
    return or_(Nonconformity.origin_code.in_(sites), Nonconformity.site_code.in_(sites))


def _where(scope: Scope, wanted: Filter) -> list[ColumnElement[bool]]:
    found = [visible(scope), Nonconformity.found_at >= wanted.since, Nonconformity.found_at < wanted.until]
    if wanted.site:
        found.append(Nonconformity.origin_code == wanted.site)
    if wanted.reason:
        found.append(Nonconformity.reason_code == wanted.reason)
    if wanted.disposition:
        found.append(Nonconformity.disposition == wanted.disposition)
    if wanted.state:
        is_open = Nonconformity.disposition.in_(sorted(OPEN))
        found.append(is_open if wanted.state == "open" else ~is_open)
    if wanted.text:
        text = wanted.text
        found.append(
            or_(
                Nonconformity.accession.startswith(text, autoescape=True),
                Nonconformity.consignment_number.startswith(text, autoescape=True),
            )
        )
    return found


def _rows(scope: Scope, wanted: Filter) -> Select[Nonconformity]:
    return (
        select(Nonconformity)
        .outerjoin(Nonconformity.specimen)
        .options(contains_eager(Nonconformity.specimen))
        .where(*_where(scope, wanted))
        .order_by(Nonconformity.found_at.desc(), Nonconformity.id.desc())
    )


def page(session: Session, scope: Scope, wanted: Filter, number: int) -> Page:
    """One page, newest first."""
    where = _where(scope, wanted)
    is_open = case((Nonconformity.disposition.in_(sorted(OPEN)), 1), else_=0)
    total, still_open = session.execute(select(func.count(), func.coalesce(func.sum(is_open), 0)).where(*where)).one()
    pages = max(1, -(-total // PAGE))
    number = min(max(1, number), pages)
    rows = session.scalars(_rows(scope, wanted).limit(PAGE).offset((number - 1) * PAGE)).all()
    return Page(rows, total, int(still_open), number, pages)


def export(session: Session, scope: Scope, wanted: Filter) -> Iterator[Nonconformity]:
    """All rows of the filter, read as they are sent."""
    query = _rows(scope, wanted).execution_options(yield_per=500)
    yield from session.scalars(query)


def rates(session: Session, scope: Scope, wanted: Filter) -> list[Rate]:
    """By the site that collected, most findings first. A tube counts when it was received within the days asked for."""
    inside = and_(Specimen.received_at >= wanted.since, Specimen.received_at < wanted.until)
    # A tube is registered before it is received, hardly ever more than a month: the index on that time serves both.
    near = and_(Specimen.registered_at >= wanted.since - timedelta(days=31), Specimen.registered_at < wanted.until)
    received = select(Specimen.collecting_site_code, func.count()).where(inside, near)
    if not scope.everything:
        received = received.where(
            or_(Specimen.collecting_site_code.in_(sorted(scope.sites)), Specimen.destination_code == scope.home)
        )
    if wanted.site:
        received = received.where(Specimen.collecting_site_code == wanted.site)
    counts = {site: int(number) for site, number in session.execute(received.group_by(Specimen.collecting_site_code))}
    rejected = case((Nonconformity.disposition == "reject", 1), else_=0)
    found = session.execute(
        select(Nonconformity.origin_code, func.count(), func.sum(rejected))
        .where(*_where(scope, wanted))
        .group_by(Nonconformity.origin_code)
    ).all()
    by_site = {site: (int(number), int(bad or 0)) for site, number, bad in found if site}
    rows = [Rate(site, counts.get(site, 0), *by_site.get(site, (0, 0))) for site in counts.keys() | by_site.keys()]
    return sorted(rows, key=lambda one: (-one.findings, -one.received, one.site))


def replacements(session: Session, ids: Sequence[int]) -> Mapping[int, list[Specimen]]:
    """The tubes that were collected again in place of each of these, with where they are now."""
    found: dict[int, list[Specimen]] = {}
    if not ids:
        return found
    query = select(Specimen).where(Specimen.recollects_id.in_(list(ids))).order_by(Specimen.id)
    for one in session.scalars(query):
        if one.recollects_id is not None:
            found.setdefault(one.recollects_id, []).append(one)
    return found


@dataclass(frozen=True, slots=True)
class Returned:
    """A tube that gives no result, or not for all its tests, and that nobody has collected again."""

    specimen: Specimen
    tests: Sequence[str]  # codes that must be collected again
    finding: Nonconformity | None


def returned(session: Session, scope: Scope, *, now: datetime, days: int = 14) -> list[Returned]:
    """Of the sites in ``scope``: rejected, missing and lost tubes, and tests rejected alone; the latest first."""
    since = now - timedelta(days=days)
    mine = Specimen.collecting_site_code.in_(sorted(scope.sites))
    gone = select(Specimen).where(mine, Specimen.state_since >= since, Specimen.state.in_(COME_BACK))
    partly = select(SpecimenTest.specimen_id).where(SpecimenTest.rejected_at >= since)
    some = select(Specimen).where(mine, Specimen.id.in_(partly), Specimen.state.not_in(COME_BACK))
    tubes = {one.id: one for query in (gone, some) for one in session.scalars(query.limit(MOST_RETURNED))}
    again = replacements(session, list(tubes))
    latest: dict[int, Nonconformity] = {}
    about = select(Nonconformity).where(Nonconformity.specimen_id.in_(list(tubes))).order_by(Nonconformity.id)
    for finding in session.scalars(about):
        if finding.specimen_id is not None:
            latest[finding.specimen_id] = finding
    found = [
        Returned(tube, tests, latest.get(tube.id))
        for tube in tubes.values()
        if (tests := open_tests(tube, again.get(tube.id, ())))
    ]
    return sorted(found, key=_happened, reverse=True)


def _happened(one: Returned) -> datetime:
    return one.finding.found_at if one.finding is not None else one.specimen.state_since
