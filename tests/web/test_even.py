"""Connections that come at once are spread over the workers, whatever becomes of one of them."""

from __future__ import annotations

import http.client
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.servers import accepts, free_port
from web.even import Counts
from web.serve import Server
from web.settings import Settings

WORKERS = 2


class WhoAnswers(Server):
    """The server as Labrelay starts it; the application only says which process answers."""

    def load(self) -> Any:
        app = Flask(__name__)
        app.add_url_rule("/", "pid", lambda: str(os.getpid()))
        return app


def _serve(settings: Settings) -> None:
    os.setsid()
    WhoAnswers(settings).run()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    made = Settings.from_env({"LABRELAY_VAR_DIR": str(tmp_path), "LABRELAY_LOG_LEVEL": "ERROR"})
    settings = replace(made, http_workers=WORKERS, port=free_port())
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(settings,))
    process.start()
    try:
        while not accepts(settings.port):
            assert process.is_alive()
            time.sleep(0.02)
        everybody(settings.port)
        yield settings.port
    finally:
        process.terminate()
        process.join(20)


def ask(connection: http.client.HTTPConnection) -> int:
    connection.request("GET", "/")
    return int(connection.getresponse().read())


def everybody(port: int) -> list[int]:
    """The workers, once all of them answer."""
    for _ in range(500):
        found = kept(port, WORKERS)
        if len(found) == WORKERS:
            return sorted(found)
        time.sleep(0.02)
    raise AssertionError("not all workers answer")


def kept(port: int, count: int) -> Counter[int]:
    """Who answers on so many connections that stay open, opened one right after the other."""
    connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=20) for _ in range(count)]
    try:
        for one in connections:
            one.connect()
        return Counter(map(ask, connections))
    finally:
        for one in connections:
            one.close()


def settled(port: int, count: int) -> bool:
    """Whether, of some tries, one is spread evenly: connections of the try before may not be gone yet."""
    return any(max(kept(port, count).values()) == count // WORKERS for _ in range(5))


def test_connections_at_once_are_shared_evenly(port: int) -> None:
    """Of eight phones that come together four are served by each of two workers."""
    assert settled(port, 8)


def test_a_stuck_worker_holds_nobody_up(port: int) -> None:
    """A worker that does not move has fewer connections than the other, and still the other takes what comes."""
    stuck, other = everybody(port)
    os.kill(stuck, signal.SIGSTOP)
    try:
        assert kept(port, 6) == {other: 6}
    finally:
        os.kill(stuck, signal.SIGCONT)


def test_a_worker_that_died_is_not_counted(port: int) -> None:
    """Its successor has its place and its share."""
    dead, other = everybody(port)
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as held:
        ask(held)
        os.kill(dead, signal.SIGKILL)
        while dead in (now := everybody(port)):
            time.sleep(0.02)
        assert other in now
        assert len(now) == WORKERS
    assert settled(port, 8)


def test_a_place_is_given_once_and_again_when_it_is_free() -> None:
    """With more workers than places (one is being replaced) the last has none."""
    counts = Counts(2)
    assert counts.fewest() == 0
    assert counts.free() == 0
    counts.set(0, 3)
    assert counts.free() == 1
    counts.set(1, 5)
    assert counts.free() is None
    assert counts.fewest() == 3
    counts.give_back(0)
    assert counts.free() == 0
    assert counts.fewest() == 5
