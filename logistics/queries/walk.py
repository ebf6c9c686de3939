"""Long lists a page at a time, along an index: no counting, no skipping, bounded work whatever was asked.

A page is found by walking candidates in the order of an index and keeping those that fit the rest of the question. A
walk looks at no more than ``reach`` candidates: a question that few rows answer gives a short page and the place to
go on from, never a scan of all history. Where one question needs several indexes (a site collects, tests or holds),
each has its walk, and the pages are merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Select, literal, select, tuple_
from sqlalchemy.orm import Session

from logistics.errors import Invalid

REACH = 5_000
Key = tuple[Any, ...]
Row_co = TypeVar("Row_co", covariant=True)
Conditions = Callable[[Any], Iterable[ColumnElement[bool]]]
"""From the columns of a walk to what a candidate must fulfil besides."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Candidates, newest (greatest key) first. ``source`` has the column ``id`` and whatever the conditions read;
    ``keys`` are columns of ``source`` by name, unique together, in the order of an index."""

    source: Select[Any]
    keys: Sequence[Any]
    reach: int = REACH


class Found(Protocol[Row_co]):
    """A page of any list: its rows, and what leads to the next one."""

    @property
    def rows(self) -> Sequence[Row_co]: ...
    @property
    def after(self) -> str | None: ...


def everything(session: Session, find: Callable[[str], Found[Row_co]]) -> Iterator[Row_co]:
    """The rows of all pages, each page read and forgotten: memory does not grow. ``find``: a page by its ``after``."""
    after: str | None = ""
    while after is not None:
        found = find(after)
        yield from found.rows
        session.expunge_all()
        after = found.after


@dataclass(frozen=True, slots=True)
class Step:
    """One page: ids in order, the key to go on after (None: that was all), and whether the reach ended it."""

    ids: Sequence[Any]
    after: Key | None
    cut: bool


def page(session: Session, walks: Sequence[Walk], keep: Conditions, *, size: int, after: Key | None = None) -> Step:
    """The first ``size`` candidates of all walks together that fit, from ``after`` on."""
    hits: dict[Any, Key] = {}
    horizon: Key | None = None  # beyond it some walk has not looked
    for walk in walks:
        found, end = _steps(session, walk, keep, size + 1, after)
        for key, ident in found:
            hits.setdefault(ident, key)
        if end is not None and (horizon is None or end > horizon):
            horizon = end
    ordered = sorted(((key, ident) for ident, key in hits.items()), key=lambda hit: hit[0], reverse=True)
    sure = [hit for hit in ordered if horizon is None or hit[0] >= horizon]
    shown = sure[:size]
    ids = [ident for _, ident in shown]
    if len(sure) > size:
        return Step(ids, shown[-1][0], cut=False)
    return Step(ids, horizon, cut=horizon is not None)


def _steps(
    session: Session, walk: Walk, keep: Conditions, wanted: int, after: Key | None
) -> tuple[list[tuple[Key, Any]], Key | None]:
    """What fits, and the last key looked at (None: nothing is left)."""
    source = walk.source
    if after is not None:
        bound = [literal(value, type_=column.type) for value, column in zip(after, walk.keys, strict=True)]
        source = source.where(tuple_(*walk.keys) < tuple_(*bound))
    source = source.order_by(*(column.desc() for column in walk.keys))
    seen = source.limit(walk.reach).subquery()
    keys = [seen.c[str(column.key)] for column in walk.keys]
    query = select(seen.c.id, *keys).where(*keep(seen.c)).order_by(*(key.desc() for key in keys)).limit(wanted)
    found = [(tuple(row[1:]), row[0]) for row in session.execute(query)]
    if len(found) == wanted:
        return found, found[-1][0]
    last = session.execute(source.with_only_columns(*walk.keys).offset(walk.reach - 1).limit(1)).first()
    return found, tuple(last) if last is not None else None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next page begins, as it stands in an address. ``seen``: rows on the pages before it."""

    kind: str
    seen: int
    key: Key

    def text(self) -> str:
        return "~".join([self.kind, str(self.seen), *(_written(value) for value in self.key)])

    @classmethod
    def read(cls, text: str, kind: str, types: Sequence[type]) -> Cursor | None:
        """None for the first page. Raises Invalid('page_malformed'), also when it belongs to another question."""
        if not text:
            return None
        parts = text.split("~")
        try:
            found = cls(parts[0], int(parts[1]), tuple(_value(*pair) for pair in zip(parts[2:], types, strict=True)))
        except (ValueError, IndexError, OverflowError):
            raise Invalid("page_malformed", field="after") from None
        if found.kind != kind or not 0 <= found.seen < 2**31:
            raise Invalid("page_malformed", field="after")
        return found


def _written(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _value(text: str, kind: type) -> Any:
    if kind is datetime:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError("an instant without its zone")
        return at
    if kind is int:
        number = int(text)
        if not 0 <= number < 2**31:
            raise ValueError("no row has that number")
        return number
    return text[:64]
