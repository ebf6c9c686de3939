"""Planning jobs and real worker processes: a worker killed with −9 loses nothing; several work at once."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests import servers
from web import processes

TOWNSHIPS = 80
PREPARE = """
import os
from datetime import timedelta
from logistics import clock, tasks
from logistics.clock import wall_now
from logistics.db import Base, db, transaction
from logistics.domain.access import Scope
from logistics.models import Site
from logistics.services import planning
from logistics.services.orders import local_day
from tests import factories
from web.app import create_app
from web.settings import Settings

TOWNSHIPS = 80
app = create_app(Settings.from_env(os.environ))
with app.app_context():
    Base.metadata.create_all(db.engine)
    factories.world(db.session())
    now = clock.now()
    with transaction() as session:
        for number in range(TOWNSHIPS):  # enough that the search takes its whole time
            session.add(
                Site(
                    code=f"T{number}", name_zh=f"{number}", tier="township", parent_code=factories.COUNTY,
                    lat=29.7 + number % 7 / 60, lon=113.8 + number // 7 / 60,
                )
            )
        session.flush()
        day = local_day(now + timedelta(days=1))
        row, job = planning.order(
            session, day=day.isoformat(), scope_code=factories.COUNTY, seconds=4,
            scope=Scope("dispatcher", None, everything=True), by="dispatcher", now=now, wall=wall_now(),
        )
        job_id = job.id
    tasks.send(job_id)
"""


TOGETHER = """
import os
from datetime import timedelta
from logistics import clock, tasks
from logistics.clock import wall_now
from logistics.db import Base, db, transaction
from logistics.domain.access import Scope
from logistics.models import Site
from logistics.services import planning
from logistics.services.orders import local_day
from tests import factories
from web.app import create_app
from web.settings import Settings

app = create_app(Settings.from_env(os.environ))
with app.app_context():
    Base.metadata.create_all(db.engine)
    factories.world(db.session())
    day = local_day(clock.now() + timedelta(days=1)).isoformat()
    with transaction() as session:
        for number in range(40):
            county = (factories.COUNTY, factories.OTHER_COUNTY)[number % 2]
            session.add(
                Site(
                    code=f"T{number}", name_zh=f"{number}", tier="township", parent_code=county,
                    lat=29.7 + number % 7 / 60, lon=113.8 + number // 7 / 60,
                )
            )
    for _ in range(3):
        with transaction() as session:
            ordered = planning.order_each(
                session, day=day, scope_code=factories.CITY, seconds=4,
                scope=Scope("dispatcher", None, everything=True), by="dispatcher", now=clock.now(), wall=wall_now(),
            )
            groups = {row.group_id for row, _ in ordered}
            assert len(groups) == 1 and None not in groups
            jobs = [job.id for _, job in ordered]
        tasks.send_all(jobs)
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "prepare.py").write_text(PREPARE)
    return {
        "LABRELAY_VAR_DIR": str(tmp_path / "var"),
        "LABRELAY_SECRET_KEY": "only-for-the-tests-0123456789abcdef",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/root"),
    }


def eventually(check: Callable[[], Any], what: str, timeout_s: float = 240.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_a_worker_killed_in_the_middle_loses_no_job(tmp_path: Path, environ: dict[str, str]) -> None:
    """The first worker is killed while it searches; the sweep wakes a second, which finishes with attempt 2."""
    prepare = processes.spawn([sys.executable, str(tmp_path / "prepare.py")], log=tmp_path / "prepare.log", env=environ)
    assert prepare.wait(60) == 0, (tmp_path / "prepare.log").read_text()
    database = tmp_path / "var" / "labrelay.db"

    def job(state: str, attempts: int = 0) -> dict[str, Any] | None:
        with closing(sqlite3.connect(database, timeout=10)) as connection:
            row = connection.execute("SELECT state, attempts, progress, result, error FROM job").fetchone()
        found = dict(zip(("state", "attempts", "progress", "result", "error"), row, strict=True))
        return found if found["state"] == state and found["attempts"] >= attempts else None

    worker = [sys.executable, "-m", "web.cli", "worker"]
    first = processes.spawn(worker, log=tmp_path / "first.log", env=environ)
    second = None
    try:
        eventually(lambda: job("running"), "the first worker did not take the job")
        eventually(lambda: "search" in (job("running") or {}).get("progress", ""), "no progress was written")
        os.kill(first.pid, signal.SIGKILL)
        first.wait(10)
        assert job("running"), "the job of a dead worker stays as it was"
        with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
            # The lease runs out by real time; a quarter of a minute of waiting proves nothing more.
            connection.execute("UPDATE job SET lease_until = '2026-01-01 00:00:00.000000'")
        second = processes.spawn([*worker, "--beat"], log=tmp_path / "second.log", env=environ)
        done = eventually(lambda: job("done"), "the second worker did not finish the job")
    finally:
        processes.stop_all([one for one in (first, second) if one is not None])
    assert done["attempts"] == 2
    assert json.loads(done["result"])["requests"] == TOWNSHIPS + 1
    with closing(sqlite3.connect(database, timeout=10)) as connection:
        assert connection.execute("SELECT state FROM plan").fetchall() == [("ready",)]


def test_counties_ordered_together_are_planned_at_once_on_several_workers(
    tmp_path: Path, environ: dict[str, str], redis_url: str
) -> None:
    """Three times both counties of a city, each a group over Redis: two workers, of which one has four threads, work
    on more than four plans at the same time, and all get ready."""
    (tmp_path / "together.py").write_text(TOGETHER)
    with servers.postgresql() as url:
        env = {**environ, "LABRELAY_DATABASE_URL": url, "LABRELAY_CELERY_BROKER_URL": redis_url}
        command = [sys.executable, str(tmp_path / "together.py")]
        prepare = processes.spawn(command, log=tmp_path / "prepare.log", env=env)
        assert prepare.wait(60) == 0, (tmp_path / "prepare.log").read_text()
        worker = [sys.executable, "-m", "web.cli", "worker"]
        workers = [processes.spawn(worker, log=tmp_path / f"{n}.log", env=env) for n in range(2)]
        try:
            with closing(psycopg.connect(url.replace("+psycopg", ""), autocommit=True)) as connection:

                def jobs() -> list[tuple[Any, ...]]:
                    return connection.execute("SELECT state, started_at, finished_at FROM job").fetchall()

                eventually(lambda: all(state == "done" for state, _, _ in jobs()), "not all were planned")
                spans = [(begun, ended) for _, begun, ended in jobs()]
                plans = connection.execute("SELECT state, group_id FROM plan").fetchall()
        finally:
            processes.stop_all(workers)
    assert [state for state, _ in plans] == ["ready"] * 6
    assert sorted(Counter(group for _, group in plans).values()) == [2, 2, 2]
    assert max(sum(begun <= at < ended for begun, ended in spans) for at, _ in spans) > 4
