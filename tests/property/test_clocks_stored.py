"""What a tube has left does not depend on how its box's readings came: order, batches, repetition, sweeps between."""

from __future__ import annotations

import itertools
import json
import random
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from logistics.models import Box, Specimen, SpecimenClock
from logistics.services import clocks
from telemetry import devices, sweep, tube_clock
from telemetry.ingest import Incoming, store_batch
from tests import factories as f
from tests.factories import START, TOWN, act, done

pytestmark = pytest.mark.both_databases
MINUTE = timedelta(minutes=1)
TEMPS_C = [-3.0, 1.0, 4.0, 5.0, 5.0, 6.0, 9.0, 20.0, 26.0, 41.0]
STEPS_MIN = [1, 5, 5, 5, 5, 12, 16, 45, 120]
TESTS = (["CBC"], ["CBC-DIFF", "HBA1C"], ["GLU"], ["LFT"])
numbers = itertools.count(1)


def _packed(session: Session, tests: list[str]) -> tuple[str, str, int]:
    """(logger, box, tube): collected and put into a box with a logger at START."""
    name = f"{next(numbers):06d}"
    device, box, accession = f"LG-C{name}", f"BX-C{name}", f"27{name}"
    session.add(Box(code=box, temp_class="cold_2_8", capacity=9, home_code=TOWN, location_code=TOWN))
    session.flush()
    devices.register(session, device, now=START - timedelta(days=1))
    devices.bind(session, device, box, at=START - timedelta(days=1), now=START)
    tube = {"specimen": accession}
    done(session, "nurse", act("register", tube, {"tests": tests, "patient_ref": "张**"}, at=START))
    done(session, "nurse", act("collect", tube, at=START))
    done(session, "nurse", act("pack", {**tube, "box": box}, at=START))
    session.commit()
    return device, box, f.find(session, accession).id


def _send(session: Session, device: str, some: list[tuple[datetime, float]], now: datetime) -> None:
    readings = [{"at": at.isoformat(), "temp_c": temp_c} for at, temp_c in some]
    message = Incoming(f"labrelay/v1/{device}/readings", json.dumps({"readings": readings}).encode())
    store_batch(session, [message], now=now)
    session.commit()


def _round(session: Session, now: datetime) -> None:
    """What the worker does every quarter of a minute."""
    for part in sweep.clocks_due(session, now=now):
        collected = {tube: (at, temp_class) for tube, at, temp_class in part}
        exposures, here_c = tube_clock.exposures(session, collected, now=now)
        clocks.refresh(session, exposures, here_c, now=now)
    session.commit()


def _left(session: Session, tube: int) -> tuple[object, ...]:
    specimen, clock = session.get_one(Specimen, tube), session.get_one(SpecimenClock, tube)
    shares = [None if share is None else round(share, 9) for share in (clock.used_share,)]
    return (specimen.use_by_at, specimen.stability, *shares, round(clock.outside_s, 3), round(clock.unknown_s, 3))


def _check(session: Session, rnd: random.Random) -> None:
    tests = rnd.choice(TESTS)
    anyhow, in_order = _packed(session, tests), _packed(session, tests)
    at, series = START, []
    for _ in range(rnd.choice([6, 20, 40])):
        at += rnd.choice(STEPS_MIN) * MINUTE
        series.append((at, rnd.choice(TEMPS_C)))
    arrivals = list(series)
    if rnd.random() < 0.5:
        rnd.shuffle(arrivals)
    else:
        arrivals.sort(key=lambda one: one[0] + rnd.choice([0, 0, 0, rnd.randint(5, 200)]) * MINUTE)
    arrivals += rnd.sample(arrivals, len(arrivals) // 4)
    now = START
    while arrivals:
        size = rnd.choice([1, 3, 12])
        batch, arrivals = arrivals[:size], arrivals[size:]
        now = max([now, *(one[0] for one in batch)])
        _send(session, anyhow[0], batch, now)
        if rnd.random() < 0.4:
            _round(session, now)
    now = max(now, at)
    _send(session, in_order[0], series, now)
    now += 2 * MINUTE
    _round(session, now)
    session.expire_all()
    assert _left(session, anyhow[2]) == _left(session, in_order[2])
    for _, _, tube in (anyhow, in_order):  # their clocks run no longer: the next example has rounds of its own
        session.get_one(Specimen, tube).state = "disposed"
    session.commit()


def test_any_arrival_ends_in_the_same_life_left(session: Session) -> None:
    """A tube whose box's readings came anyhow, with rounds of the worker between them, and one whose box's came in
    order at once: the same use-by, verdict, share of life, minutes outside and minutes without readings."""
    f.world(session)
    examples = 25 if session.get_bind().dialect.name == "sqlite" else 8

    @settings(max_examples=examples, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32))
    def check(seed: int) -> None:
        _check(session, random.Random(seed))

    check()
