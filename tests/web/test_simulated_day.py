"""The simulated day of Chibi county and the city, played through HTTP and the ingest pipeline in a minute.

The clock jumps to the next actor's time instead of waiting. One run serves all tests of this file: what is checked
is the state that a whole day leaves behind.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import clock as clock_module
from logistics import tasks
from logistics.clock import FixedClock
from logistics.db import Base, db, transaction
from logistics.models import (
    Alert,
    Consignment,
    ConsignmentLine,
    Nonconformity,
    Pickup,
    Plan,
    Site,
    Specimen,
    Stop,
    User,
)
from logistics.services import rebuild
from telemetry.ingest import Incoming, store_batch
from telemetry.models import ExcursionRow as Excursion
from telemetry.tasks import sweep_silence
from web.app import create_app
from web.demo import people
from web.demo.loggers import Loggers
from web.demo.network import seed_demo
from web.demo.play import actors, make_stage
from web.demo.script import COUNTY, DAY_BEGINS, local
from web.demo.stage import Director, Turns
from web.settings import Settings

OURS = {COUNTY, "421200"}
DAY = datetime(2026, 3, 9).date()  # noqa: DTZ001  # a Monday; only the date is used
SPARE = {"courier-421281-3", "courier-city-2"}
"""They have the day off: two couriers and one for the trunk are enough, and idle ones only look at their phones."""
SWEEP, FLUSH = timedelta(minutes=10), timedelta(minutes=2)


@dataclass
class Day:
    """The application after its day, and what the director said."""

    app: Flask
    ended: str
    gave_up: list[str]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    folder = tmp_path_factory.mktemp("day")
    clock = FixedClock(local(DAY, DAY_BEGINS))
    environ = {
        "LABRELAY_VAR_DIR": str(folder),
        "LABRELAY_SECRET_KEY": "only-for-the-tests-0123456789abcdef",
        "LABRELAY_DEMO": "1",
        "LABRELAY_LOGIN_LIMIT": "1000 per minute",
    }
    with clock_module.using(clock):
        app = create_app(Settings.from_env(environ), clock)
        with app.app_context():
            Base.metadata.create_all(db.engine)
            with transaction() as session:
                seed_demo(session)
                close_the_others(session)
        yield play(app, clock, folder)
        with app.app_context():
            db.engine.dispose()


def close_the_others(session: Session) -> None:
    """Only the county and the city work today: nobody plays the others, and a courier would wait at each of them."""
    for site in session.scalars(select(Site)):
        site.active = site.code.removeprefix("H")[:6] in OURS
    for user in session.scalars(select(User).where(User.site_code.is_not(None))):
        user.active = str(user.site_code).removeprefix("H")[:6] in OURS and user.username not in SPARE


def play(app: Flask, clock: FixedClock, folder: Path) -> Day:
    gave_up: list[str] = []
    sent: list[str] = []
    http = httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "send", sent.append)
        patch.setattr("web.demo.stage.log.warning", lambda form, *args: gave_up.append(form % args))
        stage = make_stage(http)
        stage.boxes = {code: box for code, box in stage.boxes.items() if box.home.removeprefix("H")[:6] in OURS}
        director = Director(stage, threading.Event(), wait=jump(clock))
        for name, turns in actors(stage, {COUNTY}):
            if name not in SPARE:
                director.add(name, turns)
        publish, flush = ingest(app)
        director.add("loggers", Loggers(stage, publish, folder / "seq.json").turns())
        director.add("ingest", flush)
        director.add("worker", worker(app, sent))
        ended = director.play()
    return Day(app, ended, gave_up)


def jump(clock: FixedClock) -> Callable[[datetime, datetime], bool]:
    """Instead of waiting, it is then."""

    def wait(at: datetime, now: datetime) -> bool:
        if at > now:
            clock.set(at)
        return True

    return wait


def ingest(app: Flask) -> tuple[Callable[[str, str], None], Turns]:
    """What loggers publish goes into the pipeline behind the broker, in batches as the ingest service makes them."""
    waiting: list[Incoming] = []

    def publish(topic: str, text: str) -> None:
        waiting.append(Incoming(topic, text.encode()))

    def turns() -> Turns:
        while True:
            yield clock_module.now() + FLUSH
            with app.app_context(), transaction() as session:
                store_batch(session, waiting, now=clock_module.now())
            waiting.clear()

    return publish, turns()


def worker(app: Flask, sent: list[str]) -> Turns:
    """The worker and its beat."""
    while True:
        with app.app_context():
            while sent:
                tasks.run_job(sent.pop())
            tasks.sweep()
            sweep_silence()
        yield clock_module.now() + SWEEP


def test_the_day_goes_through(day: Day) -> None:
    """Nobody gives up, the plan is published, every tube that was sent has been received or accounted for."""
    assert day.ended == "over"
    assert day.gave_up == []
    with day.app.app_context():
        session = db.session()
        states = Counter(session.scalars(select(Specimen.state)))
        assert states["accepted"] > 60, states
        assert states["in_transit"] + states["arrived"] == 0, states
        closed = select(Consignment.number).where(Consignment.state == "closed")
        lines = select(ConsignmentLine.outcome).where(ConsignmentLine.consignment_number.in_(closed))
        outcomes = Counter(session.scalars(lines))
        assert outcomes["expected"] == 0, outcomes
        assert session.scalars(select(Plan.state)).all().count("published") == 1
        assert session.scalars(select(Stop).where(Stop.state == "done", Stop.courier.like(f"%{COUNTY}%"))).first()


def test_special_tests_reach_the_city(day: Day) -> None:
    """A tube that only the city tests has travelled on two consignments and was received there."""
    with day.app.app_context():
        session = db.session()
        tubes = session.scalars(select(Specimen).where(Specimen.destination_code == "H421200")).all()
        arrived = [tube for tube in tubes if tube.location_code == "H421200" and tube.received_at is not None]
        assert arrived
        lines = select(ConsignmentLine).where(ConsignmentLine.specimen_id == arrived[0].id)
        assert len(session.scalars(lines).all()) == 2


def test_every_incident_of_the_story_leaves_its_trace(day: Day) -> None:
    """Warm box, silent logger, missing and found tube, rejected tube, urgent call: each is on record, once."""
    with day.app.app_context():
        session = db.session()
        kinds = Counter(session.scalars(select(Alert.kind)))
        assert kinds["excursion"] >= 1, kinds
        assert kinds["silence"] == 1, kinds
        assert kinds["urgent_call"] == 1, kinds
        missing = session.scalars(select(Alert).where(Alert.kind == "missing")).one()
        assert missing.state == "ended"
        warm = session.scalars(select(Excursion)).all()
        assert any(one.max_c is not None and one.max_c > 8.0 for one in warm)
        assert session.scalars(select(Nonconformity).where(Nonconformity.disposition == "reject")).first()
        urgent = session.scalars(select(Pickup).where(Pickup.kind == "urgent")).one()
        assert urgent.state == "done"


def test_the_log_alone_gives_the_same_projections(day: Day) -> None:
    """Replaying the custody log of the day gives every column, line and box as they stand; the chains hold."""
    with day.app.app_context():
        session = db.session()
        assert rebuild.differences(session) == []
        assert rebuild.verify_log(session) == []


def test_no_handover_without_two_names(day: Day) -> None:
    """Every consignment that moved was signed for by giver and taker each time."""
    with day.app.app_context():
        session = db.session()
        moved = session.scalars(select(Consignment).where(Consignment.delivered_at.is_not(None))).all()
        assert moved
        assert people.PIN not in "".join(str(one.number) for one in moved)
