"""Reasons and remedies where the true answer is known, one rule at a time."""

from __future__ import annotations

import pytest

from routing import COLD_2_8, FROZEN, Courier, Problem, Request, Window
from routing.check import violations
from routing.plan import Plan, Unserved
from routing.travel import travel_matrix
from tests.routing.cases import HOUR, MIN, B, courier, planned, problem, request

H8 = 8 * HOUR


def _only(plan: Plan) -> Unserved:
    assert len(plan.unserved) == 1
    return plan.unserved[0]


@pytest.mark.parametrize(
    ("wish", "person", "code", "params"),
    [
        (request(skills=frozenset({"x"})), courier(), "no_skill", {"skills": ["x"]}),
        (
            request(load={COLD_2_8: 11}),
            courier(),
            "capacity_exceeded",
            {"temperature_class": COLD_2_8, "needed_slots": 11, "available_slots": 10},
        ),
        (
            request(load={FROZEN: 1}),
            courier(),
            "capacity_exceeded",
            {"temperature_class": FROZEN, "needed_slots": 1, "available_slots": 0},
        ),
        (request(max_ride_s=599), courier(), "ride_too_long", {"ride_s": 600, "max_ride_s": 599}),
        (
            request(ready_s=7 * HOUR, latest_pickup_s=7 * HOUR + 30 * MIN),
            courier(),
            "pickup_window_too_early",
            {"earliest_arrival_s": 7 * HOUR + 40 * MIN, "latest_pickup_s": 7 * HOUR + 30 * MIN},
        ),
        (
            request(due_s=H8 + 11 * MIN),
            courier(),
            "due_before_arrival",
            {"earliest_delivery_s": H8 + 12 * MIN, "due_s": H8 + 11 * MIN},
        ),
        (
            request(),
            courier(shift_end_s=H8 + 12 * MIN),
            "shift_too_short",
            {"earliest_end_s": H8 + 13 * MIN, "shift_end_s": H8 + 12 * MIN},
        ),
        (
            request(),
            courier(max_duration_s=22 * MIN),
            "duration_too_long",
            {"duration_s": 23 * MIN, "max_duration_s": 22 * MIN},
        ),
        (
            request(latest_pickup_s=H8 - 1),
            courier(),
            "pickup_window_empty",
            {"ready_s": H8, "latest_pickup_s": H8 - 1},
        ),
        (
            request(),
            courier(shift_end_s=H8 - 1),
            "no_courier_on_duty",
            {"ready_s": H8, "due_s": 12 * HOUR},
        ),
    ],
)
def test_the_reason_of_an_impossible_request(
    wish: Request, person: Courier, code: str, params: dict[str, object]
) -> None:
    """Each rule broken alone gives its own code with its own numbers, and the other request is still served."""
    easy = Courier("easy", "LAB", "LAB", 6 * HOUR, 7 * HOUR, {COLD_2_8: 1}, skills=person.skills)
    other = request("other", ready_s=6 * HOUR, latest_pickup_s=7 * HOUR, due_s=7 * HOUR, load={COLD_2_8: 1})
    plan = planned(problem([wish, other], [person, easy]))
    item = _only(plan)
    assert item.request_id == wish.id
    alone = _only(planned(problem([wish], [person])))
    assert alone.code == code
    assert params.items() <= alone.params.items()
    assert [route.courier_id for route in plan.routes] == ["easy"]


def test_closed_laboratory() -> None:
    """Open until 08:11, reachable at 08:12: closed, and one more minute of opening is the remedy."""
    case = problem([request()], hours=(Window(7 * HOUR, H8 + 11 * MIN),))
    item = _only(planned(case))
    assert item.code == "laboratory_closed"
    assert item.params["closes_s"] == H8 + 11 * MIN
    remedy = next(remedy for remedy in item.remedies if remedy.code == "extend_receiving")
    assert remedy.params["until_s"] == H8 + 12 * MIN
    assert remedy.effort_s == MIN


def test_nobody_at_all() -> None:
    """Without couriers everything is listed, with a code, and nothing fails."""
    plan = planned(problem(couriers=[]))
    assert [item.code for item in plan.unserved] == ["no_courier_on_duty", "no_courier_on_duty"]
    assert plan.routes == ()


def test_no_requests() -> None:
    """An empty day is an empty plan."""
    plan = planned(problem([]))
    assert (plan.routes, plan.unserved, plan.cost) == ((), (), 0)


@pytest.mark.parametrize(
    ("wish", "person", "remedy", "params", "effort_s"),
    [
        (request(due_s=H8 + 11 * MIN), courier(), "extend_due", {"until_s": H8 + 12 * MIN}, MIN),
        (
            request(ready_s=7 * HOUR, latest_pickup_s=7 * HOUR + 35 * MIN),
            courier(),
            "extend_pickup_window",
            {"until_s": 7 * HOUR + 40 * MIN},
            5 * MIN,
        ),
        (
            request(ready_s=7 * HOUR, latest_pickup_s=7 * HOUR + 35 * MIN),
            courier(),
            "advance_shift_start",
            {"shift_start_s": 7 * HOUR + 25 * MIN},
            5 * MIN,
        ),
        (
            request(),
            courier(shift_end_s=H8 + 10 * MIN),
            "extend_shift_end",
            {"shift_end_s": H8 + 13 * MIN},
            3 * MIN,
        ),
        (request(max_ride_s=500), courier(), "extend_ride", {"max_ride_s": 600}, 100),
        (request(), courier(max_duration_s=1000), "extend_duration", {"max_duration_s": 23 * MIN}, 380),
        (request(load={COLD_2_8: 12}), courier(), "add_capacity", {"slots": 2}, None),
        (request(skills=frozenset({"x"})), courier(), "grant_skill", {"skills": ["x"]}, None),
    ],
)
def test_the_remedy_is_exact_and_enough(
    wish: Request, person: Courier, remedy: str, params: dict[str, object], effort_s: int | None
) -> None:
    """The offered change is the smallest one."""
    item = _only(planned(problem([wish], [person])))
    found = next(candidate for candidate in item.remedies if candidate.code == remedy)
    assert params.items() <= found.params.items()
    assert found.effort_s == effort_s


def _rivals() -> Problem:
    """A and B both want the only courier at 08:00 sharp; each alone is possible."""
    narrow = {"latest_pickup_s": H8, "due_s": H8 + 20 * MIN}
    return problem([request(**narrow), request("R2", B, priority="stat", **narrow)])


def test_no_room_beside_the_others_and_what_would_help() -> None:
    """One is served (the stat one); the other gets the binding rule and 'one more courier' with exact numbers."""
    case = _rivals()
    plan = planned(case)
    item = _only(plan)
    assert item.request_id == "R1"
    assert item.code == "no_room_left"
    assert item.params == {"courier_id": "C1", "binding": "pickup_window_too_early"}
    assert item.couriers[0].courier_id == "C1"
    more = next(remedy for remedy in item.remedies if remedy.code == "add_courier")
    assert more.params["like_courier_id"] == "C1"
    assert more.effort_s == 23 * MIN
    assert violations(case, plan, travel_matrix(case)) == []


def test_remedies_come_cheapest_first() -> None:
    """Dispatchers read the first line."""
    efforts = [remedy.effort_s for remedy in _only(planned(_rivals())).remedies]
    known = [effort for effort in efforts if effort is not None]
    assert known == sorted(known)
    assert efforts[: len(known)] == known
