"""Seconds and metres between sites: providers, their cache, and what happens when a road server is away."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import httpx
import numpy as np
import numpy.typing as npt
from geopy.distance import geodesic

from routing.plan import Notice
from routing.problem import Site, TravelTable

Int32Matrix = npt.NDArray[np.int32]

FAST_KMH = 50.0
FAST_FROM_M = 30_000
SLOW_UNTIL_M = 20_000


class TravelError(Exception):
    """A provider cannot answer. ``code`` is stable: see the providers."""

    def __init__(self, code: str, **params: object) -> None:
        self.code = code
        self.params = params
        super().__init__(f"{code} {params or ''}".strip())


@dataclass(frozen=True, slots=True)
class TravelMatrix:
    """``travel_s[i, j]`` and ``distance_m[i, j]`` from site i to site j, int32 n×n, in order of ``site_ids``."""

    site_ids: tuple[str, ...]
    travel_s: Int32Matrix
    distance_m: Int32Matrix
    source: str
    notices: tuple[Notice, ...] = ()


class TravelProvider(Protocol):
    """Anything that knows how long it takes from each site to each other."""

    def matrix(self, points: Sequence[Site]) -> TravelMatrix:
        """Travel between all ``points``; raises :class:`TravelError` when it cannot be known."""
        ...


@dataclass(frozen=True, slots=True)
class MatrixProvider:
    """An uploaded matrix. Raises ``matrix_missing_site`` for a site it does not hold."""

    table: TravelTable

    def matrix(self, points: Sequence[Site]) -> TravelMatrix:
        """The rows and columns of ``points``."""
        row_of = {site_id: row for row, site_id in enumerate(self.table.site_ids)}
        missing = [point.id for point in points if point.id not in row_of]
        if missing:
            raise TravelError("matrix_missing_site", site=missing[0], count=len(missing))
        rows = [row_of[point.id] for point in points]
        pick = np.ix_(rows, rows)
        return TravelMatrix(
            tuple(point.id for point in points),
            np.asarray(self.table.travel_s, dtype=np.int32).reshape(len(row_of), -1)[pick],
            np.asarray(self.table.distance_m, dtype=np.int32).reshape(len(row_of), -1)[pick],
            "matrix",
        )


def road_time_s(road_m: float, local_kmh: float) -> int:
    """Seconds for ``road_m`` metres of road.

    Local speed on legs up to 20 km, 50 km/h (or the local speed if faster) on legs of 30 km and more, in
    between the speed rises evenly. Never less than for the first 20 km, so that a longer leg takes no less time.
    """
    share = min(1.0, max(0.0, (road_m - SLOW_UNTIL_M) / (FAST_FROM_M - SLOW_UNTIL_M)))
    kmh = local_kmh + share * (max(FAST_KMH, local_kmh) - local_kmh)
    return round(max(road_m / kmh, min(road_m, SLOW_UNTIL_M) / local_kmh) * 3.6)


class GeodesicProvider:
    """The embedded default: geodesic distance × detour factor ÷ local speed, each the mean of both ends.

    The ellipsoid, not the sphere: a sphere is up to 0.5 % off and the 2 926 distances of 77 sites take
    0.4 s once (symmetric, then remembered by position), so nothing is gained by the shortcut.
    """

    def __init__(self) -> None:
        self._straight_m: dict[tuple[float, float, float, float], float] = {}

    def matrix(self, points: Sequence[Site]) -> TravelMatrix:
        """Symmetric estimate; never fails."""
        size = len(points)
        travel_s = np.zeros((size, size), dtype=np.int32)
        distance_m = np.zeros((size, size), dtype=np.int32)
        for i, a in enumerate(points):
            for j in range(i):
                b = points[j]
                road_m = self._geodesic_m(a, b) * (a.detour_factor + b.detour_factor) / 2
                distance_m[i, j] = distance_m[j, i] = round(road_m)
                travel_s[i, j] = travel_s[j, i] = road_time_s(road_m, (a.speed_kmh + b.speed_kmh) / 2)
        return TravelMatrix(tuple(point.id for point in points), travel_s, distance_m, "geodesic")

    def _geodesic_m(self, a: Site, b: Site) -> float:
        key = (a.lat, a.lon, b.lat, b.lon) if (a.lat, a.lon) <= (b.lat, b.lon) else (b.lat, b.lon, a.lat, a.lon)
        known = self._straight_m.get(key)
        if known is None:
            known = self._straight_m[key] = float(geodesic(key[:2], key[2:]).meters)
        return known


class OsrmProvider:
    """Road times from an OSRM server (``/table/v1``), asked in blocks that a default server accepts.

    Raises ``osrm_unreachable``, ``osrm_refused`` (status or code of the server), ``osrm_bad_answer`` and
    ``osrm_no_route`` (a pair without a road between: site and other).
    """

    def __init__(
        self,
        url: str,
        *,
        profile: str = "driving",
        timeout_s: float = 10.0,
        block: int = 50,
        client: httpx.Client | None = None,
    ) -> None:
        self._base = f"{url.rstrip('/')}/table/v1/{profile}/"
        self._block = block
        self._client = client or httpx.Client(timeout=timeout_s)

    def matrix(self, points: Sequence[Site]) -> TravelMatrix:
        """Seconds and metres by road, rounded."""
        size = len(points)
        travel_s = np.zeros((size, size), dtype=np.int32)
        distance_m = np.zeros((size, size), dtype=np.int32)
        blocks = [range(at, min(at + self._block, size)) for at in range(0, size, self._block)]
        for rows in blocks:
            for columns in blocks:
                self._fill(points, rows, columns, travel_s, distance_m)
        return TravelMatrix(tuple(point.id for point in points), travel_s, distance_m, "osrm")

    def _fill(
        self,
        points: Sequence[Site],
        rows: range,
        columns: range,
        travel_s: Int32Matrix,
        distance_m: Int32Matrix,
    ) -> None:
        answer = self._ask([points[row] for row in rows], [points[column] for column in columns])
        for name, target in (("durations", travel_s), ("distances", distance_m)):
            table = answer.get(name)
            if not isinstance(table, list) or len(table) != len(rows):
                raise TravelError("osrm_bad_answer", field=name)
            for row, values in zip(rows, table, strict=True):
                if not isinstance(values, list) or len(values) != len(columns):
                    raise TravelError("osrm_bad_answer", field=name)
                for column, value in zip(columns, values, strict=True):
                    if value is None:
                        raise TravelError("osrm_no_route", site=points[row].id, other=points[column].id)
                    target[row, column] = 0 if row == column else round(value)

    def _ask(self, origins: Sequence[Site], targets: Sequence[Site]) -> dict[str, object]:
        places = ";".join(f"{point.lon:.6f},{point.lat:.6f}" for point in (*origins, *targets))
        query = {
            "annotations": "duration,distance",
            "sources": ";".join(str(i) for i in range(len(origins))),
            "destinations": ";".join(str(len(origins) + i) for i in range(len(targets))),
        }
        try:
            response = self._client.get(self._base + places, params=query)
        except httpx.HTTPError as error:
            raise TravelError("osrm_unreachable", detail=type(error).__name__) from error
        try:
            answer = response.json()
        except ValueError as error:
            raise TravelError("osrm_bad_answer", status=response.status_code) from error
        if not isinstance(answer, dict):
            raise TravelError("osrm_bad_answer", status=response.status_code)
        if response.status_code != httpx.codes.OK or answer.get("code") != "Ok":
            raise TravelError("osrm_refused", status=response.status_code, answer=str(answer.get("code", "")))
        return answer


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
