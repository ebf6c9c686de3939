"""Celery tasks, as thin as views: the work is in plain functions that take a session."""

from __future__ import annotations

from celery import shared_task
from flask import current_app

from logistics import clock
from logistics.db import db, set_reading, transaction
from logistics.services import clocks
from telemetry import calibration, foresee, storage, sweep


@shared_task(name="telemetry.tasks.sweep_silence")  # type: ignore[untyped-decorator,unused-ignore]
def sweep_silence() -> None:
    """Which loggers are silent, which runs did their silence end, which open excursions met new tubes."""
    now = clock.now()
    with transaction() as session:
        sweep.silence(session, now=now)
    with transaction() as session:
        sweep.open_runs(session, now=now)
    with transaction() as session:
        foresee.update(session, now=now)
    with transaction() as session:
        sweep.ingest(session, now=now)
    with transaction() as session:
        calibration.sweep(session, now=now)
    _refresh()


@shared_task(name="telemetry.tasks.refresh_use_by")  # type: ignore[untyped-decorator,unused-ignore]
def refresh_use_by() -> None:
    """Bring the use-by time of the tubes that are due up to date."""
    _refresh()


@shared_task(name="telemetry.tasks.keep_storage")  # type: ignore[untyped-decorator,unused-ignore]
def keep_storage() -> None:
    """Months ahead, the hourly table, and what is kept no longer. Short transactions, each harmless to repeat."""
    now = clock.now()
    kept = current_app.extensions["labrelay.settings"].retention_readings
    with transaction() as session:
        storage.make_months(session, now=now)
    with transaction() as session:
        storage.roll_up(session, now=now)
    with transaction() as session:
        storage.forget(session, older_than=kept, now=now)


def _refresh() -> None:
    """Reads first and writes in short transactions: SQLite has one writer, and everybody waits for it."""
    now = clock.now()
    set_reading(True)
    try:
        for part in sweep.clocks_due(db.session(), now=now):
            exposures, here_c = sweep.exposed(db.session(), part, now=now)
            with transaction() as session:
                clocks.refresh(session, exposures, here_c, now=now)
    finally:
        db.session.rollback()
        set_reading(False)
