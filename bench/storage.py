"""What a month of readings takes on the disk, and from it a year of 200 boxes at one reading a minute.

``python -m bench.storage`` fills one month's partition (``--days`` of it) and its hours in PostgreSQL, vacuums, and
prints sizes and how long the questions take that pages ask. ``--boxes`` changes how much.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import timedelta

import psycopg

from bench import ingest_world as w
from logistics.clock import wall_now
from telemetry.storage import following, month_of
from tests.servers import postgresql

YEAR_ROWS = 200 * 60 * 24 * 365
_FILL = """
    INSERT INTO reading (device_code, probe, at, temp_c, battery_pct, recorded_at)
    SELECT 'LG-' || lpad(box::text, 3, '0'), 1, at, 4 + (extract(epoch FROM at)::int / 60 %% 30) / 10.0, 87, at
    FROM generate_series(%s::timestamptz, %s::timestamptz - interval '1 minute', interval '1 minute') at,
         generate_series(1, %s) box
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--days", type=int, default=30)
    options.add_argument("--boxes", type=int, default=200)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, postgresql(durable=True) as url:
        settings = w.settings_for(url, folder)
        w.prepare(settings, {})
        begin = following(month_of(wall_now()), -2)
        end = begin + timedelta(days=asked.days)
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("SELECT reading_make_month(%s)", (begin.date(),))
            began = time.monotonic()
            connection.execute(_FILL, (begin, end, asked.boxes))
            connection.execute("VACUUM ANALYZE reading")
            filled_s = time.monotonic() - began
            name = f"reading_{begin:%Y_%m}"
            rows, table, indexes = connection.execute(  # type: ignore[misc]
                f"SELECT count(*), pg_table_size('{name}'), pg_indexes_size('{name}') FROM {name}"
            ).fetchone()
            hours = _roll_up(settings, connection)
            print(f"{rows:,} readings of {asked.boxes} boxes in {asked.days} days: {_mb(table)} rows, "
                  f"{_mb(indexes)} index, {(table + indexes) / rows:.0f} bytes a reading; "
                  f"filled in {filled_s:.0f} s")  # fmt: skip
            print(f"hourly table: {hours[0]:,} rows, {_mb(hours[1])}; made in {hours[2]:.0f} s")
            year = (table + indexes) / rows * YEAR_ROWS + hours[1] / rows * YEAR_ROWS
            print(f"a year of 200 boxes at one a minute ({YEAR_ROWS:,} readings): {year / 1e9:.1f} GB")
            _ask(connection, "a box's day", "at >= %s AND at < %s", (end - timedelta(days=1), end))
            _ask(connection, "a box's month", "at >= %s AND at < %s", (begin, end))
            began = time.monotonic()
            connection.execute("SELECT reading_drop_month(%s)", (begin.date(),))
            print(f"dropping a month: {(time.monotonic() - began) * 1000:.0f} ms")


def _roll_up(settings: w.Settings, connection: psycopg.Connection) -> tuple[int, int, float]:
    from logistics.db import transaction
    from telemetry import storage
    from web.app import create_app

    with create_app(settings).app_context():
        began = time.monotonic()
        with transaction() as session:
            count = storage.roll_up(session, now=wall_now())
        took_s = time.monotonic() - began
    connection.execute("VACUUM ANALYZE reading_hour")
    row = connection.execute("SELECT pg_total_relation_size('reading_hour')").fetchone()
    assert row is not None
    return count, int(row[0]), took_s


def _ask(connection: psycopg.Connection, what: str, where: str, values: tuple[object, ...]) -> None:
    times = []
    for number in range(1, 12):
        began = time.monotonic()
        connection.execute(
            f"SELECT at, temp_c FROM reading WHERE device_code = %s AND probe = 1 AND {where} ORDER BY at",
            (f"LG-{number:03d}", *values),
        ).fetchall()
        times.append(time.monotonic() - began)
    print(f"{what}: {sorted(times)[len(times) // 2] * 1000:.0f} ms")


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


if __name__ == "__main__":
    main()
