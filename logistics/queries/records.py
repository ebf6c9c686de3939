"""Specimens, consignments and boxes as records for machines and pages, within a scope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select, true
from sqlalchemy.orm import Session

from logistics.domain import numbers
from logistics.domain.access import Scope
from logistics.errors import NotFound
from logistics.models import Box, Consignment, ConsignmentLine, Item, ItemLine, Specimen

MAX_ROWS = 500


def within(scope: Scope, *columns: Any, holder: tuple[Any, str] | None = None) -> ColumnElement[bool]:
    """The condition that one of the site columns lies in the scope, or that the user holds it himself."""
    if scope.everything:
        return true()
    conditions = [column.in_(scope.sites) for column in columns]
    if holder is not None:
        conditions.append(holder[0] == holder[1])
    return or_(*conditions)


def consignments_in(scope: Scope, username: str) -> Select[Consignment]:
    return select(Consignment).where(
        within(
            scope,
            Consignment.origin_code,
            Consignment.destination_code,
            Consignment.location_code,
            holder=(Consignment.holder, username),
        )
    )


def specimens_in(scope: Scope, username: str) -> Select[Specimen]:
    return select(Specimen).where(
        within(
            scope,
            Specimen.collecting_site_code,
            Specimen.destination_code,
            Specimen.location_code,
            holder=(Specimen.holder, username),
        )
    )


def consignments(
    session: Session,
    scope: Scope,
    username: str,
    *,
    states: Sequence[str] = (),
    origin: str | None = None,
    destination: str | None = None,
    holder: str | None = None,
    limit: int = 100,
) -> list[Consignment]:
    query = consignments_in(scope, username)
    if states:
        query = query.where(Consignment.state.in_(states))
    if origin:
        query = query.where(Consignment.origin_code == origin)
    if destination:
        query = query.where(Consignment.destination_code == destination)
    if holder:
        query = query.where(Consignment.holder == holder)
    query = query.order_by(Consignment.opened_at.desc(), Consignment.number).limit(min(limit, MAX_ROWS))
    return list(session.scalars(query))


def consignment(session: Session, scope: Scope, username: str, number: str) -> Consignment:
    found = session.scalars(consignments_in(scope, username).where(Consignment.number == number)).first()
    if found is None:
        raise NotFound("consignment_unknown", field="consignment", consignment=number[:40])
    return found


def item_lines(session: Session, number: str) -> list[tuple[ItemLine, Item]]:
    """The load items of a return consignment."""
    query = select(ItemLine, Item).join(Item, Item.number == ItemLine.item_number)
    rows = session.execute(query.where(ItemLine.consignment_number == number).order_by(Item.number))
    return [(row[0], row[1]) for row in rows]


def lines(session: Session, number: str) -> list[tuple[ConsignmentLine, Specimen]]:
    """The manifest of a consignment with each tube as it stands."""
    query = (
        select(ConsignmentLine, Specimen)
        .join(Specimen, Specimen.id == ConsignmentLine.specimen_id)
        .where(ConsignmentLine.consignment_number == number)
        .order_by(ConsignmentLine.position)
    )
    return list(session.execute(query).all())


def specimens(
    session: Session,
    scope: Scope,
    username: str,
    *,
    accession: str | None = None,
    states: Sequence[str] = (),
    site: str | None = None,
    limit: int = 100,
) -> list[Specimen]:
    query = specimens_in(scope, username)
    if accession:
        query = query.where(Specimen.accession_key == numbers.normalise(accession))
    if states:
        query = query.where(Specimen.state.in_(states))
    if site:
        query = query.where(or_(Specimen.collecting_site_code == site, Specimen.location_code == site))
    return list(session.scalars(query.order_by(Specimen.registered_at.desc(), Specimen.id).limit(min(limit, MAX_ROWS))))


def specimen(session: Session, scope: Scope, username: str, specimen_id: int) -> Specimen:
    found = session.scalars(specimens_in(scope, username).where(Specimen.id == specimen_id)).first()
    if found is None:
        raise NotFound("specimen_unknown", field="specimen", specimen=specimen_id)
    return found


def boxes(session: Session, scope: Scope, *, site: str | None = None, home: str | None = None) -> list[Box]:
    query = select(Box).where(Box.active, within(scope, Box.home_code, Box.location_code))
    if site:
        query = query.where(Box.location_code == site)
    if home:
        query = query.where(Box.home_code == home)
    return list(session.scalars(query.order_by(Box.code)))
