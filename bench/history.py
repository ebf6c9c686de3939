"""A large custody record on PostgreSQL: one recorded day, copied over as many days before it as wanted.

    python -m bench.history --url postgresql+psycopg://… --specimens 1000000

The day is played through the same service as real ones (``bench.history_day``), so the copies are what the service
writes: every text has its day, its numbers, its ids and its UUIDs exchanged, and every hash is computed anew. Chains,
manifests, acts and projections hold in the copies, too: ``labrelay verify`` finds nothing. Readings come with the
days, positions of couriers with the last thirty of them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import psycopg

from logistics.domain import numbers
from logistics.domain.acts import answer_sha256
from logistics.domain.custody import GENESIS
from logistics.domain.digests import manifest_hash
from logistics.integrity.check_rows import lines_sql, sum_sql
from logistics.models import Consignment, ConsignmentLine, Specimen

TABLES = (
    "lab_order", "specimen", "specimen_test", "consignment", "consignment_line", "manifest_version", "handover", "act",
    "nonconformity", "custody_event", "seal_use", "reading", "courier_position",
)  # fmt: skip
FIRST = ("manifest_version", "act", "custody_event")
ORDER = (*FIRST, *(one for one in TABLES if one not in FIRST))
"""Manifests and acts before the events that hold their hashes, events before the rows that name their heads."""
POSITION_DAYS = 30
SERIAL_COLUMNS = {"custody_event": {"position"}, "manifest_version": {"id"}, "nonconformity": {"id"}}  # given anew
SUBJECTS = ((Specimen, "specimen", "id"), (Consignment, "consignment", "number"))
ID_COLUMNS = {"id": {"lab_order": "order", "specimen": "specimen"}, "order_id": "order", "specimen_id": "specimen",
              "recollects_id": "specimen"}  # fmt: skip
NULL = r"\N"
TOKEN = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d(?=[ T\"\t]|$))"
    r"|(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"|(?P<consignment>CN\d{10}[0-9A-Z])"
    r"|(?P<seal>SL\d{7}[0-9A-Z])"
    r"|(?P<accession>(?<![0-9A-Za-z])2\d{11}(?![0-9A-Za-z]))"
    r"|(?P<order>(?<=\"order\":)\d+)"
    r"|(?P<place>(?<=\"log\":\[1,)\d+)"
    r"|(?P<specimen>(?<=specimen:)\d+|(?<=\"specimen_id\": )\d+|(?<=\"specimen\": )\d+)"
)
Parts = list[tuple[str, str]]
"""A line taken apart: (kind, text); kind '' is copied as it is."""


@dataclass
class Line:
    """One row of the recorded day. ``texts``: what stays; ``tokens``: what is exchanged, between them."""

    texts: list[str]
    tokens: list[tuple[str, str]]


@dataclass
class Template:
    """The recorded day, row by row and table by table, as PostgreSQL's COPY writes it."""

    on: date
    columns: dict[str, list[str]] = field(default_factory=dict)
    lines: dict[str, list[Line]] = field(default_factory=dict)
    specimens: int = 0
    orders: int = 0
    seals: int = 0

    @property
    def events(self) -> int:
        return len(self.lines["custody_event"])


def read(url: str, on: date) -> Template:
    """What is in the database now: one day and nothing else."""
    found = Template(on)
    with psycopg.connect(plain(url)) as connection:
        for table in TABLES:
            rows = connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position",
                (table,),
            )
            left_out = SERIAL_COLUMNS.get(table, set())
            found.columns[table] = [name for (name,) in rows if name not in left_out]
            key = "position" if table == "custody_event" else "1"
            query = f"COPY (SELECT {', '.join(found.columns[table])} FROM {table} ORDER BY {key}) TO STDOUT"
            with connection.cursor().copy(query) as copy:
                text = b"".join(bytes(part) for part in copy).decode()
            found.lines[table] = [_line(table, found.columns[table], line) for line in text.splitlines()]
        found.specimens = connection.execute("SELECT max(id) FROM specimen").fetchone()[0]  # type: ignore[index]
        found.orders = connection.execute("SELECT max(id) FROM lab_order").fetchone()[0]  # type: ignore[index]
    found.seals = len(found.lines["consignment"]) + 1
    return found


def _line(table: str, columns: list[str], line: str) -> Line:
    parts: Parts = []
    for place, (column, value) in enumerate(zip(columns, line.split("\t"), strict=True)):
        if place:
            parts.append(("", "\t"))
        parts += _value(table, column, value)
    texts, tokens = [""], []
    for kind, text in parts:
        if kind:
            tokens.append((kind, text))
            texts.append("")
        else:
            texts[-1] += text
    return Line(texts, tokens)


def _value(table: str, column: str, value: str) -> Parts:
    if value == NULL:
        return [("", value)]
    if column == "accession_tail":
        return [("tail", value[::-1])]
    if column in {"hash", "prev_hash", "stream_head"}:
        return [(column, "")]
    if column in {"body_sha256", "answer_sha256", "place"}:
        return [(column, value)]
    known = ID_COLUMNS.get(column)
    kind = known.get(table) if isinstance(known, dict) else known
    if kind:
        return [(str(kind), value)]
    parts: Parts = []
    end = 0
    for match in TOKEN.finditer(value):
        parts += [("", value[end : match.start()]), (str(match.lastgroup), match.group())]
        end = match.end()
    parts.append(("", value[end:]))
    if table == "custody_event" and column == "body":
        return _with_hash(_with_hash(parts, "manifest"), "act_sha256")
    return parts


def _with_hash(parts: Parts, name: str) -> Parts:
    """The hash of the manifest in a sealing event of a consignment, and that of the act in every event."""
    found: Parts = []
    for kind, text in parts:
        match = re.search(rf'"{name}":"([0-9a-f]{{64}})"', text) if not kind else None
        if match is None:
            found.append((kind, text))
        else:
            found += [("", text[: match.start(1)]), (name, match.group(1)), ("", text[match.end(1) :])]
    return found


class Copy:
    """The recorded day as it would have been ``back`` days earlier; each copy has its own ids."""

    def __init__(self, template: Template, back: int) -> None:
        self.template, self.back = template, back
        self.known: dict[tuple[str, str], str] = {}
        self.heads: dict[str, str] = {}
        self.hashes: dict[str, str] = {}  # of manifests and acts, by those of the template
        self._new: dict[str, Callable[[str], str]] = {
            "day": self._day, "uuid": self._uuid, "consignment": self._consignment, "seal": self._seal,
            "accession": self._accession, "tail": lambda text: self._accession(text)[::-1],
            "specimen": lambda text: str(int(text) + (back + 1) * template.specimens),
            "place": lambda text: str(int(text) + back * template.events),
            "order": lambda text: str(int(text) + (back + 1) * template.orders),
        }  # fmt: skip

    def rows(self, table: str) -> Iterator[bytes]:
        """Lines for COPY, in the order of ORDER: later tables need what earlier ones gave."""
        for line in self.template.lines[table]:
            yield self._row(table, line).encode() + b"\n"

    def _row(self, table: str, line: Line) -> str:
        values = [self._token(kind, text) for kind, text in line.tokens]
        written = _joined(line.texts, values)
        if table == "manifest_version":
            return self._manifest(line, written)
        if table == "custody_event":
            return self._event(line, values, written)
        if table == "act":
            fields = dict(zip(self.template.columns[table], written.split("\t"), strict=True))
            body = f"{fields['username']}\n{_unescaped(fields['body'])}"
            new = hashlib.sha256(body.encode()).hexdigest()
            self.hashes[next(text for kind, text in line.tokens if kind == "body_sha256")] = new
            answered = answer_sha256(fields["id"], fields["status"], _unescaped(fields["answer"]))
            return self._filled(line, values, {"body_sha256": new, "answer_sha256": answered})
        if table in {"specimen", "consignment"}:
            key = written.split("\t")[self.template.columns[table].index("id" if table == "specimen" else "number")]
            return self._filled(line, values, {"stream_head": self.heads[f"{table}:{key}"]})
        return written

    def _manifest(self, line: Line, written: str) -> str:
        columns = self.template.columns["manifest_version"]
        place = columns.index("lines")
        old = _joined(line.texts, [text for _, text in line.tokens]).split("\t")[place]
        new = written.split("\t")[place]
        self.hashes[_manifest_hash(old)] = _manifest_hash(new)
        return written

    def _event(self, line: Line, values: list[str], written: str) -> str:
        columns = self.template.columns["custody_event"]
        values = [self.hashes[text] if kind in {"manifest", "act_sha256"} else value
                  for (kind, text), value in zip(line.tokens, values, strict=True)]  # fmt: skip
        fields = _joined(line.texts, values).split("\t")
        stream, body = fields[columns.index("stream")], _unescaped(fields[columns.index("body")])
        before = self.heads.get(stream, GENESIS)
        self.heads[stream] = hashlib.sha256(f"{before}\n{body}".encode()).hexdigest()
        return self._filled(line, values, {"prev_hash": before, "hash": self.heads[stream]})

    def _filled(self, line: Line, values: list[str], late: dict[str, str]) -> str:
        kinds = [kind for kind, _ in line.tokens]
        return _joined(line.texts, [late.get(kind, value) for kind, value in zip(kinds, values, strict=True)])

    def _token(self, kind: str, text: str) -> str:
        new = self._new.get(kind)
        if new is None:
            return ""
        key = (kind, text)
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = new(text)
        return found

    def _day(self, text: str) -> str:
        return str(date.fromisoformat(text) - timedelta(days=self.back))

    def _uuid(self, text: str) -> str:
        return f"{(int(text[:8], 16) + self.back * 2654435761) % 2**32:08x}{text[8:]}"

    def _on(self) -> date:
        return self.template.on - timedelta(days=self.back)

    def _consignment(self, text: str) -> str:
        return numbers.issue(numbers.Kind.CONSIGNMENT, int(text[8:12]), self._on())

    def _seal(self, text: str) -> str:
        return numbers.issue(numbers.Kind.SEAL, int(text[2:9]) + self.back * self.template.seals)

    def _accession(self, text: str) -> str:
        return f"{self._on():%y%m%d}{text[6:]}"


def _joined(texts: list[str], values: list[str]) -> str:
    out = [texts[0]]
    for value, text in zip(values, texts[1:], strict=True):
        out += (value, text)
    return "".join(out)


def _unescaped(text: str) -> str:
    """As it stood before COPY wrote it; our texts hold no control characters."""
    return text.replace("\\\\", "\\") if "\\" in text else text


def _manifest_hash(text: str) -> str:
    return manifest_hash(json.loads(_unescaped(text)))


def fill(url: str, template: Template, days: range, tell: Callable[[str], None] = print) -> None:
    """Write the copies of ``days`` (how far back). Triggers are off meanwhile, plain indexes are built at the end."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # what is copied was checked when it was recorded
        connection.execute("SET maintenance_work_mem = '1GB'")
        connection.execute("SET synchronous_commit = off")
        indexes = _drop_indexes(connection)
        began = time.perf_counter()
        for done, back in enumerate(days, start=1):
            _write(connection, Copy(template, back))
            if done % 25 == 0:
                tell(f"  {done} of {len(days)} days, {time.perf_counter() - began:.0f} s")
        tell("  indexes and statistics …")
        for statement in indexes:
            connection.execute(statement)
        finish(connection)
        connection.execute("SELECT setval('specimen_id_seq', (SELECT max(id) FROM specimen))")
        connection.execute("SELECT setval('lab_order_id_seq', (SELECT max(id) FROM lab_order))")
        connection.execute("VACUUM ANALYZE")


def _write(connection: psycopg.Connection[Any], one: Copy) -> None:
    with connection.transaction():
        for table in ORDER:
            if table == "courier_position" and one.back > POSITION_DAYS:
                continue
            columns = ", ".join(one.template.columns[table])
            with connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in one.rows(table):
                    copy.write(row)


def finish(connection: psycopg.Connection[Any]) -> None:
    """What only the copied rows tell: sums of lines, the sum of each row in its last event, how far the log is."""
    lines = lines_sql(ConsignmentLine, "specimen_id").replace("\\:", ":")
    connection.execute(f"UPDATE specimen SET lines_sum = t.mixed FROM ({lines}) AS t WHERE t.specimen_id = specimen.id")
    connection.execute("UPDATE custody_lane SET last = (SELECT max(place) FROM custody_event)")
    connection.execute("CREATE TEMPORARY TABLE fresh (position bigint, stream text, body text, hash text)")
    for model, kind, key in SUBJECTS:
        said = sum_sql(model, "s").replace("\\:", ":")
        rows = connection.execute(
            f"SELECT e.position, e.stream, e.body, e.prev_hash, {said} FROM {kind} s JOIN custody_event e"
            f" ON e.stream = '{kind}:' || s.{key} AND e.seq = s.stream_seq"
        )
        with connection.cursor().copy("COPY fresh FROM STDIN") as copy:
            for position, stream, body, before, total in rows.fetchall():
                new = re.sub(r'"after":"1:[0-9a-f]+"', f'"after":"1:{total}"', body, count=1)
                copy.write_row((position, stream, new, hashlib.sha256(f"{before}\n{new}".encode()).hexdigest()))
        connection.execute(
            f"UPDATE {kind} SET stream_head = f.hash FROM fresh f WHERE f.stream = '{kind}:' || {kind}.{key}"
        )
    connection.execute("CREATE INDEX ON fresh (position)")
    connection.execute(
        "UPDATE custody_event SET body = f.body, hash = f.hash FROM fresh f WHERE f.position = custody_event.position"
    )
    connection.execute("DROP TABLE fresh")


def _drop_indexes(connection: psycopg.Connection[Any]) -> list[str]:
    """Drop what is no constraint; gives the statements that build it again."""
    rows = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = ANY(%s)"
        " AND indexname NOT IN (SELECT conname FROM pg_constraint)",
        (list(TABLES),),
    ).fetchall()
    for name, _ in rows:
        connection.execute(f'DROP INDEX "{name}"')
    return [definition for _, definition in rows]


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


def main() -> None:
    from bench import history_world

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--url", required=True, help="an empty PostgreSQL database")
    options.add_argument("--specimens", type=int, default=1_000_000)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        world, template = history_world.build(history_world.settings_for(asked.url, folder))
        world.grow(template, asked.specimens)


if __name__ == "__main__":
    main()
