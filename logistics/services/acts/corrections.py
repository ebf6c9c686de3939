"""An earlier event is declared wrong. It is never edited: the declaration stands beside it, with who, when and why.

Where nothing has been built on the wrong event yet, the tube goes back to what it was before it; otherwise the
declaration is a remark that everybody sees, and the ordinary acts put things right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from logistics.domain import access, projection
from logistics.domain.custody import Event, consignment_stream, read_text, specimen_stream
from logistics.domain.custody import EventType as E
from logistics.domain.replay import Step, steps
from logistics.errors import Conflict, Forbidden, Invalid, NotFound
from logistics.models import Consignment, CustodyEvent, Specimen
from logistics.services import alerts, lookup
from logistics.services.desk import Desk

# What a tube can be put back from. Packing, sealing and handing over concern a box, and have acts that undo them.
UNDOABLE = frozenset(
    {E.COLLECTED, E.COLLECTION_FAILED, E.RECEIVED, E.DECLARED_MISSING, E.ACCEPTED, E.ACCEPTED_CONCESSION, E.REJECTED,
     E.LOST, E.RECALLED, E.DISPOSED}
)  # fmt: skip
ON_A_LINE = frozenset({E.RECEIVED, E.DECLARED_MISSING, E.REJECTED})  # these say what became of a line of a manifest
BESIDE = frozenset({E.NOTED, E.HELD, E.RELEASED, E.CORRECTED})  # nothing is built on these
LONGEST_REASON = 500


def correct(desk: Desk) -> None:
    """payload: ``event`` (its number in the stream), ``reason``. By who made it, or a manager.

    Raises NotFound('event_unknown'), Conflict('correction_twice'), Forbidden('correction_foreign').
    """
    reason = desk.payload("reason")[:LONGEST_REASON]
    wanted = desk.payload("event", int)
    if desk.act.subject.get("consignment") and not desk.act.subject.get("specimen"):
        _correct_consignment(desk, wanted, reason)
        return
    tube = lookup.specimen(desk)
    events = _events(desk, specimen_stream(tube.id))
    event = _wrong(desk, events, wanted)
    payload: dict[str, Any] = {"corrects": wanted, "type": event.type.value, "reason": reason}
    step = _undoable(desk, list(steps(events)), wanted)
    if step is not None:
        payload["restores"] = projection.restorable(step.before, step.after)
        payload["line"] = step.before.consignment_number
    desk.append_specimen(tube, E.CORRECTED, payload)
    if step is not None:
        _clear_up(desk, tube, step)
    desk.result.update(
        specimen=tube.accession,
        specimen_id=tube.id,
        state=tube.state,
        on_hold=tube.on_hold,
        corrects=wanted,
        undone=step is not None,
    )


def _correct_consignment(desk: Desk, wanted: int, reason: str) -> None:
    """Events of a consignment concern a box of tubes: they can be declared wrong, never taken back."""
    load = lookup.consignment(desk)
    event = _wrong(desk, _events(desk, consignment_stream(load.number)), wanted)
    desk.append_consignment(load, E.CORRECTED, {"corrects": wanted, "type": event.type.value, "reason": reason})
    desk.result.update(consignment=load.number, state=load.state, corrects=wanted, undone=False)


def _events(desk: Desk, stream: str) -> list[Event]:
    query = select(CustodyEvent.body).where(CustodyEvent.stream == stream).order_by(CustodyEvent.seq)
    return [read_text(body) for body in desk.session.scalars(query)]


def _wrong(desk: Desk, events: Sequence[Event], wanted: int) -> Event:
    """The event that is declared wrong."""
    if not 1 <= wanted <= len(events):
        raise NotFound("event_unknown", field="event")
    event = events[wanted - 1]
    if event.type is E.CORRECTED:
        raise Invalid("correction_of_correction", field="event")
    if any(one.type is E.CORRECTED and one.payload.get("corrects") == wanted for one in events):
        raise Conflict("correction_twice", field="event")
    manages = desk.actor.role == access.MANAGER and (event.site is None or desk.scope.covers(event.site))
    if event.actor != desk.actor.username and not manages:
        raise Forbidden("correction_foreign", field="event")
    return event


def _undoable(desk: Desk, history: Sequence[Step], wanted: int) -> Step | None:
    """The step to go back from: of a kind that can be undone, with nothing built on it since, its manifest open."""
    undone = {step.event.payload.get("corrects") for step in history if step.event.payload.get("restores") is not None}
    effective = [step for step in history if step.event.type not in BESIDE and step.event.seq not in undone]
    last = effective[-1]
    if last.event.seq != wanted or last.event.type not in UNDOABLE:
        return None
    line = last.before.consignment_number
    if line is None:
        # Received when it was found: the search that ended with it is not begun again by a word.
        return None if last.event.type is E.RECEIVED else last
    load = desk.session.get(Consignment, line)
    return last if last.event.type in ON_A_LINE and load is not None and load.state == "delivered" else None


def _clear_up(desk: Desk, tube: Specimen, step: Step) -> None:
    """What followed from the wrong event beside the log."""
    if step.event.type is E.COLLECTED:
        tube.use_by_at = tube.use_by_test = None
    if step.event.type is not E.DECLARED_MISSING:
        return
    number = step.before.consignment_number
    others = select(Specimen.id).where(Specimen.missing_from == number, Specimen.id != tube.id).limit(1)
    if desk.session.scalars(others).first() is None:
        alerts.end_alert(desk.session, f"missing:{number}", now=desk.now)
