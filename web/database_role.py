"""The PostgreSQL role that the application logs in as: it may add to the custody record and change nothing of it.

The owner of the tables runs ``labrelay db upgrade --app-role NAME``; the processes get the other role's URL.
"""

from __future__ import annotations

import re

from psycopg import sql
from sqlalchemy import Connection, MetaData

from logistics.models.append_only import role_statements

NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class CannotGrant(Exception):
    """Why the role could not be made, in a sentence."""


def statements(name: str, metadata: MetaData) -> list[str]:
    """The grants as SQL, for whoever rather runs them by hand. Raises CannotGrant for an odd name."""
    if not NAME.fullmatch(name):
        raise CannotGrant("A role's name has small letters, digits and underscores.")
    return [*role_statements(name, metadata.tables.values()), f"GRANT SELECT ON alembic_version TO {name}"]


def make_role(connection: Connection, name: str, password: str | None, metadata: MetaData) -> None:
    """Make the role when it is missing, give it the password when there is one, and grant; again changes nothing.

    Raises CannotGrant when this is no PostgreSQL or when the connection is that role itself.
    """
    if connection.dialect.name != "postgresql":
        raise CannotGrant("Roles are PostgreSQL's; with SQLite whoever may write the file may write everything.")
    grants = statements(name, metadata)
    if connection.exec_driver_sql("SELECT current_user").scalar_one() == name:
        raise CannotGrant("Connect as the owner of the tables, not as the application's role.")
    known = connection.exec_driver_sql("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).first()
    raw = connection.connection.driver_connection
    assert raw is not None  # noqa: S101
    with raw.cursor() as cursor:
        if known is None:
            cursor.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        plain = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
        cursor.execute(sql.SQL(f"ALTER ROLE {{}} {plain}").format(sql.Identifier(name)))
        if password:
            cursor.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(password)))
    for statement in grants:
        connection.exec_driver_sql(statement)
