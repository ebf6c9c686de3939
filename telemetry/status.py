"""How the ingest goes: a heartbeat row per process in real time, and what /readyz and a page make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.clock import wall_now
from telemetry.ingest import BatchResult
from telemetry.models import IngestHeartbeat

# Three beats and a commit may be missed before anybody is told.
LATE = timedelta(seconds=10)
# A full window for a moment is a burst; for longer, more comes than is stored, and the broker's queue grows.
BACKLOG = timedelta(seconds=10)


@dataclass(slots=True)
class Counters:
    """Since the process started. ``failing``: the database does not take what is held; ``full``: the broker holds
    messages back, because as many are unacknowledged as it may have under way."""

    messages: int = 0
    readings: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    failing: bool = False
    full: bool = False
    started_at: datetime = field(default_factory=wall_now)
    last_commit_at: datetime | None = None

    def add(self, messages: int, result: BatchResult) -> None:
        self.messages += messages
        self.readings += result.stored
        self.duplicates += result.duplicates
        self.dead_letters += result.dead_letters
        self.last_commit_at = wall_now()


@dataclass(frozen=True, slots=True)
class IngestStatus:
    """``state``: ok | behind (it lives, but cannot keep up or lost its broker) | down | none (never ran here).
    ``since``: when it became behind or down, in real time."""

    state: str
    beat_at: datetime | None = None
    since: datetime | None = None
    waiting: int = 0

    @property
    def behind(self) -> bool:
        return self.state in ("behind", "down")


def beat(session: Session, name: str, counters: Counters, *, connected: bool, waiting: int) -> None:
    """Write this process's heartbeat."""
    now = wall_now()
    row = session.get(IngestHeartbeat, name)
    if row is None:
        row = IngestHeartbeat(name=name, started_at=counters.started_at, beat_at=now)
        session.add(row)
    row.beat_at = now
    row.started_at = counters.started_at
    row.connected = connected
    row.waiting = waiting
    row.messages = counters.messages
    row.readings = counters.readings
    row.duplicates = counters.duplicates
    row.dead_letters = counters.dead_letters
    row.last_commit_at = counters.last_commit_at
    row.failing_since = (row.failing_since or now) if counters.failing or not connected else None
    row.backlog_since = (row.backlog_since or now) if counters.full else None


def ingest_status(session: Session) -> IngestStatus:
    """The best of the processes that have beaten lately; 'down' when none has for ten real seconds."""
    rows = session.scalars(select(IngestHeartbeat).order_by(IngestHeartbeat.beat_at.desc())).all()
    if not rows:
        return IngestStatus("none")
    alive = [row for row in rows if wall_now() - row.beat_at <= LATE]
    if not alive:
        return IngestStatus("down", rows[0].beat_at, _useless_since(rows))
    waiting = sum(row.waiting for row in alive)
    if all(row.failing_since is not None for row in alive):
        return IngestStatus("behind", alive[0].beat_at, _useless_since(alive), waiting)
    backlogs = [row.backlog_since for row in alive if row.backlog_since is not None]
    oldest = min(backlogs, default=wall_now())
    if wall_now() - oldest > BACKLOG:
        return IngestStatus("behind", alive[0].beat_at, oldest, waiting)
    return IngestStatus("ok", alive[0].beat_at, None, waiting)


def _useless_since(rows: Sequence[IngestHeartbeat]) -> datetime:
    """When the last of these processes stopped storing. The last commit says nothing of it: a quiet night has none,
    and who is flooded commits all the time."""
    return max(row.beat_at if row.failing_since is None else row.failing_since for row in rows)
