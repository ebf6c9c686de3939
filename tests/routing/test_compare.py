"""What if: each named change does what it says, and two plans stand side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing import Problem, ProblemError, Window
from routing.check import violations
from routing.compare import (
    AddCourier,
    Change,
    CloseWindow,
    Figures,
    MoveCutoff,
    RemoveCourier,
    apply,
    compare,
    figures,
    moves,
    without,
)
from routing.travel import travel_matrix
from routing.uncertainty import Spread, simulate
from tests.routing import cases

HOUR = cases.HOUR
HOURS = (Window(8 * HOUR, 12 * HOUR), Window(13 * HOUR, 17 * HOUR))


def test_a_closed_window_is_out_of_both_directions() -> None:
    """Nothing starts inside: neither a handover at the laboratory nor a pickup there."""
    assert without((), 8 * HOUR, 9 * HOUR) == (Window(0, 8 * HOUR), Window(9 * HOUR, 172_800))
    assert without(HOURS, 11 * HOUR, 14 * HOUR) == (Window(8 * HOUR, 11 * HOUR), Window(14 * HOUR, 17 * HOUR))
    assert without(HOURS, 0, 172_800) == (Window(0, 0),)
    case = cases.problem(hours=HOURS)
    changed = apply(case, [CloseWindow(cases.A, 9 * HOUR, 10 * HOUR), CloseWindow(cases.LAB, 8 * HOUR, 10 * HOUR)])
    assert changed.requests[0].pickup_windows == (Window(0, 9 * HOUR), Window(10 * HOUR, 172_800))
    assert changed.requests[1].pickup_windows == ()
    assert changed.sites[0].receiving_windows == (Window(8 * HOUR, 8 * HOUR), Window(10 * HOUR, 12 * HOUR), HOURS[1])
    plan = cases.planned(changed)
    assert not violations(changed, plan, travel_matrix(changed))
    for stop in plan.routes[0].stops:
        assert not (stop.site_id == cases.LAB and 8 * HOUR < stop.start_s < 10 * HOUR)


def test_couriers_come_and_go() -> None:
    """Two more like C1 have names of their own; without C1 only they are left."""
    case = apply(cases.problem(), [AddCourier("C1", 2), AddCourier("C1"), RemoveCourier("C1")])
    assert [one.id for one in case.couriers] == ["C1+1", "C1+2", "C1+3"]
    assert all(replace(one, id="C1") == cases.courier() for one in case.couriers)


def test_a_later_cutoff_moves_only_what_was_bound_by_it() -> None:
    """Due at the cut-off of 17:00: due at 18:00 now. Due at noon because the tube expires: stays due at noon."""
    wishes = [cases.request(due_s=17 * HOUR), cases.request("R2", cases.B, due_s=12 * HOUR)]
    case = cases.problem(wishes, hours=HOURS)
    later = apply(case, [MoveCutoff(cases.LAB, 18 * HOUR)])
    assert [one.due_s for one in later.requests] == [18 * HOUR, 12 * HOUR]
    assert later.sites[0].receiving_windows == (HOURS[0], Window(13 * HOUR, 18 * HOUR))
    sooner = apply(case, [MoveCutoff(cases.LAB, 11 * HOUR)])
    assert [one.due_s for one in sooner.requests] == [11 * HOUR, 11 * HOUR]
    assert sooner.sites[0].receiving_windows == (Window(8 * HOUR, 11 * HOUR),)
    soft = cases.problem([cases.request(due_s=17 * HOUR, soft_due_s=16 * HOUR)])
    assert apply(soft, [MoveCutoff(cases.LAB, 15 * HOUR)]).requests[0].soft_due_s == 15 * HOUR


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        (CloseWindow("nowhere", 0, 1), "unknown_site", "changes[1].site"),
        (CloseWindow(cases.A, 5, 5), "window_reversed", "changes[1].end_s"),
        (AddCourier("nobody"), "unknown_courier", "changes[1].like"),
        (AddCourier("C1", 0), "out_of_range", "changes[1].count"),
        (RemoveCourier("nobody"), "unknown_courier", "changes[1].courier"),
        (MoveCutoff(cases.LAB, -1), "out_of_range", "changes[1].to_s"),
    ],
)
def test_a_change_that_makes_no_sense_is_named(change: Change, code: str, field: str) -> None:
    """The code and the field of the change."""
    with pytest.raises(ProblemError) as caught:
        apply(cases.problem(), [AddCourier("C1"), change])
    assert (caught.value.code, caught.value.field) == (code, field)


def test_two_plans_side_by_side(tiny: Problem) -> None:
    """A car more costs nothing when it is not needed; B shut all day is lost, with the kilometres to it."""
    a = cases.planned(tiny)
    shut = apply(tiny, [CloseWindow(cases.B, 0, 172_800)])
    b = cases.planned(shut)
    odds = simulate(tiny, a, travel_matrix(tiny), Spread())
    rows = {row.name: row for row in compare(figures(tiny, a, odds), figures(shut, b))}
    assert (rows["served"].a, rows["served"].b, rows["served"].difference, rows["served"].better) == (2, 1, -1, "a")
    assert rows["distance_km"].better == "b"
    assert rows["requests"].better == ""
    assert (rows["on_time"].b, rows["on_time"].difference, rows["on_time"].better) == (None, None, "")
    assert rows["on_time"].a == odds.share_on_time
    assert moves(a, b).lost == ("R2",)
    assert moves(b, a).gained == ("R2",)
    same = compare(figures(tiny, a), figures(tiny, a))
    assert not any(row.better or row.difference for row in same)


def test_who_moves_is_told() -> None:
    """Another courier, or the same at another time; less than five minutes is no news."""
    a = cases.planned(cases.problem())
    route = a.routes[0]
    other = replace(a, routes=(replace(route, courier_id="C2"),))
    assert set(moves(a, other).other_courier) == {"R1", "R2"}
    late = tuple(
        replace(stop, services=tuple(replace(one, start_s=one.start_s + 400) for one in stop.services))
        for stop in route.stops
    )
    shifted = replace(a, routes=(replace(route, stops=late),))
    assert set(moves(a, shifted).moved) == {("R1", 400), ("R2", 400)}
    assert moves(a, shifted, least_s=600).moved == ()


def test_lateness_at_soft_cutoffs_is_a_figure() -> None:
    """An hour after the soft cut-off is an hour."""
    case = cases.problem([cases.request()])
    plan = cases.planned(case)
    at_s = plan.routes[0].stops[-1].services[0].start_s
    soft = replace(case, requests=(replace(case.requests[0], soft_due_s=at_s - HOUR),))
    assert isinstance(figures(soft, plan), Figures)
    assert figures(soft, plan).late_h == 1.0
