"""Whether every row of a projection is what the log says, without replaying the log.

Each event holds the sum of its subject's row as it left it, so a row is compared with its last event. What a sum cannot
cover is compared as a set: tests, counts, patients, boxes, signatures, nonconformities. PostgreSQL works the sums out
itself and gives only what does not hold. A stream whose rows do not hold is then replayed, and the columns are named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import DateTime, String, cast, literal, select, text
from sqlalchemy.orm import Session

from logistics.db import Base, UTCDateTime
from logistics.domain.diagnosis import Finding, Kind
from logistics.domain.sums import DIGITS, NOTHING, mixed
from logistics.integrity import check_beside
from logistics.models import Consignment, ConsignmentLine, CustodyEvent, Item, ItemLine, Specimen
from logistics.models.summed import SUMMED, VERSION, sum_of
from logistics.services import rebuild, replay

SUBJECTS: tuple[tuple[type[Base], str, str], ...] = (
    (Specimen, "specimen", "id"),
    (Consignment, "consignment", "number"),
    (Item, "item", "number"),
)
LINES: tuple[tuple[type[Base], type[Base], str, str, str], ...] = (
    (ConsignmentLine, Specimen, "specimen", "specimen_id", "id"),
    (ItemLine, Item, "item", "item_number", "number"),
)
ORPHANS = (
    ("consignment_line", "specimen", "specimen_id", "specimen", "id"),
    ("load_item_line", "item", "item_number", "load_item", "number"),
    ("specimen_test", "specimen", "specimen_id", "specimen", "id"),
)
MOST = 1000  # streams that are replayed to name what is wrong with them


def check(session: Session, broken: Collection[str] = ()) -> list[Finding]:
    """Every row that does not follow from the log. ``broken``: streams that do not hold themselves: what their rows
    should be, they cannot say."""
    suspects: dict[str, str] = {}
    for stream, words in _suspects(session):
        if stream not in broken:
            suspects.setdefault(stream, words)
    found = []
    for stream in list(suspects)[:MOST]:
        found += _named(session, stream) or [Finding(stream, 0, Kind.PROJECTION, suspects[stream])]
    if len(suspects) > MOST:
        words = f"{len(suspects) - MOST} more tubes, consignments and items are not what the log says"
        found.append(Finding("projections", 0, Kind.PROJECTION, words))
    return found + check_beside.check(session)


def _suspects(session: Session) -> Iterator[tuple[str, str]]:
    """(stream, what is wrong) of the tubes, consignments and items whose rows do not hold."""
    postgresql = session.get_bind().dialect.name == "postgresql"
    for model, kind, key in SUBJECTS:
        yield from _all(session, _strangers(model, kind, key), "not in the log")
        rows = _all_sums(session, model, kind, key) if postgresql else _read_sums(session, model, kind, key)
        yield from ((stream, "its row is not what its last event left") for stream in rows)
    for line, model, kind, of, key in LINES:
        rows = (
            _all_lines(session, line, model, kind, of, key)
            if postgresql
            else _read_lines(session, line, model, kind, of, key)
        )
        yield from ((stream, "its lines are not what its events left") for stream in rows)
    for table, kind, of, owner, key in ORPHANS:
        query = (
            f"SELECT DISTINCT '{kind}:' || r.{of} FROM {table} r LEFT JOIN {owner} o ON o.{key} = r.{of}"  # noqa: S608
            f" WHERE o.{key} IS NULL"
        )
        yield from _all(session, query, f"rows of {table}, and no such {kind}")
    yield from _all(session, COUNTS, "its counts or its priority are not those of what is inside")
    yield from _all(session, TESTS_POSTGRESQL if postgresql else TESTS_SQLITE, "its tests are not those it came with")
    yield from _all(session, patients(postgresql=postgresql), "its patient's reference is not the one in its act")


def _all(session: Session, query: str, words: str) -> Iterable[tuple[str, str]]:
    return [(stream, words) for stream in session.scalars(text(query))]


# --- sums -----------------------------------------------------------------------------------------------------------


def _strangers(model: type[Base], kind: str, key: str) -> str:
    return f"SELECT '{kind}:' || {key} FROM {model.__tablename__} WHERE stream_seq = 0"  # noqa: S608


def sum_sql(model: type[Base], alias: str) -> str:
    """What a row adds up to, in PostgreSQL's words: the text is that of ``domain.sums.row_text``. Colons are escaped
    for ``sqlalchemy.text``."""
    parts = []
    for name in SUMMED[model]:
        column = model.__table__.columns[name]
        if isinstance(column.type, (DateTime, UTCDateTime)):
            at = f"{alias}.{name} AT TIME ZONE 'UTC'"
            parts.append(f"""to_char({at}, 'YYYY-MM-DD"T"HH24\\:MI\\:SS.US')""")
        else:
            parts.append(f"{alias}.{name}")
    array = f"json_build_array({', '.join(parts)})"
    return f"left(encode(sha256(convert_to({array}\\:\\:text, 'UTF8')), 'hex'), {DIGITS})"


def _all_sums(session: Session, model: type[Base], kind: str, key: str) -> Iterable[str]:
    said = f"""'"after"\\:"{VERSION}\\:' || {sum_sql(model, "s")} || '"'"""
    query = (
        f"SELECT '{kind}:' || s.{key} FROM {model.__tablename__} s JOIN custody_event e"  # noqa: S608
        f" ON e.stream = '{kind}:' || s.{key} AND e.seq = s.stream_seq WHERE strpos(e.body, {said}) = 0"
    )
    found: Iterable[str] = session.scalars(text(query)).all()
    return found


def _read_sums(session: Session, model: Any, kind: str, key: str) -> Iterator[str]:
    stream = _text(kind, getattr(model, key))
    last = (CustodyEvent.stream == stream) & (CustodyEvent.seq == model.stream_seq)
    query = select(model, CustodyEvent.body).join(CustodyEvent, last).execution_options(yield_per=1000)
    for row, body in session.execute(query):
        if f'"after":"{VERSION}:{sum_of(row)}"' not in body:
            yield f"{kind}:{getattr(row, key)}"


def _text(kind: str, column: Any) -> Any:
    return literal(f"{kind}:") + cast(column, String)


def _all_lines(session: Session, line: Any, model: Any, kind: str, of: str, key: str) -> Iterable[str]:
    query = (
        f"SELECT '{kind}:' || s.{key} FROM {model.__tablename__} s LEFT JOIN ({lines_sql(line, of)}) AS t"  # noqa: S608
        f" ON t.{of} = s.{key} WHERE s.lines_sum <> coalesce(t.mixed, '{NOTHING}')"
    )
    found: Iterable[str] = session.scalars(text(query)).all()
    return found


def lines_sql(line: type[Base], of: str) -> str:
    """What the lines of each tube or item add up to together (``mixed``), in PostgreSQL's words."""
    halves = " || ".join(
        f"lpad(to_hex(bit_xor(('x' || substr(h, {start}, 16))\\:\\:bit(64)\\:\\:bigint)), 16, '0')" for start in (1, 17)
    )
    rows = f"SELECT l.{of}, {sum_sql(line, 'l')} AS h FROM {line.__tablename__} l"  # noqa: S608
    return f"SELECT {of}, {halves} AS mixed FROM ({rows}) AS lines GROUP BY {of}"  # noqa: S608


def _read_lines(session: Session, line: Any, model: Any, kind: str, of: str, key: str) -> Iterator[str]:
    query = select(line).order_by(getattr(line, of)).execution_options(yield_per=1000)
    sums = {
        one: mixed(*(sum_of(row) for row in rows))
        for one, rows in groupby(session.scalars(query), key=lambda row: getattr(row, of))
    }
    for one, said in session.execute(select(getattr(model, key), model.lines_sum)):
        if said != sums.get(one, NOTHING):
            yield f"{kind}:{one}"


# --- sets -----------------------------------------------------------------------------------------------------------

_RANK = "CASE {0}.priority WHEN 'stat' THEN 2 WHEN 'urgent' THEN 1 WHEN 'routine' THEN 0 ELSE {1} END"
COUNTS = f"""
    SELECT 'consignment:' || c.number FROM consignment c LEFT JOIN
      (SELECT l.consignment_number AS number, count(*) AS tubes, max({_RANK.format("s", 0)}) AS urgent
       FROM consignment_line l JOIN specimen s ON s.id = l.specimen_id
       WHERE l.outcome NOT IN ('refused', 'unpacked', 'elsewhere') GROUP BY l.consignment_number) AS t
      ON t.number = c.number LEFT JOIN
      (SELECT consignment_number AS number, count(*) AS items FROM load_item_line GROUP BY consignment_number) AS i
      ON i.number = c.number
    WHERE c.tube_count <> coalesce(t.tubes, 0) OR c.item_count <> coalesce(i.items, 0)
       OR {_RANK.format("c", -1)} <> coalesce(t.urgent, 0)
"""  # noqa: S608
TESTS_POSTGRESQL = """
    SELECT 'specimen:' || s.id FROM specimen s JOIN custody_event e ON e.stream = 'specimen:' || s.id AND e.seq = 1
      LEFT JOIN (SELECT specimen_id,
                   string_agg(to_json(test_code)\\:\\:text, ',' ORDER BY test_code COLLATE "C") AS codes
                 FROM specimen_test GROUP BY specimen_id) AS t ON t.specimen_id = s.id
    WHERE strpos(e.body, '"tests"\\:[' || coalesce(t.codes, '') || ']') = 0
"""
TESTS_SQLITE = """
    SELECT 'specimen:' || s.id FROM specimen s JOIN custody_event e ON e.stream = 'specimen:' || s.id AND e.seq = 1
      LEFT JOIN (SELECT specimen_id, group_concat(json_quote(test_code), ',') AS codes
                 FROM (SELECT * FROM specimen_test ORDER BY specimen_id, test_code) AS tests GROUP BY specimen_id) AS t
      ON t.specimen_id = s.id
    WHERE instr(e.body, '"tests"\\:[' || coalesce(t.codes, '') || ']') = 0
"""


def patients(*, postgresql: bool) -> str:
    """Tubes whose masked reference is not the one in the act that registered them, or not that of the tube they were
    collected again for. It is personal data: nothing of it stands in the log, so the signed act is its witness."""
    find, quoted = (
        ("strpos", "to_json(s.patient_ref)\\:\\:text") if postgresql else ("instr", "json_quote(s.patient_ref)")
    )
    named = f"""{find}(a.body, '"patient_ref"\\:"')"""
    return f"""
        SELECT 'specimen:' || s.id FROM specimen s
          JOIN custody_event e ON e.stream = 'specimen:' || s.id AND e.seq = 1 JOIN act a ON a.id = e.act_id
        WHERE s.recollects_id IS NULL AND CASE WHEN s.patient_ref = ''
          THEN {named} > 0 AND {find}(a.body, '"patient_ref"\\:""') = 0
          ELSE {find}(a.body, '"patient_ref"\\:' || {quoted}) = 0 END
        UNION ALL
        SELECT 'specimen:' || s.id FROM specimen s JOIN specimen o ON o.id = s.recollects_id
        WHERE s.patient_ref <> o.patient_ref
    """  # noqa: S608


# --- naming ---------------------------------------------------------------------------------------------------------


def _named(session: Session, stream: str) -> list[Finding]:
    """What a replay of this stream alone says otherwise than its rows."""
    kind, _, key = stream.partition(":")
    if kind == "specimen" and not key.isdigit():
        return []
    try:
        said = list(_differences(session, stream, kind, key))
    except (KeyError, ValueError, TypeError, AttributeError):
        return []  # its events are no events any more: they are named as such
    return [Finding(stream, 0, Kind.PROJECTION, one) for one in said]


def _differences(session: Session, stream: str, kind: str, key: str) -> Iterator[str]:
    result = replay.replay(session, [stream])
    if kind == "specimen":
        one = int(key)
        rows, lines = replay.tube_rows(session, result), {number: row for (number, _), row in result.lines.items()}
        model: Any = Specimen
        actual: Any = session.scalars(select(ConsignmentLine).where(ConsignmentLine.specimen_id == one))
        unknown = {"lines_sum"}
    elif kind == "item":
        rows, lines = replay.item_rows(result), {number: row for (number, _), row in result.item_lines.items()}
        model, unknown = Item, {"lines_sum"}
        actual = session.scalars(select(ItemLine).where(ItemLine.item_number == key))
    else:
        rows, lines, actual, model = replay.load_rows(result), {}, (), Consignment
        unknown = {"tube_count", "item_count", "priority"}
    primary: Any = int(key) if kind == "specimen" else key
    row = session.get(model, primary)
    expected = rows.get((primary,))
    if row is None or expected is None:
        return
    heads = {"stream_seq", "stream_head"}  # the chain's own check names them
    known = {name: value for name, value in expected.items() if name not in unknown | heads}
    yield from rebuild.row_differences(row, known)
    yield from _line_differences(actual, lines)


def _line_differences(actual: Iterable[Any], expected: dict[str, Any]) -> Iterator[str]:
    left = dict(expected)
    for line in actual:
        said = left.pop(line.consignment_number, None)
        name = f"line in {line.consignment_number}"
        if said is None:
            yield f"{name}: not in the log"
            continue
        known = {column: value for column, value in said.items() if column != "position"}
        yield from (f"{name} {one}" for one in rebuild.row_differences(line, known))
    yield from (f"line in {number}: not in the table" for number in left)
