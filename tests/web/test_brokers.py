"""The embedded MQTT brokers keep what they acknowledged; the accounts of a real broker hold."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from tests import servers
from web import brokers
from web.processes import accepts, spawn, stop_all

MESSAGES = 100


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


def connect(port: int, client_id: str, account: tuple[str, str] | None = None) -> mqtt.Client:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id, clean_session=False, protocol=mqtt.MQTTv311)
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


def publish(client: mqtt.Client, topic: str, count: int) -> None:
    for number in range(count):
        client.publish(topic, str(number), qos=1).wait_for_publish(10)


@pytest.mark.parametrize("kind", ["mosquitto", "aedes"])
def test_messages_wait_for_a_subscriber_through_a_kill_of_the_broker(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 acknowledged messages for an absent subscriber all arrive after kill −9 of the broker."""
    port, log = servers.free_port(), tmp_path / "log"
    broker = make_broker(kind, tmp_path / "store", port, monkeypatch)
    with running(broker, log) as process:
        subscriber = connect(port, "ingest")
        subscriber.subscribe("labrelay/v1/#", qos=1)
        time.sleep(0.3)
        leave(subscriber)
        sender = connect(port, "logger")
        publish(sender, "labrelay/v1/LG1/readings", MESSAGES)
        time.sleep(1.5)  # mosquitto saves a second after a change
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
    assert len(received) == MESSAGES


def test_accounts_are_made_once_and_keep_each_logger_to_its_own_topics(tmp_path: Path) -> None:
    """A real mosquitto with our files: no anonymous client, a logger speaks for itself only, the ingest hears it."""
    port = servers.free_port()
    made = brokers.write_accounts(tmp_path, str(tmp_path), {"ingest": "ingest-password", "gateway": None})
    assert made["ingest"] == "ingest-password"
    assert len(made["gateway"]) >= 24
    brokers.add_account(tmp_path, "LG-0001", "logger-password")
    before = (tmp_path / "passwords").read_text()
    assert brokers.write_accounts(tmp_path, str(tmp_path), {"ingest": "other", "gateway": None}) == {}
    assert (tmp_path / "passwords").read_text() == before
    conf = (tmp_path / "mosquitto.conf").read_text().replace("listener 1883 0.0.0.0", f"listener {port} 127.0.0.1")
    (tmp_path / "test.conf").write_text(conf + "user root\n")
    command = (servers.find_program("mosquitto", "mosquitto"), "-c", str(tmp_path / "test.conf"))
    heard: list[str] = []
    with running(brokers.Broker("mosquitto", command, f"mqtt://127.0.0.1:{port}"), tmp_path / "log"):
        with pytest.raises(AssertionError, match="no connection"):
            connect_briefly(port, None)
        with pytest.raises(AssertionError, match="no connection"):
            connect_briefly(port, ("LG-0001", "wrong"))
        ingest = connect(port, "ingest", ("ingest", "ingest-password"))
        ingest.on_message = lambda _client, _data, message: heard.append(message.topic)
        ingest.subscribe("$share/labrelay/labrelay/v1/+/readings", qos=1)
        time.sleep(0.3)
        logger = connect(port, "LG-0001", ("LG-0001", "logger-password"))
        logger.publish("labrelay/v1/LG-0001/readings", "1", qos=1).wait_for_publish(5)
        logger.publish("labrelay/v1/LG-0002/readings", "1", qos=0)  # a denied QoS 1 publish would end the connection
        gateway = connect(port, "gw", ("gateway", made["gateway"]))
        gateway.publish("labrelay/v1/LG-0003/readings", "1", qos=1).wait_for_publish(5)
        deadline = time.monotonic() + 5
        while len(heard) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)
        for client in (ingest, logger, gateway):
            leave(client)
    assert sorted(heard) == ["labrelay/v1/LG-0001/readings", "labrelay/v1/LG-0003/readings"]


def connect_briefly(port: int, account: tuple[str, str] | None) -> None:
    """Raise AssertionError('no connection') when the broker refuses."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "brief", protocol=mqtt.MQTTv311)
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
