"""Tables that only grow: database triggers refuse UPDATE, DELETE and TRUNCATE, and the statements for a role that may
not even try.

The statements stand here once: ``create_all`` runs them after each table, the migration runs them at its end, and
``labrelay db app-role`` grants by the same lists.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import DDL, MetaData, Table, event

APPEND_ONLY = (
    "custody_event", "manifest_version", "custody_digest", "custody_digest_leaf", "signing_key", "audit_entry",
    "print_entry",
)  # fmt: skip
"""Never updated, never deleted."""

FROZEN = {"act": ("id", "type", "body_sha256", "body", "username", "recorded_at")}
"""Tables whose rows stay and whose named columns never change (status and answer of an act do)."""

_FUNCTION = """
CREATE OR REPLACE FUNCTION labrelay_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
    MESSAGE = 'append-only: ' || TG_OP || ' on ' || TG_TABLE_NAME || ' is refused, the record is never changed';
END $$
"""


def statements(dialect: str, table: str) -> list[str]:
    """The DDL that makes ``table`` append-only (or freezes its columns) on ``postgresql`` or ``sqlite``."""
    columns = ", ".join(FROZEN.get(table, ()))
    update = f"UPDATE OF {columns}" if columns else "UPDATE"
    if dialect == "postgresql":
        return [_FUNCTION, *(_postgresql(table, name, what) for name, what in _names(table, update))]
    return [_sqlite(table, name, what) for name, what in _names(table, update) if what != "TRUNCATE"]


def _names(table: str, update: str) -> list[tuple[str, str]]:
    return [(f"{table}_no_{what.split()[0].lower()}", what) for what in (update, "DELETE", "TRUNCATE")]


def _postgresql(table: str, name: str, what: str) -> str:
    return (
        f"CREATE OR REPLACE TRIGGER {name} BEFORE {what} ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION labrelay_append_only()"
    )


def _sqlite(table: str, name: str, what: str) -> str:
    verb = what.split(maxsplit=1)[0]
    return (
        f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {what} ON {table} BEGIN "
        f"SELECT RAISE(ABORT, 'append-only: {verb} on {table} is refused, the record is never changed'); END"
    )


def all_statements(dialect: str) -> list[str]:
    """For every table, for the migration."""
    return [one for table in (*APPEND_ONLY, *FROZEN) for one in statements(dialect, table)]


def listen(metadata: MetaData) -> None:
    """Let ``create_all`` of ``metadata`` make the triggers with the tables."""
    for name in (*APPEND_ONLY, *FROZEN):
        table: Table = metadata.tables[name]
        for dialect in ("postgresql", "sqlite"):
            for one in statements(dialect, name):
                ddl = DDL(one).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]
                event.listen(table, "after_create", ddl)


def role_statements(role: str, tables: Iterable[Table]) -> list[str]:
    """PostgreSQL grants for the role that the application logs in as; ``role`` is an identifier already checked.

    It reads and writes everything but the record, of which it may only INSERT and read. It owns nothing, so it can
    neither drop nor disable a trigger.
    """
    found = [
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"REVOKE CREATE ON SCHEMA public FROM {role}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    ]
    for table in sorted(tables, key=lambda one: one.name):
        name = f'"{table.name}"'
        found.append(f"GRANT INSERT ON {name} TO {role}")
        if table.name in APPEND_ONLY:
            found.append(f"REVOKE UPDATE, DELETE, TRUNCATE, TRIGGER, REFERENCES ON {name} FROM {role}")
        elif frozen := FROZEN.get(table.name):
            free = ", ".join(f'"{column.name}"' for column in table.columns if column.name not in frozen)
            found.append(f"REVOKE UPDATE, DELETE, TRUNCATE, TRIGGER, REFERENCES ON {name} FROM {role}")
            found.append(f"GRANT UPDATE ({free}) ON {name} TO {role}")
        else:
            found.append(f"GRANT UPDATE, DELETE ON {name} TO {role}")
    return found
