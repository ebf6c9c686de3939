"""How fast acts are recorded, against a bare Flask view that does one INSERT and COMMIT on the same table.

``python -m bench.acts`` starts PostgreSQL (every commit synced), Labrelay and the bare view, each as gunicorn
with 2 workers, sends from another process, and prints the ratios with the goals. Rounds of both alternate, so
that what else the machine does meanwhile falls on both. ``--rounds`` and ``--acts`` change how long it takes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bench import acts_world as w
from bench.ending import orderly, with_bench
from bench.load import Result, run
from tests.servers import accepts, free_port, postgresql
from web.settings import Settings

WORKERS = 2
LANES = 24
BATCH = 50
BOX = 200
GOAL_SHARE, LEAST_SHARE = 0.40, 0.30
GOAL_P99_S = 0.200
GOAL_BATCH = 5.0
GOAL_BOX_S = 0.500


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--acts", type=int, default=1440, help="single acts in a round")
    asked = options.parse_args()
    orderly()
    with tempfile.TemporaryDirectory() as folder, postgresql(durable=True) as url:
        settings = settings_for(url, folder)
        world = prepare(settings)
        with server(settings, "acts") as port, server(settings, "bare") as bare:
            measure(settings, world, port, bare, asked.rounds, asked.acts)


def settings_for(url: str, folder: str) -> Settings:
    made = Settings.from_env({"LABRELAY_VAR_DIR": folder, "LABRELAY_DATABASE_URL": url, "LABRELAY_LOG_LEVEL": "ERROR"})
    return replace(made, http_workers=WORKERS)


def prepare(settings: Settings) -> w.World:
    """Tables with their triggers, and the network."""
    from web.app import create_app
    from web.migrations import upgrade_tables

    app = create_app(settings)
    upgrade_tables(app)
    with app.app_context():
        return w.build()


def lots(settings: Settings, world: w.World, count: int, fresh: int, delivered: int) -> list[w.Lot]:
    from web.app import create_app

    with create_app(settings).app_context():
        return [w.lot(world, fresh, delivered) for _ in range(count)]


@contextmanager
def server(settings: Settings, kind: str) -> Iterator[int]:
    """gunicorn in a process of its own."""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(os.getpid(), replace(settings, port=port), kind)
    )
    process.start()
    try:
        while not accepts(port):
            if not process.is_alive():
                raise RuntimeError(f"the server of {kind} did not start")
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.join(10)


def _serve(bench: int, settings: Settings, kind: str) -> None:
    from bench.bare import BareServer
    from web.serve import serve

    os.setsid()
    with_bench(bench)  # its workers end with it
    serve(settings) if kind == "acts" else BareServer(settings).run()


def measure(settings: Settings, world: w.World, port: int, bare: int, rounds: int, acts: int) -> None:
    a_lane = acts // LANES
    warm(settings, world, port, bare)
    bare_rates, single_rates, batch_rates = [], [], []
    singles: list[Result] = []
    for number in range(1, rounds + 1):
        tubes = lots(settings, world, LANES, a_lane // 4, a_lane // 4)
        many = lots(settings, world, LANES // 3, BATCH * 4, BATCH * 4)
        plain = checked(run(bare, [w.inserts(world, a_lane * 2) for _ in range(LANES)]))
        single = checked(run(port, [w.singles(world, one) for one in tubes]))
        batch = checked(run(port, [w.batches(world, one, BATCH) for one in many]))
        singles.append(single)
        bare_rates.append(plain.rate)
        single_rates.append(single.rate)
        batch_rates.append(batch.rate * BATCH)
        print(
            f"round {number}: bare {bare_rates[-1]:.0f}/s, single acts {single_rates[-1]:.0f}/s"
            f" ({single_rates[-1] / bare_rates[-1]:.0%}), in batches {batch_rates[-1]:.0f}/s",
            flush=True,
        )
    share = statistics.median(s / b for s, b in zip(single_rates, bare_rates, strict=True))
    gain = statistics.median(many / s for many, s in zip(batch_rates, single_rates, strict=True))
    rate = statistics.median(single_rates)
    print()
    print(f"bare insert and commit    {statistics.median(bare_rates):7.0f} /s")
    print(f"single acts               {rate:7.0f} /s   p50 {_ms(singles, 0.5)}   p99 {_ms(singles, 0.99)}")
    verdict("single acts / bare", f"{share:.0%}", "≥ 40 % (never under 30 %)", share >= GOAL_SHARE)
    half = half_load(settings, world, port, rate / 2)
    verdict("p99 at half that load", f"{half.percentile_s(0.99) * 1000:.0f} ms", "≤ 200 ms",
            half.percentile_s(0.99) <= GOAL_P99_S)  # fmt: skip
    print(f"  p50 there               {half.percentile_s(0.5) * 1000:7.1f} ms")
    print(f"acts in batches of {BATCH}     {statistics.median(batch_rates):7.0f} /s")
    verdict("batches / single acts", f"{gain:.1f} ×", "≥ 5 ×", gain >= GOAL_BATCH)
    box_s = whole_boxes(settings, world, port, rounds)
    verdict(f"{BOX} tubes received in one request", f"{box_s * 1000:.0f} ms", "≤ 500 ms", box_s <= GOAL_BOX_S)


def warm(settings: Settings, world: w.World, port: int, bare: int) -> None:
    tubes = lots(settings, world, LANES, 4, 4)
    checked(run(port, [w.singles(world, one) for one in tubes]))
    checked(run(bare, [w.inserts(world, 20) for _ in range(LANES)]))


def half_load(settings: Settings, world: w.World, port: int, rate: float) -> Result:
    """Five seconds at half of what the machine can do; times count from when an act was due."""
    tubes_a_lane = max(1, int(rate * 5 / LANES / 4))
    tubes = lots(settings, world, LANES, tubes_a_lane, tubes_a_lane)
    return checked(run(port, [w.singles(world, one) for one in tubes], rate))


def whole_boxes(settings: Settings, world: w.World, port: int, count: int) -> float:
    """Median seconds to receive a box of 200 tubes in one request, nothing else running."""
    times = []
    for one in lots(settings, world, count, 0, BOX):
        times.append(checked(run(port, [[w.whole_box(world, one)]])).latencies_s[0])
    return statistics.median(times)


def checked(result: Result) -> Result:
    if result.wrong:
        raise SystemExit("an answer was not as expected:\n" + "\n".join(result.wrong))
    return result


def _ms(results: list[Result], share: float) -> str:
    return f"{statistics.median(one.percentile_s(share) for one in results) * 1000:.0f} ms"


def verdict(what: str, measured: str, goal: str, met: bool) -> None:
    print(f"{'PASS' if met else 'FAIL'}  {what}: {measured}   goal {goal}", flush=True)


if __name__ == "__main__":
    main()
