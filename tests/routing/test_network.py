"""Network design: the cheapest assignment of small networks is known; Xianning's is never dearer than today's."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from bench.network import places as xianning
from routing import Site
from routing.network import Level, Place, Terms, _Net, _written, design
from routing.travel import GeodesicProvider, TravelMatrix

TERMS = Terms(city_share=0.0, turnaround_s=10 * 3600)


def line(metres: dict[str, tuple[Level, float, str]]) -> tuple[list[Place], TravelMatrix]:
    """Places along one straight road at 10 m/s."""
    found = [
        Place(Site(name, 0, 0), level, 2.0 if level is Level.TOWNSHIP else 0.0, today)
        for name, (level, _, today) in metres.items()
    ]
    at = np.array([where for _, where, _ in metres.values()])
    distance = np.abs(at[:, None] - at[None, :]).astype(np.int32)
    return found, TravelMatrix(tuple(metres), (distance // 10).astype(np.int32), distance, "test")


ROAD = {
    "city": (Level.CITY, 0.0, ""),
    "near": (Level.TOWNSHIP, 5_000.0, "far_centre"),
    "mid": (Level.TOWNSHIP, 48_000.0, "far_centre"),
    "end": (Level.TOWNSHIP, 56_000.0, "city"),
    "far_centre": (Level.CENTRE, 52_000.0, ""),
}


def test_everybody_goes_where_it_is_near() -> None:
    """Beside the city: to the city; beside the centre: to the centre. Today is the other way about and costs more."""
    places, travel = line(ROAD)
    result = design(places, travel, TERMS)
    assert {one.site_id: one.hub for one in result.best.lines} == {
        "near": "city", "mid": "far_centre", "end": "far_centre",
    }  # fmt: skip
    assert [one.site_id for one in result.best.lines if one.changed] == ["near", "end"]
    assert result.best.proven
    assert result.best.cost == pytest.approx(result.best.bound, rel=0.002)
    assert result.best.cost < result.same_hubs.cost <= result.today.cost
    assert not any(one.changed for one in result.same_hubs.lines)


def test_no_other_assignment_is_cheaper() -> None:
    """All 2³ assignments × rounds of each laboratory, costed one by one, against the choice."""
    places, travel = line(ROAD)
    result = design(places, travel, TERMS)
    net = _Net(places, travel, TERMS)
    costs = []
    for hubs in product(net.hubs, repeat=len(net.townships)):
        for rounds in product(TERMS.rounds, repeat=len(net.hubs)):
            count = dict(zip(net.hubs, rounds, strict=True))
            chosen = dict(zip(net.townships, hubs, strict=True))
            if all(net.options[i, hub, count[hub]].fits for i, hub in chosen.items()):
                costs.append(_written(net, chosen, count).cost)
    assert result.best.cost == pytest.approx(min(costs), abs=0.5)


def test_turnaround_asks_for_more_rounds() -> None:
    """Within 9 h one round a day is enough; within 4 h it takes three; within 2 h nobody can be served."""
    places, travel = line({name: value for name, value in ROAD.items() if name != "far_centre"} | {
        "near": (Level.TOWNSHIP, 5_000.0, "city"), "mid": (Level.TOWNSHIP, 20_000.0, "city"),
    })  # fmt: skip
    slow = design(places, travel, replace(TERMS, turnaround_s=12 * 3600)).best
    quick = design(places, travel, replace(TERMS, turnaround_s=int(4.5 * 3600))).best
    never = design(places, travel, replace(TERMS, turnaround_s=2 * 3600)).best
    assert {one.rounds for one in slow.lines} == {1}
    assert {one.rounds for one in quick.lines} == {3}
    assert quick.cost > slow.cost
    assert set(never.unserved) == {"near", "mid", "end"}


def test_who_is_too_far_is_named_and_the_others_are_served() -> None:
    """Three hours away with a ride limit of two: left out by name, not an empty answer."""
    places, travel = line(ROAD | {"moon": (Level.TOWNSHIP, 160_000.0, "far_centre")})
    result = design(places, travel, TERMS)
    assert result.best.unserved == ("moon",)
    assert all(one.hub for one in result.best.lines if one.site_id != "moon")


def test_a_centre_with_patients_keeps_its_trunk_run() -> None:
    """Nobody assigned to it: one run for its own boxes; without boxes none."""
    places, travel = line({**ROAD, "mid": (Level.TOWNSHIP, 4_000.0, "city"), "end": (Level.TOWNSHIP, 6_000.0, "city")})
    runs = {hub.site_id: hub.trunk_runs for hub in design(places, travel, TERMS).best.hubs}
    assert runs["far_centre"] == 0
    places[-1] = replace(places[-1], boxes_per_day=3.0)
    runs = {hub.site_id: hub.trunk_runs for hub in design(places, travel, TERMS).best.hubs}
    assert runs["far_centre"] == 1


def test_a_network_that_makes_no_sense_is_refused() -> None:
    """Two cities, none, or a laboratory that is none."""
    places, travel = line(ROAD)
    with pytest.raises(ValueError, match="one city"):
        design([replace(one, level=Level.CENTRE) if one.level is Level.CITY else one for one in places], travel)
    with pytest.raises(ValueError, match="no laboratory"):
        design([replace(one, today="end") if one.site.id == "mid" else one for one in places], travel)


def test_xianning_costs_no_more_than_today() -> None:
    """70 townships, six centres and the city: everybody served, not dearer than today, kilometres add up."""
    places = xianning()
    travel = GeodesicProvider().matrix([place.site for place in places])
    result = design(places, travel, Terms(), seconds=2.0)
    assert len(result.best.lines) == 70
    assert not result.best.unserved
    assert result.best.cost <= result.today.cost
    assert result.best.km_per_day == pytest.approx(sum(hub.km_per_day for hub in result.best.hubs), abs=0.1)
    assert result.best.bound is not None
    assert result.best.bound <= result.best.cost + 1
