"""Jobs: long work as a row. A worker takes it with a lease in real time; what a dead worker left is sent again.

    claim = jobs.claim(session, job_id, now=wall_now())      # None: somebody else has it, or it is finished
    jobs.beat(session, claim, progress={…}, now=…)           # keeps the lease; tells whether to stop
    jobs.finish(session, claim, result={…}, now=…)           # False: the lease was lost, throw the work away

``attempts`` is the fence: a worker that slept through its lease finds another number in the row and may write
nothing any more. Every ``now`` here is ``clock.wall_now()``: leases must not follow a simulated day.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from logistics.models import Job

LEASE = timedelta(seconds=15)
RESEND_AFTER = timedelta(seconds=20)
MAX_ATTEMPTS = 4

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
OPEN = (WAITING, RUNNING)


@dataclass(frozen=True, slots=True)
class Claim:
    """A job in the hands of this worker; ``attempt`` is its fence."""

    job_id: str
    kind: str
    args: Mapping[str, Any]
    attempt: int


@dataclass(frozen=True, slots=True)
class Beat:
    """``ours``: the lease still holds. ``stop``: somebody asked to stop and keep the best."""

    ours: bool
    stop: bool


def add(session: Session, kind: str, args: Mapping[str, Any], *, by: str, now: datetime) -> Job:
    """Put a job down. Wake a worker after the commit; if that fails, the sweep does it."""
    job = Job(
        id=str(uuid.uuid4()),
        kind=kind,
        args=dict(args),
        state=WAITING,
        created_at=now,
        created_by=by,
        lease_until=now + RESEND_AFTER,
        attempts=0,
        progress={},
        stop_requested=False,
        result={},
        error="",
    )
    session.add(job)
    session.flush()
    return job


def claim(session: Session, job_id: str, *, now: datetime) -> Claim | None:
    """Take the job with a lease, by one conditional UPDATE, so that two workers never both have it."""
    free = or_(Job.state == WAITING, and_(Job.state == RUNNING, Job.lease_until < now))
    row = session.execute(
        update(Job)
        .where(Job.id == job_id, free, Job.attempts < MAX_ATTEMPTS)
        .values(state=RUNNING, lease_until=now + LEASE, attempts=Job.attempts + 1, started_at=now)
        .returning(Job.kind, Job.args, Job.attempts)
        .execution_options(synchronize_session=False)
    ).first()
    return None if row is None else Claim(job_id, row.kind, dict(row.args), row.attempts)


def beat(session: Session, claim: Claim, *, now: datetime, progress: Mapping[str, Any] | None = None) -> Beat:
    """Renew the lease, write down how far it is, and hear whether somebody wants it to stop."""
    values: dict[str, Any] = {"lease_until": now + LEASE}
    if progress is not None:
        values["progress"] = dict(progress)
    row = session.execute(
        update(Job)
        .where(*_mine(claim))
        .values(**values)
        .returning(Job.stop_requested)
        .execution_options(synchronize_session=False)
    ).first()
    return Beat(ours=row is not None, stop=bool(row and row.stop_requested))


def finish(session: Session, claim: Claim, *, result: Mapping[str, Any], now: datetime) -> bool:
    """Done. False when the lease was lost: the caller must roll its work back."""
    return _end(session, claim, {"state": DONE, "result": dict(result), "finished_at": now})


def fail(session: Session, claim: Claim, *, code: str, params: Mapping[str, Any] | None = None, now: datetime) -> bool:
    """Ended by an error that trying again would meet again; ``code`` has a sentence."""
    values = {"state": FAILED, "error": code, "result": {"params": dict(params or {})}, "finished_at": now}
    return _end(session, claim, values)


def _end(session: Session, claim: Claim, values: dict[str, Any]) -> bool:
    row = session.execute(
        update(Job)
        .where(*_mine(claim))
        .values(lease_until=None, **values)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).first()
    return row is not None


def _mine(claim: Claim) -> tuple[Any, ...]:
    return (Job.id == claim.job_id, Job.state == RUNNING, Job.attempts == claim.attempt)


def request_stop(session: Session, job_id: str, *, now: datetime) -> str:
    """Ask a running job to stop and keep its best; one that nobody has taken yet is cancelled. Returns its state."""
    session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == WAITING)
        .values(state=CANCELLED, finished_at=now, lease_until=None, stop_requested=True)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == RUNNING)
        .values(stop_requested=True)
        .execution_options(synchronize_session=False)
    )
    return session.scalars(select(Job.state).where(Job.id == job_id)).one()


def abandoned(session: Session, *, now: datetime) -> tuple[list[str], list[Job]]:
    """(ids to send again, jobs given up): open jobs whose time ran out.

    A job that killed its worker ``MAX_ATTEMPTS`` times is given up, so that it does not kill workers for ever.
    """
    late = select(Job).where(Job.state.in_(OPEN), Job.lease_until < now).with_for_update(skip_locked=True)
    again: list[str] = []
    given_up: list[Job] = []
    for job in session.scalars(late.order_by(Job.created_at).execution_options(populate_existing=True)):
        if job.attempts >= MAX_ATTEMPTS:
            job.state, job.error, job.finished_at, job.lease_until = FAILED, "job_given_up", now, None
            given_up.append(job)
            continue
        if job.state == WAITING:
            job.lease_until = now + RESEND_AFTER  # not again at every sweep while all workers are busy
        again.append(job.id)
    session.flush()
    return again, given_up
