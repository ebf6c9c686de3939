"""What an outside tracker calls the events of a tube: IHE Specimen Event Tracking, HL7 table 0003, S38 … S52.

The code follows from the event and the state that it led to: a handover to a courier is a departure, the handover at
the laboratory's door is none, because the arrival before it has a code of its own. An event that has no code there is
named as such, so that a new one is not forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from logistics.domain.custody import Event
from logistics.domain.custody import EventType as E
from logistics.domain.replay import steps
from logistics.domain.transitions import State as S

DEPARTED, ARRIVED, ACCEPTED, REJECTED, WRITTEN_OFF = "S41", "S42", "S43", "S44", "S49"

SET_CODES: Mapping[tuple[E, S], str] = {
    (E.REGISTERED, S.REGISTERED): "S38",
    (E.COLLECTED, S.COLLECTED): "S39",
    (E.COLLECTION_FAILED, S.COLLECTION_FAILED): "S40",
    (E.HANDED_OVER, S.IN_TRANSIT): DEPARTED,  # also on its next leg
    (E.ARRIVED, S.ARRIVED): ARRIVED,
    (E.HANDED_IN, S.WAITING): ARRIVED,  # at a site on its way
    (E.ACCEPTED, S.ACCEPTED): ACCEPTED,
    (E.ACCEPTED_CONCESSION, S.ACCEPTED_CONCESSION): ACCEPTED,
    (E.REJECTED, S.REJECTED): REJECTED,
    (E.LOST, S.LOST): WRITTEN_OFF,
    (E.RECALLED, S.RECALLED): WRITTEN_OFF,
    (E.DISPOSED, S.DISPOSED): WRITTEN_OFF,
    # A recalled tube travels on in its box.
    (E.ARRIVED, S.RECALLED): ARRIVED,
    (E.HANDED_IN, S.RECALLED): ARRIVED,
}
NO_CODE: frozenset[E] = frozenset(
    {E.PACKED, E.UNPACKED, E.SEALED, E.UNSEALED, E.RECEIVED, E.RECEIVED_UNEXPECTED, E.DECLARED_MISSING, E.HELD,
     E.RELEASED, E.FOUND, E.FOUND_AT_ORIGIN, E.TESTS_REJECTED, E.RETURNED, E.NOTED, E.CORRECTED}
)  # fmt: skip
"""Events of a tube that the vocabulary does not know."""


def set_code(event: Event, state: str) -> str | None:
    """The code of an event that led its tube to ``state``; None: it has none."""
    if event.type is E.HANDED_OVER and state == S.RECALLED:
        return None if event.payload.get("meaning") == "delivery" else DEPARTED
    return SET_CODES.get((event.type, S(state)))


def of_stream(events: Iterable[Event]) -> dict[int, str | None]:
    """The codes of a tube's whole stream, by number. Streams of consignments and items have none."""
    given = list(events)
    if not given or not given[0].stream.startswith("specimen:"):
        return {event.seq: None for event in given}
    return {step.event.seq: set_code(step.event, step.after.state) for step in steps(given)}
