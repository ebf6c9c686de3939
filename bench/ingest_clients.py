"""What listens to the broker in bench/ingest.py, each in a process of its own: the bare client, the loop that writes
every message by itself, and Labrelay's ingest.

Each counts messages into shared memory and notes when it took the first and when it was done with the last.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ctypes import c_double, c_longlong
from typing import Any
from urllib.parse import urlsplit

from telemetry import topics
from web.processes import die_with_parent
from web.settings import Settings

READY_S = 30.0
_context = multiprocessing.get_context("spawn")


class Count:
    """How many messages a process has finished, and when it finished the newest (time.monotonic)."""

    def __init__(self) -> None:
        self.done = _context.Value(c_longlong, 0, lock=False)
        self.at = _context.Value(c_double, 0.0, lock=False)
        self.ready = _context.Event()

    def add(self, messages: int) -> None:
        self.done.value += messages
        self.at.value = time.monotonic()


@contextmanager
def listening(kind: str, settings: Settings, processes: int = 1) -> Iterator[list[Count]]:
    """``bare`` | ``loop`` | ``ingest`` at the settings' broker, ready when the block begins."""
    counts = [Count() for _ in range(processes)]
    with ExitStack() as stack:
        for number, count in enumerate(counts):
            share = "bench" if processes > 1 else None
            arguments = (kind, settings, f"{kind}{number + 1}", share, count)
            process = _context.Process(target=_work, args=arguments, daemon=True)
            process.start()
            stack.callback(forget, settings, f"labrelay-ingest-{kind}{number + 1}")
            stack.callback(process.join, 20)
            stack.callback(process.terminate)
            if not count.ready.wait(READY_S):
                raise RuntimeError(f"{kind} did not begin to listen")
        yield counts


def forget(settings: Settings, client_id: str) -> None:
    """End the session that the broker keeps for a client that is away, or it would keep every message for it."""
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    parts = urlsplit(settings.mqtt_url or "")
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True)
    client.on_connect = lambda *_: client.disconnect()
    client.connect(parts.hostname or "", parts.port or 1883)
    client.loop_forever()


def _work(kind: str, settings: Settings, name: str, share: str | None, count: Count) -> None:
    die_with_parent()
    if profile := os.environ.get("BENCH_PROFILE"):
        _profiled(kind, settings, name, share, count, profile)
    elif kind == "ingest":
        ingest(settings, name, share, count)
    else:
        plain(kind, settings, name, share, count)


def _profiled(kind: str, settings: Settings, name: str, share: str | None, count: Count, path: str) -> None:
    import cProfile

    profile = cProfile.Profile()
    try:
        profile.runcall(ingest if kind == "ingest" else plain, *([kind] if kind != "ingest" else []),  # type: ignore[arg-type]
                        settings, name, share, count)  # fmt: skip
    finally:
        profile.dump_stats(f"{path}.{name}")


def plain(kind: str, settings: Settings, name: str, share: str | None, count: Count) -> None:
    """paho on MQTT 3.1.1: parse, (``loop``: one INSERT and COMMIT,) acknowledge."""
    import paho.mqtt.client as paho
    import psycopg
    from paho.mqtt.enums import CallbackAPIVersion

    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=f"labrelay-ingest-{name}", clean_session=False, manual_ack=True
    )
    parts = urlsplit(settings.mqtt_url or "")
    connection = psycopg.connect(settings.database_url.replace("+psycopg", "")) if kind == "loop" else None

    def on_message(_client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        body = json.loads(message.payload)
        if connection is not None:
            for one in body["readings"]:
                connection.execute(
                    "INSERT INTO reading (device_code, probe, at, temp_c, battery_pct, recorded_at)"
                    " VALUES (%s, %s, %s, %s, %s, now()) ON CONFLICT DO NOTHING",
                    (message.topic.split("/")[2], one["probe"], one["at"], one["temp_c"], one["battery_pct"]),
                )
            connection.commit()
        client.ack(message.mid, message.qos)
        count.add(1)

    client.on_connect = lambda *_: client.subscribe(topics.subscription(share), qos=1)
    client.on_subscribe = lambda *_: count.ready.set()
    client.on_message = on_message
    signal.signal(signal.SIGTERM, lambda *_: client.disconnect())
    client.connect(parts.hostname or "", parts.port or 1883)
    client.loop_forever()


def ingest(settings: Settings, name: str, share: str | None, count: Count) -> None:
    """What ``labrelay ingest`` runs."""
    from telemetry.mqtt import Ingest, few_collections
    from web.app import create_app

    app = create_app(settings)
    few_collections()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    work = Ingest(
        settings.mqtt_url or "", name=name, share_group=share,
        after_commit=lambda result: count.add(len(result.outcomes)),
    )  # fmt: skip
    threading.Thread(target=lambda: work.wait_listening(READY_S) and count.ready.set(), daemon=True).start()
    with app.app_context():
        work.run(stop)
