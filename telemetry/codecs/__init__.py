"""Formats of loggers and gateways. A new one is a module with a ``CODEC`` and a line in the table below."""

from __future__ import annotations

from telemetry.codecs import labrelay
from telemetry.codecs.base import MAX_PAYLOAD_BYTES, Codec
from telemetry.reading import DeadReason, Message, UndecodableError

CODECS: dict[str, Codec] = {codec.name: codec for codec in (labrelay.CODEC,)}
DEFAULT_CODEC = labrelay.CODEC.name


def decode(name: str, payload: bytes, *, device: str) -> Message:
    """Decode with the codec of that name. Raises UndecodableError, and only that, whatever the bytes are."""
    codec = CODECS.get(name)
    if codec is None:
        raise UndecodableError(DeadReason.UNKNOWN_CODEC, name[:40])
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise UndecodableError(DeadReason.OVERSIZED, str(len(payload)))
    return codec.decode(payload, device=device)


__all__ = ["CODECS", "DEFAULT_CODEC", "Codec", "decode"]
