"""Making every projection anew from the custody log, or comparing them: ``labrelay rebuild [--check]``.

Each table of projections is made whole: rows that are gone are written again, rows that differ are mended, rows that
the log does not know are taken out. A tube, consignment or item that the log does not know is named and left: it may be
all that is left of a record that was cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import Base
from logistics.domain.custody import Break, Link, verify
from logistics.models import (
    Box,
    Consignment,
    ConsignmentLine,
    CustodyEvent,
    Handover,
    HandoverHalf,
    Item,
    ItemLine,
    Nonconformity,
    PrintEntry,
    SealUse,
    Specimen,
    SpecimenTest,
)
from logistics.services import arrivals, findings, replay, stability
from logistics.services.replay import Key, Replayed, Row


@dataclass(frozen=True)
class Table:
    """One table of projections as the log gives it: ``rows`` by the columns ``key``.

    ``strangers``: what is done with rows that the log does not know: removed | named | ignored.
    """

    model: type[Base]
    kind: str
    key: tuple[str, ...]
    rows: Mapping[Key, Row]
    strangers: str = "removed"


def tables(session: Session, result: Replayed) -> list[Table]:
    """Every table, in an order in which rows may be written: what others refer to comes first."""
    signed = result.signatures.judged()
    return [
        Table(Consignment, "consignment", ("number",), replay.load_rows(result), "named"),
        Table(Box, "box", ("code",), {(code,): asdict(one) for code, one in result.boxes.items()}, "ignored"),
        Table(Specimen, "specimen", ("id",), replay.tube_rows(session, result), "named"),
        Table(SpecimenTest, "test", ("specimen_id", "test_code"), result.tests),
        Table(ConsignmentLine, "line", ("consignment_number", "specimen_id"), result.lines),
        Table(Item, "item", ("number",), replay.item_rows(result), "named"),
        Table(ItemLine, "item_line", ("consignment_number", "item_number"), result.item_lines),
        Table(SealUse, "seal", ("number",), result.seals),
        Table(Handover, "handover", ("id", "consignment_number"), _plain(signed.handovers)),
        Table(HandoverHalf, "half", ("act_id", "consignment_number"), _plain(signed.halves)),
        Table(Nonconformity, "finding", ("stream", "seq"), findings.rows(result.findings, _subjects(result))),
    ]


def _plain(found: Mapping[Key, Any]) -> dict[Key, Row]:
    return {key: asdict(one) for key, one in found.items()}


def _subjects(result: Replayed) -> dict[str, Row]:
    """What findings copy from the thing they are about, by its stream."""
    tubes = {
        f"specimen:{one}": {
            "specimen_id": one,
            "accession": tube.facts.get("accession", ""),
            "origin_code": tube.facts.get("collecting_site_code"),
        }
        for one, tube in result.tubes.items()
    }
    loads = {
        f"consignment:{number}": {"specimen_id": None, "origin_code": load.facts.get("origin_code")}
        for number, load in result.loads.items()
    }
    return {**tubes, **loads}


def differences(session: Session) -> list[str]:
    """Where the columns differ from what the log gives: ``subject column: column's value ≠ log's value``."""
    return [line for table in tables(session, replay.replay(session)) for line in _compare(session, table)]


def _compare(session: Session, table: Table) -> list[str]:
    found, seen = [], set()
    for row in session.scalars(select(table.model).execution_options(yield_per=2000)):
        key = _key_of(table, row)
        expected = table.rows.get(key)
        if expected is None:
            if table.strangers != "ignored":
                found.append(f"{_name(table, key)}: not in the log")
            continue
        seen.add(key)
        found += [f"{_name(table, key)} {said}" for said in row_differences(row, expected)]
    found += [f"{_name(table, key)}: not in the table" for key in table.rows if key not in seen]
    return found


def _key_of(table: Table, row: Any) -> Key:
    return tuple(getattr(row, name) for name in table.key)


def _name(table: Table, key: Key) -> str:
    return f"{table.kind}:{'/'.join(str(part) for part in key)}"


def row_differences(row: Any, expected: Row) -> list[str]:
    """``column: column's value ≠ log's value`` for each column that differs."""
    return [
        f"{name}: {_shown(getattr(row, name))} ≠ {_shown(value)}"
        for name, value in expected.items()
        if getattr(row, name) != value
    ]


def _shown(value: object) -> str:
    """As somebody reads it who looks into the table."""
    return repr(str(value)) if isinstance(value, (str, datetime)) else repr(value)


def verify_log(session: Session) -> list[Break]:
    """The breaks in the hash chains of the whole log."""
    query = (
        select(CustodyEvent.stream, CustodyEvent.seq, CustodyEvent.body, CustodyEvent.prev_hash, CustodyEvent.hash)
        .order_by(CustodyEvent.stream, CustodyEvent.seq)
        .execution_options(yield_per=2000)
    )
    return verify(Link(*row) for row in session.execute(query))


def apply(session: Session) -> None:
    """Write every projection anew from the log."""
    result = replay.replay(session)
    fresh: list[Base] = []
    for table in tables(session, result):
        fresh += _write(session, table)
        session.flush()
    for row in fresh:
        _beside(session, row, result)
    session.flush()
    arrivals.recompute(session, now=clock.now())


def _write(session: Session, table: Table) -> list[Base]:
    """Returns the rows that were gone."""
    known = {_key_of(table, row): row for row in session.scalars(select(table.model))}
    fresh: list[Base] = []
    for key, stranger in known.items():
        if key not in table.rows and table.strangers == "removed":
            session.delete(stranger)
    session.flush()
    _make_way(session, table, known)
    for key, expected in table.rows.items():
        row = known.get(key)
        if row is not None:
            for name, value in expected.items():
                if getattr(row, name) != value:
                    setattr(row, name, value)
        elif table.strangers != "ignored":
            fresh.append(table.model(**{**dict(zip(table.key, key, strict=True)), **expected}))
    session.add_all(fresh)
    return fresh


def _make_way(session: Session, table: Table, known: Mapping[Key, Any]) -> None:
    """Tubes that have each other's numbers could not take their own back, one after the other."""
    if table.model is Specimen:
        for key, expected in table.rows.items():
            if key in known and known[key].accession_key != expected["accession_key"]:
                known[key].accession_key = f"? {known[key].id}"
        session.flush()


def _beside(session: Session, row: Base, result: Replayed) -> None:
    """What a row that was gone holds and no event says: prints are counted, promises and clocks begin anew."""
    if isinstance(row, Consignment):
        row.expected_at = result.expected.get(row.number)
    elif isinstance(row, Specimen):
        row.labels_printed = _printed(session, "specimen_label", row.accession)
        session.refresh(row, ["tests"])
        stability.start_clock(session, row)
    elif isinstance(row, Item):
        row.labels_printed = _printed(session, "item_label", row.number)


def _printed(session: Session, kind: str, subject: str) -> int:
    query = select(func.sum(PrintEntry.copies)).where(PrintEntry.kind == kind, PrintEntry.subject == subject)
    return int(session.scalar(query) or 0)
