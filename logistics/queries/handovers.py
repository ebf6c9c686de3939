"""Handovers that are not signed alike by both: for the manager and the dispatcher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from logistics.domain.access import Scope
from logistics.models import Consignment, Handover, HandoverHalf
from logistics.services import half_signed


@dataclass(frozen=True, slots=True)
class Half:
    """One consignment of a handover. what: giver (outstanding) | differs | taker (outstanding)."""

    what: str
    consignment: Consignment
    handover_id: str
    site_code: str | None
    at: datetime
    giver: str
    taker: str
    taken_count: int | None
    given_count: int | None
    given_at: datetime | None
    differs: str


def half_signed_in(session: Session, scope: Scope, *, now: datetime) -> list[Half]:
    """What is within the scope, oldest first; missing halves after thirty minutes, differences at once."""
    rows, alone = half_signed.waiting(session, before=now - half_signed.PATIENCE)
    loads = _consignments(
        session, {*(row.consignment_number for row in rows), *(one.consignment_number for one in alone)}
    )
    stated = _stated(session, [row.id for row in rows])
    found = [_taken(row, loads[row.consignment_number], stated) for row in rows]
    found += [_alone(half, loads[half.consignment_number]) for half in alone]
    mine = [one for one in found if _mine(scope, one.consignment)]
    return sorted(mine, key=lambda one: (one.at, one.consignment.number))


def _mine(scope: Scope, one: Consignment) -> bool:
    return scope.covers(one.origin_code, one.destination_code, one.location_code)


def _consignments(session: Session, numbers: set[str]) -> dict[str, Consignment]:
    query = select(Consignment).where(Consignment.number.in_(sorted(numbers))).options(
        joinedload(Consignment.origin), joinedload(Consignment.destination)
    )  # fmt: skip
    return {one.number: one for one in session.scalars(query)}


def _stated(session: Session, ids: Sequence[str]) -> dict[tuple[str, str], HandoverHalf]:
    """The last thing that each giver stated about a consignment."""
    query = select(HandoverHalf).where(HandoverHalf.handover_id.in_(sorted(set(ids)))).order_by(HandoverHalf.signed_at)
    return {(half.handover_id, half.consignment_number): half for half in session.scalars(query)}


def _taken(row: Handover, load: Consignment, stated: dict[tuple[str, str], HandoverHalf]) -> Half:
    half = stated.get((row.id, row.consignment_number))
    return Half(
        what="differs" if row.state == "differs" else "giver",
        consignment=load,
        handover_id=row.id,
        site_code=row.site_code,
        at=row.occurred_at,
        giver=row.giver_name,
        taker=row.taker_name,
        taken_count=row.tube_count,
        given_count=half.tube_count if half else None,
        given_at=half.signed_at if half else None,
        differs=row.differs,
    )


def _alone(half: HandoverHalf, load: Consignment) -> Half:
    return Half(
        what="taker",
        consignment=load,
        handover_id=half.handover_id,
        site_code=half.site_code,
        at=half.signed_at,
        giver=half.name,
        taker="",
        taken_count=None,
        given_count=half.tube_count,
        given_at=half.signed_at,
        differs="",
    )
