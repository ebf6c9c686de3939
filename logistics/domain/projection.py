"""What the columns of a specimen, a consignment, its lines and its box are, given the events so far.

The same reducers write the columns when an act is recorded and when ``labrelay rebuild`` replays the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, TypeVar

from logistics.domain import seals
from logistics.domain.acts import HOWS
from logistics.domain.custody import LOCKING, Event
from logistics.domain.custody import EventType as E
from logistics.domain.transitions import ConsignmentState, ItemState, State

S, C, L = State, ConsignmentState, ItemState

OUT_OF_BOX = frozenset({"refused", "unpacked", "elsewhere"})  # outcomes of tubes that do not travel with it


@dataclass(frozen=True, slots=True)
class SpecimenProjection:
    """The custody columns of one tube. ``holder`` None: the site at ``location`` answers for it."""

    state: str = S.NEW
    state_since: datetime | None = None
    registered_at: datetime | None = None
    collected_at: datetime | None = None
    collector: str | None = None
    box_code: str | None = None
    consignment_number: str | None = None
    holder: str | None = None
    location_code: str | None = None
    condition: str | None = None
    received_at: datetime | None = None
    received_how: str | None = None
    decided_at: datetime | None = None
    reject_reason: str | None = None
    on_hold: bool = False
    missing_from: str | None = None  # consignment that it was declared missing from, until it turns up
    recall_reason: str | None = None
    recall_to: str | None = None  # site where a recalled tube must be brought


@dataclass(frozen=True, slots=True)
class ConsignmentProjection:
    """The custody columns of one consignment."""

    state: str = C.NEW
    state_since: datetime | None = None
    seal_number: str | None = None
    sealed_at: datetime | None = None
    manifest_version: int = 0
    holder: str | None = None
    location_code: str | None = None
    departed_at: datetime | None = None
    arrived_at: datetime | None = None
    delivered_at: datetime | None = None
    closed_at: datetime | None = None


Moving = TypeVar("Moving", SpecimenProjection, ConsignmentProjection, "ItemProjection")


def _moved(before: Moving, event: Event, state: str, changes: Mapping[str, Any]) -> Moving:
    """``before`` with these changes, and in the state that ``event`` has led it to."""
    if state != before.state:
        changes = {"state": state, "state_since": event.occurred_at, **changes}
    return replace(before, **changes) if changes else before


def project_specimen(  # noqa: PLR0912  # one flat case an event reads best
    before: SpecimenProjection, event: Event, state: str
) -> SpecimenProjection:
    """The tube after ``event`` has led it to ``state``."""
    payload = event.payload
    changes: dict[str, Any] = {}
    match event.type:
        case E.REGISTERED:
            changes = {
                "registered_at": event.occurred_at,
                "location_code": event.site,
                "state_since": event.occurred_at,
            }
        case E.COLLECTED:
            changes = {"collected_at": event.occurred_at, "collector": event.actor, "location_code": event.site}
        case E.PACKED:
            changes = {
                "box_code": payload["box"],
                "consignment_number": payload["consignment"],
                "condition": None,
                "decided_at": None,
            }
        case E.UNPACKED:
            changes = {"box_code": None, "consignment_number": None}
        case E.HANDED_OVER if state == S.IN_TRANSIT or (state == S.RECALLED and payload.get("meaning") != "delivery"):
            changes = {"holder": payload["taker"], "location_code": None}
        case E.ARRIVED:
            changes = {"location_code": event.site}
        case E.HANDED_OVER | E.HANDED_IN:
            changes = {"holder": None, "location_code": event.site}
        case E.RECEIVED | E.RECEIVED_UNEXPECTED:
            changes = {
                "condition": payload.get("condition"),
                "received_at": event.occurred_at,
                "received_how": event.how,
                "location_code": event.site,
                "holder": None,
                "box_code": None,
                "consignment_number": None,
                "missing_from": None,
            }
        case E.DECLARED_MISSING:
            changes = {
                "box_code": None,
                "consignment_number": None,
                "location_code": None,
                "holder": None,
                "missing_from": payload.get("consignment"),
            }
        case E.FOUND | E.FOUND_AT_ORIGIN:
            changes = {
                "location_code": event.site,
                "holder": None,
                "box_code": None,
                "consignment_number": None,
                "missing_from": None,
            }
        case E.ACCEPTED | E.ACCEPTED_CONCESSION:
            changes = {"decided_at": event.occurred_at, "reject_reason": payload.get("reason")}
        case E.REJECTED:
            changes = {
                "decided_at": event.occurred_at,
                "reject_reason": payload.get("reason"),
                "on_hold": False,
                "box_code": None,
                "consignment_number": None,
            }
        case E.HELD:
            changes = {"on_hold": True}
        case E.RELEASED:
            changes = {"on_hold": False}
        case E.RECALLED:  # it stays where it is, in whoever's hands
            changes = {
                "on_hold": False,
                "recall_reason": payload.get("reason"),
                "recall_to": payload.get("bring_to"),
            }
        case E.RETURNED:
            changes = {
                "box_code": None,
                "consignment_number": None,
                "holder": None,
                "location_code": event.site,
                "missing_from": None,
            }
        case E.LOST | E.DISPOSED:
            changes = {"box_code": None, "consignment_number": None, "holder": None, "on_hold": False}
        case E.CORRECTED:
            changes = restored(payload.get("restores") or {})
        case _:
            pass
    return _moved(before, event, state, changes)


TIMES = frozenset({field.name for field in fields(SpecimenProjection) if "datetime" in str(field.type)})


def restored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Columns as a correction puts them back; it carries them, because what came before it is not at hand here."""
    return {
        name: datetime.fromisoformat(value) if name in TIMES and value is not None else value
        for name, value in values.items()
        if name in SpecimenProjection.__dataclass_fields__
    }


def restorable(before: SpecimenProjection, after: SpecimenProjection) -> dict[str, Any]:
    """What a correction of the event between the two must carry: the columns it changed, as they were."""
    changed = {field.name: getattr(before, field.name) for field in fields(SpecimenProjection)}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in changed.items()
        if value != getattr(after, name)
    }


def project_consignment(before: ConsignmentProjection, event: Event, state: str) -> ConsignmentProjection:
    """The consignment after ``event`` has led it to ``state``."""
    payload = event.payload
    changes: dict[str, Any] = {}
    match event.type:
        case E.OPENED:
            changes = {"location_code": event.site, "state_since": event.occurred_at}
        case E.SEALED:
            changes = {
                "seal_number": payload["seal"],
                "sealed_at": event.occurred_at,
                "manifest_version": payload["version"],
            }
        case E.UNSEALED:
            changes = {"seal_number": None, "sealed_at": None}
        case E.HANDED_OVER if state == C.IN_TRANSIT:
            changes = {
                "holder": payload["taker"],
                "location_code": None,
                "departed_at": before.departed_at or event.occurred_at,
            }
        case E.ARRIVED:
            changes = {"location_code": event.site, "arrived_at": event.occurred_at}
        case E.HANDED_OVER:
            changes = {"holder": None, "location_code": event.site, "delivered_at": event.occurred_at}
        case E.HANDED_IN:
            changes = {"holder": None, "location_code": event.site}
        case E.RESEALED:
            changes = {"seal_number": payload["seal"], "manifest_version": payload["version"]}
        case E.CLOSED | E.CANCELLED:
            changes = {"closed_at": event.occurred_at, "holder": None}
        case _:
            pass
    return _moved(before, event, state, changes)


def seal_put_on(event: Event) -> str | None:
    """The number of the seal that a box got by this event of its consignment; None: none, or it kept its own."""
    if event.type not in LOCKING:
        return None
    seal: str = event.payload["seal"]
    return None if seals.same(seal, event.payload.get("old_seal")) else seal or None


@dataclass(frozen=True, slots=True)
class LineChange:
    """What an event of a tube does to its line on a manifest; ``outcome`` None removes the line."""

    consignment: str
    outcome: str | None
    condition: str | None = None
    checked_by: str | None = None
    checked_at: datetime | None = None
    found_site: str | None = None  # where it turned up, when that was not in its own box
    found_in: str | None = None  # and the consignment in which it did


def project_lines(before: SpecimenProjection, event: Event) -> tuple[LineChange, ...]:
    """The changes of manifest lines that ``event`` makes, given the tube before it.

    A tube that turns up in another box or is given up leaves the manifest it stood on: nobody can receive it there
    any more, and that receipt must still be closed. A recalled one travels on, its line says so.
    """
    if event.type is E.CORRECTED:
        line = event.payload.get("line")  # the manifest on which the tube has to be looked for again
        return (LineChange(line, "expected"),) if line else ()
    changes: list[LineChange] = []
    left = before.consignment_number
    stray = event.type is E.RECEIVED_UNEXPECTED and left != event.payload.get("consignment")
    if left is not None and stray:
        changes.append(_turned_up(left, "elsewhere", event))
    elif left is not None and event.type in {E.LOST, E.DISPOSED}:
        changes.append(LineChange(left, "unpacked", None, event.actor, event.occurred_at))
    if before.missing_from is not None and event.type in {E.RECEIVED_UNEXPECTED, E.FOUND_AT_ORIGIN, E.RETURNED}:
        changes.append(_turned_up(before.missing_from, "late", event))
    change = project_line(before, event)
    return (*changes, change) if change is not None else tuple(changes)


def read_how(event: Event) -> str:
    """The outcome of a line whose tube is there: how its number came into the record, each kept apart from a scan."""
    return event.how if event.how in HOWS else "ticked"


def _turned_up(consignment: str, outcome: str, event: Event) -> LineChange:
    """The line of a tube that turned up somewhere else than in its own box: where, and in which one."""
    found_in = event.payload.get("consignment") if event.type is E.RECEIVED_UNEXPECTED else None
    condition = event.payload.get("condition")
    return LineChange(consignment, outcome, condition, event.actor, event.occurred_at, event.site, found_in)


def project_line(  # noqa: PLR0911
    before: SpecimenProjection, event: Event
) -> LineChange | None:
    """The change of the event's own manifest line."""
    payload: Mapping[str, Any] = event.payload
    consignment = payload.get("consignment") or before.consignment_number
    if consignment is None:
        return None
    checked = (event.actor, event.occurred_at)
    match event.type:
        case E.PACKED:
            return LineChange(consignment, "expected")
        case E.UNPACKED:
            return (
                LineChange(consignment, "refused", None, *checked)
                if payload.get("refused")
                else LineChange(consignment, None)
            )
        case E.RECEIVED:
            return LineChange(consignment, read_how(event), payload.get("condition"), *checked)
        case E.RECEIVED_UNEXPECTED:
            return LineChange(consignment, "unexpected", payload.get("condition"), *checked)
        case E.DECLARED_MISSING:
            return LineChange(consignment, "missing", None, *checked)
        case E.FOUND:
            outcome = "late" if payload.get("late") else "found"
            return LineChange(consignment, outcome, payload.get("condition"), *checked, event.site)
        case E.RECALLED if before.consignment_number is not None:
            return LineChange(before.consignment_number, "recalled", None, *checked)
        case E.REJECTED if before.state == S.DELIVERED:
            return LineChange(consignment, read_how(event), payload.get("condition"), *checked)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class ItemProjection:
    """The custody columns of one load item."""

    state: str = L.NEW
    state_since: datetime | None = None
    box_code: str | None = None
    consignment_number: str | None = None
    holder: str | None = None
    location_code: str | None = None
    condition: str | None = None
    received_at: datetime | None = None
    received_by: str | None = None
    received_how: str | None = None
    on_hold: bool = False


def project_item(before: ItemProjection, event: Event, state: str) -> ItemProjection:
    """The item after ``event`` has led it to ``state``."""
    payload = event.payload
    changes: dict[str, Any] = {}
    match event.type:
        case E.REGISTERED:
            changes = {"location_code": event.site, "state_since": event.occurred_at}
        case E.PACKED:
            changes = {"box_code": payload["box"], "consignment_number": payload["consignment"], "condition": None}
        case E.UNPACKED | E.DISPOSED:
            changes = {"box_code": None, "consignment_number": None}
        case E.HANDED_OVER if state == L.IN_TRANSIT:
            changes = {"holder": payload["taker"], "location_code": None}
        case E.ARRIVED:
            changes = {"location_code": event.site}
        case E.HANDED_OVER | E.HANDED_IN:
            changes = {"holder": None, "location_code": event.site}
        case E.RECEIVED:
            changes = {
                "condition": payload.get("condition"),
                "received_at": event.occurred_at,
                "received_by": event.actor,
                "received_how": event.how,
                "location_code": event.site,
                "box_code": None,
                "consignment_number": None,
            }
        case E.DECLARED_MISSING:
            changes = {"box_code": None, "consignment_number": None, "location_code": None}
        case E.FOUND:
            changes = {"location_code": event.site}
        case E.HELD:
            changes = {"on_hold": True}
        case E.RELEASED:
            changes = {"on_hold": False}
        case _:
            pass
    return _moved(before, event, state, changes)


def project_item_line(before: ItemProjection, event: Event) -> LineChange | None:
    """What an event of an item does to its line on a consignment; None: nothing."""
    number = event.payload.get("consignment") or before.consignment_number
    if number is None:
        return None
    checked = (event.actor, event.occurred_at)
    match event.type:
        case E.PACKED:
            return LineChange(number, "expected")
        case E.UNPACKED:
            return LineChange(number, None)
        case E.RECEIVED:
            return LineChange(number, read_how(event), event.payload.get("condition"), *checked)
        case E.DECLARED_MISSING:
            return LineChange(number, "missing", None, *checked)
        case _:
            return _item_turned_up(number, event)


def _item_turned_up(number: str, event: Event) -> LineChange | None:
    """A missing item that was received on the spot says no ``late``: its receipt says what the line says."""
    if event.type is not E.FOUND or "late" not in event.payload:
        return None
    outcome = "late" if event.payload["late"] else "found"
    return LineChange(number, outcome, event.payload["condition"], event.actor, event.occurred_at)


@dataclass(frozen=True, slots=True)
class BoxProjection:
    """Where a box is, who has it, and the open consignment it carries."""

    location_code: str | None
    holder: str | None
    consignment_number: str | None


def project_box(before: BoxProjection, event: Event, number: str, state: str) -> BoxProjection:
    """The box of consignment ``number`` after an event of that consignment has led it to ``state``."""
    match event.type:
        case E.OPENED:
            return BoxProjection(event.site, None, number)
        case E.HANDED_OVER if state == C.IN_TRANSIT:
            return replace(before, location_code=None, holder=event.payload["taker"])
        case E.ARRIVED if state == C.ARRIVED:
            return replace(before, location_code=event.site)
        case E.HANDED_OVER | E.HANDED_IN:
            return replace(before, location_code=event.site, holder=None)
        case E.CLOSED | E.CANCELLED:
            return BoxProjection(event.site or before.location_code, None, None)
        case _:
            return before
