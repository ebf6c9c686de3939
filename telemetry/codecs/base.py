"""What a codec is: bytes in, a message out, nothing else. No clock, no database, no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from telemetry.reading import Message

MAX_PAYLOAD_BYTES = 1_000_000


class Decode(Protocol):
    """``device`` is who the broker says sent it (from the topic); raises UndecodableError."""

    def __call__(self, payload: bytes, *, device: str) -> Message: ...


@dataclass(frozen=True, slots=True)
class Codec:
    """A format by name."""

    name: str
    decode: Decode
