"""``column`` is one of a list of keys, where the whole list is one parameter.

    query = select(Box).where(among(Box.code, "codes"))
    session.execute(query, {"codes": ["BX1", "BX2"]})

``IN`` with as many parameters as keys is another statement for every length: it is put together anew each time, and
the database plans it anew. This one is written and planned once.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import ARRAY, Boolean, Dialect, Integer, String, TypeDecorator, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine


class Keys(TypeDecorator[Collection[Any]]):
    """A list of texts or of whole numbers: an array on PostgreSQL, JSON on SQLite."""

    impl = String
    cache_ok = True

    def __init__(self, *, whole: bool = False) -> None:
        super().__init__()
        self.whole = whole

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        item: TypeEngine[Any] = Integer() if self.whole else String()
        return dialect.type_descriptor(ARRAY(item) if dialect.name == "postgresql" else String())

    def process_bind_param(self, value: Collection[Any] | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return None if value is None else list(value)
        return json.dumps(list(value))


class _Among(FunctionElement[bool]):
    inherit_cache = True
    name = "among"
    type = Boolean()


@compiles(_Among, "postgresql")
def _array(element: _Among, compiler: Any, **kw: Any) -> str:
    column, keys = element.clauses
    return f"{compiler.process(column, **kw)} = ANY({compiler.process(keys, **kw)})"


@compiles(_Among)
def _json(element: _Among, compiler: Any, **kw: Any) -> str:
    column, keys = element.clauses
    inner = f"SELECT value FROM json_each({compiler.process(keys, **kw)})"  # noqa: S608 - a compiled parameter
    return f"{compiler.process(column, **kw)} IN ({inner})"


def among(column: Any, parameter: str) -> ColumnElement[bool]:
    """Whether ``column`` is one of the keys given as ``parameter`` when the statement is executed."""
    whole = isinstance(column.type, Integer)
    return _Among(column, bindparam(parameter, type_=Keys(whole=whole)))
