"""Reading the whole custody log once, fast: which streams do not hold, and where each of them ends.

One pass in the order of recording; a row costs about five microseconds of one core: hash, link, number, and whether its
text is that of this stream and number. The columns beside it are compared by the database (``check_acts``). What does
not hold is only noted here; ``logistics.domain.diagnosis`` names it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from logistics.domain.custody import GENESIS
from logistics.domain.diagnosis import Stored
from logistics.models import Act

COLUMNS = "stream, seq, type, act_id, occurred_at, recorded_at, actor, site_code, body, prev_hash, hash, position"
BATCH = 20_000
PROGRESS_EVERY = 20_000
MOST_STREAMS = 3_000_000
"""Streams whose heads are kept in memory at once (about 350 bytes each); a longer log is read in several passes."""

Row = tuple[str, int, bytes, str, str, int]
Head = tuple[int, str]
Tell = Callable[[int, int], None]
"""Called with (events read, events in all)."""


class Body(msgspec.Struct):
    """What a text says it is."""

    seq: int
    stream: str


@dataclass
class Scanned:
    """What a pass saw. ``broken``: streams to look at again; ``heads``: number and hash of the last event of each."""

    events: int = 0
    broken: set[str] = field(default_factory=set)
    heads: dict[str, Head] = field(default_factory=dict)


def scan(rows: Iterable[Row], tell: Callable[[int], None] = lambda read: None) -> Scanned:
    """Check every row against the one before it in its stream."""
    result = Scanned()
    heads, broken = result.heads, result.broken
    head_of, decode, sha256 = heads.get, msgspec.json.Decoder(Body).decode, hashlib.sha256
    begin = (0, GENESIS)
    read = 0
    for stream, seq, body, previous, digest, _ in rows:
        last_seq, last_hash = head_of(stream, begin)
        heads[stream] = (seq, digest)
        try:
            said = decode(body)
            if not (
                seq == last_seq + 1
                and previous == last_hash
                and sha256(previous.encode() + b"\n" + body).hexdigest() == digest
                and said.seq == seq
                and said.stream == stream
            ):
                broken.add(stream)
        except (msgspec.MsgspecError, TypeError, AttributeError):  # no event, a NULL
            broken.add(stream)
        read += 1
        if not read % PROGRESS_EVERY:
            tell(read)
    result.events = read
    return result


def read_rows(session: Session, part: int = 0, parts: int = 1) -> Iterator[Row]:
    """Every event in the order it was recorded; of several ``parts`` only the streams of one."""
    if session.get_bind().dialect.name == "postgresql":
        yield from _postgresql(session, part, parts)
    else:
        yield from _sqlite(session)


def _postgresql(session: Session, part: int, parts: int) -> Iterator[Row]:
    """By ranges of the key, in binary: a third less than COPY gives row by row, and as little memory."""
    only = f"AND mod(hashtext(stream)::bigint + 2147483648, {parts:d}) = {part:d}" if parts > 1 else ""
    columns = "stream, seq, convert_to(body, 'UTF8'), prev_hash, hash, position"  # bytes, as they are hashed
    query = (
        f"SELECT {columns} FROM custody_event WHERE position > %s {only}"  # noqa: S608
        f" ORDER BY position LIMIT {BATCH:d}"
    )
    last = -1
    with _cursor(session) as cursor:
        while rows := cursor.execute(query, (last,)).fetchall():
            last = rows[-1][-1]
            yield from rows


def _cursor(session: Session) -> Any:
    raw: Any = session.connection().connection.driver_connection
    return raw.cursor(binary=True)


def acts(session: Session, since: datetime, until: datetime) -> Iterator[tuple[str, str]]:
    """(id, hash) of the acts that arrived in a time, in the order of their ids' bytes."""
    if session.get_bind().dialect.name == "postgresql":
        columns = "id, body_sha256"
        query = f'SELECT {columns} FROM act WHERE recorded_at >= %s AND recorded_at < %s ORDER BY id COLLATE "C"'  # noqa: S608
        with _cursor(session) as cursor:
            yield from cursor.execute(query, (since, until))
        return
    rows = select(Act.id, Act.body_sha256).where(Act.recorded_at >= since, Act.recorded_at < until).order_by(Act.id)
    for row in session.execute(rows.execution_options(yield_per=5000)):
        yield str(row[0]), str(row[1])


def _sqlite(session: Session) -> Iterator[Row]:
    query = "SELECT stream, seq, body, prev_hash, hash, position FROM custody_event ORDER BY position"
    for stream, seq, body, *rest in session.connection().exec_driver_sql(query).yield_per(2000):
        yield stream, seq, str(body).encode(), *rest


def stored(session: Session) -> Iterator[Stored]:
    """Every row of the log as it is stored, copies and all: slower."""
    result = session.connection().exec_driver_sql(f"SELECT {COLUMNS} FROM custody_event ORDER BY position")  # noqa: S608
    yield from (_stored(row) for row in result.yield_per(2000))


def _instant(value: str) -> datetime:
    """As SQLite keeps it: UTC without saying so."""
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    except (ValueError, TypeError):
        return datetime.min.replace(tzinfo=UTC)  # somebody wrote no time there: it differs from the text


def size(session: Session) -> tuple[int, int]:
    """(events, streams) in the log, counted."""
    row = session.execute(text("SELECT count(*), count(CASE WHEN seq = 1 THEN 1 END) FROM custody_event")).one()
    return int(row[0]), int(row[1])


def whole_stream(session: Session, stream: str) -> Sequence[Stored]:
    """All rows of one stream as they are stored."""
    query = text(f"SELECT {COLUMNS} FROM custody_event WHERE stream = :stream ORDER BY seq, position")  # noqa: S608
    return [_stored(row) for row in session.execute(query, {"stream": stream})]


def _stored(row: Any) -> Stored:
    name, seq, kind, act, at, recorded, actor, site, body, previous, digest, position = row
    return Stored(position, name, seq, kind, act, _aware(at), _aware(recorded), actor, site, body, previous, digest)


def _aware(value: datetime | str) -> datetime:
    return _instant(value) if isinstance(value, str) else value.astimezone(UTC)
