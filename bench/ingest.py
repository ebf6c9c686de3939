"""How fast readings become rows, against clients that do less; side by side in one run.

``python -m bench.ingest`` starts PostgreSQL (every commit synced) and Mosquitto, publishes with ``mosquitto_pub -l``
(one process a logger, QoS 1) and lets listen, each in a process of its own: a bare paho client that parses and
acknowledges, a loop of one INSERT and COMMIT a message, and Labrelay's ingest with excursion detection, once and
twice. Rounds alternate, so that what else the machine does falls on all of them. ``--rounds`` and ``--messages``
change how long it takes.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from bench import ingest_world as w
from bench.acts import verdict
from bench.ingest_clients import Count, listening
from tests.servers import find_program, mosquitto, postgresql
import os
from web.settings import Settings

LOGGERS = 40
GOAL_ONE, LEAST_ONE = 0.60, 0.50
GOAL_TWO, LEAST_TWO = 0.90, 0.75
GOAL_LOOP = 3.0
GOAL_UNNEST = 0.70
LONGEST_S = 240.0


class Load:
    """Publishes messages whose numbers go on from round to round."""

    def __init__(self, folder: str, mqtt_url: str) -> None:
        self._folder = Path(folder)
        self._address = urlsplit(mqtt_url)
        self._next: dict[str, int] = {}
        self._program = find_program("mosquitto_pub", "mosquitto-clients")

    def run(self, counts: Sequence[Count], prefix: str, each: int, readings: int = 1) -> float:
        """Messages a second, from the begin of publishing until all are done with."""
        first = self._next.get(prefix, 1)
        self._next[prefix] = first + each
        files = list(w.lines(self._folder, prefix, LOGGERS, each, first, readings))
        before = sum(count.done.value for count in counts)
        began = time.monotonic()
        publishers = [self._publish(topic, path) for topic, path in files]
        wanted = before + LOGGERS * each
        while sum(count.done.value for count in counts) < wanted:
            if time.monotonic() - began > LONGEST_S:
                raise RuntimeError(f"{sum(c.done.value for c in counts) - before} of {LOGGERS * each} messages came")
            time.sleep(0.005)
        elapsed_s = max(count.at.value for count in counts) - began
        for publisher, (_, path) in zip(publishers, files, strict=True):
            publisher.wait(30)
            path.unlink()
        return LOGGERS * each / elapsed_s

    def _publish(self, topic: str, path: Path) -> subprocess.Popen[bytes]:
        command = [
            self._program, "-h", str(self._address.hostname), "-p", str(self._address.port), "-q", "1", "-t", topic, "-l",
        ]  # fmt: skip
        with path.open("rb") as source:
            return subprocess.Popen(command, stdin=source)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--messages", type=int, default=40_000, help="messages in a round")
    options.add_argument("--only", default="bare,loop,one,two", help="what to measure")
    asked = options.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        postgresql(durable=True) as url,
        mosquitto(
            os.environ.get("CONF")
            and open(os.environ["CONF"]).read()
            or __import__("tests.servers").servers.MOSQUITTO_CONF
        ) as broker,
    ):
        settings = w.settings_for(url, folder, broker)
        w.prepare(settings, {"LG": LOGGERS, "LC": LOGGERS})
        single(settings, Load(folder, broker), asked.rounds, asked.messages // LOGGERS, asked.only.split(","))


def single(settings: Settings, load: Load, rounds: int, each: int, kinds: list[str]) -> None:
    """One reading a message."""
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(1, rounds + 1):
        for kind in kinds:
            listener = {"one": "ingest", "two": "ingest"}.get(kind, kind)
            some = max(1, each // 5) if kind == "loop" else each
            with listening(listener, settings, 2 if kind == "two" else 1) as counts:
                rates[kind].append(load.run(counts, "LG", some))
        print(f"round {number}: " + ", ".join(f"{kind} {rates[kind][-1]:,.0f}/s" for kind in kinds), flush=True)
    print()
    middle = {kind: statistics.median(found) for kind, found in rates.items()}
    for kind, rate in middle.items():
        print(f"{kind:<10} {rate:8,.0f} messages/s")

    def ratio(kind: str, base: str) -> float:
        return statistics.median(a / b for a, b in zip(rates[kind], rates[base], strict=True))

    if "bare" in kinds and "one" in kinds:
        share = ratio("one", "bare")
        verdict("one process / bare client", f"{share:.0%}", "≥ 60 % (never under 50 %)", share >= GOAL_ONE)
    if "bare" in kinds and "two" in kinds:
        share = ratio("two", "bare")
        verdict("two processes / bare client", f"{share:.0%}", "≥ 90 % (never under 75 %)", share >= GOAL_TWO)
    if "loop" in kinds and "one" in kinds:
        gain = ratio("one", "loop")
        verdict("one process / INSERT+COMMIT loop", f"{gain:.1f} ×", "≥ 3 ×", gain >= GOAL_LOOP)


if __name__ == "__main__":
    main()
