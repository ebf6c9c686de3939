"""What the pages say of the ingest: ok, behind, down, none."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from logistics.clock import wall_now
from telemetry.models import IngestHeartbeat
from telemetry.status import BACKLOG, LATE, Counters, beat, ingest_status

pytestmark = pytest.mark.both_databases
HOUR = timedelta(hours=1)


def told(session: Session, name: str, *, connected: bool = True, failing: bool = False, full: bool = False) -> str:
    beat(session, name, Counters(failing=failing, full=full), connected=connected, waiting=0)
    session.commit()
    return ingest_status(session).state


def older(session: Session, name: str, **columns: timedelta) -> str:
    row = session.get_one(IngestHeartbeat, name)
    for column, age in columns.items():
        setattr(row, column, wall_now() - age)
    session.commit()
    return ingest_status(session).state


def test_one_good_process_is_enough_and_none_is_down(session: Session) -> None:
    """Never run: none. One of two without broker or database: ok. Both: behind. No beat for ten seconds: down."""
    assert ingest_status(session).state == "none"
    assert told(session, "1") == "ok"
    assert told(session, "2", connected=False) == "ok"
    assert told(session, "1", failing=True) == "behind"
    assert told(session, "1") == "ok"
    older(session, "1", beat_at=LATE * 2)
    assert older(session, "2", beat_at=LATE * 2) == "down"


def test_a_backlog_that_stays_is_behind(session: Session) -> None:
    """A full window for a moment is a burst; for longer than ten seconds telemetry is behind, until it has room."""
    assert told(session, "1", full=True) == "ok"
    assert older(session, "1", backlog_since=BACKLOG * 2) == "behind"
    assert told(session, "1", full=True) == "behind"
    assert told(session, "1") == "ok"


def test_since_when_is_not_the_last_commit(session: Session) -> None:
    """A quiet night, then the broker is gone for a moment: behind since that moment. Flooded while it commits all the
    time: since the backlog began. Two of three gone at different times: since the last one went."""
    beat(session, "1", Counters(last_commit_at=wall_now() - HOUR), connected=False, waiting=0)
    session.commit()
    assert age(session) < LATE
    beat(session, "1", Counters(last_commit_at=wall_now(), full=True), connected=True, waiting=4000)
    older(session, "1", backlog_since=HOUR)
    assert HOUR <= age(session) < HOUR + LATE
    beat(session, "1", Counters(), connected=True, waiting=0)
    beat(session, "2", Counters(), connected=False, waiting=0)
    beat(session, "3", Counters(), connected=False, waiting=0)
    older(session, "2", failing_since=HOUR)
    assert older(session, "3", beat_at=HOUR * 3, failing_since=HOUR * 4) == "ok"
    assert older(session, "1", beat_at=HOUR * 2) == "behind"
    assert HOUR <= age(session) < HOUR + LATE
    assert older(session, "2", beat_at=LATE * 2) == "down"
    assert HOUR <= age(session) < HOUR + LATE


def age(session: Session) -> timedelta:
    since = ingest_status(session).since
    assert since is not None
    return wall_now() - since
