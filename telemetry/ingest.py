"""From messages to rows, one transaction a batch: decode → check → store → evaluate → mark the device.

    with transaction() as session:
        result = ingest.store_batch(session, messages, now=clock.now())
    … acknowledge the messages, publish result.receipts and result.requests

The caller commits, and acknowledges only after that. Nothing that arrives is dropped: what cannot be used is a
dead letter, what has an impossible time is in quarantine, and a repeated message changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from logistics.db import insert_ignoring
from telemetry import codecs, routes, sequence, store, topics, watch
from telemetry.evaluate import evaluate
from telemetry.models import DeadLetter, Device, QuarantinedReading
from telemetry.reading import (
    BadPart,
    DeadReason,
    Message,
    QuarantineReason,
    Reading,
    UndecodableError,
    time_fault,
)

_TOPIC_MOST = 200
_DETAIL_MOST = 200


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it came. ``device`` where the channel says who sent it, else the topic does.

    ``received_at``: when it came, where that is not now; the time of readings whose format has none.
    """

    topic: str
    payload: bytes
    device: str | None = None
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a device may forget: everything up to ``stored_up_to``, and the single numbers in ``stored``."""

    device: str
    stored_up_to: int
    stored: tuple[int, ...]

    def body(self) -> dict[str, Any]:
        return {"stored_up_to": self.stored_up_to, "stored": list(self.stored)}


@dataclass(frozen=True, slots=True)
class Request:
    """Messages that a device should send again, both ends included."""

    device: str
    first: int
    last: int

    def body(self) -> dict[str, Any]:
        return {"from": self.first, "to": self.last}


@dataclass(slots=True)
class Outcome:
    """What became of one message."""

    device: str | None
    seq: int | None = None
    readings: int = 0
    duplicates: int = 0
    quarantined: int = 0
    refused: list[str] = field(default_factory=list)


@dataclass(slots=True)
class BatchResult:
    """What became of a batch; ``outcomes`` in the order of the messages."""

    outcomes: list[Outcome] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    excursions: int = 0

    @property
    def stored(self) -> int:
        return sum(outcome.readings - outcome.duplicates for outcome in self.outcomes)

    @property
    def duplicates(self) -> int:
        return sum(outcome.duplicates for outcome in self.outcomes)

    @property
    def dead_letters(self) -> int:
        return sum(len(outcome.refused) for outcome in self.outcomes)


def store_batch(session: Session, messages: Sequence[Incoming], *, now: datetime) -> BatchResult:
    """Store a batch of messages. Safe to repeat: the same messages again change nothing."""
    result = BatchResult()
    names = _names(session, messages)
    devices = _devices(session, {name for name in names if name})
    decoded: list[tuple[Outcome, list[Reading]]] = []
    troubled: list[watch.Heard] = []
    for incoming, name in zip(messages, names, strict=True):
        outcome = Outcome(name)
        result.outcomes.append(outcome)
        message = _decode(session, incoming, name, devices, outcome, now)
        if message is None:
            continue
        outcome.seq = message.seq
        for part in message.bad:
            _bury(session, incoming, name, part, outcome, now)
        device = devices[message.device]
        if message.learnt is not None:
            device.learnt = dict(message.learnt)
        timely = _timely(session, message, device, outcome, now)
        if watch.matters(bool(device.conditions), message, timely):
            troubled.append((device.code, message, timely))
        decoded.append((outcome, timely))
    new = _insert(session, decoded, now)
    result.excursions = evaluate(session, new, now=now)
    watch.observe_all(session, troubled, now=now)
    _mark(devices, decoded, result, now)
    return result


def _names(session: Session, messages: Sequence[Incoming]) -> list[str | None]:
    """Who sent each message: the channel, our own topic, or a topic that the register knows as a device's."""
    names = [message.device or topics.device_of(message.topic) for message in messages]
    foreign = {message.topic for message, name in zip(messages, names, strict=True) if name is None}
    if foreign:
        known = routes.devices_of(session, foreign)
        names = [name or known.get(message.topic) for message, name in zip(messages, names, strict=True)]
    return names


def _devices(session: Session, names: set[str]) -> dict[str, Device]:
    """The devices of the batch, locked in order: their sequence spans are read, extended and written back."""
    if not names:
        return {}
    wanted = select(Device).where(Device.code.in_(sorted(names))).order_by(Device.code).with_for_update()
    return {device.code: device for device in session.scalars(wanted.execution_options(populate_existing=True))}


def _decode(
    session: Session,
    incoming: Incoming,
    name: str | None,
    devices: Mapping[str, Device],
    outcome: Outcome,
    now: datetime,
) -> Message | None:
    if name is None:
        _bury(session, incoming, None, BadPart(incoming.payload, DeadReason.BAD_TOPIC), outcome, now)
        return None
    device = devices.get(name)
    if device is None:
        _bury(session, incoming, name, BadPart(incoming.payload, DeadReason.UNKNOWN_DEVICE), outcome, now)
        return None
    try:
        return codecs.decode(device.codec, incoming.payload, device=name, source=_source(device, incoming, now))
    except UndecodableError as error:
        _bury(session, incoming, name, BadPart(incoming.payload, error.reason, error.detail), outcome, now)
        return None


def _source(device: Device, incoming: Incoming, now: datetime) -> codecs.Source | None:
    if device.codec == codecs.DEFAULT_CODEC:
        return None
    return codecs.Source(
        device.code, incoming.topic, incoming.received_at or now, device.options or {}, device.learnt or {}
    )


def _bury(
    session: Session, incoming: Incoming, name: str | None, part: BadPart, outcome: Outcome, now: datetime
) -> None:
    """Keep bytes that cannot be used; the same bytes again are the same row."""
    outcome.refused.append(part.reason.value)
    topic = _clean(incoming.topic, _TOPIC_MOST)
    digest = hashlib.sha256(b"\0".join([topic.encode(), part.reason.value.encode(), part.raw])).hexdigest()
    row = {
        "received_at": now,
        "device_code": _clean(name, _TOPIC_MOST) if name else None,
        "topic": topic,
        "raw": part.raw,
        "reason": part.reason.value,
        "detail": _clean(part.detail, _DETAIL_MOST),
        "digest": digest,
        "state": "kept",
        "count": 1,
        "part": part.part,
    }
    if not insert_ignoring(session, DeadLetter.__table__, row):
        session.execute(update(DeadLetter).where(DeadLetter.digest == digest).values(count=DeadLetter.count + 1))


def _clean(text: str, most: int) -> str:
    """Text that any database takes."""
    return text.replace("\0", "�").encode("utf-8", "replace").decode()[:most]


def _timely(session: Session, message: Message, device: Device, outcome: Outcome, now: datetime) -> list[Reading]:
    """The readings whose time can be right; the others go to quarantine."""
    timely: list[Reading] = []
    for reading in message.readings:
        fault = time_fault(reading.at, now=now, commissioned_at=device.commissioned_at)
        if fault is None:
            timely.append(reading)
        else:
            _quarantine(session, reading, fault, now)
            outcome.quarantined += 1
    return timely


def _quarantine(session: Session, reading: Reading, fault: QuarantineReason, now: datetime) -> None:
    body = asdict(reading) | {"at": reading.at.isoformat()}
    row = {
        "device_code": reading.device,
        "probe": reading.probe,
        "at": reading.at,
        "temp_c": reading.temp_c,
        "body": body,
        "reason": fault.value,
        "received_at": now,
        "state": "held",
    }
    insert_ignoring(session, QuarantinedReading.__table__, row)


def _insert(
    session: Session, decoded: Sequence[tuple[Outcome, list[Reading]]], now: datetime
) -> list[tuple[store.Key, float]]:
    """Store the readings and count each message's duplicates. Gives the new keys with their temperatures."""
    temps = {
        (reading.device, reading.probe, reading.at): reading.temp_c
        for _, readings in reversed(decoded)
        for reading in reversed(readings)
    }
    first = [reading for _, readings in decoded for reading in readings]
    new = set(store.insert_readings(session, reversed(first), now=now))
    counted = set(new)
    again: list[tuple[Outcome, Reading]] = []
    for outcome, readings in decoded:
        outcome.readings = len(readings)
        for reading in readings:
            key = (reading.device, reading.probe, reading.at)
            if key in counted:
                counted.remove(key)
            else:
                outcome.duplicates += 1
                again.append((outcome, reading))
    _restamped(session, again, now)
    return [(key, temps[key]) for key in sorted(new)]


def _restamped(session: Session, again: Sequence[tuple[Outcome, Reading]], now: datetime) -> None:
    """Of readings whose instant is taken: those with another value than the stored one have a wrong time."""
    stored = store.temps(session, {(one.device, one.probe, one.at) for _, one in again})
    for outcome, one in again:
        if abs(stored.get((one.device, one.probe, one.at), one.temp_c) - one.temp_c) >= store.SAME_C:
            _quarantine(session, one, QuarantineReason.RESTAMPED, now)
            outcome.duplicates -= 1
            outcome.readings -= 1
            outcome.quarantined += 1


def _mark(
    devices: Mapping[str, Device],
    decoded: Sequence[tuple[Outcome, list[Reading]]],
    result: BatchResult,
    now: datetime,
) -> None:
    """Bring the devices' rows up to date and say what they may forget and what is missing."""
    numbers: dict[str, list[int]] = {}
    for outcome, readings in decoded:
        if outcome.device is None:
            continue
        device = devices[outcome.device]
        device.last_seen_at = now
        if outcome.seq is not None:
            numbers.setdefault(device.code, []).append(outcome.seq)
        if readings:
            newest = max(readings, key=lambda reading: reading.at)
            if device.last_reading_at is None or newest.at > device.last_reading_at:
                device.last_reading_at = newest.at
                if newest.battery_pct is not None:
                    device.battery_pct = newest.battery_pct
    for code, seqs in sorted(numbers.items()):
        device = devices[code]
        spans = sequence.add(device.seq_spans, seqs)
        device.seq_spans = [list(span) for span in spans]
        device.last_seq = sequence.stored_up_to(spans)
        if device.receipts and device.last_seq is not None:
            result.receipts.append(Receipt(code, device.last_seq, tuple(sorted(set(seqs)))))
            result.requests.extend(Request(code, first, last) for first, last in sequence.holes(spans))


def take(session: Session, device: Device, message: Message, topic: str, *, now: datetime) -> Outcome:
    """Store readings that came on no channel, from a file, as a batch would. The caller holds the device's row."""
    outcome = Outcome(device.code)
    for part in message.bad:
        _bury(session, Incoming(topic, part.raw), device.code, part, outcome, now)
    decoded = [(outcome, _timely(session, message, device, outcome, now))]
    evaluate(session, _insert(session, decoded, now), now=now)
    _mark({device.code: device}, decoded, BatchResult(), now)
    return outcome


def bury_unstorable(session: Session, incoming: Incoming, *, now: datetime) -> None:
    """Keep a message that the pipeline itself cannot store, so that it does not stop those behind it."""
    name = incoming.device or topics.device_of(incoming.topic)
    part = BadPart(incoming.payload, DeadReason.NOT_STORABLE)
    _bury(session, incoming, name, part, Outcome(name), now)
