"""Replaying the custody log into the projections, or comparing them: ``labrelay rebuild [--check]``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain import projection
from logistics.domain.custody import Break, Event, Link, read_text, verify
from logistics.domain.custody import EventType as E
from logistics.domain.findings import Finding
from logistics.domain.findings import replayed as replayed_findings
from logistics.domain.transitions import CONSIGNMENT_TABLE, SPECIMEN_TABLE, ConsignmentState, State
from logistics.models import Box, Consignment, ConsignmentLine, CustodyEvent, Specimen, SpecimenTest
from logistics.services import findings, rebuild_items, seal_uses
from logistics.services.desk import (
    box_projection,
    consignment_projection,
    specimen_projection,
    write_box,
    write_consignment,
    write_specimen,
)

LineFacts = tuple[str, str | None, str | None, str | None, str | None]
"""Outcome, condition, by whom, and where and in which consignment the tube turned up."""


@dataclass
class Replayed:
    """All projections as the log alone gives them."""

    specimens: dict[int, projection.SpecimenProjection]
    consignments: dict[str, projection.ConsignmentProjection]
    boxes: dict[str, projection.BoxProjection]
    lines: dict[tuple[str, int], LineFacts]
    findings: dict[str, list[Finding]] = field(default_factory=dict)  # by stream
    tests: dict[tuple[int, str], tuple[str, str]] = field(default_factory=dict)  # rejected alone: reason, by whom
    seals: dict[str, seal_uses.Use] = field(default_factory=dict)


def replay(session: Session) -> Replayed:
    """Read the whole log in the order it was recorded."""
    result = Replayed({}, {}, {}, {})
    box_of: dict[str, str] = {}
    for event in events(session):
        kind, _, key = event.stream.partition(":")
        if kind == "specimen":
            _replay_specimen(result, int(key), event)
        elif kind == "consignment":
            if event.type is E.OPENED:
                box_of[key] = event.payload["box"]
            _replay_consignment(result, key, box_of[key], event)
    return result


def events(session: Session) -> Iterator[Event]:
    query = select(CustodyEvent.body).order_by(CustodyEvent.position).execution_options(yield_per=2000)
    for body in session.scalars(query):
        yield read_text(body)


def _replay_specimen(result: Replayed, specimen_id: int, event: Event) -> None:
    before = result.specimens.get(specimen_id, projection.SpecimenProjection())
    for change in projection.project_lines(before, event):
        if change.outcome is None:
            result.lines.pop((change.consignment, specimen_id), None)
        else:
            result.lines[change.consignment, specimen_id] = line_facts(change)
    _replay_findings(result, event, before.consignment_number)
    if event.type is E.TESTS_REJECTED:
        for code in event.payload["tests"]:
            result.tests[specimen_id, code] = (event.payload["reason"], event.actor)
    result.specimens[specimen_id] = projection.project_specimen(before, event, specimen_target(before, event))


def _replay_findings(result: Replayed, event: Event, consignment: str | None) -> None:
    after = replayed_findings(result.findings.get(event.stream, ()), event, consignment=consignment)
    if after:
        result.findings[event.stream] = after


def line_facts(line: Any) -> LineFacts:
    """What is compared of a manifest line, or of the change that an event makes to one."""
    return (line.outcome, line.condition, line.checked_by, line.found_site, line.found_in)


def _replay_consignment(result: Replayed, number: str, box: str, event: Event) -> None:
    before = result.consignments.get(number, projection.ConsignmentProjection())
    target = consignment_target(before, event)
    result.consignments[number] = projection.project_consignment(before, event, target)
    _replay_findings(result, event, None)
    seal_uses.replayed(result.seals, number, event)
    box_before = result.boxes.get(box, projection.BoxProjection(None, None, None))
    result.boxes[box] = projection.project_box(box_before, event, number, target)


def specimen_target(before: projection.SpecimenProjection, event: Event) -> str:
    """The state an accepted event led to. Roles were checked when it was recorded, so only the table counts."""
    for row in SPECIMEN_TABLE.get((before.state, event.type), []):
        if all(guard(before) for guard in row.guards):
            return row.target or before.state
    return State(before.state)


def consignment_target(before: projection.ConsignmentProjection, event: Event) -> str:
    for row in CONSIGNMENT_TABLE.get((before.state, event.type), []):
        return row.target or before.state
    return ConsignmentState(before.state)


def differences(session: Session) -> list[str]:
    """Where the columns differ from what the log gives: ``subject column: column's value ≠ log's value``."""
    replayed = replay(session)
    found: list[str] = []
    for specimen in session.scalars(select(Specimen)):
        expected = replayed.specimens.get(specimen.id)
        found += _compare(f"specimen:{specimen.id}", specimen_projection(specimen), expected)
    for consignment in session.scalars(select(Consignment)):
        expected_one = replayed.consignments.get(consignment.number)
        found += _compare(f"consignment:{consignment.number}", consignment_projection(consignment), expected_one)
    for box in session.scalars(select(Box).where(Box.code.in_(list(replayed.boxes)))):
        found += _compare(f"box:{box.code}", box_projection(box), replayed.boxes[box.code])
    actual = {
        (line.consignment_number, line.specimen_id): line_facts(line)
        for line in session.scalars(select(ConsignmentLine))
    }
    for key in sorted(actual.keys() | replayed.lines.keys()):
        if actual.get(key) != replayed.lines.get(key):
            found.append(f"line:{key[0]}/{key[1]}: {actual.get(key)} ≠ {replayed.lines.get(key)}")
    found += _test_differences(session, replayed) + findings.differences(session, replayed.findings)
    found += seal_uses.differences(session, replayed.seals)
    return found + rebuild_items.differences(session)


def _test_differences(session: Session, replayed: Replayed) -> list[str]:
    query = select(SpecimenTest).where(SpecimenTest.rejected_reason.is_not(None))
    actual = {
        (one.specimen_id, one.test_code): (one.rejected_reason, one.rejected_by) for one in session.scalars(query)
    }
    return [
        f"test:{key[0]}/{key[1]}: {actual.get(key)} ≠ {replayed.tests.get(key)}"
        for key in sorted(actual.keys() | replayed.tests.keys())
        if actual.get(key) != replayed.tests.get(key)
    ]


def _compare(subject: str, columns: Any, log: Any) -> list[str]:
    if log is None:
        return [f"{subject}: not in the log"]
    mine, theirs = asdict(columns), asdict(log)
    return [f"{subject} {name}: {mine[name]!r} ≠ {theirs[name]!r}" for name in mine if mine[name] != theirs[name]]


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
    replayed = replay(session)
    for specimen in session.scalars(select(Specimen)):
        if (after := replayed.specimens.get(specimen.id)) is not None:
            write_specimen(specimen, after)
    for consignment in session.scalars(select(Consignment)):
        if (expected := replayed.consignments.get(consignment.number)) is not None:
            write_consignment(consignment, expected)
    for box in session.scalars(select(Box).where(Box.code.in_(list(replayed.boxes)))):
        write_box(box, replayed.boxes[box.code])
    _apply_lines(session, replayed)
    _apply_tests(session, replayed)
    findings.rebuild(session, replayed.findings)
    seal_uses.rebuild(session, replayed.seals)
    rebuild_items.apply(session)


def _apply_lines(session: Session, replayed: Replayed) -> None:
    known = {(line.consignment_number, line.specimen_id): line for line in session.scalars(select(ConsignmentLine))}
    for key, line in known.items():
        if key not in replayed.lines:
            session.delete(line)
    for position, (key, facts) in enumerate(replayed.lines.items(), start=1):
        line = known.get(key) or ConsignmentLine(
            consignment_number=key[0], specimen_id=key[1], position=position, checked_at=None
        )
        line.outcome, line.condition, line.checked_by, line.found_site, line.found_in = facts
        session.add(line)


def _apply_tests(session: Session, replayed: Replayed) -> None:
    """Mark the tests that the log rejects; take the mark off the others."""
    marked = SpecimenTest.rejected_reason.is_not(None)
    wrong = {(one.specimen_id, one.test_code): one for one in session.scalars(select(SpecimenTest).where(marked))}
    for key, (reason, by) in replayed.tests.items():
        test = wrong.pop(key, None) or session.get_one(SpecimenTest, key)
        test.rejected_reason, test.rejected_by = reason, by
    for test in wrong.values():
        test.rejected_reason = test.rejected_by = test.rejected_at = None
