"""Celery as Labrelay uses it: what is scheduled exists, what piled up is cleared, what is sent is done."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests import servers
from web import processes, worker
from web.settings import Settings

# A stand-in task module for the worker process: appends to a file, so that the test sees what was done and when.
PROBE = """
from pathlib import Path
from celery import shared_task
from flask import current_app

@shared_task(name="probe.write")
def write(path, word):
    with Path(path).open("a") as file:
        file.write(f"{word} {current_app.name}\\n")
"""
RUN = """
import os, sys
from web import worker
from web.settings import Settings
worker.TASK_MODULES = ("probe",)
worker.SCHEDULE_S.clear()
if sys.argv[2] != "none":
    worker.SCHEDULE_S["probe.tick"] = 0.5
from web.app import create_app
app = create_app(Settings.from_env(os.environ))
from celery import shared_task
@shared_task(name="probe.tick")
def tick():
    with open(sys.argv[1], "a") as file:
        file.write("tick\\n")
if sys.argv[2] != "none":
    worker.celery_of(app).conf.beat_schedule = {
        "probe.tick": {"task": "probe.tick", "schedule": 0.5, "options": {"expires": 0.5}}
    }
worker.run_worker(Settings.from_env(os.environ), app, beat=sys.argv[2] != "none")
"""


def eventually(check: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.fixture(params=["filesystem", "redis"])
def environ(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Settings of an installation on either transport, with the probe's folder on the path."""
    url = "filesystem://" if request.param == "filesystem" else str(request.getfixturevalue("redis_url"))
    (tmp_path / "probe.py").write_text(PROBE)
    (tmp_path / "run.py").write_text(RUN)
    return {
        "LABRELAY_VAR_DIR": str(tmp_path / "var"),
        "LABRELAY_SECRET_KEY": "only-for-the-tests-0123456789abcdef",
        "LABRELAY_CELERY_BROKER_URL": url,
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}",
        "PATH": os.environ["PATH"],
    }


@contextmanager
def working(tmp_path: Path, environ: dict[str, str], beat: str = "none") -> Iterator[Any]:
    out = tmp_path / "out"
    command = [sys.executable, str(tmp_path / "run.py"), str(out), beat]
    process = processes.spawn(command, log=tmp_path / "worker.log", env=environ)
    try:
        eventually(
            lambda: " ready." in (tmp_path / "worker.log").read_text() or process.poll() is not None,
            "the worker is not ready",
        )
        assert process.poll() is None, (tmp_path / "worker.log").read_text()
        yield process
    finally:
        processes.stop_all([process])


@contextmanager
def sender(environ: dict[str, str]) -> Iterator[Callable[[str, str], None]]:
    """Sends the probe task as a web process would; the test application's Celery is put back afterwards."""
    from celery import current_app as before

    flask_app = Flask("sender")
    flask_app.extensions["labrelay.settings"] = Settings.from_env(environ)
    worker.init_app(flask_app)
    try:
        yield lambda path, word: worker.celery_of(flask_app).send_task("probe.write", args=(path, word))
    finally:
        before._get_current_object().set_current()
        before._get_current_object().set_default()


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_a_task_that_was_sent_is_done_inside_an_application_context(tmp_path: Path, environ: dict[str, str]) -> None:
    """On both transports a task that this process sends is carried out by the worker process, once."""
    out = tmp_path / "out"
    with working(tmp_path, environ), sender(environ) as send:
        send(str(out), "one")
        eventually(lambda: bool(lines(out)), "the task was not done")
        time.sleep(1)
    assert lines(out) == ["one web"]


def test_tasks_wait_for_a_worker(tmp_path: Path, environ: dict[str, str]) -> None:
    """What is sent while no worker runs is done when one starts."""
    out = tmp_path / "out"
    with sender(environ) as send:
        for number in range(5):
            send(str(out), str(number))
    with working(tmp_path, environ):
        eventually(lambda: len(lines(out)) == 5, "the waiting tasks were not done")
    assert sorted(lines(out)) == [f"{number} web" for number in range(5)]


def test_the_schedule_ticks_inside_the_worker_and_dies_with_it(tmp_path: Path, environ: dict[str, str]) -> None:
    """With --beat the periodic tasks run; after kill −9 of the worker no process is left that would tick on."""
    out = tmp_path / "out"
    with working(tmp_path, environ, beat="beat") as process:
        eventually(lambda: lines(out).count("tick") >= 3, "no ticks")
        process.send_signal(signal.SIGKILL)
        process.wait(5)
        time.sleep(0.3)
        count = len(lines(out))
        time.sleep(1.2)
        assert len(lines(out)) == count


def test_a_worker_stops_within_seconds(tmp_path: Path, environ: dict[str, str]) -> None:
    """SIGTERM ends an idle worker with its schedule in less than the supervisor's patience."""
    with working(tmp_path, environ, beat="beat") as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(8) == 0


def test_everything_that_is_scheduled_exists() -> None:
    """Each name in the schedule is a task of that name in one of the task modules."""
    for name in worker.SCHEDULE_S:
        module, _, attribute = name.rpartition(".")
        assert module in worker.TASK_MODULES
        assert getattr(importlib.import_module(module), attribute).name == name


def test_ticks_that_piled_up_are_cleared_and_other_messages_kept(tmp_path: Path) -> None:
    """Before a worker starts, old periodic messages and torn files go; a job's message stays."""
    settings = Settings.from_env({"LABRELAY_VAR_DIR": str(tmp_path)})
    worker.configuration(settings)
    queue = tmp_path / "tasks" / "queue"
    for number, task in enumerate([*worker.SCHEDULE_S, "logistics.tasks.run_job"]):
        (queue / f"{number}.celery.msg").write_text(json.dumps({"body": "", "headers": {"task": task}}))
    (queue / "torn.celery.msg").write_text('{"body"')
    assert worker.clear_ticks(settings) == len(worker.SCHEDULE_S) + 1
    left = [json.loads(path.read_text())["headers"]["task"] for path in queue.glob("*.msg")]
    assert left == ["logistics.tasks.run_job"]


def test_sending_does_not_hang_while_redis_is_away(tmp_path: Path) -> None:
    """A page that wakes a worker must answer although Redis is down: the error comes within seconds."""
    environ = {
        "LABRELAY_VAR_DIR": str(tmp_path),
        "LABRELAY_CELERY_BROKER_URL": f"redis://127.0.0.1:{servers.free_port()}/0",
    }
    begin = time.monotonic()
    with sender(environ) as send, pytest.raises(Exception, match=r"(?i)connect"):
        send("x", "y")
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("environ", ["filesystem"], indirect=True)
def test_half_a_message_stops_no_worker(tmp_path: Path, environ: dict[str, str]) -> None:
    """Writers that were killed leave an empty file and half a one in the queue; the task after them is done by the
    same worker, which lives on."""
    queue = tmp_path / "var" / "tasks" / "queue"
    with working(tmp_path, environ) as process:
        for number, broken in enumerate((b"", b'{"body": "W1', b"\xff")):
            (queue / f"0_{number}.celery.msg").write_bytes(broken)
        with sender(environ) as send:
            send(str(tmp_path / "out"), "after them")
        eventually(lambda: "after them" in " ".join(lines(tmp_path / "out")), "the task after them was not done")
        assert process.poll() is None
    assert list(queue.glob("0_*")) == []
