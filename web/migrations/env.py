"""How Alembic reaches the database: through the application, in one transaction."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from flask import current_app

from logistics.db import Base, JSONType, UTCDateTime
from telemetry.months import is_month


def render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our own types by their names; the rest as Alembic does."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "logistics.db.UTCDateTime()"
    if kind == "type" and item == JSONType:
        return "logistics.db.JSONType"
    return False


def ours(_object: Any, name: str | None, kind: str, reflected: bool, _twin: Any) -> bool:
    """A month's readings are a table that no model names."""
    return not (kind == "table" and reflected and name is not None and is_month(name))


def run() -> None:
    migrate = current_app.extensions["migrate"]
    engine = migrate.db.engine
    with engine.begin() as connection:
        sqlite = connection.dialect.name == "sqlite"
        if not sqlite:  # two processes starting together: the second waits, then finds nothing to do
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(8731)")
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_item=render,
            include_object=ours,
            **migrate.configure_args,
        )
        context.run_migrations()


run()
