"""What pages cost as the record grows: journeys, worklists and searches at 10,000 tubes and at a million.

``python -m bench.queries`` records two days of the network through the service, copies the database, and in the copy
the days until there are a million tubes (ten million events). Then it asks for the same pages of both over HTTP
(PostgreSQL with every commit synced, gunicorn with 2 workers, load from another process), by turns, so that what else
the machine does falls on both. (The copied days stand after today in the log, so this record is for pages alone;
``bench.verify`` makes one that holds.)

``--build DIR`` only makes the databases and leaves them there, ``--measure DIR`` asks for pages of such ones, and
``--only TEXT`` for those whose names hold the text. ``--specimens`` and ``--requests`` change how long it takes.
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg

from bench import history, history_world
from bench.acts import checked, server, verdict
from bench.ending import orderly
from bench.history_world import NOW, TODAY, History
from bench.load import Request, run
from bench.pages import Reader
from logistics.clock import SharedClock
from tests.servers import postgresql
from web.app import create_app
from web.migrations import upgrade_tables
from web.settings import Settings

LANES = 2
GOAL_GROWTH = 1.5
SEED = 7
TURNS = 4
SMALL, LARGE = "small", "large"
STATES = ["rejected", "accepted", "in_transit"]


Measured = dict[str, tuple[list[float], list[float]]]
"""Sorted seconds by kind of page: of the small database, and of the large one."""


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
    options.add_argument("--build", type=Path, help="make the databases in this folder, and nothing else")
    options.add_argument("--measure", type=Path, help="measure the databases that were made in this folder")
    options.add_argument("--only", default="", help="a part of the names of the pages to ask for")
    asked = options.parse_args()
    orderly()
    if asked.build:
        make(asked.build.resolve(), asked.specimens)
    elif asked.measure:
        compare(measure(asked.measure.resolve(), asked.requests, asked.only))
    else:
        with tempfile.TemporaryDirectory() as name:
            Path(name).chmod(0o711)  # PostgreSQL runs as somebody else when we are root
            make(Path(name), asked.specimens)
            compare(measure(Path(name), asked.requests, asked.only))


def make(folder: Path, specimens: int) -> None:
    """The databases ``SMALL`` and ``LARGE``, each with a note of what is in it."""
    folder.mkdir(exist_ok=True)
    SharedClock.create(folder / "clock", start=NOW, rate=0.0)
    with postgresql(durable=True, keep=folder / SMALL) as url:
        began = time.perf_counter()
        world, template = history_world.build(_settings(url, folder))
        analyse(url)
        world.note(folder / f"{SMALL}.json")
        tell(world, f"recorded in {time.perf_counter() - began:.0f} s")
    subprocess.run(["cp", "-a", str(folder / SMALL), str(folder / LARGE)], check=True)
    with postgresql(durable=True, keep=folder / LARGE) as url:
        began = time.perf_counter()
        world.settings = _settings(url, folder)
        world.grow(template, specimens)
        world.note(folder / f"{LARGE}.json")
        tell(world, f"copied in {time.perf_counter() - began:.0f} s")


def _settings(url: str, folder: Path) -> Settings:
    return history_world.settings_for(url, folder, http_workers=2, clock=f"shared:{folder / 'clock'}")


@contextmanager
def opened(folder: Path, which: str) -> Iterator[History]:
    """One of the databases that were made, as this version of the tables has it."""
    with postgresql(durable=True, keep=folder / which) as url:
        settings = _settings(url, folder)
        upgrade_tables(create_app(settings))
        yield history_world.recall(folder / f"{which}.json", settings)


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
        # nine: with seven the large database answers with twenty tubes, the small one with one
        Question("search: last digits", lambda n: city.page(f"/search?q={number(n)[-9:]}")),
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


def measure(folder: Path, requests: int, only: str) -> Measured:
    """Each kind of page on its own, from both databases."""
    with ExitStack() as stack:
        worlds = [stack.enter_context(opened(folder, which)) for which in (SMALL, LARGE)]
        for world in worlds:
            tell(world, "ready")
        ports = [stack.enter_context(server(world.settings, "acts")) for world in worlds]
        both = [questions(world, port) for world, port in zip(worlds, ports, strict=True)]
        found: Measured = {}
        print(f"\n{'page':34}{'p50 then':>10}{'p50 now':>10}{'p95 then':>10}{'p95 now':>10}{'growth':>8}")
        for small, large in zip(*both, strict=True):
            if only in small.name:
                found[small.name] = by_turns(ports, (small, large), requests // LANES)
                line(small.name, found[small.name])
        return found


def line(name: str, both: tuple[list[float], list[float]]) -> None:
    """One kind of page, told as soon as it is measured."""
    values = [at(times, share) * 1000 for share in (0.5, 0.95) for times in both]
    print(f"{name:34}" + "".join(f"{value:7.1f} ms" for value in values) + f"{growth(both):7.2f}×", flush=True)


def growth(both: tuple[list[float], list[float]]) -> float:
    return at(both[1], 0.95) / at(both[0], 0.95)


def by_turns(ports: Sequence[int], both: tuple[Question, Question], each: int) -> tuple[list[float], list[float]]:
    """Sorted seconds of the pages of both databases, two lanes at a time, after some that are not counted."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(TURNS):
        some = range(turn * each // TURNS, (turn + 1) * each // TURNS)
        for place in (0, 1) if turn % 2 == 0 else (1, 0):
            lanes = [[both[place].asked(n * LANES + lane) for n in some] for lane in range(LANES)]
            if turn == 0:
                checked(run(ports[place], [lane[:20] for lane in lanes]))
            times[place].extend(checked(run(ports[place], lanes)).latencies_s)
    return sorted(times[0]), sorted(times[1])


def at(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(share * len(times)))]


def compare(found: Measured) -> None:
    growths = [growth(both) for both in found.values()]
    print(f"median growth of p95: {statistics.median(growths):.2f} ×")
    worst = max(growths)
    verdict("worst growth of p95", f"{worst:.2f} ×", f"≤ {GOAL_GROWTH} ×", worst <= GOAL_GROWTH)


if __name__ == "__main__":
    main()
