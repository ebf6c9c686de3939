"""Readings with an impossible time: looking at them, releasing them with their time moved, discarding them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from logistics.errors import Conflict, Invalid, NotFound
from telemetry import store
from telemetry.evaluate import evaluate
from telemetry.models import Device, QuarantinedReading
from telemetry.pages import Page, newest_first
from telemetry.reading import FUTURE_TOLERANCE, Reading

HELD, RELEASED, DISCARDED = "held", "released", "discarded"
STATES = (HELD, RELEASED, DISCARDED)
MOST_AT_ONCE = 5000
FARTHEST = timedelta(days=366 * 60)  # a clock that begins in 1970


@dataclass(frozen=True, slots=True)
class Asked:
    """Which readings. ``devices``: those that the user may see; None for all."""

    state: str = HELD
    reason: str = ""
    device: str = ""
    devices: frozenset[str] | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = [QuarantinedReading.state == self.state]
        if self.reason:
            found.append(QuarantinedReading.reason == self.reason)
        if self.device:
            found.append(QuarantinedReading.device_code == self.device)
        if self.devices is not None:
            found.append(QuarantinedReading.device_code.in_(sorted(self.devices)))
        return found


@dataclass(frozen=True, slots=True)
class Group:
    """Held readings of one device for one reason. ``lag``: when the newest came minus the time it says."""

    device_code: str
    reason: str
    count: int
    first_at: datetime
    last_at: datetime
    received_at: datetime

    @property
    def lag(self) -> timedelta:
        return self.received_at - self.last_at


def listing(session: Session, asked: Asked, number: int = 1) -> Page[QuarantinedReading]:
    """A page of readings, newest first."""
    return newest_first(session, QuarantinedReading, asked.conditions(), number)


def groups(session: Session, asked: Asked) -> list[Group]:
    """What is held, by device and reason: one wrong clock is one decision."""
    row = QuarantinedReading
    query = (
        select(row.device_code, row.reason, func.count(), func.min(row.at), func.max(row.at), func.max(row.received_at))
        .where(*asked.conditions())
        .group_by(row.device_code, row.reason)
        .order_by(row.device_code, row.reason)
    )
    return [Group(*found) for found in session.execute(query).all()]


def release(
    session: Session,
    asked: Asked,
    *,
    offset: timedelta,
    username: str,
    now: datetime,
    spacing: timedelta = timedelta(0),
    ids: Sequence[int] | None = None,
) -> int:
    """Store held readings with their times moved by ``offset``; all that was asked for, or those of ``ids``.

    ``spacing``: for readings that were stamped alike: in the order in which they came, each this much after the one
    before. Returns how many. Raises Invalid for a time to come or a move without end, Conflict when an instant is
    taken or somebody decided already, NotFound; then nothing is stored.
    """
    if abs(offset) > FARTHEST:
        raise Invalid("offset_bad", field="offset")
    rows = _held(session, asked, ids)
    readings: list[Reading] = []
    for position, row in enumerate(rows):
        at = row.at + offset + spacing * position
        if at > now + FUTURE_TOLERANCE:
            raise Invalid("offset_to_come", field="offset", at=at)
        readings.append(Reading(**{**row.body, "at": at}))
    _free(session, readings)
    new = store.insert_readings(session, readings, now=now)
    temps = {(one.device, one.probe, one.at): one.temp_c for one in readings}
    evaluate(session, [(key, temps[key]) for key in sorted(new)], now=now)
    for row, reading in zip(rows, readings, strict=True):
        row.state, row.offset_s = RELEASED, (reading.at - row.at).total_seconds()
        row.decided_by, row.decided_at = username, now
    for code in sorted({one.device for one in readings}):
        device = session.get_one(Device, code, with_for_update=True)
        newest = max(one.at for one in readings if one.device == code)
        device.last_reading_at = max(device.last_reading_at or newest, newest)
    return len(rows)


def _free(session: Session, readings: Sequence[Reading]) -> None:
    keys = [(one.device, one.probe, one.at) for one in readings]
    taken = sorted(store.temps(session, set(keys)))
    if taken:
        raise Conflict("instant_taken", field="offset", device=taken[0][0], at=taken[0][2])
    if len(set(keys)) < len(keys):
        raise Conflict("instants_alike", field="spacing")


def discard(
    session: Session, asked: Asked, *, reason: str, username: str, now: datetime, ids: Sequence[int] | None = None
) -> int:
    """Put readings away for good; the rows stay. Raises Invalid without a reason."""
    if not reason.strip():
        raise Invalid("discard_reason_missing", field="reason")
    rows = _held(session, asked, ids)
    for row in rows:
        row.state, row.note = DISCARDED, reason.strip()[:200]
        row.decided_by, row.decided_at = username, now
    return len(rows)


def _held(session: Session, asked: Asked, ids: Sequence[int] | None) -> list[QuarantinedReading]:
    """Those that are to be decided about, in the order in which they came, locked."""
    query = select(QuarantinedReading).order_by(QuarantinedReading.id).with_for_update()
    if ids is None:
        rows = list(session.scalars(query.where(*asked.conditions()).limit(MOST_AT_ONCE)))
    else:
        rows = list(session.scalars(query.where(QuarantinedReading.id.in_(ids))))
        if len(rows) < len(set(ids)) or any(
            asked.devices is not None and r.device_code not in asked.devices for r in rows
        ):
            raise NotFound("quarantine_unknown", field="reading")
    if not rows:
        raise NotFound("quarantine_unknown", field="reading")
    for row in rows:
        if row.state != HELD:
            raise Conflict("quarantine_decided", field="reading", state=row.state)
    return rows
