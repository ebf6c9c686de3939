"""Loggers of bench/faults.py, in a process of their own, with a ledger outside of everything that is killed.

Half of them keep every message until its receipt and send again what has none; the others trust the broker's
acknowledgement. The ledger holds a line for each message sent (S), receipted (R) or acknowledged by the broker to a
logger without receipts (A), and is fsynced before a line counts.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
# What a logger hands over at most before the broker has taken it; the rest waits in its memory (or, without receipts,
# is not measured by the ledger: nobody promised anything).
QUEUED_MOST = 5000
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
        self._under_way: dict[str, set[int]] = {name: set() for name in self._keepers}
        # paho calls on_publish under the lock that publish() takes, so that call may wait for no lock of ours.
        self._acks: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._handed: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        self._early: set[int] = set()
        self._unacked: dict[int, str] = {}
        self._address = urlsplit(mqtt_url)
        self._client = self._connect("bench-keepers", self._heard)
        self._plain = self._connect("bench-careless", None)
        self._plain.on_publish = self._acknowledged

    def _connect(self, name: str, heard: Any) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        client.reconnect_delay_set(min_delay=1, max_delay=2)
        client.max_inflight_messages_set(200)
        client.max_queued_messages_set(QUEUED_MOST)
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
            info = self._plain.publish(topics.readings(name), body, qos=1)
            if info.rc != paho.MQTT_ERR_QUEUE_SIZE:
                self._handed.put((info.mid, f"A {name} {entry['at']}"))

    def _send_again(self) -> None:
        with self._lock:
            self._progress.kept.value = sum(len(box) for box in self._keepers.values())
            waiting = {name: self._oldest(name) for name in self._keepers}
        self._send(waiting)

    def _oldest(self, name: str) -> list[bytes]:
        """The next messages to send again; when all of them have their receipt, the next follow."""
        messages = self._keepers[name].unreceipted(AGAIN_MESSAGES)
        self._under_way[name] = {json.loads(message)["seq"] for message in messages}
        return messages

    def _send(self, waiting: dict[str, list[bytes]]) -> None:
        if not self._client.is_connected():
            return
        for name, messages in waiting.items():
            for message in messages:
                self._client.publish(topics.readings(name), message, qos=0)

    def _heard(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        name, kind = message.topic.split("/")[2:]
        box, body = self._keepers.get(name), json.loads(message.payload)
        if box is None:
            return
        with self._lock:
            found = []
            if kind == "request":
                found = box.request(body)[:AGAIN_MESSAGES]
            else:
                known = box.receipt(body)
                self._lines.extend(f"R {name} {seq}" for seq in known)
                if self._under_way[name]:
                    self._under_way[name].difference_update(known)
                    if not self._under_way[name] and len(box) > AGAIN_MESSAGES:
                        found = self._oldest(name)
        self._send({name: found})

    def _acknowledged(self, _client: paho.Client, _data: Any, mid: int, _reason: Any, _properties: Any) -> None:
        self._acks.put(mid)

    def _acknowledged_lines(self) -> list[str]:
        """Lines of the messages that the broker has acknowledged, as far as publish() has told their numbers."""
        while not self._handed.empty():
            mid, line = self._handed.get()
            self._unacked[mid] = line
        while not self._acks.empty():
            self._early.add(self._acks.get())
        known = self._early & self._unacked.keys()
        self._early -= known
        return [self._unacked.pop(mid) for mid in sorted(known)]

    def _sync(self) -> None:
        with open(self._ledger, "a", encoding="ascii") as file:
            while True:
                with self._lock:
                    lines, self._lines = self._lines, []
                lines += self._acknowledged_lines()
                if lines:
                    file.write("".join(f"{line}\n" for line in lines))
                    file.flush()
                    os.fsync(file.fileno())
                    self._progress.sent.value += sum(line[0] == "S" for line in lines)
                    self._progress.receipted.value += sum(line[0] == "R" for line in lines)
                time.sleep(SYNC_S)
