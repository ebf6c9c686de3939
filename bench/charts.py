"""How long the chart of thirty days by the minute takes: from the database to the JSON that a browser gets.

    .venv/bin/python -m bench.charts [--url postgresql+psycopg://…]

Without a URL it measures on SQLite in a temporary folder. 43,200 readings of one probe, asked for twenty times
(band, excursions, thinning, JSON), without HTTP, login and the check of scope.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from datetime import timedelta

from msgspec.json import encode

from logistics import clock
from logistics.clock import FixedClock
from logistics.db import Base, db, transaction
from logistics.models import Box, Site
from telemetry import devices, store
from telemetry.reading import Reading
from web.api import temperatures
from web.app import create_app
from web.settings import Settings

READINGS = 43_200
TRIES = 20
MINUTE = timedelta(minutes=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    url = parser.parse_args().url
    with tempfile.TemporaryDirectory() as folder:
        environ = {"LABRELAY_VAR_DIR": folder, "LABRELAY_SECRET_KEY": "x" * 40}
        environ["LABRELAY_DATABASE_URL"] = url or f"sqlite:///{folder}/charts.db"
        app = create_app(Settings.from_env(environ), FixedClock(clock.SystemClock().now()))
        with app.app_context():
            Base.metadata.create_all(db.engine)
            measure(url)
            db.engine.dispose()


def measure(url: str | None) -> None:
    end = clock.now().replace(second=0, microsecond=0)
    start = end - timedelta(days=30)
    with transaction() as session:
        if session.get(Site, "S") is None:
            session.add(Site(code="S", name_zh="S", tier="county_centre"))
            session.flush()
            session.add(Box(code="BX-CHART", temp_class="cold_2_8", home_code="S"))
            session.flush()
            devices.register(session, "LG-CHART", now=start, interval_s=60)
            devices.bind(session, "LG-CHART", "BX-CHART", at=start, now=start)
        readings = [
            Reading("LG-CHART", 1, start + i * MINUTE, round(5 + 2 * math.sin(i / 300) + (i % 7) / 10, 1))
            for i in range(READINGS)
        ]
        store.insert_readings(session, readings, now=end)
    box = db.session.get_one(Box, "BX-CHART")
    took: list[float] = []
    size = 0
    for _ in range(TRIES):
        db.session.rollback()
        begun = time.perf_counter()
        found = temperatures.answer(db.session(), box, start, end, [], [(box.code, start, end)])
        answer = encode(found)
        took.append((time.perf_counter() - begun) * 1000)
        size, [series] = len(answer), found["series"]
    took.sort()
    where = "PostgreSQL" if url else "SQLite"
    print(f"{where}: {series['count']} readings -> {len(series['at'])} points, {size / 1024:.0f} KiB")
    print(f"  median {took[TRIES // 2]:.0f} ms, slowest of {TRIES} {took[-1]:.0f} ms, fastest {took[0]:.0f} ms")


if __name__ == "__main__":
    main()
