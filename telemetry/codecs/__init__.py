"""Formats of loggers and gateways. A new one is a module with a ``CODEC`` and a line in the table below."""

from __future__ import annotations

from telemetry.codecs import chirpstack, labrelay, ruuvi, shelly, sparkplug, tasmota, zigbee2mqtt
from telemetry.codecs.base import MAX_PAYLOAD_BYTES, Codec, Source
from telemetry.reading import DeadReason, Message, UndecodableError

CODECS: dict[str, Codec] = {
    codec.name: codec
    for codec in (
        labrelay.CODEC,
        chirpstack.CODEC,
        ruuvi.CODEC,
        shelly.CODEC,
        tasmota.CODEC,
        zigbee2mqtt.CODEC,
        sparkplug.CODEC,
    )
}
DEFAULT_CODEC = labrelay.CODEC.name


def decode(name: str, payload: bytes, *, device: str, source: Source | None = None) -> Message:
    """Decode with the codec of that name. Raises UndecodableError, and only that, whatever the bytes are.

    ``source``: what is known of the sender; the project's own format needs no more than its name.
    """
    codec = CODECS.get(name)
    if codec is None:
        raise UndecodableError(DeadReason.UNKNOWN_CODEC, name[:40])
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise UndecodableError(DeadReason.OVERSIZED, str(len(payload)))
    return codec.decode(payload, source or Source(device))


__all__ = ["CODECS", "DEFAULT_CODEC", "Codec", "Source", "decode"]
