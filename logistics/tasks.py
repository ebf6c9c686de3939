"""Celery tasks of logistics. A task carries only a row's id; the row is the truth, the task wakes a worker."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from celery import group, shared_task
from flask import Flask, current_app
from sqlalchemy.orm import Session

from logistics import clock, planning_job
from logistics.clock import wall_now
from logistics.db import transaction
from logistics.errors import LabrelayError
from logistics.integrity import edge as integrity
from logistics.integrity import prepared
from logistics.services import (
    arrivals,
    delivery,
    escalation,
    half_signed,
    jobs,
    overdue,
    planning,
    positions,
    recall,
    recollect_calls,
    tube_alerts,
    unsent,
)  # fmt: skip
from logistics.services.jobs import Claim

log = logging.getLogger(__name__)
PULSE_S = 1.0


class LeaseLost(Exception):
    """Another worker has the job; whatever this one found is thrown away."""


class Pulse:
    """Keeps a job's lease in a thread of its own, carries its progress to the row and the wish to stop back."""

    def __init__(self, app: Flask, claim: Claim) -> None:
        self._app = app
        self._claim = claim
        self._progress: dict[str, Any] | None = None
        self._stop = self._lost = False
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name=f"pulse-{claim.job_id[:8]}", daemon=True)

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._wake.set()
        self._thread.join()

    def tell(self, progress: dict[str, Any]) -> None:
        """Called as often as the search likes: only the latest goes to the row, once a beat."""
        self._progress = progress

    def should_stop(self) -> bool:
        return self._stop or self._lost

    def _beat_on(self) -> None:
        with self._app.app_context():
            while not self._ended.is_set():
                self._beat()
                self._wake.wait(PULSE_S)

    def _beat(self) -> None:
        progress, self._progress = self._progress, None
        try:
            with transaction() as session:
                heard = jobs.beat(session, self._claim, now=wall_now(), progress=progress)
        except Exception:
            log.exception("job %s: heartbeat failed, trying again", self._claim.job_id)
            self._progress = self._progress or progress
            return
        self._stop = heard.stop
        if not heard.ours and not self._ended.is_set():
            self._lost = True


@shared_task(name="logistics.tasks.run_job")  # type: ignore[untyped-decorator,unused-ignore]
def run_job(job_id: str) -> None:
    """Take the job if it is free and work it out; a double of the task finds it taken and does nothing."""
    with transaction() as session:
        claim = jobs.claim(session, job_id, now=wall_now())
    if claim is None:
        return
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    try:
        with Pulse(app, claim) as pulse:
            WORK[claim.kind](claim, pulse, app)
    except LeaseLost:
        log.warning("job %s: lease lost, result thrown away", job_id)
    except LabrelayError as error:
        _failed(claim, error.code, error.params)
    except Exception:
        log.exception("job %s (%s) failed", job_id, claim.kind)
        _failed(claim, "internal_error", {})


def _plan(claim: Claim, pulse: Pulse, app: Flask) -> None:
    def conclude(session: Session, result: dict[str, Any]) -> None:
        if not jobs.finish(session, claim, result=result, now=wall_now()):
            raise LeaseLost

    settings = app.extensions["labrelay.settings"]
    planning_job.run(
        claim, tell=pulse.tell, should_stop=pulse.should_stop, osrm_url=settings.osrm_url, conclude=conclude
    )


def _verify(claim: Claim, pulse: Pulse, app: Flask) -> None:
    """Verify the whole record; the page follows the progress and shows what was found."""

    def tell(stage: str, done: int, total: int) -> None:
        if pulse.should_stop():
            raise LeaseLost
        pulse.tell({"stage": stage, "done": done, "all": total})

    begun = time.monotonic()
    found = integrity.as_json(integrity.verify(app.extensions["labrelay.settings"].signing_key_file, tell=tell))
    seconds = time.monotonic() - begun
    with transaction() as session:
        by = str(claim.args.get("by", ""))
        kept = integrity.keep(session, found, by=by, at=clock.now(), seconds=seconds)
        if not jobs.finish(session, claim, result=kept, now=wall_now()):
            raise LeaseLost


def _bundle(claim: Claim, pulse: Pulse, app: Flask) -> None:
    """A custody bundle, made where the key is; the page that asked for it offers the file."""
    made = prepared.bundle_of(claim.args, app.extensions["labrelay.settings"].signing_key_file, now=clock.now())
    with transaction() as session:
        prepared.keep(session, claim.job_id, made, made_for=str(claim.args["by"]), now=wall_now())
        if not jobs.finish(session, claim, result={"name": made.name}, now=wall_now()):
            raise LeaseLost


WORK: dict[str, Callable[[Claim, Pulse, Flask], None]] = {
    planning.JOB_KIND: _plan,
    integrity.JOB_KIND: _verify,
    prepared.JOB_KIND: _bundle,
}


def _failed(claim: Claim, code: str, params: dict[str, object]) -> None:
    with transaction() as session:
        plain = {name: str(value) for name, value in params.items()}
        if jobs.fail(session, claim, code=code, params=plain, now=wall_now()):
            _tell_owner(session, claim.kind, dict(claim.args), code)


def _tell_owner(session: Session, kind: str, args: dict[str, Any], code: str) -> None:
    if kind == planning.JOB_KIND:
        planning.failed(session, int(args["plan_id"]), code)


def send(job_id: str) -> None:
    """Wake a worker for a committed job. A broker that is away costs a delay, not the job: the sweep sends again."""
    try:
        run_job.delay(job_id)
    except Exception:
        log.exception("job %s could not be sent; the sweep will", job_id)


def send_all(job_ids: Sequence[str]) -> None:
    """The same for jobs that were ordered together: one group, which as many workers take up as there are."""
    try:
        group(run_job.s(job_id) for job_id in job_ids).apply_async()
    except Exception:
        log.exception("%s jobs could not be sent; the sweep will", len(job_ids))


@shared_task(name="logistics.tasks.sweep")  # type: ignore[untyped-decorator,unused-ignore]
def sweep() -> None:
    """Send again what a dead worker left, and raise consignments that are overdue and alerts that nobody answers."""
    with transaction() as session:
        again, given_up = jobs.abandoned(session, now=wall_now())
        for job in given_up:
            _tell_owner(session, job.kind, dict(job.args), job.error)
    for job_id in again:
        send(job_id)
    with transaction() as session:
        arrivals.recompute(session, now=clock.now())
        overdue.sweep(session, now=clock.now())
    with transaction() as session:
        tube_alerts.sweep(session, now=clock.now())
        recollect_calls.sweep(session, now=clock.now())
    with transaction() as session:
        longer_than = current_app.extensions["labrelay.settings"].unsent_after
        unsent.sweep(session, longer_than=longer_than, now=clock.now())
        recall.sweep(session, now=clock.now())
    with transaction() as session:
        half_signed.sweep(session, now=clock.now())
    with transaction() as session:
        escalation.sweep(session, now=clock.now())


@shared_task(name="logistics.tasks.deliver_outbox")  # type: ignore[untyped-decorator,unused-ignore]
def deliver_outbox() -> None:
    """Send the alerts that wait in the outbox."""
    extensions = current_app.extensions
    delivery.deliver_due(
        extensions["labrelay.render_alert"],
        render_many=extensions["labrelay.render_alerts"],
        allowed_hosts=extensions["labrelay.settings"].alert_allowed_hosts,
    )


@shared_task(name="logistics.tasks.sign_digests")  # type: ignore[untyped-decorator,unused-ignore]
def sign_digests() -> None:
    """Sign the days that are over and have no digest yet."""
    key_file = current_app.extensions["labrelay.settings"].signing_key_file
    try:
        for day in integrity.sign_due(key_file):
            log.info("custody log of %s signed", day)
    except LabrelayError as error:
        log.error("the custody log of yesterday could not be signed: %s", error)


@shared_task(name="logistics.tasks.forget")  # type: ignore[untyped-decorator,unused-ignore]
def forget() -> None:
    """Delete what may not be kept longer: where couriers have been, and files that nobody fetched."""
    kept = current_app.extensions["labrelay.settings"].retention_positions
    with transaction() as session:
        positions.forget(session, older_than=kept, now=clock.now())
        prepared.forget(session, now=wall_now())
