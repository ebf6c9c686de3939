"""What the record says about the things that an act kept for review is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain import numbers
from logistics.domain.custody import Event, consignment_stream, item_stream, read_text, specimen_stream
from logistics.models import Box, Consignment, CustodyEvent, Item, Specimen

LATEST = 4
CANDIDATES = 3


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing as the record has it now, and its latest events, newest first."""

    kind: str  # specimen | item | consignment
    label: str
    state: str
    box: str | None
    site: str | None
    holder: str | None
    events: Sequence[Event]


def facts(session: Session, subject: Mapping[str, Any]) -> list[Fact]:
    """The tubes, the load item and the consignment that a subject names (several tubes may share a number)."""
    tubes = [
        _fact(session, "specimen", one, one.accession, specimen_stream(one.id)) for one in _tubes(session, subject)
    ]
    loads = [
        _fact(session, "consignment", one, one.number, consignment_stream(one.number))
        for one in _loads(session, subject)
    ]
    items = [_fact(session, "item", one, one.number, item_stream(one.number)) for one in _items(session, subject)]
    return tubes + items + loads


def _fact(session: Session, kind: str, one: Specimen | Item | Consignment, label: str, stream: str) -> Fact:
    return Fact(kind, label, one.state, one.box_code, one.location_code, one.holder, _latest(session, stream))


def _tubes(session: Session, subject: Mapping[str, Any]) -> Iterable[Specimen]:
    wanted, accession = subject.get("specimen_id"), subject.get("specimen")
    query = select(Specimen).order_by(Specimen.id.desc()).limit(CANDIDATES)
    if isinstance(wanted, int) and not isinstance(wanted, bool):
        return session.scalars(query.where(Specimen.id == wanted)).all()
    if isinstance(accession, str) and accession.strip():
        return session.scalars(query.where(Specimen.accession_key == numbers.normalise(accession))).all()
    return ()


def _items(session: Session, subject: Mapping[str, Any]) -> Iterable[Item]:
    wanted = subject.get("item")
    found = session.get(Item, numbers.normalise(wanted)) if isinstance(wanted, str) else None
    return (found,) if found is not None else ()


def _loads(session: Session, subject: Mapping[str, Any]) -> Iterable[Consignment]:
    wanted = {number for number in (subject.get("consignment"),) if isinstance(number, str)}
    box = session.get(Box, subject["box"]) if isinstance(subject.get("box"), str) else None
    if box is not None and box.consignment_number:
        wanted.add(box.consignment_number)
    return [one for one in (session.get(Consignment, number) for number in sorted(wanted)) if one is not None]


def _latest(session: Session, stream: str) -> list[Event]:
    query = (
        select(CustodyEvent.body).where(CustodyEvent.stream == stream).order_by(CustodyEvent.seq.desc()).limit(LATEST)
    )
    return [read_text(body) for body in session.scalars(query)]
