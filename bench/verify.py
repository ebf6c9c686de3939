"""How fast ``labrelay verify`` goes through the record: chains, signed days, acts as sent, manifests.

``python -m bench.verify`` records one small day through the service, copies it until there are a million events, signs
every day and verifies all of it in a process of its own. The figure is what the command itself used of one core,
without the second that Python takes to start. ``--events 10000000`` does it at ten million.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from bench import acts_world, history, history_day
from bench.acts import verdict
from bench.ending import orderly
from bench.history_world import NOW, TODAY
from bench.queries import analyse
from logistics import clock
from logistics.clock import SharedClock
from tests.servers import postgresql
from web.app import create_app
from web.migrations import upgrade_tables
from web.settings import Settings

TOWNS, COUNTIES = 3, 4
GOAL_EVENTS_S = 100_000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=1_000_000)
    asked = options.parse_args()
    orderly()
    with tempfile.TemporaryDirectory() as folder, postgresql(durable=True) as url:
        settings = _settings(url, Path(folder))
        template = _day(settings)
        days = -(-asked.events // template.events)
        began = time.perf_counter()
        history.fill(url, template, range(1, days))
        analyse(url)
        print(f"{days} days, {days * template.events:,} events, copied in {time.perf_counter() - began:.0f} s")
        verify(settings)


def _settings(url: str, folder: Path) -> Settings:
    SharedClock.create(folder / "clock", start=NOW, rate=0.0)
    environ = {"VAR_DIR": str(folder), "DATABASE_URL": url, "LOG_LEVEL": "ERROR", "CLOCK": f"shared:{folder / 'clock'}"}
    return Settings.from_env({f"LABRELAY_{name}": value for name, value in environ.items()})


def _day(settings: Settings) -> history.Template:
    app = create_app(settings, clock.FixedClock(NOW))
    upgrade_tables(app)
    yesterday = TODAY - timedelta(days=1)
    with app.app_context():
        acts_world.build()
        network = history_day.prepare()
        network.towns = {county: towns[:TOWNS] for county, towns in list(network.towns.items())[:COUNTIES]}
        history_day.record_day(network, yesterday, seals=0)
        return history.read(settings.database_url, yesterday)


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
