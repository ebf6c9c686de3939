"""The state machine of a specimen and of a consignment, as tables: (state, event) → state, and who may do it.

A guard is a named function of the specimen as it stands; the first row whose guards hold decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from logistics.domain import access
from logistics.domain.custody import EventType as E
from logistics.errors import Conflict, Forbidden


class State(StrEnum):
    """Where a tube stands."""

    NEW = "new"  # before its first event
    REGISTERED = "registered"
    COLLECTED = "collected"
    COLLECTION_FAILED = "collection_failed"
    PACKED = "packed"
    SEALED = "sealed"
    IN_TRANSIT = "in_transit"
    WAITING = "waiting"  # under way, standing sealed at a site that is not its destination
    ARRIVED = "arrived"
    DELIVERED = "delivered"  # handed to the laboratory, not looked at yet
    RECEIVED = "received"
    ACCEPTED = "accepted"
    ACCEPTED_CONCESSION = "accepted_concession"
    REJECTED = "rejected"
    MISSING = "missing"
    LOST = "lost"
    RECALLED = "recalled"  # must not be used; where it is, custody follows as before
    RETURNED = "returned"  # recalled, found and set aside
    DISPOSED = "disposed"


class ConsignmentState(StrEnum):
    NEW = "new"
    OPEN = "open"
    SEALED = "sealed"
    IN_TRANSIT = "in_transit"
    WAITING = "waiting"
    ARRIVED = "arrived"
    DELIVERED = "delivered"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class ItemState(StrEnum):
    """Where a load item stands: a report, control material, a carton of tubes on its way to a site."""

    NEW = "new"
    REGISTERED = "registered"
    PACKED = "packed"
    SEALED = "sealed"
    IN_TRANSIT = "in_transit"
    WAITING = "waiting"
    ARRIVED = "arrived"
    DELIVERED = "delivered"
    RECEIVED = "received"
    MISSING = "missing"
    DISPOSED = "disposed"  # used up, withdrawn, written off


S, C, L = State, ConsignmentState, ItemState
FINAL = frozenset({S.DISPOSED, S.COLLECTION_FAILED})
CONSIGNMENT_FINAL = frozenset({C.CLOSED, C.CANCELLED})
ITEM_FINAL = frozenset({L.DISPOSED})
UNDER_WAY = frozenset({S.IN_TRANSIT, S.WAITING, S.ARRIVED})
BOXED = frozenset({S.PACKED, S.SEALED, S.IN_TRANSIT, S.WAITING, S.ARRIVED, S.DELIVERED})
ALIVE = frozenset(S) - FINAL - {S.NEW, S.LOST, S.REJECTED, S.RECALLED, S.RETURNED, S.MISSING}
RECALLABLE = ALIVE | {S.MISSING}


class View(Protocol):
    """What guards may look at. Read-only properties so that frozen records fit."""

    @property
    def received_at(self) -> object | None: ...
    @property
    def on_hold(self) -> bool: ...


Guard = Callable[[View], bool]


def never_received(view: View) -> bool:
    return view.received_at is None


def was_received(view: View) -> bool:
    return view.received_at is not None


def never_recalled(view: View) -> bool:
    return getattr(view, "recall_reason", None) is None


def was_recalled(view: View) -> bool:
    return not never_recalled(view)


def not_on_hold(view: View) -> bool:
    return not view.on_hold


def is_return(view: View) -> bool:
    """A consignment of load items or of an empty box: a township receives it as a laboratory does specimens."""
    return getattr(view, "kind", "") == "return"


def is_empty_return(view: View) -> bool:
    return is_return(view) and getattr(view, "item_count", 0) == 0


def is_send_out(view: View) -> bool:
    """A consignment to an external laboratory, which need not have an account here."""
    return getattr(view, "kind", "") == "send_out"


COLLECTOR = frozenset({access.COLLECTOR})
RECEIVER = frozenset({access.RECEIVER, access.MANAGER})
PACKERS = frozenset({access.COLLECTOR, access.RECEIVER})
CARRIERS = frozenset({access.COURIER, access.RECEIVER, access.COLLECTOR})
MANAGER = frozenset({access.MANAGER})
ANYBODY = frozenset({access.COLLECTOR, access.COURIER, access.RECEIVER, access.MANAGER, access.DISPATCHER})


@dataclass(frozen=True, slots=True)
class Row:
    """From these states, this event leads there, if the guards hold, for these roles."""

    sources: frozenset[str]
    event: E
    target: str | None  # None: the state stays
    roles: frozenset[str]
    guards: tuple[Guard, ...] = ()


def _row(sources: object, event: E, target: str | None, roles: frozenset[str], *guards: Guard) -> Row:
    states = frozenset({sources}) if isinstance(sources, str) else frozenset(sources)  # type: ignore[call-overload]
    return Row(states, event, target, roles, guards)


SPECIMEN_ROWS: tuple[Row, ...] = (
    _row(S.NEW, E.REGISTERED, S.REGISTERED, PACKERS),
    _row(S.REGISTERED, E.COLLECTED, S.COLLECTED, COLLECTOR),
    _row(S.REGISTERED, E.COLLECTION_FAILED, S.COLLECTION_FAILED, COLLECTOR),
    _row(S.COLLECTED, E.PACKED, S.PACKED, COLLECTOR),
    _row({S.RECEIVED, S.ACCEPTED, S.ACCEPTED_CONCESSION}, E.PACKED, S.PACKED, RECEIVER, not_on_hold),
    _row(S.PACKED, E.UNPACKED, S.COLLECTED, PACKERS | MANAGER, never_received),
    _row(S.PACKED, E.UNPACKED, S.RECEIVED, PACKERS | MANAGER, was_received),
    # Out of a closed box: the taker leaves it behind, or the box does not travel.
    _row(S.SEALED, E.UNPACKED, S.COLLECTED, CARRIERS | MANAGER, never_received),
    _row(S.SEALED, E.UNPACKED, S.RECEIVED, CARRIERS | MANAGER, was_received),
    _row(S.PACKED, E.SEALED, S.SEALED, PACKERS),
    _row(S.SEALED, E.UNSEALED, S.PACKED, PACKERS),
    # The manager: tubes sent to an external laboratory, whose consignment alone lets him.
    _row({S.SEALED, S.WAITING, S.IN_TRANSIT}, E.HANDED_OVER, S.IN_TRANSIT, CARRIERS | MANAGER),
    # Sealed, at a site that is not its destination: a transfer point, or left there with a reason.
    _row({S.IN_TRANSIT, S.ARRIVED}, E.HANDED_IN, S.WAITING, CARRIERS),
    _row(S.IN_TRANSIT, E.ARRIVED, S.ARRIVED, frozenset({access.COURIER, access.RECEIVER, access.MANAGER})),
    _row(S.ARRIVED, E.HANDED_OVER, S.DELIVERED, CARRIERS | MANAGER),
    _row(S.DELIVERED, E.RECEIVED, S.RECEIVED, RECEIVER),
    _row(
        {
            S.COLLECTED,
            S.PACKED,
            S.SEALED,
            S.IN_TRANSIT,
            S.WAITING,
            S.ARRIVED,
            S.DELIVERED,
            S.MISSING,
            S.LOST,
        },
        E.RECEIVED_UNEXPECTED,
        S.RECEIVED,
        RECEIVER,
        never_recalled,
    ),
    _row(S.DELIVERED, E.DECLARED_MISSING, S.MISSING, RECEIVER),
    _row(S.MISSING, E.FOUND, S.DELIVERED, RECEIVER),
    _row(S.LOST, E.FOUND, S.DELIVERED, RECEIVER, never_recalled),
    _row({S.MISSING, S.LOST}, E.FOUND_AT_ORIGIN, S.COLLECTED, COLLECTOR, never_received, never_recalled),
    _row(S.RECEIVED, E.ACCEPTED, S.ACCEPTED, RECEIVER, not_on_hold),
    _row(S.RECEIVED, E.ACCEPTED_CONCESSION, S.ACCEPTED_CONCESSION, RECEIVER, not_on_hold),
    # Haemolysis shows after the centrifuge, too little volume at the analyser: after the tube was accepted.
    _row({S.RECEIVED, S.DELIVERED, S.ACCEPTED, S.ACCEPTED_CONCESSION}, E.REJECTED, S.REJECTED, RECEIVER),
    _row({S.RECEIVED, S.ACCEPTED, S.ACCEPTED_CONCESSION}, E.TESTS_REJECTED, None, RECEIVER),
    _row(ALIVE, E.HELD, None, RECEIVER),
    _row(ALIVE, E.RELEASED, None, MANAGER),
    _row(ALIVE | {S.MISSING, S.RECALLED}, E.LOST, S.LOST, MANAGER),
    # A recalled tube goes on with its box, and custody with it, until somebody has it in hand; nobody may use it.
    _row(RECALLABLE, E.RECALLED, S.RECALLED, MANAGER),
    _row(S.RECALLED, E.UNSEALED, None, PACKERS),
    _row(S.RECALLED, E.UNPACKED, None, CARRIERS | MANAGER),
    _row(S.RECALLED, E.HANDED_OVER, None, CARRIERS | MANAGER),
    _row(S.RECALLED, E.HANDED_IN, None, CARRIERS),
    _row(S.RECALLED, E.ARRIVED, None, frozenset({access.COURIER, access.RECEIVER, access.MANAGER})),
    _row(S.RECALLED, E.RETURNED, S.RETURNED, PACKERS | MANAGER),
    _row(S.LOST, E.RETURNED, S.RETURNED, PACKERS | MANAGER, was_recalled),
    _row(S.RETURNED, E.DISPOSED, S.DISPOSED, PACKERS | MANAGER),
    _row(
        {S.ACCEPTED, S.ACCEPTED_CONCESSION, S.REJECTED, S.RECALLED, S.LOST, S.MISSING},
        E.DISPOSED,
        S.DISPOSED,
        RECEIVER,
    ),
    _row(frozenset(S) - {S.NEW}, E.NOTED, None, ANYBODY),
    _row(frozenset(S) - {S.NEW}, E.CORRECTED, None, ANYBODY),
)

CONSIGNMENT_ROWS: tuple[Row, ...] = (
    _row(C.NEW, E.OPENED, C.OPEN, PACKERS),
    _row(C.OPEN, E.SEALED, C.SEALED, PACKERS),
    _row(C.SEALED, E.UNSEALED, C.OPEN, PACKERS),
    _row({C.OPEN, C.SEALED}, E.CANCELLED, C.CANCELLED, PACKERS | MANAGER),
    _row({C.SEALED, C.WAITING, C.IN_TRANSIT}, E.HANDED_OVER, C.IN_TRANSIT, CARRIERS),
    _row({C.IN_TRANSIT, C.ARRIVED}, E.HANDED_IN, C.WAITING, CARRIERS),
    _row(C.SEALED, E.HANDED_OVER, C.IN_TRANSIT, MANAGER, is_send_out),
    _row(C.IN_TRANSIT, E.ARRIVED, C.ARRIVED, frozenset({access.COURIER, access.RECEIVER})),
    _row(C.IN_TRANSIT, E.ARRIVED, C.ARRIVED, COLLECTOR, is_return),
    _row(C.IN_TRANSIT, E.ARRIVED, C.ARRIVED, MANAGER, is_send_out),
    _row({C.DELIVERED, C.CLOSED}, E.ARRIVED, None, frozenset({access.COURIER})),  # learned late
    _row(C.ARRIVED, E.HANDED_OVER, C.DELIVERED, CARRIERS),
    _row(C.ARRIVED, E.HANDED_OVER, C.DELIVERED, MANAGER, is_send_out),
    _row(C.DELIVERED, E.UNEXPECTED_TUBE, None, RECEIVER),
    _row({C.SEALED, C.IN_TRANSIT, C.ARRIVED, C.DELIVERED, C.CLOSED}, E.DEVIATION, None, CARRIERS | MANAGER),
    _row({C.SEALED, C.IN_TRANSIT, C.ARRIVED, C.DELIVERED, C.CLOSED}, E.SETTLED, None, RECEIVER),
    _row(C.DELIVERED, E.CLOSED, C.CLOSED, RECEIVER),
    _row(C.DELIVERED, E.CLOSED, C.CLOSED, COLLECTOR, is_return),
    # Signing for an empty box is receiving it, on whoever's screen; whoever brought a load does not close its receipt.
    _row(C.DELIVERED, E.CLOSED, C.CLOSED, CARRIERS, is_empty_return),
    _row(frozenset(C) - {C.NEW}, E.HANDOVER_SIGNED, None, CARRIERS),
    _row({C.SEALED, C.IN_TRANSIT, C.WAITING, C.ARRIVED, C.DELIVERED}, E.SEAL_BROKEN, None, CARRIERS | MANAGER),
    _row({C.SEALED, C.IN_TRANSIT, C.WAITING, C.ARRIVED}, E.RESEALED, None, CARRIERS),
    _row(frozenset(C) - {C.NEW, C.CANCELLED}, E.RECALLED, None, MANAGER),
    _row(frozenset(C) - {C.NEW}, E.NOTED, None, ANYBODY),
    _row(frozenset(C) - {C.NEW}, E.CORRECTED, None, ANYBODY),
)


ITEM_ROWS: tuple[Row, ...] = (
    _row(L.NEW, E.REGISTERED, L.REGISTERED, PACKERS | MANAGER),
    _row({L.REGISTERED, L.RECEIVED}, E.PACKED, L.PACKED, PACKERS | MANAGER, not_on_hold),
    _row({L.PACKED, L.SEALED}, E.UNPACKED, L.REGISTERED, PACKERS | MANAGER, never_received),
    _row({L.PACKED, L.SEALED}, E.UNPACKED, L.RECEIVED, PACKERS | MANAGER, was_received),
    _row(L.PACKED, E.SEALED, L.SEALED, PACKERS),
    _row(L.SEALED, E.UNSEALED, L.PACKED, PACKERS),
    _row({L.SEALED, L.WAITING, L.IN_TRANSIT}, E.HANDED_OVER, L.IN_TRANSIT, CARRIERS),
    _row({L.IN_TRANSIT, L.ARRIVED}, E.HANDED_IN, L.WAITING, CARRIERS),
    _row(L.IN_TRANSIT, E.ARRIVED, L.ARRIVED, CARRIERS),
    _row(L.ARRIVED, E.HANDED_OVER, L.DELIVERED, CARRIERS),
    _row(L.DELIVERED, E.RECEIVED, L.RECEIVED, COLLECTOR | RECEIVER),
    _row(L.DELIVERED, E.DECLARED_MISSING, L.MISSING, COLLECTOR | RECEIVER),
    _row(L.MISSING, E.FOUND, L.DELIVERED, COLLECTOR | RECEIVER),
    _row(frozenset(L) - {L.NEW, L.DISPOSED}, E.HELD, None, COLLECTOR | RECEIVER),
    _row(frozenset(L) - {L.NEW, L.DISPOSED}, E.RELEASED, None, MANAGER),
    _row({L.REGISTERED, L.RECEIVED, L.MISSING}, E.DISPOSED, L.DISPOSED, COLLECTOR | RECEIVER),
    _row(frozenset(L) - {L.NEW}, E.NOTED, None, ANYBODY),
)


def _index(rows: tuple[Row, ...]) -> dict[tuple[str, E], list[Row]]:
    index: dict[tuple[str, E], list[Row]] = {}
    for row in rows:
        for source in row.sources:
            index.setdefault((source, row.event), []).append(row)
    return index


SPECIMEN_TABLE = _index(SPECIMEN_ROWS)
CONSIGNMENT_TABLE = _index(CONSIGNMENT_ROWS)
ITEM_TABLE = _index(ITEM_ROWS)


@dataclass(frozen=True, slots=True)
class _KindView:
    """What guards of consignments may look at."""

    kind: str
    item_count: int = 0
    received_at: object | None = None
    on_hold: bool = False


def next_state(state: str, event: E, role: str, view: View, *, subject: str) -> State:
    """The state that ``event`` leads a tube to.

    Raises Conflict('specimen_state') when the event does not fit, Conflict('specimen_on_hold') when only the
    hold stands against it, Forbidden('act_role') when the role may not do it.
    """
    return State(_decide(SPECIMEN_TABLE, state, event, role, view, subject, "specimen"))


def next_consignment_state(
    state: str, event: E, role: str, *, subject: str, kind: str = "specimens", item_count: int = 0
) -> ConsignmentState:
    """The same for a consignment; raises Conflict('consignment_state') or Forbidden('act_role')."""
    view = _KindView(kind, item_count)
    return ConsignmentState(_decide(CONSIGNMENT_TABLE, state, event, role, view, subject, "consignment"))


def next_item_state(state: str, event: E, role: str, view: View, *, subject: str) -> ItemState:
    """The same for a load item; raises Conflict('item_state'), Conflict('item_on_hold') or Forbidden('act_role')."""
    return ItemState(_decide(ITEM_TABLE, state, event, role, view, subject, "item"))


ON_HOLD = {"specimen": "specimen_on_hold", "item": "item_on_hold"}


def _decide(
    table: dict[tuple[str, E], list[Row]], state: str, event: E, role: str, view: View, subject: str, kind: str
) -> str:
    rows = table.get((state, event), [])
    if not rows:
        raise Conflict(_code(kind, state, view), field=kind, subject=subject, state=state, event=event.value)
    fitting = [row for row in rows if all(guard(view) for guard in row.guards)]
    if not fitting:
        code = ON_HOLD.get(kind, "specimen_on_hold") if view.on_hold else _code(kind, state, view)
        raise Conflict(code, field=kind, subject=subject, state=state, event=event.value)
    for row in fitting:
        if role in row.roles:
            return state if row.target is None else row.target
    raise Forbidden("act_role", field="type", event=event.value)


def _code(kind: str, state: str, view: View) -> str:
    """A recalled tube stops whoever would use it, with a sentence of its own."""
    stopped = state in {S.RECALLED, S.RETURNED} or (state == S.LOST and was_recalled(view))
    return "specimen_recalled" if kind == "specimen" and stopped else f"{kind}_state"
