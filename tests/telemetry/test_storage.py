"""Readings by the month, the hourly table, and what is kept no longer."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from logistics.db import Base
from logistics.models.append_only import role_statements
from telemetry import storage, store
from telemetry.models import ReadingHour, ReadingRow
from telemetry.reading import Reading
from tests.factories import START

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def put(session: Session, readings: dict[datetime, float], *, now: datetime = START, device: str = "LG-1") -> None:
    store.insert_readings(session, [Reading(device, 1, at, temp_c) for at, temp_c in readings.items()], now=now)
    session.commit()


def hours(session: Session) -> dict[datetime, tuple[int, float, float, float]]:
    rows = session.execute(
        select(ReadingHour.hour, ReadingHour.reading_count, ReadingHour.min_c, ReadingHour.max_c, ReadingHour.sum_c)
    )
    return {hour: (count, low, high, round(total, 6)) for hour, count, low, high, total in rows}


def by_hand(series: dict[datetime, float]) -> dict[datetime, tuple[int, float, float, float]]:
    found: dict[datetime, list[float]] = {}
    for at, temp_c in series.items():
        found.setdefault(at.replace(minute=0, second=0, microsecond=0), []).append(temp_c)
    return {hour: (len(temps), min(temps), max(temps), round(sum(temps), 6)) for hour, temps in found.items()}


@pytest.mark.both_databases
def test_the_hourly_table_is_right_however_late_readings_come(session: Session) -> None:
    """Two days by the minute in random order over many runs: every hour's count, extremes and sum are those of all
    its readings, and a run with nothing new keeps them."""
    rnd = random.Random(3)
    series = {START + n * 7 * MINUTE: rnd.uniform(-5, 30) for n in range(400)}
    arrivals = list(series.items())
    rnd.shuffle(arrivals)
    now = START + 3 * DAY
    for begin in range(0, len(arrivals), 80):
        put(session, dict(arrivals[begin : begin + 80]), now=now)
        storage.roll_up(session, now=now)
        session.commit()
        now += timedelta(hours=1)
    assert hours(session) == by_hand(series)
    storage.roll_up(session, now=now + DAY)
    assert hours(session) == by_hand(series)


@pytest.mark.both_databases
def test_old_readings_go_and_their_hours_stay(session: Session) -> None:
    """What is older than the retention goes, on PostgreSQL when its whole month is; the rest and the hours stay."""
    old, young = START - 800 * DAY, START - 10 * DAY
    put(session, {old: 5.0, young: 6.0})
    storage.make_months(session, now=START)
    storage.roll_up(session, now=START)
    assert storage.forget(session, older_than=timedelta(days=730), now=START) == 1
    session.commit()
    assert session.scalars(select(ReadingRow.at)).all() == [young]
    assert len(hours(session)) == 2
    assert storage.forget(session, older_than=timedelta(days=730), now=START) == 0


def on_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


@pytest.fixture
def months(session: Session) -> Session:
    for name in storage.partitions(session):
        session.execute(text(f"DROP TABLE {name}"))
    session.commit()
    return session


@pytest.mark.both_databases
def test_months_are_made_ahead_and_strays_are_moved(months: Session) -> None:
    """This month and two more; a reading of a month without partition is stored at once and moved with its month, found
    by the same key before and after."""
    stray = datetime.fromisoformat("2025-11-30T23:59:59+00:00")
    put(months, {stray: 4.0, START: 5.0})
    if not on_postgresql(months):
        assert (storage.make_months(months, now=START), storage.partitions(months)) == (0, [])
        return
    assert months.scalar(text("SELECT count(*) FROM reading_default")) == 2
    assert storage.make_months(months, now=START) == 4
    months.commit()
    assert storage.partitions(months) == ["reading_2025_11", "reading_2026_03", "reading_2026_04", "reading_2026_05"]
    assert months.scalar(text("SELECT count(*) FROM reading_default")) == 0
    assert storage.make_months(months, now=START) == 0
    put(months, {stray: 9.0, START + MINUTE: 5.0})
    assert months.scalar(select(func.count()).select_from(ReadingRow)) == 3
    assert store.series(months, "LG-1", 1, None, None)[0] == (stray, 4.0)


@pytest.mark.both_databases
def test_the_application_s_role_needs_no_rights_on_tables(months: Session) -> None:
    """The role that the worker logs in as makes months, moves strays and cannot make a table of its own."""
    if not on_postgresql(months):
        assert storage.make_months(months, now=START) == 0
        return
    months.execute(text("CREATE ROLE storage_app"))
    for statement in role_statements("storage_app", Base.metadata.tables.values()):
        months.connection().exec_driver_sql(statement)
    months.execute(text("SET LOCAL ROLE storage_app"))
    store.insert_readings(months, [Reading("LG-1", 1, START - 40 * DAY, 5.0)], now=START)
    assert storage.make_months(months, now=START) == 4
    assert storage.roll_up(months, now=START) == 1
    with pytest.raises(ProgrammingError, match="permission denied"):
        months.execute(text("CREATE TABLE reading_2001_01 (a int)"))
    months.rollback()


@pytest.mark.both_databases
def test_nobody_drops_a_month_of_late(months: Session) -> None:
    """The database itself refuses to drop a month that is not two months old, in real time."""
    if not on_postgresql(months):
        assert storage.forget(months, older_than=DAY, now=START) == 0
        return
    month = months.scalar(text("SELECT date_trunc('month', current_date)::date"))
    months.execute(text("SELECT reading_make_month(:month)"), {"month": month})
    assert months.scalar(text("SELECT reading_drop_month(:month)"), {"month": month}) is False
    months.rollback()
