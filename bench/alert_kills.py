"""Kills of the alert worker before and after it sends (part of bench/faults.py).

Real workers (``labrelay worker --beat``) deliver alerts to a web address whose ledger is fsynced before it answers. The
address itself kills the worker at the moment that is asked for: *before*, as soon as the worker connects and before a
byte of the message is read; *after*, when the message stands in the ledger and before the worker hears of it. A new
worker is started at once, as ``labrelay up`` and compose do.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask

from bench import ingest_world as w
from bench.acts import verdict
from logistics.clock import now, wall_now
from logistics.db import db
from logistics.models import Channel
from logistics.services import alerts
from tests import factories as f
from tests import servers
from web.settings import Settings

BEFORE, AFTER = "before", "after"
# Each incident goes to every channel. Messages follow slowly enough that a channel never has four waiting (they would
# go out as one) and never twenty in a minute, and so many lie between two kills that one repetition for each kill
# after sending, which cannot be helped, stays under SHARE.
CHANNELS, EVERY_S = 200, 12.0
BETWEEN = 620
REDELIVERED_S = 60.0
PATIENCE_S = 240.0
SHARE = 0.001


class Running:
    """Seconds in which this machine let us run: what was stopped for others' measurements does not count."""

    def __init__(self) -> None:
        self._seconds, self.stopped = 0.0, 0.0
        self._last = time.monotonic()
        threading.Thread(target=self._tick, daemon=True).start()

    def _tick(self) -> None:
        while True:
            time.sleep(0.05)
            now_s = time.monotonic()
            passed, self._last = now_s - self._last, now_s
            self._seconds += min(passed, 1.0)
            self.stopped += max(0.0, passed - 1.0)

    def __call__(self) -> float:
        return self._seconds


class Endpoint:
    """The web address: a ledger line ``seconds id`` for each message, fsynced before the answer."""

    def __init__(self, ledger: Path) -> None:
        self.clock = Running()
        self._file = ledger.open("a", encoding="ascii")
        self._lock = threading.Lock()
        self._aim: str | None = None
        self._victim: subprocess.Popen[bytes] | None = None
        self.killed = threading.Event()
        self.taken = 0

    def aim(self, moment: str, victim: subprocess.Popen[bytes]) -> None:
        """Kill ``victim`` at the next message."""
        self.killed.clear()
        with self._lock:
            self._aim, self._victim = moment, victim

    def disarm(self) -> None:
        with self._lock:
            self._aim = None

    def moment(self, moment: str) -> bool:
        """Called at each moment of each message; True when the worker was killed at it."""
        with self._lock:
            if self._aim != moment or self._victim is None:
                return False
            os.kill(self._victim.pid, signal.SIGKILL)
            self._aim = None
        self.killed.set()
        return True

    def keep(self, dedup_id: str) -> None:
        self.taken += 1
        with self._lock:
            self._file.write(f"{self.clock():.3f} {dedup_id}\n")
            self._file.flush()
            os.fsync(self._file.fileno())


@contextmanager
def served(endpoint: Endpoint) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            if not endpoint.moment(BEFORE):
                super().handle()

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            endpoint.keep(body["id"])
            if not endpoint.moment(AFTER):
                self.send_response(200)
                self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with servers.serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield f"http://127.0.0.1:{port}"


@dataclass
class Found:
    """What the kills left behind. ``dead``: (moment, when, ids that the killed worker had taken and not marked)."""

    dead: list[tuple[str, float, set[str]]] = field(default_factory=list)
    missed: int = 0


def alert_kills(settings: Settings, app: Flask, folder: Path, count: int, seed: int = 1) -> bool:
    """Kill ``count`` times before and ``count`` times after sending; print the verdicts. True when all are met."""
    ledger = folder / "alerts.ledger"
    endpoint, found = Endpoint(ledger), Found()
    order = [BEFORE, AFTER] * count
    random.Random(seed).shuffle(order)
    stop = threading.Event()
    with served(endpoint) as url:
        _channels(app, url)
        raiser = threading.Thread(target=_raise, args=(app, stop), daemon=True)
        worker = _worker(settings, folder)
        raiser.start()
        try:
            for moment in order:
                worker = _kill(settings, folder, endpoint, worker, moment, found)
            stop.set()
            raiser.join(30)
            _drain(settings)
        finally:
            stop.set()
            servers.stop(worker, wait_s=2.0)
            met = settle(settings, ledger, found, count)
            print(f"  stopped for {endpoint.clock.stopped:.0f} s meanwhile, which do not count")
    return met


def _kill(
    settings: Settings, folder: Path, endpoint: Endpoint, worker: subprocess.Popen[bytes], moment: str, found: Found
) -> subprocess.Popen[bytes]:
    begin, first = endpoint.clock(), endpoint.taken
    while endpoint.taken < first + BETWEEN and endpoint.clock() - begin < PATIENCE_S:
        time.sleep(0.05)
    endpoint.aim(moment, worker)
    if not endpoint.killed.wait(PATIENCE_S):
        endpoint.disarm()
        found.missed += 1
        return worker
    at = endpoint.clock()
    worker.wait(10)
    with _connect(settings) as connection:
        rows = connection.execute(
            "SELECT dedup_id FROM delivery WHERE state = 'waiting' AND lease_until > %s", [wall_now()]
        ).fetchall()
    dead = {row[0] for row in rows} - {one for _, _, ids in found.dead for one in ids if at - _at(found, one) < 1}
    found.dead.append((moment, at, dead))
    print(f"  killed {moment} sending, {len(dead)} under way", flush=True)
    return _worker(settings, folder)


def _at(found: Found, dedup_id: str) -> float:
    return max(at for _, at, ids in found.dead if dedup_id in ids)


def _worker(settings: Settings, folder: Path) -> subprocess.Popen[bytes]:
    environ = os.environ | {
        "LABRELAY_VAR_DIR": str(settings.var_dir),
        "LABRELAY_DATABASE_URL": settings.database_url,
        "LABRELAY_SECRET_KEY": settings.secret_key,
        "LABRELAY_ALERT_ALLOWED_HOSTS": "127.0.0.1",
        "LABRELAY_LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "web.cli", "worker", "--beat"]
    return servers.start(command, log=folder / "worker.log", env=environ)


def _channels(app: Flask, url: str) -> None:
    with app.app_context():
        session = db.session()
        for number in range(CHANNELS):
            session.add(Channel(name=f"bench {number}", kind="http", site_code=f.COUNTY, config={"url": f"{url}/h"}))
        session.commit()
        db.session.remove()


def _raise(app: Flask, stop: threading.Event) -> None:
    """A new incident every now and then, until told to stop."""
    number = 0
    while not stop.wait(EVERY_S if number else 0):
        number += 1
        with app.app_context():
            session = db.session()
            alerts.raise_alert(
                session, kind="excursion", severity="critical", site_code=f.COUNTY, origin_code=f.TOWN,
                box_code="BX-C", incident_key=f"bench:{number}", occurred_at=now(), now=now(),
                params={
                    "box": "BX-C", "side": "upper", "value_c": 11.2, "limit_c": 8.0, "minutes": 40,
                    "rule": "above_8_for_30",
                },
            )  # fmt: skip
            session.commit()
            db.session.remove()


def _drain(settings: Settings) -> None:
    """Until nothing waits any more, or nothing was sent for longer than a redelivery may take."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 2 * REDELIVERED_S:
        with _connect(settings) as connection:
            row = connection.execute("SELECT count(*) FROM delivery WHERE state = 'waiting'").fetchone()
        waiting = row[0] if row else 0
        if waiting == 0:
            return
        if waiting != last:
            last, since = waiting, time.monotonic()
        time.sleep(0.5)


def _connect(settings: Settings) -> psycopg.Connection:
    return psycopg.connect(settings.database_url.replace("+psycopg", ""))


def settle(settings: Settings, ledger: Path, found: Found, count: int) -> bool:
    """Compare the ledger with the outbox. A row that went out in another's message counts with that."""
    taken: dict[str, list[float]] = {}
    for line in ledger.read_text(encoding="ascii").splitlines():
        at, dedup_id = line.split(" ")
        taken.setdefault(dedup_id, []).append(float(at))
    with _connect(settings) as connection:
        rows = connection.execute(
            "SELECT own.dedup_id, coalesce(lead.dedup_id, own.dedup_id), own.state FROM delivery own"
            " LEFT JOIN delivery lead ON lead.id = own.batch_id"
        ).fetchall()
    told = {own: lead for own, lead, _ in rows}
    states = Counter(state for _, _, state in rows)
    waiting = sum(state == "waiting" and lead not in taken for _, lead, state in rows)
    missing = sum(lead not in taken for lead in told.values()) - waiting
    repeated = sum(len(taken.get(lead, ())) > 1 for lead in told.values())
    strange = taken.keys() - set(told.values())
    sent, moments = len(told), Counter(moment for moment, _, _ in found.dead)
    print(f"kill -9 of the alert worker: {moments[BEFORE]} before, {moments[AFTER]} after sending"
          + (f", {found.missed} could not be aimed" if found.missed else "")
          + f"; {sent:,} alerts to {CHANNELS} channels, at the end {dict(states)}")  # fmt: skip
    complete = moments[BEFORE] == moments[AFTER] == count
    once = missing + waiting == 0 and not strange and sent > 0 and complete
    measured = f"{sent - missing - waiting:,} of {sent:,}, {missing} lost, {waiting} still wait to be sent"
    verdict("alerts that arrived at least once", measured, "all", once)
    share = repeated / max(1, sent)
    verdict(
        "alerts that arrived twice, with the same id", f"{repeated} ({share:.2%})", f"≤ {SHARE:.1%}", share <= SHARE
    )
    beside = repeated - sum(len(told_by(told, ids)) for moment, _, ids in found.dead if moment == AFTER)
    print(f"  each kill after sending must repeat what was under way: {max(0, beside)} beyond those; "
          f"{moments[AFTER] / SHARE:,.0f} alerts would be needed for {SHARE:.1%}")  # fmt: skip
    waits = _waits(found, taken, told)
    slowest = max(waits, default=float("inf"))
    soon = slowest <= REDELIVERED_S
    verdict("redelivery after a kill", f"at most {slowest:.1f} s of {len(waits)}", f"≤ {REDELIVERED_S:.0f} s", soon)
    return once and share <= SHARE and soon


def told_by(told: dict[str, str], ids: set[str]) -> set[str]:
    """The rows that went out in the messages of ``ids``."""
    return {own for own, lead in told.items() if lead in ids}


def _waits(found: Found, taken: dict[str, list[float]], told: dict[str, str]) -> list[float]:
    """Seconds from a kill until what the worker had under way came (again); infinite when it never did."""
    waits = []
    for _, at, ids in found.dead:
        for one in ids:
            later = [came - at for came in taken.get(told.get(one, one), ()) if came > at]
            waits.append(min(later, default=float("inf")))
    return waits


def run(count: int, seed: int, url: str, folder: str) -> bool:
    """The part alone: a database of its own with the bench's people."""
    from web.app import create_app

    settings = w.settings_for(url, folder)
    w.prepare(settings, {})
    return alert_kills(settings, create_app(settings), Path(folder), count, seed)
