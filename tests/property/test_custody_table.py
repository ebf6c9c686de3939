"""The tables of states: nothing unreachable, no trap, no act without a name for who may do it and under which guard."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from logistics.domain import access
from logistics.domain.custody import Event, EventType
from logistics.domain.set_codes import NO_CODE, SET_CODES, of_stream, set_code
from logistics.domain.transitions import (
    CONSIGNMENT_FINAL,
    CONSIGNMENT_ROWS,
    FINAL,
    ITEM_FINAL,
    ITEM_ROWS,
    SPECIMEN_ROWS,
    ConsignmentState,
    ItemState,
    Row,
    State,
)

TABLES = {
    "specimen": (State, SPECIMEN_ROWS, FINAL),
    "consignment": (ConsignmentState, CONSIGNMENT_ROWS, CONSIGNMENT_FINAL),
    "item": (ItemState, ITEM_ROWS, ITEM_FINAL),
}
# Reactivated by a correction alone, which carries the state it goes back to.
AT = datetime(2026, 3, 9, 1, 0, tzinfo=UTC)
HL7_SET = {f"S{number}" for number in range(38, 53)}


def onward(rows: tuple[Row, ...], state: str) -> set[str]:
    """Where one event may lead from ``state``."""
    return {row.target for row in rows if state in row.sources and row.target not in {None, state}}  # type: ignore[misc]


def reachable(rows: tuple[Row, ...], start: str) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        new = onward(rows, waiting.pop()) - found
        found |= new
        waiting.extend(new)
    return found


@pytest.mark.parametrize("name", TABLES)
def test_every_state_can_be_reached(name: str) -> None:
    """From the state before the first event, by the rows of the table alone."""
    states, rows, _final = TABLES[name]
    assert reachable(rows, "new") == {state.value for state in states}


@pytest.mark.parametrize("name", TABLES)
def test_only_final_states_are_dead_ends(name: str) -> None:
    """A final state leads nowhere; from every other one a final state can be reached."""
    states, rows, final = TABLES[name]
    for state in states:
        if state in final:
            assert onward(rows, state) == set(), state
        else:
            assert reachable(rows, state) & final, state


@pytest.mark.parametrize("name", TABLES)
def test_every_row_says_who_may_and_names_its_guards(name: str) -> None:
    """Roles are known roles; a guard is a function with a name, not a lambda, and says in words what it demands."""
    _states, rows, _final = TABLES[name]
    for row in rows:
        assert row.roles, row
        assert row.roles <= set(access.ROLES)
        assert not row.roles & access.WHOLE_NETWORK, "administrators and auditors have no part in custody"
        assert all(guard.__name__.isidentifier() and "lambda" not in guard.__name__ for guard in row.guards)


@pytest.mark.parametrize("name", TABLES)
def test_one_event_has_one_meaning_for_a_role(name: str) -> None:
    """Two rows for the same state, event and role exclude each other by their guards, or lead to the same state."""
    _states, rows, _final = TABLES[name]
    for index, row in enumerate(rows):
        for other in rows[index + 1 :]:
            clash = row.sources & other.sources and row.event is other.event and row.roles & other.roles
            if clash and row.target != other.target:
                assert row.guards, (row, other)
                assert other.guards, (row, other)


def test_every_event_is_in_a_table_and_every_code_is_hl7s() -> None:
    """No event that nothing can lead to; codes of HL7 table 0003 lie in S38-S52."""
    used = {row.event for _states, rows, _final in TABLES.values() for row in rows}
    assert used == set(EventType)
    assert set(SET_CODES.values()) <= HL7_SET


def test_every_step_of_a_tube_has_its_code_or_is_said_to_have_none() -> None:
    """Each (event, state) that the table can lead to: a code, or an event that the vocabulary does not know."""
    for row in SPECIMEN_ROWS:
        for state in {row.target or source for source in row.sources}:
            code = set_code(Event("specimen:1", 1, row.event, "a", AT, AT, "x", payload={"meaning": "pickup"}), state)
            delivered = row.event is EventType.HANDED_OVER and state == State.DELIVERED
            assert (code is None) is (row.event in NO_CODE or delivered), (row.event, state)
    assert {event for event, _ in SET_CODES} | {EventType.HANDED_OVER} == {row.event for row in SPECIMEN_ROWS} - NO_CODE


def test_a_journey_in_an_outside_trackers_words() -> None:
    """Departed at the pickup, arrived, and no second arrival at the handover; recalled tubes travel on."""
    E = EventType  # as everywhere
    told = [
        (E.REGISTERED, {"accession": "1"}), (E.COLLECTED, {}), (E.PACKED, {"box": "B", "consignment": "C"}),
        (E.SEALED, {}), (E.HANDED_OVER, {"taker": "courier", "meaning": "pickup"}), (E.ARRIVED, {}),
        (E.HANDED_OVER, {"taker": "receiver", "meaning": "delivery"}), (E.RECEIVED, {"condition": "good"}),
        (E.ACCEPTED, {}), (E.RECALLED, {}), (E.DISPOSED, {}),
    ]  # fmt: skip
    events = [Event("specimen:1", n, kind, "a", AT, AT, "x", payload=said) for n, (kind, said) in enumerate(told, 1)]
    assert list(of_stream(events).values()) == [
        "S38", "S39", None, None, "S41", "S42", None, None, "S43", "S49", "S49",
    ]  # fmt: skip
    assert of_stream([replace(event, stream="consignment:C") for event in events[:1]]) == {1: None}
