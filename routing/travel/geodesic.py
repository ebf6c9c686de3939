"""The embedded estimate: straight line × detour factor ÷ speed, for places without a road server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from geopy.distance import geodesic

from routing.problem import Site
from routing.travel.base import TravelMatrix
from routing.travel.calibration import Calibration

FAST_KMH = 50.0
FAST_FROM_M = 30_000
SLOW_UNTIL_M = 20_000

Floats = npt.NDArray[np.float64]

_MAJOR_M, _FLATTENING = 6_378_137.0, 1 / 298.257223563  # WGS-84
_MINOR_M = _MAJOR_M * (1 - _FLATTENING)
_ROUNDS, _SETTLED = 20, 1e-12


def road_time_s(road_m: float, local_kmh: float, fast_kmh: float = FAST_KMH) -> int:
    """Seconds for ``road_m`` metres of road.

    Local speed on legs up to 20 km, ``fast_kmh`` (or the local speed if faster) on legs of 30 km and more, in
    between the speed rises evenly. Never less than for the first 20 km, so that a longer leg takes no less time.
    """
    return int(road_times_s(np.asarray(road_m, dtype=np.float64), np.asarray(local_kmh), fast_kmh))


def road_times_s(road_m: Floats, local_kmh: Floats, fast_kmh: float = FAST_KMH) -> npt.NDArray[np.int32]:
    """:func:`road_time_s` over arrays of one shape."""
    kmh = local_kmh + fast_share(road_m) * (np.maximum(fast_kmh, local_kmh) - local_kmh)
    seconds = np.maximum(road_m / kmh, np.minimum(road_m, SLOW_UNTIL_M) / local_kmh) * 3.6
    return np.rint(seconds).astype(np.int32)


def fast_share(road_m: Floats) -> Floats:
    """0 for a local leg, 1 for a long one, rising evenly from 20 to 30 km."""
    return np.clip((road_m - SLOW_UNTIL_M) / (FAST_FROM_M - SLOW_UNTIL_M), 0.0, 1.0)


def straight_m(lat_a: Floats, lon_a: Floats, lat_b: Floats, lon_b: Floats) -> Floats:
    """Metres on the WGS-84 ellipsoid between points in degrees, over arrays of one shape.

    Vincenty's inverse formula (Survey Review 23, 1975), which agrees with geopy to less than a millimetre; points
    nearly opposite on the globe, where it does not settle, are asked of geopy. A matrix of 1,000 sites takes a
    second this way instead of a minute.
    """
    up_a = np.arctan((1 - _FLATTENING) * np.tan(np.radians(lat_a)))
    up_b = np.arctan((1 - _FLATTENING) * np.tan(np.radians(lat_b)))
    sin_a, cos_a, sin_b, cos_b = np.sin(up_a), np.cos(up_a), np.sin(up_b), np.cos(up_b)
    apart = np.radians((lon_b - lon_a + 180) % 360 - 180)
    turn = apart.copy()
    settled = np.zeros(apart.shape, dtype=bool)
    for _ in range(_ROUNDS):
        sin_s = np.hypot(cos_b * np.sin(turn), cos_a * sin_b - sin_a * cos_b * np.cos(turn))
        cos_s = sin_a * sin_b + cos_a * cos_b * np.cos(turn)
        sigma = np.arctan2(sin_s, cos_s)
        same = sin_s < 1e-15
        sin_alpha = cos_a * cos_b * np.sin(turn) / np.where(same, 1.0, sin_s)
        cos2_alpha = 1 - sin_alpha**2
        middle = cos_s - 2 * sin_a * sin_b / np.where(cos2_alpha < 1e-15, 1.0, cos2_alpha)
        middle = np.where(cos2_alpha < 1e-15, 0.0, middle)
        c = _FLATTENING / 16 * cos2_alpha * (4 + _FLATTENING * (4 - 3 * cos2_alpha))
        inner = sigma + c * sin_s * (middle + c * cos_s * (2 * middle**2 - 1))
        fresh = apart + (1 - c) * _FLATTENING * sin_alpha * inner
        settled = same | (np.abs(fresh - turn) < _SETTLED)
        turn = np.where(same, turn, fresh)
        if settled.all():
            break
    u2 = cos2_alpha * (_MAJOR_M**2 - _MINOR_M**2) / _MINOR_M**2
    a = 1 + u2 / 16384 * (4096 + u2 * (-768 + u2 * (320 - 175 * u2)))
    b = u2 / 1024 * (256 + u2 * (-128 + u2 * (74 - 47 * u2)))
    third = b / 6 * middle * (4 * sin_s**2 - 3) * (4 * middle**2 - 3)
    less = b * sin_s * (middle + b / 4 * (cos_s * (2 * middle**2 - 1) - third))
    metres = np.where(same, 0.0, _MINOR_M * a * (sigma - less))
    for where in np.argwhere(~settled):
        at = tuple(where)
        metres[at] = geodesic((lat_a[at], lon_a[at]), (lat_b[at], lon_b[at])).meters
    return np.asarray(metres, dtype=np.float64)


class GeodesicProvider:
    """The embedded default: geodesic distance × detour factor ÷ local speed, each the mean of both ends.

    With a ``calibration`` (``routing.travel.calibration``) its detour factor and speed stand in for a site's own
    wherever it knows the site's road class: ``classes`` names it by site id.
    """

    def __init__(self, calibration: Calibration | None = None, classes: dict[str, str] | None = None) -> None:
        self._calibration = calibration
        self._classes = classes or {}

    def matrix(self, points: Sequence[Site]) -> TravelMatrix:
        """Symmetric estimate; never fails."""
        points = [self._as_calibrated(point) for point in points]
        rows, columns = np.triu_indices(len(points), 1)
        lat, lon, detour, kmh = (
            np.array([getattr(point, name) for point in points], dtype=np.float64)
            for name in ("lat", "lon", "detour_factor", "speed_kmh")
        )
        road_m = straight_m(lat[rows], lon[rows], lat[columns], lon[columns]) * (detour[rows] + detour[columns]) / 2
        fast_kmh = self._calibration.fast_kmh if self._calibration else FAST_KMH
        travel_s = np.zeros((len(points), len(points)), dtype=np.int32)
        distance_m = np.zeros_like(travel_s)
        distance_m[rows, columns] = distance_m[columns, rows] = np.rint(road_m)
        times = road_times_s(road_m, (kmh[rows] + kmh[columns]) / 2, fast_kmh)
        travel_s[rows, columns] = travel_s[columns, rows] = times
        return TravelMatrix(tuple(point.id for point in points), travel_s, distance_m, "geodesic")

    def _as_calibrated(self, site: Site) -> Site:
        name = self._classes.get(site.id, "")
        if self._calibration is None or name not in self._calibration.roads:
            return site
        road = self._calibration.roads[name]
        return replace(site, detour_factor=road.detour_factor, speed_kmh=road.speed_kmh)
