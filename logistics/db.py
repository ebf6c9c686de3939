"""The database handle, the declarative base, UTC columns and the one way to write: ``transaction()``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TypeVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import JSON, DateTime, Dialect, Engine, Index, MetaData, String, TypeDecorator, event, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, registry

from logistics.errors import Invalid

JSONType = JSON().with_variant(JSONB(), "postgresql")
SQLITE_BUSY_MS = 10_000
DEADLOCK_TRIES = 4
TRY_AGAIN = frozenset({"40P01", "40001"})  # deadlock detected, serialization failure
Result = TypeVar("Result")


class UTCDateTime(TypeDecorator[datetime]):
    """Stores an instant in UTC and always gives it back with its zone (SQLite drops zones)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise Invalid("time_without_zone", field="occurred_at")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


KeyText = String(collation="C").with_variant(String(), "sqlite")
"""A text that is compared byte by byte, so that 'begins with' is a range of its index on every database."""


def partial_index(name: str, where: str, *columns: str) -> Index:
    """An index of the rows for which ``where`` holds. A query uses it when it says the same, word by word."""
    return Index(name, *columns, postgresql_where=text(where), sqlite_where=text(where))


class Base(DeclarativeBase):
    """Every table of Labrelay."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    registry = registry(
        metadata=metadata,
        type_annotation_map={
            datetime: UTCDateTime,
            dict[str, Any]: JSONType,
            list[Any]: JSONType,
            str: String,
        },
    )


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})

_read_only: ContextVar[bool] = ContextVar("labrelay_read_only", default=False)
_in_transaction: ContextVar[bool] = ContextVar("labrelay_in_transaction", default=False)


def install_sqlite_hooks(engine: Engine) -> None:
    """Make SQLite safe under several writers: WAL, full sync, and BEGIN IMMEDIATE for whoever may write.

    A deferred BEGIN that turns into a write fails at once when another writer came between; readers must not
    take the write lock, so a block inside ``reading()`` begins plainly.
    """
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_MS}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN" if _read_only.get() else "BEGIN IMMEDIATE")


def set_reading(reading: bool) -> None:
    """Say whether the present context only reads (the edge does this per request)."""
    _read_only.set(reading)


@contextmanager
def transaction() -> Iterator[Session]:
    """One unit of work: commits once at the end, rolls back on any error. Never nested; services never call it."""
    if _in_transaction.get():
        raise RuntimeError("transaction() inside transaction(): only the edge commits")
    session: Session = db.session()
    if session.in_transaction() and session.get_bind().dialect.name == "sqlite":
        # Ends a read that came before: on SQLite it cannot turn into a write. Elsewhere the work goes on in it.
        session.commit()
    reading = _read_only.set(False)
    inside = _in_transaction.set(True)
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        _in_transaction.reset(inside)
        _read_only.reset(reading)


def in_transaction(work: Callable[[Session], Result]) -> Result:
    """``work`` in one transaction, again from the start when PostgreSQL chose it to end a deadlock.

    Two phones may send the same tubes in another order. Only for work that may run twice (acts know themselves).
    """
    for left in reversed(range(DEADLOCK_TRIES)):
        try:
            with transaction() as session:
                return work(session)
        except OperationalError as error:
            if not left or getattr(error.orig, "sqlstate", None) not in TRY_AGAIN:
                raise
    raise AssertionError("unreachable")


def insert_ignoring(session: Session, table: Any, values: dict[str, Any] | list[dict[str, Any]]) -> int:
    """Insert rows, leaving out those whose key exists already. Returns how many were new."""
    make = pg_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    # Count what comes back: rowcount is -1 for such statements on PostgreSQL.
    statement = make(table).values(values).on_conflict_do_nothing().returning(*table.primary_key.columns)
    return len(session.execute(statement).all())


def set_number(session: Session, name: str, value: int) -> None:
    """Give a named number this value."""
    table = Base.metadata.tables["counter"]
    if not insert_ignoring(session, table, {"name": name, "value": value}):
        session.execute(update(table).where(table.c.name == name).values(value=value))


def next_number(session: Session, name: str) -> int:
    """The next value of a named counter (1, 2, …). Holds the counter's row until the transaction ends."""
    table = Base.metadata.tables["counter"]
    insert_ignoring(session, table, {"name": name, "value": 0})
    statement = update(table).where(table.c.name == name).values(value=table.c.value + 1).returning(table.c.value)
    return int(session.execute(statement).scalar_one())
