"""Sparkplug B: births name the metrics, data carries aliases. The frames are put together here, byte by byte."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any

import pytest

from telemetry.codecs import Source, decode
from telemetry.reading import DeadReason, Message, UndecodableError

AT = datetime(2026, 3, 9, 1, 20, 15, tzinfo=UTC)
MS = 1773019215000
TOPIC = "spBv1.0/Xianning/{}/township-7/box-731"
INT8, INT32, FLOAT, DOUBLE, BOOLEAN = 1, 3, 9, 10, 11


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def key(number: int, wire: int) -> bytes:
    return varint(number << 3 | wire)


def text(number: int, value: bytes) -> bytes:
    return key(number, 2) + varint(len(value)) + value


def metric(
    name: str = "", alias: int | None = None, at: int | None = None, kind: int = FLOAT, value: Any = None,
    historical: bool = False,
) -> bytes:  # fmt: skip
    """Field numbers of sparkplug_b.proto: name 1, alias 2, timestamp 3, datatype 4, is_historical 5, is_null 7."""
    out = text(1, name.encode()) if name else b""
    out += b"" if alias is None else key(2, 0) + varint(alias)
    out += b"" if at is None else key(3, 0) + varint(at)
    out += key(4, 0) + varint(kind)
    out += key(5, 0) + varint(1) if historical else b""
    if value is None:
        return out + key(7, 0) + varint(1)
    if kind == FLOAT:
        return out + key(12, 5) + struct.pack("<f", value)
    if kind == DOUBLE:
        return out + key(13, 1) + struct.pack("<d", value)
    if kind == BOOLEAN:
        return out + key(14, 0) + varint(int(value))
    return out + key(10, 0) + varint(value & 0xFFFFFFFF)


def payload(*metrics: bytes, seq: int = 7) -> bytes:
    return key(1, 0) + varint(MS) + b"".join(text(2, one) for one in metrics) + key(3, 0) + varint(seq)


BIRTH = payload(
    metric("Temperature", 3, MS, FLOAT, 4.6),
    metric("Battery", 4, MS, INT32, 87),
    metric("LidOpen", 5, MS, BOOLEAN, False),
    metric("Node Control/Rebirth", 0, MS, BOOLEAN, False),
)


def read(kind: str, raw: bytes, **more: Any) -> Message:
    return decode("sparkplug_b", raw, device="LG-1", source=Source("LG-1", TOPIC.format(kind), **more))


def test_a_birth_names_metrics_and_is_a_reading_itself() -> None:
    """The values of the birth count, and its aliases are kept."""
    message = read("DBIRTH", BIRTH)
    [reading] = message.readings
    assert (reading.at, reading.temp_c, reading.battery_pct, reading.lid_open) == (AT, 4.6, 87, False)
    assert message.learnt == {
        "aliases": {"3": "Temperature", "4": "Battery", "5": "LidOpen", "0": "Node Control/Rebirth"}
    }


def test_data_by_alias() -> None:
    """Names come from the birth; each metric's own time counts; stored and forwarded ones are readings like others."""
    learnt = read("DBIRTH", BIRTH).learnt or {}
    raw = payload(
        metric(alias=3, at=MS - 600_000, value=5.5, historical=True),
        metric(alias=3, at=MS - 300_000, value=5.0, historical=True),
        metric(alias=4, at=MS - 300_000, kind=INT32, value=3, historical=True),
        metric(alias=3, value=4.5),
    )
    message = read("DDATA", raw, learnt=learnt)
    seconds = [int((AT - one.at).total_seconds()) for one in message.readings]
    assert list(zip(seconds, (one.temp_c for one in message.readings), strict=True)) == [
        (600, 5.5), (300, 5.0), (0, 4.5),
    ]  # fmt: skip
    assert message.bad == ()
    assert read("DDATA", raw, learnt=learnt) == message


def test_data_before_any_birth_waits() -> None:
    """An alias that nobody named: the bytes are kept whole and can be decoded again after a birth."""
    raw = payload(metric(alias=3, value=4.5))
    message = read("DDATA", raw)
    assert message.readings == ()
    assert [(part.reason, part.detail, part.raw) for part in message.bad] == [(DeadReason.UNKNOWN_ALIAS, "3", raw)]
    assert read("DDATA", raw, learnt={"aliases": {"3": "Temperature"}}).readings[0].temp_c == 4.5


def test_signed_numbers_and_null() -> None:
    """−5 as an Int8 travels as 251; null is a probe that gives nothing; another name by the device's options."""
    fields = {"Cargo/T": "temp_c@2", "Temperature": "temp_c"}
    raw = payload(metric("Cargo/T", kind=INT8, value=251), metric("Temperature", value=None))
    message = read("DBIRTH", raw, options={"fields": fields})
    assert [(one.probe, one.temp_c) for one in message.readings] == [(2, -5.0)]
    assert [(part.reason, part.probe) for part in message.bad] == [(DeadReason.PROBE_DISCONNECTED, 1)]
    long = payload(metric("Temperature", kind=INT32, value=-5))
    assert read("DDATA", long).readings[0].temp_c == -5.0


def test_deaths_commands_and_noise() -> None:
    """Deaths and commands measure nothing; no protobuf and no type are refused."""
    assert read("DDEATH", b"").readings == ()
    assert read("NCMD", b"").readings == ()
    for kind, raw, reason in (
        ("DDATA", b"\xff\xff\xff", DeadReason.WRONG_SHAPE),
        ("STATE", b"ONLINE", DeadReason.BAD_TOPIC),
    ):
        with pytest.raises(UndecodableError) as error:
            read(kind, raw)
        assert error.value.reason is reason
