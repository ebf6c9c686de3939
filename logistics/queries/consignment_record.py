"""Everything on record about one consignment: versions of its manifest, legs, handovers, tubes, prints, log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from logistics.domain import custody, seals
from logistics.domain.access import COURIER, Scope
from logistics.domain.custody import Break, Event, Link, consignment_stream, read_text
from logistics.domain.custody import EventType as E
from logistics.errors import NotFound
from logistics.models import (
    Alert,
    Box,
    Consignment,
    ConsignmentLine,
    CustodyEvent,
    Handover,
    Item,
    ItemLine,
    ManifestVersion,
    Nonconformity,
    PrintEntry,
    Reason,
    Site,
    Specimen,
    User,
)  # fmt: skip
from logistics.queries import records
from logistics.services import arrivals

PRINTS = ("consignment_label", "manifest")
MAX_PRINTS = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of the consignment with where it stands in the whole log."""

    event: Event
    position: int
    hash: str


@dataclass(frozen=True, slots=True)
class Version:
    """A manifest as it was locked, and what it changed against the one before. ``current``: the newest one, and the
    seal it was locked with is on the box."""

    manifest: ManifestVersion
    added: Sequence[Mapping[str, Any]]
    removed: Sequence[Mapping[str, Any]]
    current: bool
    superseded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Leg:
    """A stretch of the way in one person's hands. ``until`` None: still there."""

    carrier: str
    carrier_name: str
    origin: str | None
    since: datetime
    destination: str | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A tube that the taker left behind, and why."""

    accession: str
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Tube:
    """A line of the manifest with the tube as it stands now."""

    line: ConsignmentLine
    specimen: Specimen


@dataclass(frozen=True, slots=True)
class Load:
    """A line of a return load's list with the item as it stands now."""

    line: ItemLine
    item: Item


@dataclass(frozen=True, slots=True)
class Record:
    """The whole. ``breaks`` empty: the hash chain of the consignment's stream holds."""

    consignment: Consignment
    seen: Scope  # by whom it is read
    box: Box
    entries: Sequence[Entry]
    breaks: Sequence[Break]
    versions: Sequence[Version]
    legs: Sequence[Leg]
    handovers: Sequence[Handover]
    refusals: Mapping[str, Sequence[Refusal]]  # by handover id
    tubes: Sequence[Tube]
    loads: Sequence[Load]
    findings: Sequence[Nonconformity]
    alerts: Sequence[Alert]
    prints: Sequence[PrintEntry]
    sites: Mapping[str, Site]
    people: Mapping[str, User]
    reasons: Mapping[str, Reason]

    @property
    def whole(self) -> bool:
        """The chain holds from the first event to the one that the consignment's own row names as its last."""
        return not self.breaks and len(self.entries) == self.consignment.stream_seq

    @property
    def hold_until(self) -> datetime | None:
        """When the validated hold time of the box is over."""
        return arrivals.hold_until(self.consignment, self.box)

    @property
    def recalled(self) -> list[Tube]:
        return [tube for tube in self.tubes if tube.specimen.state == "recalled"]

    def seal(self, number: str | None) -> str:
        """The number of one of its seals, as the reader may read it."""
        return seals.shown(number, self.seen, self.consignment)

    def outcomes(self) -> Mapping[str, int]:
        """How many lines stand at each outcome."""
        return Counter([*(tube.line.outcome for tube in self.tubes), *(load.line.outcome for load in self.loads)])


def visible(session: Session, scope: Scope, username: str, number: str) -> Consignment:
    """Raises NotFound('consignment_unknown') for those of others, too; a courier sees what he has held."""
    found = session.scalars(_visible(scope, username).where(Consignment.number == number)).first()
    if found is None:
        raise NotFound("consignment_unknown", field="consignment", consignment=number[:40])
    return found


def _visible(scope: Scope, username: str) -> Select[Consignment]:
    if scope.role != COURIER:
        return records.consignments_in(scope, username)
    held = select(Handover.consignment_number).where(or_(Handover.taker == username, Handover.giver == username))
    return select(Consignment).where(or_(Consignment.holder == username, Consignment.number.in_(held)))


def record(session: Session, one: Consignment, *, seen: Scope) -> Record:
    """Read the consignment's stream and verify its chain on the spot."""
    entries, breaks = _stream(session, one)
    events = [entry.event for entry in entries]
    versions = list(
        session.scalars(
            select(ManifestVersion)
            .where(ManifestVersion.consignment_number == one.number)
            .order_by(ManifestVersion.version)
        )
    )
    handovers = list(
        session.scalars(
            select(Handover).where(Handover.consignment_number == one.number).order_by(Handover.occurred_at)
        )
    )
    tubes = [Tube(line, specimen) for line, specimen in records.lines(session, one.number)]
    loads = _loads(session, one.number)
    findings = list(
        session.scalars(
            select(Nonconformity).where(Nonconformity.consignment_number == one.number).order_by(Nonconformity.id)
        )
    )
    prints = list(
        session.scalars(
            select(PrintEntry)
            .where(PrintEntry.subject == one.number, PrintEntry.kind.in_(PRINTS))
            .order_by(PrintEntry.at.desc(), PrintEntry.id.desc())
            .limit(MAX_PRINTS)
        )
    )
    reasons = {reason.code: reason for reason in session.scalars(select(Reason))}
    raised = select(Alert).where(Alert.consignment_number == one.number).order_by(Alert.occurred_at)
    return Record(
        consignment=one,
        seen=seen,
        box=session.get_one(Box, one.box_code),
        entries=entries,
        breaks=breaks,
        versions=_versions(one, versions, events),
        legs=legs(handovers, events),
        handovers=handovers,
        refusals=_refusals(session, events, tubes, reasons),
        tubes=tubes,
        loads=loads,
        findings=findings,
        alerts=list(session.scalars(raised)),
        prints=prints,
        sites=_sites(session, one, events, tubes),
        people=_people(session, one, events, handovers, versions, findings, [*tubes, *loads], prints),
        reasons=reasons,
    )


def _loads(session: Session, number: str) -> list[Load]:
    query = select(ItemLine, Item).join(Item, Item.number == ItemLine.item_number)
    rows = session.execute(query.where(ItemLine.consignment_number == number).order_by(Item.number))
    return [Load(line, item) for line, item in rows]


def _stream(session: Session, one: Consignment) -> tuple[list[Entry], list[Break]]:
    stream = consignment_stream(one.number)
    rows = session.execute(
        select(CustodyEvent.seq, CustodyEvent.body, CustodyEvent.prev_hash, CustodyEvent.hash, CustodyEvent.position)
        .where(CustodyEvent.stream == stream)
        .order_by(CustodyEvent.seq)
    ).all()
    links = [Link(stream, seq, body, previous, chained) for seq, body, previous, chained, _ in rows]
    breaks = custody.verify(links)
    if links and links[-1].hash != one.stream_head:
        breaks.append(Break(stream, links[-1].seq, "head"))
    return [Entry(read_text(body), position, chained) for _, body, _, chained, position in rows], breaks


def _versions(one: Consignment, manifests: Sequence[ManifestVersion], events: Sequence[Event]) -> list[Version]:
    """Oldest first. A version is superseded when its seal comes off, not only when the next one is locked."""
    opened = [event.occurred_at for event in events if event.type is E.UNSEALED]
    found: list[Version] = []
    before: Mapping[str, Mapping[str, Any]] = {}
    for manifest in manifests:
        lines = {_name(line): line for line in manifest.lines}
        added = [line for name, line in lines.items() if before and name not in before]
        removed = [line for name, line in before.items() if name not in lines]
        if found:
            ended = next((at for at in opened if at >= found[-1].manifest.locked_at), manifest.locked_at)
            found[-1] = replace(found[-1], current=False, superseded_at=min(ended, manifest.locked_at))
        found.append(Version(manifest, added, removed, True, None))
        before = lines
    if found and one.seal_number is None:
        found[-1] = replace(found[-1], current=False, superseded_at=opened[-1] if opened else one.closed_at)
    return found


def _name(line: Mapping[str, Any]) -> str:
    """What a line of a manifest is about: a tube's number, or a load item's."""
    return str(line["item"] if "item" in line else line["accession"])


def legs(handovers: Sequence[Handover], events: Sequence[Event]) -> list[Leg]:
    """The stretches of the way, from one signature to the next; the last ends where the box arrived."""
    found: list[Leg] = []
    arrived = [(event.occurred_at, event.site) for event in events if event.type is E.ARRIVED]
    left_at_site = {event.payload.get("handover") for event in events if event.type is E.HANDED_IN}
    for signed in handovers:
        if found and found[-1].until is None:
            end = next(((at, site) for at, site in arrived if found[-1].since <= at <= signed.occurred_at), None)
            at, site = end or (signed.occurred_at, signed.site_code)
            found[-1] = replace(found[-1], destination=site, until=at)
        if signed.meaning in {"pickup", "transfer"} and signed.id not in left_at_site:
            found.append(Leg(signed.taker, signed.taker_name, signed.site_code, signed.occurred_at, None, None))
    if found and found[-1].until is None:
        later = next(((at, site) for at, site in arrived if at >= found[-1].since), None)
        if later is not None:
            found[-1] = replace(found[-1], destination=later[1], until=later[0])
    return found


def _refusals(
    session: Session, events: Sequence[Event], tubes: Sequence[Tube], reasons: Mapping[str, Reason]
) -> dict[str, list[Refusal]]:
    """Tubes refused at a handover: the events that the same act wrote into the tubes' own streams."""
    refused = {custody.specimen_stream(tube.specimen.id): tube for tube in tubes if tube.line.outcome == "refused"}
    if not refused:
        return {}
    by_act = {event.act_id: str(event.payload.get("handover", "")) for event in events if event.type is E.HANDED_OVER}
    query = select(CustodyEvent.body).where(
        CustodyEvent.stream.in_(sorted(refused)), CustodyEvent.type == E.UNPACKED, CustodyEvent.act_id.in_(by_act)
    )
    found: dict[str, list[Refusal]] = {}
    for body in session.scalars(query.order_by(CustodyEvent.position)):
        event = read_text(body)
        reason = reasons.get(str(event.payload.get("reason", "")))
        refusal = Refusal(refused[event.stream].specimen.accession, reason)
        found.setdefault(by_act[event.act_id], []).append(refusal)
    return found


def _sites(session: Session, one: Consignment, events: Sequence[Event], tubes: Sequence[Tube]) -> dict[str, Site]:
    codes = {one.origin_code, one.destination_code, one.location_code, *(event.site for event in events)}
    codes |= {tube.line.found_site for tube in tubes} | {tube.specimen.recall_to for tube in tubes}
    query = select(Site).where(Site.code.in_(sorted(code for code in codes if code)))
    return {site.code: site for site in session.scalars(query)}


def _people(session: Session, one: Consignment, events: Sequence[Event], *rows: Iterable[Any]) -> dict[str, User]:
    handovers, versions, findings, contents, prints = rows
    names: set[str | None] = {one.holder, one.opened_by, *(event.actor for event in events)}
    names |= {name for signed in handovers for name in (signed.giver, signed.taker, signed.witness)}
    names |= {manifest.locked_by for manifest in versions} | {entry.username for entry in prints}
    names |= {name for finding in findings for name in (finding.found_by, finding.disposed_by)}
    names |= {each.line.checked_by for each in contents}
    query = select(User).where(User.username.in_(sorted(name for name in names if name)))
    return {user.username: user for user in session.scalars(query)}
