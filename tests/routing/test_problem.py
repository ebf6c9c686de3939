"""Reading problems: what is refused, with which code and which field, and what survives a round trip."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from routing import (
    Problem,
    ProblemError,
    Site,
    TravelTable,
    Window,
    from_builtins,
    plan_from_json,
    problem_from_json,
    to_builtins,
    to_json,
)
from routing.plan import Plan
from routing.validate import validate
from tests.routing.cases import LAB, A, courier, problem, request


def test_a_problem_survives_the_round_trip(tiny: Problem) -> None:
    """JSON and back gives an equal problem, and the same bytes again."""
    case = replace(tiny, requests=(request(skills=frozenset({"b", "a"}), pickup_windows=(Window(1, 2),)),))
    data = to_json(case)
    assert problem_from_json(data) == case
    assert to_json(problem_from_json(data)) == data
    assert from_builtins(to_builtins(case), Problem) == case


def test_json_without_the_further_rules_is_read_as_before(tiny: Problem) -> None:
    """A file written before breaks, speeds, promises and the rest existed gives the same problem."""
    raw = _raw(tiny)
    del raw["speed_bands"], raw["incompatible"]
    for wish in raw["requests"]:
        for name in ("load_kind", "soft_due_s", "late_cost_per_hour", "courier_ids", "aboard_of", "aboard_since_s"):
            del wish[name]
        for name in ("promised_courier_id", "promised_pickup_s", "promise_tolerance_s", "change_cost"):
            del wish[name]
    for person in raw["couriers"]:
        del person["breaks"]
    assert problem_from_json(json.dumps(raw)) == tiny


def test_a_plan_survives_the_round_trip(tiny_plan: Plan) -> None:
    """The plan that is stored is the plan that was made."""
    assert plan_from_json(to_json(tiny_plan)) == tiny_plan
    assert from_builtins(to_builtins(tiny_plan), Plan) == tiny_plan


def _raw(tiny: Problem) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads(to_json(tiny))
    return raw


def _band(start_s: int) -> dict[str, float]:
    return {"start_s": start_s, "factor": 0.5}


def _rest(earliest_s: int, latest_s: int, duration_s: int) -> dict[str, int]:
    return {"earliest_s": earliest_s, "latest_s": latest_s, "duration_s": duration_s}


@pytest.mark.parametrize(
    ("path", "value", "code", "field"),
    [
        (("requests", 1, "ready_s"), "eight", "wrong_type", "requests[1].ready_s"),
        (("requests", 0, "ready_s"), 8.5, "wrong_type", "requests[0].ready_s"),
        (("requests", 0, "redy_s"), 1, "unknown_field", "requests[0].redy_s"),
        (("sites", 0, "receiving_windows"), [{"end": 2}], "unknown_field", "sites[0].receiving_windows[0].end"),
        (("requests", 0, "priority"), "soon", "bad_value", "requests[0].priority"),
        (("requests", 0, "ready_s"), -1, "out_of_range", "requests[0].ready_s"),
        (("requests", 0, "pickup_site"), "nowhere", "unknown_site", "requests[0].pickup_site"),
        (("couriers", 0, "end_site"), "nowhere", "unknown_site", "couriers[0].end_site"),
        (("requests", 0, "load"), {"cold_2_8": -1}, "out_of_range", "requests[0].load.cold_2_8"),
        (("requests", 0, "load"), {"Cold": 1}, "bad_temperature_class", "requests[0].load"),
        (("sites", 1, "lat"), 91, "out_of_range", "sites[1].lat"),
        (("couriers", 0, "cost_per_km"), -1, "out_of_range", "couriers[0].cost_per_km"),
        (("version",), 9, "bad_version", "version"),
        (("speed_bands",), [{"start_s": 0, "factor": 0}], "out_of_range", "speed_bands[0].factor"),
        (("speed_bands",), [_band(9), _band(9)], "not_in_order", "speed_bands[1].start_s"),
        (("speed_bands",), [{"start_s": 0.5, "factor": 1}], "wrong_type", "speed_bands[0].start_s"),
        (("speed_bands",), [{"start_s": 0, "speed": 1}], "unknown_field", "speed_bands[0].speed"),
        (("incompatible",), [["blood", "blood"]], "same_kind", "incompatible[0]"),
        (("incompatible",), [["blood", " "]], "empty_id", "incompatible[0]"),
        (("incompatible",), [["blood"]], "bad_value", "incompatible[0]"),
        (("couriers", 0, "breaks"), [_rest(9, 8, 1)], "window_reversed", "couriers[0].breaks[0]"),
        (("couriers", 0, "breaks"), [_rest(1, 1, 0)], "out_of_range", "couriers[0].breaks[0].duration_s"),
        (("couriers", 0, "breaks"), [_rest(1, 5, 9), _rest(13, 20, 9)], "breaks_overlap", "couriers[0].breaks[1]"),
        (("couriers", 0, "breaks"), [{"earliest_s": 1}], "missing_field", "couriers[0].breaks[0].latest_s"),
        (("requests", 1, "courier_ids"), ["C1", "C9"], "unknown_courier", "requests[1].courier_ids"),
        (("requests", 0, "aboard_of"), "C9", "unknown_courier", "requests[0].aboard_of"),
        (("requests", 0, "aboard_since_s"), 5, "missing_field", "requests[0].aboard_of"),
        (("requests", 0, "promised_courier_id"), "C9", "unknown_courier", "requests[0].promised_courier_id"),
        (("requests", 0, "promised_pickup_s"), -1, "out_of_range", "requests[0].promised_pickup_s"),
        (("requests", 0, "promise_tolerance_s"), -1, "out_of_range", "requests[0].promise_tolerance_s"),
        (("requests", 0, "change_cost"), -1, "out_of_range", "requests[0].change_cost"),
        (("requests", 0, "late_cost_per_hour"), "free", "wrong_type", "requests[0].late_cost_per_hour"),
        (("requests", 0, "soft_due_s"), 200_000, "out_of_range", "requests[0].soft_due_s"),
    ],
)  # fmt: skip
def test_a_bad_field_is_named(tiny: Problem, path: tuple[Any, ...], value: object, code: str, field: str) -> None:
    """Whatever is wrong, the error carries a stable code and the path of the field."""
    raw = _raw(tiny)
    target: Any = raw
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    with pytest.raises(ProblemError) as caught:
        problem_from_json(json.dumps(raw))
    assert (caught.value.code, caught.value.field) == (code, field)


def test_a_missing_field_is_named(tiny: Problem) -> None:
    """A field without which nothing can be planned is asked for by name."""
    raw = _raw(tiny)
    del raw["requests"][1]["due_s"]
    with pytest.raises(ProblemError) as caught:
        problem_from_json(json.dumps(raw))
    assert (caught.value.code, caught.value.field) == ("missing_field", "requests[1].due_s")


def test_what_is_not_json_is_refused() -> None:
    """Half a file is an error with a code, not a traceback of the parser."""
    with pytest.raises(ProblemError) as caught:
        problem_from_json(b'{"sites": [')
    assert caught.value.code == "not_json"


@pytest.mark.parametrize(
    ("case", "code", "field"),
    [
        (problem([request(), request()]), "duplicate_id", "requests[1].id"),
        (problem([request(" ")]), "empty_id", "requests[0].id"),
        (problem([request(delivery_site=A)]), "same_site", "requests[0].delivery_site"),
        (problem(couriers=[courier(shift_end_s=1)]), "window_reversed", "couriers[0].shift_end_s"),
        (problem(hours=(Window(5, 4),)), "window_reversed", "sites[0].receiving_windows[0]"),
        (problem(hours=(Window(1, 4), Window(4, 9))), "windows_overlap", "sites[0].receiving_windows[1]"),
        (replace(problem(), travel=TravelTable((LAB,), ((0,),), ((0,),))), "matrix_missing_site", "travel.site_ids"),
        (
            replace(problem(), travel=TravelTable(("LAB", "A", "B"), ((0,),), ((0,),))),
            "matrix_wrong_shape",
            "travel.travel_s",
        ),
        (replace(problem(), sites=(*problem().sites, Site("X", float("nan"), 0))), "out_of_range", "sites[3].lat"),
        (problem([request(aboard_of="C1", max_ride_s=60)]), "missing_field", "requests[0].aboard_since_s"),
        (
            problem([request(aboard_of="C1", max_ride_s=60, aboard_since_s=-200_000)]),
            "out_of_range",
            "requests[0].aboard_since_s",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(case: Problem, code: str, field: str) -> None:
    """Faults across fields are found too."""
    with pytest.raises(ProblemError) as caught:
        validate(case)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_impossible_is_not_malformed() -> None:
    """A window that closes before the specimens are ready is for the plan to explain, not to refuse."""
    validate(problem([request(latest_pickup_s=7 * 3600)]))
