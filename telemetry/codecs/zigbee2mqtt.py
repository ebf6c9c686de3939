"""Zigbee2MQTT: ``zigbee2mqtt/<friendly name>``.

The time is ``last_seen`` (set ``advanced.last_seen`` to ISO_8601 or epoch; else the option ``arrival`` is needed).
``ISO_8601_local`` carries an offset and is fine too. A device repeats its whole state at every change: the same
``last_seen`` is the same reading. Source: www.zigbee2mqtt.io, "MQTT topics and messages", "Settings: last_seen".
"""

from __future__ import annotations

from collections.abc import Mapping

from telemetry.codecs.base import Codec, Source
from telemetry.codecs.values import flat, instant, message, parsed, pick, zone
from telemetry.reading import Message

FIELDS: Mapping[str, str] = {
    "temperature": "temp_c", "humidity": "rh_pct", "battery": "battery_pct", "voltage": "battery_mv",
    "contact": "lid_closed",
}  # fmt: skip


def decode(payload: bytes, source: Source) -> Message:
    """Raises UndecodableError: no_time when the message has none and the device's options do not allow it."""
    body = parsed(payload)
    values = pick(flat(body), source.options.get("fields") or FIELDS, zone(source))
    if values.at is None and body.get("last_seen"):
        values.at = instant(body["last_seen"], zone(source))
    return message(source, payload, [values])


CODEC = Codec("zigbee2mqtt", decode, options=frozenset({"fields", "zone", "arrival"}), topic="zigbee2mqtt/box-731/+")
