"""Readings by the month: partitions on PostgreSQL, the hourly table for long views, and what is kept no longer.

A month's partition is made before the month begins. A reading of a month that has none goes to ``reading_default``
and is moved when the month is made. Making and dropping are functions in the database that belong to the tables' owner:
the application's role may call them and can do nothing else to the tables. SQLite keeps one plain table.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import ColumnElement, Interval, Table, and_, bindparam, delete, func, literal, select, text
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from telemetry.models import ReadingHour, ReadingRow

MONTHS_AHEAD = 2
# Readings count as new for the hourly table for so long: longer than any transaction takes to commit.
OVERLAP = timedelta(minutes=10)
_AT_ONCE = 5_000
_HOUR = timedelta(hours=1)


def month_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def following(month: datetime, count: int = 1) -> datetime:
    place = month.year * 12 + month.month - 1 + count
    return month.replace(year=place // 12, month=place % 12 + 1)


def partitions(session: Session) -> list[str]:
    """Names of the months that have a partition, oldest first; on SQLite none."""
    if session.get_bind().dialect.name != "postgresql":
        return []
    found = session.scalars(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'reading'::regclass")
    )
    return sorted(name for name in found if name != "reading_default")


def make_months(session: Session, *, now: datetime) -> int:
    """Partitions for this month, those ahead, and those of readings that found none. Returns how many were made."""
    if session.get_bind().dialect.name != "postgresql":
        return 0
    wanted = {following(month_of(now), place).date() for place in range(MONTHS_AHEAD + 1)}
    wanted |= set(session.scalars(text("SELECT reading_stray_months()")))
    made = 0
    for month in sorted(wanted):
        made += bool(session.scalar(text("SELECT reading_make_month(:month)"), {"month": month}))
    return made


def forget(session: Session, *, older_than: timedelta, now: datetime) -> int:
    """Delete readings that are kept no longer: whole months on PostgreSQL, rows (some at once) on SQLite.

    The hourly table stays. Returns how many months or rows went.
    """
    limit = now - older_than
    if session.get_bind().dialect.name == "postgresql":
        gone = 0
        for name in partitions(session):
            month = datetime.strptime(name, "reading_%Y_%m").replace(tzinfo=UTC)
            if following(month) <= limit:
                gone += bool(session.scalar(text("SELECT reading_drop_month(:month)"), {"month": month.date()}))
        return gone
    old = select(ReadingRow.device_code, ReadingRow.probe, ReadingRow.at).where(ReadingRow.at < limit).limit(_AT_ONCE)
    rows = session.execute(old).all()
    for device, probe, at in rows:
        session.execute(
            delete(ReadingRow).where(ReadingRow.device_code == device, ReadingRow.probe == probe, ReadingRow.at == at)
        )
    return len(rows)


def roll_up(session: Session, *, now: datetime) -> int:
    """Bring the hourly table up to date with every reading that was stored since the last time, however late it is.

    Returns how many hours were written.
    """
    mark = session.scalar(select(func.max(ReadingHour.computed_at)))
    row, hour = ReadingRow.__table__.c, _hour(session, ReadingRow.at)
    due = select(row.device_code, row.probe, hour.label("hour")).distinct()
    if mark is not None:
        due = due.where(row.recorded_at >= mark - OVERLAP)
    hours = due.subquery()
    whole = (
        select(
            row.device_code, row.probe, hours.c.hour, func.count(), func.min(row.temp_c), func.max(row.temp_c),
            func.sum(row.temp_c), bindparam("computed_at", type_=row.recorded_at.type),
        )
        .join(
            hours,
            and_(
                row.device_code == hours.c.device_code,
                row.probe == hours.c.probe,
                row.at >= hours.c.hour,
                row.at < _hour_after(session, hours.c.hour),
            ),
        )
        .group_by(row.device_code, row.probe, hours.c.hour)
    )  # fmt: skip
    names = ["device_code", "probe", "hour", "reading_count", "min_c", "max_c", "sum_c", "computed_at"]
    make = pg_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    statement = make(cast(Table, ReadingHour.__table__)).from_select(names, whole)
    changed = {name: statement.excluded[name] for name in names[3:]}
    statement = statement.on_conflict_do_update(index_elements=names[:3], set_=changed)
    done = session.execute(statement.returning(ReadingHour.hour), {"computed_at": now})
    return len(done.all())


def _hour(session: Session, at: object) -> ColumnElement[datetime]:
    if session.get_bind().dialect.name == "postgresql":
        return func.date_trunc("hour", at, "UTC", type_=ReadingHour.hour.type)
    return func.strftime("%Y-%m-%d %H:00:00.000000", at, type_=ReadingHour.hour.type)


def _hour_after(session: Session, hour: ColumnElement[datetime]) -> ColumnElement[datetime]:
    if session.get_bind().dialect.name == "postgresql":
        return hour + literal(_HOUR, Interval())
    return func.strftime("%Y-%m-%d %H:00:00.000000", hour, "+1 hour", type_=ReadingHour.hour.type)
