"""Fixed rounds: what history repeats becomes an appointment, and a day differs from it only where it must."""

from __future__ import annotations

from dataclasses import replace

from routing import Plan, Problem, Request
from routing.rounds import (
    Appointment,
    ChangeKind,
    Past,
    Timetable,
    changes,
    demand,
    matched,
    pickups,
    promise,
    timetable,
)
from routing.solve import solve
from tests.routing import cases

HOUR, MIN = cases.HOUR, cases.MIN
MONDAY, TUESDAY = 0, 1


def asked(site: str, ready_s: int, load: int = 1) -> Request:
    """A pickup as it was asked on some day."""
    return cases.request(
        f"{site}{ready_s}", site, ready_s=ready_s, latest_pickup_s=ready_s + HOUR, due_s=ready_s + 3 * HOUR,
        load={"cold_2_8": load},
    )  # fmt: skip


def history(weeks: int = 8) -> list[Past]:
    """Mondays: A in the morning with one wild day, and in the afternoon; B every fourth week. Tuesdays: B."""
    found = []
    for week in range(weeks):
        day = f"2026-01-{5 + week:02}"
        morning = 9 * HOUR + 40 * MIN + (week % 3 - 1) * 3 * MIN + (3 * HOUR if week == 2 else 0)
        found.append(Past(day, MONDAY, asked(cases.A, 9 * HOUR, 1 + week % 2), morning))
        found.append(Past(day, MONDAY, asked(cases.A, 14 * HOUR), 15 * HOUR))
        if week % 4 == 0:
            found.append(Past(day, MONDAY, asked(cases.B, 10 * HOUR), 10 * HOUR))
        found.append(Past(f"2026-02-{5 + week:02}", TUESDAY, asked(cases.B, 10 * HOUR), 10 * HOUR + 30 * MIN))
    return found


def plan_of(problem: Problem) -> Plan:
    return solve(problem, cases.QUICK)


def table_of(*rows: tuple[str, int, str]) -> Timetable:
    """Appointments on Monday: site, time, courier."""
    lines = [
        Appointment(MONDAY, site, cases.LAB, at_s, 600, courier, 1.0, f"T{i}")
        for i, (site, at_s, courier) in enumerate(rows)
    ]
    return Timetable(tuple(lines))


def test_what_repeats_is_demand() -> None:
    """Two rounds at A on Mondays told apart by time; B on one Monday in four is a call; the wild day moves nothing."""
    week = demand(history())
    assert [(one.weekday, one.request.pickup_site) for one in week] == [
        (MONDAY, cases.A), (MONDAY, cases.A), (TUESDAY, cases.B),
    ]  # fmt: skip
    morning, afternoon, _ = week
    assert abs((morning.usual_s or 0) - (9 * HOUR + 40 * MIN)) <= 3 * MIN
    assert afternoon.usual_s == 15 * HOUR
    assert morning.request.load == {"cold_2_8": 2}
    assert morning.frequency >= 7 / 8
    assert len({one.request.id for one in week}) == 3
    assert len(demand(history(), min_frequency=0.2)) == 4
    assert demand([]) == []


def test_the_timetable_is_a_plan_a_day_with_times_to_remember() -> None:
    """Every demand has an appointment on a five-minute mark within its window, by a courier who exists."""
    week = demand(history())
    table = timetable(week, cases.problem([]), plan_of)
    assert not table.unserved
    assert [(one.weekday, one.site_id) for one in table.appointments] == [
        (MONDAY, cases.A), (MONDAY, cases.A), (TUESDAY, cases.B),
    ]  # fmt: skip
    for line, wish in zip(table.appointments, week, strict=True):
        assert line.pickup_s % 300 == 0
        assert wish.request.ready_s <= line.pickup_s <= wish.request.latest_pickup_s
        assert (line.courier_id, line.tolerance_s) == ("C1", 600)
    assert table.on(TUESDAY) == [table.appointments[2]]


def test_a_day_as_every_week_has_no_changes() -> None:
    """The same requests again, with promises: the plan keeps every one."""
    week = demand(history())
    table = timetable(week, cases.problem([]), plan_of)
    today = cases.problem([replace(one.request, id=f"P{i}") for i, one in enumerate(week) if one.weekday == MONDAY])
    promised = promise(today, table, MONDAY, 50.0)
    assert [one.promised_pickup_s for one in promised.requests] == [one.pickup_s for one in table.on(MONDAY)]
    assert {one.change_cost for one in promised.requests} == {50.0}
    plan = plan_of(promised)
    assert not plan.unserved
    assert changes(promised, plan, table, MONDAY) == []


def test_each_kind_of_change_is_named() -> None:
    """Moved, other courier, added, dropped and unserved, each with its times and couriers, in order of time."""
    plan = plan_of(cases.problem([cases.request("R1"), cases.request("R2", cases.B)]))
    (_, _, r1), (_, _, r2) = sorted(pickups(plan), key=lambda one: one[1])
    wide = {"ready_s": 6 * HOUR, "latest_pickup_s": 12 * HOUR}
    problem = cases.problem([cases.request("R1", **wide), cases.request("R2", cases.B, **wide)])

    def kinds(table: Timetable, case: Problem = problem) -> list[tuple[ChangeKind, str]]:
        return [(one.kind, one.site_id) for one in changes(case, plan, table, MONDAY)]

    assert kinds(table_of((cases.A, r1, "C1"), (cases.B, r2, "C1"))) == []
    assert kinds(table_of((cases.A, r1 - 601, "C1"), (cases.B, r2 + 600, "C1"))) == [(ChangeKind.MOVED, cases.A)]
    assert kinds(table_of((cases.A, r1, "C9"), (cases.B, r2, "C1"))) == [(ChangeKind.OTHER_COURIER, cases.A)]
    assert kinds(table_of((cases.A, r1, "C1"))) == [(ChangeKind.ADDED, cases.B)]
    dropped = table_of((cases.A, r1, "C1"), (cases.B, r2, "C1"), (cases.A, 16 * HOUR, "C1"))
    assert kinds(dropped) == [(ChangeKind.DROPPED, cases.A)]
    more = replace(problem, requests=(*problem.requests, cases.request("R3", ready_s=15 * HOUR)))
    assert (ChangeKind.UNSERVED, cases.A) in kinds(table_of((cases.A, r1, "C1"), (cases.B, r2, "C1")), more)
    moved = changes(problem, plan, table_of((cases.A, r1 - 601, "C1"), (cases.B, r2, "C1")), MONDAY)[0]
    assert (moved.from_s, moved.to_s, moved.request_id) == (r1 - 601, r1, "R1")
    assert kinds(table_of((cases.A, r1, "C1"), (cases.B, r2, "C1"))) == []


def test_every_appointment_stands_for_one_request() -> None:
    """Two calls and one appointment: the nearer in time is the round; one far outside of its window is none."""
    table = table_of((cases.A, 9 * HOUR, "C1"))
    early = cases.request("early", ready_s=7 * HOUR, latest_pickup_s=8 * HOUR + 55 * MIN)
    fits = cases.request("fits", ready_s=8 * HOUR, latest_pickup_s=10 * HOUR)
    assert set(matched(cases.problem([early, fits]), table, MONDAY)) == {"fits"}
    assert set(matched(cases.problem([early]), table, MONDAY)) == {"early"}
    assert not matched(cases.problem([replace(early, latest_pickup_s=8 * HOUR)]), table, MONDAY)
    assert not matched(cases.problem([fits]), table, TUESDAY)


def test_a_promise_of_an_absent_courier_is_one_of_time() -> None:
    """C9 is not there today: the time is promised all the same."""
    table = table_of((cases.A, 9 * HOUR, "C9"))
    request = promise(cases.problem([cases.request()]), table, MONDAY, 5.0).requests[0]
    assert (request.promised_courier_id, request.promised_pickup_s) == (None, 9 * HOUR)
