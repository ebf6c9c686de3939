"""The crossing of a limit foretold from half an hour of readings."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from telemetry.excursion import Sample
from telemetry.forecast import crossing
from telemetry.simulator import BoxModel

START = datetime(2026, 3, 9, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def warming(tau_min: float, ambient_c: float, noise: float = 0.0) -> list[Sample]:
    return [
        (START + i * 5 * MINUTE, ambient_c + (4.0 - ambient_c) * math.exp(-i * 5 / tau_min) + noise * (-1) ** i)
        for i in range(7)
    ]


def test_an_exact_exponential_is_met_to_the_minute() -> None:
    """Without noise the fit gives the true instant."""
    found = crossing(warming(120, 20.0), 8.0, 20.0)
    true = START + 120 * math.log(16 / 12) * MINUTE
    assert found is not None
    assert abs(found.at - true) < timedelta(seconds=5)
    assert found.error <= MINUTE


def test_noise_widens_the_error() -> None:
    """With ±0.3 °C the answer is near, and says how sure it is."""
    found = crossing(warming(240, 20.0, 0.3), 8.0, 20.0)
    exact = crossing(warming(240, 20.0), 8.0, 20.0)
    assert found is not None
    assert exact is not None
    assert found.error > exact.error
    assert abs(found.at - exact.at) < 15 * MINUTE


def test_no_warning_where_none_is_due() -> None:
    """Steady, already across, cooling down, the limit beyond the ambient, too few readings: nothing."""
    steady = [(START + i * 5 * MINUTE, 5.0 + 0.1 * (-1) ** i) for i in range(7)]
    assert crossing(steady, 8.0, 20.0) is None
    assert crossing([(at, temp + 6) for at, temp in steady], 8.0, 20.0) is None
    assert crossing([(at, 7.0 - 0.1 * i) for i, (at, _) in enumerate(steady)], 8.0, 20.0) is None
    assert crossing(warming(120, 7.0), 8.0, 7.0) is None
    assert crossing(warming(120, 20.0)[:3], 8.0, 20.0) is None
    assert crossing([], 8.0, 20.0) is None


def test_freezing_is_foretold_too() -> None:
    """The lower limit in a frost."""
    series = [(START + i * 5 * MINUTE, -10 + 15 * math.exp(-i * 5 / 300)) for i in range(7)]
    found = crossing(series, 2.0, -10.0)
    assert found is not None
    assert abs(found.at - (START + 300 * math.log(15 / 12) * MINUTE)) < MINUTE


def test_a_box_without_cooling_is_foretold_before_it_breaches() -> None:
    """The physical model with spent packs: warned more than ten minutes ahead; half an hour before, right to 15 min."""
    model = BoxModel("LG-1", start=START, charge=0.0, start_temp_c=5.0, seed=4, ambient=lambda _at: 24.0, noise_c=0.05)
    series: list[Sample] = []
    said: dict[datetime, datetime] = {}
    at = START
    while model.temp_c < 8.0:
        reading = model.step(at)
        series.append((at, reading.temp_c))
        found = crossing(series, 8.0, 24.0)
        if found is not None:
            said[at] = found.at
        at += 5 * MINUTE
    assert at - min(said) > 10 * MINUTE
    assert abs(said[at - 30 * MINUTE] - at) < 15 * MINUTE
