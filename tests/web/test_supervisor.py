"""``labrelay up``: everything starts, everything is watched, and nothing stays behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import servers
from web import supervisor
from web.settings import Settings
from web.supervisor import CannotStart, Service, Supervisor

COMMAND = [sys.executable, "-m", "web.cli", "up"]


def settings(folder: Path, port: int) -> Settings:
    return Settings.from_env({"LABRELAY_VAR_DIR": str(folder), "LABRELAY_PORT": str(port)})


def processes_of(folder: Path) -> dict[int, str]:
    """Every live process that was started with ``folder`` as its LABRELAY_VAR_DIR: pid → command."""
    found = {}
    mark = f"LABRELAY_VAR_DIR={folder}".encode()
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (proc / "environ").read_bytes().split(b"\0"):
                found[int(proc.name)] = (proc / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:
            continue
    return {pid: command for pid, command in found.items() if command}


def eventually(check: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    """``labrelay up`` on a private port: the process, the port and its output."""
    port, log = servers.free_port(), folder / "up.out"
    env = {**os.environ, "LABRELAY_VAR_DIR": str(folder), "LABRELAY_PORT": str(port)}
    for name in ("LABRELAY_DATABASE_URL", "LABRELAY_MQTT_URL", "LABRELAY_CLOCK"):
        env.pop(name, None)
    with log.open("wb") as output:
        process = subprocess.Popen(COMMAND, env=env, stdout=output, stderr=output, start_new_session=True)
    try:
        eventually(
            lambda: supervisor.answers(f"http://127.0.0.1:{port}/readyz") or process.poll() is not None,
            "the web server never answered",
        )
        assert process.poll() is None, log.read_text()
        yield process, port, log
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def has(folder: Path, *names: str) -> Callable[[], bool]:
    return lambda: all(any(name in command for command in processes_of(folder).values()) for name in names)


def test_everything_runs_is_watched_and_stops_together(tmp_path: Path) -> None:
    """Web, broker, worker and ingest run; a killed web server comes back, and that is said; SIGTERM ends all."""
    with running(tmp_path) as (process, port, log):
        eventually(has(tmp_path, "web.cli worker --beat", "mosquitto", "web.cli ingest"), "not all were started")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200
        masters = [pid for pid, command in processes_of(tmp_path).items() if command.endswith("web.cli web")]
        for pid in masters:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: "web stopped unexpectedly" in log.read_text(), "the crash was not told", 10)
        eventually(lambda: supervisor.answers(f"http://127.0.0.1:{port}/readyz"), "the web server did not come back")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert processes_of(tmp_path) == {}
        assert "Everything is stopped" in log.read_text()


def test_a_killed_supervisor_leaves_no_orphan(tmp_path: Path) -> None:
    """kill −9 of the supervisor ends every child, and its children's children, within seconds."""
    with running(tmp_path) as (process, _port, _log):
        eventually(has(tmp_path, "web.cli worker --beat", "mosquitto"), "not all were started")
        process.kill()
        process.wait(5)
        eventually(lambda: processes_of(tmp_path) == {}, f"left: {processes_of(tmp_path)}", 10)


def test_a_busy_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    """The message says which port and what to type instead, in both languages; nothing was started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        env = {**os.environ, "LABRELAY_VAR_DIR": str(tmp_path), "LABRELAY_PORT": str(port)}
        done = subprocess.run(COMMAND, env=env, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert f"端口 {port}" in done.stderr
    assert f"Port {port} is in use" in done.stderr
    assert f"PORT={port + 1} make run" in done.stderr
    assert not (tmp_path / "log").exists()


def test_one_folder_runs_once(tmp_path: Path) -> None:
    """A second ``up`` on the same folder is refused by name of the folder."""
    held = supervisor.take_lock(tmp_path)
    with pytest.raises(CannotStart, match="already runs on the folder"):
        supervisor.take_lock(tmp_path)
    held.close()
    supervisor.take_lock(tmp_path).close()


def test_a_child_that_keeps_crashing_is_started_ever_later(tmp_path: Path) -> None:
    """The pauses grow 1, 2, 5 … 30 s, each is announced, and a long good run starts the count again."""
    said: list[str] = []
    watch = Supervisor(tmp_path, speak=lambda _zh, en: said.append(en))
    service = watch.start("broken", (sys.executable, "-c", "import sys; sys.exit(3)"), os.environ)
    now_s = time.monotonic()
    for _ in range(7):
        assert service.process is not None
        service.process.wait(10)
        watch.tend(now_s)  # notices the crash
        assert service.restart_at_s is not None
        watch.tend(service.restart_at_s - 0.01)
        assert service.restart_at_s is not None
        now_s = service.restart_at_s
        watch.tend(now_s)  # starts it again
        assert service.restart_at_s is None
        service.started_s = now_s
    pauses = [line.partition("again in ")[2].partition(" s")[0] for line in said]
    assert pauses == ["1", "2", "5", "15", "30", "30", "30"]
    assert all("exit 3" in line for line in said)
    service.process.wait(10)
    watch.tend(now_s + supervisor.STEADY_S + 1)
    assert "again in 1 s" in said[-1]
    watch.stop()


def test_a_child_that_never_answers_shows_its_last_words(tmp_path: Path) -> None:
    """A start that fails ends in a sentence with the child's own output."""
    watch = Supervisor(tmp_path)
    service = watch.start(
        "web", (sys.executable, "-c", "print('no such table: site'); raise SystemExit(1)"), os.environ
    )
    with pytest.raises(CannotStart, match="no such table: site"):
        watch.wait_for(lambda: False, service, timeout_s=20)
    watch.stop()


def test_a_large_log_is_put_aside(tmp_path: Path) -> None:
    """A log over the limit becomes the one older log when its service starts."""
    log = tmp_path / "loud.log"
    with log.open("wb") as file:
        file.truncate(supervisor.LOG_LIMIT_BYTES + 1)
    service = Service("loud", (sys.executable, "-c", "print('new')"), os.environ, log=log)
    service.start()
    assert service.process is not None
    service.process.wait(10)
    assert log.read_text() == "new\n"
    assert (tmp_path / "loud.old.log").stat().st_size == supervisor.LOG_LIMIT_BYTES + 1


def test_migrations_run_again_only_when_something_changed(tmp_path: Path) -> None:
    """A database that is new, replaced or elsewhere is never taken for migrated."""
    config = settings(tmp_path, 8731)
    database = tmp_path / "labrelay.db"
    assert not supervisor.prepared(config)
    database.write_bytes(b"")
    (tmp_path / "prepared").write_text(supervisor._state(config))
    assert supervisor.prepared(config)
    database.rename(tmp_path / "old.db")
    assert not supervisor.prepared(config)
    database.write_bytes(b"")
    assert not supervisor.prepared(config)
