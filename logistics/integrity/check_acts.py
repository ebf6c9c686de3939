"""What a verification asks about acts and about the log as a whole: nothing of it needs a signed day.

Every act still gives its hash, every event names its act as it was sent, every act that was done has its events, and
no lane of the log has a hole. PostgreSQL compares the sets itself and gives only what does not hold; SQLite has no
SHA-256, so there the acts are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from logistics.domain.acts import Act, answer_sha256
from logistics.domain.diagnosis import Finding, Kind, Stored, different_columns
from logistics.errors import LabrelayError
from logistics.integrity import scan
from logistics.models import Act as ActRow

DONE = ("done", "applied")
OTHERS = ("refused", "review", "void")
MAY_HAVE_NONE = frozenset({"ready", "urgent_call", "depart", "arrive", "hand_over", "receive_all", "decide_all"})
"""Done and without an event: they speak to dispatch, concern nothing at that place, or say again what is on record."""
MOST = 1000  # named of one sort

_HASH = "encode(sha256(convert_to(username || E'\\n' || body, 'UTF8')), 'hex')"
_COPIES = """
    right(body, length(type) + 10) <> '"type":"' || type || '"}'
    OR strpos(body, '{"device":' || to_json(device)::text || ',"how":') <> 1
    OR strpos(body, ',"id":"' || id || '","lat":') = 0
    OR strpos(body, '},"seq":' || coalesce(seq::text, 'null') || ',"site":') = 0
    OR CASE WHEN split_part(split_part(body, '"occurred_at":"', 2), '"', 1) ~ '^\\d{4}-\\d\\d-\\d\\dT[0-9:.+-]+$'
       THEN split_part(split_part(body, '"occurred_at":"', 2), '"', 1)::timestamptz <> occurred_at ELSE true END
"""
_WRONG = f"{_HASH} <> body_sha256 OR {_COPIES}"
_POSTGRESQL = f"SELECT id, {_HASH} <> body_sha256 FROM act WHERE {_WRONG} LIMIT {MOST}"  # noqa: S608

CHANGING_OVER = timedelta(hours=1)
"""After the first act whose answer was hashed a process of the version before may still have written some."""
_ANSWERS = f"""
    SELECT id, answer_sha256 IS NULL FROM act WHERE answer_sha256
    <> encode(sha256(convert_to(id || E'\\n' || status || E'\\n' || answer, 'UTF8')), 'hex')
    OR answer_sha256 IS NULL AND recorded_at > (SELECT min(recorded_at) FROM act WHERE answer_sha256 IS NOT NULL)
    + interval '1 hour' LIMIT {MOST}
"""  # noqa: S608

# The keys of a canonical text are sorted: it begins with the act and ends with number, site, stream and type.
_BEGINS = """'{"act"\\:"' || e.act_id || '","act_sha256"\\:"'"""
_ACTOR = """'","actor"\\:' || to_json(e.actor)\\:\\:text || ',"actor_name"\\:'"""
_ENDS = """'"seq"\\:' || e.seq || ',"site"\\:' || coalesce(to_json(e.site_code)\\:\\:text, 'null')
    || ',"stream"\\:' || to_json(e.stream)\\:\\:text || ',"type"\\:"' || e.type || '"}'"""
_AT = """split_part(split_part(e.body, ',"at"\\:"', 2), '"', 1)"""
_RECORDED = f"""split_part(split_part(right(left(e.body, -length({_ENDS})), 60), '"recorded"\\:"', 2), '"', 1)"""
_INSTANT = "'^\\d{4}-\\d\\d-\\d\\dT[0-9\\:.+-]+$'"
_EVENT_COPIES = f"""
    left(e.body, length({_BEGINS})) = {_BEGINS}
    AND substr(e.body, length({_BEGINS}) + 65, length({_ACTOR})) = {_ACTOR}
    AND right(e.body, length({_ENDS})) = {_ENDS}
    AND CASE WHEN {_AT} ~ {_INSTANT} THEN {_AT}\\:\\:timestamptz = e.occurred_at ELSE false END
    AND CASE WHEN {_RECORDED} ~ {_INSTANT} THEN {_RECORDED}\\:\\:timestamptz = e.recorded_at ELSE false END
"""


def check(session: Session, broken: dict[str, None]) -> list[Finding]:
    """Everything that does not hold. Streams with an event whose columns are not what its text says are added to
    ``broken``."""
    if session.get_bind().dialect.name != "postgresql":
        broken.update(dict.fromkeys(row.stream for row in scan.stored(session) if not _copied(row)))
    return [
        *acts(session),
        *answers(session),
        *_without_events(session),
        *_of_other_acts(session, broken),
        *lanes(session),
    ]


def _copied(row: Stored) -> bool:
    try:
        return not different_columns(row)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def acts(session: Session) -> list[Finding]:
    """Acts whose text does not give the hash beside it, or says something else than the columns beside it."""
    postgresql = session.get_bind().dialect.name == "postgresql"
    rows = session.execute(text(_POSTGRESQL)) if postgresql else _read(session)
    words = {True: "its text does not give its hash", False: "columns differ from the text"}
    return [Finding(f"act {act_id}", 0, Kind.ACT, words[bool(edited)]) for act_id, edited in rows]


def _read(session: Session) -> Iterator[tuple[str, bool]]:
    columns = (ActRow.id, ActRow.username, ActRow.body, ActRow.body_sha256, ActRow.type, ActRow.device, ActRow.seq,
               ActRow.occurred_at)  # fmt: skip
    for act_id, username, body, kept, *copies in session.execute(select(*columns).execution_options(yield_per=2000)):
        if hashlib.sha256(f"{username}\n{body}".encode()).hexdigest() != kept:
            yield act_id, True
        elif _said(body) != (act_id, *copies):
            yield act_id, False


def _said(body: str) -> tuple[Any, ...]:
    try:
        act = Act.from_kept(body)
    except (ValueError, KeyError, TypeError, LabrelayError):
        return ()
    return act.id, act.type, act.device, act.seq, act.occurred_at


def answers(session: Session) -> list[Finding]:
    """Acts whose answer and status do not give the hash beside them, or that have none though it was kept by then."""
    postgresql = session.get_bind().dialect.name == "postgresql"
    rows = session.execute(text(_ANSWERS)) if postgresql else _wrong_answers(session)
    words = {True: "it has no hash of its answer", False: "its answer or its status does not give the hash beside them"}
    return [Finding(f"act {act_id}", 0, Kind.ACT, words[bool(without)]) for act_id, without in rows]


def _wrong_answers(session: Session) -> Iterator[tuple[str, bool]]:
    kept = ActRow.answer_sha256.is_not(None)
    first = session.scalar(select(func.min(ActRow.recorded_at)).where(kept))
    if first is None:
        return
    without = select(ActRow.id).where(~kept, ActRow.recorded_at > first + CHANGING_OVER)
    yield from ((act_id, True) for act_id in session.scalars(without.limit(MOST)))
    query = select(ActRow.id, ActRow.status, ActRow.answer, ActRow.answer_sha256).where(kept)
    for act_id, status, answer, sha256 in session.execute(query.execution_options(yield_per=2000)):
        if answer_sha256(act_id, status, answer) != sha256:
            yield act_id, False


def _without_events(session: Session) -> list[Finding]:
    """Acts that were done and have no event, and acts that were not done and have one."""
    done = {f"s{number}": status for number, status in enumerate(DONE)}
    known = done | {f"o{number}": status for number, status in enumerate(OTHERS)}
    may = {f"t{number}": kind for number, kind in enumerate(sorted(MAY_HAVE_NONE))}
    was_done = f"a.status IN ({_names(done)})"
    has = "EXISTS (SELECT 1 FROM custody_event e WHERE e.act_id = a.id)"
    queries = (
        (f"{was_done} AND a.type NOT IN ({_names(may)}) AND NOT {has}", "it was done, and has no event", done | may),
        (f"NOT {was_done} AND {has}", "it has events, and its status says that it was not done", done),
        (f"a.status NOT IN ({_names(known)})", "there is no such status", known),
    )
    found = []
    for where, words, values in queries:
        query = text(f"SELECT a.id FROM act a WHERE {where} LIMIT {MOST}")  # noqa: S608
        found += [Finding(f"act {one}", 0, Kind.ACT, words) for one in session.scalars(query, values)]
    return found


def _names(values: Mapping[str, str]) -> str:
    return ", ".join(f":{name}" for name in values)


def _of_other_acts(session: Session, broken: dict[str, None]) -> list[Finding]:
    """Events whose act is gone or is not the one that they were made by, or that claim another place in the log."""
    postgresql = session.get_bind().dialect.name == "postgresql"
    place, copied = ("strpos", _EVENT_COPIES) if postgresql else ("instr", "1 = 1")
    of_act = f"""{place}(e.body, '"act_sha256"\\:"' || a.body_sha256 || '"') > 0"""
    in_lane = f"""{place}(e.body, '"log"\\:[' || e.lane || ',' || e.place || ']') > 0"""
    query = text(
        f"SELECT e.stream, e.seq, a.id IS NULL, {of_act}, {in_lane}"  # noqa: S608
        f" FROM custody_event e LEFT JOIN act a ON a.id = e.act_id"
        f" WHERE a.id IS NULL OR NOT {of_act} OR NOT {in_lane} OR NOT ({copied}) LIMIT {MOST}"
    )
    found = []
    for stream, seq, gone, same, placed in session.execute(query):
        if gone:
            found.append(Finding(stream, seq, Kind.ACT, "the act that made it is gone"))
        elif not same:
            found.append(Finding(stream, seq, Kind.ACT, "it was not made by this act as it stands"))
        elif not placed:
            found.append(Finding(stream, seq, Kind.EDITED, "columns differ from the text: lane, place"))
        else:
            broken[stream] = None
    return found


def lanes(session: Session) -> list[Finding]:
    """Holes in the lanes: an event was taken out, whatever it was about; and a place that two events claim."""
    steps = text(
        "SELECT lane, before, place, stream, seq FROM (SELECT lane, place, stream, seq,"
        " lag(place, 1, 0) OVER (PARTITION BY lane ORDER BY position) AS before FROM custody_event) AS steps"
        " WHERE place <> before + 1 ORDER BY lane, place LIMIT :most"
    )
    found = []
    for lane, before, place, stream, seq in session.execute(steps, {"most": MOST}):
        if place > before:
            gap = str(before + 1) if place == before + 2 else f"{before + 1} to {place - 1}"
            detail = f"place {gap}, recorded before {stream} #{seq}"
            found.append(Finding(f"log lane {lane}", before + 1, Kind.REMOVED, detail))
        else:
            found.append(Finding(stream, seq, Kind.INSERTED, f"place {place} of lane {lane} was taken"))
    ends = text(
        "SELECT e.lane, e.last, l.last FROM (SELECT lane, max(place) AS last FROM custody_event GROUP BY lane) AS e"
        " LEFT JOIN custody_lane l ON l.lane = e.lane WHERE l.last IS NULL OR l.last <> e.last"
        " UNION ALL SELECT l.lane, 0, l.last FROM custody_lane l WHERE l.last > 0"
        " AND NOT EXISTS (SELECT 1 FROM custody_event e WHERE e.lane = l.lane)"
    )
    for lane, last, known in session.execute(ends):
        if known is not None and known > last:
            found.append(Finding(f"log lane {lane}", last + 1, Kind.REMOVED, f"it was filled up to place {known}"))
        else:
            detail = f"its row says {known}, the log goes on to place {last}"
            found.append(Finding(f"log lane {lane}", 0, Kind.HEAD, detail))
    return found
