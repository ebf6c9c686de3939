"""The journey of a specimen: its events with people and places, gaps in custody, positions, the state of its chain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from logistics.domain import custody, numbers
from logistics.domain.access import COURIER, Scope
from logistics.domain.cold_chain import Stay, stays
from logistics.domain.custody import Break, Event, Link, read_text, specimen_stream
from logistics.domain.custody import EventType as E
from logistics.errors import NotFound
from logistics.models import (
    Consignment,
    ConsignmentLine,
    CourierPosition,
    CustodyEvent,
    Handover,
    Reason,
    Site,
    Specimen,
    User,
)  # fmt: skip
from logistics.queries import records

SKEW = timedelta(minutes=5)
MAX_POSITIONS = 400
WHEREABOUTS = frozenset({"dispatcher", "receiver", "manager", "auditor"})
"""Who may see where a courier drove: whereabouts are sensitive."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which nobody answers for the tube by the record. kind: missing | lost | unexplained."""

    kind: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Journey:
    """Everything on record about one tube. ``breaks`` empty: the hash chain of its stream holds."""

    specimen: Specimen
    events: Sequence[Event]
    breaks: Sequence[Break]
    gaps: Sequence[Gap]
    stays: Sequence[Stay]
    sites: Mapping[str, Site]
    people: Mapping[str, User]
    consignment: Consignment | None
    positions: Sequence[CourierPosition]
    reason: Reason | None = None  # why it was rejected, conceded or recalled

    @property
    def whole(self) -> bool:
        """The chain holds from the first event to the one that the tube's own row names as its last."""
        last = len(self.events) == self.specimen.stream_seq
        return not self.breaks and last


def find(session: Session, scope: Scope, username: str, code: str) -> list[Specimen]:
    """The tubes that a typed or scanned number may stand for, newest first."""
    query = _visible(scope, username).where(Specimen.accession_key == numbers.normalise(code))
    return list(session.scalars(query.order_by(Specimen.registered_at.desc()).limit(20)))


def visible(session: Session, scope: Scope, username: str, specimen_id: int) -> Specimen:
    """Raises NotFound('specimen_unknown') for tubes of others, too; a courier sees those he has held."""
    found = session.scalars(_visible(scope, username).where(Specimen.id == specimen_id)).first()
    if found is None:
        raise NotFound("specimen_unknown", field="specimen", specimen=specimen_id)
    return found


def _visible(scope: Scope, username: str) -> Select[Specimen]:
    if scope.role != COURIER:
        return records.specimens_in(scope, username)
    held = (
        select(ConsignmentLine.specimen_id)
        .join(Handover, Handover.consignment_number == ConsignmentLine.consignment_number)
        .where(or_(Handover.taker == username, Handover.giver == username))
    )
    return select(Specimen).where(or_(Specimen.holder == username, Specimen.id.in_(held)))


def journey(session: Session, specimen: Specimen, *, role: str, now: datetime) -> Journey:
    """Read the stream of ``specimen`` and verify its chain on the spot."""
    links = [
        Link(*row)
        for row in session.execute(
            select(CustodyEvent.stream, CustodyEvent.seq, CustodyEvent.body, CustodyEvent.prev_hash, CustodyEvent.hash)
            .where(CustodyEvent.stream == specimen_stream(specimen.id))
            .order_by(CustodyEvent.seq)
        )
    ]
    breaks = custody.verify(links)
    if links and links[-1].hash != specimen.stream_head:
        breaks.append(Break(links[-1].stream, links[-1].seq, "head"))
    events = [read_text(link.text) for link in links]
    people = _people(session, specimen, events)
    return Journey(
        specimen=specimen,
        events=events,
        breaks=breaks,
        gaps=gaps(events),
        stays=stays(events),
        sites=_sites(session, specimen, events),
        people=people,
        consignment=session.get(Consignment, specimen.consignment_number) if specimen.consignment_number else None,
        positions=positions(session, events, now) if role in WHEREABOUTS else [],
        reason=_reason(session, specimen),
    )


def _reason(session: Session, specimen: Specimen) -> Reason | None:
    code = specimen.recall_reason or specimen.reject_reason
    return session.get(Reason, code) if code else None


def gaps(events: Iterable[Event]) -> list[Gap]:
    """Where custody is broken: from a declaration that the tube is away until it turns up, and where it turned up
    somewhere without anybody having handed it over."""
    found: list[Gap] = []
    away: tuple[str, datetime] | None = None
    last: datetime | None = None
    for event in events:
        if event.type in {E.FOUND, E.FOUND_AT_ORIGIN, E.RECEIVED_UNEXPECTED} and away is not None:
            found.append(Gap(away[0], away[1], event.occurred_at))
            away = None
        elif event.type is E.RECEIVED_UNEXPECTED and last is not None:
            found.append(Gap("unexplained", last, event.occurred_at))
        if event.type in {E.DECLARED_MISSING, E.LOST}:
            kind = "missing" if event.type is E.DECLARED_MISSING else "lost"
            away = (kind, away[1] if away else event.occurred_at)
        last = event.occurred_at
    if away is not None:
        found.append(Gap(away[0], away[1], None))
    return found


def skew(event: Event) -> timedelta | None:
    """How much later (or, with a wrong clock, earlier) the server learned of it; None when it is not worth a word."""
    late = event.recorded_at - event.occurred_at
    return late if abs(late) >= SKEW else None


def _sites(session: Session, specimen: Specimen, events: Sequence[Event]) -> dict[str, Site]:
    codes = {specimen.collecting_site_code, specimen.destination_code, specimen.location_code, specimen.recall_to}
    codes |= {event.site for event in events}
    return {one.code: one for one in session.scalars(select(Site).where(Site.code.in_([c for c in codes if c])))}


def _people(session: Session, specimen: Specimen, events: Sequence[Event]) -> dict[str, User]:
    names = {event.actor for event in events} | {specimen.holder}
    names |= {event.payload.get(side) for event in events for side in ("giver", "taker")}
    wanted = sorted(name for name in names if isinstance(name, str) and name)
    return {one.username: one for one in session.scalars(select(User).where(User.username.in_(wanted)))}


def positions(session: Session, events: Sequence[Event], now: datetime) -> list[CourierPosition]:
    """Where the couriers were while they had the tube, thinned to what a map can show."""
    found: list[CourierPosition] = []
    for username, since, until in _rides(events, now):
        query = (
            select(CourierPosition)
            .where(CourierPosition.username == username, CourierPosition.at >= since, CourierPosition.at <= until)
            .order_by(CourierPosition.at)
        )
        found += session.scalars(query).all()
    step = max(1, -(-len(found) // MAX_POSITIONS))
    return found[::step] + (found[-1:] if len(found) % step != 1 and step > 1 else [])


def _rides(events: Sequence[Event], now: datetime) -> list[tuple[str, datetime, datetime]]:
    rides: list[tuple[str, datetime, datetime]] = []
    taker: tuple[str, datetime] | None = None
    for event in events:
        if taker is not None and event.type in {
            E.HANDED_OVER,
            E.HANDED_IN,
            E.ARRIVED,
            E.RECEIVED,
            E.RECEIVED_UNEXPECTED,
        }:
            rides.append((*taker, event.occurred_at))
            taker = None
        if event.type is E.HANDED_OVER and event.payload.get("meaning") != "delivery" and event.payload.get("taker"):
            taker = (str(event.payload["taker"]), event.occurred_at)
    if taker is not None:
        rides.append((*taker, now))
    return rides
