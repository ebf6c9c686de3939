"""The excursions in the database do not depend on how readings came: order, batches, repetition, several probes,
a change of box, a change of the profile's version, silence that ended a run meanwhile."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Box
from telemetry import devices, evaluate, sweep
from telemetry.excursion import Excursion, Sample, detect
from telemetry.ingest import Incoming, store_batch
from telemetry.models import ExcursionRow, ProfileVersion
from telemetry.profile import FROM_THE_BEGINNING, Profile, Rule, RuleKind, Side, Versions
from telemetry.rederive import rederive
from tests import factories as f
from tests.factories import START, TOWN

pytestmark = pytest.mark.both_databases
MINUTE = timedelta(minutes=1)
FIRST = Profile(
    "cold_2_8", 2.0, 8.0,
    (
        Rule("high_30", RuleKind.CONSECUTIVE, Side.UPPER, 8.0, 30 * MINUTE, key="a"),
        Rule("low_20", RuleKind.CONSECUTIVE, Side.LOWER, 2.0, 20 * MINUTE, key="b"),
        Rule("high_sum", RuleKind.CUMULATIVE, Side.UPPER, 8.0, 12 * MINUTE, 45 * MINUTE, key="c"),
        Rule("at_once", RuleKind.IMMEDIATE, Side.UPPER, 15.0, key="d"),
        Rule("rise", RuleKind.RATE, Side.UPPER, 4.0, 15 * MINUTE, hysteresis_c=1.0, key="e"),
    ),
)  # fmt: skip
STRICTER = replace(
    FIRST,
    rules=(
        Rule("high_20", RuleKind.CONSECUTIVE, Side.UPPER, 7.0, 20 * MINUTE, key="a"),
        Rule("high_sum", RuleKind.CUMULATIVE, Side.UPPER, 8.0, 12 * MINUTE, 45 * MINUTE, key="c"),
        Rule("fall", RuleKind.RATE, Side.LOWER, 3.0, 10 * MINUTE, hysteresis_c=0.0, key="f"),
    ),
    clear_delay=8 * MINUTE,
    silence_least=15 * MINUTE,
    silence_intervals=1.0,
)
MINUTES = [1, 2, 5, 5, 5, 5, 5, 5, 10, 15, 16, 20, 21]
TEMPS_C = [-3.0, 1.5, 2.5, 2.5, 5.0, 5.0, 5.0, 6.5, 7.4, 7.4, 7.6, 8.1, 9.0, 9.0, 26.0]
numbers = itertools.count(1)


def _version(session: Session, device: str, valid_from: datetime, profile: Profile) -> None:
    session.add(
        ProfileVersion(
            stamp=f"{device} {valid_from.isoformat()}",
            temp_class="cold_2_8",
            scope="device",
            scope_code=device,
            valid_from=valid_from,
            body=profile.snapshot(),
            reason="property",
            created_at=START,
            created_by="admin",
        )
    )  # fmt: skip


def _figures(one: Excursion | ExcursionRow) -> tuple[Any, ...]:
    if isinstance(one, Excursion):
        ended = one.ended_by.value if one.ended_by else None
        return (
            one.rule.identity[0], one.start, one.end, one.triggered_at, one.last_at, ended, one.rule.code, one.min_c,
            one.max_c, round(one.mean_c, 6), one.peak, round(one.minutes, 6), round(one.area_c_min, 6), one.count,
            one.gaps, one.rule.limit_c, one.profile.clear_delay.total_seconds(),
        )  # fmt: skip
    return (
        one.rule_key, one.start_at, one.end_at, one.triggered_at, one.last_at, one.ended_by, one.rule_code, one.min_c,
        one.max_c, round(one.mean_c, 6), one.peak, round(one.minutes, 6), round(one.area_c_min, 6), one.reading_count,
        one.gap_count, one.limit_c, one.profile["clear_delay_s"],
    )  # fmt: skip


def _order(one: tuple[Any, ...]) -> tuple[Any, ...]:
    return one[:2]


def _pieces(rnd: random.Random) -> list[tuple[int, float]]:
    """Minutes since the one before and °C: stays of some readings at a temperature, with single ones between."""
    found: list[tuple[int, float]] = []
    while len(found) < rnd.choice([20, 50, 80]):
        temp_c = rnd.choice(TEMPS_C)
        stay = [(rnd.choice(MINUTES), temp_c) for _ in range(rnd.choice([1, 1, 2, 5, 9]))]
        found += stay
        if rnd.random() < 0.4:  # the same again after a short break, which may come late
            found += [(rnd.choice([1, 5]), rnd.choice([5.0, 7.6])), *stay]
    return found


def _check(session: Session, rnd: random.Random) -> None:
    """One logger with one or two probes, sent anyhow."""
    name = f"{next(numbers):06d}"
    device, boxes = f"LG-P{name}", (f"BX-P{name}", f"BX-Q{name}")
    session.add_all(Box(code=box, temp_class="cold_2_8", home_code=TOWN, location_code=TOWN) for box in boxes)
    devices.register(session, device, now=START - timedelta(days=1))
    series: dict[int, list[Sample]] = {}
    for probe in range(1, rnd.randint(1, 2) + 1):
        at, series[probe] = START, []
        for minutes, temp_c in _pieces(rnd):
            at += minutes * MINUTE
            series[probe].append((at, temp_c))
    end = max(samples[-1][0] for samples in series.values())
    swap = rnd.choice([None, START + rnd.random() * (end - START)])
    for probe in series:
        devices.bind(session, device, boxes[0], at=START, now=START, probe=probe)
        if swap is not None:
            devices.bind(session, device, boxes[1], at=swap, now=swap, probe=probe)
    change = START + rnd.random() * (end - START)
    _version(session, device, FROM_THE_BEGINNING, FIRST)
    _version(session, device, change, STRICTER)
    session.commit()

    arrivals = [(probe, *sample) for probe, samples in series.items() for sample in samples]
    if rnd.random() < 0.5:
        rnd.shuffle(arrivals)
    else:  # nearly in order, some late: the evaluation really starts in the middle
        arrivals.sort(key=lambda one: one[1] + rnd.choice([0, 0, 0, rnd.randint(5, 120)]) * MINUTE)
    arrivals += rnd.sample(arrivals, len(arrivals) // 4)
    now = START
    while arrivals:
        size = rnd.choice([1, 3, 12, 40])
        batch, arrivals = arrivals[:size], arrivals[size:]
        now = max([now, *(at for _, at, _ in batch)]) + rnd.choice([0, 0, 0, 25]) * MINUTE
        messages = []
        for begin in range(0, len(batch), 5):
            readings = [
                {"at": at.isoformat(), "probe": probe, "temp_c": temp_c}
                for probe, at, temp_c in batch[begin : begin + 5]
            ]
            messages.append(Incoming(f"labrelay/v1/{device}/readings", json.dumps({"readings": readings}).encode()))
        store_batch(session, messages, now=now)
        session.commit()
        if rnd.random() < 0.1:
            sweep.open_runs(session, now=now)
            session.commit()
    now = max(now, end) + rnd.choice([0, 30]) * MINUTE
    sweep.open_runs(session, now=now)
    session.commit()

    for place, box in enumerate(boxes):
        for probe, samples in series.items():
            inside = [one for one in samples if swap is None or (one[0] < swap) == (place == 0)]
            if swap is None and place == 1:
                inside = []
            versions = Versions((FROM_THE_BEGINNING, change), (FIRST, STRICTER)).for_interval(5 * MINUTE)
            stored = session.scalars(
                select(ExcursionRow).where(
                    ExcursionRow.device_code == device,
                    ExcursionRow.probe == probe,
                    ExcursionRow.box_code == box,
                    ExcursionRow.state != "withdrawn",
                )
            ).all()  # fmt: skip
            want = detect(inside, versions, now=now) if inside else []
            assert sorted(map(_figures, stored), key=_order) == sorted(map(_figures, want), key=_order)


@pytest.fixture
def world(session: Session, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Reads little beyond what the profile needs, so that an evaluation seldom sees a series whole."""
    monkeypatch.setattr(evaluate, "rederive", partial(rederive, margin=7 * MINUTE))
    f.world(session)
    return session


def test_any_arrival_ends_in_the_excursions_of_one_pass(world: Session) -> None:
    """Shuffled or partly late, cut into batches, partly sent twice, seen by sweeps: as one pass over the sorted
    series, with every figure and the version that judged it."""
    examples = 25 if world.get_bind().dialect.name == "sqlite" else 7

    @settings(max_examples=examples, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32))
    def check(seed: int) -> None:
        _check(world, random.Random(seed))

    check()
