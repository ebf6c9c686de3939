"""How Alembic reaches the database: through the application, in one transaction."""

from __future__ import annotations

from alembic import context
from flask import current_app

from logistics.db import Base


def run() -> None:
    migrate = current_app.extensions["migrate"]
    engine = migrate.db.engine
    with engine.begin() as connection:
        sqlite = connection.dialect.name == "sqlite"
        if not sqlite:  # two processes starting together: the second waits, then finds nothing to do
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(8731)")
        context.configure(connection=connection, target_metadata=Base.metadata, **migrate.configure_args)
        context.run_migrations()


run()
