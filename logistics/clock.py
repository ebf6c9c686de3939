"""The only clock. Nothing else in the four packages may ask the operating system for the time of day.

Business time may be simulated (tests, the demo day); ``wall_now`` is the real time and serves only what must
not be simulated: session ages, login throttling, log lines, leases of the processes themselves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from logistics.errors import Invalid


class Clock(Protocol):
    """Anything that tells the present instant, in UTC and with a zone."""

    def now(self) -> datetime: ...

    @property
    def rate(self) -> float:
        """Simulated seconds per real second (1.0 for a real clock, 0.0 when paused)."""
        ...


def wall_now() -> datetime:
    """The real time in UTC, whatever the simulated day shows."""
    return datetime.now(UTC)


class SystemClock:
    """The machine's clock."""

    rate = 1.0

    def now(self) -> datetime:
        return wall_now()


class FixedClock:
    """A clock for tests: stands still until told otherwise."""

    rate = 0.0

    def __init__(self, at: datetime) -> None:
        self._at = as_utc(at)

    def now(self) -> datetime:
        return self._at

    def advance(self, step: timedelta) -> None:
        self._at += step

    def set(self, at: datetime) -> None:
        self._at = as_utc(at)


class SharedClock:
    """A clock that runs faster or slower than real time and that several processes share through one small file.

    The file holds ``{"wall": real anchor, "sim": simulated anchor, "rate": simulated s per real s}``; it is
    replaced atomically, and each process reads it again when its inode or modification time changes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._wall = self._sim = wall_now()
        self._rate = 1.0

    @classmethod
    def create(cls, path: Path, *, start: datetime, rate: float) -> SharedClock:
        clock = cls(path)
        clock._write(sim=as_utc(start), rate=rate)
        return clock

    @property
    def rate(self) -> float:
        self._reload()
        return self._rate

    def now(self) -> datetime:
        self._reload()
        return self._sim + (wall_now() - self._wall) * self._rate

    def set_rate(self, rate: float) -> None:
        """Go on from the present simulated instant at another speed; 0 pauses."""
        if not 0 <= rate <= 3600:
            raise Invalid("clock_rate_out_of_range", field="rate", low=0, high=3600)
        self._write(sim=self.now(), rate=rate)

    def jump(self, to: datetime) -> None:
        self._write(sim=as_utc(to), rate=self.rate)

    def _write(self, *, sim: datetime, rate: float) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        body = json.dumps({"wall": wall_now().isoformat(), "sim": sim.isoformat(), "rate": rate})
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(body)
        temporary.replace(self._path)

    def _reload(self) -> None:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return
        stamp = (stat.st_ino, stat.st_mtime_ns)
        if stamp == self._stamp:
            return
        body = json.loads(self._path.read_text())
        self._wall = datetime.fromisoformat(body["wall"])
        self._sim = datetime.fromisoformat(body["sim"])
        self._rate = float(body["rate"])
        self._stamp = stamp


def as_utc(at: datetime) -> datetime:
    """The same instant in UTC; a time without a zone is refused, never guessed."""
    if at.tzinfo is None:
        raise Invalid("time_without_zone", field="occurred_at")
    return at.astimezone(UTC)


def parse_instant(text: str, *, field: str = "occurred_at") -> datetime:
    """ISO 8601 with a zone → UTC. Raises Invalid for anything else."""
    try:
        at = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise Invalid("time_unreadable", field=field, value=str(text)[:40]) from None
    if at.tzinfo is None:
        raise Invalid("time_without_zone", field=field)
    try:
        return at.astimezone(UTC)
    except OverflowError:  # the first and the last day that Python knows
        raise Invalid("time_unreadable", field=field, value=str(text)[:40]) from None


_installed: list[Clock] = [SystemClock()]


def install(clock: Clock) -> None:
    """Make ``clock`` the clock of this process (once, at start, by whoever assembles it)."""
    _installed[0] = clock


def current() -> Clock:
    return _installed[0]


def now() -> datetime:
    """The present instant of this process's clock, UTC."""
    return _installed[0].now()


@contextmanager
def using(clock: Clock) -> Iterator[Clock]:
    """Run a block under another clock (tests)."""
    before = _installed[0]
    _installed[0] = clock
    try:
        yield clock
    finally:
        _installed[0] = before
