"""Handovers signed on two devices: bringing both halves together, and telling when one stays away or differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from logistics.domain import handover, signatures
from logistics.domain.signatures import Half
from logistics.domain.signatures import Handover as Signed
from logistics.models import Alert, Consignment, Handover, HandoverHalf
from logistics.services import alerts

Facts = TypeVar("Facts", Signed, Half)
KIND = "handover"
PATIENCE = timedelta(minutes=30)  # after which a missing half is somebody's business


def key(handover_id: str) -> str:
    return f"{KIND}:{handover_id}"


def settle(session: Session, handover_id: str, *, now: datetime) -> None:
    """Judge all halves of one handover anew; a difference is one incident, and it ends when they agree."""
    session.flush()
    rows, halves = _both(session, handover_id)
    taken, given = signatures.judge([_of(Signed, row) for row in rows], [_of(Half, half) for half in halves])
    for row, judged in zip(rows, taken, strict=True):
        row.state, row.differs, row.giver_signed_at = judged.state, judged.differs, judged.giver_signed_at
    for half, mine in zip(halves, given, strict=True):
        half.state, half.differs = mine.state, mine.differs
    differing = [row for row in rows if row.state == handover.DIFFERS]
    if differing:
        _raise(session, handover_id, "differs", differing, halves, now=now)
    elif rows and all(row.state == handover.SIGNED for row in rows):
        alerts.end_alert(session, key(handover_id), now=now)


def _both(session: Session, handover_id: str) -> tuple[Sequence[Handover], Sequence[HandoverHalf]]:
    rows = session.scalars(
        select(Handover)
        .where(Handover.id == handover_id, Handover.method == "app")
        .order_by(Handover.consignment_number)
    ).all()
    halves = session.scalars(
        select(HandoverHalf)
        .where(HandoverHalf.handover_id == handover_id)
        .order_by(HandoverHalf.signed_at, HandoverHalf.act_id, HandoverHalf.consignment_number)
    ).all()
    return rows, halves


def _of(kind: type[Facts], row: Handover | HandoverHalf) -> Facts:
    """What the row says, as the rules read it."""
    return kind(**{field.name: getattr(row, field.name) for field in fields(kind)})


def sweep(session: Session, *, now: datetime) -> list[str]:
    """Raise what has been half signed for too long. Returns the handover ids."""
    before = now - PATIENCE
    late = session.scalars(
        select(Handover).where(Handover.state == handover.OUTSTANDING, Handover.occurred_at < before)
    ).all()
    alone = session.scalars(
        select(HandoverHalf).where(HandoverHalf.state == handover.WAITING, HandoverHalf.signed_at < before)
    ).all()
    told = set(session.scalars(select(Alert.incident_key).where(Alert.kind == KIND, Alert.state == "open")))
    found: dict[str, None] = {}
    for handover_id in dict.fromkeys([*(row.id for row in late), *(half.handover_id for half in alone)]):
        found[handover_id] = None
        if key(handover_id) in told:
            continue
        rows = [row for row in late if row.id == handover_id]
        halves = [half for half in alone if half.handover_id == handover_id]
        _raise(session, handover_id, "giver" if rows else "taker", rows, halves, now=now)
    return list(found)


def _raise(
    session: Session,
    handover_id: str,
    what: str,
    rows: Sequence[Handover],
    halves: Sequence[HandoverHalf],
    *,
    now: datetime,
) -> None:
    """``what``: differs | giver (his half is outstanding) | taker."""
    number = rows[0].consignment_number if rows else halves[0].consignment_number
    consignment = session.get_one(Consignment, number)
    at = min([row.occurred_at for row in rows] or [half.signed_at for half in halves])
    alerts.raise_alert(
        session,
        kind=KIND,
        severity="warning" if what == "differs" else "info",
        site_code=consignment.destination_code,
        origin_code=consignment.origin_code,
        box_code=consignment.box_code,
        consignment_number=number,
        incident_key=key(handover_id),
        params={
            "what": what,
            "consignment": number,
            "box": consignment.box_code,
            "differs": ",".join(sorted({one for row in rows for one in row.differs.split(",") if one})),
            "giver": rows[0].giver_name if rows else halves[0].name,
            "taker": rows[0].taker_name if rows else "",
            "counted": rows[0].tube_count if rows else halves[0].tube_count,
            "given": next((half.tube_count for half in halves if half.consignment_number == number), None),
        },
        occurred_at=at,
        now=now,
    )


def waiting(session: Session, *, before: datetime) -> tuple[Sequence[Handover], Sequence[HandoverHalf]]:
    """What is not signed by both, oldest first: (custody has passed, giver's half outstanding or different; the
    giver has signed and nobody has taken it). Both only when older than ``before``, differences at once."""
    rows = session.scalars(
        select(Handover)
        .where(
            or_(
                Handover.state == handover.DIFFERS,
                (Handover.state == handover.OUTSTANDING) & (Handover.occurred_at < before),
            )
        )
        .order_by(Handover.occurred_at)
    ).all()
    halves = session.scalars(
        select(HandoverHalf)
        .where(HandoverHalf.state == handover.WAITING, HandoverHalf.signed_at < before)
        .order_by(HandoverHalf.signed_at)
    ).all()
    return rows, halves
