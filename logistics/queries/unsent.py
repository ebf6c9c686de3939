"""Tubes that were collected and have not left their site: not packed, not sealed, not fetched, not forwarded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.orm import Session, selectinload

from logistics.domain.access import Scope
from logistics.domain.transitions import State as S
from logistics.models import Specimen

STEPS = {S.COLLECTED: "not_packed", S.PACKED: "not_sealed", S.SEALED: "not_fetched"}
"""What is missing until the tube is on its way; a tube that a laboratory received for another is not_forwarded."""
KINDS = ("not_packed", "not_sealed", "not_fetched", "not_forwarded")
FORWARDED = (S.RECEIVED, S.ACCEPTED, S.ACCEPTED_CONCESSION)
SOON, NEAR = timedelta(hours=1), timedelta(hours=3)
MAX_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """A tube that waits. ``left``: until its use-by, below zero when that is past; None: no rule known."""

    specimen: Specimen
    kind: str
    age: timedelta
    left: timedelta | None

    @property
    def tone(self) -> str:
        """danger: expired or within the hour; warn: within three hours; ok; neutral: nothing known."""
        if self.left is None:
            return "neutral"
        if self.left <= SOON:
            return "danger"
        return "warn" if self.left <= NEAR else "ok"


@dataclass(frozen=True, slots=True)
class SiteSum:
    """What waits at one site."""

    site: str
    counts: dict[str, int]
    total: int
    oldest: timedelta
    next_use_by: datetime | None


def rows(session: Session, scope: Scope, *, now: datetime, site: str = "", kind: str = "") -> list[Row]:
    """Of the sites in ``scope``, what expires first before what has more time; then the oldest. At most MAX_ROWS."""
    sites = None if scope.everything else sorted(scope.sites)
    if site:
        sites = [site] if scope.covers(site) else []
    found: list[Row] = []
    order = (Specimen.use_by_at.is_(None), Specimen.use_by_at, Specimen.collected_at, Specimen.id)
    for query in _queries(sites):
        wanted = query.options(selectinload(Specimen.tests)).order_by(*order).limit(MAX_ROWS)
        found += [_row(one, now) for one in session.scalars(wanted)]
    if kind:
        found = [row for row in found if row.kind == kind]
    found.sort(key=_pressing)
    return found[:MAX_ROWS]


def _pressing(row: Row) -> tuple[bool, timedelta, timedelta, int]:
    return row.left is None, row.left or timedelta(0), -row.age, row.specimen.id


def _row(one: Specimen, now: datetime) -> Row:
    kind = STEPS.get(S(one.state), "not_forwarded")
    since = one.collected_at or one.state_since
    return Row(one, kind, now - since, one.use_by_at - now if one.use_by_at is not None else None)


def overdue(session: Session, *, before: datetime) -> list[Specimen]:
    """Everywhere: what was collected before that time and is still where it was."""
    found: list[Specimen] = []
    for query in _queries(None):
        found += session.scalars(query.where(Specimen.collected_at < before).order_by(Specimen.id))
    return found


def _queries(sites: Sequence[str] | None) -> Iterable[Select[Specimen]]:
    """Two questions, each along its own index: where it was collected, and passing through another site."""
    here = Specimen.location_code == Specimen.collecting_site_code
    own: list[ColumnElement[bool]] = [Specimen.state.in_(list(STEPS)), here]
    passing: list[ColumnElement[bool]] = [
        Specimen.location_code != Specimen.collecting_site_code,
        Specimen.location_code != Specimen.destination_code,
        Specimen.state.in_([*STEPS, *FORWARDED]),
    ]
    if sites is not None:
        own.append(Specimen.collecting_site_code.in_(sites))
        passing.append(Specimen.location_code.in_(sites))
    yield select(Specimen).where(and_(*own))
    yield select(Specimen).where(and_(*passing))


def by_site(found: Sequence[Row]) -> list[SiteSum]:
    """The same summed up by site, the most pressing first."""
    groups: dict[str, list[Row]] = {}
    for row in found:
        groups.setdefault(row.specimen.location_code or "", []).append(row)
    return [
        SiteSum(
            site=code,
            counts={kind: sum(row.kind == kind for row in rows) for kind in KINDS},
            total=len(rows),
            oldest=max(row.age for row in rows),
            next_use_by=min((r.specimen.use_by_at for r in rows if r.specimen.use_by_at is not None), default=None),
        )
        for code, rows in groups.items()
    ]
