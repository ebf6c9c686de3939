"""Tubes that were collected and have not left their site: not packed, not sealed, not fetched, not forwarded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, TextClause, and_, case, func, select, text
from sqlalchemy.orm import Session, selectinload

from logistics.domain.access import Scope
from logistics.domain.transitions import State as S
from logistics.models import Specimen
from logistics.models.specimens import ELSEWHERE

STEPS = {S.COLLECTED: "not_packed", S.PACKED: "not_sealed", S.SEALED: "not_fetched"}
"""What is missing until the tube is on its way; a tube that a laboratory received for another is not_forwarded."""
KINDS = ("not_packed", "not_sealed", "not_fetched", "not_forwarded")
FORWARDED = (S.RECEIVED, S.ACCEPTED, S.ACCEPTED_CONCESSION)
SOON, NEAR = timedelta(hours=1), timedelta(hours=3)
SHOWN = 200


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


@dataclass(slots=True)
class SiteSum:
    """What waits at one site. ``pressing``: expired, or within the hour."""

    site: str
    counts: dict[str, int]
    pressing: int
    oldest: timedelta
    next_use_by: datetime | None


def rows(
    session: Session, scope: Scope, *, now: datetime, site: str = "", kind: str = "", limit: int | None = None
) -> list[Row]:
    """Of the sites in ``scope``, what expires first before what has more time; then the oldest."""
    found: list[Row] = []
    order = (Specimen.use_by_at.is_(None), Specimen.use_by_at, Specimen.collected_at, Specimen.id)
    for query in _queries(_sites(scope, site), kind):
        wanted = query.options(selectinload(Specimen.tests)).order_by(*order).limit(limit)
        found += [_row(one, now) for one in session.scalars(wanted)]
    found.sort(key=_pressing)
    return found[:limit]


def _sites(scope: Scope, site: str) -> list[str] | None:
    """None: everywhere."""
    if site:
        return [site] if scope.covers(site) else []
    return None if scope.everything else sorted(scope.sites)


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


def _queries(sites: Sequence[str] | None, kind: str = "") -> Iterable[Select[Specimen]]:
    """Two questions, each along its own index: where it was collected, and passing through another site."""
    states = [state for state, name in STEPS.items() if kind in {"", name}]
    forwarded = FORWARDED if kind in {"", "not_forwarded"} else ()
    here = Specimen.location_code == Specimen.collecting_site_code
    own: list[ColumnElement[bool]] = [Specimen.state.in_(states), here]
    along = Specimen.location_code > ""  # of every tube that stands somewhere; without it SQLite goes along the states
    passing: list[ColumnElement[bool] | TextClause] = [
        text(ELSEWHERE),
        along,
        Specimen.state.in_([*states, *forwarded]),
    ]
    if sites is not None:
        own.append(Specimen.collecting_site_code.in_(sites))
        passing.append(Specimen.location_code.in_(sites))
    yield select(Specimen).where(and_(*own))
    yield select(Specimen).where(and_(*passing))


def by_site(session: Session, scope: Scope, *, now: datetime, site: str = "") -> list[SiteSum]:
    """All that waits, summed up by site, the most pressing first."""
    found: dict[str, SiteSum] = {}
    since = func.min(func.coalesce(Specimen.collected_at, Specimen.state_since))
    pressing = func.sum(case((Specimen.use_by_at <= now + SOON, 1), else_=0))
    columns = (Specimen.location_code, Specimen.state, func.count(), pressing, since, func.min(Specimen.use_by_at))
    for query in _queries(_sites(scope, site)):
        grouped = query.with_only_columns(*columns).group_by(Specimen.location_code, Specimen.state)
        for code, state, tubes, soon, oldest, use_by in session.execute(grouped):
            one = found.setdefault(code or "", SiteSum(code or "", dict.fromkeys(KINDS, 0), 0, timedelta(0), None))
            one.counts[STEPS.get(S(state), "not_forwarded")] += tubes
            one.pressing += soon
            one.oldest = max(one.oldest, now - oldest)
            one.next_use_by = min((at for at in (one.next_use_by, use_by) if at is not None), default=None)
    return sorted(found.values(), key=lambda one: (one.next_use_by is None, one.next_use_by or now, one.site))
