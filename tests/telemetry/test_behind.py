"""Telemetry that falls behind, from the broker to the alert: told once, after a while, over when it has caught up."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics.models import Alert
from telemetry import devices, mqtt, status, sweep
from telemetry.models import ReadingRow
from tests import factories as f
from tests import servers
from tests.factories import START
from tests.telemetry.test_mqtt import Logger, asked, eventually, payload, running

pytestmark = pytest.mark.both_databases
GRACE_S = 1.5


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    devices.register(session, "LG-1", now=START - timedelta(days=30))
    session.commit()
    return session


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """While set, the database takes twenty messages a second. All limits are smaller, so that seconds will do."""
    real, flag = mqtt.store_batch, threading.Event()

    def store(session: Session, messages: list[mqtt.Incoming], **more: object) -> object:
        for _ in messages:
            if flag.is_set():
                time.sleep(0.05)
        return real(session, messages, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(mqtt, "store_batch", store)
    monkeypatch.setattr(mqtt, "BATCH_MESSAGES", 10)
    monkeypatch.setattr(mqtt, "IN_FLIGHT", 30)
    monkeypatch.setattr(mqtt, "BEAT_EVERY_S", 0.1)
    monkeypatch.setattr(status, "BACKLOG", timedelta(seconds=0.5))
    monkeypatch.setattr(sweep, "BEHIND_GRACE", timedelta(seconds=GRACE_S))
    return flag


def look(session: Session) -> tuple[str, list[str]]:
    """One round of the worker's sweep: the ingest's state, and how each alert about it stands."""
    session.rollback()
    state = sweep.ingest(session, now=START)
    session.commit()
    return state, asked(session, lambda s: list(s.scalars(select(Alert.state).order_by(Alert.id))))


def test_a_backlog_is_told_once_and_is_over_when_it_is_stored(
    app: Flask, world: Session, slow: threading.Event
) -> None:
    """More comes than is stored, though every batch is: not a word for the grace time, then one alert however often
    the worker looks; when all is stored it ends, and nothing was lost."""
    with servers.mosquitto() as url, running(app, url):
        eventually(lambda: look(world) == ("ok", []))
        logger = Logger(url, "test-logger")
        slow.set()
        begun, told_after_s = time.monotonic(), None
        sent = 0
        seen: list[list[str]] = []
        while time.monotonic() - begun < 4 * GRACE_S:
            for _ in range(10):
                sent += 1
                logger.send(payload(sent))
            state, alerts = look(world)
            if alerts and told_after_s is None:
                told_after_s = time.monotonic() - begun
                assert state == "behind"
            seen.append(alerts)
            time.sleep(0.1)
        assert told_after_s is not None
        assert told_after_s >= GRACE_S
        assert seen[-1] == ["open"], "still behind, told once"
        slow.clear()
        eventually(lambda: look(world) == ("ok", ["ended"]))
        eventually(lambda: asked(world, lambda s: s.scalar(select(func.count()).select_from(ReadingRow))) == sent)
        assert look(world) == ("ok", ["ended"])
        logger.close()
