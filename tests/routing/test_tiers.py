"""Two tiers: feeders are due by the trunk they must reach, departures are chosen, a missed trunk has its price."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing import COLD_2_8, Plan, Problem, Site, Window
from routing.check import violations
from routing.solve import SolveParams, solve
from routing.tiers import Centre, Onward, TwoTiers, every, must_be_handed_s, plan_tiers, relaxed, run_id
from routing.travel import travel_matrix
from tests.routing import cases

HOUR, MIN = cases.HOUR, cases.MIN
CITY = "CITY"
SORTING = 30 * MIN
SITES = (
    Site(CITY, 29.84, 114.32),
    Site("H1", 29.60, 114.10),
    Site("H2", 30.00, 114.60),
    *(Site(f"H1-{n}", 29.60 + 0.05 * n, 114.00 + 0.03 * n) for n in range(4)),
    *(Site(f"H2-{n}", 30.00 + 0.04 * n, 114.70 - 0.02 * n) for n in range(4)),
)


def plan_of(problem: Problem) -> Plan:
    return solve(problem, SolveParams(seconds=2.0, iterations=15))


def centre(name: str, *, ready: tuple[int, ...] = (8 * HOUR, 9 * HOUR), goes_on: int = 1, **changes: object) -> Centre:
    """A county with a pickup at each ready time, the first ``goes_on`` of which go on to the city."""
    wishes = tuple(
        cases.request(
            f"{name}-R{n}", f"{name}-{n}", delivery_site=name, ready_s=at_s, latest_pickup_s=at_s + 3 * HOUR,
            due_s=17 * HOUR, load={COLD_2_8: 1},
        )
        for n, at_s in enumerate(ready)
    )  # fmt: skip
    people = (cases.courier(f"{name}-C", start_site=name, end_site=name, shift_end_s=19 * HOUR),)
    base = Centre(
        site_id=name,
        feeders=Problem(SITES, wishes, people, name),
        onward=tuple(Onward(one.id, name, {COLD_2_8: 1}, 18 * HOUR) for one in wishes[:goes_on]),
        trunk=cases.request(f"{name}-trunk", name, delivery_site=CITY, due_s=18 * HOUR, load={COLD_2_8: 1}),
        departures=every(Window(10 * HOUR, 15 * HOUR), HOUR),
        transfer_s=SORTING,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def city(**changes: object) -> Problem:
    """The trunk's couriers."""
    person = cases.courier("TRUNK", start_site=CITY, end_site=CITY, shift_end_s=19 * HOUR)
    return Problem(SITES, (), (replace(person, **changes),), "trunk")  # type: ignore[arg-type]


def at_city(found: TwoTiers, name: str) -> int | None:
    return next(chain.city_s for chain in found.chains if chain.request_id == name)


def test_a_feeder_is_due_before_the_trunk_that_it_must_reach() -> None:
    """The due time is the departure less sorting and handover; what stays at the centre keeps its own."""
    found = plan_tiers([centre("H1", departures=(12 * HOUR,))], city(), plan_of)
    due = {one.id: one.due_s for one in found.feeder_problems["H1"].requests}
    wish = found.feeder_problems["H1"].requests[0]
    assert due == {"H1-R0": 12 * HOUR - SORTING - wish.delivery_service_s, "H1-R1": 17 * HOUR}
    assert due["H1-R0"] == must_be_handed_s(12 * HOUR, SORTING, wish)
    chain = found.chains[0]
    assert [(leg.from_site, leg.to_site) for leg in chain.legs] == [("H1-0", "H1"), ("H1", CITY)]
    assert (chain.trunk, chain.in_time, chain.missed) == (run_id("H1", 12 * HOUR), True, None)


def test_the_departure_waits_for_what_is_ready_late_and_no_longer_than_the_city_takes() -> None:
    """Of all candidates one is taken that everything makes; when the city closes early, one that it still takes."""
    late = centre("H1", ready=(12 * HOUR,))
    assert plan_tiers([late], city(), plan_of).departures["H1"][0] >= 13 * HOUR
    early = centre("H1", trunk=replace(late.trunk, due_s=12 * HOUR + 30 * MIN))
    found = plan_tiers([early], city(), plan_of)
    assert found.departures["H1"][0] <= 12 * HOUR
    assert not found.trunk.unserved


def test_a_second_run_is_driven_only_for_what_the_first_cannot_bring_in_time() -> None:
    """One tube is due in the city at noon, the other is ready after that: two runs, each with its own; else one."""
    both = centre("H1", ready=(8 * HOUR, 12 * HOUR), goes_on=2, runs=2)
    soon = replace(both, onward=(replace(both.onward[0], due_s=12 * HOUR), both.onward[1]))
    found = plan_tiers([soon], city(), plan_of)
    assert len(found.departures["H1"]) == 2
    assert [run.aboard for run in found.runs] == [("H1-R0",), ("H1-R1",)]
    assert len(plan_tiers([both], city(), plan_of).departures["H1"]) == 1


def test_a_missed_trunk_costs_the_time_until_the_next_and_says_what_is_too_late_then() -> None:
    """With a run later that day the delay is what lies between the two; with none, a day; due times say what fails."""
    both = centre("H1", ready=(8 * HOUR, 12 * HOUR), goes_on=2, runs=2)
    soon = replace(both, onward=(replace(both.onward[0], due_s=12 * HOUR), both.onward[1]))
    found = plan_tiers([soon], city(), plan_of)
    first, last = found.runs
    assert first.next_s == last.departure.departs_s
    assert first.missing[0].delay_s == last.departure.city_s - first.departure.city_s
    assert first.missing[0].too_late, "due at noon, the next run is in the city after that"
    assert last.missing[0].delay_s is not None
    assert last.next_s == found.departures["H1"][0] + 24 * HOUR
    assert last.missing[0].city_s == last.next_s + last.departure.city_s - last.departure.departs_s
    assert first.extra_s is not None, "another candidate lies between"


def test_what_cannot_reach_any_trunk_is_brought_all_the_same_and_says_what_that_costs() -> None:
    """Ready after the last departure can be reached: it comes to the centre in its own time, and misses the run."""
    found = plan_tiers([centre("H1", ready=(8 * HOUR, 14 * HOUR + 50 * MIN), goes_on=2)], city(), plan_of)
    assert not found.feeders["H1"].unserved
    late = next(chain for chain in found.chains if chain.request_id == "H1-R1")
    assert (late.trunk, late.in_time, len(late.legs)) == (None, False, 1)
    assert late.missed is not None
    assert late.missed.too_late
    assert late.missed.delay_s is not None
    assert late.missed.delay_s > 12 * HOUR


def test_one_courier_fetches_from_two_centres() -> None:
    """Departures are chosen together: with a single trunk courier both counties still reach the city."""
    found = plan_tiers([centre("H1"), centre("H2")], city(), plan_of)
    assert not found.trunk.unserved
    assert {run.departure.courier_id for run in found.runs} == {"TRUNK"}
    assert all(chain.in_time for chain in found.chains)


def test_the_search_for_departures_ends_when_told() -> None:
    """A limit of combinations and a stop are kept; a centre without departures is refused."""
    assert plan_tiers([centre("H1"), centre("H2")], city(), plan_of, tries=3).tried == 3
    assert plan_tiers([centre("H1")], city(), plan_of, should_stop=lambda: True).tried == 1
    with pytest.raises(ValueError, match="H1"):
        plan_tiers([centre("H1", departures=())], city(), plan_of)


def test_a_ladder_is_climbed_down_only_by_what_finds_no_place() -> None:
    """The first due time is kept where it can be; what misses it has the next, and in the end its own."""
    case = centre("H1").feeders
    ladder = {"H1-R0": [11 * HOUR, 12 * HOUR], "H1-R1": [8 * HOUR, 16 * HOUR]}
    problem, plan, step = relaxed(case, ladder, plan_of)
    assert step == {"H1-R0": 0, "H1-R1": 1}
    assert [one.due_s for one in problem.requests] == [11 * HOUR, 16 * HOUR]
    assert not plan.unserved


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_chain_is_in_order_and_no_tube_leaves_before_it_is_sorted(seed: int) -> None:
    """Random counties: legs in order with sorting kept, one trunk at most, and plans that break none of their rules."""
    rng = random.Random(seed)
    transfer_s = rng.choice((0, 15 * MIN, 45 * MIN))
    counties = [
        centre(
            name,
            ready=tuple(rng.randrange(8 * HOUR, 15 * HOUR, 600) for _ in range(rng.randint(1, 4))),
            goes_on=rng.randint(1, 4),
            transfer_s=transfer_s,
            runs=rng.randint(1, 2),
            departures=tuple(rng.sample(range(10 * HOUR, 16 * HOUR, 1800), 3)),
        )
        for name in ("H1", "H2")
    ]
    found = plan_tiers(counties, city(capacity={COLD_2_8: rng.randint(2, 8)}), plan_of, tries=6)
    for problem, plan in [
        *((found.feeder_problems[name], found.feeders[name]) for name in found.feeders),
        (found.trunk_problem, found.trunk),
    ]:
        assert violations(problem, plan, travel_matrix(problem)) == []
    runs = {run.departure.request_id: run for run in found.runs}
    asked = {one.id for county in counties for one in county.feeders.requests}
    assert sorted(chain.request_id for chain in found.chains) == sorted(asked)
    for chain in found.chains:
        moments = [at for leg in chain.legs for at in (leg.start_s, leg.loaded_s, leg.arrive_s, leg.handed_s)]
        assert moments == sorted(at for at in moments if at is not None)
        if chain.trunk is None:
            assert not chain.onward or not chain.in_time
            continue
        assert chain.sorted_s is not None
        assert chain.sorted_s == chain.legs[0].handed_s + transfer_s
        assert chain.legs[1].start_s is not None
        assert chain.legs[1].start_s >= chain.sorted_s
        assert chain.request_id in runs[chain.trunk].aboard
    loads = {one.id: one.load for one in found.trunk_problem.requests}
    for name, run in runs.items():
        assert loads[name][COLD_2_8] == 1 + len(run.aboard), "what makes the run has its slot in it"
