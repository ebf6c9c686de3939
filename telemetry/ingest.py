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
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from logistics.among import among
from logistics.db import insert_ignoring
from telemetry import codecs, routes, sequence, store, topics, watch
from telemetry.evaluate import evaluate
from telemetry.models import DeadLetter, Device, QuarantinedReading
from telemetry.reading import (
    EARLIEST,
    FUTURE_TOLERANCE,
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


class Incoming(msgspec.Struct, gc=False):
    """A message as it came. ``device`` where the channel says who sent it, else the topic does.

    ``received_at``: when it came, where that is not now; the time of readings whose format has none.
    """

    topic: str
    payload: bytes
    device: str | None = None
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a device may forget: the numbers from ``stored_from`` to ``stored_up_to``, and the single ones in
    ``stored``. What lies before ``stored_from`` never came here."""

    device: str
    stored_from: int
    stored_up_to: int
    stored: tuple[int, ...]

    def body(self) -> dict[str, Any]:
        return {"stored_from": self.stored_from, "stored_up_to": self.stored_up_to, "stored": list(self.stored)}


@dataclass(frozen=True, slots=True)
class Request:
    """Messages that a device should send again, both ends included."""

    device: str
    first: int
    last: int

    def body(self) -> dict[str, Any]:
        return {"from": self.first, "to": self.last}


class Outcome(msgspec.Struct, gc=False):
    """What became of one message."""

    device: str | None
    seq: int | None = None
    readings: int = 0
    duplicates: int = 0
    quarantined: int = 0
    refused: list[str] = msgspec.field(default_factory=list)


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


@dataclass(slots=True)
class _Known:
    """What decoding a device's messages needs."""

    code: str
    codec: str
    commissioned_at: datetime | None
    options: Mapping[str, Any] | None = None
    learnt: Mapping[str, Any] | None = None
    conditions: Mapping[str, Any] | None = None


_DEVICE = Device.__table__.c
_KNOWN = select(*(_DEVICE[name] for name in _Known.__slots__)).where(among(_DEVICE.code, "codes"))


@dataclass(slots=True)
class _Heard:
    """What a batch told of one device."""

    outcomes: list[Outcome] = field(default_factory=list)
    newest: Reading | None = None
    learnt: Mapping[str, Any] | None = None


def store_batch(session: Session, messages: Sequence[Incoming], *, now: datetime) -> BatchResult:
    """Store a batch of messages. Safe to repeat: the same messages again change nothing.

    Rows that other processes want, too, are locked as late as possible: probes when they are evaluated, devices last.
    """
    result = BatchResult()
    names = _names(session, messages)
    known = _known(session, {name for name in names if name})
    decoded: list[tuple[Outcome, Sequence[Reading]]] = []
    heard: dict[str, _Heard] = {}
    troubled: list[watch.Heard] = []
    for incoming, name in zip(messages, names, strict=True):
        outcome = Outcome(name)
        result.outcomes.append(outcome)
        message = _decode(session, incoming, name, known, outcome, now)
        if message is None:
            continue
        outcome.seq = message.seq
        for part in message.bad:
            _bury(session, incoming, name, part, outcome, now)
        device = known[message.device]
        if message.learnt is not None:
            device.learnt = dict(message.learnt)
        readings = _timely(session, message, device.commissioned_at, outcome, now)
        decoded.append((outcome, readings))
        _hear(heard.setdefault(message.device, _Heard()), outcome, readings, message.learnt)
        if watch.matters(bool(device.conditions), message, readings):
            troubled.append((device.code, message, readings))
    new = _insert(session, decoded, now)
    result.excursions = evaluate(session, new, now=now)
    watch.observe_all(session, troubled, now=now)
    _mark(session, heard, result, now)
    return result


def _names(session: Session, messages: Sequence[Incoming]) -> list[str | None]:
    """Who sent each message: the channel, our own topic, or a topic that the register knows as a device's."""
    names = [message.device or topics.device_of(message.topic) for message in messages]
    foreign = {message.topic for message, name in zip(messages, names, strict=True) if name is None}
    if foreign:
        known = routes.devices_of(session, foreign)
        names = [name or known.get(message.topic) for message, name in zip(messages, names, strict=True)]
    return names


def _known(session: Session, names: set[str]) -> dict[str, _Known]:
    if not names:
        return {}
    return {row[0]: _Known(*row) for row in session.execute(_KNOWN, {"codes": sorted(names)}).all()}


def _hear(
    heard: _Heard, outcome: Outcome, readings: Sequence[Reading], learnt: Mapping[str, Any] | None = None
) -> None:
    heard.outcomes.append(outcome)
    heard.learnt = learnt or heard.learnt
    for reading in readings:
        if heard.newest is None or reading.at > heard.newest.at:
            heard.newest = reading


def _decode(
    session: Session,
    incoming: Incoming,
    name: str | None,
    devices: Mapping[str, _Known],
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


def _source(device: _Known, incoming: Incoming, now: datetime) -> codecs.Source | None:
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


def _timely(
    session: Session, message: Message, commissioned_at: datetime | None, outcome: Outcome, now: datetime
) -> Sequence[Reading]:
    """The readings whose time can be right; the others go to quarantine."""
    earliest, latest = commissioned_at or EARLIEST, now + FUTURE_TOLERANCE
    if all(earliest <= reading.at <= latest for reading in message.readings):
        return message.readings
    timely: list[Reading] = []
    for reading in message.readings:
        fault = time_fault(reading.at, now=now, commissioned_at=commissioned_at)
        if fault is None:
            timely.append(reading)
        else:
            _quarantine(session, reading, fault, now)
            outcome.quarantined += 1
    return timely


def _quarantine(session: Session, reading: Reading, fault: QuarantineReason, now: datetime) -> None:
    body = msgspec.structs.asdict(reading) | {"at": reading.at.isoformat()}
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
    session: Session, decoded: Sequence[tuple[Outcome, Sequence[Reading]]], now: datetime
) -> list[tuple[store.Key, float]]:
    """Store the readings and count each message's duplicates. Gives the new keys with their temperatures."""
    first: dict[store.Key, Reading] = {}
    brought: dict[store.Key, Outcome] = {}
    again: list[tuple[Outcome, Reading]] = []
    for outcome, readings in decoded:
        outcome.readings = len(readings)
        for reading in readings:
            key = (reading.device, reading.probe, reading.at)
            if key in first:
                outcome.duplicates += 1
                again.append((outcome, reading))
            else:
                first[key], brought[key] = reading, outcome
    new = store.insert_first(session, first, now=now)
    if len(new) < len(first):
        for key in first.keys() - set(new):
            brought[key].duplicates += 1
            again.append((brought[key], first[key]))
    _restamped(session, again, now)
    return [(key, first[key].temp_c) for key in new]


def _restamped(session: Session, again: Sequence[tuple[Outcome, Reading]], now: datetime) -> None:
    """Of readings whose instant is taken: those with another value than the stored one have a wrong time."""
    stored = store.temps(session, {(one.device, one.probe, one.at) for _, one in again})
    for outcome, one in again:
        if abs(stored.get((one.device, one.probe, one.at), one.temp_c) - one.temp_c) >= store.SAME_C:
            _quarantine(session, one, QuarantineReason.RESTAMPED, now)
            outcome.duplicates -= 1
            outcome.readings -= 1
            outcome.quarantined += 1


def _mark(session: Session, heard: Mapping[str, _Heard], result: BatchResult, now: datetime) -> None:
    """Bring the devices' rows up to date and say what they may forget and what is missing."""
    marks = store.locked_devices(session, heard)
    for device in marks:
        told = heard[device.code]
        if told.learnt is not None:
            device.learnt = dict(told.learnt)
        _count(device, told.outcomes, result)
        if told.newest and (device.last_reading_at is None or told.newest.at > device.last_reading_at):
            device.last_reading_at = told.newest.at
            if told.newest.battery_pct is not None:
                device.battery_pct = told.newest.battery_pct
        device.last_seen_at = now
    store.update_devices(session, marks)


def _count(device: store.DeviceMark, outcomes: Sequence[Outcome], result: BatchResult) -> None:
    """Add the numbers of a device's messages, and what its receipt and requests say."""
    numbers = [outcome.seq for outcome in outcomes if outcome.seq is not None]
    if not numbers:
        return
    spans = sequence.of(device.seq_spans)
    if spans and min(numbers) <= spans[-1][1] and any(_counts_anew(outcome, spans) for outcome in outcomes):
        spans = []
    spans = sequence.add(spans, numbers)
    device.seq_spans = spans
    device.last_seq = spans[0][1]
    if device.receipts:
        result.receipts.append(Receipt(device.code, *spans[0], tuple(sorted(set(numbers)))))
        result.requests.extend(Request(device.code, first, last) for first, last in sequence.holes(spans))


def _counts_anew(outcome: Outcome, spans: Sequence[sequence.Span]) -> bool:
    """A number that is stored already, over readings that were not: the logger began to count again."""
    fresh = outcome.readings > 0 and not outcome.duplicates
    return fresh and outcome.seq is not None and sequence.holds(spans, outcome.seq)


def take(session: Session, device: Device, message: Message, topic: str, *, now: datetime) -> Outcome:
    """Store readings that came on no channel, from a file, as a batch would."""
    outcome = Outcome(device.code)
    for part in message.bad:
        _bury(session, Incoming(topic, part.raw), device.code, part, outcome, now)
    readings = _timely(session, message, device.commissioned_at, outcome, now)
    evaluate(session, _insert(session, [(outcome, readings)], now), now=now)
    heard = _Heard()
    _hear(heard, outcome, readings)
    _mark(session, {device.code: heard}, BatchResult(), now)
    return outcome


def bury_unstorable(session: Session, incoming: Incoming, *, now: datetime) -> None:
    """Keep a message that the pipeline itself cannot store, so that it does not stop those behind it."""
    name = incoming.device or topics.device_of(incoming.topic)
    part = BadPart(incoming.payload, DeadReason.NOT_STORABLE)
    _bury(session, incoming, name, part, Outcome(name), now)
