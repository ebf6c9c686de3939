"""What an intruder with the database in his hands does: the log's triggers out of the way, then an edit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.orm import Session


@contextmanager
def unlocked(session: Session) -> Iterator[None]:
    """Without the append-only triggers for the block, which is committed; they are back afterwards."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL session_replication_role = replica"))
        yield
        session.commit()
        return
    found = session.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
    for name, _sql in found:
        session.execute(text(f'DROP TRIGGER "{name}"'))
    yield
    for _name, sql in found:
        session.execute(text(sql))
    session.commit()


@contextmanager
def unbound(session: Session) -> Iterator[None]:
    """The same, and foreign keys out of the way, too."""
    if session.get_bind().dialect.name == "postgresql":  # the role of a replica checks none
        with unlocked(session):
            yield
        return
    _foreign_keys(session, "OFF")
    with unlocked(session):
        yield
    _foreign_keys(session, "ON")


def _foreign_keys(session: Session, state: str) -> None:
    """SQLite changes this between transactions alone."""
    session.commit()
    connection = session.connection()
    connection.exec_driver_sql("COMMIT")
    connection.exec_driver_sql(f"PRAGMA foreign_keys={state}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
