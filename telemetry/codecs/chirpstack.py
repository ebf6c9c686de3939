"""ChirpStack v4, uplink events as JSON (topic ``application/<id>/device/<EUI>/event/up``).

The values stand in ``object``, where the device profile of ChirpStack decodes them; ``fields`` says which is what.
The time is, in this order: a field named ``at``, the event's ``time``, the earliest gateway's. Redeliveries of an event
carry the same time, so that they are the same reading. Source: ChirpStack v4, "Event types", integration.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from telemetry.codecs.base import Codec, Source
from telemetry.codecs.values import Values, flat, instant, message, parsed, pick, zone
from telemetry.reading import DeadReason, Message, UndecodableError

FIELDS: Mapping[str, str] = {
    "temperature": "temp_c", "Temperature": "temp_c", "TempC_SHT": "temp_c", "TempC_DS": "temp_c@2", "temp": "temp_c",
    "humidity": "rh_pct", "Humidity": "rh_pct", "Hum_SHT": "rh_pct",
    "battery": "battery_pct", "BatV": "battery_v", "lid_open": "lid_open",
}  # fmt: skip


def decode(payload: bytes, source: Source) -> Message:
    """Raises UndecodableError: no_values when ChirpStack did not decode the bytes, or none of the fields is there."""
    body = parsed(payload)
    if "batteryLevel" in body:  # event/status
        return message(source, payload, [_status(body)])
    if "deviceInfo" not in body:
        raise UndecodableError(DeadReason.WRONG_SHAPE, "no deviceInfo")
    if "fPort" not in body and "object" not in body:  # join, ack, txack, log: heard of, nothing measured
        return Message(source.device, None, ())
    ports = source.options.get("ports")
    if ports and body.get("fPort") not in ports:
        return Message(source.device, None, ())
    decoded = body.get("object")
    if not isinstance(decoded, dict):
        raise UndecodableError(DeadReason.NO_VALUES, "ChirpStack decoded nothing: give its device profile a codec")
    values = pick(flat(decoded), source.options.get("fields") or FIELDS, zone(source))
    if not values.temps_c and not values.unreadable:
        raise UndecodableError(DeadReason.NO_VALUES, ", ".join(sorted(flat(decoded)))[:80])
    values.at = values.at or _time(body)
    return message(source, payload, [values])


def _status(body: Mapping[str, Any]) -> Values:
    if body.get("externalPowerSource") or body.get("batteryLevelUnavailable"):
        return Values()
    return pick(body, {"batteryLevel": "battery_pct"})


def _time(body: Mapping[str, Any]) -> datetime | None:
    if body.get("time"):
        return instant(body["time"])
    heard = body.get("rxInfo")
    times = [
        instant(info[name])
        for info in (heard if isinstance(heard, list) else [])
        if isinstance(info, dict)
        for name in ("gwTime", "nsTime", "time")
        if info.get(name)
    ]
    return min(times, default=None)


CODEC = Codec(
    "chirpstack",
    decode,
    options=frozenset({"fields", "ports", "zone", "arrival"}),
    topic="application/+/device/0101010101010101/event/+",
)
