"""What an excursion means for load items: control material that got warm on the way down.

There is no stability rule for it: the laboratory that sent it is told which items were in the box, and what is
received from that box waits (on hold) until its manager has decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from logistics.domain.cold_chain import ExcursionFact, Stay, item_stays
from logistics.domain.custody import item_stream, read_text
from logistics.models import Alert, Consignment, CustodyEvent, Item, ItemLine
from logistics.services import alerts


def tell(session: Session, fact: ExcursionFact, *, now: datetime) -> Alert | None:
    """Raise, bring up to date or end the alert of each return load that was in the box during the excursion."""
    raised: Alert | None = None
    for consignment in _carried(session, fact.box_code, fact.start, fact.end):
        key = f"excursion:{fact.box_code}:{consignment.number}"
        if fact.withdrawn:
            if not fact.box_open:
                alerts.end_alert(session, key, now=now, params={"withdrawn": True})
            continue
        concerned = exposed(session, consignment.number, fact.box_code, fact.start, fact.end)
        if not concerned:
            continue
        known = session.scalars(select(Alert).where(Alert.incident_key == key)).first()
        over = not fact.box_open or consignment.closed_at is not None
        if over and known is not None:
            alerts.end_alert(session, key, now=now, params=fact.params())
            continue
        raised = alerts.raise_alert(
            session,
            kind="excursion",
            severity=fact.severity,
            site_code=consignment.origin_code,  # who sent it decides; a township has no manager
            origin_code=consignment.origin_code,
            box_code=fact.box_code,
            consignment_number=consignment.number,
            incident_key=key,
            params={**fact.params(), "consignment": consignment.number, "tubes": 0, "items": concerned},
            occurred_at=fact.start,
            now=now,
        )
        if over:
            alerts.end_alert(session, key, now=now, params=fact.params())
    return raised


def _carried(session: Session, box_code: str, start: datetime, end: datetime | None) -> Sequence[Consignment]:
    query = select(Consignment).where(
        Consignment.box_code == box_code,
        Consignment.kind == "return",
        or_(Consignment.closed_at.is_(None), Consignment.closed_at >= start),
    )
    if end is not None:
        query = query.where(Consignment.opened_at <= end)
    return session.scalars(query.order_by(Consignment.opened_at)).all()


def exposed(session: Session, number: str, box_code: str, start: datetime, end: datetime | None) -> list[str]:
    """The items with a temperature class that were in the box at some instant of start … end."""
    query = (
        select(Item.number)
        .join(ItemLine, ItemLine.item_number == Item.number)
        .where(ItemLine.consignment_number == number, Item.temp_class.is_not(None))
        .order_by(Item.number)
    )
    return [
        item
        for item in session.scalars(query).all()
        if any(stay.box_code == box_code and stay.overlaps(start, end) for stay in stays(session, item))
    ]


def stays(session: Session, item: str) -> list[Stay]:
    """When the item was in which box, read from its custody log."""
    query = select(CustodyEvent.body).where(CustodyEvent.stream == item_stream(item)).order_by(CustodyEvent.seq)
    return item_stays(read_text(body) for body in session.scalars(query))
