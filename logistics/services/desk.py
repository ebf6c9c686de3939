"""The desk an act is worked at: session, actor, scope and time, and the two ways to write into the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.db import Base
from logistics.domain import custody, projection, transitions
from logistics.domain.access import Scope
from logistics.domain.acts import Act, body_sha256
from logistics.domain.custody import Event, EventType
from logistics.domain.projection import OUT_OF_BOX
from logistics.domain.sums import NOTHING, mixed
from logistics.errors import Invalid, NotFound
from logistics.models import Box, Consignment, ConsignmentLine, CustodyEvent, Item, ItemLine, Specimen, User, summed
from logistics.models.specimens import PRIORITIES
from logistics.models.summed import sum_of
from logistics.services import findings, lanes, seal_uses, waiting
from logistics.services.shelf import Shelf, chained

SPECIMEN_COLUMNS = tuple(f.name for f in fields(projection.SpecimenProjection))
CONSIGNMENT_COLUMNS = tuple(f.name for f in fields(projection.ConsignmentProjection))
BOX_COLUMNS = tuple(f.name for f in fields(projection.BoxProjection))
ITEM_COLUMNS = tuple(f.name for f in fields(projection.ItemProjection))


@dataclass
class Desk:
    """One act being worked on. ``now`` is the server's time (recorded_at)."""

    session: Session
    act: Act
    actor: User
    scope: Scope
    now: datetime
    late: waiting.Late | None = None  # it waited, and is tried again after what came in between
    proofs: set[str] = field(default_factory=set)  # which signatures were proven, for a second try of a late act
    result: dict[str, Any] = field(default_factory=dict)
    shelf: Shelf | None = None  # what the acts of this post name, when they are recorded together
    sha256: str = ""  # of the act and who sent it, when it is known already
    wrote: bool = False  # a refusal after this must be undone

    @property
    def site(self) -> str:
        """Where the act happened: as sent, else the actor's own site. Raises Invalid when neither is known."""
        code = self.act.site or self.actor.site_code
        if code is None:
            raise Invalid("site_missing", field="site")
        return code

    def own_site(self) -> str:
        """The site of the act, which must be one the actor may act for."""
        code = self.site
        if not self.scope.covers(code):
            raise NotFound("site_unknown", field="site", site=code)
        return code

    def payload(self, key: str, kind: type = str, *, required: bool = True, default: Any = None) -> Any:
        """A field of the payload, checked for its type. Raises Invalid naming the field."""
        value = self.act.payload.get(key)
        if value is None or value == "":
            if required:
                raise Invalid("field_missing", field=key)
            return default
        if (kind is int and isinstance(value, bool)) or not isinstance(value, kind):
            raise Invalid("field_malformed", field=key)
        return value

    def append_specimen(
        self,
        specimen: Specimen,
        event_type: EventType,
        payload: Mapping[str, Any] | None = None,
        *,
        site: str | None = None,
    ) -> Event:
        """Check the transition, append the event to the tube's stream and write its columns and manifest line."""
        if self.late is not None and not self.late.trusted:
            waiting.require_not_overtaken(self.session, self.act, custody.specimen_stream(specimen.id))
        before = specimen_projection(specimen)
        state = transitions.next_state(before.state, event_type, self.actor.role, before, subject=specimen.accession)
        self.wrote = True
        event = self._event(custody.specimen_stream(specimen.id), specimen.stream_seq, event_type, payload, site)
        write_specimen(specimen, projection.project_specimen(before, event, state))
        for change in projection.project_lines(before, event):
            write_line(self.session, specimen, change, self.shelf)
        self._store(event, specimen)
        findings.follow_specimen(self.session, specimen, event, consignment=before.consignment_number)
        return event

    def append_consignment(
        self,
        consignment: Consignment,
        event_type: EventType,
        payload: Mapping[str, Any] | None = None,
        *,
        site: str | None = None,
    ) -> Event:
        """The same for a consignment and its box."""
        if self.late is not None and not self.late.trusted:
            waiting.require_not_overtaken(self.session, self.act, custody.consignment_stream(consignment.number))
        before = consignment_projection(consignment)
        state = transitions.next_consignment_state(
            before.state, event_type, self.actor.role, subject=consignment.number, kind=consignment.kind,
            item_count=consignment.item_count,
        )  # fmt: skip
        self.wrote = True
        if self.shelf is not None and event_type is EventType.OPENED:
            self.shelf.hold(consignment, new=True)
        stream = custody.consignment_stream(consignment.number)
        event = self._event(stream, consignment.stream_seq, event_type, payload, site)
        write_consignment(consignment, projection.project_consignment(before, event, state))
        self._store(event, consignment)
        box = self.session.get_one(Box, consignment.box_code)
        write_box(box, projection.project_box(box_projection(box), event, consignment.number, state))
        seal_uses.follow(self.session, consignment.number, event)
        findings.follow_consignment(self.session, consignment, event)
        return event

    def append_item(
        self,
        item: Item,
        event_type: EventType,
        payload: Mapping[str, Any] | None = None,
        *,
        site: str | None = None,
    ) -> Event:
        """The same for a load item and its line."""
        before = item_projection(item)
        state = transitions.next_item_state(before.state, event_type, self.actor.role, before, subject=item.number)
        self.wrote = True
        event = self._event(custody.item_stream(item.number), item.stream_seq, event_type, payload, site)
        write_item(item, projection.project_item(before, event, state))
        change = projection.project_item_line(before, event)
        if change is not None:
            write_item_line(self.session, item, change)
        self._store(event, item)
        return event

    def _event(
        self, stream: str, seq: int, event_type: EventType, payload: Mapping[str, Any] | None, site: str | None
    ) -> Event:
        act = self.act
        return Event(
            stream=stream,
            seq=seq + 1,
            type=event_type,
            act_id=act.id,
            occurred_at=act.occurred_at,
            recorded_at=self.now,
            actor=self.actor.username,
            actor_name=self.actor.name_zh or self.actor.username,
            device=act.device,
            how=act.how,
            site=site if site is not None else self.act.site or self.actor.site_code,
            lat=act.lat,
            lon=act.lon,
            payload=self._payload(payload),
            act_sha256=self._act_sha256,
        )

    @cached_property
    def _act_sha256(self) -> str:
        return self.sha256 or body_sha256(self.act, self.actor.username)

    def _payload(self, payload: Mapping[str, Any] | None) -> Mapping[str, Any]:
        applied = self.late.applied if self.late is not None else None
        return {**(payload or {}), "applied": applied} if applied else payload or {}

    def _store(self, event: Event, subject: Specimen | Consignment | Item) -> None:
        """Append the event, which says what the row of its subject has become, and write down that it is the last."""
        after = summed.after(subject)
        subject.stream_seq = event.seq
        if self.shelf is not None:
            self.shelf.events.append((event, subject, after))
        else:
            lane, place = lanes.next_place(self.session)
            self.session.add(CustodyEvent(**chained(event, subject, after, lane, place)))


def specimen_projection(specimen: Specimen) -> projection.SpecimenProjection:
    if specimen.stream_seq == 0:
        return projection.SpecimenProjection()
    return projection.SpecimenProjection(**_read(specimen, SPECIMEN_COLUMNS))


def consignment_projection(consignment: Consignment) -> projection.ConsignmentProjection:
    if consignment.stream_seq == 0:
        return projection.ConsignmentProjection()
    return projection.ConsignmentProjection(**_read(consignment, CONSIGNMENT_COLUMNS))


def item_projection(item: Item) -> projection.ItemProjection:
    if item.stream_seq == 0:
        return projection.ItemProjection()
    return projection.ItemProjection(**_read(item, ITEM_COLUMNS))


def box_projection(box: Box) -> projection.BoxProjection:
    return projection.BoxProjection(box.location_code, box.holder, box.consignment_number)


def write_specimen(specimen: Specimen, after: projection.SpecimenProjection) -> None:
    _write(specimen, after, SPECIMEN_COLUMNS)


def write_consignment(consignment: Consignment, after: projection.ConsignmentProjection) -> None:
    _write(consignment, after, CONSIGNMENT_COLUMNS)


def write_box(box: Box, after: projection.BoxProjection) -> None:
    _write(box, after, BOX_COLUMNS)


def write_item(item: Item, after: projection.ItemProjection) -> None:
    _write(item, after, ITEM_COLUMNS)


def _read(row: Base, columns: Sequence[str]) -> dict[str, Any]:
    """What a row holds in these columns; what is loaded is read past the mapper, which takes ten times as long."""
    loaded = row.__dict__
    try:
        return {name: loaded[name] for name in columns}
    except KeyError:
        return {name: getattr(row, name) for name in columns}


def _write(row: Base, after: object, columns: Sequence[str]) -> None:
    for name, held in _read(row, columns).items():
        value = getattr(after, name)
        if held != value:
            setattr(row, name, value)


def write_line(session: Session, specimen: Specimen, change: projection.LineChange, shelf: Shelf | None = None) -> None:
    """Bring the tube's line on the manifest up to date, and what the tube and the consignment say of their lines."""
    key = (change.consignment, specimen.id)
    known = shelf is not None and shelf.knows_line(*key)
    line = shelf.lines.get(key) if shelf is not None and known else session.get(ConsignmentLine, key)
    was_inside = line is not None and line.outcome not in OUT_OF_BOX
    inside = change.outcome is not None and change.outcome not in OUT_OF_BOX
    if shelf is not None:
        shelf.count(change.consignment, line.outcome if line is not None else None, change.outcome)
    before = sum_of(line) if line is not None else NOTHING
    if change.outcome is None and line is not None:
        session.delete(line)
        session.flush()
        if shelf is not None:
            shelf.lines.pop(key, None)
    count = _count(session, change.consignment, inside - was_inside)
    if change.outcome is None:
        specimen.lines_sum = mixed(specimen.lines_sum, before)
    else:
        if line is None:
            line = ConsignmentLine(consignment_number=change.consignment, specimen_id=specimen.id, position=count)
            session.add(line)
            if shelf is not None:
                shelf.lines[key] = line
        line.outcome, line.condition = change.outcome, change.condition
        line.checked_by, line.checked_at = change.checked_by, change.checked_at
        line.found_site, line.found_in = change.found_site, change.found_in
        specimen.lines_sum = mixed(specimen.lines_sum, before, sum_of(line))
    if inside != was_inside:
        _prioritise(session, change.consignment, specimen, came=inside)


def _count(session: Session, number: str, step: int) -> int:
    consignment = session.get_one(Consignment, number)
    consignment.tube_count += step
    return consignment.tube_count


def _prioritise(session: Session, number: str, specimen: Specimen, *, came: bool) -> None:
    """A consignment is as urgent as the most urgent tube inside."""
    consignment = session.get_one(Consignment, number)
    if came:
        consignment.priority = max(consignment.priority, specimen.priority, key=PRIORITIES.index)
    elif specimen.priority == consignment.priority != PRIORITIES[0]:
        inside = session.scalars(
            select(Specimen.priority)
            .join(ConsignmentLine, ConsignmentLine.specimen_id == Specimen.id)
            .where(ConsignmentLine.consignment_number == number, ConsignmentLine.outcome.not_in(sorted(OUT_OF_BOX)))
            .distinct()
        )
        consignment.priority = max(inside, default=PRIORITIES[0], key=PRIORITIES.index)


def write_item_line(session: Session, item: Item, change: projection.LineChange) -> None:
    """Bring the item's line on the consignment up to date, and the count of items inside."""
    line = session.get(ItemLine, (change.consignment, item.number))
    before = sum_of(line) if line is not None else NOTHING
    inside = change.outcome is not None
    session.get_one(Consignment, change.consignment).item_count += inside - (line is not None)
    if not inside:
        if line is not None:
            session.delete(line)
            session.flush()
        item.lines_sum = mixed(item.lines_sum, before)
        return
    if line is None:
        line = ItemLine(consignment_number=change.consignment, item_number=item.number)
        session.add(line)
    line.outcome, line.condition = str(change.outcome), change.condition
    line.checked_by, line.checked_at = change.checked_by, change.checked_at
    item.lines_sum = mixed(item.lines_sum, before, sum_of(line))
