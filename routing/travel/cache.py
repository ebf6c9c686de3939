"""Travel remembered by pair of places, and what answers when a road server is away."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from routing.plan import Notice
from routing.problem import Site
from routing.travel.base import TravelError, TravelMatrix, TravelProvider


class FallbackProvider:
    """Asks ``primary``; when that fails, ``spare``, and says so in a ``travel_fallback`` notice on the plan."""

    def __init__(self, primary: TravelProvider, spare: TravelProvider) -> None:
        self._primary = primary
        self._spare = spare

    def matrix(self, points: Sequence[Site]) -> TravelMatrix:
        """The primary's answer, or the spare's with a notice."""
        try:
            return self._primary.matrix(points)
        except TravelError as error:
            answer = self._spare.matrix(points)
            params = {"cause": error.code, "used": answer.source, **error.params}
            return replace(answer, notices=(*answer.notices, Notice("travel_fallback", params)))


def _place(site: Site) -> tuple[float, float, float, float]:
    """What travel depends on: a site that moved is another place."""
    return (round(site.lat, 6), round(site.lon, 6), site.detour_factor, site.speed_kmh)


class CachedProvider:
    """Remembers travel by pair of places, so that a day's next problem asks only for what is new.

    Put it inside a :class:`FallbackProvider`, around the primary: a spare's answer must not be remembered
    as the primary's. Safe to share between threads; ``max_pairs`` bounds its memory.
    """

    def __init__(self, inner: TravelProvider, *, max_pairs: int = 2_000_000) -> None:
        self._inner = inner
        self._max_pairs = max_pairs
        self._pairs: dict[tuple[object, object], tuple[int, int]] = {}
        self._source = ""
        self._lock = threading.Lock()

    def matrix(self, points: Sequence[Site]) -> TravelMatrix:
        """From memory where every pair is known; asks for the sites of unknown pairs otherwise."""
        places = [_place(point) for point in points]
        with self._lock:
            pairs = self._pairs
            unknown = [
                i for i, a in enumerate(places) if any((a, b) not in pairs or (b, a) not in pairs for b in places)
            ]
        if unknown:
            self._learn([points[i] for i in unknown])
        size = len(points)
        with self._lock:
            cells = [self._pairs.get((a, b)) for a in places for b in places]
            source = self._source
        if None in cells:  # forgotten in between: too many pairs, or another thread cleared
            return self._inner.matrix(points)
        both = np.asarray(cells, dtype=np.int32).reshape(size, size, 2)
        ids = tuple(point.id for point in points)
        return TravelMatrix(ids, both[:, :, 0].copy(), both[:, :, 1].copy(), source)

    def clear(self) -> None:
        """Forget everything, for instance after new roads were loaded."""
        with self._lock:
            self._pairs = {}

    def _learn(self, points: Sequence[Site]) -> None:
        answer = self._inner.matrix(points)
        places = [_place(point) for point in points]
        with self._lock:
            if len(self._pairs) + len(points) ** 2 > self._max_pairs:
                self._pairs = {}
            self._source = answer.source
            for i, a in enumerate(places):
                for j, b in enumerate(places):
                    self._pairs[a, b] = (int(answer.travel_s[i, j]), int(answer.distance_m[i, j]))
