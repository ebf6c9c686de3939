"""The memory of a logger that loses nothing, against a server that may never have seen its first messages."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from telemetry import sequence
from telemetry.simulator import Outbox

ENTRY = [{"at": "2026-03-09T01:00:00Z", "temp_c": 5.0}]


def numbers(messages: list[bytes]) -> list[int]:
    return [json.loads(message)["seq"] for message in messages]


@given(st.lists(st.integers(1, 30), max_size=40), st.integers(1, 30))
def test_a_logger_forgets_only_what_is_stored(arrived: list[int], count: int) -> None:
    """Whatever arrives in whatever order, after each receipt the logger keeps exactly what the server has not; what is
    asked for is sent again."""
    box = Outbox()
    for _ in range(count):
        box.add(ENTRY)
    spans: list[tuple[int, int]] = []
    stored: set[int] = set()
    for seq in (one for one in arrived if one <= count):
        spans = sequence.add(spans, [seq])
        stored.add(seq)
        box.receipt({"stored_from": spans[0][0], "stored_up_to": spans[0][1], "stored": [seq]})
        assert numbers(box.unreceipted()) == [one for one in range(1, count + 1) if one not in stored]
        for first, last in sequence.holes(spans):
            assert numbers(box.request({"from": first, "to": last})) == list(range(first, last + 1))
    assert len(box) == count - len(stored)


def test_a_server_that_missed_the_beginning_does_not_empty_the_memory() -> None:
    """The first three messages were lost with the broker: a receipt from the fourth on leaves them where they are."""
    box = Outbox()
    for _ in range(5):
        box.add(ENTRY)
    assert box.receipt({"stored_from": 4, "stored_up_to": 5, "stored": [5]}) == [4, 5]
    assert numbers(box.unreceipted()) == [1, 2, 3]
