"""Each further rule alone: what the reference schedule makes of it, against answers worked out by hand, and the
check on a plan that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from routing import COLD_2_8, Break, BreakTaken, Courier, Plan, Problem, Request, SpeedBand, TravelTable, Window
from routing.check import violations
from routing.diagnose import examine
from routing.driven import driven, holds
from routing.instance import Instance, Visit
from routing.travel import travel_matrix
from tests.routing.cases import HOUR, LAB, MIN, A, B, courier, planned, problem, request
from tests.routing.rich import plan_of

H8 = 8 * HOUR
EARLY = {"ready_s": H8, "latest_pickup_s": H8}


def _instance(case: Problem) -> Instance:
    return Instance(case, travel_matrix(case))


def _plan(case: Problem, *routes: tuple[Visit, ...]) -> Plan:
    return plan_of(_instance(case), list(routes))


def _codes(case: Problem, plan: Plan) -> set[str]:
    return {item.code for item in violations(case, plan, travel_matrix(case))}


# --- breaks ---


def _with_break(earliest_s: int, latest_s: int, duration_s: int = 30 * MIN, **changes: Any) -> Courier:
    return courier(breaks=(Break(earliest_s, latest_s, duration_s),), **changes)


def test_a_break_before_leaving_costs_nothing() -> None:
    """Break any time before noon, pickup at eight: taken at home, the route is as without it."""
    case = problem([request()], [_with_break(7 * HOUR, 12 * HOUR)])
    plan = _plan(case, (0, ~0))
    assert plan.routes[0].breaks == ()
    assert (plan.routes[0].start_s, plan.routes[0].end_s) == (H8 - 10 * MIN, H8 + 13 * MIN)
    assert _codes(case, plan) == set()


def test_a_break_on_the_way_is_taken_where_it_costs_least() -> None:
    """From eight to nine the courier is out; half an hour within 08:10 to 08:15 makes the route longer."""
    wishes = [request(**EARLY), request("R2", B, ready_s=9 * HOUR, latest_pickup_s=9 * HOUR)]
    case = problem(wishes, [_with_break(H8 + 10 * MIN, H8 + 15 * MIN)])
    plan = _plan(case, (0, 1, ~0, ~1))
    (taken,) = plan.routes[0].breaks
    assert H8 + 10 * MIN <= taken.start_s <= H8 + 15 * MIN
    assert taken.end_s - taken.start_s == 30 * MIN
    assert plan.routes[0].end_s == 9 * HOUR + 2 * MIN + 15 * MIN + 2 * MIN
    assert _codes(case, plan) == set()


def test_a_break_that_leaves_no_time_makes_the_order_impossible() -> None:
    """Pickup at 08:00 sharp, due 08:20, a break to begin from 08:01 to 08:05: it fits nowhere."""
    wish = request(**EARLY, due_s=H8 + 20 * MIN)
    tight = problem([wish], [_with_break(H8 + MIN, H8 + 5 * MIN)])
    assert not holds(_instance(tight), 0, (0, ~0))
    loose = problem([wish], [_with_break(H8 + MIN, H8 + 13 * MIN)])
    assert holds(_instance(loose), 0, (0, ~0))
    assert _plan(loose, (0, ~0)).routes[0].breaks == ()
    found = examine(_instance(tight), 0, (), 0)
    assert found.binding is not None
    assert found.binding.code == "no_time_for_break"


# --- speed by hour ---


def test_half_the_speed_is_twice_the_time() -> None:
    """Half speed from 08:00 on: A to the laboratory takes twenty minutes instead of ten."""
    case = replace(problem([request(**EARLY)]), speed_bands=(SpeedBand(H8, 0.5),))
    route = _plan(case, (0, ~0)).routes[0]
    assert route.start_s == H8 - 10 * MIN
    assert route.stops[1].travel_s == 20 * MIN
    assert route.stops[1].arrive_s == H8 + 22 * MIN
    assert _codes(case, _plan(case, (0, ~0))) == set()


def test_a_leg_across_a_change_is_driven_partly_at_each_speed() -> None:
    """Left at 08:02, half speed from 08:07: five minutes at full speed, the other half of the way takes ten."""
    case = replace(problem([request(**EARLY)]), speed_bands=(SpeedBand(H8 + 7 * MIN, 0.5),))
    assert _plan(case, (0, ~0)).routes[0].stops[1].travel_s == 15 * MIN


# --- what may not travel together ---


def test_a_ride_limit_that_holds_only_near_the_end_of_the_slow_hours_is_found() -> None:
    """Each later start shortens the ride by a twentieth of what is missing: a hundred rounds until it holds."""
    way_s, ends_s = 2 * HOUR, 8 * HOUR
    table = TravelTable((LAB, A, B), *(((0, way_s, way_s), (way_s, 0, way_s), (way_s, way_s, 0)),) * 2)
    wish = request(
        ready_s=ends_s - 6000, latest_pickup_s=10 * HOUR, due_s=15 * HOUR, max_ride_s=way_s + 5, pickup_service_s=0
    )
    case = problem([wish], [courier(shift_start_s=0, shift_end_s=20 * HOUR)])
    case = replace(case, travel=table, speed_bands=(SpeedBand(0, 0.95), SpeedBand(ends_s, 1.0)))
    plan = planned(case)
    assert plan.unserved == ()
    assert violations(case, plan, travel_matrix(case)) == []


def test_kinds_that_may_not_meet() -> None:
    """Blood and stool: one after the other holds, together does not, and the order that fits is found."""
    wishes = [request(load_kind="blood"), request("R2", B, load_kind="stool")]
    case = replace(problem(wishes), incompatible=(("stool", "blood"),))
    together, apart = _plan(case, (0, 1, ~0, ~1)), _plan(case, (0, ~0, 1, ~1))
    assert _codes(case, together) == {"incompatible_aboard"}
    assert _codes(case, apart) == set()
    assert examine(_instance(case), 0, (0, ~0), 1).visits in {(0, ~0, 1, ~1), (1, ~1, 0, ~0)}


# --- soft cut-offs ---


def test_lateness_at_a_soft_cut_off_is_paid_by_the_hour() -> None:
    """Handed over at 08:12, soft due at 08:00, 60 an hour: twelve."""
    base = problem([request(**EARLY)])
    case = problem([request(**EARLY, soft_due_s=H8, late_cost_per_hour=60.0)])
    assert _plan(case, (0, ~0)).cost == pytest.approx(_plan(base, (0, ~0)).cost + 12, abs=0.01)
    assert _codes(case, _plan(base, (0, ~0))) == {"wrong_cost"}


# --- named couriers, loads aboard ---


def test_only_the_named_courier() -> None:
    """R1 is for C2: with C1 it is refused by the insertion and by the check."""
    case = problem([request(courier_ids=frozenset({"C2"}))], [courier(), courier("C2")])
    found = examine(_instance(case), 0, (), 0)
    assert found.binding is not None
    assert (found.binding.code, examine(_instance(case), 1, (), 0).visits) == ("courier_not_allowed", (0, ~0))
    assert _codes(case, _plan(case, (0, ~0), ())) == {"courier_not_allowed"}


def _aboard(**changes: Any) -> Request:
    return request(pickup_site="", aboard_of="C1", **changes)


def test_what_is_aboard_is_only_handed_over() -> None:
    """C1 has it from the start: no pickup, its slots count from the start, another courier cannot deliver it."""
    case = problem([_aboard(delivery_site=B)], [courier(), courier("C2")])
    plan = _plan(case, (~0,), ())
    (stop,) = plan.routes[0].stops
    assert (stop.picked, stop.delivered, stop.load_after) == ((), ("R1",), {COLD_2_8: 0})
    assert _codes(case, plan) == set()
    small = replace(case, couriers=(courier(capacity={COLD_2_8: 1}), courier("C2")))
    assert _codes(small, plan) == {"capacity_exceeded"}
    assert _codes(case, _plan(case, (), (~0,))) == {"aboard_of_another"}
    assert examine(_instance(case), 1, (), 0).visits is None
    forgotten = replace(plan, unserved=(), routes=(), cost=0.0, distance_m=0, duration_s=0)
    assert _codes(case, forgotten) == {"not_exactly_once"}


def test_the_ride_aboard_counts_from_when_it_was_fetched() -> None:
    """Fetched before midnight at −600 s, eight hours of ride: to be handed over by 07:50."""
    wish = _aboard(delivery_site=B, aboard_since_s=-10 * MIN, max_ride_s=8 * HOUR)
    person = courier(shift_start_s=7 * HOUR)
    way = driven(_instance(problem([wish], [person])), 0, (~0,))
    assert way is not None
    assert way.starts[~0] <= 7 * HOUR + 50 * MIN
    late = courier(shift_start_s=7 * HOUR + 36 * MIN)
    assert not holds(_instance(problem([wish], [late])), 0, (~0,))
    early = _plan(problem([replace(wish, aboard_since_s=HOUR)], [late]), (~0,))
    assert _codes(problem([wish], [late]), early) == {"ride_too_long"}


# --- promises ---


@pytest.mark.parametrize(
    ("promise", "broken"),
    [
        ({"promised_courier_id": "C1"}, False),
        ({"promised_courier_id": "C2"}, True),
        ({"promised_pickup_s": H8 + 10 * MIN}, False),
        ({"promised_pickup_s": H8 + 10 * MIN + 1}, True),
        ({"promised_pickup_s": H8 - 10 * MIN - 1, "promised_courier_id": "C2"}, True),
        ({"promised_pickup_s": H8 - 20 * MIN, "promise_tolerance_s": 20 * MIN}, False),
    ],
)
def test_a_broken_promise_is_charged_once_and_listed(promise: dict[str, Any], broken: bool) -> None:
    """Another courier, or a pickup further off than the tolerance (ten minutes): 40, once."""
    people = [courier(), courier("C2")]
    plain = _plan(problem([request(**EARLY)], people), (0, ~0), ())
    case = problem([request(**EARLY, change_cost=40.0, **promise)], people)
    plan = _plan(case, (0, ~0), ())
    assert plan.cost == pytest.approx(plain.cost + 40 * broken, abs=0.01)
    assert plan.changed == (("R1",) if broken else ())
    assert _codes(case, plan) == set()
    other = replace(plan, changed=() if broken else ("R1",))
    assert _codes(case, other) == {"wrong_changes"}


# --- the check, where the plan is spoilt ---


def _resting() -> tuple[Problem, Plan]:
    wishes = [request(**EARLY), request("R2", B, ready_s=9 * HOUR, latest_pickup_s=9 * HOUR)]
    case = problem(wishes, [_with_break(H8 + 10 * MIN, H8 + 15 * MIN)])
    return case, _plan(case, (0, 1, ~0, ~1))


def _breaks(plan: Plan, *breaks: tuple[int, int]) -> Plan:
    taken = tuple(BreakTaken(*span) for span in breaks)
    return replace(plan, routes=(replace(plan.routes[0], breaks=taken),))


SPOILT: dict[str, Callable[[Plan], Plan]] = {
    "break_missing": _breaks,
    "break_unknown": lambda plan: _breaks(plan, (H8 + 10 * MIN, H8 + 11 * MIN)),
    "break_outside_route": lambda plan: _breaks(plan, (6 * HOUR, 7 * HOUR)),
    "break_during_service": lambda plan: _breaks(plan, (H8 + MIN, H8 + 31 * MIN)),
    "unserved_without_code": lambda plan: replace(plan, unserved=(replace(_left()), *plan.unserved)),
}


def _left() -> Any:
    from routing import Unserved

    return Unserved("R1", "", {})


@pytest.mark.parametrize("code", sorted(SPOILT))
def test_a_spoilt_break_is_found(code: str) -> None:
    """Spoil one thing, find its code."""
    case, plan = _resting()
    assert _codes(case, plan) == set()
    assert code in _codes(case, SPOILT[code](plan))


def test_a_break_within_a_leg_makes_it_longer() -> None:
    """A plan made by hand: resting half-way from A to B is accepted when B is reached later, and only then."""
    case, plan = _resting()
    route = plan.routes[0]
    first, second = route.stops[0], route.stops[1]
    leave_s = H8 + 2 * MIN
    within = BreakTaken(H8 + 10 * MIN, H8 + 40 * MIN)
    honest = replace(second, arrive_s=leave_s + 40 * MIN)
    soon = replace(second, arrive_s=leave_s + 39 * MIN)
    for stop, codes in ((honest, set()), (soon, {"arrives_before_possible"})):
        stops = (replace(first, depart_s=leave_s), stop, *route.stops[2:])
        assert _codes(case, replace(plan, routes=(replace(route, stops=stops, breaks=(within,)),))) == codes


def test_a_break_does_not_park_the_car() -> None:
    """Parking takes five minutes at the laboratory; a break between arriving and serving is no time for it."""
    case = problem([request(**EARLY)], [_with_break(H8 + 12 * MIN, H8 + 12 * MIN)], visit_s=5 * MIN)
    plan = _plan(case, (0, ~0))
    assert _codes(case, plan) == set()
    stop = plan.routes[0].stops[1]
    assert stop.start_s == H8 + (12 + 30 + 5) * MIN
    quick = replace(case, sites=tuple(replace(site, visit_s=6 * MIN) for site in case.sites))
    assert "starts_before_possible" in _codes(quick, plan)


def test_speed_is_checked() -> None:
    """A plan made at full speed is refused where the roads are slow."""
    case = problem([request(**EARLY)])
    plan = _plan(case, (0, ~0))
    slow = replace(case, speed_bands=(SpeedBand(0, 0.9),))
    assert {"arrives_before_possible", "wrong_leg", "back_before_possible"} - _codes(slow, plan) == {
        "back_before_possible"
    }


def test_neutral_defaults_change_nothing() -> None:
    """The same tiny day with every new field at its default is planned alike."""
    case = problem([request(**EARLY)], hours=(Window(H8, 17 * HOUR),))
    assert _plan(case, (0, ~0)).routes[0].end_s == H8 + 13 * MIN
    assert (case.speed_bands, case.incompatible, case.couriers[0].breaks) == ((), (), ())
    assert {LAB, A, B} == {site.id for site in case.sites}


# --- reasons and remedies ---


def test_a_later_break_is_offered_with_the_very_minute() -> None:
    """Done at the laboratory at 08:13: a break that may begin then is enough, a second less is not."""
    wish = request(**EARLY, due_s=H8 + 20 * MIN)
    found = examine(_instance(problem([wish], [_with_break(H8 + MIN, H8 + 5 * MIN)])), 0, (), 0)
    remedy = next(item for item in found.remedies if item.code == "move_break")
    assert (remedy.params["latest_s"], remedy.effort_s) == (H8 + 13 * MIN, 8 * MIN)
    for latest_s, fits in ((H8 + 13 * MIN, True), (H8 + 13 * MIN - 1, False)):
        assert holds(_instance(problem([wish], [_with_break(H8 + MIN, latest_s)])), 0, (0, ~0)) is fits


def test_foes_that_must_meet_are_named_and_what_would_help() -> None:
    """Both at eight sharp: the two can only be fetched together, which they may not."""
    wishes = [request(load_kind="blood", **EARLY), request("R2", load_kind="stool", **EARLY)]
    wishes[1] = replace(wishes[1], latest_pickup_s=H8 + 5 * MIN)
    case = replace(problem(wishes), incompatible=(("stool", "blood"),))
    found = examine(_instance(case), 0, (0, ~0), 1)
    assert found.visits is None
    remedy = next(item for item in found.remedies if item.code == "carry_together")
    assert {remedy.params["load_kind"], remedy.params["other_kind"]} == {"blood", "stool"}
    assert examine(_instance(replace(case, incompatible=())), 0, (0, ~0), 1).visits is not None


def test_a_full_box_is_offered_the_slots_it_lacks() -> None:
    """Two requests of two slots that can only be fetched together, three slots: one more is enough."""
    wishes = [request(**EARLY), request("R2", ready_s=H8, latest_pickup_s=H8 + 5 * MIN)]
    found = examine(_instance(problem(wishes, [courier(capacity={COLD_2_8: 3})])), 0, (0, ~0), 1)
    assert found.visits is None
    assert [item.params["slots"] for item in found.remedies if item.code == "add_capacity"] == [1]


def test_who_is_not_named_could_be_allowed() -> None:
    """Reserved for C2, but C1 would do."""
    case = problem([request(courier_ids=frozenset({"C2"}))], [courier(), courier("C2")])
    assert [item.code for item in examine(_instance(case), 0, (), 0).remedies] == ["allow_courier"]
