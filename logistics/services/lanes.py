"""The lanes in which the log grows: a hole in one shows that an event was taken out, whatever it was about.

A chain covers one tube, so until the day is signed its end, or a whole tube with its row and its acts, could be cut
off unseen. Therefore every event also has a place in a lane, inside the text that is hashed, and places run without a
hole: whoever takes one out must write every event anew that came after it in its lane, with all their chains.

One counter for everybody would make writers wait for each other. A transaction takes the first lane that no other
holds (SKIP LOCKED), or opens a new one, and so never waits; whoever is alone, and on SQLite everybody, is in lane 1.
"""

from __future__ import annotations

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from logistics.models import CustodyLane

_TAKEN = "labrelay.lane"
_FREE = (
    select(CustodyLane).order_by(CustodyLane.lane).limit(1)
    .with_for_update(skip_locked=True).execution_options(populate_existing=True)
)  # fmt: skip


def take(session: Session) -> CustodyLane:
    """The lane of this transaction, locked until it ends. Call it outside of savepoints: one that is rolled back
    would give the lock away."""
    transaction = session.get_transaction()
    taken = session.info.get(_TAKEN)
    if taken is not None and transaction is not None and taken[0] is transaction:
        lane: CustodyLane = taken[1]
        return lane
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
