"""The ingest process against a real broker and database: acknowledged after the commit, killed without loss."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import psycopg
import pytest
from flask import Flask
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics import clock as clock_module
from logistics.db import db
from telemetry import devices, status
from telemetry.models import DeadLetter, Device, ReadingRow
from telemetry.mqtt import Ingest
from tests import factories as f
from tests import servers
from tests.conftest import Assembly
from tests.factories import START
from web.settings import Settings

READY_S = 20.0
T = TypeVar("T")


@pytest.fixture
def broker() -> Iterator[str]:
    """A broker of its own: a persistent session of one test must not feed the next."""
    with servers.mosquitto() as url:
        yield url


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    early = START - timedelta(days=30)
    for code in ("LG-1", "LG-2"):
        devices.register(session, code, now=early)
    devices.bind(session, "LG-1", "BX-C", at=early, now=early)
    session.commit()
    return session


class Logger:
    """A logger's side: publishes with QoS 1, keeps what it is told."""

    def __init__(self, url: str, name: str, protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311) -> None:
        self.heard: list[tuple[str, dict[str, object]]] = []
        parts = urlsplit(url)
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=protocol)
        self.client.max_inflight_messages_set(200)
        self.client.on_message = lambda _c, _d, m: self.heard.append((m.topic, json.loads(m.payload)))
        self.client.connect(parts.hostname or "", parts.port or 0)
        self.client.loop_start()
        for kind in ("receipt", "request"):
            self.client.subscribe(f"labrelay/v1/+/{kind}", qos=1)

    def send(self, payload: bytes, device: str = "LG-1") -> paho.MQTTMessageInfo:
        return self.client.publish(f"labrelay/v1/{device}/readings", payload, qos=1)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def logger(broker: str) -> Iterator[Logger]:
    made = Logger(broker, "test-logger")
    yield made
    made.close()


def payload(seq: int, temp_c: float = 5.0) -> bytes:
    at = START - timedelta(seconds=10_000 - seq)
    return json.dumps({"seq": seq, "readings": [{"at": at.isoformat(), "temp_c": temp_c}]}).encode()


@contextmanager
def running(app: Flask, url: str, name: str = "1") -> Iterator[Ingest]:
    """An ingest in a thread of this process."""
    stop = threading.Event()
    ingest = Ingest(url, name=name)

    def work() -> None:
        with app.app_context():
            ingest.run(stop)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert ingest.wait_listening(READY_S)
        yield ingest
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def eventually(check: Callable[[], bool], within_s: float = READY_S) -> None:
    until = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.05)


def asked(session: Session, question: Callable[[Session], T]) -> T:
    """An answer from the database that leaves no transaction open: SQLite has one writer."""
    session.rollback()
    try:
        return question(session)
    finally:
        session.rollback()


def stored(session: Session) -> int:
    return asked(session, lambda s: s.scalar(select(func.count()).select_from(ReadingRow)) or 0)


def state(session: Session) -> str:
    return asked(session, lambda s: status.ingest_status(s).state)


def dead(session: Session) -> list[str]:
    return asked(session, lambda s: list(s.scalars(select(DeadLetter.reason))))


@pytest.mark.both_databases
def test_messages_become_rows_and_receipts(app: Flask, world: Session, broker: str, logger: Logger) -> None:
    """Good messages, a repeated one and garbage: rows once, a dead letter, receipts, a request for the hole."""
    with running(app, broker):
        for seq in (1, 2, 2, 3, 7):
            logger.send(payload(seq))
        logger.send(b"garbage")
        eventually(lambda: stored(world) == 4)
        eventually(lambda: ("labrelay/v1/LG-1/request", {"from": 4, "to": 6}) in logger.heard)
        eventually(lambda: dead(world) == ["not_text"] or dead(world) == ["not_json"])
        receipts = [body["stored_up_to"] for topic, body in logger.heard if topic.endswith("receipt")]
        assert receipts[-1] == 3
        eventually(lambda: state(world) == "ok")
    assert state(world) == "behind"


def test_a_logger_that_speaks_mqtt_5_is_served(app: Flask, world: Session, broker: str) -> None:
    """It connects, publishes with QoS 1 and properties of version 5, and hears its receipt; the row is there."""
    logger = Logger(broker, "five", MQTTProtocolVersion.MQTTv5)
    try:
        with running(app, broker):
            properties = Properties(PacketTypes.PUBLISH)
            properties.ContentType, properties.UserProperty = "application/json", ("firmware", "1.2")
            logger.client.publish("labrelay/v1/LG-1/readings", payload(1), qos=1, properties=properties)
            eventually(lambda: len(logger.heard) >= 1)
        assert logger.client.protocol == MQTTProtocolVersion.MQTTv5
        topic, body = logger.heard[0]
        assert (topic, body["stored_up_to"]) == ("labrelay/v1/LG-1/receipt", 1)
    finally:
        logger.close()
    assert world.scalar(select(func.count()).select_from(ReadingRow)) == 1


def test_what_was_published_while_away_is_stored_on_return(
    app: Flask, world: Session, broker: str, logger: Logger
) -> None:
    """The broker keeps the session of an ingest that is away."""
    with running(app, broker):
        logger.send(payload(1))
        eventually(lambda: stored(world) == 1)
    for seq in range(2, 52):
        logger.send(payload(seq)).wait_for_publish(5)
    with running(app, broker):
        eventually(lambda: stored(world) == 51)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Assembly]:
    """An application on a PostgreSQL of its own, which the test may kill. Commits are real ones."""
    with servers.postgresql() as url:
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("ALTER ROLE labrelay SET synchronous_commit = on")
        made = Assembly(tmp_path, url)
        try:
            yield made
        finally:
            made.close()


def postmaster(assembly: Assembly) -> tuple[int, list[str]]:
    """Process id and command line of the database server."""
    with assembly.engine.connect() as connection:
        folder = connection.exec_driver_sql("SHOW data_directory").scalar_one()
    pid = int(Path(folder, "postmaster.pid").read_text().split()[0])
    return pid, Path(f"/proc/{pid}/cmdline").read_text().strip("\0").split("\0")


def restarted(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """The database server again; it refuses as long as an orphan of the killed one lives."""
    user = "postgres" if os.geteuid() == 0 else None
    port = next(int(word.removeprefix("--port=")) for word in command if word.startswith("--port="))
    started: list[subprocess.Popen[bytes]] = []

    def answers() -> bool:
        if not started or started[-1].poll() is not None:
            started.append(servers.start(command, log=log, user=user))
            time.sleep(0.2)
        return servers.accepts(port) and started[-1].poll() is None

    eventually(answers, 40)
    return started[-1]


def test_a_killed_database_loses_nothing_and_nothing_is_acknowledged_meanwhile(
    database: Assembly, broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 of PostgreSQL under load: no acknowledgement while it is away, every message a row when it is back."""
    wanted = 600
    logger = Logger(broker, "test-logger")
    with clock_module.using(database.clock), database.app.app_context(), running(database.app, broker) as ingest:
        session = db.session()
        f.world(session)
        devices.register(session, "LG-1", now=START - timedelta(days=30))
        session.commit()
        acked: list[int] = []
        real_ack = ingest._client.ack_all

        def ack_all(mids: Iterable[int]) -> None:
            acked.extend(some := list(mids))
            real_ack(some)

        monkeypatch.setattr(ingest._client, "ack_all", ack_all)
        pid, command = postmaster(database)
        sent = [logger.send(payload(seq)) for seq in range(1, wanted // 2 + 1)]
        eventually(lambda: len(acked) > 0)
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)  # a dead postmaster that nobody has buried still holds its lock file
        sent += [logger.send(payload(seq)) for seq in range(wanted // 2 + 1, wanted + 1)]
        eventually(lambda: ingest.counters.failing)
        before = len(acked)
        time.sleep(1.0)
        assert len(acked) == before < wanted
        again = restarted(command, tmp_path / "postgres.log")
        try:
            eventually(lambda: ingest.counters.messages >= wanted, 40)
            assert stored(session) == wanted
            assert len(acked) == wanted
            for info in sent:
                info.wait_for_publish(10)
        finally:
            logger.close()
            db.session.remove()
            servers.stop(again, signal_first=signal.SIGINT)


def test_a_message_that_cannot_be_stored_does_not_stop_the_others(
    app: Flask, world: Session, broker: str, logger: Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of our own in one message: it is kept as a dead letter, those around it are stored."""
    from telemetry import mqtt

    real = mqtt.store_batch

    def faulty(session: Session, messages: list[mqtt.Incoming], **more: object) -> object:
        if any(b'"seq": 5,' in message.payload for message in messages):
            raise ZeroDivisionError
        return real(session, messages, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(mqtt, "store_batch", faulty)
    with running(app, broker):
        for seq in range(1, 11):
            logger.send(payload(seq))
        eventually(lambda: stored(world) == 9)
        eventually(lambda: dead(world) == ["not_storable"])


def test_an_acknowledgement_never_goes_to_another_connection(app: Flask, broker: str) -> None:
    """What came on the first connection is not acknowledged on the second, where its id is another message."""
    from telemetry.mqtt import Held, Incoming

    ingest = Ingest(broker)
    acked: list[int] = []
    ingest._client.ack_all = acked.extend  # type: ignore[method-assign]
    ingest._connection = 2
    ingest._acknowledge([Held(1, 7, 1, Incoming("t", b"")), Held(2, 8, 1, Incoming("t", b""))])
    assert acked == [8]


@pytest.mark.both_databases
def test_kill_9_of_the_ingest_loses_nothing(
    app: Flask, app_settings: Settings, world: Session, broker: str, logger: Logger, tmp_path: Path
) -> None:
    """Three kills at odd moments under load: every acknowledged message is a row, and each only once."""
    wanted = 1500
    environ = os.environ | {
        "LABRELAY_VAR_DIR": str(app_settings.var_dir),
        "LABRELAY_DATABASE_URL": app_settings.database_url,
        "LABRELAY_SECRET_KEY": app_settings.secret_key,
        "LABRELAY_MQTT_URL": broker,
        "LABRELAY_LOG_LEVEL": "INFO",
    }
    log = tmp_path / "ingest.log"

    def begin() -> object:
        return servers.start([sys.executable, "-m", "web.cli", "ingest"], log=log, env=environ)

    def kill_at(count: int) -> None:
        process = begin()
        eventually(lambda: stored(world) >= count, 30)
        os.killpg(process.pid, signal.SIGKILL)  # type: ignore[attr-defined]
        process.wait(5)  # type: ignore[attr-defined]

    kill_at(0)  # even before it subscribed
    with running(app, broker):  # now the session exists and the broker keeps messages for it
        eventually(lambda: state(world) == "ok")
    sent = [logger.send(payload(seq)) for seq in range(1, wanted + 1)]
    for count in (1, 400, 900):
        kill_at(count)
    for info in sent:
        info.wait_for_publish(10)
    last = begin()
    try:
        eventually(lambda: stored(world) == wanted, 30)
    finally:
        servers.stop(last)  # type: ignore[arg-type]
    assert asked(world, lambda s: s.get_one(Device, "LG-1").last_seq) == wanted


def test_devices_with_topics_of_their_own_are_heard(app: Flask, world: Session, broker: str) -> None:
    """What the register adds while the ingest runs is subscribed to, and what it takes away is heard no more."""
    with running(app, broker):
        devices.register(
            world, "ZB-1", now=START - timedelta(days=30), codec="zigbee2mqtt", topics=["zigbee2mqtt/box-731"]
        )
        world.commit()
        logger = Logger(broker, "zigbee2mqtt")
        at = START

        def heard() -> bool:
            nonlocal at
            at += timedelta(seconds=1)
            body = {"temperature": 4.6, "last_seen": at.isoformat()}
            logger.client.publish("zigbee2mqtt/box-731", json.dumps(body), qos=1)
            time.sleep(0.1)
            mine = select(func.count()).where(ReadingRow.device_code == "ZB-1")
            return asked(world, lambda session: session.scalar(mine)) != 0

        eventually(heard)
        logger.close()
