"""The migrations lead to exactly the tables that the models describe, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask

from logistics import clock
from logistics.db import Base, db
from telemetry.months import is_month
from web.app import create_app
from web.migrations import upgrade_tables
from web.settings import Settings

DATABASE = "labrelay_migrations"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """An application on an empty database of its own."""
    environ = {"LABRELAY_VAR_DIR": str(tmp_path)}
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgresql_url"))
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
            connection.execute(f"CREATE DATABASE {DATABASE}")
        environ["LABRELAY_DATABASE_URL"] = url.rpartition("/")[0] + f"/{DATABASE}"
    with clock.using(clock.SystemClock()):
        app = create_app(Settings.from_env(environ))
        yield app
        with app.app_context():
            db.engine.dispose()


def test_upgrading_an_empty_database_gives_what_the_models_say(empty: Flask) -> None:
    """After every migration has run, Alembic finds nothing to change; running again changes nothing."""
    upgrade_tables(empty)
    upgrade_tables(empty)
    with empty.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = [change for change in compare_metadata(context, Base.metadata) if not _ours(change)]
    assert differences == [], "labrelay db revision -m '…' writes the missing migration"


def _ours(change: object) -> bool:
    """Alembic's own table and the months of readings are in the database and in no model."""
    if isinstance(change, tuple) and change[0] == "remove_table":
        return change[1].name == "alembic_version" or is_month(change[1].name)
    return isinstance(change, tuple) and change[0] == "remove_index" and is_month(change[1].table.name)
