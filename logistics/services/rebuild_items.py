"""The same for load items: their columns and lines as their own streams give them, one stream at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import groupby

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics.domain import projection
from logistics.domain.custody import Event, item_stream, read_text
from logistics.domain.transitions import ITEM_TABLE, ItemState
from logistics.models import Consignment, CustodyEvent, Item, ItemLine
from logistics.services.desk import item_projection, write_item, write_item_line

LineFacts = tuple[str, str | None, str | None]
"""Outcome, condition, by whom."""


@dataclass
class ReplayedItem:
    """An item and its lines (by consignment) as the log alone gives them."""

    item: projection.ItemProjection = field(default_factory=projection.ItemProjection)
    lines: dict[str, projection.LineChange] = field(default_factory=dict)


def replay(session: Session) -> Iterator[tuple[str, ReplayedItem]]:
    """Every item of the log, in the order of their numbers."""
    query = (
        select(CustodyEvent.stream, CustodyEvent.body)
        .where(CustodyEvent.stream.startswith(item_stream("")))
        .order_by(CustodyEvent.stream, CustodyEvent.seq)
        .execution_options(yield_per=2000)
    )
    for stream, rows in groupby(session.execute(query), key=lambda row: str(row[0])):
        found = ReplayedItem()
        for _, body in rows:
            _follow(found, read_text(body))
        yield stream.partition(":")[2], found


def _follow(found: ReplayedItem, event: Event) -> None:
    change = projection.project_item_line(found.item, event)
    if change is not None and change.outcome is None:
        found.lines.pop(change.consignment, None)
    elif change is not None:
        found.lines[change.consignment] = change
    found.item = projection.project_item(found.item, event, item_target(found.item, event))


def item_target(before: projection.ItemProjection, event: Event) -> str:
    """The state an accepted event led to."""
    for row in ITEM_TABLE.get((before.state, event.type), []):
        if all(guard(before) for guard in row.guards):
            return row.target or before.state
    return ItemState(before.state)


def differences(session: Session) -> list[str]:
    """Where the columns differ from what the log gives."""
    found: list[str] = []
    lines: dict[tuple[str, str], LineFacts] = {}
    seen = set()
    for number, replayed in replay(session):
        seen.add(number)
        item = session.get(Item, number)
        if item is None:
            found.append(f"item:{number}: no such row")
            continue
        mine, theirs = asdict(item_projection(item)), asdict(replayed.item)
        found += [
            f"item:{number} {name}: {mine[name]!r} ≠ {theirs[name]!r}" for name in mine if mine[name] != theirs[name]
        ]
        for consignment, change in replayed.lines.items():
            lines[consignment, number] = (str(change.outcome), change.condition, change.checked_by)
    found += [f"item:{number}: not in the log" for number in session.scalars(select(Item.number)) if number not in seen]
    actual = {
        (line.consignment_number, line.item_number): (line.outcome, line.condition, line.checked_by)
        for line in session.scalars(select(ItemLine))
    }
    for key in sorted(actual.keys() | lines.keys()):
        if actual.get(key) != lines.get(key):
            found.append(f"item_line:{key[0]}/{key[1]}: {actual.get(key)} ≠ {lines.get(key)}")
    return found + _count_differences(session)


def _count_differences(session: Session) -> list[str]:
    counts = dict(
        session.execute(select(ItemLine.consignment_number, func.count()).group_by(ItemLine.consignment_number)).all()
    )
    rows = session.execute(
        select(Consignment.number, Consignment.item_count).where(
            (Consignment.item_count != 0) | Consignment.number.in_(list(counts))
        )
    ).all()
    return [
        f"consignment:{number} item_count: {count} ≠ {counts.get(number, 0)}"
        for number, count in rows
        if count != counts.get(number, 0)
    ]


def apply(session: Session) -> None:
    """Write the columns and lines of every item anew from the log."""
    wrong = {(line.consignment_number, line.item_number): line for line in session.scalars(select(ItemLine))}
    for number, replayed in replay(session):
        item = session.get_one(Item, number)
        write_item(item, replayed.item)
        for consignment, change in replayed.lines.items():
            wrong.pop((consignment, number), None)
            write_item_line(session, item, change)
    for line in wrong.values():
        session.delete(line)
    session.flush()
    counts = dict(
        session.execute(select(ItemLine.consignment_number, func.count()).group_by(ItemLine.consignment_number)).all()
    )
    for load in session.scalars(select(Consignment).where(Consignment.kind == "return")):
        load.item_count = counts.get(load.number, 0)
