"""The custody log: what an event is, its canonical text, and the hash chain of a stream.

What an outside tracker calls them: ``set_codes``.
The hashed text is the stored text: it is verified as it stands, never serialised again. It holds no floats,
because serialisers disagree on them; measured values are decimal strings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from logistics.errors import Invalid

GENESIS = "0" * 64
SEPARATOR = "\n"
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_SAFE = frozenset({str, int, bool, type(None)})


class EventType(StrEnum):
    """What may happen to a specimen or a consignment."""

    REGISTERED = "registered"
    COLLECTED = "collected"
    COLLECTION_FAILED = "collection_failed"
    PACKED = "packed"
    UNPACKED = "unpacked"
    SEALED = "sealed"
    UNSEALED = "unsealed"
    HANDED_OVER = "handed_over"
    HANDED_IN = "handed_in"  # sealed, at a site that is not its destination: a transfer point, or a deliberate stop
    ARRIVED = "arrived"
    RECEIVED = "received"
    RECEIVED_UNEXPECTED = "received_unexpected"
    DECLARED_MISSING = "declared_missing"
    ACCEPTED = "accepted"
    ACCEPTED_CONCESSION = "accepted_concession"
    REJECTED = "rejected"
    HELD = "held"
    RELEASED = "released"
    LOST = "lost"
    FOUND = "found"
    FOUND_AT_ORIGIN = "found_at_origin"  # it never left the site that collected it
    TESTS_REJECTED = "tests_rejected"  # some tests cannot be done on the tube, the others can
    RECALLED = "recalled"
    RETURNED = "returned"  # a recalled tube is in somebody's hands, set aside
    DISPOSED = "disposed"
    NOTED = "noted"
    CORRECTED = "corrected"
    # consignments alone
    OPENED = "opened"
    UNEXPECTED_TUBE = "unexpected_tube"
    DEVIATION = "deviation"  # something is wrong with the box
    SETTLED = "settled"  # what was found in or on the box has been dealt with
    CLOSED = "closed"
    CANCELLED = "cancelled"
    HANDOVER_SIGNED = "handover_signed"  # the giver's half of a handover that was signed on two devices
    SEAL_BROKEN = "seal_broken"
    RESEALED = "resealed"


LOCKING = frozenset({EventType.SEALED, EventType.RESEALED})
"""Events of a consignment that lock a version of its manifest and hold its hash."""


@dataclass(frozen=True, slots=True)
class Event:
    """One link. ``occurred_at`` is when it happened, ``recorded_at`` when the server learned of it (both UTC).

    Three things tie it to what stands around it: ``act_sha256`` to its act as it was sent, ``after`` to the row of its
    subject as the event leaves it (``domain.sums``), ``lane`` and ``place`` to the events recorded before it and after
    it, whatever they are about: a lane's places run from 1 without a hole.
    """

    stream: str
    seq: int
    type: EventType
    act_id: str
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    actor_name: str = ""
    device: str = ""
    how: str = ""  # scanned | typed | ticked | imported
    site: str | None = None
    lat: str | None = None  # WGS-84, decimal string
    lon: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    act_sha256: str = ""
    after: str = ""
    lane: int = 0
    place: int = 0


def specimen_stream(specimen_id: int) -> str:
    return f"specimen:{specimen_id}"


def item_stream(number: str) -> str:
    return f"item:{number}"


def consignment_stream(number: str) -> str:
    return f"consignment:{number}"


def canonical_json(value: Any) -> str:
    """Sorted keys, no spaces, real characters. Raises Invalid for a float anywhere inside."""
    _refuse_floats(value)
    return plain_json(value)


def plain_json(value: Any) -> str:
    """The same of what was checked when it was written."""
    return _ENCODER.encode(value)


def canonical_text(event: Event) -> str:
    """The text of ``event`` that is stored and hashed."""
    body: dict[str, Any] = {
        "act": event.act_id,
        "act_sha256": event.act_sha256,
        "actor": event.actor,
        "actor_name": event.actor_name,
        "after": event.after,
        "at": event.occurred_at.isoformat(),
        "device": event.device,
        "how": event.how,
        "log": [event.lane, event.place],
        "payload": dict(event.payload),
        "position": [event.lat, event.lon] if event.lat is not None else None,
        "recorded": event.recorded_at.isoformat(),
        "seq": event.seq,
        "site": event.site,
        "stream": event.stream,
        "type": event.type.value,
    }
    return canonical_json(body)


def read_text(text: str) -> Event:
    """The event that a canonical text describes."""
    body = json.loads(text)
    position = body["position"] or (None, None)
    return Event(
        stream=body["stream"],
        seq=body["seq"],
        type=EventType(body["type"]),
        act_id=body["act"],
        occurred_at=datetime.fromisoformat(body["at"]),
        recorded_at=datetime.fromisoformat(body["recorded"]),
        actor=body["actor"],
        actor_name=body["actor_name"],
        device=body["device"],
        how=body["how"],
        site=body["site"],
        lat=position[0],
        lon=position[1],
        payload=body["payload"],
        act_sha256=body["act_sha256"],
        after=body["after"],
        lane=body["log"][0],
        place=body["log"][1],
    )


def chain_hash(previous: str, text: str) -> str:
    """SHA-256 (hex) over the hash before and the text."""
    return hashlib.sha256(f"{previous}{SEPARATOR}{text}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Link:
    """A stored event as it is verified."""

    stream: str
    seq: int
    text: str
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain does not hold: gap | previous | hash | content."""

    stream: str
    seq: int
    kind: str


def verify(links: Iterable[Link]) -> list[Break]:
    """The breaks in the chains of ``links``, which come ordered by (stream, seq). Empty when all hold."""
    broken = []
    stream, seq, head = "", 0, GENESIS
    for link in links:
        if link.stream != stream:
            stream, seq, head = link.stream, 0, GENESIS
        seq += 1
        if link.seq != seq:
            broken.append(Break(link.stream, seq, "gap"))
            seq = link.seq
        elif link.previous != head:
            broken.append(Break(link.stream, link.seq, "previous"))
        if chain_hash(link.previous, link.text) != link.hash:
            broken.append(Break(link.stream, link.seq, "hash"))
        else:
            event = read_text(link.text)
            if event.stream != link.stream or event.seq != link.seq:
                broken.append(Break(link.stream, link.seq, "content"))
        head = link.hash
    return broken


def _refuse_floats(value: Any) -> None:
    if type(value) in _SAFE:
        return
    if isinstance(value, float):
        raise Invalid("float_in_log", field="payload")
    if isinstance(value, Mapping):
        for inner in value.values():
            _refuse_floats(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _refuse_floats(inner)
