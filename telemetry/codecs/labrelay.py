"""Labrelay's own payload: ``{"seq": 118, "readings": [{"at": …, "probe": 1, "temp_c": 4.6, …}, …]}``.

The format is described in docs/formats/mqtt.md. The common case is decoded in one typed pass; only when that
fails is the message read again entry by entry, so that one bad entry costs itself alone.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from telemetry.codecs.base import Codec, Source
from telemetry.reading import BadPart, DeadReason, Message, Reading, UndecodableError, probe_fault

_Probe = Annotated[int, msgspec.Meta(ge=0, le=255)]
_Seq = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]


class _Entry(msgspec.Struct, gc=False):
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    temp_c: float
    probe: _Probe = 1
    rh_pct: _Percent | None = None
    battery_pct: _Percent | None = None
    lid_open: bool | None = None
    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)] | None = None
    lon: Annotated[float, msgspec.Meta(ge=-180, le=180)] | None = None


class _Payload(msgspec.Struct, gc=False):
    readings: list[_Entry]
    seq: _Seq | None = None


_decoder = msgspec.json.Decoder(_Payload)


def decode(payload: bytes, source: Source) -> Message:
    """Raises UndecodableError when nothing of the message can be read."""
    try:
        return _typed(_decoder.decode(payload), source.device)
    except (msgspec.DecodeError, UnicodeDecodeError, OverflowError):
        return _decode_by_entry(payload, source.device)


def whole(part: bytes) -> bytes:
    """A message with this one entry, for decoding it again; without a number: its message has been receipted."""
    return b'{"readings":[' + part + b"]}"


def _typed(body: _Payload, device: str) -> Message:
    readings: list[Reading] = []
    bad: list[BadPart] = []
    for entry in body.readings:
        fault = probe_fault(entry.temp_c)
        if fault is None:
            readings.append(_reading(entry, device))
        else:
            raw = msgspec.json.encode(entry)
            bad.append(BadPart(raw, fault, probe=entry.probe, at=entry.at.astimezone(UTC), part=True))
    return Message(device, body.seq, tuple(readings), tuple(bad))


def _reading(entry: _Entry, device: str) -> Reading:
    return Reading(
        device, entry.probe, entry.at.astimezone(UTC), entry.temp_c, entry.rh_pct, entry.battery_pct, entry.lid_open,
        entry.lat, entry.lon,
    )  # fmt: skip


def _decode_by_entry(payload: bytes, device: str) -> Message:
    body = _parse(payload)
    if not isinstance(body, dict) or not isinstance(body.get("readings"), list):
        raise UndecodableError(DeadReason.WRONG_SHAPE, "no list of readings")
    try:
        seq = msgspec.convert(body.get("seq"), _Seq | None)
    except msgspec.ValidationError as error:
        raise UndecodableError(DeadReason.WRONG_SHAPE, f"seq: {error}") from None
    readings: list[Reading] = []
    bad: list[BadPart] = []
    for item in body["readings"]:
        part = _entry(item, device)
        if isinstance(part, Reading):
            readings.append(part)
        else:
            bad.append(part)
    return Message(device, seq, tuple(readings), tuple(bad))


def _parse(payload: bytes) -> Any:
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        raise UndecodableError(DeadReason.NOT_TEXT) from None
    try:
        return json.loads(text)  # unlike msgspec it reads NaN, which some loggers send for a lost probe
    except (ValueError, RecursionError) as error:
        raise UndecodableError(DeadReason.NOT_JSON, str(error)[:80]) from None


def _entry(item: Any, device: str) -> Reading | BadPart:
    raw = json.dumps(item, ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        entry = msgspec.convert(item, _Entry)
        fault = probe_fault(entry.temp_c)
        reading = _reading(entry, device)
        return reading if fault is None else BadPart(raw, fault, probe=entry.probe, at=reading.at, part=True)
    except msgspec.ValidationError as error:
        return BadPart(raw, _reason(str(error)), str(error)[:120], part=True)
    except OverflowError as error:  # year 1 or 9999 with an offset has no UTC counterpart
        return BadPart(raw, DeadReason.TIME_UNREADABLE, str(error)[:120], part=True)


def _reason(message: str) -> DeadReason:
    if "timezone" in message:
        return DeadReason.NO_ZONE
    if "RFC3339" in message or "$.at" in message:
        return DeadReason.TIME_UNREADABLE
    return DeadReason.WRONG_SHAPE


CODEC = Codec("labrelay", decode, whole=whole, receipts=True)
