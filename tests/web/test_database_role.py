"""The role that the application logs in as on PostgreSQL: acts work, the record cannot be touched."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from logistics.db import Base, db
from logistics.models import AuditEntry
from logistics.models.append_only import APPEND_ONLY
from logistics.services import prints
from tests import factories as f
from web.database_role import CannotGrant, make_role, statements

pytestmark = pytest.mark.both_databases
ROLE = "labrelay_app_test"


@pytest.fixture
def as_app(app: Flask, session: Session, postgresql_url: str) -> Iterator[Session]:
    """A session logged in as the application's role, in a world made by the owner."""
    f.world(session)
    with db.engine.begin() as owner:
        owner.exec_driver_sql("CREATE TABLE IF NOT EXISTS alembic_version (version_num varchar(32))")
        for _ in range(2):  # a second time changes nothing
            make_role(owner, ROLE, "secret", Base.metadata)
    parts = urlsplit(postgresql_url)
    engine = create_engine(f"postgresql+psycopg://{ROLE}@127.0.0.1:{parts.port}{parts.path}")
    with Session(engine, expire_on_commit=False) as other:
        yield other
    engine.dispose()
    with db.engine.begin() as owner:
        owner.exec_driver_sql(f"DROP OWNED BY {ROLE}")
        owner.exec_driver_sql(f"DROP ROLE {ROLE}")
        owner.exec_driver_sql("DROP TABLE alembic_version")


def test_acts_work_and_the_record_cannot_be_touched(request: pytest.FixtureRequest, dialect: str) -> None:
    """As the application's role: a tube goes into a sealed box; UPDATE, DELETE, TRUNCATE, dropping or disabling the
    triggers, switching them off for the session and granting itself more are all refused."""
    if dialect == "sqlite":
        session = request.getfixturevalue("session")
        with pytest.raises(CannotGrant, match="PostgreSQL"):
            make_role(session.connection(), ROLE, None, Base.metadata)
        return
    session = request.getfixturevalue("as_app")
    f.sealed(session, ("T1", "T2"))
    assert session.execute(text("SELECT count(*) FROM custody_event")).scalar_one() == 10
    refused = [
        statement
        for table in APPEND_ONLY
        for statement in (
            f"UPDATE {table} SET {column(table)} = {column(table)}",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
            f"ALTER TABLE {table} DISABLE TRIGGER ALL",
            f"DROP TRIGGER {table}_no_update ON {table}",
            f"DROP TABLE {table}",
        )
    ]
    refused += [
        "UPDATE act SET body = 'x'",
        "DELETE FROM act",
        "SET session_replication_role = replica",
        "CREATE OR REPLACE FUNCTION labrelay_append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        f"ALTER ROLE {ROLE} SUPERUSER",
        "SET ROLE labrelay",
    ]
    for statement in refused:
        with pytest.raises(Exception, match=r"permission denied|must be owner|must be superuser|append-only") as caught:
            session.execute(text(statement))
        assert isinstance(getattr(caught.value, "orig", None), psycopg.errors.InsufficientPrivilege), statement
        session.rollback()
    assert {"audit_entry", "print_entry"} <= set(APPEND_ONLY)
    session.add(AuditEntry(at=f.START, username="nurse", action="login"))
    prints.log(session, "manifest", "CN2603090001K", by="nurse", now=f.START)
    session.commit()
    session.execute(text("UPDATE act SET status = status"))  # an act is settled later
    session.rollback()


def column(table: str) -> str:
    others = {"signing_key": "public_key", "manifest_version": "seal_number"}
    return others.get(table, "username" if table in {"audit_entry", "print_entry"} else "hash")


def test_an_odd_name_is_refused() -> None:
    """The name goes into SQL: only plain identifiers."""
    with pytest.raises(CannotGrant):
        statements("x; DROP TABLE act", Base.metadata)
