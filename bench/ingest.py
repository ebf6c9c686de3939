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

from bench import ingest_more as more
from bench import ingest_world as w
from bench.acts import verdict
from bench.cpu import used_s
from bench.ingest_clients import Count, listening
from tests.servers import MOSQUITTO_CONF, find_program, mosquitto, postgresql
from web.settings import Settings

LOGGERS = 40
GOAL_ONE, LEAST_ONE = 0.60, 0.50
GOAL_TWO, LEAST_TWO = 0.90, 0.75
GOAL_LOOP = 3.0
GOAL_UNNEST = 0.70
GOAL_BREACH_S = 1.0
GOAL_CHART_S = 0.150
SIXTY = 60
WATCHED = 100
HALF_OTHERWISE = 3_000.0
KINDS = ("bare", "loop", "one", "two")
PARTS = (*KINDS, "sixty", "breach", "chart")
NAMES = {
    "bare": "bare paho client", "loop": "INSERT and COMMIT a message", "one": "labrelay ingest, one process",
    "two": "labrelay ingest, two processes",
}  # fmt: skip
# safe: Mosquitto writes its whole snapshot at each change, and that is what is measured then. fast: every 30 s.
BROKERS = {
    "safe": MOSQUITTO_CONF,
    "fast": MOSQUITTO_CONF.replace("autosave_on_changes true\nautosave_interval 1\n", "autosave_interval 30\n"),
}
LONGEST_S = 240.0


class Load:
    """Publishes messages whose numbers go on from round to round."""

    def __init__(self, folder: str, mqtt_url: str) -> None:
        self._folder = Path(folder)
        self._address = urlsplit(mqtt_url)
        self._next: dict[str, int] = {}
        self.cpu_us: dict[str, float] = {}
        self.files: list[Path] = []
        self._program = find_program("mosquitto_pub", "mosquitto-clients")

    def run(self, counts: Sequence[Count], prefix: str, each: int, readings: int = 1) -> float:
        """Messages a second, from the begin of publishing until all are done with."""
        first = self._next.get(prefix, 1)
        self._next[prefix] = first + each
        files = list(w.lines(self._folder, prefix, LOGGERS, each, first, readings))
        before = sum(count.done.value for count in counts)
        spent = used_s()
        began = time.monotonic()
        publishers = [self._publish(topic, path) for topic, path in files]
        wanted = before + LOGGERS * each
        while sum(count.done.value for count in counts) < wanted:
            if time.monotonic() - began > LONGEST_S:
                raise RuntimeError(f"{sum(c.done.value for c in counts) - before} of {LOGGERS * each} messages came")
            time.sleep(0.005)
        elapsed_s = max(count.at.value for count in counts) - began
        for publisher in publishers:
            publisher.wait(30)
        self.files = [path for _, path in files]
        self.cpu_us = {
            name: (seconds - spent[name]) / (LOGGERS * each) * 1e6 for name, seconds in used_s().items() if seconds
        }
        return LOGGERS * each / elapsed_s

    def _publish(self, topic: str, path: Path) -> subprocess.Popen[bytes]:
        where = ["-h", str(self._address.hostname), "-p", str(self._address.port)]
        command = [self._program, *where, "-q", "1", "-t", topic, "-l"]
        with path.open("rb") as source:
            return subprocess.Popen(command, stdin=source)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--messages", type=int, default=40_000, help="messages in a round")
    options.add_argument("--broker", choices=BROKERS, default="fast", help="how the broker writes its snapshot")
    options.add_argument("--only", default=",".join(PARTS), help="what to measure")
    asked = options.parse_args()
    parts = asked.only.split(",")
    with (
        tempfile.TemporaryDirectory() as folder,
        postgresql(durable=True) as url,
        mosquitto(BROKERS[asked.broker]) as broker,
    ):
        settings = w.settings_for(url, folder, broker)
        w.prepare(settings, {"LG": LOGGERS, "LC": LOGGERS, "LS": LOGGERS, "LX": 1}, WATCHED if "breach" in parts else 0)
        load = Load(folder, broker)
        rates = single(settings, load, asked.rounds, asked.messages // LOGGERS, [p for p in parts if p in KINDS])
        if "sixty" in parts:
            sixty(settings, load, asked.rounds, max(1, asked.messages // LOGGERS // 40))
        if "breach" in parts:
            breach(settings, statistics.median(rates["one"]) / 2 if "one" in rates else HALF_OTHERWISE)
        if "chart" in parts:
            found, points = more.month_chart(settings)
            seconds, slow_s = found.percentile_s(0.5), found.percentile_s(0.95)
            verdict(f"chart of {more.MONTH_MINUTES:,} points over HTTP ({points:,} drawn)", f"{seconds * 1000:.0f} ms",
                    "≤ 150 ms", seconds <= GOAL_CHART_S)  # fmt: skip
            print(f"  p95 there {slow_s * 1000:.0f} ms")


def single(settings: Settings, load: Load, rounds: int, each: int, kinds: list[str]) -> dict[str, list[float]]:
    """One reading a message: rates by kind of listener."""
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    spent: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    for number in range(1, rounds + 1):
        for kind in kinds:
            listener = {"one": "ingest", "two": "ingest"}.get(kind, kind)
            some = max(1, each // 5) if kind == "loop" else each
            with listening(listener, settings, 2 if kind == "two" else 1) as counts:
                load.run(counts, "LG", max(1, some // 20))  # what is prepared at the first use is no part of the rate
                rates[kind].append(load.run(counts, "LG", some))
                spent[kind].append(load.cpu_us)
        if kinds:
            print(f"round {number}: " + ", ".join(f"{kind} {rates[kind][-1]:,.0f}/s" for kind in kinds), flush=True)
    print()
    for kind, found in rates.items():
        print(f"{NAMES[kind]:<32} {statistics.median(found):8,.0f} messages/s   processor µs a message: "
              + where(spent[kind]))  # fmt: skip
    judge(rates)
    return rates


def where(spent: list[dict[str, float]]) -> str:
    names = sorted({name for one in spent for name in one})
    middle = {name: statistics.median(one.get(name, 0.0) for one in spent) for name in names}
    return ", ".join(f"{name} {us:.0f}" for name, us in middle.items() if us >= 1)


def judge(rates: dict[str, list[float]]) -> None:
    def ratio(kind: str, base: str) -> float:
        return statistics.median(a / b for a, b in zip(rates[kind], rates[base], strict=True))

    if {"bare", "one"} <= rates.keys():
        share = ratio("one", "bare")
        verdict("one process / bare client", f"{share:.0%}", "≥ 60 % (never under 50 %)", share >= GOAL_ONE)
    if {"bare", "two"} <= rates.keys():
        share = ratio("two", "bare")
        verdict("two processes / bare client", f"{share:.0%}", "≥ 90 % (never under 75 %)", share >= GOAL_TWO)
    if {"loop", "one"} <= rates.keys():
        gain = ratio("one", "loop")
        verdict("one process / INSERT+COMMIT loop", f"{gain:.1f} ×", "≥ 3 ×", gain >= GOAL_LOOP)


def sixty(settings: Settings, load: Load, rounds: int, each: int) -> None:
    """Messages of 60 readings, against an unnest of the same rows that were parsed beforehand."""
    ours, bare = [], []
    for number in range(1, rounds + 1):
        with listening("ingest", settings) as counts:
            load.run(counts, "LC", 1, SIXTY)
            ours.append(load.run(counts, "LC", each, SIXTY) * SIXTY)
        bare.append(more.bare_unnest(settings, load.files))
        print(f"round {number}: unnest {bare[-1]:,.0f} rows/s, messages of {SIXTY} {ours[-1]:,.0f} rows/s", flush=True)
    share = statistics.median(a / b for a, b in zip(ours, bare, strict=True))
    verdict(f"messages of {SIXTY} / bare unnest", f"{share:.0%}", "≥ 70 %", share >= GOAL_UNNEST)


def breach(settings: Settings, rate: float) -> None:
    with listening("ingest", settings):
        found = more.breaches(settings, LOGGERS, WATCHED, rate)
    p99_s = found[min(len(found) - 1, int(len(found) * 0.99))]
    verdict(f"breach to stored alert at {rate:,.0f} messages/s, p99 of {len(found)}", f"{p99_s * 1000:.0f} ms", "≤ 1 s",
            p99_s <= GOAL_BREACH_S)  # fmt: skip
    print(f"  p50 there {found[len(found) // 2] * 1000:.0f} ms")


if __name__ == "__main__":
    main()
