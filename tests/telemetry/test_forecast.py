"""The crossing of a limit foretold from the last readings, and what is told of it."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Alert, Consignment
from telemetry import devices, foresee
from telemetry.excursion import Sample
from telemetry.forecast import DENIED, LIKELY, State, crossing, outlook
from telemetry.ingest import Incoming, store_batch
from telemetry.models import BoxForecast
from telemetry.profile import Side
from tests import factories as f
from tests.factories import START as DAY

START = datetime(2026, 3, 9, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def warming(tau_min: float, ambient_c: float, noise: float = 0.0, *, begin_c: float = 4.0) -> list[Sample]:
    return [
        (START + i * 5 * MINUTE, ambient_c + (begin_c - ambient_c) * math.exp(-i * 5 / tau_min) + noise * (-1) ** i)
        for i in range(7)
    ]


def test_an_exact_exponential_is_met() -> None:
    """Without noise the true instant lies within the error that is told, and near."""
    for tau, ambient in ((120, 20.0), (60, 14.0), (240, 30.0)):
        found = crossing(warming(tau, ambient), 8.0, Side.UPPER)
        true = START + tau * math.log((ambient - 4.0) / (ambient - 8.0)) * MINUTE
        assert found is not None
        assert found.chance > LIKELY
        assert abs(found.at - true) < max(found.error, 5 * MINUTE)


def test_noise_widens_the_error() -> None:
    """With ±0.3 °C it says that it is less sure."""
    found, exact = (crossing(warming(240, 20.0, noise), 8.0, Side.UPPER) for noise in (0.3, 0.0))
    assert found is not None
    assert exact is not None
    assert found.error > exact.error


def test_a_curve_that_levels_off_below_the_limit_is_no_crossing() -> None:
    """After a lid was open the packs take the heat up again: a straight line would run on."""
    levelling = crossing(warming(12, 6.0), 8.0, Side.UPPER)
    rising = crossing(warming(240, 20.0), 8.0, Side.UPPER)
    assert rising is not None
    assert levelling is not None
    assert levelling.chance < rising.chance
    low = crossing(warming(12, 4.6), 8.0, Side.UPPER)
    assert low is None or low.chance < LIKELY


def test_no_warning_where_none_is_due() -> None:
    """Steady, already across, cooling down, too few readings: nothing likely."""
    steady = [(START + i * 5 * MINUTE, 5.0 + 0.1 * (-1) ** i) for i in range(7)]
    for series in (steady, [(at, 7.0 - 0.1 * i) for i, (at, _) in enumerate(steady)]):
        found = crossing(series, 8.0, Side.UPPER)
        assert found is None or found.chance < LIKELY
    assert crossing([(at, temp + 6) for at, temp in steady], 8.0, Side.UPPER) is None
    assert crossing(warming(120, 20.0)[:3], 8.0, Side.UPPER) is None
    assert crossing([], 8.0, Side.UPPER) is None


def test_freezing_is_foretold_too() -> None:
    """The lower limit in a frost; of both sides the likelier is told."""
    found = outlook(warming(300, -10.0, begin_c=5.0), 2.0, 8.0)
    assert found is not None
    assert (found.side, found.limit_c) == (Side.LOWER, 2.0)
    assert abs(found.at - (START + 300 * math.log(15 / 12) * MINUTE)) < max(found.error, 10 * MINUTE)


def test_a_lid_opened_for_some_minutes_is_no_warning() -> None:
    """The air leaps by three degrees and comes back within half an hour: at no instant is a crossing likely, though a
    straight line through the rise would cross within minutes."""
    series = [(START + i * MINUTE, 4.5 + 0.1 * (-1) ** i) for i in range(60)]
    series += [(START + (60 + i) * MINUTE, 4.5 + 0.75 * (i + 1) + 0.1 * (-1) ** i) for i in range(4)]
    series += [(START + (64 + i) * MINUTE, 4.5 + 3 * math.exp(-i / 22) + 0.1 * (-1) ** i) for i in range(30)]
    assert max(temp_c for _, temp_c in series) > 7.4
    for end in range(20, len(series) + 1):
        found = outlook(series[:end], 2.0, 8.0)
        assert found is None or found.chance < LIKELY, series[end - 1]


def test_spent_packs_are_seen_among_opened_lids() -> None:
    """One degree an hour, noise of a fifth and a lid an hour ago: foretold half an hour before."""
    drift = [5.6 + i / 60 + 0.2 * (-1) ** i for i in range(110)]
    series = [
        (START + i * MINUTE, temp_c + (2 * math.exp(-(i - 40) / 20) if i >= 40 else 0))
        for i, temp_c in enumerate(drift)
    ]
    found = outlook(series, 2.0, 8.0)
    assert found is not None
    assert found.chance > LIKELY
    assert abs(found.at - (START + 144 * MINUTE)) < found.error


def test_a_crossing_after_the_arrival_is_none() -> None:
    """A box that is there a quarter of an hour before need not be told of."""
    series = warming(240, 30.0)
    here = series[-1][0]
    late, soon = (outlook(series, 2.0, 8.0, until=here + minutes * MINUTE) for minutes in (60, 2))
    assert late is not None
    assert late.chance > LIKELY
    assert soon is None


def test_a_warning_stands_through_a_doubt() -> None:
    """It is raised by a likely crossing and ends only when the doubt lasts."""
    state = State().after(START, LIKELY / 2)
    assert not state.warned
    state = state.after(START, 1.0)
    assert state.warned
    state = state.after(START + MINUTE, 0.0)
    assert state.warned
    assert state.after(START + MINUTE + DENIED, 1.0).warned
    assert not state.after(START + MINUTE + DENIED, 0.0).warned


@pytest.mark.both_databases
@pytest.mark.parametrize("expected_min", [180, 15])
def test_the_laboratory_is_warned_before_the_box_is_warm(session: Session, expected_min: int) -> None:
    """Tubes under way in a box that warms: one alert, brought up to date, ended when the box arrives, also for a box
    that is overdue; one that is there before the crossing raises none."""
    f.world(session)
    devices.register(session, "LG-1", now=DAY - timedelta(hours=2), interval_s=120)
    devices.bind(session, "LG-1", "BX-C", at=DAY - timedelta(hours=1), now=DAY)
    number = f.sealed(session)
    consignment = session.get_one(Consignment, number)
    consignment.expected_at = DAY + 10 * MINUTE
    session.commit()

    def drive(begin: int, end: int) -> None:
        for minute in range(begin, end, 2):
            at = DAY + minute * MINUTE
            temp_c = 22 - 18 * math.exp(-minute / 240)
            body = {"readings": [{"at": at.isoformat(), "temp_c": round(temp_c, 2)}]}
            store_batch(session, [Incoming("labrelay/v1/LG-1/readings", json.dumps(body).encode())], now=at)
            foresee.update(session, now=at)
            session.commit()

    drive(0, 20)
    assert session.scalars(select(Alert)).all() == []
    consignment.expected_at = DAY + expected_min * MINUTE
    session.commit()
    drive(20, 40)
    [alert] = session.scalars(select(Alert).where(Alert.kind == "forecast"))
    assert (alert.box_code, alert.site_code, alert.state) == ("BX-C", consignment.destination_code, "open")
    assert len(alert.specimen_ids) == 2
    true = DAY + 240 * math.log(18 / 14) * MINUTE
    assert abs(datetime.fromisoformat(alert.params["at"]) - true) <= 10 * MINUTE
    row = session.get_one(BoxForecast, "BX-C")
    assert row.warned
    assert list(foresee.standing(session, ["BX-C"])) == ["BX-C"]
    consignment.closed_at = DAY + 40 * MINUTE
    session.commit()
    foresee.update(session, now=DAY + 41 * MINUTE)
    session.commit()
    session.refresh(alert)
    assert alert.state == "ended"
    assert foresee.standing(session, ["BX-C"]) == {}
