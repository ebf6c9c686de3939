"""Loggers of bench/faults.py, in a process of their own, with a ledger outside of everything that is killed.

Half of them keep every message until its receipt and send again what has none; the others trust the broker's
acknowledgement. The ledger holds a line for each message sent (S), receipted (R) or acknowledged by the broker to a
logger without receipts (A), and is fsynced before a line counts.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ctypes import c_longlong
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from bench import ingest_world as w
from logistics.clock import wall_now
from telemetry import topics
from telemetry.simulator import Outbox
from web.processes import die_with_parent

SYNC_S = 0.05
AGAIN_S, AGAIN_MOST_S = 10.0, 60.0
AGAIN_MESSAGES = 50
_context = multiprocessing.get_context("spawn")


class Progress:
    """What the ledger holds so far."""

    def __init__(self) -> None:
        self.sent = _context.Value(c_longlong, 0, lock=False)
        self.receipted = _context.Value(c_longlong, 0, lock=False)
        self.kept = _context.Value(c_longlong, 0, lock=False)
        self.quiet = _context.Event()
        self.stop = _context.Event()


@contextmanager
def loggers(mqtt_url: str, count: int, rate: float, ledger: Path) -> Iterator[Progress]:
    """``count`` loggers LG-… that keep and ``count`` LN-… that do not; ``rate`` messages a second in all.

    ``quiet`` ends new measurements, not the sending again.
    """
    progress = Progress()
    process = _context.Process(target=_work, args=(mqtt_url, count, rate, str(ledger), progress), daemon=True)
    process.start()
    try:
        yield progress
    finally:
        progress.stop.set()
        process.join(15)
        process.kill()


def _work(mqtt_url: str, count: int, rate: float, ledger: str, progress: Progress) -> None:
    die_with_parent()
    _Fleet(mqtt_url, count, rate, ledger, progress).run()


class _Fleet:
    def __init__(self, mqtt_url: str, count: int, rate: float, ledger: str, progress: Progress) -> None:
        self._progress, self._rate, self._ledger = progress, rate, ledger
        self._lines: list[str] = []
        self._lock = threading.Lock()
        self._keepers = {f"LG-{number:03d}": Outbox() for number in range(count)}
        self._careless = {f"LN-{number:03d}": 0 for number in range(count)}
        self._unacked: dict[int, str] = {}
        self._address = urlsplit(mqtt_url)
        self._client = self._connect("bench-keepers", self._heard)
        self._plain = self._connect("bench-careless", None)
        self._plain.on_publish = self._acknowledged

    def _connect(self, name: str, heard: Any) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        client.reconnect_delay_set(min_delay=1, max_delay=2)
        client.max_inflight_messages_set(200)
        if heard:
            client.on_message = heard
            client.on_connect = lambda *_: client.subscribe([(topics.receipt("+"), 1), (topics.request("+"), 1)])
        client.connect(str(self._address.hostname), self._address.port or 1883)
        client.loop_start()
        return client

    def run(self) -> None:
        begin = wall_now().replace(microsecond=0) - w.BEGIN + timedelta(hours=1)
        turn, due, wait_s = 0, time.monotonic(), AGAIN_S
        again, heard = due + wait_s, 0
        threading.Thread(target=self._sync, daemon=True).start()
        names = [
            (name, box)
            for pair in zip(self._keepers.items(), self._careless.items(), strict=True)
            for name, box in pair
        ]
        while not self._progress.stop.is_set():
            now = time.monotonic()
            if now >= again:
                self._send_again()
                # Sending again what merely waits behind other messages would only make it wait longer.
                came = self._progress.receipted.value
                wait_s = AGAIN_S if came > heard else min(wait_s * 2, AGAIN_MOST_S)
                again, heard = now + wait_s, came
            if self._progress.quiet.is_set() or now < due:
                time.sleep(0.005)
                continue
            due += 1 / self._rate
            name, box = names[turn % len(names)]
            at = begin + (turn // len(names)) * timedelta(seconds=30)
            entry = {"at": at.isoformat(), "temp_c": 4.6}
            turn += 1
            self._measure(name, box, entry)
        self._client.disconnect()
        self._plain.disconnect()

    def _measure(self, name: str, box: Outbox | int, entry: dict[str, Any]) -> None:
        if isinstance(box, Outbox):
            with self._lock:
                message = box.add([entry])
                self._lines.append(f"S {name} {entry['at']}")
            self._client.publish(topics.readings(name), message, qos=1)
        else:
            body = json.dumps({"readings": [entry]})
            with self._lock:
                info = self._plain.publish(topics.readings(name), body, qos=1)
                self._unacked[info.mid] = f"A {name} {entry['at']}"

    def _send_again(self) -> None:
        with self._lock:
            waiting = [(name, box.unreceipted()[:AGAIN_MESSAGES]) for name, box in self._keepers.items()]
            self._progress.kept.value = sum(len(box) for box in self._keepers.values())
        if not self._client.is_connected():
            return
        for name, messages in waiting:
            for message in messages:
                self._client.publish(topics.readings(name), message, qos=0)

    def _heard(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        name, kind = message.topic.split("/")[2:]
        box, body = self._keepers.get(name), json.loads(message.payload)
        if box is None:
            return
        with self._lock:
            if kind == "request":
                found = box.request(body)
            else:
                self._lines.extend(f"R {name} {seq}" for seq in box.receipt(body))
                found = []
        for one in found:
            self._client.publish(topics.readings(name), one, qos=1)

    def _acknowledged(self, _client: paho.Client, _data: Any, mid: int, _reason: Any, _properties: Any) -> None:
        with self._lock, suppress(KeyError):
            self._lines.append(self._unacked.pop(mid))

    def _sync(self) -> None:
        with open(self._ledger, "a", encoding="ascii") as file:
            while True:
                with self._lock:
                    lines, self._lines = self._lines, []
                if lines:
                    file.write("".join(f"{line}\n" for line in lines))
                    file.flush()
                    os.fsync(file.fileno())
                    self._progress.sent.value += sum(line[0] == "S" for line in lines)
                    self._progress.receipted.value += sum(line[0] == "R" for line in lines)
                time.sleep(SYNC_S)
