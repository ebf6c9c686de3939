"""When a consignment under way is expected: as the courier's published plan has it, anew whenever the plan changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.db import next_number
from logistics.models import Box, Consignment, Plan, Stop

UNDER_WAY = ("in_transit", "waiting")
DEFAULT_LEG = timedelta(hours=2)
"""Without a plan: so long after the departure."""
WORTH_A_WORD = timedelta(minutes=1)
BOARD = "board"  # counter that wakes live pages


def recompute(session: Session, *, now: datetime) -> list[str]:
    """Bring the expected arrival of everything under way in line with the plans in force. Returns what changed.

    Only a plan moves the promise: published anew, or put into another order by the courier. A courier who is late
    does not, and so becomes overdue.
    """
    carried = session.scalars(select(Consignment).where(Consignment.state.in_(UNDER_WAY))).all()
    stops = _stops(session, [one for one in carried if one.holder], now)
    changed = []
    for one in carried:
        expected = _planned(one, stops.get((one.holder or "", one.destination_code), ())) or one.expected_at
        if expected is None and one.departed_at is not None:
            expected = one.departed_at + DEFAULT_LEG
        if expected is None:
            continue
        if one.expected_at is None or abs(expected - one.expected_at) >= WORTH_A_WORD:
            one.expected_at = expected
            changed.append(one.number)
    if changed:
        next_number(session, BOARD)
    return changed


def _stops(session: Session, carried: Sequence[Consignment], now: datetime) -> dict[tuple[str, str], list[Stop]]:
    if not carried:
        return {}
    query = (
        select(Stop)
        .join(Plan, Plan.id == Stop.plan_id)
        .where(
            Plan.state == "published",
            Stop.state == "planned",
            Stop.courier.in_(sorted({one.holder or "" for one in carried})),
            Stop.site_code.in_(sorted({one.destination_code for one in carried})),
            Stop.arrive_at.between(now - timedelta(hours=14), now + timedelta(hours=24)),
        )
        .order_by(Stop.arrive_at)
    )
    found: dict[tuple[str, str], list[Stop]] = {}
    for stop in session.scalars(query):
        found.setdefault((stop.courier, stop.site_code), []).append(stop)
    return found


def _planned(one: Consignment, stops: Sequence[Stop]) -> datetime | None:
    """The courier's next visit to the destination after he took the box; in his own order of stops, as that gives."""
    for stop in stops:
        at = stop.eta_at or stop.arrive_at
        if one.departed_at is None or at >= one.departed_at:
            return at
    return None


def hold_until(one: Consignment, box: Box) -> datetime | None:
    """When the validated hold time of the box is over, counted from its seal; None: not sealed, or it keeps nothing."""
    if box.kind != "box":
        return None  # a bag of papers keeps nothing cold
    since = one.sealed_at or one.departed_at
    return since + timedelta(hours=box.hold_h) if since is not None else None
