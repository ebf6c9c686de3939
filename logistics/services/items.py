"""Load items: finding them, registering them, and moving all of a consignment together.

What goes down with the rounds is tracked like the tubes that come up: an item has a stream of its own, travels in
a consignment of kind ``return``, and is handed over with it. An empty box going home is such a consignment
without items: the box itself is the load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.db import next_number
from logistics.domain import numbers
from logistics.domain.custody import EventType as E
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Consignment, Item, ItemLine
from logistics.models.catalogue import TEMP_CLASSES
from logistics.models.items import ITEM_KINDS
from logistics.services import alerts, lookup, network
from logistics.services.desk import Desk
from logistics.services.orders import local_day

RETURN = "return"
SEND_OUT = "send_out"
MAX_TEXT = 200
MAX_QUANTITY = 100_000
OPEN_OUTCOME = "expected"


@dataclass(frozen=True, slots=True)
class ItemLabelFacts:
    """What registering needs to know."""

    kind: str
    description: str
    quantity: int
    temp_class: str | None
    destination: str
    lot: str
    expires_on: str | None


def facts(desk: Desk) -> ItemLabelFacts:
    """The payload of ``register_item``. Raises Invalid naming the field."""
    kind = desk.payload("kind")
    if kind not in ITEM_KINDS:
        raise Invalid("item_kind_unknown", field="kind", kind=kind[:40])
    temp_class = desk.payload("temp_class", required=False)
    if temp_class is not None and temp_class not in TEMP_CLASSES:
        raise Invalid("field_malformed", field="temp_class")
    quantity = desk.payload("quantity", int, required=False, default=1)
    if not 1 <= quantity <= MAX_QUANTITY:
        raise Invalid("field_malformed", field="quantity")
    return ItemLabelFacts(
        kind=kind,
        description=desk.payload("description", required=False, default="")[:MAX_TEXT],
        quantity=quantity,
        temp_class=temp_class,
        destination=network.site(desk.session, desk.payload("destination"), field="destination").code,
        lot=desk.payload("lot", required=False, default="")[:MAX_TEXT],
        expires_on=_day(desk.payload("expires_on", required=False)),
    )


def _day(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Invalid("field_malformed", field="expires_on") from None


def register(desk: Desk, wanted: ItemLabelFacts) -> Item:
    """Register an item at the actor's site. Raises Conflict('item_at_destination') when it is there already."""
    site = desk.own_site()
    if wanted.destination == site:
        raise Conflict("item_at_destination", field="destination", site=site)
    item = Item(
        number=_number(desk),
        kind=wanted.kind,
        description=wanted.description,
        quantity=wanted.quantity,
        temp_class=wanted.temp_class,
        origin_code=site,
        destination_code=wanted.destination,
        lot=wanted.lot,
        expires_on=wanted.expires_on,
        registered_by=desk.actor.username,
        state="new",
        state_since=desk.act.occurred_at,
        stream_seq=0,
        stream_head="",
    )
    desk.session.add(item)
    desk.session.flush()
    payload = {
        "kind": item.kind,
        "description": item.description,
        "quantity": item.quantity,
        "temp_class": item.temp_class,
        "destination": item.destination_code,
        "lot": item.lot,
        "expires_on": item.expires_on,
    }
    desk.append_item(item, E.REGISTERED, payload, site=site)
    return item


def _number(desk: Desk) -> str:
    day = local_day(desk.act.occurred_at)
    return numbers.issue(numbers.Kind.ITEM, next_number(desk.session, f"item:{day}"), day)


def named(desk: Desk) -> Item:
    """The item the act is about, locked. Raises NotFound('item_unknown')."""
    number = numbers.normalise(lookup.text(desk.act.subject.get("item"), field="item"))
    found = lookup.locked(desk.session, select(Item).where(Item.number == number))
    if not found or not may_see(desk, found[0]):
        raise NotFound("item_unknown", field="item", item=number)
    return found[0]


def may_see(desk: Desk, item: Item) -> bool:
    return item.holder == desk.actor.username or desk.scope.covers(
        item.origin_code, item.destination_code, item.location_code
    )


def inside(session: Session, number: str) -> Sequence[Item]:
    """The items that travel in a consignment now, locked, in the order of their numbers."""
    return lookup.locked(session, select(Item).where(Item.consignment_number == number).order_by(Item.number))


def follow(
    desk: Desk, consignment: Consignment, event: E, payload: Mapping[str, Any] | None = None, *, site: str | None = None
) -> int:
    """Every item of a consignment shares its fate. Returns how many there are; specimens have none and cost nothing."""
    if not consignment.item_count:
        return 0
    items = inside(desk.session, consignment.number)
    for item in items:
        desk.append_item(item, event, {"consignment": consignment.number, **(payload or {})}, site=site)
    return len(items)


def manifest_lines(session: Session, number: str) -> list[dict[str, object]]:
    """The items as they stand on the manifest."""
    return [
        {
            "item": item.number,
            "kind": item.kind,
            "description": item.description,
            "quantity": item.quantity,
            "lot": item.lot,
            "expires_on": item.expires_on,
            "temp_class": item.temp_class,
            "destination": item.destination_code,
        }
        for item in inside(session, number)
    ]


def open_lines(session: Session, number: str) -> Sequence[ItemLine]:
    """Every line of a return consignment."""
    query = select(ItemLine).where(ItemLine.consignment_number == number).order_by(ItemLine.item_number)
    return session.scalars(query).all()


def progress(session: Session, number: str) -> dict[str, int]:
    session.flush()
    outcomes = [line.outcome for line in open_lines(session, number)]
    return {"checked": sum(outcome != OPEN_OUTCOME for outcome in outcomes), "total": len(outcomes)}


def close(desk: Desk, consignment: Consignment) -> None:
    """The receipt of a return load is complete: every item is accounted for. Raises Conflict('receipt_incomplete')."""
    lines = open_lines(desk.session, consignment.number)
    left = sum(line.outcome == OPEN_OUTCOME for line in lines)
    if left:
        raise Conflict("receipt_incomplete", field="consignment", open=left, total=len(lines))
    counts: dict[str, int] = {}
    for line in lines:
        counts[line.outcome] = counts.get(line.outcome, 0) + 1
    desk.append_consignment(consignment, E.CLOSED, {"counts": counts}, site=desk.site)
    alerts.end_alert(desk.session, f"excursion:{consignment.box_code}:{consignment.number}", now=desk.now)
    desk.result.update(consignment=consignment.number, state=consignment.state, counts=counts)


def close_empty(desk: Desk, consignment: Consignment, site: str) -> None:
    """Signing for an empty box is receiving it: nothing is left to check."""
    if consignment.kind == RETURN and consignment.state == "delivered" and not consignment.item_count:
        desk.append_consignment(consignment, E.CLOSED, {"counts": {}}, site=site)


def check_not_expired(desk: Desk, item: Item) -> None:
    """Raises Conflict('item_expired') for a lot that is past its last day of use."""
    if item.expires_on is not None and item.expires_on < local_day(desk.act.occurred_at).isoformat():
        raise Conflict("item_expired", field="item", item=item.number, expires_on=item.expires_on)
