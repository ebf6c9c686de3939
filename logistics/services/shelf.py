"""The tubes, boxes and consignments that the acts of one post name: read and locked at once, kept in memory.

A row that is locked stays as it is until the transaction ends, so a second act about it needs no second look. Locks
are taken in one order (boxes, consignments, tubes, each by key), so that two posts about the same things in another
order wait for each other instead of blocking each other for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from sqlalchemy import Select, and_, case, exists, func, null, or_, select
from sqlalchemy.orm import Session, lazyload, selectinload

from logistics import bulk
from logistics.among import among
from logistics.domain import custody, numbers
from logistics.domain.acts import Act
from logistics.domain.custody import Event
from logistics.domain.projection import OUT_OF_BOX
from logistics.models import Alert, Box, Consignment, ConsignmentLine, CustodyEvent, Item, Specimen
from logistics.services import lanes

Subject = Specimen | Consignment | Item
MAX_ID = 2**31 - 1
MAX_TEXT = 64
NEEDS_TESTS = frozenset({"collect"})
NEEDS_PROGRESS = frozenset({"receive"})
WRITTEN = (Consignment, Specimen, ConsignmentLine)
"""What the acts of every day change, those that others refer to first."""


@dataclass(frozen=True)
class Tally:
    """Lines of tubes that travel with a consignment: how many the receiver has checked, of how many."""

    checked: int = 0
    total: int = 0

    @classmethod
    def of(cls, outcome: str | None) -> Tally:
        inside = outcome is not None and outcome not in OUT_OF_BOX
        return cls(int(inside and outcome != "expected"), int(inside))

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.checked + other.checked, self.total + other.total)

    def __sub__(self, other: Tally) -> Tally:
        return Tally(self.checked - other.checked, self.total - other.total)


@dataclass
class Shelf:
    """What is at hand. A key that is missing was not asked for; one with nothing behind it does not exist."""

    boxes: dict[str, Box | None] = field(default_factory=dict)
    consignments: dict[str, Consignment | None] = field(default_factory=dict)
    tubes_by_key: dict[str, list[Specimen]] = field(default_factory=dict)
    tubes: dict[int, Specimen | None] = field(default_factory=dict)
    lines: dict[tuple[str, int], ConsignmentLine] = field(default_factory=dict)
    compared: set[str] = field(default_factory=set)  # consignments whose lines of all tubes on the shelf are here
    new: set[str] = field(default_factory=set)  # consignments that were opened meanwhile: every line is here
    progress: dict[str, Tally] = field(default_factory=dict)
    excursions: dict[str, Sequence[Alert]] = field(default_factory=dict)
    events: list[tuple[Event, Subject, str]] = field(default_factory=list)  # with what the row adds up to after it

    def hold(self, consignment: Consignment, *, new: bool = False) -> None:
        """Locked meanwhile, or opened by an act of this post: then no tube has a line in it yet."""
        self.consignments[consignment.number] = consignment
        if new:
            self.new.add(consignment.number)

    def knows_line(self, number: str, specimen_id: int) -> bool:
        return number in self.new or (number in self.compared and specimen_id in self.tubes)

    def count(self, number: str, before: str | None, after: str | None) -> None:
        """A line of the consignment went from one outcome to another (None: there is no line)."""
        if number in self.progress:
            self.progress[number] += Tally.of(after) - Tally.of(before)

    def store(self, session: Session) -> None:
        """Write the changed rows, then the events, each kind in one go."""
        rows = []
        if self.events:
            lane, places = lanes.places(session, len(self.events))
            rows = [chained(*one, lane, next(places)) for one in self.events]
        if not bulk.write_changed(session, WRITTEN):
            session.flush()
        bulk.insert_rows(session.connection(), CustodyEvent.__table__, rows)  # type: ignore[arg-type]
        self.events = []


def chained(event: Event, subject: Subject, after: str, lane: int, place: int) -> dict[str, Any]:
    """The row of an event at its place in the log, linked to the one before it in its subject's stream."""
    text = custody.canonical_text(replace(event, after=after, lane=lane, place=place))
    previous = subject.stream_head or custody.GENESIS
    subject.stream_head = custody.chain_hash(previous, text)
    return {
        "stream": event.stream,
        "seq": event.seq,
        "type": event.type.value,
        "act_id": event.act_id,
        "occurred_at": event.occurred_at,
        "recorded_at": event.recorded_at,
        "actor": event.actor,
        "site_code": event.site,
        "body": text,
        "prev_hash": previous,
        "hash": subject.stream_head,
        "lane": lane,
        "place": place,
    }


def fetch(session: Session, acts: Sequence[Act]) -> Shelf:
    """Everything that these acts name, as it stands in the database now, locked until the transaction ends."""
    shelf = Shelf()
    subjects = [act.subject for act in acts]
    _boxes(session, shelf, _texts(subjects, "box"))
    carried = {box.consignment_number for box in shelf.boxes.values() if box and box.consignment_number}
    _consignments(session, shelf, _texts(subjects, "consignment") | carried)
    if named := _texts((act.subject for act in acts if act.type in NEEDS_PROGRESS), "consignment"):
        _progress(session, shelf, named)
    keys = {numbers.normalise(text) for text in _texts(subjects, "specimen")}
    ids = {one for subject in subjects if (one := _id(subject.get("specimen_id")))}
    if keys or ids:
        _tubes(session, shelf, keys, ids, tests=any(act.type in NEEDS_TESTS for act in acts))
    return shelf


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
    shelf.boxes.update(dict.fromkeys(wanted))
    shelf.boxes.update({box.code: box for box in session.execute(_BOXES, {"keys": sorted(wanted)}).scalars()})


def _consignments(session: Session, shelf: Shelf, wanted: set[str]) -> None:
    if not wanted:
        return
    shelf.consignments.update(dict.fromkeys(wanted))
    found = session.execute(_CONSIGNMENTS, {"keys": sorted(wanted)}).scalars()
    shelf.consignments.update({one.number: one for one in found})


def _progress(session: Session, shelf: Shelf, wanted: set[str]) -> None:
    """How far the receipts are. Asked after their consignments are locked, so that it stands until the end."""
    for number, checked, total, warm in session.connection().execute(_PROGRESS, {"keys": sorted(wanted)}):
        shelf.progress[number] = Tally(checked, total)
        if not warm:
            shelf.excursions[number] = ()


def _tubes(session: Session, shelf: Shelf, keys: set[str], ids: set[int], *, tests: bool) -> None:
    """The tubes, and their lines on the consignments that are on the shelf."""
    shelf.tubes_by_key.update({key: [] for key in keys})
    shelf.tubes.update(dict.fromkeys(ids))
    known = {number for number, one in shelf.consignments.items() if one is not None}
    asked = {"keys": sorted(keys), "ids": sorted(ids), "consignments": sorted(known)}
    query = _tube_query(by_key=bool(keys), by_id=bool(ids), lines=bool(known), tests=tests)
    for specimen, line in session.execute(query, {name: value for name, value in asked.items() if value}):
        _put(shelf, specimen)
        if line is not None:
            shelf.lines[line.consignment_number, specimen.id] = line
    shelf.compared |= known


def _put(shelf: Shelf, specimen: Specimen) -> None:
    if shelf.tubes.get(specimen.id) is None:
        shelf.tubes[specimen.id] = specimen
        if specimen.accession_key in shelf.tubes_by_key:
            shelf.tubes_by_key[specimen.accession_key].append(specimen)


# Written out once: to build a statement takes longer than to have it executed.


def _locking(query: Select[Any], of: Any) -> Select[Any]:
    return query.with_for_update(of=of).execution_options(populate_existing=True)


@cache
def _tube_query(*, by_key: bool, by_id: bool, lines: bool, tests: bool) -> Select[Any]:
    """Rows of (tube, its line or None)."""
    ways = []
    if by_key:
        ways.append(among(Specimen.accession_key, "keys"))
    if by_id:
        ways.append(among(Specimen.id, "ids"))
    query: Any = select(Specimen, ConsignmentLine) if lines else select(Specimen, null())
    if lines:
        mine = ConsignmentLine.specimen_id == Specimen.id
        query = query.outerjoin(ConsignmentLine, and_(mine, among(ConsignmentLine.consignment_number, "consignments")))
    loading = selectinload(Specimen.tests) if tests else lazyload(Specimen.tests)
    return _locking(query.where(or_(*ways)).order_by(Specimen.id).options(loading), Specimen)


_BOXES = _locking(select(Box).where(among(Box.code, "keys")).order_by(Box.code), Box)
_CONSIGNMENTS = _locking(
    select(Consignment).where(among(Consignment.number, "keys")).order_by(Consignment.number), Consignment
)
_WARM = exists().where(
    Alert.consignment_number == ConsignmentLine.consignment_number, Alert.kind == "excursion", Alert.state != "closed"
)
_PROGRESS = (
    select(
        ConsignmentLine.consignment_number,
        func.sum(case((ConsignmentLine.outcome != "expected", 1), else_=0)),
        func.count(),
        _WARM,
    )
    .where(among(ConsignmentLine.consignment_number, "keys"), ConsignmentLine.outcome.not_in(sorted(OUT_OF_BOX)))
    .group_by(ConsignmentLine.consignment_number)
)
