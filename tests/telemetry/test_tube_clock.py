"""The stability clock over real readings: order, batching, second loggers, silence, bounded rounds."""

from __future__ import annotations

import json
import random
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.stability import Exposure
from logistics.models import Specimen, SpecimenClock
from logistics.services import clocks
from telemetry import devices, sweep, tube_clock
from telemetry.ingest import Incoming, store_batch
from tests import factories as f
from tests import warm_box
from tests.factories import START, act, done

pytestmark = pytest.mark.both_databases
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NOW = START + 3 * HOUR


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    warm_box.logger(session)
    return session


def message(*readings: tuple[int, float], device: str = "LG-1") -> Incoming:
    body = {"readings": [{"at": (START + minute * MINUTE).isoformat(), "temp_c": temp} for minute, temp in readings]}
    return Incoming(f"labrelay/v1/{device}/readings", json.dumps(body).encode())


def clock(session: Session, tube: int) -> tuple[object, ...]:
    sweep.use_by(session, [tube], now=NOW)
    session.commit()
    one = session.get_one(Specimen, tube, populate_existing=True)
    kept = session.get_one(SpecimenClock, tube, populate_existing=True)
    return (one.use_by_at, one.use_by_test, one.stability, kept.used_share, kept.outside_s, kept.unknown_s)


def test_the_order_of_arrival_changes_nothing(world: Session) -> None:
    """The same readings in order, shuffled, doubled and in other batches: the same clock, to the microsecond."""
    f.sealed(world, ("A1",))
    tube = f.find(world, "A1").id
    readings = [(minute, 5.0 + (minute % 70) / 3) for minute in range(0, 180, 5) if not 60 < minute < 95]
    found = set()
    for seed in range(4):
        order = readings * (1 + seed % 2)
        if seed:
            random.Random(seed).shuffle(order)
        size = (40, 1, 7, 3)[seed]
        for begin in range(0, len(order), size):
            store_batch(world, [message(*order[begin : begin + size])], now=NOW)
        world.commit()
        found.add(clock(world, tube))
        for table in ("reading", "excursion_change", "excursion", "probe_state"):
            world.connection().exec_driver_sql(f"DELETE FROM {table}")
        world.commit()
    assert len(found) == 1
    assert clock(world, tube) not in found  # and without readings it is another


def test_tubes_asked_about_together_say_what_each_says_alone(world: Session) -> None:
    """One taken out right before a gap of the logger, one that stayed, one that was decided about: asked together the
    gap of the others is not charged to the first, and each has its own end."""
    f.sealed(world, ("A1", "A2", "A3"))
    tubes = {name: f.find(world, name).id for name in ("A1", "A2", "A3")}
    number = f.find(world, "A1").consignment_number
    done(world, "nurse", act("unseal", {"consignment": number}, {"reason": "x"}, at=START + 59 * MINUTE))
    done(world, "nurse", act("unpack", {"specimen": "A1"}, at=START + 60 * MINUTE))
    world.commit()
    store_batch(world, [message(*[(n, 6.0) for n in (*range(0, 60, 5), 58, 100, 105, 150, 155)])], now=NOW)
    collected = dict.fromkeys(tubes.values(), (START, "cold_2_8"))
    decided = {tubes["A3"]: START + 104 * MINUTE}
    together, here = tube_clock.exposures(world, collected, now=NOW, decided=decided)
    for name, one in tubes.items():
        alone = tube_clock.exposures(world, {one: collected[one]}, now=decided.get(one, NOW))
        assert (together[one], here[one]) == (alone[0][one], alone[1][one]), name
    assert together[tubes["A1"]].unknown == timedelta(0)
    assert together[tubes["A3"]].unknown == 42 * MINUTE
    assert together[tubes["A3"]].total == 104 * MINUTE
    assert together[tubes["A2"]].total == NOW - START


def test_a_second_logger_speaks_for_a_silent_one(world: Session) -> None:
    """The first dies after an hour; one put in beside it later fills what it can, the rest stays unknown."""
    f.sealed(world, ("A1",))
    tube = f.find(world, "A1")
    store_batch(world, [message(*((minute, 5.0) for minute in range(0, 65, 5)))], now=NOW)
    devices.register(world, "LG-2", now=START)
    devices.bind(world, "LG-2", "BX-C", at=START + 90 * MINUTE, now=START + 90 * MINUTE)
    store_batch(world, [message(*((minute, 6.0) for minute in range(90, 181, 5)), device="LG-2")], now=NOW)
    world.commit()
    exposures, here_c = sweep.exposed(world, [(tube.id, START, tube.temp_class)], now=NOW)
    # The last reading of the first logger holds until its silence limit.
    assert exposures[tube.id] == Exposure({50: 80 * MINUTE, 60: 90 * MINUTE}, 10 * MINUTE)
    assert here_c == {tube.id: 6.0}


def test_a_silent_box_is_projected_at_the_strictest_rate(world: Session) -> None:
    """While the logger speaks at 5 °C the tube keeps 48 hours; when nobody knows, as at room temperature: sooner."""
    f.sealed(world, ("A1",))
    tube = f.find(world, "A1")
    store_batch(world, [message(*((minute, 5.0) for minute in range(0, 65, 5)))], now=START + HOUR)
    sweep.use_by(world, [tube.id], now=START + HOUR)
    world.commit()
    assert f.find(world, "A1").use_by_at == START + 48 * HOUR
    sweep.use_by(world, [tube.id], now=START + HOUR + 25 * MINUTE)
    world.commit()
    silent = f.find(world, "A1")
    assert silent.use_by_at is not None
    assert silent.use_by_at < START + 26 * HOUR
    unboxed = f.collected(world, "A2")  # on the shelf: as its class is declared to be stored
    sweep.use_by(world, [unboxed.id], now=START + HOUR)
    assert f.find(world, "A2").use_by_at == START + 48 * HOUR


def test_a_round_is_bounded_and_takes_the_pressing_ones_first(world: Session) -> None:
    """Tubes without a clock and with new facts come first, then those that grew warm, then who waited longest."""
    tubes = [f.collected(world, f"A{n}").id for n in range(4)]
    every = [(tube, START, "cold_2_8") for tube in tubes]
    assert [t for t, _, _ in clocks.due(world, {}, now=START, most=3)] == tubes[:3]
    for number, (tube, at, temp_class) in enumerate(every):
        exposures, here_c = sweep.exposed(world, [(tube, at, temp_class)], now=START + number * MINUTE)
        clocks.refresh(world, exposures, here_c, now=START + number * MINUTE)
    world.commit()
    assert clocks.due(world, {}, now=START + MINUTE / 2) == []
    late = START + 10 * MINUTE
    assert [t for t, _, _ in clocks.due(world, {}, now=late)] == tubes
    clocks.say_again(world, [tubes[2]])
    done(world, "nurse", act("pack", {"specimen": "A3", "box": "BX-C"}))
    assert [t for t, _, _ in clocks.due(world, {}, now=late)][:2] == [tubes[2], tubes[3]]
    sweep.use_by(world, tubes, now=late)
    world.commit()
    store_batch(world, [message((10, 9.0))], now=late)
    world.commit()
    found = sweep.clocks_due(world, now=late + MINUTE)
    assert next(t for part in found for t, _, _ in part) == tubes[3]
    assert len(world.scalars(select(SpecimenClock)).all()) == 4


def test_late_readings_of_an_excursion_mark_its_tubes(world: Session) -> None:
    """What was silent turns out to have been hot: the tubes' clocks are worked out in the next round."""
    f.sealed(world, ("A1",))
    tube = f.find(world, "A1").id
    store_batch(world, [message((0, 5.0), (175, 5.0))], now=NOW)
    assert clock(world, tube)[2] == "unknown"
    store_batch(world, [message(*((minute, 30.0) for minute in range(60, 125, 5)))], now=NOW)
    world.commit()
    assert world.get_one(SpecimenClock, tube, populate_existing=True).dirty
    assert clock(world, tube)[2] == "outside"
