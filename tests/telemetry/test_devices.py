"""The register of loggers, gateways that fall silent as one, and the tasks that sweep."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.clock import FixedClock
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Alert, Box
from telemetry import calibration, devices, sequence, sweep, tasks
from telemetry.models import Device
from tests import factories as f
from tests.factories import START
from tests.telemetry.test_ingest import message, send

pytestmark = pytest.mark.both_databases
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def test_what_a_register_refuses(world: Session) -> None:
    """A code that is no topic level, a format nobody knows, a second of the same, an unknown box."""
    devices.register(world, "LG-1", now=START)
    for code, more in (("a/b", {}), ("", {}), ("+", {}), ("LG-2", {"codec": "morse"}), ("LG-2", {"interval_s": 0})):
        with pytest.raises(Invalid):
            devices.register(world, code, now=START, **more)  # type: ignore[arg-type]
    with pytest.raises(Conflict):
        devices.register(world, "LG-1", now=START)
    with pytest.raises(NotFound):
        devices.bind(world, "LG-1", "BX-NONE", at=START, now=START)
    with pytest.raises(NotFound):
        devices.bind(world, "LG-9", "BX-C", at=START, now=START)
    with pytest.raises(NotFound):
        devices.unbind(world, "LG-1", at=START, now=START)
    devices.bind(world, "LG-1", "BX-C", at=START, now=START)
    with pytest.raises(Conflict):
        devices.bind(world, "LG-1", "BX-T", at=START - MINUTE, now=START)
    devices.unbind(world, "LG-1", at=START + MINUTE, now=START + MINUTE)


def test_a_silent_gateway_is_one_alert(world: Session) -> None:
    """Four loggers behind one gateway fall silent together: one alert for the laboratory, ended when all speak."""
    boxes = ["BX-C"]
    for number in range(3):
        world.add(Box(code=f"BX-G{number}", temp_class="cold_2_8", home_code=f.TOWN, location_code=f.TOWN))
        boxes.append(f"BX-G{number}")
    world.flush()
    for number, box in enumerate(boxes):
        devices.register(world, f"LG-{number}", now=START, gateway="GW-1")
        devices.bind(world, f"LG-{number}", box, at=START, now=START)
    f.sealed(world)
    late = START + 30 * MINUTE
    assert sweep.silence(world, now=late) == 4
    world.commit()
    [alert] = world.scalars(select(Alert).where(Alert.kind == "silence")).all()
    assert alert.params["device"] == "GW-1"
    send(world, *(message([5.0], start=late, device=f"LG-{n}") for n in range(4)), now=late)
    assert sweep.silence(world, now=late + MINUTE) == 0
    world.commit()
    world.refresh(alert)
    assert alert.state == "ended"


def test_the_periodic_tasks_run(app: Flask, app_clock: FixedClock, world: Session) -> None:
    """Silence, open runs and use-by times, each in a transaction of its own, by the application's clock."""
    devices.register(world, "LG-1", now=START)
    devices.bind(world, "LG-1", "BX-C", at=START, now=START)
    f.sealed(world, ("A1",))
    world.commit()
    app_clock.advance(timedelta(hours=2))
    tasks.sweep_silence.run()
    tasks.refresh_use_by.run()
    world.expire_all()
    assert world.get_one(Device, "LG-1").silent_since == START
    assert f.find(world, "A1").stability == "unknown"
    assert len(world.scalars(select(Alert).where(Alert.kind == "silence")).all()) == 1


def test_spans_of_sequence_numbers() -> None:
    """Numbers in any order merge; holes lie between; very many holes are given up from the oldest."""
    spans = sequence.add([], [5, 3, 4, 9, 9])
    assert spans == [(3, 5), (9, 9)]
    assert sequence.holes(spans) == [(6, 8)]
    assert spans[0] == (3, 5)
    assert sequence.add(spans, [6, 7, 8]) == [(3, 9)]
    assert len(sequence.add([], range(0, 1000, 2))) == sequence.MOST_SPANS
    assert sequence.holds(spans, 4)
    assert not sequence.holds(spans, 7)


def test_a_certificate_that_runs_out_is_told_once(session: Session) -> None:
    """Within thirty days of its end, or past it: one alert at whose it is. It stays told when it was acknowledged, and
    ends with a newer certificate; one that is good for longer, and a logger that is used no more, raise none."""
    f.world(session)
    for code, days in (("LG-1", 30), ("LG-2", -1), ("LG-3", 31), ("LG-4", -1)):
        site = None if code == "LG-1" else f.COUNTY
        devices.register(session, code, now=START, site_code=site, calibration_due=START + timedelta(days=days))
    devices.bind(session, "LG-1", "BX-C", at=START, now=START)
    devices.known(session, "LG-4").active = False

    def told() -> list[tuple[str, str | None, str]]:
        found = session.scalars(select(Alert).order_by(Alert.incident_key))
        return [(one.params["device"], one.site_code, one.state) for one in found]

    for _ in range(2):
        assert calibration.sweep(session, now=START) == 2
        session.commit()
        assert told() == [("LG-1", f.TOWN, "open"), ("LG-2", f.COUNTY, "open")]
    [first, second] = session.scalars(select(Alert).order_by(Alert.incident_key))
    assert [note.kind for note in first.notes] == ["raised"]
    second.acknowledged_at, second.state = START, "closed"
    calibration.add(session, "LG-1", number="C-2", due_at=START + timedelta(days=400), username="admin", now=START)
    calibration.sweep(session, now=START)
    session.commit()
    assert told() == [("LG-1", f.TOWN, "ended"), ("LG-2", f.COUNTY, "closed")]
