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
