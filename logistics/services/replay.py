"""Replaying the custody log: every projection as the log alone gives it, row by row, in the shape of its table.

The folding itself is pure (``domain.projection``, ``domain.subjects``, ``domain.signatures``, ``domain.findings``).
What is read beside the log: of a tube's patient the masked reference in the act that registered it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain import findings, projection, subjects
from logistics.domain.custody import Event, read_text
from logistics.domain.custody import EventType as E
from logistics.domain.findings import Finding
from logistics.domain.projection import OUT_OF_BOX
from logistics.domain.replay import consignment_target, item_target, specimen_target
from logistics.domain.signatures import Signatures
from logistics.domain.sums import NOTHING, mixed, row_sum
from logistics.models import Act, ConsignmentLine, CustodyEvent, ItemLine
from logistics.models.specimens import PRIORITIES
from logistics.models.summed import SUMMED
from logistics.services import seal_uses

Row = dict[str, Any]
Key = tuple[Any, ...]


@dataclass
class Subject:
    """A tube, consignment or item: what it is, how it stands, and where its stream ends."""

    facts: Row = field(default_factory=dict)
    stands: Any = None
    seq: int = 0
    head: str = ""
    act: str = ""  # that made its first event

    def row(self) -> Row:
        return {**self.facts, **asdict(self.stands), "stream_seq": self.seq, "stream_head": self.head}


@dataclass
class Replayed:
    """All projections as the log gives them. Lines: (consignment, tube or item) → columns."""

    tubes: dict[int, Subject] = field(default_factory=dict)
    loads: dict[str, Subject] = field(default_factory=dict)
    items: dict[str, Subject] = field(default_factory=dict)
    boxes: dict[str, projection.BoxProjection] = field(default_factory=dict)
    lines: dict[tuple[str, int], Row] = field(default_factory=dict)
    item_lines: dict[tuple[str, str], Row] = field(default_factory=dict)
    tests: dict[tuple[int, str], Row] = field(default_factory=dict)
    findings: dict[str, list[Finding]] = field(default_factory=dict)  # by stream
    seals: dict[tuple[str], Row] = field(default_factory=dict)  # by the number of each seal that was ever put on
    signatures: Signatures = field(default_factory=Signatures)
    expected: dict[str, datetime] = field(default_factory=dict)  # when a consignment was promised as it left
    inside: dict[str, int] = field(default_factory=dict)  # how many tubes a consignment holds


def replay(session: Session, streams: Collection[str] | None = None) -> Replayed:
    """Read the whole log, or these streams alone, in the order it was recorded.

    Of single streams a consignment's counts, a line's position and a box are not known.
    """
    result = Replayed()
    for event, head in _events(session, streams):
        kind, _, key = event.stream.partition(":")
        if kind == "specimen":
            _tube(result, int(key), event, head)
        elif kind == "consignment":
            _load(result, key, event, head)
        elif kind == "item":
            _item(result, key, event, head)
    return result


def _events(session: Session, streams: Collection[str] | None) -> Iterator[tuple[Event, str]]:
    query = select(CustodyEvent.body, CustodyEvent.hash).order_by(CustodyEvent.position)
    if streams is not None:
        query = query.where(CustodyEvent.stream.in_(sorted(streams)))
    for body, head in session.execute(query.execution_options(yield_per=2000)):
        yield read_text(body), head


def _ends(subject: Subject, event: Event, head: str) -> None:
    subject.seq, subject.head = event.seq, head
    subject.act = subject.act or event.act_id


def _tube(result: Replayed, specimen_id: int, event: Event, head: str) -> None:
    tube = result.tubes.setdefault(specimen_id, Subject(stands=projection.SpecimenProjection()))
    before = tube.stands
    for change in projection.project_lines(before, event):
        _line(result, specimen_id, change)
    _findings(result, event, before.consignment_number)
    if event.type is E.REGISTERED:
        tube.facts = subjects.specimen(event)
        fresh = {"rejected_reason": None, "rejected_by": None, "rejected_at": None}
        result.tests.update({(specimen_id, code): dict(fresh) for code in event.payload["tests"]})
    elif event.type is E.TESTS_REJECTED:
        why = (event.payload["reason"], event.actor, event.occurred_at)
        for code in event.payload["tests"]:
            result.tests[specimen_id, code] = dict(
                zip(("rejected_reason", "rejected_by", "rejected_at"), why, strict=True)
            )
    tube.stands = projection.project_specimen(before, event, specimen_target(before, event))
    _ends(tube, event, head)


def _line(result: Replayed, specimen_id: int, change: projection.LineChange) -> None:
    key = (change.consignment, specimen_id)
    old = result.lines.get(key)
    was_inside = old is not None and old["outcome"] not in OUT_OF_BOX
    inside = change.outcome is not None and change.outcome not in OUT_OF_BOX
    count = result.inside.get(change.consignment, 0) + inside - was_inside
    result.inside[change.consignment] = count
    if change.outcome is None:
        result.lines.pop(key, None)
        return
    columns = asdict(change)
    del columns["consignment"]
    result.lines[key] = {**columns, "position": old["position"] if old is not None else count}


def _findings(result: Replayed, event: Event, consignment: str | None) -> None:
    after = findings.replayed(result.findings.get(event.stream, ()), event, consignment=consignment)
    if after:
        result.findings[event.stream] = after


def _load(result: Replayed, number: str, event: Event, head: str) -> None:
    load = result.loads.setdefault(number, Subject(stands=projection.ConsignmentProjection()))
    if event.type is E.OPENED:
        load.facts = subjects.consignment(event)
    target = consignment_target(load.stands, event)
    load.stands = projection.project_consignment(load.stands, event, target)
    _findings(result, event, None)
    result.signatures.follow(event)
    seal_uses.replayed(result.seals, number, event)
    if "expected" in event.payload:
        result.expected.setdefault(number, datetime.fromisoformat(event.payload["expected"]))
    box = load.facts["box_code"]
    before = result.boxes.get(box, projection.BoxProjection(None, None, None))
    result.boxes[box] = projection.project_box(before, event, number, target)
    _ends(load, event, head)


def _item(result: Replayed, number: str, event: Event, head: str) -> None:
    item = result.items.setdefault(number, Subject(stands=projection.ItemProjection()))
    if event.type is E.REGISTERED:
        item.facts = subjects.item(event)
    change = projection.project_item_line(item.stands, event)
    if change is not None and change.outcome is None:
        result.item_lines.pop((change.consignment, number), None)
    elif change is not None:
        names = ("outcome", "condition", "checked_by", "checked_at")
        result.item_lines[change.consignment, number] = {name: getattr(change, name) for name in names}
    item.stands = projection.project_item(item.stands, event, item_target(item.stands, event))
    _ends(item, event, head)


# --- as the tables have it -----------------------------------------------------------------------------------------


def tube_rows(session: Session, result: Replayed) -> dict[Key, Row]:
    """The columns of ``specimen``."""
    sums = _line_sums(ConsignmentLine, ("consignment_number", "specimen_id"), result.lines, place=1)
    patients = _patients(session, result.tubes)
    return {
        (one,): {**tube.row(), "lines_sum": sums.get(one, NOTHING), "patient_ref": patients.get(one, "")}
        for one, tube in sorted(result.tubes.items())
    }


def load_rows(result: Replayed) -> dict[Key, Row]:
    """The columns of ``consignment``: of a replay of the whole log."""
    items: dict[str, int] = {}
    for number, _ in result.item_lines:
        items[number] = items.get(number, 0) + 1
    urgent: dict[str, str] = {}
    for (number, one), line in result.lines.items():
        if line["outcome"] not in OUT_OF_BOX and one in result.tubes:
            asked = result.tubes[one].facts.get("priority", PRIORITIES[0])
            urgent[number] = max(urgent.get(number, PRIORITIES[0]), asked, key=PRIORITIES.index)
    return {
        (number,): {
            **load.row(),
            "tube_count": result.inside.get(number, 0),
            "item_count": items.get(number, 0),
            "priority": urgent.get(number, PRIORITIES[0]),
        }
        for number, load in result.loads.items()
    }


def item_rows(result: Replayed) -> dict[Key, Row]:
    """The columns of ``load_item``."""
    sums = _line_sums(ItemLine, ("consignment_number", "item_number"), result.item_lines, place=1)
    return {
        (number,): {**item.row(), "lines_sum": sums.get(number, NOTHING)}
        for number, item in sorted(result.items.items())
    }


def _line_sums(
    model: type[ConsignmentLine | ItemLine], names: tuple[str, str], lines: Mapping[Any, Row], *, place: int
) -> dict[Any, str]:
    found: dict[Any, str] = {}
    for key, line in lines.items():
        columns = {**line, **dict(zip(names, key, strict=True))}
        found[key[place]] = mixed(found.get(key[place], NOTHING), row_sum(columns[name] for name in SUMMED[model]))
    return found


def _patients(session: Session, tubes: Mapping[int, Subject]) -> dict[int, str]:
    """The masked reference of each tube's patient, as its act has it; of a tube collected again, as the first one."""
    bodies = {tube.act: "" for tube in tubes.values()}
    for part in _parts(list(bodies)):
        bodies.update(session.execute(select(Act.id, Act.body).where(Act.id.in_(part))).all())
    found: dict[int, str] = {}
    for one, tube in sorted(tubes.items()):
        old = tube.facts.get("recollects_id")
        if old is not None and old not in found:  # a replay of single streams: the first tube is not among them
            found |= _patients(session, replay(session, [f"specimen:{old}"]).tubes)
        found[one] = found.get(old, "") if old is not None else patient_of(bodies[tube.act])
    return found


def patient_of(body: str) -> str:
    """The masked reference in the text of an act."""
    try:
        return str(json.loads(body)["payload"].get("patient_ref") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def _parts(values: list[str], size: int = 500) -> Iterable[list[str]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
