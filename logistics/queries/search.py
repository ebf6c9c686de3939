"""Finding specimens by number, box, consignment, site, courier, day and state, within a scope."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session, selectinload

from logistics.domain.access import Scope
from logistics.domain.numbers import normalise
from logistics.errors import Invalid
from logistics.models import Consignment, ConsignmentLine, Handover, Specimen, SpecimenTest, User
from logistics.queries import records
from logistics.services.orders import ZONE

PAGE = 50
EXPORT_ROWS = 20_000
SHORTEST_PART = 3  # fewer characters than this must be the whole number


@dataclass(frozen=True, slots=True)
class Filter:
    """What was asked; empty fields ask nothing. Days are local (Asia/Shanghai), both included."""

    text: str = ""
    site: str = ""
    courier: str = ""
    state: str = ""
    first_day: str = ""
    last_day: str = ""

    @property
    def empty(self) -> bool:
        return self == Filter()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of what was found. ``page`` counts from 1."""

    rows: Sequence[Specimen]
    total: int
    page: int
    pages: int


def find(session: Session, scope: Scope, username: str, wanted: Filter, *, page: int = 1) -> Page:
    """Newest first. Raises Invalid('search_day_malformed')."""
    query = _query(scope, username, wanted)
    total = session.scalar(select(func.count()).select_from(query.with_only_columns(Specimen.id).subquery())) or 0
    pages = max(1, -(-total // PAGE))
    page = min(max(1, page), pages)
    rows = session.scalars(
        _ordered(query).options(selectinload(Specimen.tests)).offset((page - 1) * PAGE).limit(PAGE)
    ).all()
    return Page(rows, total, page, pages)


def export(session: Session, scope: Scope, username: str, wanted: Filter) -> Iterator[Specimen]:
    """Everything found, at most EXPORT_ROWS."""
    query = _ordered(_query(scope, username, wanted)).limit(EXPORT_ROWS)
    yield from session.scalars(query.execution_options(yield_per=500))


def couriers(session: Session, scope: Scope) -> list[User]:
    """Whom one may ask for."""
    query = select(User).where(User.role == "courier", User.active).order_by(User.username)
    if not scope.everything:
        query = query.where(User.site_code.in_(sorted(scope.sites)))
    return list(session.scalars(query))


def _ordered(query: Select[Specimen]) -> Select[Specimen]:
    return query.order_by(Specimen.registered_at.desc(), Specimen.id.desc())


def _query(scope: Scope, username: str, wanted: Filter) -> Select[Specimen]:
    query = records.specimens_in(scope, username)
    if wanted.text.strip():
        query = query.where(_text(wanted.text.strip()))
    if wanted.site:
        query = query.where(
            or_(
                Specimen.collecting_site_code == wanted.site,
                Specimen.destination_code == wanted.site,
                Specimen.location_code == wanted.site,
            )
        )
    if wanted.courier:
        carried = (
            select(ConsignmentLine.specimen_id)
            .join(Handover, Handover.consignment_number == ConsignmentLine.consignment_number)
            .where(Handover.taker == wanted.courier)
        )
        query = query.where(or_(Specimen.holder == wanted.courier, Specimen.id.in_(carried)))
    if wanted.state == "on_hold":
        query = query.where(Specimen.on_hold)
    elif wanted.state:
        query = query.where(Specimen.state == wanted.state)
    if wanted.first_day:
        query = query.where(Specimen.registered_at >= _day(wanted.first_day, "from"))
    if wanted.last_day:
        query = query.where(Specimen.registered_at < _day(wanted.last_day, "to") + timedelta(days=1))
    return query


def _text(text: str) -> ColumnElement[bool]:
    """The whole number of a tube, box or consignment, or a part of a tube's number."""
    plain = normalise(text)
    codes = sorted({text, plain, text.upper()})
    travelled = (
        select(ConsignmentLine.specimen_id)
        .join(Consignment, Consignment.number == ConsignmentLine.consignment_number)
        .where(or_(Consignment.box_code.in_(codes), Consignment.number.in_(codes)))
    )
    conditions = [
        Specimen.accession_key.in_(codes),
        Specimen.box_code.in_(codes),
        Specimen.consignment_number.in_(codes),
        Specimen.id.in_(travelled),
        Specimen.id.in_(select(SpecimenTest.specimen_id).where(SpecimenTest.test_code == text.upper())),
    ]
    if len(text) >= SHORTEST_PART:
        part = text.replace("\\", "").replace("%", "").replace("_", "")
        conditions.append(Specimen.accession_key.like(f"%{normalise(part)}%"))
    return or_(*conditions)


def _day(text: str, field: str) -> datetime:
    try:
        day = datetime.combine(datetime.strptime(text, "%Y-%m-%d").date(), time(0), ZONE)  # noqa: DTZ007
    except ValueError:
        raise Invalid("search_day_malformed", field=field) from None
    if not 1900 <= day.year < 9999:  # nothing is registered there, and a day more or less must be a day
        raise Invalid("search_day_malformed", field=field)
    return day
