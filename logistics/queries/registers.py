"""The facts of the transport register: every consignment that left, who signed, what was in it, what went wrong.

    wanted = RegisterFilter(first_day="2026-03-01", last_day="2026-03-31", site="TOWN")
    for found in registers.trips(session, scope, "lihua", wanted): ...

Read in pieces of ``CHUNK`` consignments, so that a month of a whole network never stands in memory at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from logistics.domain import custody, numbers
from logistics.domain.access import COURIER, Scope
from logistics.domain.custody import EventType as E
from logistics.errors import Invalid
from logistics.models import (
    Alert,
    Consignment,
    ConsignmentLine,
    CustodyEvent,
    Handover,
    Nonconformity,
    Specimen,
)
from logistics.queries import records
from logistics.services.orders import day_start

CHUNK = 200
MOST_DAYS = 31
LEFT_BEHIND = ("unpacked", "refused", "unexpected", "elsewhere")  # were not in the box when it left
WORTH_TELLING = (
    E.HANDED_IN, E.SEAL_BROKEN, E.RESEALED, E.UNSEALED, E.DEVIATION, E.SETTLED, E.UNEXPECTED_TUBE, E.RECALLED,
    E.CANCELLED, E.LOST, E.FOUND, E.NOTED, E.CORRECTED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RegisterFilter:
    """What was asked; days are local (Asia/Shanghai), both included. Empty fields ask nothing."""

    first_day: str
    last_day: str
    site: str = ""
    courier: str = ""
    consignment: str = ""

    def span(self) -> tuple[datetime, datetime]:
        """First instant and the one after the last. Raises Invalid ``register_day`` or ``register_too_long``."""
        first, last = day_start(self.first_day, "from", "register_day"), day_start(self.last_day, "to", "register_day")
        if last < first:
            raise Invalid("times_reversed", field="to")
        if (last - first).days >= MOST_DAYS:
            raise Invalid("register_too_long", field="to", days=MOST_DAYS)
        return first, last + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Happening:
    """Something on the way that the consignment's own stream tells."""

    at: datetime
    type: E
    actor_name: str
    site: str | None
    payload: Mapping[str, object]


@dataclass(slots=True)
class Trip:
    """One line of the register, as facts. Counts are of tubes."""

    consignment: Consignment
    handovers: list[Handover] = field(default_factory=list)
    specimens: list[tuple[str, str, int]] = field(default_factory=list)  # (type, container, count)
    conditions: dict[str, int] = field(default_factory=dict)  # damaged, leaked
    outcomes: dict[str, int] = field(default_factory=dict)  # refused, missing, found, unexpected …
    happenings: list[Happening] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    findings: list[Nonconformity] = field(default_factory=list)


def count(session: Session, scope: Scope, username: str, wanted: RegisterFilter) -> tuple[int, int]:
    """(consignments, tubes) that the register holds: what the sum under its lines says."""
    inner = _query(scope, username, wanted).with_only_columns(Consignment.number).subquery()
    line = ConsignmentLine
    tubes = (
        select(func.count())
        .select_from(line)
        .join(inner, inner.c.number == line.consignment_number)
        .where(line.outcome.not_in(LEFT_BEHIND))
    )
    return session.scalar(select(func.count()).select_from(inner)) or 0, session.scalar(tubes) or 0


def trips(
    session: Session, scope: Scope, username: str, wanted: RegisterFilter, *, limit: int | None = None
) -> Iterator[Trip]:
    """The lines in the order of departure. Raises Invalid as ``RegisterFilter.span`` does."""
    query = _query(scope, username, wanted).with_only_columns(Consignment.number)
    ordered = query.order_by(Consignment.departed_at, Consignment.number)
    found = list(session.scalars(ordered if limit is None else ordered.limit(limit)))
    for begin in range(0, len(found), CHUNK):
        yield from _facts(session, found[begin : begin + CHUNK])


def _query(scope: Scope, username: str, wanted: RegisterFilter) -> Select[Consignment]:
    """A courier sees what he carried himself, everybody else what left or reached a site of the scope."""
    if scope.role == COURIER:
        query = select(Consignment).where(_carried_by(username))
    else:
        query = records.consignments_in(scope, username)
    query = query.where(Consignment.departed_at.is_not(None))
    if wanted.consignment:
        return query.where(Consignment.number == numbers.normalise(wanted.consignment))
    first, after = wanted.span()
    query = query.where(Consignment.departed_at >= first, Consignment.departed_at < after)
    if wanted.site:
        query = query.where(or_(Consignment.origin_code == wanted.site, Consignment.destination_code == wanted.site))
    if wanted.courier:
        query = query.where(_carried_by(wanted.courier))
    return query


def _carried_by(username: str) -> ColumnElement[bool]:
    held = select(Handover.consignment_number).where(or_(Handover.taker == username, Handover.giver == username))
    return or_(Consignment.holder == username, Consignment.number.in_(held))


def _facts(session: Session, chosen: Sequence[str]) -> list[Trip]:
    rows = session.scalars(
        select(Consignment).where(Consignment.number.in_(chosen)).execution_options(populate_existing=True)
    )
    found = {row.number: Trip(row) for row in rows}
    query = select(Handover).where(Handover.consignment_number.in_(chosen)).order_by(Handover.occurred_at)
    for handover in session.scalars(query):
        found[handover.consignment_number].handovers.append(handover)
    _contents(session, found)
    _happenings(session, found)
    alerts = select(Alert).where(Alert.consignment_number.in_(chosen)).order_by(Alert.occurred_at)
    for alert in session.scalars(alerts):
        found[str(alert.consignment_number)].alerts.append(alert)
    wrong = select(Nonconformity).where(Nonconformity.consignment_number.in_(chosen)).order_by(Nonconformity.id)
    for one in session.scalars(wrong):
        found[str(one.consignment_number)].findings.append(one)
    return [found[number] for number in chosen if number in found]


def _contents(session: Session, found: Mapping[str, Trip]) -> None:
    line = ConsignmentLine
    types = (
        select(line.consignment_number, Specimen.specimen_type, Specimen.container, func.count())
        .join(Specimen, Specimen.id == line.specimen_id)
        .where(line.consignment_number.in_(list(found)), line.outcome.not_in(LEFT_BEHIND))
        .group_by(line.consignment_number, Specimen.specimen_type, Specimen.container)
        .order_by(func.count().desc(), Specimen.specimen_type)
    )
    for number, kind, container, tubes in session.execute(types):
        found[number].specimens.append((kind, container, tubes))
    states = (
        select(line.consignment_number, line.outcome, line.condition, func.count())
        .where(line.consignment_number.in_(list(found)))
        .group_by(line.consignment_number, line.outcome, line.condition)
    )
    for number, outcome, condition, tubes in session.execute(states):
        trip = found[number]
        trip.outcomes[outcome] = trip.outcomes.get(outcome, 0) + tubes
        if condition is not None:
            trip.conditions[condition] = trip.conditions.get(condition, 0) + tubes


def _happenings(session: Session, found: Mapping[str, Trip]) -> None:
    streams = {custody.consignment_stream(number): number for number in found}
    query = (
        select(CustodyEvent.stream, CustodyEvent.body)
        .where(CustodyEvent.stream.in_(list(streams)), CustodyEvent.type.in_([kind.value for kind in WORTH_TELLING]))
        .order_by(CustodyEvent.stream, CustodyEvent.seq)
    )
    told = defaultdict(list)
    for stream, body in session.execute(query):
        event = custody.read_text(body)
        told[stream].append(
            Happening(event.occurred_at, event.type, event.actor_name or event.actor, event.site, event.payload)
        )
    for stream, happenings in told.items():
        found[streams[stream]].happenings.extend(happenings)
