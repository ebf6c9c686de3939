"""Bytes to readings: what is readable counts, what is not is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.codecs import decode
from telemetry.reading import (
    DeadReason,
    QuarantineReason,
    Reading,
    UndecodableError,
    probe_fault,
    time_fault,
)

AT = datetime(2026, 3, 9, 1, 20, tzinfo=UTC)


def payload(*entries: object, **more: object) -> bytes:
    return json.dumps({"seq": 118, "readings": list(entries), **more}).encode()


def test_a_whole_message_is_decoded() -> None:
    """All fields of the documented example, the time turned to UTC."""
    message = decode(
        "labrelay",
        payload(
            {
                "at": "2026-03-09T09:20:00+08:00", "probe": 2, "temp_c": 4.6, "rh_pct": 61, "battery_pct": 87,
                "lid_open": False, "lat": 29.53, "lon": 114.04,
            }
        ),
        device="LG-1",
    )  # fmt: skip
    assert message.seq == 118
    assert message.bad == ()
    assert message.readings == (Reading("LG-1", 2, AT, 4.6, 61.0, 87.0, False, 29.53, 114.04),)


def test_probe_defaults_to_one_and_the_rest_to_unknown() -> None:
    """The shortest message: time and temperature."""
    message = decode("labrelay", b'{"readings":[{"at":"2026-03-09T01:20:00Z","temp_c":4}]}', device="LG-1")
    assert message.seq is None
    assert message.readings == (Reading("LG-1", 1, AT, 4.0),)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"at": "2026-03-09T01:20:00Z", "temp_c": -127}, DeadReason.PROBE_DISCONNECTED),
        ({"at": "2026-03-09T01:20:00Z", "temp_c": 85.0}, DeadReason.PROBE_POWER_ON),
        ({"at": "2026-03-09T01:20:00Z", "temp_c": 300}, DeadReason.OUT_OF_RANGE),
        ({"at": "2026-03-09T01:20:00Z", "temp_c": float("nan")}, DeadReason.NOT_FINITE),
        ({"at": "2026-03-09T01:20:00", "temp_c": 4}, DeadReason.NO_ZONE),
        ({"at": "yesterday", "temp_c": 4}, DeadReason.TIME_UNREADABLE),
        ({"at": "0001-01-01T00:00:00+14:00", "temp_c": 4}, DeadReason.TIME_UNREADABLE),
        ({"at": "2026-03-09T01:20:00Z", "temp_c": "4.6"}, DeadReason.WRONG_SHAPE),
        ({"at": "2026-03-09T01:20:00Z", "temp_c": None}, DeadReason.WRONG_SHAPE),
        ({"at": "2026-03-09T01:20:00Z", "temp_c": 4, "probe": -1}, DeadReason.WRONG_SHAPE),
        (7, DeadReason.WRONG_SHAPE),
    ],
)
def test_a_bad_entry_costs_itself_alone(entry: object, reason: DeadReason) -> None:
    """The good entry beside it still counts, and the bad one is kept with its own bytes and the reason."""
    good = {"at": "2026-03-09T01:20:00Z", "temp_c": 4.6}
    message = decode("labrelay", payload(entry, good), device="LG-1")
    assert [reading.temp_c for reading in message.readings] == [4.6]
    assert [part.reason for part in message.bad] == [reason]
    assert message.bad[0].raw


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", DeadReason.NOT_JSON),
        (b"\xff\xfe\x00", DeadReason.NOT_TEXT),
        (b"{", DeadReason.NOT_JSON),
        (b"[]", DeadReason.WRONG_SHAPE),
        (b'{"readings": 3}', DeadReason.WRONG_SHAPE),
        (b'{"seq": -4, "readings": []}', DeadReason.WRONG_SHAPE),
        (b"[" * 100_000, DeadReason.NOT_JSON),
        (b"x" * 1_000_001, DeadReason.OVERSIZED),
    ],
)
def test_an_unreadable_message_names_its_reason(raw: bytes, reason: DeadReason) -> None:
    """Nothing of it can be used: UndecodableError with the reason."""
    with pytest.raises(UndecodableError) as error:
        decode("labrelay", raw, device="LG-1")
    assert error.value.reason is reason


def test_an_unknown_codec_is_a_reason_too() -> None:
    """A device profile may name a format that this installation does not know."""
    with pytest.raises(UndecodableError) as error:
        decode("morse", b"...", device="LG-1")
    assert error.value.reason is DeadReason.UNKNOWN_CODEC


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace"))))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    """Whatever arrives, decoding answers or raises UndecodableError."""
    try:
        decode("labrelay", raw, device="LG-1")
    except UndecodableError as error:
        assert error.reason  # noqa: PT017  # either outcome is right; only the type is checked


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.integers(), lambda c: (
    st.lists(c, max_size=3) | st.dictionaries(st.sampled_from(["at", "temp_c", "probe", "lat"]), c, max_size=4)
)))  # fmt: skip
def test_no_json_raises_anything_else(entry: object) -> None:
    """Well-formed JSON of the wrong shape is a bad part, never a crash."""
    message = decode("labrelay", payload(entry), device="LG-1")
    assert len(message.readings) + len(message.bad) == 1


def test_faults_of_probe_and_clock() -> None:
    """The limits themselves: −100 … 80 °C pass; five minutes ahead pass; commissioning time passes."""
    assert [probe_fault(t) for t in (-100.0, 80.0, 4.0)] == [None, None, None]
    assert time_fault(AT + timedelta(minutes=5), now=AT, commissioned_at=None) is None
    late = time_fault(AT + timedelta(minutes=5, seconds=1), now=AT, commissioned_at=None)
    assert late is QuarantineReason.IN_FUTURE
    assert time_fault(AT, now=AT, commissioned_at=AT) is None
    early = time_fault(AT - timedelta(seconds=1), now=AT, commissioned_at=AT)
    assert early is QuarantineReason.BEFORE_COMMISSIONING
