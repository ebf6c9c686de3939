"""Times for a fixed order, against answers worked out by hand."""

from __future__ import annotations

from dataclasses import replace

from routing.instance import Instance
from routing.problem import Problem, Window
from routing.schedule import earliest, latest, line_of, plan_times
from routing.travel import travel_matrix
from tests.routing.cases import HOUR, MIN, B, courier, problem, request

H8 = 8 * HOUR


def _times(case: Problem, visits: tuple[int, ...]) -> list[int] | None:
    return plan_times(line_of(Instance(case, travel_matrix(case)), 0, visits))


def test_earliest_and_latest_of_one_pickup() -> None:
    """Shift 07:30, ready 08:00, ten minutes away: at A 08:00, at the laboratory 08:12, done 08:13."""
    case = problem([request()])
    line = line_of(Instance(case, travel_matrix(case)), 0, (0, ~0))
    assert earliest(line) == [7 * HOUR + 30 * MIN, H8, H8 + 12 * MIN, H8 + 13 * MIN]
    assert latest(line) == [10 * HOUR - 10 * MIN, 10 * HOUR, 12 * HOUR, 17 * HOUR]


def test_the_driven_schedule_leaves_late_and_delivers_early() -> None:
    """No paid waiting: the courier leaves at 07:50 for the pickup at 08:00."""
    assert _times(problem([request()]), (0, ~0)) == [H8 - 10 * MIN, H8, H8 + 12 * MIN, H8 + 13 * MIN]


def test_pickups_wait_in_the_fridge() -> None:
    """B closes its pickup at 08:20 but the laboratory opens at 09:00: the box stays at A until it is needed."""
    early_b = request("R2", B, latest_pickup_s=H8 + 20 * MIN)
    case = problem([request(), early_b], hours=(Window(9 * HOUR, 17 * HOUR),))
    times = _times(case, (1, 0, ~1, ~0))
    assert times is not None
    _, at_b, at_a, first, second, _ = times
    assert at_b == H8 + 20 * MIN
    assert first == 9 * HOUR
    assert second == 9 * HOUR + MIN
    assert at_a == 9 * HOUR - 12 * MIN


def test_the_ride_limit_pushes_the_pickup() -> None:
    """The laboratory opens at 09:30; with 15 minutes of ride at most the pickup is not before 09:13."""
    case = problem([request(max_ride_s=15 * MIN)], hours=(Window(9 * HOUR + 30 * MIN, 17 * HOUR),))
    line = line_of(Instance(case, travel_matrix(case)), 0, (0, ~0))
    times = earliest(line)
    assert times is not None
    assert times[1] == 9 * HOUR + 30 * MIN - 15 * MIN - 2 * MIN
    late = problem([request(max_ride_s=15 * MIN, latest_pickup_s=9 * HOUR)], hours=case.sites[0].receiving_windows)
    assert _times(late, (0, ~0)) is None


def test_the_second_window_is_used_when_the_first_is_missed() -> None:
    """Windows 07:00–07:30 and 09:00–09:15: the courier cannot make the first, so 09:00 it is."""
    windows = (Window(7 * HOUR, 7 * HOUR + 30 * MIN), Window(9 * HOUR, 9 * HOUR + 15 * MIN))
    wish = request(ready_s=7 * HOUR, pickup_windows=windows)
    times = _times(problem([wish]), (0, ~0))
    assert times is not None
    assert times[1] == 9 * HOUR


def test_the_longest_duration_binds() -> None:
    """Out and back takes 23 minutes: 23 hold, 22 do not."""
    for minutes, holds in ((23, True), (22, False)):
        case = problem([request()], [courier(max_duration_s=minutes * MIN)])
        assert (_times(case, (0, ~0)) is not None) is holds


def test_a_circle_of_rules_ends() -> None:
    """A ride limit below the drive itself is found infeasible, even with hours of room in every window."""
    case = problem([request(max_ride_s=9 * MIN)])
    assert _times(case, (0, ~0)) is None


def test_a_visit_costs_its_time_once() -> None:
    """Parking at the laboratory is paid once for two handovers in a row, and not by who starts there."""
    case = problem([request(), request("R2")], visit_s=5 * MIN)
    times = _times(case, (0, 1, ~0, ~1))
    assert times is not None
    start, first, second, hand_over, next_one, back = times
    assert (first - start, second - first) == (10 * MIN, 2 * MIN)
    assert hand_over - second == (2 + 10 + 5) * MIN
    assert (next_one - hand_over, back - next_one) == (MIN, MIN)
    quiet = replace(case, sites=tuple(replace(site, visit_s=0) for site in case.sites))
    assert _times(quiet, (0, 1, ~0, ~1)) != times
