"""Custody bundles for the browser: a page asks, a worker makes them, since the key lives with the workers.

job = prepared.ask(session, prepared.CONSIGNMENT, "CN2603090012K", by="manager", now=wall_now())
made = prepared.bundle_of(job.args, key_file, now=clock.now())
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, undefer

from logistics.errors import NotFound, Unavailable
from logistics.integrity import bundle, edge, keys
from logistics.models import Job, PreparedFile, Specimen
from logistics.services import jobs

JOB_KIND = "bundle"
CONSIGNMENT, SPECIMEN = "consignment", "specimen"
KEPT = timedelta(days=1)
MEDIA_TYPE = "application/zip"


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle as it goes to the reader."""

    name: str
    data: bytes


def ask(session: Session, kind: str, key: str, *, by: str, now: datetime) -> Job:
    """The job that makes the bundle; the one under way when the same person asked for the same just before."""
    args = {"kind": kind, "key": key, "by": by}
    open_ones = select(Job).where(Job.kind == JOB_KIND, Job.created_by == by, Job.state.in_(jobs.OPEN))
    for job in session.scalars(open_ones):
        if job.args == args:
            return job
    return jobs.add(session, JOB_KIND, args, by=by, now=now)


def bundle_of(args: Mapping[str, Any], key_file: Path, *, now: datetime) -> Made:
    """Make the bundle that a job's ``args`` name, signed, from one moment of the record.

    Raises Unavailable('signing_key_not_here') where the key is not, NotFound when there is nothing of that name.
    """
    signer = keys.load(key_file)
    if signer is None:
        raise Unavailable("signing_key_not_here", field="key", file=key_file.name)
    key = str(args["key"])
    with edge.still() as session:
        if args["kind"] == CONSIGNMENT:
            data = bundle.of_consignment(session, key, signer=signer, now=now)
        else:
            specimen = session.get(Specimen, int(key))
            if specimen is None:
                raise NotFound("specimen_unknown", field="specimen", specimen=key)
            data = bundle.of_specimen(session, specimen, signer=signer, now=now)
    return Made(f"custody-{key}.zip", data)


def keep(session: Session, job_id: str, made: Made, *, made_for: str, now: datetime) -> None:
    """Put the file where the page finds it."""
    session.merge(
        PreparedFile(
            job_id=job_id, name=made.name, media_type=MEDIA_TYPE, made_for=made_for, made_at=now, data=made.data
        )
    )


def asked(session: Session, job_id: str, username: str) -> Job:
    """The job, for who asked for it. Raises NotFound('bundle_unknown'), to everybody else, too."""
    job = session.get(Job, job_id)
    if job is None or job.kind != JOB_KIND or job.created_by != username:
        raise NotFound("bundle_unknown", field="bundle")
    return job


def fetch(session: Session, job_id: str, username: str) -> PreparedFile:
    """The file itself, for who asked for it. Raises NotFound('bundle_unknown'): not made yet, or cleared away."""
    asked(session, job_id, username)
    found = session.get(PreparedFile, job_id, options=[undefer(PreparedFile.data)])
    if found is None:
        raise NotFound("bundle_unknown", field="bundle")
    return found


def forget(session: Session, *, now: datetime) -> None:
    """Clear away what was made more than a day ago."""
    session.execute(delete(PreparedFile).where(PreparedFile.made_at < now - KEPT))
