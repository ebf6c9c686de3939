"""Rules broken on purpose: whoever looks for broken rules must find each of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from logistics.domain import projection, transitions
from logistics.domain.custody import EventType as E
from logistics.domain.transitions import Row, State
from logistics.services import acts, desk, lookup, seal_uses
from logistics.services.acts import packing, receipt, seals, wholesale
from logistics.services.desk import Desk

Patch = pytest.MonkeyPatch


def a_tube_in_two_boxes(patch: Patch) -> None:
    """Packing does not look whether the tube lies in another box."""

    def pack(one: Desk) -> None:
        tube = lookup.specimen(one)
        if tube.state == "packed":
            tube.box_code = None
        packing.pack(one)

    _more(patch, _row(State.PACKED, E.PACKED, State.PACKED))
    patch.setitem(acts.HANDLERS, "pack", pack)


def received_without_a_handover(patch: Patch) -> None:
    """The receiving desk takes tubes in before anybody brought them."""

    def here(one: Desk) -> Any:
        return lookup.consignment(one)

    patch.setattr(receipt, "here", here)
    patch.setattr(wholesale.receipt, "here", here)
    moves = [_row(state, E.RECEIVED, State.RECEIVED) for state in (State.SEALED, State.IN_TRANSIT, State.ARRIVED)]
    _more(patch, *moves)


def a_count_that_is_off_by_one(patch: Patch) -> None:
    """A tube that leaves the box is not taken off its count."""
    right = desk._count
    patch.setattr(desk, "_count", lambda session, number, step: right(session, number, max(step, 0)))


def a_seal_that_is_used_twice(patch: Patch) -> None:
    """Nobody asks whether the number was used before; every box gets one of a few."""

    def follow(session: Any, consignment: str, event: Any) -> None:
        seal = projection.seal_put_on(event)
        if seal is not None and session.get(seal_uses.SealUse, seal_uses.numbers.normalise(seal)) is None:
            right(session, consignment, event)

    def few(one: Desk) -> None:
        one.act = replace(one.act, payload={"seal": "SL-D"})
        sealing(one)

    right, sealing = seal_uses.follow, packing.seal
    patch.setattr(seal_uses, "follow", follow)
    patch.setattr(seal_uses, "refuse_used", lambda *_, **__: None)
    patch.setitem(acts.HANDLERS, "seal", few)


def a_tube_that_stays_behind_in_the_record(patch: Patch) -> None:
    """Custody passes with the box; who holds its tubes is forgotten, in the columns and in the replay alike."""
    right = projection.project_specimen

    def wrong(before: Any, event: Any, state: str) -> Any:
        after = right(before, event, state)
        return replace(after, holder=before.holder) if event.type is E.HANDED_OVER else after

    patch.setattr(projection, "project_specimen", wrong)


def a_manifest_that_lists_what_was_left(patch: Patch) -> None:
    """Tubes refused at a pickup stay on the manifest in force."""
    patch.setattr(seals, "without", lambda *_args, **_more: None)


def a_hold_that_holds_nothing(patch: Patch) -> None:
    """Tubes on hold are accepted and packed like others."""
    patch.setattr(transitions, "SPECIMEN_TABLE", transitions._index(tuple(
        replace(row, guards=tuple(guard for guard in row.guards if guard is not transitions.not_on_hold))
        for row in transitions.SPECIMEN_ROWS
    )))  # fmt: skip


def a_chain_with_a_loose_link(patch: Patch) -> None:
    """What is handed over is chained to nothing."""
    right = Desk._store

    def store(self: Desk, event: Any, subject: Any) -> None:
        if event.type is E.HANDED_OVER:
            subject.stream_head = ""
        right(self, event, subject)

    patch.setattr(Desk, "_store", store)


FAULTS: tuple[Callable[[Patch], None], ...] = (
    a_tube_in_two_boxes, received_without_a_handover, a_count_that_is_off_by_one, a_seal_that_is_used_twice,
    a_tube_that_stays_behind_in_the_record, a_manifest_that_lists_what_was_left, a_hold_that_holds_nothing,
    a_chain_with_a_loose_link,
)  # fmt: skip


def _row(source: State, event: E, target: State) -> Row:
    return Row(frozenset({source}), event, target, transitions.ANYBODY)


def _more(patch: Patch, *rows: Row) -> None:
    """A table that allows more."""
    patch.setattr(transitions, "SPECIMEN_TABLE", transitions._index((*transitions.SPECIMEN_ROWS, *rows)))
