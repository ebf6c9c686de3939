"""Silence: no reading where one was due. Its own state, 'unknown': neither in range nor a breach."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

SILENT_INTERVALS = 4
SHORTEST_SILENCE = timedelta(minutes=10)
GRACE = timedelta(minutes=5)
MASS_SHARE = 0.5
MASS_COUNT = 3


@dataclass(frozen=True, slots=True)
class Watched:
    """A logger as the watch sees it. ``last_at``: event time of its newest reading; None if it never
    spoke. ``limit`` and ``grace`` are its profile's; without one the limit follows from the interval."""

    device: str
    interval: timedelta
    last_at: datetime | None
    watched_since: datetime
    gateway: str | None = None
    limit: timedelta | None = None
    grace: timedelta = GRACE

    @property
    def silent_after(self) -> timedelta:
        return silence_limit(self.interval) if self.limit is None else self.limit


def silence_limit(interval: timedelta) -> timedelta:
    """How long without a reading is silence."""
    return max(interval * SILENT_INTERVALS, SHORTEST_SILENCE)


def silent_since(watched: Watched, *, now: datetime) -> datetime | None:
    """The instant of the last reading when the logger is silent now, else None."""
    last = watched.last_at or watched.watched_since
    return last if now - last > watched.silent_after else None


def alert_due(watched: Watched, *, now: datetime) -> bool:
    """Silence becomes an alert only after a grace time: a lift or a tunnel is no incident."""
    since = silent_since(watched, now=now)
    return since is not None and now - since > watched.silent_after + watched.grace


@dataclass(frozen=True, slots=True)
class Silence:
    """One alert's worth of silent loggers: a single logger, or a gateway that took its loggers with it."""

    gateway: str | None
    devices: tuple[str, ...]
    since: datetime


def group(watched: Iterable[Watched], *, now: datetime) -> list[Silence]:
    """Silent loggers past the grace time; most of a gateway's loggers silent together are one silence."""
    everyone: dict[str | None, list[Watched]] = defaultdict(list)
    for logger in watched:
        everyone[logger.gateway].append(logger)
    found: list[Silence] = []
    for gateway, members in sorted(everyone.items(), key=lambda item: item[0] or ""):
        due = [logger for logger in members if alert_due(logger, now=now)]
        if gateway is not None and len(due) >= MASS_COUNT and len(due) >= MASS_SHARE * len(members):
            found.append(_silence(gateway, due, now))
        else:
            found.extend(_silence(None, [logger], now) for logger in due)
    return found


def _silence(gateway: str | None, loggers: Sequence[Watched], now: datetime) -> Silence:
    began = [silent_since(logger, now=now) or now for logger in loggers]
    return Silence(gateway, tuple(sorted(logger.device for logger in loggers)), min(began))
