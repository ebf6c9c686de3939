"""Calibration: numbers that made the legs are found again, outliers and few legs do no harm, the error is honest."""

from __future__ import annotations

import numpy as np
import pytest
from geopy.distance import geodesic

from routing.problem import Site
from routing.travel import GeodesicProvider, Road
from routing.travel.fitting import Leg, TooFewLegs, fit, model_seconds
from routing.travel.geodesic import road_time_s, straight_m

PRIOR = {"plain": Road(1.4, 40.0), "hills": Road(1.4, 40.0)}
TRUE = {"plain": Road(1.25, 46.0), "hills": Road(1.7, 28.0)}
FAST_KMH = 58.0
RUSH = 1.3


def legs(count: int, *, seed: int = 1, noise: float = 0.12, metres: bool = True, spoilt: float = 0.0) -> list[Leg]:
    """Drives on made-up roads: winding slow hills, a straight plain, a rush from 7 to 9."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        names = [("plain", "hills")[int(rng.random() < 0.5)] for _ in range(2)]
        lat = rng.uniform(29.3, 30.1, 2)
        lon = rng.uniform(113.6, 114.9, 2) if rng.random() < 0.3 else 114.2 + rng.uniform(-0.12, 0.12, 2)
        a, b = (Site(f"{number}{end}", lat[i], lon[i]) for i, end in enumerate("ab"))
        detour = sum(TRUE[name].detour_factor for name in names) / 2
        kmh = sum(TRUE[name].speed_kmh for name in names) / 2
        road_m = geodesic((a.lat, a.lon), (b.lat, b.lon)).meters * detour
        depart_s = int(rng.uniform(7, 18) * 3600)
        seconds = road_time_s(road_m, kmh, FAST_KMH) * (RUSH if depart_s < 9 * 3600 else 1.0)
        seconds *= rng.lognormal(0, noise) * (6.0 if rng.random() < spoilt else 1.0)
        driven = round(road_m * rng.lognormal(0, 0.03)) if metres else None
        found.append(Leg(a, b, names[0], names[1], depart_s, max(1, round(seconds)), driven))
    return found


def test_straight_lines_are_those_of_geopy() -> None:
    """Less than a millimetre off, also at the poles, across the date line, at one place and at its opposite."""
    rng = np.random.default_rng(3)
    a = rng.uniform([-90, -180], [90, 180], (60, 2))
    b = rng.uniform([-90, -180], [90, 180], (60, 2))
    a[:30] = np.array([29.8, 114.3]) + rng.normal(0, 0.3, (30, 2))
    b[:30] = a[:30] + rng.normal(0, 0.3, (30, 2))
    b[0], b[1], a[2], b[2] = a[0], (-a[1][0] + 0.01, a[1][1] - 179.8), (10, 179.9), (10, -179.9)
    known = [geodesic(x, y).meters for x, y in zip(a, b, strict=True)]
    assert straight_m(a[:, 0], a[:, 1], b[:, 0], b[:, 1]) == pytest.approx(known, abs=0.001)


def test_the_roads_that_made_the_legs_are_found() -> None:
    """Detour within 2 %, speeds within 5 %, the rush within 5 %; the error falls to that of the noise."""
    found = fit(legs(1500), PRIOR)
    for name, road in TRUE.items():
        assert found.roads[name].detour_factor == pytest.approx(road.detour_factor, rel=0.02)
        # the level is shared between hours (mean 1) and speeds
        level = np.exp(np.log(found.hour_factors[10:17]).mean())
        assert found.roads[name].speed_kmh / level == pytest.approx(road.speed_kmh, rel=0.05)
    assert found.hour_factors[7] / np.mean(found.hour_factors[10:17]) == pytest.approx(RUSH, rel=0.05)
    assert found.before is not None
    assert found.after is not None
    assert found.after.mape < 0.1 < 0.18 < found.before.mape
    assert abs(found.after.bias) < 0.03
    assert found.after.legs == found.legs == 1500


def test_a_lunch_on_the_way_changes_little() -> None:
    """One leg in twelve takes six times as long: the speeds stay within 8 % of those without."""
    clean, spoilt = fit(legs(800), PRIOR), fit(legs(800, spoilt=0.08), PRIOR)
    for name in TRUE:
        assert spoilt.roads[name].speed_kmh == pytest.approx(clean.roads[name].speed_kmh, rel=0.08)


def test_without_metres_only_the_speed_moves() -> None:
    """Seconds alone cannot tell a winding road from a slow one; the times come out right all the same."""
    found = fit(legs(800, metres=False), PRIOR)
    assert {road.detour_factor for road in found.roads.values()} == {1.4}
    assert found.after is not None
    assert found.after.mape < 0.13
    fresh = legs(300, seed=9, metres=False)
    off = model_seconds(found, fresh) / np.array([leg.travel_s for leg in fresh]) - 1
    assert np.abs(off).mean() < 0.13


def test_a_class_hardly_seen_stays_as_assumed() -> None:
    """Two strange legs move a class by less than a fifth of what they say; none leaves it alone."""
    known = legs(200, noise=0.05)
    odd = Leg(Site("x", 29.8, 114.2), Site("y", 29.85, 114.25), "islands", "islands", 36_000, 6_000)
    prior = {**PRIOR, "islands": Road(1.4, 40.0), "moon": Road(2.0, 10.0)}
    found = fit([*known, odd, odd], prior)
    assert 28.0 < found.roads["islands"].speed_kmh < 46.0
    assert found.roads["moon"].detour_factor == 2.0
    assert found.roads["islands"].legs == 4
    assert found.roads["moon"].legs == 0


def test_too_few_legs_teach_nothing() -> None:
    """29 usable legs are refused, saying how many there are; a leg from a site to itself is none."""
    known = legs(29)
    with pytest.raises(TooFewLegs) as caught:
        fit([*known, Leg(known[0].origin, known[0].origin, "plain", "plain", 0, 10)])
    assert (caught.value.known, caught.value.needed) == (29, 30)


def test_noise_alone_is_not_sold_as_progress() -> None:
    """Legs that follow the prior already: the error on unseen legs stays what it was."""
    rng = np.random.default_rng(5)
    plain = [
        Leg(one.origin, one.target, "plain", "plain", one.depart_s, one.travel_s, None) for one in legs(120, noise=0)
    ]
    start = fit(plain, PRIOR, prior_legs=1e9)
    follow = model_seconds(start, plain) * rng.lognormal(0, 0.2, 120)
    noisy = [
        Leg(one.origin, one.target, "plain", "plain", one.depart_s, round(seconds))
        for one, seconds in zip(plain, follow, strict=True)
    ]
    found = fit(noisy, PRIOR)
    assert found.before is not None
    assert found.after is not None
    assert found.after.mape == pytest.approx(found.before.mape, abs=0.03)


def test_the_provider_uses_what_was_fitted() -> None:
    """Sites of a known class get its numbers, others keep their own."""
    found = fit(legs(400), PRIOR)
    a, b = Site("a", 29.9, 114.0), Site("b", 29.95, 114.0)
    plain = GeodesicProvider().matrix([a, b])
    taught = GeodesicProvider(found, {"a": "hills", "b": "hills"}).matrix([a, b])
    ratio = found.roads["hills"].detour_factor / 1.4
    assert taught.distance_m[0, 1] / plain.distance_m[0, 1] == pytest.approx(ratio, rel=0.002)
    assert taught.travel_s[0, 1] > plain.travel_s[0, 1] * 1.4
    assert (GeodesicProvider(found, {"a": "nowhere"}).matrix([a, b]).travel_s == plain.travel_s).all()
