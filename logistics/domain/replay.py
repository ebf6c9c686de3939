"""Events that were accepted once, folded again: roles were checked when they were recorded, so only states count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from logistics.domain import projection
from logistics.domain.custody import Event, EventType
from logistics.domain.transitions import CONSIGNMENT_TABLE, ITEM_TABLE, SPECIMEN_TABLE, Row, View


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a tube with the tube before and after it."""

    before: projection.SpecimenProjection
    event: Event
    after: projection.SpecimenProjection


def steps(events: Iterable[Event]) -> Iterator[Step]:
    """A tube's whole stream, event by event."""
    before = projection.SpecimenProjection()
    for event in events:
        after = projection.project_specimen(before, event, specimen_target(before, event))
        yield Step(before, event, after)
        before = after


def specimen_target(before: projection.SpecimenProjection, event: Event) -> str:
    """The state that an accepted event led a tube to."""
    return _target(SPECIMEN_TABLE, before.state, event, before)


def consignment_target(before: projection.ConsignmentProjection, event: Event) -> str:
    """The same for a consignment: guards ask for its kind, which tells apart who may, never where it leads."""
    for row in CONSIGNMENT_TABLE.get((before.state, event.type), []):
        return row.target or before.state
    return before.state


def item_target(before: projection.ItemProjection, event: Event) -> str:
    """The same for a load item."""
    return _target(ITEM_TABLE, before.state, event, before)


def _target(table: dict[tuple[str, EventType], list[Row]], state: str, event: Event, view: View) -> str:
    for row in table.get((state, event.type), []):
        if all(guard(view) for guard in row.guards):
            return row.target or state
    return state
