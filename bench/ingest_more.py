"""The parts of bench/ingest.py that are not about single readings: messages of 60, breaches, a month's chart."""

from __future__ import annotations

import json
import random
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import httpx
import paho.mqtt.client as paho
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from bench import ingest_world as w
from bench import load
from bench.acts import server
from bench.pages import Reader
from logistics.clock import wall_now
from telemetry import topics
from tests import factories as f
from tests.servers import find_program
from web.settings import Settings

UNNEST_ROWS = 3_000
MONTH_MINUTES = 43_200
HOT_C = 30.0
POLL_S = 0.01
WARM, ASKED = 10, 40
_UNNEST = """
    INSERT INTO bare_reading (device_code, probe, at, temp_c, battery_pct, recorded_at)
    SELECT *, now() FROM unnest(%s::text[], %s::smallint[], %s::timestamptz[], %s::float8[], %s::float8[])
    ON CONFLICT DO NOTHING
"""


def connect(settings: Settings) -> psycopg.Connection:
    return psycopg.connect(settings.database_url.replace("+psycopg", ""))


def bare_unnest(settings: Settings, files: Sequence[Path]) -> float:
    """Rows a second when the rows of these messages, parsed beforehand, go into a table like ours by themselves."""
    rows = []
    for number, path in enumerate(files):
        for line in path.read_bytes().splitlines():
            for one in json.loads(line)["readings"]:
                at = datetime.fromisoformat(one["at"])
                rows.append((f"LC-{number:03d}", one["probe"], at, one["temp_c"], float(one["battery_pct"])))
    rows.sort()
    with connect(settings) as connection:
        connection.execute("DROP TABLE IF EXISTS bare_reading")
        connection.execute("CREATE TABLE bare_reading (LIKE reading INCLUDING ALL)")
        connection.commit()
        began = time.monotonic()
        for begin in range(0, len(rows), UNNEST_ROWS):
            columns = [list(column) for column in zip(*rows[begin : begin + UNNEST_ROWS], strict=True)]
            connection.execute(_UNNEST, columns)
            connection.commit()
        return len(rows) / (time.monotonic() - began)


def breaches(settings: Settings, loggers: int, watched: int, rate: float) -> list[float]:
    """Seconds from publishing a hot reading to its alert in the database, one for each watched logger, while ordinary
    readings come at ``rate`` a second."""
    address = urlsplit(settings.mqtt_url or "")
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bench-breaches")
    client.connect(str(address.hostname), address.port or 1883)
    client.loop_start()
    sent: dict[str, float] = {}
    seen: dict[str, float] = {}
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(settings, seen, watched, stop))
    watcher.start()
    try:
        with steady(settings, loggers, rate):
            time.sleep(2)
            for number in range(watched):
                time.sleep(random.Random(number).uniform(0.02, 0.1))
                body = {"readings": [{"at": wall_now().isoformat(), "temp_c": HOT_C}]}
                sent[f"BX-LB-{number:03d}"] = time.monotonic()
                client.publish(topics.readings(f"LB-{number:03d}"), json.dumps(body), qos=1)
            watcher.join(60)
    finally:
        stop.set()
        client.disconnect()
        client.loop_stop()
    if len(seen) < watched:
        raise RuntimeError(f"{len(seen)} of {watched} breaches raised an alert")
    return sorted(seen[box] - sent[box] for box in sent)


def _watch(settings: Settings, seen: dict[str, float], wanted: int, stop: threading.Event) -> None:
    with connect(settings) as connection:
        connection.autocommit = True
        while len(seen) < wanted and not stop.is_set():
            for (box,) in connection.execute("SELECT box_code FROM alert WHERE kind = 'excursion'"):
                seen.setdefault(box, time.monotonic())
            time.sleep(POLL_S)


@contextmanager
def steady(settings: Settings, loggers: int, rate: float) -> Iterator[None]:
    """mosquitto_pub -l for each logger, fed at this many messages a second in all, until the block ends."""
    program, address = find_program("mosquitto_pub", "mosquitto-clients"), urlsplit(settings.mqtt_url or "")
    base = [program, "-h", str(address.hostname), "-p", str(address.port), "-q", "1", "-l", "-t"]
    pipes = [
        subprocess.Popen([*base, topics.readings(f"LS-{number:03d}")], stdin=subprocess.PIPE, bufsize=0)
        for number in range(loggers)
    ]
    stop = threading.Event()
    feeder = threading.Thread(target=_feed, args=(pipes, rate, stop))
    feeder.start()
    try:
        yield
    finally:
        stop.set()
        feeder.join()
        for pipe in pipes:
            assert pipe.stdin is not None
            pipe.stdin.close()
            pipe.wait(30)


def _feed(pipes: Sequence[subprocess.Popen[bytes]], rate: float, stop: threading.Event) -> None:
    begin = wall_now().replace(microsecond=0) - w.BEGIN + timedelta(hours=1)
    began, sent, seq = time.monotonic(), 0, 1
    while not stop.is_set():
        due = int((time.monotonic() - began) * rate)
        each = (due - sent) // len(pipes)
        if each > 0:
            block = b"".join(w.payload(seq + place, begin) + b"\n" for place in range(each))
            seq += each
            sent += each * len(pipes)
            for pipe in pipes:
                assert pipe.stdin is not None
                pipe.stdin.write(block)
        time.sleep(0.02)


def month_chart(settings: Settings) -> tuple[load.Result, int]:
    """Ask for a month of a box, minute by minute, as its chart's script does over HTTP; (answers, points drawn)."""
    end = wall_now()
    begin = end - timedelta(minutes=MONTH_MINUTES + 1)
    with connect(settings) as connection:
        connection.execute(
            "INSERT INTO reading (device_code, probe, at, temp_c, recorded_at)"
            " SELECT 'LX-000', 1, %s::timestamptz - n * interval '1 minute', 4 + n %% 30 / 10.0, now()"
            " FROM generate_series(1, %s) n ON CONFLICT DO NOTHING",
            (end, MONTH_MINUTES),
        )
        connection.commit()
        connection.execute("ANALYZE reading")
    path = "/api/v1/boxes/BX-LX-000/temperatures?" + urlencode({"from": begin.isoformat(), "to": end.isoformat()})
    with server(settings, "acts") as port:
        reader = Reader(port, "nurse", f.PASSWORD)
        asked = reader.page(path, b'"LX-000"')
        load.run(port, [[asked] * WARM])
        found = load.run(port, [[asked] * ASKED])
        body = httpx.get(f"http://127.0.0.1:{port}{path}", headers={"Cookie": reader.cookie}).json()
    if found.wrong or body["series"][0]["count"] < MONTH_MINUTES:
        raise RuntimeError(f"the chart was not answered: {found.wrong[:1]}")
    return found, len(body["series"][0]["at"])
