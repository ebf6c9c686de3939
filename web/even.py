"""A gunicorn worker that leaves a new connection to whoever has fewer of them.

Connections are kept and stay with the worker that accepted them, and gunicorn gives them to the one that wakes first:
of eight phones that come at once all may end at one worker while the other idles. Here each worker says how many it
has, in memory that all share, and one that has more than another leaves the new one alone, for ``PATIENCE_S`` at most:
the other may be at work, or stuck.
"""

from __future__ import annotations

import mmap
import struct
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

PATIENCE_S = 0.02
PAUSE_S = 0.0005
_COUNT = struct.Struct("=i")
_NOBODY = -1


class Counts:
    """How many connections each of ``workers`` has. Made before they are forked; each writes its own place only."""

    def __init__(self, workers: int) -> None:
        self._places = workers
        self._shared = mmap.mmap(-1, workers * _COUNT.size)
        for place in range(workers):
            self.set(place, _NOBODY)

    def free(self) -> int | None:
        """A place that no worker has. While a worker is replaced there may be none for the new one."""
        return next((place for place in range(self._places) if self._get(place) == _NOBODY), None)

    def set(self, place: int, count: int) -> None:
        _COUNT.pack_into(self._shared, place * _COUNT.size, count)

    def give_back(self, place: int) -> None:
        self.set(place, _NOBODY)

    def fewest(self) -> int:
        """Of the workers there are; 0 when there are none."""
        return min((count for count in map(self._get, range(self._places)) if count != _NOBODY), default=0)

    def _get(self, place: int) -> int:
        return int(_COUNT.unpack_from(self._shared, place * _COUNT.size)[0])


class EvenWorker(ThreadWorker):  # type: ignore[misc]
    """``counts`` and ``place`` are given by the hooks below; without them it accepts as its parent does."""

    counts: Counts | None = None
    place: int | None = None
    declined_since: float | None = None

    def notify(self) -> None:
        """Called in each turn of the loop, so that connections that have ended are told, too."""
        super().notify()
        self._tell()

    def accept(self, listener: Any) -> None:
        if self._leave_it():
            time.sleep(PAUSE_S)
            return
        self.declined_since = None
        super().accept(listener)
        self._tell()

    def _tell(self) -> None:
        if self.counts is not None and self.place is not None:
            self.counts.set(self.place, self.nr_conns)

    def _leave_it(self) -> bool:
        if self.counts is None or self.nr_conns <= self.counts.fewest():
            return False
        now = time.monotonic()
        if self.declined_since is None:
            self.declined_since = now
        return now - self.declined_since < PATIENCE_S


def hooks(counts: Counts) -> dict[str, Any]:
    """gunicorn's hooks, run in its master: a place for each new worker, given back when one has ended."""

    def pre_fork(_server: Any, worker: EvenWorker) -> None:
        worker.counts, worker.place = counts, counts.free()
        if worker.place is not None:
            counts.set(worker.place, 0)

    def child_exit(_server: Any, worker: EvenWorker) -> None:
        if worker.place is not None:
            counts.give_back(worker.place)

    return {"pre_fork": pre_fork, "child_exit": child_exit}
