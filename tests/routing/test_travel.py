"""Travel providers: the geodesic model against known figures, OSRM over real HTTP, fallback and cache."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from geopy.distance import geodesic

from bench.xianning import read_sites
from routing.problem import Site, TravelTable
from routing.travel import (
    CachedProvider,
    FallbackProvider,
    GeodesicProvider,
    MatrixProvider,
    OsrmProvider,
    TravelError,
    TravelMatrix,
    road_time_s,
)
from tests.servers import serving

WUHAN = Site("wuhan", 30.5928, 114.3055, detour_factor=1.0)
XIANNING = Site("xianning", 29.8413, 114.3225, detour_factor=1.0)
NEAR = Site("near", 29.85, 114.33)


def test_geodesic_distance_is_right() -> None:
    """Wuhan to Xianning: 0.7515° of meridian × 110.86 km = 83.3 km, on the ellipsoid; long legs go at 50 km/h."""
    matrix = GeodesicProvider().matrix([WUHAN, XIANNING])
    assert matrix.distance_m[0, 1] == pytest.approx(83_320, abs=150)
    assert matrix.travel_s[0, 1] == pytest.approx(matrix.distance_m[0, 1] / 50 * 3.6, abs=2)
    assert matrix.distance_m.dtype == matrix.travel_s.dtype == np.int32
    assert np.array_equal(matrix.travel_s, matrix.travel_s.T)
    assert matrix.distance_m.trace() == 0


def test_detour_and_terrain_are_parameters_of_the_site() -> None:
    """A winding, slow end makes the leg longer and slower than a straight, fast one."""
    plain = Site("p", 29.9, 114.0, detour_factor=1.3, speed_kmh=40)
    hills = Site("h", 29.9, 114.0, detour_factor=1.5, speed_kmh=35)
    other = Site("o", 29.95, 114.0, detour_factor=1.3, speed_kmh=40)
    on_plain = GeodesicProvider().matrix([plain, other])
    in_hills = GeodesicProvider().matrix([hills, other])
    assert in_hills.distance_m[0, 1] / on_plain.distance_m[0, 1] == pytest.approx(1.4 / 1.3, rel=0.001)
    assert in_hills.travel_s[0, 1] > on_plain.travel_s[0, 1] * 1.1


@pytest.mark.parametrize("local_kmh", [20.0, 35.0, 40.0, 70.0])
def test_longer_never_takes_less(local_kmh: float) -> None:
    """Local speed below 20 km, 50 km/h from 30 km on, and no drop in between."""
    times = [road_time_s(metres, local_kmh) for metres in range(0, 60_000, 250)]
    assert times == sorted(times)
    assert road_time_s(10_000, 40.0) == 900
    assert road_time_s(50_000, 35.0) == 3600


def test_the_whole_network() -> None:
    """77×77: every pair of different sites has a time, and a distance that is that of the ellipsoid."""
    sites = [site for _, site in read_sites()]
    assert len(sites) == 77
    matrix = GeodesicProvider().matrix(sites)
    assert matrix.travel_s.shape == (77, 77)
    assert (matrix.travel_s[~np.eye(77, dtype=bool)] > 0).all()
    a, b = sites[3], sites[70]
    road_m = geodesic((a.lat, a.lon), (b.lat, b.lon)).meters * (a.detour_factor + b.detour_factor) / 2
    assert matrix.distance_m[3, 70] == pytest.approx(road_m, abs=0.6)


def test_an_uploaded_matrix_is_picked_by_site() -> None:
    """Order follows the points asked for; a site that it lacks is named."""
    provider = MatrixProvider(TravelTable(("near", "wuhan"), ((0, 5), (7, 0)), ((0, 50), (70, 0))))
    matrix = provider.matrix([WUHAN, NEAR])
    assert matrix.travel_s.tolist() == [[0, 7], [5, 0]]
    with pytest.raises(TravelError) as caught:
        provider.matrix([XIANNING])
    assert (caught.value.code, caught.value.params["site"]) == ("matrix_missing_site", "xianning")


class _Osrm(BaseHTTPRequestHandler):
    """Speaks the table service: 10 s and 100 m per 0.001° of longitude and latitude, eastward twice as slow."""

    answer: str | None = None
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        path, _, query = self.path.partition("?")
        places = [tuple(map(float, item.split(","))) for item in path.split("/")[-1].split(";")]
        wanted = dict(item.split("=") for item in query.replace("%3B", ";").replace("%2C", ",").split("&"))
        origins = [places[int(i)] for i in wanted["sources"].split(";")]
        targets = [places[int(i)] for i in wanted["destinations"].split(";")]
        steps = [[(abs(a[0] - b[0]) + abs(a[1] - b[1])) * 1000 for b in targets] for a in origins]
        east = [[2 if b[0] > a[0] else 1 for b in targets] for a in origins]
        body = self.answer or json.dumps(
            {
                "code": "Ok",
                "durations": [
                    [10 * s * f for s, f in zip(r, e, strict=True)] for r, e in zip(steps, east, strict=True)
                ],
                "distances": [[100 * s for s in row] for row in steps],
            }
        )
        self.send_response(200 if '"Ok"' in body else 400)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def osrm() -> Iterator[str]:
    """A local server that speaks OSRM's JSON."""
    _Osrm.answer, _Osrm.asked = None, 0
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), _Osrm)) as port:
        yield f"http://127.0.0.1:{port}"


def test_osrm_in_blocks_keeps_every_direction(osrm: str) -> None:
    """Five places in blocks of two: nine questions, and no pair confused with its reverse."""
    sites = [Site(f"S{i}", 29.8 + i * 0.001, 114.0 + i * 0.002) for i in range(5)]
    matrix = OsrmProvider(osrm, block=2).matrix(sites)
    assert _Osrm.asked == 9
    assert matrix.source == "osrm"
    assert matrix.travel_s[0, 4] == 240
    assert matrix.travel_s[4, 0] == 120
    assert matrix.distance_m[1, 3] == 600


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ('{"code": "TooBig", "message": "Too many table coordinates"}', "osrm_refused"),
        ("<html>", "osrm_bad_answer"),
        ("[]", "osrm_bad_answer"),
        ('{"code": "Ok", "durations": [[0]], "distances": [[0]]}', "osrm_bad_answer"),
        (
            '{"code": "Ok", "durations": [[0, null], [1, 0]], "distances": [[0, 1], [1, 0]]}',
            "osrm_no_route",
        ),
    ],
)
def test_what_osrm_cannot_tell_has_a_code(osrm: str, answer: str, code: str) -> None:
    """Every kind of bad answer becomes a TravelError with its code."""
    _Osrm.answer = answer
    with pytest.raises(TravelError) as caught:
        OsrmProvider(osrm).matrix([XIANNING, NEAR])
    assert caught.value.code == code


def test_the_fallback_says_so() -> None:
    """Nobody listens on port 9: the geodesic answer, with a notice that names the cause."""
    provider = FallbackProvider(OsrmProvider("http://127.0.0.1:9", timeout_s=1), GeodesicProvider())
    matrix = provider.matrix([XIANNING, NEAR])
    assert matrix.source == "geodesic"
    assert [notice.code for notice in matrix.notices] == ["travel_fallback"]
    assert matrix.notices[0].params["cause"] == "osrm_unreachable"


class _Counting:
    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def matrix(self, points: list[Site]) -> TravelMatrix:
        self.asked.append([point.id for point in points])
        return GeodesicProvider().matrix(points)


def test_the_cache_asks_only_for_what_is_new() -> None:
    """A known set costs nothing; a new site asks; a moved site is a new place; the figures stay the same."""
    counting = _Counting()
    cached = CachedProvider(counting)
    first = cached.matrix([WUHAN, XIANNING])
    again = cached.matrix([XIANNING, WUHAN])
    assert len(counting.asked) == 1
    assert again.travel_s[0, 1] == first.travel_s[1, 0]
    assert again.source == "geodesic"
    cached.matrix([XIANNING, NEAR])
    assert len(counting.asked) == 2
    moved = Site("xianning", 29.9, 114.3)
    assert cached.matrix([moved, NEAR]).travel_s[0, 1] != cached.matrix([XIANNING, NEAR]).travel_s[0, 1]
    cached.clear()
    cached.matrix([WUHAN, XIANNING])
    assert len(counting.asked) == 4


def test_a_cache_that_is_too_small_still_answers() -> None:
    """Forgetting costs a question, never an answer."""
    cached = CachedProvider(_Counting(), max_pairs=3)
    for points in ([WUHAN, XIANNING], [XIANNING, NEAR], [WUHAN, XIANNING, NEAR], [WUHAN, NEAR]):
        assert np.array_equal(cached.matrix(points).travel_s, GeodesicProvider().matrix(points).travel_s)
