"""The database of ``bench.queries``: the network of Xianning, a day that is over, today at late morning, history."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

from flask import Flask

from bench import acts_world, history, history_day
from bench.history_day import ZONE, Network
from logistics import clock
from web.app import create_app
from web.migrations import upgrade_tables
from web.settings import Settings

TODAY = date(2026, 9, 16)
NOW = datetime.combine(TODAY, time(11, 50), ZONE)


@dataclass
class History:
    """A database with some days in it. ``days``: how many it holds, the last of them under way."""

    settings: Settings
    network: Network
    events_a_day: int
    days: int = 2

    @property
    def specimens(self) -> int:
        return self.days * self.network.tubes_a_day

    @property
    def events(self) -> int:
        """Of the days that are over."""
        return (self.days - 1) * self.events_a_day

    def grow(self, template: history.Template, specimens: int) -> None:
        """Add days before the first until there are as many tubes."""
        wanted = -(-specimens // self.network.tubes_a_day)
        history.fill(self.settings.database_url, template, range(self.days - 1, wanted - 1))
        self.days = max(self.days, wanted)

    def note(self, path: Path) -> None:
        """Write down what the database does not tell, for ``recall``."""
        kept = {"network": asdict(self.network), "events_a_day": self.events_a_day, "days": self.days}
        path.write_text(json.dumps(kept), encoding="utf-8")


def recall(path: Path, settings: Settings) -> History:
    """What ``note`` wrote about this database."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    return History(settings, Network(**kept["network"]), kept["events_a_day"], kept["days"])


def settings_for(url: str, folder: Path | str, **more: object) -> Settings:
    found = Settings.from_env(
        {"LABRELAY_VAR_DIR": str(folder), "LABRELAY_DATABASE_URL": url, "LABRELAY_LOG_LEVEL": "ERROR"}
    )
    return replace(found, **more)  # type: ignore[arg-type]


def build(settings: Settings) -> tuple[History, history.Template]:
    """Two days through the service: yesterday whole, and copied into a template; today as it stands at NOW."""
    app: Flask = create_app(settings, clock.FixedClock(NOW))
    upgrade_tables(app)
    with app.app_context():
        acts_world.build()
        network = history_day.prepare()
        seals = history_day.record_day(network, TODAY - timedelta(days=1), seals=0)
        template = history.read(settings.database_url, TODAY - timedelta(days=1))
        history_day.record_day(network, TODAY, seals=seals + 1_000_000, until=NOW.time())
    return History(settings, network, template.events), template
