"""The ingest process: messages from the broker to the database, acknowledged after their commit.

The network thread only puts messages into a queue; this process's main thread stores them by the batch (what
came within 100 ms, at most 2,000), commits, acknowledges, and publishes receipts. While the database is away it holds
the batch, acknowledges nothing and tries again; the broker keeps what is behind it. Every message carries the number
of the connection it came on: an acknowledgement never goes to another connection, where its id means something else.
"""

from __future__ import annotations

import gc
import logging
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import paho.mqtt.client as paho
from flask import Flask
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.orm import configure_mappers

from logistics import clock
from logistics.db import transaction
from logistics.errors import Unavailable
from logistics.garbage import keep_loaded
from telemetry import routes, topics
from telemetry.ingest import BatchResult, Incoming, bury_unstorable, store_batch
from telemetry.link import Link, Packet
from telemetry.receipts import Mail
from telemetry.status import Counters, beat

log = logging.getLogger(__name__)

BATCH_MESSAGES = 2000  # under load: a batch costs as much as three hundred messages, however few they are
BATCH_BYTES = 1_000_000
BATCH_WAIT_S = 0.1
IN_FLIGHT = 4000  # as the broker allows it (web.brokers)
RETRY_FIRST_S, RETRY_MOST_S = 0.2, 10.0
BEAT_EVERY_S = 2.0
KEEPALIVE_S = 30
COLLISIONS_MOST = 3
_COLLECT_AFTER = 200_000  # objects; a batch makes some ten thousand


@lru_cache(4096)
def _topic(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


class Held(msgspec.Struct, gc=False):
    """A message taken from the broker and not yet acknowledged."""

    connection: int
    mid: int
    qos: int
    incoming: Incoming


class Ingest:
    """One ingest process. ``run`` returns when ``stop`` is set; everything stored by then is acknowledged."""

    def __init__(
        self,
        url: str,
        *,
        name: str = "1",
        share_group: str | None = None,
        ca_file: Path | None = None,
        after_commit: Callable[[BatchResult], None] | None = None,
        name_is_mine: Callable[[], bool] = lambda: True,
    ) -> None:
        self._address = _Address.of(url)
        self.name = name
        self._topic = topics.subscription(share_group)
        self._group = share_group
        self._foreign: frozenset[str] = frozenset()  # topics of devices that know none of ours (telemetry.routes)
        self._after_commit = after_commit
        self._name_is_mine = name_is_mine
        self.name_lost = False
        self._queue: queue.SimpleQueue[list[Held]] = queue.SimpleQueue()
        self._connection = 0
        self._connected = threading.Event()
        self._mail = Mail()
        self._taken = 0
        self._next_beat = 0.0
        self.counters = Counters()
        self._client = self._make_client(ca_file)

    def _make_client(self, ca_file: Path | None) -> Link:
        client = Link(
            self._on_packets,
            callback_api_version=CallbackAPIVersion.VERSION2,
            client_id=f"labrelay-ingest-{self.name}",
            clean_session=False,
            protocol=paho.MQTTv311,
            manual_ack=True,
        )
        client.max_inflight_messages_set(IN_FLIGHT)
        client.reconnect_delay_set(min_delay=1, max_delay=30)
        if self._address.username is not None:
            client.username_pw_set(self._address.username, self._address.password)
        if self._address.tls:
            client.tls_set_context(ssl.create_default_context(cafile=ca_file))
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        return client

    def wait_listening(self, timeout_s: float) -> bool:
        """Wait until the subscription stands; from then on the broker keeps what this process misses."""
        return self._connected.wait(timeout_s)

    # Network thread

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            log.warning("mqtt: refused: %s", reason)
            return
        self._connection += 1
        client.subscribe(self._topic, qos=1)
        for pattern in self._foreign:
            client.subscribe(pattern, qos=1)

    def _on_subscribe(self, _client: paho.Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            log.error("mqtt: the broker refuses %s", self._topic)
            return
        self._connected.set()
        log.info("mqtt: listening at %s (connection %d)", self._address.shown, self._connection)

    def _on_disconnect(self, _client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._connected.clear()
        if reason.is_failure:
            log.warning("mqtt: connection lost: %s", reason)

    def _on_packets(self, packets: list[Packet]) -> None:
        connection, at = self._connection, clock.now()
        self._taken += len(packets)
        self._queue.put(
            [Held(connection, one.mid, one.qos, Incoming(_topic(one.topic), one.payload, None, at)) for one in packets]
        )

    # Main thread

    def run(self, stop: threading.Event) -> None:
        """Ingest until ``stop``. Needs an application context."""
        configure_mappers()  # now, not while the first messages wait
        self._client.connect_async(self._address.host, self._address.port, keepalive=KEEPALIVE_S)
        self._client.loop_start()
        try:
            while not stop.is_set() and not self.name_lost:
                batch = self._next_batch(stop)
                if batch:
                    self._store(batch, stop)
                self._tell()
                self._beat()
        finally:
            self._tell(everything=True)
            self._client.disconnect()
            self._client.loop_stop()
            self._connected.clear()
            self._beat(force=True)

    def _next_batch(self, stop: threading.Event) -> list[Held]:
        """Waits for a first message, then takes what comes within BATCH_WAIT_S, at most BATCH_MESSAGES."""
        batch: list[Held] = []
        size = 0
        until = time.monotonic() + BATCH_WAIT_S
        while len(batch) < BATCH_MESSAGES and size < BATCH_BYTES and not stop.is_set():
            try:
                came = self._queue.get_nowait()
            except queue.Empty:
                left_s = until - time.monotonic()
                if left_s <= 0:
                    break
                try:
                    came = self._queue.get(timeout=left_s)
                except queue.Empty:
                    break
            batch.extend(came)
            size += sum(len(held.incoming.payload) for held in came)
        return batch

    def _store(self, batch: list[Held], stop: threading.Event) -> None:
        wait_s = RETRY_FIRST_S
        collisions = 0
        while not stop.is_set():
            try:
                result = self._commit(batch)
            except (OperationalError, InterfaceError) as error:
                self._failing(error)
                stop.wait(wait_s)
                wait_s = min(wait_s * 2, RETRY_MOST_S)
                self._beat()
                continue
            except Exception as error:
                # Somebody else raised the same alert or wrote the same row meanwhile: the next look sees it.
                if isinstance(error, IntegrityError) and collisions < COLLISIONS_MOST:
                    collisions += 1
                    stop.wait(wait_s)
                    continue
                # A fault in one message must not stop all others: each on its own, the guilty one is kept aside.
                log.exception("mqtt: a batch of %d cannot be stored; trying its messages one by one", len(batch))
                if len(batch) == 1:
                    self._set_aside(batch[0], stop)
                else:
                    for held in batch:
                        self._store([held], stop)
                return
            self.counters.failing = False
            self._acknowledge(batch)
            self._mail.add(result, time.monotonic())
            self._tell()
            self.counters.add(len(batch), result)
            if self._after_commit is not None:
                self._after_commit(result)
            return

    def _commit(self, batch: list[Held]) -> BatchResult:
        with transaction() as session:
            session.expunge_all()
            return store_batch(session, [held.incoming for held in batch], now=clock.now())

    def _set_aside(self, held: Held, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                with transaction() as session:
                    session.expunge_all()
                    bury_unstorable(session, held.incoming, now=clock.now())
            except DBAPIError as error:
                self._failing(error)
                stop.wait(RETRY_FIRST_S)
            else:
                self._acknowledge([held])
                self.counters.messages += 1
                return

    def _failing(self, error: Exception) -> None:
        if not self.counters.failing:
            log.error("mqtt: the database does not take readings: %s", type(error).__name__)
        self.counters.failing = True

    def _acknowledge(self, batch: list[Held]) -> None:
        self._client.ack_all(held.mid for held in batch if held.qos > 0 and held.connection == self._connection)

    def _tell(self, *, everything: bool = False) -> None:
        """Send the receipts and requests that are due."""
        now_s = time.monotonic()
        for receipt in self._mail.receipts(now_s, all_of_them=everything):
            self._send(topics.receipt(receipt.device), receipt.body())
        if self._waiting() >= BATCH_MESSAGES:
            return  # what is missing stands in the queue, most likely: to ask for it would only make it longer
        for request in self._mail.requests(now_s):
            self._send(topics.request(request.device), request.body())

    def _waiting(self) -> int:
        """Messages taken from the broker and not yet stored."""
        return max(0, self._taken - self.counters.messages)

    def _send(self, topic: str, body: dict[str, Any]) -> None:
        with suppress(ValueError):  # a device code that is no topic level
            self._client.publish(topic, msgspec.json.encode(body), qos=1)

    def _beat(self, *, force: bool = False) -> None:
        """Tell the pages how it goes, in real time; a database that is away cannot be told."""
        now = time.monotonic()
        if now < self._next_beat and not force:
            return
        self._next_beat = now + BEAT_EVERY_S
        if not self._name_is_mine():
            # Two clients of one name would throw each other out for ever.
            log.error("mqtt: another process listens under the name %s; this one stops", self.name)
            self.name_lost = True
            return
        waiting = self._waiting()
        self.counters.full = waiting >= IN_FLIGHT - BATCH_MESSAGES
        with suppress(DBAPIError, Unavailable), transaction() as session:
            beat(session, self.name, self.counters, connected=self._connected.is_set(), waiting=waiting)
            self._follow(routes.filters(session))

    def _follow(self, patterns: list[str]) -> None:
        """Listen where the register says that devices publish."""
        wanted = frozenset(topics.shared(pattern, self._group) for pattern in patterns)
        before, self._foreign = self._foreign, wanted
        for pattern in wanted - before:
            self._client.subscribe(pattern, qos=1)
        for pattern in before - wanted:
            self._client.unsubscribe(pattern)


def few_collections() -> None:
    """What was loaded is never looked through for garbage again, and what a batch makes only when it is much: looking
    through it costs a fifth of the work otherwise, and none of it is in cycles."""
    keep_loaded()
    gc.set_threshold(_COLLECT_AFTER)


@dataclass(frozen=True, slots=True)
class _Address:
    host: str
    port: int
    tls: bool
    username: str | None
    password: str | None

    @classmethod
    def of(cls, url: str) -> _Address:
        """``mqtt://[user:password@]host[:port]`` or ``mqtts://…``."""
        parts = urlsplit(url)
        tls = parts.scheme == "mqtts"
        return cls(
            parts.hostname or "127.0.0.1",
            parts.port or (8883 if tls else 1883),
            tls,
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
        )

    @property
    def shown(self) -> str:
        return f"{self.host}:{self.port}"


def run(
    app: Flask,
    url: str,
    *,
    share_group: str | None = None,
    name: str | None = None,
    ca_file: Path | None = None,
    name_is_mine: Callable[[], bool] = lambda: True,
    stop: threading.Event | None = None,
) -> bool:
    """Ingest until ``stop`` is set or the process is interrupted. True when it ended because ``name_is_mine`` said no:
    somebody else has its name, and a new process should take another.

    ``ca_file``: the authority of a broker's certificate that is none of the public ones. ``name`` is who this
    process is for the broker: it must stay the same over restarts and differ between processes. Without one: "1"
    alone, the host's name in a share group.
    """
    stop = stop or threading.Event()
    few_collections()
    name = name or (socket.gethostname() if share_group else "1")
    with app.app_context():
        ingest = Ingest(url, name=name, share_group=share_group, ca_file=ca_file, name_is_mine=name_is_mine)
        try:
            ingest.run(stop)
        except KeyboardInterrupt:
            log.info("mqtt: stopped")
    return ingest.name_lost
