"""Dead letters: reading them, trying them again after something was mended, discarding them with a reason."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from logistics.errors import Conflict, Invalid, NotFound
from telemetry.codecs import CODECS, DEFAULT_CODEC
from telemetry.ingest import Incoming, store_batch
from telemetry.models import DeadLetter, Device
from telemetry.pages import Page, newest_first

KEPT, DISCARDED, RELEASED = "kept", "discarded", "replayed"
STATES = (KEPT, RELEASED, DISCARDED)
MOST_AT_ONCE = 500
_SHOWN_BYTES = 4096
_HEX_WIDTH = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """Which letters. ``devices``: those that the reader may see; None for all, unknown ones included."""

    state: str = KEPT
    reason: str = ""
    device: str = ""
    devices: frozenset[str] | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = [DeadLetter.state == self.state]
        if self.reason:
            found.append(DeadLetter.reason == self.reason)
        if self.device:
            text = self.device.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            fits = [
                DeadLetter.device_code.ilike(f"%{text}%", escape="\\"),
                DeadLetter.topic.ilike(f"%{text}%", escape="\\"),
            ]
            found.append(or_(*fits))
        if self.devices is not None:
            found.append(DeadLetter.device_code.in_(sorted(self.devices)))
        return found


def listing(session: Session, asked: Asked, number: int = 1) -> Page[DeadLetter]:
    """A page of letters, newest first."""
    return newest_first(session, DeadLetter, asked.conditions(), number)


def counts(session: Session, asked: Asked) -> dict[str, int]:
    """How many there are by reason, whatever reason was asked for."""
    conditions = Asked(asked.state, "", asked.device, asked.devices).conditions()
    query = select(DeadLetter.reason, func.count()).where(*conditions).group_by(DeadLetter.reason)
    return {row[0]: row[1] for row in session.execute(query.order_by(DeadLetter.reason))}


def one(session: Session, letter_id: int, devices: frozenset[str] | None, *, lock: bool = False) -> DeadLetter:
    """Raises NotFound, also for a letter of a device that is not the reader's."""
    found = session.get(DeadLetter, letter_id, with_for_update=lock or None)
    if found is None or (devices is not None and found.device_code not in devices):
        raise NotFound("letter_unknown", field="letter")
    return found


def release(
    session: Session, letter_id: int, *, username: str, now: datetime, devices: frozenset[str] | None = None
) -> list[str]:
    """Decode the bytes again as if they came now from who sent them. Returns the reasons why they still cannot be used.

    With a reason left the letter stays, and a whole message's good readings are stored all the same. Raises NotFound,
    or Conflict when somebody has decided already.
    """
    letter = one(session, letter_id, devices, lock=True)
    if letter.state != KEPT:
        raise Conflict("letter_decided", field="letter", state=letter.state)
    device = session.get(Device, letter.device_code) if letter.device_code else None
    payload = letter.raw
    if letter.part:
        whole = CODECS[device.codec if device else DEFAULT_CODEC].whole
        if whole is None:
            return [letter.reason]
        payload = whole(payload)
    count = letter.count
    incoming = Incoming(letter.topic, payload, letter.device_code, letter.received_at)
    outcome = store_batch(session, [incoming], now=now).outcomes[0]
    session.refresh(letter)
    letter.count = count  # to try again is not to come again
    if outcome.refused:
        letter.note = ", ".join(sorted(set(outcome.refused)))[:200]
        return outcome.refused
    letter.state, letter.decided_by, letter.decided_at, letter.note = RELEASED, username, now, ""
    return []


def release_all(session: Session, asked: Asked, *, username: str, now: datetime) -> tuple[int, int]:
    """Try every letter that was asked for, oldest first, at most MOST_AT_ONCE. Returns (released, still refused)."""
    query = select(DeadLetter.id).where(*asked.conditions()).order_by(DeadLetter.id).limit(MOST_AT_ONCE)
    released = refused = 0
    for letter_id in session.scalars(query).all():
        if release(session, letter_id, username=username, now=now, devices=asked.devices):
            refused += 1
        else:
            released += 1
    return released, refused


def discard(
    session: Session,
    letter_ids: Sequence[int],
    *,
    reason: str,
    username: str,
    now: datetime,
    devices: frozenset[str] | None = None,
) -> int:
    """Put letters away for good; their bytes stay. Raises Invalid without a reason, NotFound, Conflict."""
    if not reason.strip():
        raise Invalid("discard_reason_missing", field="reason")
    for letter_id in letter_ids:
        letter = one(session, letter_id, devices, lock=True)
        if letter.state != KEPT:
            raise Conflict("letter_decided", field="letter", state=letter.state)
        letter.state, letter.decided_by, letter.decided_at, letter.note = DISCARDED, username, now, reason.strip()[:200]
    return len(letter_ids)


def as_text(raw: bytes) -> str:
    """The bytes as a person reads them: indented JSON where they are, else text with what is none as ·."""
    try:
        return json.dumps(json.loads(raw), indent=2, ensure_ascii=False)[:_SHOWN_BYTES]
    except (ValueError, RecursionError):
        text = raw[:_SHOWN_BYTES].decode("utf-8", "replace")
        return "".join(letter if letter.isprintable() or letter in "\n\t" else "·" for letter in text)


def as_hex(raw: bytes) -> str:
    """Offset, sixteen bytes, their letters; line by line, the first 4 KiB."""
    lines = []
    for begin in range(0, min(len(raw), _SHOWN_BYTES), _HEX_WIDTH):
        part = raw[begin : begin + _HEX_WIDTH]
        letters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in part)
        lines.append(f"{begin:04x}  {part.hex(' '):<{3 * _HEX_WIDTH - 1}}  {letters}")
    return "\n".join(lines)
