"""Writing what events say about nonconformities and single tests into their columns (``domain.findings``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain import findings
from logistics.domain.custody import Event
from logistics.domain.custody import EventType as E
from logistics.domain.findings import Finding
from logistics.models import Consignment, Nonconformity, Specimen

COLUMNS = {
    "consignment": "consignment_number", "site": "site_code", "reason": "reason_code",
}  # fmt: skip
"""Fields of a finding whose column has another name."""
FIELDS = tuple(field.name for field in fields(Finding))
COPIES = frozenset({"accession"})  # a column may hold more than the log's own event says


def follow_specimen(session: Session, specimen: Specimen, event: Event, *, consignment: str | None) -> None:
    """After an event of a tube. ``consignment``: the one that the tube lay in before it. Most events cost nothing."""
    new = findings.opened(event, consignment=consignment)
    if event.type in findings.SETTLING:
        _settle(session, event)
    if new is not None:
        session.add(_row(new, specimen.collecting_site_code, specimen_id=specimen.id, accession=specimen.accession))
    if event.type is E.TESTS_REJECTED:
        reject_tests(specimen, event)


def follow_consignment(session: Session, consignment: Consignment, event: Event) -> None:
    """After an event of a consignment."""
    if event.type in {E.SETTLED, E.CORRECTED}:
        _settle(session, event)
    new = findings.opened(event)
    if new is not None:
        session.add(_row(new, consignment.origin_code, specimen_id=None, accession=new.accession))


def reject_tests(specimen: Specimen, event: Event) -> None:
    """Mark the tests that the event names."""
    for ordered in specimen.tests:
        if ordered.test_code in event.payload["tests"]:
            ordered.rejected_reason = event.payload["reason"]
            ordered.rejected_by, ordered.rejected_at = event.actor, event.occurred_at


def _settle(session: Session, event: Event) -> None:
    query = select(Nonconformity).where(Nonconformity.stream == event.stream)
    if event.type is not E.CORRECTED:
        query = query.where(Nonconformity.disposition.in_(sorted(findings.OPEN)))
    for row in session.scalars(query):
        write(row, findings.settled(of_row(row), event))


def of_row(row: Nonconformity) -> Finding:
    """The finding that a row holds."""
    return Finding(**{name: getattr(row, COLUMNS.get(name, name)) for name in FIELDS})


def write(row: Nonconformity, finding: Finding) -> None:
    for name, value in asdict(finding).items():
        column = COLUMNS.get(name, name)
        if name not in COPIES and getattr(row, column) != value:
            setattr(row, column, value)


def _row(finding: Finding, origin: str, *, specimen_id: int | None, accession: str) -> Nonconformity:
    row = Nonconformity(
        specimen_id=specimen_id, accession=accession, origin_code=origin, stream=finding.stream, seq=finding.seq
    )
    write(row, finding)
    return row


def rows(replayed: Mapping[str, Sequence[Finding]], subjects: Mapping[str, Mapping[str, Any]]) -> dict[Any, Any]:
    """The columns of the table by (stream, number). ``subjects``: what is copied from the thing a finding is about."""
    return {
        (one.stream, one.seq): {
            **{COLUMNS.get(name, name): value for name, value in asdict(one).items()},
            **subjects.get(one.stream, {}),
        }
        for found in replayed.values()
        for one in found
    }
