"""Where couriers are while they are on duty. Off duty nothing is taken: whereabouts are sensitive (PIPL Art. 28)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from logistics.db import insert_ignoring, next_number
from logistics.errors import Conflict, NotFound
from logistics.models import Courier, CourierPosition
from logistics.services.custody import BOARD, FUTURE_TOLERANCE

WORST_ACCURACY_M = 3000.0  # a cell tower's guess says nothing about a road


@dataclass(frozen=True, slots=True)
class Fix:
    """One position, WGS-84 degrees; ``accuracy_m`` as the phone states it."""

    at: datetime
    lat: float
    lon: float
    accuracy_m: float | None = None


def set_duty(session: Session, username: str, *, on: bool, at: datetime) -> datetime | None:
    """Go on or off duty at ``at``. Going on twice keeps the first time. Returns on_duty_since.

    Raises NotFound('courier_unknown').
    """
    courier = _courier(session, username)
    if on:
        courier.on_duty_since = courier.on_duty_since or at
    elif courier.on_duty_since is not None and at >= courier.on_duty_since:
        courier.on_duty_since = None
    next_number(session, BOARD)
    return courier.on_duty_since


def report(session: Session, username: str, fixes: Iterable[Fix], *, now: datetime) -> tuple[int, int]:
    """Keep the fixes of this duty. Returns (new, left out): sent before, before duty, in the future, too vague.

    Raises Conflict('off_duty'): nothing is taken from somebody who is off duty.
    """
    courier = _courier(session, username)
    since = courier.on_duty_since
    if since is None:
        raise Conflict("off_duty")
    sent = list(fixes)
    good = {
        fix.at: fix
        for fix in sent
        if since <= fix.at <= now + FUTURE_TOLERANCE and (fix.accuracy_m or 0.0) <= WORST_ACCURACY_M
    }
    if not good:
        return 0, len(sent)
    rows = [
        {"username": username, "at": fix.at, "lat": fix.lat, "lon": fix.lon, "accuracy_m": fix.accuracy_m}
        for fix in good.values()
    ]
    new = insert_ignoring(session, CourierPosition.__table__, rows)
    if new:
        next_number(session, BOARD)
    return new, len(sent) - new


def latest(session: Session, username: str) -> CourierPosition | None:
    """The newest known position of a courier."""
    return session.scalars(
        select(CourierPosition).where(CourierPosition.username == username).order_by(CourierPosition.at.desc()).limit(1)
    ).first()


def forget(session: Session, *, older_than: timedelta, now: datetime) -> int:
    """Delete positions older than that. Returns how many went."""
    result = session.execute(delete(CourierPosition).where(CourierPosition.at < now - older_than))
    return int(getattr(result, "rowcount", 0))


def _courier(session: Session, username: str) -> Courier:
    found = session.scalars(
        select(Courier).where(Courier.username == username, Courier.active).with_for_update()
    ).first()
    if found is None:
        raise NotFound("courier_unknown")
    return found
