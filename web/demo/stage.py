"""The stage of the simulated day: who is where, what the boxes feel, and the turn-taking of the actors.

An actor is a generator that yields the instant at which it wants to go on. The director wakes it then, on the
simulated clock; nothing sleeps inside an actor.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import httpx

from logistics import clock
from telemetry.simulator import BoxModel
from web.demo.client import Api, Refused
from web.demo.script import DAY_ENDS, ZONE, Incidents, local

log = logging.getLogger(__name__)
Turns = Iterator[datetime]
LONGEST_NAP_S = 0.5
RETRY = timedelta(minutes=2)


@dataclass
class Box:
    """A transport box as the stage sees it: its physics and who carries it now."""

    code: str
    temp_class: str
    home: str
    device: str
    model: BoxModel
    carrier: str | None = None


@dataclass
class Stage:
    """Everything the actors share. They tell each other nothing else: the rest goes through the API."""

    day: date
    http: httpx.Client
    incidents: Incidents = field(default_factory=Incidents)
    boxes: dict[str, Box] = field(default_factory=dict)
    positions: dict[str, tuple[float, float]] = field(default_factory=dict)  # by courier
    sites: dict[str, tuple[float, float]] = field(default_factory=dict)
    _apis: dict[str, Api] = field(default_factory=dict)

    def api(self, username: str) -> Api:
        if username not in self._apis:
            self._apis[username] = Api(self.http, username)
        return self._apis[username]

    @property
    def ends(self) -> datetime:
        return local(self.day, DAY_ENDS)


class Director:
    """Wakes each actor when its time has come; an actor that is refused tries the same again a little later."""

    def __init__(
        self, stage: Stage, stop: threading.Event, wait: Callable[[datetime, datetime], bool] | None = None
    ) -> None:
        """``wait(at, now)`` says whether ``at`` has come (tests move the clock there instead)."""
        self._stage = stage
        self._stop = stop
        self._wait = wait or self._nap
        self._waiting: list[tuple[datetime, int, str, Turns]] = []
        self._order = itertools.count()

    def add(self, name: str, turns: Turns) -> None:
        self._push(clock.now(), name, turns)

    def _push(self, at: datetime, name: str, turns: Turns) -> None:
        heapq.heappush(self._waiting, (at, next(self._order), name, turns))

    def play(self) -> str:
        """Play until the day is over ('over'), another day was begun ('restarted') or we are told to stop."""
        while not self._stop.is_set():
            now = clock.now()
            if now.astimezone(ZONE).date() != self._stage.day:
                return "restarted"
            if not self._waiting or now > self._stage.ends:
                return "over"
            if not self._wait(self._waiting[0][0], now):
                continue
            _at, _order, name, turns = heapq.heappop(self._waiting)
            self._turn(name, turns)
        return "stopped"

    def _nap(self, at: datetime, now: datetime) -> bool:
        """True when the time has come; else naps a moment, so that pause, speed and restart are noticed."""
        if at <= now:
            return True
        rate = clock.current().rate
        wanted = (at - now).total_seconds() / rate if rate > 0 else LONGEST_NAP_S
        self._stop.wait(min(wanted, LONGEST_NAP_S))
        return False

    def _turn(self, name: str, turns: Turns) -> None:
        try:
            again = next(turns)
        except StopIteration:
            return
        except (Refused, httpx.HTTPError) as error:
            # A generator ends at its first exception: what remains of this actor's day is left out, and said so.
            log.warning("%s gives up: %s", name, error)
            return
        self._push(max(again, clock.now()), name, turns)


def insist(action: str, error: Exception) -> datetime:
    """When to try again what was refused for now."""
    log.info("%s: %s; trying again", action, error)
    return clock.now() + RETRY
