"""Loads on the way back: register an item, put it into a box or bag, send an empty box home, receive."""

from __future__ import annotations

from sqlalchemy import select

from logistics.domain.acts import HOWS
from logistics.domain.custody import EventType as E
from logistics.errors import Conflict, Invalid
from logistics.models import Box, Consignment, Item, ItemLine
from logistics.services import alerts, items, legs, lookup, network
from logistics.services.acts import packing, receipt
from logistics.services.desk import Desk


def register(desk: Desk) -> None:
    """An item gets a number and a place where it goes."""
    item = items.register(desk, items.facts(desk))
    desk.result.update(item=item.number, state=item.state, destination=item.destination_code)


def pack(desk: Desk) -> None:
    """An item goes into a box or document bag; the first one opens a return consignment to the item's next site."""
    site = desk.own_site()
    box = lookup.box(desk)
    item = items.named(desk)
    if item.consignment_number is not None:
        code = "item_in_this_box" if item.box_code == box.code else "item_in_other_box"
        raise Conflict(code, field="item", item=item.number, box=item.box_code)
    if item.location_code != site:
        raise Conflict("item_elsewhere", field="item", item=item.number)
    items.check_not_expired(desk, item)
    if item.temp_class is not None:
        lookup.require_class(box, item.temp_class, of=item.number)
    consignment = _return_consignment(desk, box, site, legs.next_hop(desk.session, site, item.destination_code), item)
    if consignment.item_count >= box.capacity:
        raise Conflict("box_full", field="box", box=box.code, capacity=box.capacity)
    desk.append_item(item, E.PACKED, {"box": box.code, "consignment": consignment.number}, site=site)
    desk.result.update(
        item=item.number,
        box=box.code,
        consignment=consignment.number,
        destination=consignment.destination_code,
        count=consignment.item_count,
    )


def _return_consignment(desk: Desk, box: Box, site: str, hop: str, item: Item) -> Consignment:
    if hop == site:
        raise Conflict("item_at_destination", field="item", site=site)
    if box.consignment_number is None:
        return packing.new_consignment(desk, box, site, hop, kind=items.RETURN)
    consignment = lookup.consignment(desk, box.consignment_number)
    if consignment.kind != items.RETURN:
        raise Conflict("box_has_specimens", field="box", box=box.code)
    if consignment.state != "open":
        raise Conflict("box_sealed", field="box", box=box.code, consignment=consignment.number)
    if consignment.origin_code != site:
        raise Conflict("box_elsewhere", field="box", box=box.code, site=consignment.origin_code)
    if consignment.destination_code != hop:
        raise Conflict(
            "item_other_destination",
            field="item",
            item=item.number,
            destination=hop,
            box=box.code,
            box_destination=consignment.destination_code,
        )
    return consignment


def unpack(desk: Desk) -> None:
    """An item comes out of an open box again."""
    item = items.named(desk)
    if item.consignment_number is None:
        raise Conflict("item_not_packed", field="item", item=item.number)
    consignment = lookup.consignment(desk, item.consignment_number)
    packing.require_at_origin(desk, consignment)
    if consignment.state != "open":
        raise Conflict("box_sealed", field="box", box=consignment.box_code, consignment=consignment.number)
    desk.append_item(item, E.UNPACKED, {"consignment": consignment.number, "box": consignment.box_code})
    desk.result.update(item=item.number, consignment=consignment.number, count=consignment.item_count)


def return_box(desk: Desk) -> None:
    """An empty box (or bag) goes home, or where ``destination`` says: a return consignment without items.

    It is closed at once: nothing is inside that a seal would have to guard.
    """
    site = desk.own_site()
    box = lookup.box(desk)
    if box.consignment_number is not None:
        raise Conflict("box_taken", field="box", box=box.code, consignment=box.consignment_number)
    if box.holder is not None or box.location_code not in {None, site}:
        raise Conflict("box_elsewhere", field="box", box=box.code, site=box.location_code)
    goal = network.site(desk.session, desk.payload("destination", required=False, default=box.home_code)).code
    if goal == site:
        raise Conflict("box_at_home", field="box", box=box.code)
    consignment = packing.new_consignment(desk, box, site, legs.next_hop(desk.session, site, goal), kind=items.RETURN)
    packing.close_lid(desk, consignment, "")
    desk.result.update(
        consignment=consignment.number, box=box.code, destination=consignment.destination_code, state=consignment.state
    )


def receive(desk: Desk) -> None:
    """An item of the consignment is here, in a stated condition. There is no default."""
    consignment = receipt.here(desk)
    item, line = _on_it(desk, consignment)
    if line.outcome in HOWS:
        raise Conflict("item_received_already", field="item", item=item.number)
    condition = receipt.condition(desk)
    if line.outcome == "missing":
        desk.append_item(item, E.FOUND, {"consignment": consignment.number}, site=desk.site)
    desk.append_item(item, E.RECEIVED, {"condition": condition, "consignment": consignment.number}, site=desk.site)
    _hold_if_warm(desk, item, consignment)
    _end_missing(desk, consignment)
    desk.result.update(_about(item), **items.progress(desk.session, consignment.number))


def _hold_if_warm(desk: Desk, item: Item, consignment: Consignment) -> None:
    """Control material whose box left its band is not used before the laboratory that sent it has decided."""
    if item.temp_class is None or item.on_hold:
        return
    alert = alerts.undecided_load_excursion(desk.session, consignment.number, item.number)
    if alert is not None:
        desk.append_item(item, E.HELD, {"reason": "excursion", "incident": alert.incident_key}, site=desk.site)


def declare_missing(desk: Desk) -> None:
    """A named person states that an item is not in the box. The site that sent it is told."""
    consignment = receipt.here(desk)
    item, _ = _on_it(desk, consignment)
    desk.append_item(item, E.DECLARED_MISSING, {"consignment": consignment.number}, site=desk.site)
    alerts.raise_alert(
        desk.session,
        kind="load_missing",
        severity="warning",
        site_code=consignment.origin_code,
        origin_code=consignment.origin_code,
        box_code=consignment.box_code,
        consignment_number=consignment.number,
        incident_key=_missing_key(consignment),
        params={"consignment": consignment.number, "box": consignment.box_code, "last": item.number},
        occurred_at=desk.act.occurred_at,
        now=desk.now,
    )
    desk.result.update(_about(item), **items.progress(desk.session, consignment.number))


def found(desk: Desk) -> None:
    """An item that was declared missing has turned up, at whatever site: where it goes, where it came from or between.

    From there it may be packed again. payload: ``condition``. Raises Conflict('item_not_missing').
    """
    item = items.named(desk)
    query = select(ItemLine).where(ItemLine.item_number == item.number, ItemLine.outcome == "missing")
    line = next(iter(lookup.locked(desk.session, query)), None)
    if line is None:
        raise Conflict("item_not_missing", field="item", item=item.number)
    site = desk.own_site()
    stated = receipt.condition(desk)
    consignment = lookup.locked(desk.session, select(Consignment).where(Consignment.number == line.consignment_number))[
        0
    ]
    late = consignment.state == "closed"
    facts = {"consignment": consignment.number, "condition": stated, "late": late}
    desk.append_item(item, E.FOUND, facts, site=site)
    desk.append_item(item, E.RECEIVED, {"condition": stated}, site=site)
    _hold_if_warm(desk, item, consignment)
    _end_missing(desk, consignment)
    desk.result.update(_about(item), missed=consignment.number)


def _end_missing(desk: Desk, consignment: Consignment) -> None:
    """The alert of a receipt ends when none of its items is missing any more."""
    desk.session.flush()
    if not any(one.outcome == "missing" for one in items.open_lines(desk.session, consignment.number)):
        alerts.end_alert(desk.session, _missing_key(consignment), now=desk.now)


def _missing_key(consignment: Consignment) -> str:
    return f"load_missing:{consignment.number}"


def _on_it(desk: Desk, consignment: Consignment) -> tuple[Item, ItemLine]:
    item = items.named(desk)
    line = desk.session.get(ItemLine, (consignment.number, item.number))
    if line is None:
        raise Conflict("item_not_in_consignment", field="item", item=item.number, consignment=consignment.number)
    return item, line


def release(desk: Desk) -> None:
    """The manager of the laboratory that sent it lets an item be used after an excursion."""
    item = items.named(desk)
    if not item.on_hold:
        raise Conflict("item_not_on_hold", field="item", item=item.number)
    desk.append_item(item, E.RELEASED, {"reason": desk.payload("reason", required=False, default="")})
    desk.result.update(_about(item))


def dispose(desk: Desk) -> None:
    """Used up, withdrawn or written off, with a word why."""
    item = items.named(desk)
    note = desk.payload("note").strip()
    if not note:
        raise Invalid("field_missing", field="note")
    desk.append_item(item, E.DISPOSED, {"note": note[:1000]})
    desk.result.update(_about(item))


def _about(item: Item) -> dict[str, object]:
    return {"item": item.number, "state": item.state, "on_hold": item.on_hold, "condition": item.condition}
