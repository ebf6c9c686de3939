"""Celery tasks, as thin as views: the work is in plain functions that take a session."""

from __future__ import annotations

from celery import shared_task

from logistics import clock
from logistics.db import transaction
from telemetry import sweep


@shared_task(name="telemetry.tasks.sweep_silence")  # type: ignore[untyped-decorator,unused-ignore]
def sweep_silence() -> None:
    """Which loggers are silent, which runs did their silence end, which open excursions met new tubes."""
    now = clock.now()
    with transaction() as session:
        sweep.silence(session, now=now)
    with transaction() as session:
        sweep.open_runs(session, now=now)
    _refresh()


@shared_task(name="telemetry.tasks.refresh_use_by")  # type: ignore[untyped-decorator,unused-ignore]
def refresh_use_by() -> None:
    """Bring the use-by time of every tube under way up to date."""
    _refresh()


def _refresh() -> None:
    with transaction() as session:
        parts = sweep.parts_under_way(session)
    for part in parts:
        with transaction() as session:
            sweep.use_by(session, part, now=clock.now())
