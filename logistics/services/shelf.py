"""The tubes, boxes and consignments that the acts of one post name: read and locked at once, kept in memory.

A row that is locked stays as it is until the transaction ends, so a second act about it needs no second look. Locks
are taken in one order (boxes, consignments, tubes, each by key), so that two posts about the same things in another
order wait for each other instead of blocking each other for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, insert, or_, select
from sqlalchemy.orm import Session, lazyload, selectinload

from logistics.domain import numbers
from logistics.domain.acts import Act
from logistics.models import Alert, Box, Consignment, ConsignmentLine, CustodyEvent, Specimen

MAX_ID = 2**31 - 1
MAX_TEXT = 64
NEEDS_TESTS = frozenset({"collect"})
NEEDS_PROGRESS = frozenset({"receive"})


@dataclass
class Shelf:
    """What is at hand. A key that is missing was not asked for; one with nothing behind it does not exist."""

    boxes: dict[str, Box | None] = field(default_factory=dict)
    consignments: dict[str, Consignment | None] = field(default_factory=dict)
    tubes_by_key: dict[str, list[Specimen]] = field(default_factory=dict)
    tubes: dict[int, Specimen | None] = field(default_factory=dict)
    lines: dict[tuple[str, int], ConsignmentLine] = field(default_factory=dict)
    compared: set[str] = field(default_factory=set)  # consignments whose lines of all tubes on the shelf are here
    listed: set[str] = field(default_factory=set)  # consignments whose every line is here
    excursions: dict[str, Sequence[Alert]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    def hold(self, consignment: Consignment, *, new: bool = False) -> None:
        """Locked meanwhile, or opened by an act of this post: then no tube has a line in it yet."""
        self.consignments[consignment.number] = consignment
        if new:
            self.compared.add(consignment.number)
            self.listed.add(consignment.number)

    def knows_line(self, number: str, specimen_id: int) -> bool:
        return number in self.listed or (number in self.compared and specimen_id in self.tubes)

    def store(self, session: Session) -> None:
        """Write the changed rows, then the events, each kind in one go."""
        session.flush()
        if self.events:
            session.connection().execute(insert(CustodyEvent), self.events)
            self.events = []


def fetch(session: Session, acts: Sequence[Act]) -> Shelf:
    """Everything that these acts name, as it stands in the database now, locked until the transaction ends."""
    shelf = Shelf()
    subjects = [act.subject for act in acts]
    _boxes(session, shelf, _texts(subjects, "box"))
    carried = {box.consignment_number for box in shelf.boxes.values() if box and box.consignment_number}
    _consignments(session, shelf, _texts(subjects, "consignment") | carried)
    named = {str(act.subject["consignment"]).strip() for act in acts if act.type in NEEDS_PROGRESS and _named(act)}
    if len(acts) > 1 and named:
        _lines(session, shelf, named & shelf.consignments.keys())
    keys = {numbers.normalise(text) for text in _texts(subjects, "specimen")}
    ids = {one for subject in subjects if (one := _id(subject.get("specimen_id")))}
    if keys or ids:
        _tubes(session, shelf, keys, ids, tests=any(act.type in NEEDS_TESTS for act in acts))
    return shelf


def _named(act: Act) -> bool:
    return isinstance(act.subject.get("consignment"), str)


def _texts(subjects: Iterable[Mapping[str, Any]], key: str) -> set[str]:
    """What the subjects name under this key; what is no label's text is left to the handler to refuse."""
    found = (subject.get(key) for subject in subjects)
    return {one.strip() for one in found if isinstance(one, str) and 0 < len(one) <= MAX_TEXT and "\x00" not in one}


def _id(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_ID else None


def _boxes(session: Session, shelf: Shelf, codes: set[str]) -> None:
    if not codes:
        return
    wanted = codes | {numbers.normalise(code) for code in codes}
    query = select(Box).where(Box.code.in_(sorted(wanted))).order_by(Box.code)
    shelf.boxes.update(dict.fromkeys(wanted))
    shelf.boxes.update({box.code: box for box in _locked(session, query, Box).scalars()})


def _consignments(session: Session, shelf: Shelf, wanted: set[str]) -> None:
    if not wanted:
        return
    query = select(Consignment).where(Consignment.number.in_(sorted(wanted))).order_by(Consignment.number)
    shelf.consignments.update(dict.fromkeys(wanted))
    shelf.consignments.update({one.number: one for one in _locked(session, query, Consignment).scalars()})


def _lines(session: Session, shelf: Shelf, wanted: set[str]) -> None:
    query = select(ConsignmentLine).where(ConsignmentLine.consignment_number.in_(sorted(wanted)))
    for line in session.scalars(query.execution_options(populate_existing=True)):
        shelf.lines[line.consignment_number, line.specimen_id] = line
    shelf.listed |= wanted


def _tubes(session: Session, shelf: Shelf, keys: set[str], ids: set[int], *, tests: bool) -> None:
    """The tubes, and their lines on the consignments that are on the shelf."""
    ways = []
    if keys:
        ways.append(Specimen.accession_key.in_(sorted(keys)))
    if ids:
        ways.append(Specimen.id.in_(sorted(ids)))
    loading = selectinload(Specimen.tests) if tests else lazyload(Specimen.tests)
    query = select(Specimen).where(or_(*ways)).order_by(Specimen.id).options(loading)
    shelf.tubes_by_key.update({key: [] for key in keys})
    shelf.tubes.update(dict.fromkeys(ids))
    known = [number for number, one in shelf.consignments.items() if one is not None and number not in shelf.listed]
    if known:
        on_it = and_(ConsignmentLine.specimen_id == Specimen.id, ConsignmentLine.consignment_number.in_(sorted(known)))
        rows = _locked(session, query.add_columns(ConsignmentLine).outerjoin(ConsignmentLine, on_it), Specimen)
        for specimen, line in rows:
            _put(shelf, specimen)
            if line is not None:
                shelf.lines[line.consignment_number, specimen.id] = line
        shelf.compared |= set(known)
    else:
        for specimen in _locked(session, query, Specimen).scalars():
            _put(shelf, specimen)


def _put(shelf: Shelf, specimen: Specimen) -> None:
    if shelf.tubes.get(specimen.id) is None:
        shelf.tubes[specimen.id] = specimen
        if specimen.accession_key in shelf.tubes_by_key:
            shelf.tubes_by_key[specimen.accession_key].append(specimen)


def _locked(session: Session, query: Any, of: Any) -> Any:
    return session.execute(query.with_for_update(of=of).execution_options(populate_existing=True))
