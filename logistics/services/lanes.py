"""The lanes in which the log grows: a hole in one shows that an event was taken out, whatever it was about.

A chain covers one tube, so until the day is signed its end, or a whole tube with its row and its acts, could be cut
off unseen. Therefore every event also has a place in a lane, inside the text that is hashed, and places run without a
hole: whoever takes one out must write every event anew that came after it in its lane, with all their chains.

One counter for everybody would make writers wait for each other. A transaction takes the first lane that no other
holds (SKIP LOCKED), or opens a new one, and so never waits; whoever is alone, and on SQLite everybody, is in lane 1.
Whoever knows how many events there are takes their places in one statement (``places``), the others one by one.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from logistics.models import CustodyLane

_TAKEN = "labrelay.lane"
_FREE = (
    select(CustodyLane).order_by(CustodyLane.lane).limit(1)
    .with_for_update(skip_locked=True).execution_options(populate_existing=True)
)  # fmt: skip

_FIRST_FREE = select(CustodyLane.lane).order_by(CustodyLane.lane).limit(1).with_for_update(skip_locked=True)
_MOVE = (
    update(CustodyLane.__table__)  # type: ignore[arg-type]
    .where(CustodyLane.lane == _FIRST_FREE.scalar_subquery())
    .values(last=CustodyLane.last + bindparam("count"))
    .returning(CustodyLane.lane, CustodyLane.last)
)
_OPEN = insert(CustodyLane.__table__).returning(CustodyLane.lane)  # type: ignore[arg-type]


def take(session: Session) -> CustodyLane:
    """The lane of this transaction, locked until it ends. Call it outside of savepoints: one that is rolled back
    would give the lock away."""
    taken = _taken(session)
    if taken is not None:
        return taken
    found = session.scalars(_FREE).first()
    if found is None:
        found = session.scalars(insert(CustodyLane).values(last=0).returning(CustodyLane)).one()
    session.info[_TAKEN] = (session.get_transaction(), found)
    return found


def next_place(session: Session) -> tuple[int, int]:
    """(lane, place) of the next event."""
    lane = take(session)
    lane.last += 1
    return lane.lane, lane.last


def places(session: Session, count: int) -> tuple[int, Iterator[int]]:
    """(lane, the places of the next ``count`` events) at once, for events that are written in one go."""
    taken = _taken(session)
    if taken is not None:
        taken.last += count
        lane, last = taken.lane, taken.last
    else:
        connection = session.connection()
        moved = connection.execute(_MOVE, {"count": count}).first()
        lane, last = moved if moved is not None else (connection.execute(_OPEN, {"last": count}).scalar_one(), count)
    return lane, iter(range(last - count + 1, last + 1))


def _taken(session: Session) -> CustodyLane | None:
    transaction = session.get_transaction()
    taken = session.info.get(_TAKEN)
    if taken is None or transaction is None or taken[0] is not transaction:
        return None
    lane: CustodyLane = taken[1]
    return lane
