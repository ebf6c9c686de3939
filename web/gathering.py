"""What comes in while one transaction is at work shares the next one (group commit).

    gathering = Gathering(work)
    answer = gathering.submit(item)  # in the thread of a request

A thread that finds nobody at work takes what has gathered, its own item among it, and calls ``work(items)``, which
returns one result for each. Whoever comes meanwhile waits; when the work is done one of them takes the next turn. So a
lone request is never delayed, and a hundred at once cost a few transactions instead of a hundred, without the threads
of a process taking the interpreter from each other in between.

Those who were just answered often have something more to say. So the next turn begins when as many are there as were
in the last one and behind it, or after ``linger_s``: else two halves would take turns for ever, each at the whole price
of a transaction.

Sharing is never needed for the result: an item whose turn failed gets None and has to be worked on alone. Nobody waits
long behind a turn that is held up by a lock: after ``patience_s`` a thread whose item was not taken yet begins a turn
of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
MOST = 100
PATIENCE_S = 0.25
LINGER_S = 0.004
log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Ticket(Generic[Item, Result]):
    item: Item
    taken: bool = False
    heir: bool = False  # the turn that ended was passed on to it
    result: Result | None = None
    called: Event = field(default_factory=Event)  # to look up: it was answered, or may lead
    answered: Event = field(default_factory=Event)


class Gathering(Generic[Item, Result]):
    """Safe for use by many threads. ``work`` gets at most ``most`` items, in the order they came."""

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        most: int = MOST,
        patience_s: float = PATIENCE_S,
        linger_s: float = LINGER_S,
    ) -> None:
        self._work, self._most, self._patience_s, self._linger_s = work, most, patience_s, linger_s
        self._lock = Lock()
        self._waiting: list[_Ticket[Item, Result]] = []
        self._turns = 0  # under way, or passed on
        self._expected = 0  # so many are likely to gather
        self._gathered = Event()

    def submit(self, item: Item) -> Result | None:
        """The result of ``item``; None when its turn failed, whatever the reason: then nothing of it counts."""
        ticket: _Ticket[Item, Result] = _Ticket(item)
        with self._lock:
            self._waiting.append(ticket)
            if len(self._waiting) >= self._expected:
                self._gathered.set()
            turn = [] if self._turns else self._take()
        self._lead(turn)
        while not ticket.answered.is_set():
            ticket.called.wait(self._patience_s)
            if ticket.heir:
                self._gathered.wait(self._linger_s)
            with self._lock:
                turn = [] if ticket.taken else self._take()
                self._give_back(ticket)
            self._lead(turn)
            if not turn:
                ticket.answered.wait()
        with self._lock:
            self._give_back(ticket)
        return ticket.result

    def _take(self) -> list[_Ticket[Item, Result]]:
        turn, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        for ticket in turn:
            ticket.taken = True
        self._turns += bool(turn)
        return turn

    def _give_back(self, heir: _Ticket[Item, Result]) -> None:
        """A turn that was passed on has become one of its own, or somebody impatient took it."""
        if heir.heir:
            heir.heir = False
            self._turns -= 1

    def _pass_on(self) -> None:
        """A turn has ended: the first who waits has the next one."""
        if not self._waiting:
            self._turns -= 1
            return
        self._gathered.clear()
        self._waiting[0].heir = True
        self._waiting[0].called.set()

    def _lead(self, turn: list[_Ticket[Item, Result]]) -> None:
        if not turn:
            return
        try:
            for ticket, result in zip(turn, self._work([one.item for one in turn]), strict=True):
                ticket.result = result
        except Exception as error:
            log.info("a turn of %d failed: %s", len(turn), type(error).__name__)
        finally:
            with self._lock:
                self._expected = min(len(turn) + len(self._waiting), self._most)
                self._pass_on()
            for ticket in turn:
                ticket.answered.set()
                ticket.called.set()
