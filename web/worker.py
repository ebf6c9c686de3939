"""Celery: wakes workers for work that already stands in the database as rows. Nothing is lost when a task is.

Two transports: ``filesystem://`` (one machine, no server) and Redis. Tasks are declared with ``shared_task`` in
``logistics.tasks`` and ``telemetry.tasks``, and run inside an application context.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from celery import Celery, Task
from celery.beat import EmbeddedService
from celery.signals import worker_ready, worker_shutting_down

from logistics.integrity.edge import make_key
from web import task_files
from web.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

TASK_MODULES = ("logistics.tasks", "telemetry.tasks")
SCHEDULE_S: dict[str, float] = {
    "logistics.tasks.sweep": 15.0,
    "logistics.tasks.deliver_outbox": 5.0,
    "telemetry.tasks.sweep_silence": 15.0,
    "logistics.tasks.forget": 3600.0,
    "telemetry.tasks.keep_storage": 600.0,
    "logistics.tasks.sign_digests": 60.0,
}
"""Periodic tasks and their interval in seconds: the only place that names them."""

THREADS = 4
POLLING_S = 0.2


def init_app(flask_app: Flask) -> None:
    """Give ``flask_app`` its Celery, and make it the current one so that ``shared_task`` finds it."""
    settings: Settings = flask_app.extensions["labrelay.settings"]

    class ContextTask(Task):  # type: ignore[misc]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            with flask_app.app_context():
                return self.run(*args, **kwargs)

    task_files.install()
    celery = Celery("labrelay", task_cls=ContextTask, set_as_current=True)
    celery.config_from_object(configuration(settings))
    celery.set_default()
    flask_app.extensions["celery"] = celery


def celery_of(flask_app: Flask) -> Celery:
    found: Celery = flask_app.extensions["celery"]
    return found


def configuration(settings: Settings) -> dict[str, Any]:
    """Celery's settings for the transport that the installation names."""
    return {
        "broker_url": settings.celery_broker_url,
        "broker_transport_options": _transport_options(settings),
        "broker_connection_retry_on_startup": True,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_acks_late": True,
        "worker_prefetch_multiplier": 1,
        "worker_concurrency": THREADS,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "imports": [name for name in TASK_MODULES if _exists(name)],
        "timezone": "UTC",
        "beat_schedule": {
            name: {"task": name, "schedule": seconds, "options": {"expires": seconds}}
            for name, seconds in SCHEDULE_S.items()
            if _exists(name.rpartition(".")[0])
        },
    }


def _exists(module: str) -> bool:
    return find_spec(module) is not None


def _transport_options(settings: Settings) -> dict[str, Any]:
    if not settings.embedded_tasks:
        # Redis hands an unacknowledged task to another worker after this; jobs hold leases, so doubles do no harm.
        return {"visibility_timeout": 600, "unacked_restore_throttle": 1}
    folders = {name: settings.var_dir / "tasks" / name for name in ("queue", "control", "processed")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folders["queue"]),  # one folder both ways: what is sent here is consumed here
        "data_folder_out": str(folders["queue"]),
        "control_folder": str(folders["control"]),
        "processed_folder": str(folders["processed"]),
        "store_processed": False,
        "polling_interval": POLLING_S,
    }


def clear_ticks(settings: Settings) -> int:
    """Remove periodic messages that piled up while no worker ran (filesystem transport); returns how many.

    Other messages stay: somebody waits for them.
    """
    removed = 0
    if not settings.embedded_tasks:
        return removed
    for path in (settings.var_dir / "tasks" / "queue").glob("*.msg"):
        try:
            task = json.loads(path.read_bytes())["headers"]["task"]
        except (OSError, ValueError, KeyError, TypeError):
            task = None  # half a message: its writer died
        if task is None or task in SCHEDULE_S:
            with suppress(FileNotFoundError):
                path.unlink()
                removed += 1
    return removed


def run_worker(settings: Settings, flask_app: Flask, *, beat: bool) -> None:
    """Work until told to stop. With ``beat`` the schedule ticks in a thread of this process."""
    celery = celery_of(flask_app)
    clear_ticks(settings)
    with flask_app.app_context():
        make_key(settings.signing_key_file)
    if beat:
        _tick_in_thread(celery)
    celery.worker_main(worker_arguments(settings))


def worker_arguments(settings: Settings) -> Sequence[str]:
    return (
        "worker", "--pool", "threads", "--concurrency", str(THREADS), "--loglevel", settings.log_level,
        "--without-gossip", "--without-mingle", "--without-heartbeat",
    )  # fmt: skip


def run_beat(settings: Settings, flask_app: Flask) -> None:
    """Send the periodic tasks until told to stop. The schedule holds intervals only, so nothing is kept on disk."""
    celery = celery_of(flask_app)
    celery.Beat(scheduler_cls="celery.beat:Scheduler", loglevel=settings.log_level, quiet=True).run()


def _tick_in_thread(celery: Celery) -> None:
    """Celery's own ``-B`` forks, and a fork outlives a killed worker; a thread cannot."""
    service = EmbeddedService(celery, thread=True, scheduler_cls="celery.beat:Scheduler")

    @worker_ready.connect(weak=False)  # type: ignore[untyped-decorator,unused-ignore]
    def _start(**_: Any) -> None:
        service.start()

    @worker_shutting_down.connect(weak=False)  # type: ignore[untyped-decorator,unused-ignore]
    def _stop(**_: Any) -> None:
        service.stop()
