"""What must hold however the day went. Looked at from the rows and the log, by none of the code that wrote them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain import numbers
from logistics.domain.custody import Event, read_text
from logistics.domain.custody import EventType as E
from logistics.models import (
    Box,
    Consignment,
    ConsignmentLine,
    CustodyEvent,
    Handover,
    ItemLine,
    ManifestVersion,
    SealUse,
    Specimen,
)
from logistics.services import rebuild

OVER = {"closed", "cancelled"}
OUTSIDE = {"refused", "unpacked", "elsewhere"}
SHUT = {"sealed", "in_transit", "waiting", "arrived", "delivered"}
FREES = {E.RELEASED, E.RECALLED, E.LOST, E.DISPOSED, E.REJECTED}
SOUGHT = {"missing", "lost", "recalled", "disposed"}
USES = {E.ACCEPTED, E.ACCEPTED_CONCESSION, E.PACKED}


def broken(session: Session) -> list[str]:
    """Every invariant that does not hold, in words; empty when all do."""
    session.flush()
    session.expire_all()
    state = _State(session)
    found = [*rebuild.differences(session), *(str(one) for one in rebuild.verify_log(session))]
    for rule in (_tubes, _loads, _boxes, _ways, _seals, _manifests, _handovers):
        found += rule(state)
    return found


class _State:
    def __init__(self, session: Session) -> None:
        self.tubes = {one.id: one for one in session.scalars(select(Specimen))}
        self.loads = {one.number: one for one in session.scalars(select(Consignment))}
        self.boxes = session.scalars(select(Box)).all()
        self.lines = session.scalars(select(ConsignmentLine)).all()
        self.item_lines = Counter(session.scalars(select(ItemLine.consignment_number)))
        self.handovers = session.scalars(select(Handover)).all()
        self.seals = {one.number: one.consignment_number for one in session.scalars(select(SealUse))}
        self.manifests: dict[str, list[ManifestVersion]] = defaultdict(list)
        for one in session.scalars(select(ManifestVersion).order_by(ManifestVersion.version)):
            self.manifests[one.consignment_number].append(one)
        self.streams: dict[str, list[Event]] = defaultdict(list)
        for body in session.scalars(select(CustodyEvent.body).order_by(CustodyEvent.stream, CustodyEvent.seq)):
            event = read_text(body)
            self.streams[event.stream].append(event)

    def inside(self, number: str) -> set[int]:
        return {one.id for one in self.tubes.values() if one.consignment_number == number}


def _tubes(state: _State) -> Iterator[str]:
    """A tube waits on one open manifest at most, the one it lies in; it is where its box is, in the same hands."""
    waiting: dict[int, list[str]] = defaultdict(list)
    for line in state.lines:
        if line.outcome in {"expected", "recalled"} and state.loads[line.consignment_number].state not in OVER:
            waiting[line.specimen_id].append(line.consignment_number)
    for one in state.tubes.values():
        here = state.loads.get(one.consignment_number or "")
        kept = here is not None and here.state in OVER and one.state == "recalled"  # a receipt closes over it
        mine = [here.number] if here is not None and not kept else []
        expected = [number for number in waiting[one.id] if one.state != "returned"]
        if one.state not in {"returned", "disposed", "lost"} and expected != mine:
            yield f"{one.accession} waits on {expected}, lies in {mine}"
        if one.consignment_number is None:
            if one.state == "delivered":
                yield f"{one.accession} was delivered and lies in no box"
            if one.missing_from is not None and one.state not in SOUGHT:
                yield f"{one.accession} is {one.state} and still missing from {one.missing_from}"
            continue
        load = state.loads[one.consignment_number]
        if load.state in OVER and one.state != "recalled":
            yield f"{one.accession} lies in {load.number}, which is {load.state}"
        elif load.state not in OVER and one.box_code != load.box_code:
            yield f"{one.accession} lies in {one.box_code}, its load in {load.box_code}"
        elif load.state not in OVER and (one.holder, one.location_code) != (load.holder, load.location_code):
            yield f"{one.accession} is with {one.holder} at {one.location_code}, its box with {load.holder}"


def _loads(state: _State) -> Iterator[str]:
    """Counts reconcile; a closed receipt leaves no line open."""
    for load in state.loads.values():
        inside = [one for one in state.lines if one.consignment_number == load.number and one.outcome not in OUTSIDE]
        if load.tube_count != len(inside):
            yield f"{load.number} counts {load.tube_count} tubes, has {len(inside)} lines"
        if load.item_count != state.item_lines[load.number]:
            yield f"{load.number} counts {load.item_count} items, has {state.item_lines[load.number]} lines"
        if load.state == "closed" and any(one.outcome == "expected" for one in inside):
            yield f"{load.number} is closed over an open line"


def _boxes(state: _State) -> Iterator[str]:
    """Each open consignment has its box, and no box has two."""
    carried = sorted(box.consignment_number for box in state.boxes if box.consignment_number)
    under_way = sorted(load.number for load in state.loads.values() if load.state not in OVER)
    if carried != under_way:
        yield f"boxes carry {carried}, under way are {under_way}"


def _ways(state: _State) -> Iterator[str]:
    """No tube is received before it was handed over, none is used while it is on hold or after it was recalled."""
    for stream, events in state.streams.items():
        if not stream.startswith("specimen:"):
            continue
        delivered = held = recalled = False
        for event in events:
            if event.type is E.CORRECTED:
                restored: dict[str, Any] = event.payload.get("restores") or {}
                held = bool(restored.get("on_hold", held))
                recalled = recalled and "recall_reason" not in restored
                delivered = True if restored else delivered
            if event.type is E.RECEIVED and not delivered:
                yield f"{stream} was received and never handed over"
            if event.type in USES and (held or recalled):
                yield f"{stream} {event.type.value} while on hold or recalled"
            if event.type in {E.HANDED_OVER, E.FOUND, E.RECEIVED_UNEXPECTED}:
                delivered = True
            if event.type is E.PACKED:
                delivered = False
            held = event.type is E.HELD or (held and event.type not in FREES)
            recalled = recalled or event.type is E.RECALLED


def _seals(state: _State) -> Iterator[str]:
    """No number was ever put on twice, and every one is on record."""
    used: dict[str, str] = {}
    for stream, events in state.streams.items():
        for event in events:
            if not stream.startswith("consignment:") or event.type not in {E.SEALED, E.RESEALED}:
                continue
            seal = numbers.normalise(event.payload["seal"])
            if not seal or seal == numbers.normalise(event.payload.get("old_seal") or ""):
                continue
            if seal in used:
                yield f"seal {seal} was put on twice"
            used[seal] = stream.partition(":")[2]
    if used != state.seals:
        yield f"seals on record {state.seals}, put on {used}"


def _manifests(state: _State) -> Iterator[str]:
    """The newest version is in force and lists what travels, no less; and nothing that was left behind."""
    for load in state.loads.values():
        versions = state.manifests[load.number]
        if [one.version for one in versions] != list(range(1, load.manifest_version + 1)):
            yield f"{load.number} has versions {[one.version for one in versions]}, says {load.manifest_version}"
        if load.state not in SHUT or not versions:
            continue
        listed = {int(line["specimen"]) for line in versions[-1].lines if "specimen" in line}
        inside = state.inside(load.number)
        if not inside <= listed or (load.state == "sealed" and not _same(state, load, inside, listed)):
            yield f"the manifest of {load.number} lists {listed}, inside are {inside}"
        if load.seal_number and versions[-1].seal_number != load.seal_number:
            yield f"{load.number} bears {load.seal_number}, its manifest {versions[-1].seal_number}"
        left = {one.specimen_id for one in state.lines
                if one.consignment_number == load.number and one.outcome == "refused"}  # fmt: skip
        if left & listed:
            yield f"the manifest of {load.number} lists {left & listed}, which were left behind"


def _same(state: _State, load: Consignment, inside: set[int], listed: set[int]) -> bool:
    """What is listed and not inside was lost, disposed of or turned up elsewhere meanwhile."""
    gone = {one.specimen_id for one in state.lines if one.consignment_number == load.number and one.outcome in OUTSIDE}
    return listed - inside <= gone


def _handovers(state: _State) -> Iterator[str]:
    """Every handover moved as many tubes and items as it says."""
    moved: Counter[tuple[str, str]] = Counter()
    for stream, events in state.streams.items():
        for event in events:
            if event.type in {E.HANDED_OVER, E.HANDED_IN} and not stream.startswith("consignment:"):
                moved[event.payload["handover"], event.payload["consignment"]] += 1
    for one in state.handovers:
        count = moved[one.id, one.consignment_number]
        if one.tube_count != count:
            yield f"{one.id} says {one.tube_count} of {one.consignment_number}, moved {count}"
