"""What a codec is: bytes and what is known of their sender in, a message out, nothing else. No clock, no database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from telemetry.reading import Message

MAX_PAYLOAD_BYTES = 1_000_000


class Source(NamedTuple):
    """Who sent the bytes, and what is known beforehand.

    ``received_at``: when we got them, the only time there is in formats without one. ``options``: the device's
    (telemetry.codecs.options). ``learnt``: what earlier messages of it told (``Message.learnt``).
    """

    device: str
    topic: str = ""
    received_at: datetime | None = None
    options: Mapping[str, Any] = {}
    learnt: Mapping[str, Any] = {}


Decode = Callable[[bytes, Source], Message]
"""Raises UndecodableError when nothing of the bytes can be read."""


@dataclass(frozen=True, slots=True)
class Codec:
    """A format by name.

    ``whole`` makes a message again of one entry's bytes (BadPart.part). ``receipts``: its devices number their
    messages. ``options`` are those that it reads; ``topic`` is an example of where its devices publish.
    """

    name: str
    decode: Decode
    whole: Callable[[bytes], bytes] | None = None
    receipts: bool = False
    options: frozenset[str] = frozenset()
    topic: str = ""
