"""How fast ``labrelay verify`` goes through the record: chains, signed days, acts as sent, manifests.

``python -m bench.verify`` records one small day through the service, copies it until there are a million events, signs
every day and verifies all of it in a process of its own. The figure is what the command itself used of one core,
without the second that Python takes to start. ``bench.queries`` does the same at ten million events.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from bench import acts_world, history, history_day
from bench.ending import orderly
from bench.history_world import NOW, TODAY
from bench.queries import analyse, verify
from logistics import clock
from logistics.clock import SharedClock
from tests.servers import postgresql
from web.app import create_app
from web.migrations import upgrade_tables
from web.settings import Settings

TOWNS, COUNTIES = 3, 4


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


if __name__ == "__main__":
    main()
