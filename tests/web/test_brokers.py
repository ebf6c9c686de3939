"""The embedded MQTT brokers keep what they acknowledged; the accounts of a real broker hold."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from telemetry import devices, keys, routes
from telemetry.models import ReadingRow
from telemetry.mqtt import Ingest
from tests import certificates, servers
from tests import factories as f
from tests.factories import START
from web import brokers
from web.processes import accepts, spawn, stop_all

MESSAGES = 100
MINUTE = timedelta(minutes=1)


def make_broker(kind: str, folder: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> brokers.Broker:
    if kind == "aedes":
        real = brokers.find_program
        monkeypatch.setattr(brokers, "find_program", lambda name: None if name == "mosquitto" else real(name))
    found = brokers.embedded(folder, port)
    assert found is not None, f"{kind} cannot run here: make test installs what it needs"
    assert found.name == kind
    return found


@contextmanager
def running(broker: brokers.Broker, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = spawn(broker.command, log=log)
    try:
        deadline = time.monotonic() + 15
        while not accepts(int(broker.url.rpartition(":")[2])):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "the broker does not listen"
            time.sleep(0.05)
        yield process
    finally:
        stop_all([process])


def connect(
    port: int, client_id: str, account: tuple[str, str] | None = None, ca_file: Path | None = None
) -> mqtt.Client:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id, clean_session=False, protocol=mqtt.MQTTv311)
    if ca_file:
        client.tls_set(str(ca_file))
    if account:
        client.username_pw_set(*account)
    client.connect("127.0.0.1", port)
    client.loop_start()
    deadline = time.monotonic() + 10
    while not client.is_connected():
        assert time.monotonic() < deadline, "no connection"
        time.sleep(0.02)
    return client


def leave(client: mqtt.Client) -> None:
    client.disconnect()
    client.loop_stop()


def subscribe(client: mqtt.Client, topic: str) -> None:
    """Returns when the broker has confirmed it: what is sent before that is not kept."""
    confirmed = threading.Event()
    client.on_subscribe = lambda *_: confirmed.set()
    client.subscribe(topic, qos=1)
    assert confirmed.wait(20), "the subscription is not confirmed"


def publish(client: mqtt.Client, topic: str, count: int) -> None:
    for number in range(count):
        sent = client.publish(topic, str(number), qos=1)
        sent.wait_for_publish(20)
        assert sent.is_published(), f"message {number} was not acknowledged"


def _wait_for_snapshot(kind: str, folder: Path, since: float) -> None:
    """Mosquitto writes its store every two seconds; the other broker acknowledges a moment before it writes. What is
    lost in between has no receipt, and its logger sends it again."""
    if kind == "aedes":
        time.sleep(1.0)
        return
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if any(path.stat().st_mtime > since for path in folder.rglob("mosquitto.db")):
            return
        time.sleep(0.1)


@pytest.mark.parametrize("kind", ["mosquitto", "aedes"])
def test_messages_wait_for_a_subscriber_through_a_kill_of_the_broker(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 messages that stand in the store for an absent subscriber all arrive after kill −9 of the broker."""
    port, log = servers.free_port(), tmp_path / "log"
    broker = make_broker(kind, tmp_path / "store", port, monkeypatch)
    with running(broker, log) as process:
        subscriber = connect(port, "ingest")
        subscribe(subscriber, "labrelay/v1/#")
        leave(subscriber)
        time.sleep(0.3)  # until the broker has seen that it is gone
        sender = connect(port, "logger")
        publish(sender, "labrelay/v1/LG1/readings", MESSAGES)
        _wait_for_snapshot(kind, tmp_path, time.time())
        process.send_signal(signal.SIGKILL)
        process.wait(5)
        leave(sender)
    received: set[bytes] = set()
    complete = threading.Event()
    with running(replace(broker), log):
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "ingest", clean_session=False, protocol=mqtt.MQTTv311)

        def take(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
            received.add(message.payload)
            if len(received) == MESSAGES:
                complete.set()

        client.on_message = take
        client.connect("127.0.0.1", port)
        client.loop_start()
        complete.wait(15)
        leave(client)
    assert {str(number).encode() for number in range(MESSAGES)} - received == set()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of its own authority for 127.0.0.1, and its key."""
    return certificates.make(tmp_path)


def test_over_tls_each_logger_speaks_for_itself_alone(
    app: Flask, session: Session, tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    """A real mosquitto with TLS and our files: nobody without a key; a logger publishes to its own topic only, and to
    one of its maker that the register has for it, and hears its own receipts only; a gateway speaks for its loggers; a
    revoked key is out after SIGHUP; the real ingest, over TLS, stores what came through."""
    f.world(session)
    for code, gateway in (("LG-1", None), ("LG-2", None), ("LG-3", "GW-1")):
        devices.register(session, code, now=START - timedelta(days=1), gateway=gateway)
    routes.replace(session, "LG-2", ["ruuvi/+/AA:BB"])
    secrets = {account: keys.issue(session, account, now=START) for account in ("LG-1", "LG-2", "GW-1")}
    session.commit()
    port, plain = servers.free_port(), servers.free_port()
    made = brokers.write_accounts(
        tmp_path, str(tmp_path), {"ingest": "ingest-password", "gateway": None}, tls=certificate
    )
    assert made["ingest"] == "ingest-password"
    assert brokers.write_accounts(tmp_path, str(tmp_path), {"ingest": "x", "gateway": None}, tls=certificate) == {}
    brokers.write_register(tmp_path, keys.accounts(session), routes.filters(session))
    conf = (tmp_path / "mosquitto.conf").read_text().replace("listener 8883 0.0.0.0", f"listener {port} 127.0.0.1")
    conf = conf.replace("listener 1883 0.0.0.0", f"listener {plain} 127.0.0.1")
    (tmp_path / "test.conf").write_text(conf + "user root\n")
    command = (servers.find_program("mosquitto", "mosquitto"), "-c", str(tmp_path / "test.conf"))

    def body(seq: int) -> str:
        return json.dumps({"seq": seq, "readings": [{"at": (START + seq * MINUTE).isoformat(), "temp_c": 5.0}]})

    def deny(account: str, topic: str, text: str) -> None:
        """On a connection of its own: the broker may end it."""
        client = connect(port, "denied", (account, secrets[account]), certificate[0])
        client.publish(topic, text, qos=0).wait_for_publish(5)
        leave(client)

    with running(brokers.Broker("mosquitto", command, f"mqtts://127.0.0.1:{port}"), tmp_path / "log") as process:
        for account in (None, ("LG-1", "wrong"), ("LG-1", secrets["LG-2"])):
            with pytest.raises(AssertionError, match="no connection"):
                connect_briefly(port, account, certificate[0])
        url = f"mqtts://ingest:ingest-password@127.0.0.1:{port}"
        with ingesting(app, url, certificate[0]):
            first = connect(port, "one", ("LG-1", secrets["LG-1"]), certificate[0])
            heard: list[str] = []
            first.on_message = lambda _client, _data, message: heard.append(message.topic)
            first.subscribe("labrelay/v1/+/receipt", qos=1)
            gateway = connect(port, "gw", ("GW-1", secrets["GW-1"]), certificate[0])
            deny("LG-1", "labrelay/v1/LG-2/readings", body(1))
            deny("LG-1", "ruuvi/GW/AA:BB", body(1))
            second = connect(port, "two", ("LG-2", secrets["LG-2"]), certificate[0])
            first.publish("labrelay/v1/LG-1/readings", body(2), qos=1).wait_for_publish(5)
            deny("GW-1", "labrelay/v1/LG-1/readings", body(3))
            gateway.publish("labrelay/v1/LG-3/readings", body(4), qos=1).wait_for_publish(5)
            session.rollback()

            def stored() -> list[str]:
                found = sorted(session.scalars(select(ReadingRow.device_code)))
                session.rollback()  # SQLite has one writer
                return found

            until = time.monotonic() + 10
            while (len(stored()) < 3 or not heard) and time.monotonic() < until:
                # The ingest follows the register with its first heartbeat.
                second.publish("ruuvi/GW/AA:BB", body(5), qos=1).wait_for_publish(5)
                time.sleep(0.2)
            time.sleep(0.3)
            assert stored() == ["LG-1", "LG-2", "LG-3"]
            assert heard == ["labrelay/v1/LG-1/receipt"]
            session.rollback()
            for client in (first, second, gateway):
                leave(client)
        keys.revoke(session, "LG-1", now=START)
        session.commit()
        brokers.write_register(tmp_path, keys.accounts(session))
        session.rollback()
        process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        with pytest.raises(AssertionError, match="no connection"):
            connect_briefly(port, ("LG-1", secrets["LG-1"]), certificate[0])


@contextmanager
def ingesting(app: Flask, url: str, ca_file: Path) -> Iterator[None]:
    stop = threading.Event()
    ingest = Ingest(url, ca_file=ca_file, share_group="labrelay")

    def work() -> None:
        with app.app_context():
            ingest.run(stop)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert ingest.wait_listening(10)
        yield
    finally:
        stop.set()
        thread.join(10)


def connect_briefly(port: int, account: tuple[str, str] | None, ca_file: Path) -> None:
    """Raise AssertionError('no connection') when the broker refuses."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "brief", protocol=mqtt.MQTTv311)
    client.tls_set(str(ca_file))
    if account:
        client.username_pw_set(*account)
    refused = threading.Event()
    client.on_connect = lambda _c, _d, _f, reason, _p: refused.set() if reason.is_failure else None
    client.connect("127.0.0.1", port)
    client.loop_start()
    waited = refused.wait(5)
    leave(client)
    assert not waited, "no connection"


def test_a_password_line_is_what_mosquitto_writes() -> None:
    """The hash of a known salt, as mosquitto_passwd computes it (PBKDF2-HMAC-SHA512, 64 bytes)."""
    line = brokers.password_line("box", "secret", salt=b"0123456789ab")
    account, _, rest = line.partition(":")
    kind, iterations, salt, digest = rest.lstrip("$").split("$")
    assert (account, kind, iterations, salt) == ("box", "7", "20000", "MDEyMzQ1Njc4OWFi")
    assert len(digest) == 88
