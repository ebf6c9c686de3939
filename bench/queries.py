"""What pages cost as the record grows: journeys, worklists and searches at 10,000 tubes and at a million.

``python -m bench.queries`` starts PostgreSQL (every commit synced), records two days of the network through the
service, asks for pages over HTTP (gunicorn, 2 workers, load from another process), copies days until there are a
million tubes (ten million events), and asks for the same pages again. Then it signs every day and times ``labrelay
verify`` over all of it. ``--specimens`` and ``--requests`` change how long it takes.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg

from bench import history, history_world
from bench.acts import checked, server, verdict
from bench.history_world import NOW, TODAY, History
from bench.load import Request, Result, run
from bench.pages import Reader
from logistics.clock import SharedClock
from tests.servers import postgresql
from web.settings import Settings

LANES = 2
GOAL_GROWTH = 1.5
GOAL_EVENTS_S = 100_000
SEED = 7
STATES = ["rejected", "accepted", "in_transit"]


@dataclass
class Question:
    """A kind of page: how to ask for the n-th of it."""

    name: str
    asked: Callable[[int], Request]


@dataclass
class Sample:
    """What there is to ask for: rows picked at random from all days."""

    tubes: list[tuple[int, str]]
    consignments: list[str]
    boxes: list[str]
    days: list[str]
    towns: list[str]
    couriers: list[str]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--specimens", type=int, default=1_000_000)
    options.add_argument("--requests", type=int, default=400, help="pages of each kind")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, postgresql(durable=True) as url:
        clock = Path(folder, "clock")
        SharedClock.create(clock, start=NOW, rate=0.0)
        began = time.perf_counter()
        world = history_world.build(url, folder, http_workers=2, clock=f"shared:{clock}")
        tell(world, f"recorded in {time.perf_counter() - began:.0f} s")
        analyse(url)
        small = measure(world, asked.requests)
        began = time.perf_counter()
        world.grow(asked.specimens)
        tell(world, f"copied in {time.perf_counter() - began:.0f} s")
        large = measure(world, asked.requests)
        compare(small, large)
        verify(world.settings)


def tell(world: History, what: str) -> None:
    print(f"{world.specimens:,} specimens, {world.events:,} events of {world.days - 1} past days: {what}", flush=True)


def analyse(url: str) -> None:
    with psycopg.connect(history.plain(url), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def sample(world: History) -> Sample:
    pick = random.Random(SEED)
    with psycopg.connect(history.plain(world.settings.database_url)) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM specimen ORDER BY id")]
        wanted = pick.sample(ids, min(2000, len(ids)))
        tubes = connection.execute("SELECT id, accession FROM specimen WHERE id = ANY(%s)", (wanted,)).fetchall()
        numbers = [row[0] for row in connection.execute("SELECT number FROM consignment ORDER BY number")]
        boxes = [row[0] for row in connection.execute("SELECT DISTINCT box_code FROM consignment ORDER BY 1")]
    days = [str(TODAY - timedelta(days=back)) for back in range(world.days)]
    towns = [town for towns in world.network.towns.values() for town in towns]
    couriers = [f"courier-{county.removeprefix('H')}-1" for county in world.network.towns]
    pick.shuffle(tubes)
    return Sample(tubes, pick.sample(numbers, min(500, len(numbers))), boxes, days, towns, couriers)


def questions(world: History, port: int) -> list[Question]:
    """Those that people ask all day. Nurses and receivers see their own site, the city's manager everything."""
    there = sample(world)
    city, county = Reader(port, "manager-city"), Reader(port, "manager-421281")
    nurses = [Reader(port, f"nurse-{town.removeprefix('H')}") for town in there.towns[:6]]
    desks = [Reader(port, f"lab-{code.removeprefix('H')}") for code in list(world.network.towns)[:3]]
    dispatcher = Reader(port, "dispatch-city")

    def of(values: list[str], n: int) -> str:
        return values[n % len(values)]

    def number(n: int) -> str:
        return there.tubes[n % len(there.tubes)][1]

    def day(n: int) -> str:
        return of(there.days, n * 7)

    return [
        Question("journey", lambda n: city.page(f"/journey/{there.tubes[n % len(there.tubes)][0]}")),
        Question("worklist of a township", lambda n: nurses[n % len(nurses)].page("/collector/")),
        Question("outcomes of a township", lambda n: nurses[n % len(nurses)].page("/collector/outcomes")),
        Question("packing at a township", lambda n: nurses[n % len(nurses)].page("/collector/pack")),
        Question("boxes expected at a laboratory", lambda n: desks[n % len(desks)].page("/receiver/incoming")),
        Question("tubes not sent, all sites", lambda _: dispatcher.page("/unsent")),
        Question("search: number", lambda n: city.page(f"/search?q={number(n)}&state=accepted")),
        Question("search: last digits", lambda n: city.page(f"/search?q={number(n)[-7:]}")),
        Question("search: consignment", lambda n: city.page(f"/search/consignments?q={of(there.consignments, n)}")),
        Question("search: box and day",
                 lambda n: city.page(f"/search/consignments?box={of(there.boxes, n)}&from={day(n)}&to={day(n)}")),
        Question("search: site and day",
                 lambda n: city.page(f"/search?site={of(there.towns, n)}&from={day(n)}&to={day(n)}")),
        Question("search: courier and day",
                 lambda n: city.page(f"/search?courier={of(there.couriers, n)}&from={day(n)}&to={day(n)}")),
        Question("search: state in a county", lambda n: county.page(f"/search?state={of(STATES, n)}")),
        Question("search: state, all sites", lambda n: city.page(f"/search?state={of(STATES, n)}")),
        Question("search: test and day", lambda n: city.page(f"/search?test=HBA1C&from={day(n)}&to={day(n)}")),
        Question("consignments, newest", lambda _: city.page("/search/consignments")),
    ]  # fmt: skip


def measure(world: History, requests: int) -> dict[str, Result]:
    """Each kind on its own, two lanes at a time, after some that are not counted."""
    results = {}
    with server(world.settings, "acts") as port:
        for question in questions(world, port):
            lanes = [[question.asked(n * LANES + lane) for n in range(requests // LANES)] for lane in range(LANES)]
            checked(run(port, [lane[:20] for lane in lanes]))
            results[question.name] = checked(run(port, lanes))
    return results


def compare(small: dict[str, Result], large: dict[str, Result]) -> None:
    print(f"\n{'page':34}{'p50 then':>10}{'p50 now':>10}{'p95 then':>10}{'p95 now':>10}{'growth':>8}")
    worst = 0.0
    for name, before in small.items():
        after = large[name]
        growth = after.percentile_s(0.95) / before.percentile_s(0.95)
        worst = max(worst, growth)
        values = [one.percentile_s(share) * 1000 for share in (0.5, 0.95) for one in (before, after)]
        print(f"{name:34}" + "".join(f"{value:7.1f} ms" for value in values) + f"{growth:7.2f}×", flush=True)
    middle = statistics.median(large[name].percentile_s(0.95) / small[name].percentile_s(0.95) for name in small)
    print(f"median growth of p95: {middle:.2f} ×")
    verdict("worst growth of p95", f"{worst:.2f} ×", f"≤ {GOAL_GROWTH} ×", worst <= GOAL_GROWTH)


def verify(settings: Settings) -> None:
    """Sign all days that are over, then check everything, each as its command does it."""
    env = {**os.environ, "LABRELAY_VAR_DIR": str(settings.var_dir), "LABRELAY_DATABASE_URL": settings.database_url,
           "LABRELAY_CLOCK": settings.clock}  # fmt: skip
    print()
    for name in ("digest", "verify"):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        command = [sys.executable, "-m", "web.cli", name]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        wall = time.perf_counter() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
        print(f"labrelay {name}: {wall:.1f} s, of which {cpu:.1f} s of one core in the command itself")
        if name == "verify":
            print(done.stdout.strip() or done.stderr[-2000:])
            if done.returncode:
                raise SystemExit("the record does not hold")
            events, core_s = _said(done.stdout)
            verdict("verified, events a second and core", f"{events / core_s:,.0f}", f"≥ {GOAL_EVENTS_S:,}",
                    events / core_s >= GOAL_EVENTS_S)  # fmt: skip


def _said(output: str) -> tuple[int, float]:
    """Events and seconds of one core, as the command itself counted them."""
    events, core_s = re.findall(r"(\d+) events in .* s, ([\d.]+) s of one core", output)[0]
    return int(events), float(core_s)


if __name__ == "__main__":
    main()
