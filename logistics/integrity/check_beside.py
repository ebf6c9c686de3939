"""What is no subject of a stream and yet follows from the log: boxes, seals, signatures, findings, tests, photos."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from logistics.domain import findings as rules
from logistics.domain.custody import LOCKING, Event, read_text
from logistics.domain.custody import EventType as E
from logistics.domain.diagnosis import Finding, Kind
from logistics.domain.signatures import PASSING, Half, Signatures
from logistics.domain.signatures import Handover as Signed
from logistics.models import (
    Attachment,
    Box,
    Consignment,
    CustodyEvent,
    Handover,
    HandoverHalf,
    Nonconformity,
    SealUse,
    Specimen,
    SpecimenTest,
)
from logistics.services import findings, rebuild, replay, seal_uses

_LAST = text(
    "SELECT box_code, number FROM (SELECT c.box_code, c.number, row_number() OVER (PARTITION BY c.box_code"
    " ORDER BY e.position DESC) AS place FROM consignment c"
    " JOIN custody_event e ON e.stream = 'consignment\\:' || c.number AND e.seq = 1) AS opened WHERE place = 1"
)
_OPENING = sorted(rules.OPENING)
_SETTLING = sorted(rules.SETTLING | rules.OPENING)
BATCH = 500


def check(session: Session) -> list[Finding]:
    """Every such row that does not follow from the log."""
    return [
        *boxes(session),
        *signatures(session),
        *seals(session),
        *nonconformities(session),
        *rejected_tests(session),
        *photos(session),
    ]


def _note(subject: str, said: Iterable[str]) -> Iterator[Finding]:
    return (Finding(subject, 0, Kind.PROJECTION, one) for one in said)


def _events(session: Session, *where: Any) -> Iterator[Event]:
    query = select(CustodyEvent.body).where(*where).order_by(CustodyEvent.position)
    for body in session.scalars(query.execution_options(yield_per=2000)):
        try:
            yield read_text(body)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            continue  # named with its chain


def boxes(session: Session) -> Iterator[Finding]:
    """Where a box is, who has it and what it carries follow from the last consignment that used it. Where a box is that
    none ever used, only its owner can say."""
    last: dict[str, str] = {row[0]: row[1] for row in session.execute(_LAST)}
    streams = sorted(f"consignment:{number}" for number in last.values())
    expected: dict[str, Any] = {}
    for start in range(0, len(streams), BATCH):
        try:
            expected |= replay.replay(session, streams[start : start + BATCH]).boxes
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # events that are none any more are named with their chains
    for box in session.scalars(select(Box)):
        if box.code in last and box.code in expected:
            yield from _note(f"box {box.code}", rebuild.row_differences(box, asdict(expected[box.code])))
        elif box.code not in last and (box.holder is not None or box.consignment_number is not None):
            yield from _note(f"box {box.code}", ["no consignment was ever in it"])


def signatures(session: Session) -> Iterator[Finding]:
    """Handovers and givers' halves, each as its event says."""
    said = Signatures()
    kinds = sorted(one.value for one in PASSING | {E.HANDOVER_SIGNED})
    for event in _events(session, CustodyEvent.type.in_(kinds), CustodyEvent.stream.like("consignment:%")):
        try:
            said.follow(event)
        except (ValueError, KeyError, TypeError):
            continue
    judged = said.judged()
    yield from _compare(session, Handover, Signed, ("id", "consignment_number"), judged.handovers, "handover")
    yield from _compare(session, HandoverHalf, Half, ("act_id", "consignment_number"), judged.halves, "half")


def _compare(
    session: Session, model: Any, kind: Any, key: tuple[str, str], expected: Mapping[tuple[str, str], Any], word: str
) -> Iterator[Finding]:
    left = dict(expected)
    names = [field.name for field in fields(kind)]
    values, place = attrgetter(*names), [names.index(name) for name in key]
    columns = [getattr(model, name) for name in names]
    for row in session.execute(select(*columns).execution_options(yield_per=2000)):
        one = (row[place[0]], row[place[1]])
        said = left.pop(one, None)
        name = f"{word} {one[0]} {one[1]}"
        if said is None:
            yield from _note(name, ["not in the log"])
        elif values(said) != tuple(row):
            yield from _note(name, rebuild.row_differences(row, asdict(said)))
    for one in left:
        yield from _note(f"{word} {one[0]} {one[1]}", ["not in the table"])


def seals(session: Session) -> Iterator[Finding]:
    """Every seal number that was ever put on a box, with the first use of it."""
    expected: dict[tuple[str], dict[str, Any]] = {}
    for event in _events(session, CustodyEvent.type.in_(sorted(LOCKING)), CustodyEvent.stream.like("consignment:%")):
        try:
            seal_uses.replayed(expected, event.stream.partition(":")[2], event)
        except (KeyError, TypeError, AttributeError):
            continue
    for row in session.scalars(select(SealUse).execution_options(yield_per=2000)):
        said = expected.pop((row.number,), None)
        yield from _note(
            f"seal {row.number}", ["not in the log"] if said is None else rebuild.row_differences(row, said)
        )
    for (number,) in expected:
        yield from _note(f"seal {number}", ["not in the table"])


def nonconformities(session: Session) -> Iterator[Finding]:
    """Opened and settled as the events of their streams say; with copies of what they are about."""
    opening = select(CustodyEvent.stream).where(CustodyEvent.type.in_(_OPENING), CustodyEvent.stream.not_like("item:%"))
    query = (
        select(CustodyEvent.stream, CustodyEvent.body)
        .where(CustodyEvent.type.in_(_SETTLING), CustodyEvent.stream.in_(opening))
        .order_by(CustodyEvent.stream, CustodyEvent.seq)
    )
    expected: dict[str, list[rules.Finding]] = {}
    for stream, rows in groupby(session.execute(query.execution_options(yield_per=2000)), key=lambda row: str(row[0])):
        found: list[rules.Finding] = []
        for _, body in rows:
            try:
                found = rules.replayed(found, read_text(body))
            except (ValueError, KeyError, TypeError, AttributeError, IndexError):
                continue
        if found:
            expected[stream] = found
    wanted = findings.rows(expected, _subjects(session, expected))
    yield from _compare_findings(session, wanted)


def _subjects(session: Session, streams: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What a finding copies from the tube or consignment that it is about."""
    found: dict[str, dict[str, Any]] = {}
    keys = [stream.partition(":")[::2] for stream in streams]
    tubes = [int(key) for kind, key in keys if kind == "specimen" and key.isdigit()]
    loads = [key for kind, key in keys if kind == "consignment"]
    for start in range(0, len(tubes), BATCH):
        columns = (Specimen.id, Specimen.accession, Specimen.collecting_site_code)
        query = select(*columns).where(Specimen.id.in_(tubes[start : start + BATCH]))
        for one, accession, site in session.execute(query):
            found[f"specimen:{one}"] = {"specimen_id": one, "accession": accession, "origin_code": site}
    for start in range(0, len(loads), BATCH):
        about = select(Consignment.number, Consignment.origin_code)
        for number, site in session.execute(about.where(Consignment.number.in_(loads[start : start + BATCH]))):
            found[f"consignment:{number}"] = {"specimen_id": None, "origin_code": site}
    return found


def _compare_findings(session: Session, wanted: dict[Any, Any]) -> Iterator[Finding]:
    left = dict(wanted)
    for row in session.scalars(select(Nonconformity).execution_options(yield_per=2000)):
        said = left.pop((row.stream, row.seq), None)
        name = f"finding {row.stream} #{row.seq}"
        yield from _note(name, ["not in the log"] if said is None else rebuild.row_differences(row, said))
    for stream, seq in left:
        yield from _note(f"finding {stream} #{seq}", ["not in the table"])


def rejected_tests(session: Session) -> Iterator[Finding]:
    """Tests that were rejected alone: by whom, when and why."""
    expected: dict[tuple[int, str], tuple[Any, ...]] = {}
    for event in _events(session, CustodyEvent.type == E.TESTS_REJECTED.value):
        key = event.stream.partition(":")[2]
        for code in event.payload.get("tests", ()):
            if key.isdigit():
                expected[int(key), code] = (event.payload.get("reason"), event.actor, event.occurred_at)
    one = SpecimenTest
    marked = or_(one.rejected_reason.is_not(None), one.rejected_by.is_not(None), one.rejected_at.is_not(None))
    columns = (one.specimen_id, one.test_code, one.rejected_reason, one.rejected_by, one.rejected_at)
    actual = {
        (tube, code): (reason, by, at) for tube, code, reason, by, at in session.execute(select(*columns).where(marked))
    }
    for tube, code in sorted(actual.keys() | expected.keys()):
        if actual.get((tube, code)) != expected.get((tube, code)):
            yield from _note(f"specimen:{tube}", [f"test {code}: not rejected as the log says"])


def photos(session: Session) -> Iterator[Finding]:
    """Pictures are named by what they show: each still gives its name, and those that the record quotes are there."""
    if session.get_bind().dialect.name == "postgresql":
        query = text("SELECT sha256 FROM attachment WHERE encode(sha256(data), 'hex') <> sha256")
        changed: Iterable[str] = session.scalars(query)
    else:
        rows = session.execute(select(Attachment.sha256, Attachment.data).execution_options(yield_per=20))
        changed = (name for name, data in rows if hashlib.sha256(data).hexdigest() != name)
    yield from (
        Finding(f"photo {name}", 0, Kind.FILE, "another picture than the one it is named by") for name in changed
    )
    quoted = select(Nonconformity.photo).where(
        Nonconformity.photo.is_not(None), Nonconformity.photo.not_in(select(Attachment.sha256))
    )
    for name in sorted(str(one) for one in session.scalars(quoted.distinct())):
        yield Finding(f"photo {name}", 0, Kind.FILE, "the record quotes it, and it is gone")
