"""Many rows written by one statement, where all of them are one parameter.

    insert_rows(connection, CustodyEvent.__table__, rows)
    write_changed(session, (Specimen, ConsignmentLine))  # instead of a flush

A driver sends a list of rows as so many statements, and the database works on each by itself. Here PostgreSQL gets the
list as JSON, of which it makes the rows. SQLite, where a statement costs next to nothing, gets one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, bindparam, insert, inspect, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import InstanceState, Session

from logistics.db import Base

Rows = Sequence[Mapping[str, Any]]
_TYPES = postgresql.dialect()  # type: ignore[no-untyped-call]
_NEW = "new_"  # prefix of the parameters that hold new values


def insert_rows(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows that all have the same columns, in their order."""
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.execute(insert(table), list(rows))
        return
    connection.exec_driver_sql(_insert_sql(table, tuple(rows[0])), (_json(rows),))


def update_rows(connection: Connection, table: Table, columns: Iterable[str], rows: Rows) -> None:
    """Give the rows with these primary keys new values of ``columns``. Each row holds its key and all of them."""
    wanted = tuple(sorted(columns))
    if not rows or not wanted:
        return
    if connection.dialect.name != "postgresql":
        keys = _keys(table)
        values: dict[str, Any] = {name: bindparam(_NEW + name) for name in wanted}
        query = update(table).where(*(table.c[key] == bindparam(_NEW + key) for key in keys)).values(values)
        connection.execute(query, [{_NEW + name: row[name] for name in (*keys, *wanted)} for row in rows])
        return
    connection.exec_driver_sql(_update_sql(table, wanted), (_json(rows),))


def write_changed(session: Session, models: Sequence[type[Base]]) -> bool:
    """Write what was added to or changed in rows of these models, when nothing else is to be written; else do nothing
    and give False. The rows leave the session's care: they are read anew by whoever asks for them again."""
    new, changed = list(session.new), list(session.dirty)
    if session.deleted or not all(type(row) in models for row in (*new, *changed)):
        return False
    connection = session.connection()
    for model in models:
        mine = [row for row in new if type(row) is model]
        insert_rows(connection, _table(model), [_values(row, _table(model).columns.keys()) for row in mine])
        for row in mine:
            session.expunge(row)
        _update(session, model, [row for row in changed if type(row) is model])
    return True


def _update(session: Session, model: type[Base], changed: Sequence[Base]) -> None:
    table = _table(model)
    names = set(table.columns.keys())
    touched: set[str] = set()
    for row in changed:
        state: InstanceState[Base] = inspect(row)
        touched |= names & state.committed_state.keys()
    rows = [_values(row, (*_keys(table), *touched)) for row in changed]
    update_rows(session.connection(), table, touched, rows)
    for row in changed:
        session.expire(row)


def _values(row: Base, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _table(model: type[Base]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)  # noqa: S101
    return table


@cache
def _keys(table: Table) -> tuple[str, ...]:
    return tuple(table.primary_key.columns.keys())


def _json(rows: Rows) -> str:
    return msgspec.json.encode(rows).decode()


@cache
def _insert_sql(table: Table, columns: tuple[str, ...]) -> str:
    listed = ", ".join(columns)
    return f"INSERT INTO {table.name} ({listed}) SELECT {listed} FROM {_rows_sql(table, columns)}"  # noqa: S608


@cache
def _update_sql(table: Table, columns: tuple[str, ...]) -> str:
    keys = _keys(table)
    given = _rows_sql(table, (*keys, *(name for name in columns if name not in keys)))
    values = ", ".join(f"{name} = given.{name}" for name in columns)
    same = " AND ".join(f"{table.name}.{key} = given.{key}" for key in keys)
    return f"UPDATE {table.name} SET {values} FROM {given} WHERE {same}"  # noqa: S608


def _rows_sql(table: Table, columns: tuple[str, ...]) -> str:
    typed = ", ".join(f"{name} {table.c[name].type.compile(_TYPES)}" for name in columns)
    return f"json_to_recordset(CAST(%s AS json)) AS given ({typed})"
