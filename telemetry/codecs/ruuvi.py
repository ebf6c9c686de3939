"""Ruuvi Gateway: advertisements of RuuviTags, data format 5 (RAWv2), over MQTT or as the HTTP body with many tags.

Over MQTT each tag has its own topic ``ruuvi/<gateway>/<tag>`` and is a device of its own, whichever gateway hears it
(``ruuvi/+/<tag>``). In the HTTP body the gateway is the device and ``probes`` gives each tag its number. ``ts`` is when
the gateway heard the tag; ``gwts``, when it passed that on, is not used. The same measurement is sent several times and
heard by several gateways: its number tells. Source: docs.ruuvi.com, "Data format 5", "Gateway data formats".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from telemetry.codecs.base import Codec, Source
from telemetry.codecs.values import Values, instant, lithium_pct, message, parsed
from telemetry.reading import BadPart, DeadReason, Message, UndecodableError

_COMPANY = b"\x99\x04"  # Ruuvi Innovations, little-endian
_MANUFACTURER_DATA = 0xFF
_FORMAT = 5
_LENGTH = 24
_NO_TEMPERATURE = -0x8000
_NO_HUMIDITY = 0xFFFF
_NO_VOLTAGE = 0x7FF
_NO_NUMBER = 0xFFFF
# The number of measurements goes round after 65,535; the same number within this time is the same measurement.
_SAME = timedelta(minutes=10)


def decode(payload: bytes, source: Source) -> Message:
    """Raises UndecodableError for another data format and for bytes that are no advertisement."""
    body = parsed(payload)
    data = body.get("data")
    if isinstance(data, str):
        values, number = _tag(data)
        values.at = instant(body["ts"]) if body.get("ts") else None
        return _message(payload, source, [(1, values, number)], [])
    if isinstance(data, dict) and isinstance(data.get("tags"), dict):
        return _many(payload, source, data["tags"])
    if "status" in body or "gw_mac" in body:  # the gateway itself: online, offline
        return Message(source.device, None, ())
    raise UndecodableError(DeadReason.WRONG_SHAPE, "no data")


def _many(payload: bytes, source: Source, tags: Mapping[str, Any]) -> Message:
    """The body of a gateway. Tags that are nobody's probe are named once each and otherwise passed over."""
    probes = {str(name).replace(":", "").lower(): probe for name, probe in source.options.get("probes", {}).items()}
    found: list[tuple[int, Values, int | None]] = []
    bad: list[BadPart] = []
    for name, tag in tags.items():
        mac = str(name).replace(":", "").lower()
        if mac not in probes:
            bad.append(BadPart(mac.encode("utf-8", "replace")[:40], DeadReason.UNKNOWN_PROBE, part=True))
            continue
        if not isinstance(tag, dict):
            bad.append(BadPart(payload, DeadReason.WRONG_SHAPE, mac))
            continue
        try:
            values, number = _tag(str(tag.get("data", "")))
            values.at = instant(tag["timestamp"]) if tag.get("timestamp") else None
        except UndecodableError as error:
            bad.append(BadPart(payload, error.reason, f"{mac} {error.detail}"[:80], probe=probes[mac]))
            continue
        values.temps_c = {probes[mac]: values.temps_c[1]}
        found.append((probes[mac], values, number))
    return _message(payload, source, found, bad)


def _message(
    payload: bytes, source: Source, found: list[tuple[int, Values, int | None]], bad: list[BadPart]
) -> Message:
    learnt = dict(source.learnt)
    fresh: list[Values] = []
    for probe, values, number in found:
        key = str(probe)
        if values.at is None or number is None:
            fresh.append(values)
        elif not _known(learnt.get(key), number, values.at):
            fresh.append(values)
            learnt[key] = [number, values.at.isoformat()]
    return message(source, payload, fresh, bad=bad, learnt=learnt if learnt != dict(source.learnt) else None)


def _known(last: Any, number: int, at: datetime) -> bool:
    """Another copy of the newest measurement. The copy with its very time passes: it is found out by its key."""
    if not isinstance(last, list) or len(last) != 2 or last[0] != number:
        return False
    return timedelta(0) < abs(at - datetime.fromisoformat(last[1])) < _SAME


def _tag(advertisement: str) -> tuple[Values, int | None]:
    """The values of an advertisement (hex) and the number of its measurement. Raises UndecodableError."""
    try:
        raw = bytes.fromhex(advertisement)
    except ValueError:
        raise UndecodableError(DeadReason.WRONG_SHAPE, "no hex") from None
    data = _manufacturer_data(raw)
    if len(data) < _LENGTH or data[0] != _FORMAT:
        raise UndecodableError(DeadReason.WRONG_SHAPE, f"data format {data[0] if data else 'none'}")
    temperature = int.from_bytes(data[1:3], "big", signed=True)
    humidity = int.from_bytes(data[3:5], "big")
    voltage = int.from_bytes(data[13:15], "big") >> 5
    number = int.from_bytes(data[16:18], "big")
    values = Values(temps_c={1: None if temperature == _NO_TEMPERATURE else round(temperature * 0.005, 3)})
    if humidity != _NO_HUMIDITY:
        values.rh_pct = min(round(humidity * 0.0025, 4), 100.0)
    if voltage != _NO_VOLTAGE:
        values.battery_pct = lithium_pct((voltage + 1600) / 1000)
    return values, None if number == _NO_NUMBER else number


def _manufacturer_data(raw: bytes) -> bytes:
    """Ruuvi's part of an advertisement: length, type, data, length, type, data, …"""
    here = 0
    while here + 1 < len(raw) and raw[here]:
        part = raw[here + 1 : here + 1 + raw[here]]
        if part[0] == _MANUFACTURER_DATA and part[1:3] == _COMPANY:
            return part[3:]
        here += 1 + raw[here]
    return b""


CODEC = Codec("ruuvi", decode, options=frozenset({"probes", "arrival"}), topic="ruuvi/+/F4:1F:0C:28:CB:D6")
