"""Jobs: one worker at a time, a lease that a dead worker loses, a fence that a slow one cannot climb."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from logistics.models import Job
from logistics.services import jobs

NOW = datetime(2026, 3, 9, 1, 0, tzinfo=UTC)
pytestmark = pytest.mark.both_databases


def _added(session: Session) -> str:
    job_id = jobs.add(session, "plan", {"plan_id": 1}, by="dispatcher", now=NOW).id
    session.commit()
    return job_id


def _row(session: Session, job_id: str) -> Job:
    return session.get_one(Job, job_id, populate_existing=True)


def test_only_one_worker_gets_a_job(session: Session) -> None:
    """A second claim finds the job taken as long as the lease holds."""
    job_id = _added(session)
    first = jobs.claim(session, job_id, now=NOW)
    session.commit()
    assert first is not None
    assert first.attempt == 1
    assert jobs.claim(session, job_id, now=NOW + jobs.LEASE / 2) is None


def test_an_expired_lease_is_sent_again_and_fences_the_old_worker(session: Session) -> None:
    """After the lease ran out the sweep names the job, another worker takes it, the first may write nothing."""
    job_id = _added(session)
    slow = jobs.claim(session, job_id, now=NOW)
    assert slow is not None
    late = NOW + jobs.LEASE + timedelta(seconds=1)
    assert jobs.abandoned(session, now=late) == ([job_id], [])
    fast = jobs.claim(session, job_id, now=late)
    assert fast is not None
    assert fast.attempt == 2
    assert jobs.beat(session, slow, now=late) == jobs.Beat(ours=False, stop=False)
    assert not jobs.finish(session, slow, result={"cost": 1}, now=late)
    assert jobs.finish(session, fast, result={"cost": 2}, now=late)
    session.commit()
    row = _row(session, job_id)
    assert (row.state, row.result, row.lease_until) == ("done", {"cost": 2}, None)


def test_a_heartbeat_keeps_the_lease_and_writes_progress(session: Session) -> None:
    """A beating job is not abandoned, and its progress is in the row."""
    job_id = _added(session)
    claim = jobs.claim(session, job_id, now=NOW)
    assert claim is not None
    later = NOW + jobs.LEASE - timedelta(seconds=1)
    assert jobs.beat(session, claim, now=later, progress={"cost": 12.5}).ours
    assert jobs.abandoned(session, now=NOW + jobs.LEASE + timedelta(seconds=5)) == ([], [])
    assert _row(session, job_id).progress == {"cost": 12.5}


def test_stop_reaches_the_worker_and_takes_back_what_nobody_began(session: Session) -> None:
    """A running job hears of it with its next beat; a waiting one is cancelled."""
    running, waiting = _added(session), _added(session)
    claim = jobs.claim(session, running, now=NOW)
    assert claim is not None
    assert jobs.request_stop(session, running, now=NOW) == "running"
    assert jobs.beat(session, claim, now=NOW) == jobs.Beat(ours=True, stop=True)
    assert jobs.request_stop(session, waiting, now=NOW) == "cancelled"
    assert jobs.claim(session, waiting, now=NOW) is None


def test_a_waiting_job_whose_task_was_lost_is_sent_again_but_not_at_every_sweep(session: Session) -> None:
    """The message was lost: the sweep sends it, and then waits before it sends it once more."""
    job_id = _added(session)
    assert jobs.abandoned(session, now=NOW + timedelta(seconds=5)) == ([], [])
    later = NOW + jobs.RESEND_AFTER + timedelta(seconds=1)
    assert jobs.abandoned(session, now=later) == ([job_id], [])
    assert jobs.abandoned(session, now=later + timedelta(seconds=1)) == ([], [])


def test_a_job_that_kills_its_workers_is_given_up(session: Session) -> None:
    """After the last attempt it is failed with a code instead of killing workers for ever."""
    job_id = _added(session)
    now = NOW
    for _ in range(jobs.MAX_ATTEMPTS):
        assert jobs.claim(session, job_id, now=now) is not None
        now += jobs.LEASE + timedelta(seconds=1)
    again, given_up = jobs.abandoned(session, now=now)
    assert again == []
    assert [(job.id, job.state, job.error) for job in given_up] == [(job_id, "failed", "job_given_up")]
    assert jobs.claim(session, job_id, now=now) is None


def test_a_failure_keeps_its_code(session: Session) -> None:
    """What went wrong stands in the row by its code and params."""
    job_id = _added(session)
    claim = jobs.claim(session, job_id, now=NOW)
    assert claim is not None
    assert jobs.fail(session, claim, code="no_couriers", params={"day": "2026-03-09"}, now=NOW)
    row = _row(session, job_id)
    assert (row.state, row.error, row.result) == ("failed", "no_couriers", {"params": {"day": "2026-03-09"}})
