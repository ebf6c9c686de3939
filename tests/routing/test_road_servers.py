"""One contract for road servers: an imitation that speaks OSRM's JSON, and OSRM itself when it is at hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from routing import Site
from routing.check import violations
from routing.solve import solve
from routing.travel import CachedProvider, FallbackProvider, GeodesicProvider, OsrmProvider, travel_matrix
from tests.routing import cases, roads

KINDS = ("imitation", *(("osrm-routed",) if roads.osrm_folder() else ()))
TOWNS = [Site(name, lat, lon) for name, (_, lat, lon) in roads.NODES.items()]
ROW = {site.id: row for row, site in enumerate(TOWNS)}


@pytest.fixture(scope="module", params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that knows the made-up network."""
    folder: Path = tmp_path_factory.mktemp("roads")
    with roads.imitation() if request.param == "imitation" else roads.osrm(folder) as found:
        yield found


@pytest.mark.parametrize("block", [50, 3])
def test_metres_and_seconds_are_those_of_the_roads(url: str, block: int) -> None:
    """Every pair by the quickest way: metres within 0.5 %; seconds within 30 %: OSRM drives at 0.8 of a limit."""
    matrix = OsrmProvider(url, block=block).matrix(TOWNS)
    for a in roads.NODES:
        for b, (seconds, metres) in roads.shortest(a).items():
            assert matrix.distance_m[ROW[a], ROW[b]] == pytest.approx(metres, rel=0.005)
            assert matrix.travel_s[ROW[a], ROW[b]] == pytest.approx(seconds, rel=0.3)
    assert matrix.source == "osrm"


def test_a_one_way_road_is_not_driven_back(url: str) -> None:
    """From B to C it is 9 km; back only around by D and A, 28 km."""
    matrix = OsrmProvider(url).matrix(TOWNS)
    there, back = matrix.distance_m[ROW["B"], ROW["C"]], matrix.distance_m[ROW["C"], ROW["B"]]
    assert there == pytest.approx(roads.metres("B", "C"), rel=0.005)
    assert back > 3 * there


def test_a_plan_on_road_times_keeps_every_rule(url: str) -> None:
    """From the server through cache and fallback into a plan, and back through check."""
    case = cases.problem()
    places = {cases.LAB: TOWNS[0], cases.A: TOWNS[1], cases.B: TOWNS[2]}
    sites = tuple(replace(site, lat=places[site.id].lat, lon=places[site.id].lon) for site in case.sites)
    case = replace(case, sites=sites, travel=None)
    matrix = travel_matrix(case, FallbackProvider(CachedProvider(OsrmProvider(url)), GeodesicProvider()))
    plan = solve(case, cases.QUICK, travel=matrix)
    assert not violations(case, plan, matrix)
    assert (plan.travel_source, plan.unserved, plan.notices) == ("osrm", (), ())
