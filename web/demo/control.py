"""Turning the simulated day's knobs: begin, pause, speed, begin again (on the next morning)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.clock import SharedClock, wall_now
from logistics.errors import Conflict, Invalid
from logistics.models import CustodyEvent
from web.demo.script import DAY_BEGINS, RATE, ZONE, local
from web.settings import Settings

RATES = (0.0, 1.0, 10.0, 60.0, 120.0, 300.0)


def shared_clock(settings: Settings) -> SharedClock:
    """The clock of the simulation. Raises Conflict where the clock is the real one."""
    if not settings.demo or not settings.clock.startswith("shared:"):
        raise Conflict("no_simulation")
    return SharedClock(Path(settings.clock.removeprefix("shared:")))


def prepare_clock(session: Session, settings: Settings) -> datetime:
    """Set the clock to the next morning without a day: today's, or the one after the last recorded act."""
    path = Path(settings.clock.removeprefix("shared:"))
    start = next_morning(last_act(session))
    SharedClock.create(path, start=start, rate=RATE)
    return start


def last_act(session: Session) -> datetime | None:
    return session.scalar(select(func.max(CustodyEvent.occurred_at)))


def next_morning(after: datetime | None) -> datetime:
    """Half past seven of the first day that has seen nothing yet, from today on."""
    day = wall_now().astimezone(ZONE).date()
    if after is not None:
        day = max(day, after.astimezone(ZONE).date() + timedelta(days=1))
    return local(working_day(day), DAY_BEGINS)


def working_day(day: date) -> date:
    """The same day, or the Monday after a weekend: townships send little then."""
    return day + timedelta(days={5: 2, 6: 1}.get(day.weekday(), 0))


def set_rate(settings: Settings, rate: float) -> None:
    if rate not in RATES:
        raise Invalid("demo_rate_unknown", field="rate", rates=", ".join(f"{one:g}" for one in RATES))
    shared_clock(settings).set_rate(rate)


def begin_again(settings: Settings) -> datetime:
    """Go on with the next morning; the record of the days before stays, as in life."""
    start = next_morning(clock.now())
    shared = shared_clock(settings)
    shared.jump(start)
    shared.set_rate(RATE)
    return start
