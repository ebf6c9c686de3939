"""``labrelay up``: every process of an installation on one machine, started in order, watched, stopped together."""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import IO

from web import brokers
from web.processes import accepts, free_port, port_is_free, signal_group, spawn, stop_all
from web.settings import Settings

READY_TIMEOUT_S = 90.0
BACKOFF_S = (1.0, 2.0, 5.0, 15.0, 30.0)
STEADY_S = 60.0
"""A child that ran this long was well: its next crash is its first."""
LOG_LIMIT_BYTES = 10_000_000

Say = Callable[[str, str], None]


class CannotStart(Exception):
    """Why nothing was started, in Chinese and English."""

    def __init__(self, zh: str, en: str) -> None:
        self.zh, self.en = zh, en
        super().__init__(f"{zh}\n{en}")


def say(zh: str, en: str) -> None:
    """One line in each language, at once visible."""
    print(f"{zh}\n  {en}", flush=True)


@dataclass
class Service:
    """One child: how to start it and how it has fared."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    crashes: int = 0
    restart_at_s: float | None = None
    log: Path = field(default=Path("log"))

    def start(self) -> None:
        _trim(self.log)
        self.process = spawn(self.command, log=self.log, env=self.env)
        self.started_s = time.monotonic()
        self.restart_at_s = None


class Supervisor:
    """Starts services and keeps them running until :attr:`stopping` is set by a signal."""

    def __init__(self, log_dir: Path, speak: Say = say) -> None:
        self._log_dir = log_dir
        self._say = speak
        self.services: list[Service] = []
        self.stopping = False

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def start(self, name: str, command: tuple[str, ...], env: Mapping[str, str]) -> Service:
        service = Service(name, command, env, log=self._log_dir / f"{name}.log")
        self.services.append(service)
        service.start()
        return service

    def wait_for(self, check: Callable[[], bool], service: Service, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until a service answers. Raises CannotStart with its last words when it ends or never does."""
        deadline = time.monotonic() + timeout_s
        while not self.stopping:
            if check():
                return
            ended = service.process is not None and service.process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise CannotStart(
                    f"{service.name} 没有启动成功，最后的输出（{service.log}）：",
                    f"{service.name} did not start; its last words ({service.log}):\n{last_words(service.log)}",
                )
            time.sleep(0.05)

    def watch(self, poll_s: float = 0.25) -> None:
        """Until told to stop: start again whatever ends, later each time."""
        while not self.stopping:
            self.tend(time.monotonic())
            time.sleep(poll_s)

    def tend(self, now_s: float) -> None:
        """One look at every child."""
        for service in self.services:
            if service.restart_at_s is not None:
                if now_s >= service.restart_at_s:
                    service.start()
            elif service.process is not None and service.process.poll() is not None:
                self._crashed(service, now_s)

    def _crashed(self, service: Service, now_s: float) -> None:
        assert service.process is not None  # noqa: S101
        signal_group(service.process, signal.SIGKILL)  # what it started must not stand in its successor's way
        if now_s - service.started_s > STEADY_S:
            service.crashes = 0
        pause_s = BACKOFF_S[min(service.crashes, len(BACKOFF_S) - 1)]
        service.crashes += 1
        service.restart_at_s = now_s + pause_s
        code = service.process.returncode
        self._say(
            f"{service.name} 意外停止（退出码 {code}），{pause_s:g} 秒后重新启动。日志：{service.log}",
            f"{service.name} stopped unexpectedly (exit {code}); starting again in {pause_s:g} s. Log: {service.log}",
        )

    def stop(self) -> None:
        """Stop everything, those that use others first."""
        running = [service.process for service in reversed(self.services) if service.process is not None]
        stop_all(running)


def last_words(log: Path, lines: int = 15) -> str:
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _trim(log: Path) -> None:
    """Keep one older log: a machine that runs for years must not fill its disk."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".old.log"))


def up(settings: Settings, *, demo: bool, ready: Callable[[str], None] = lambda url: None) -> None:
    """Start everything and return when told to stop (SIGINT or SIGTERM). ``ready`` is called with the address.

    Raises CannotStart, with a sentence for people, before or instead of running.
    """
    check_port(settings)
    lock = take_lock(settings.var_dir)
    supervisor = Supervisor(settings.var_dir / "log")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, supervisor.on_signal)
    try:
        _start_all(supervisor, settings, demo=demo)
        if not supervisor.stopping:
            ready(address(settings))
        supervisor.watch()
    finally:
        supervisor.stop()
        lock.close()


def _start_all(supervisor: Supervisor, settings: Settings, *, demo: bool) -> None:
    if demo:
        settings = replace(settings, demo=True, clock=f"shared:{settings.var_dir / 'clock.json'}")
    broker = None if settings.mqtt_url else brokers.embedded(settings.var_dir / "mqtt", free_port())
    mqtt_url = broker.url if broker else settings.mqtt_url
    env = child_environment(settings, mqtt_url)
    broker_service = supervisor.start(broker.name, broker.command, env) if broker else None
    prepare(settings, env, demo=demo)
    web = supervisor.start("web", ours("web"), env)
    supervisor.wait_for(lambda: answers(f"{local_address(settings)}/readyz"), web)
    supervisor.start("worker", ours("worker", "--beat"), env)
    if broker_service and broker:
        port = int(broker.url.rpartition(":")[2])
        supervisor.wait_for(lambda: accepts(port), broker_service)
    if mqtt_url:
        supervisor.start("ingest", ours("ingest"), env)
    else:
        say(
            "没有 MQTT 服务：请安装 mosquitto（apt-get install mosquitto）。温度仍可通过 HTTP 上传。",
            "No MQTT broker: install mosquitto (apt-get install mosquitto). Temperatures still arrive over HTTP.",
        )
    if demo:
        supervisor.start("demo", ours("demo", "play"), env)


def ours(*arguments: str) -> tuple[str, ...]:
    """A command of ours under the same interpreter (the console script may not be on PATH)."""
    return (sys.executable, "-m", "web.cli", *arguments)


def child_environment(settings: Settings, mqtt_url: str | None) -> dict[str, str]:
    """What the children see: our environment and what was decided here."""
    decided = {
        "LABRELAY_VAR_DIR": str(settings.var_dir),
        "LABRELAY_HOST": settings.host,
        "LABRELAY_PORT": str(settings.port),
        "LABRELAY_PUBLIC_URL": settings.public_url,
        "LABRELAY_CLOCK": settings.clock,
        "LABRELAY_DEMO": "1" if settings.demo else "0",
        "PYTHONUNBUFFERED": "1",
    }
    if mqtt_url:
        decided["LABRELAY_MQTT_URL"] = mqtt_url
    return {**os.environ, **decided}


def prepare(settings: Settings, env: Mapping[str, str], *, demo: bool) -> None:
    """Tables at their newest version and, for the demo, its network and its clock at the next morning."""
    steps = [] if prepared(settings) else [("db", "upgrade")]
    if demo:
        steps.append(("demo", "prepare"))
    for step in steps:
        done = subprocess.run(ours(*step), env=dict(env), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            words = (done.stderr or done.stdout).strip()[-3000:]
            name = " ".join(step)
            raise CannotStart(f"准备步骤失败：labrelay {name}", f"A step failed: labrelay {name}\n{words}")
        if step == ("db", "upgrade"):
            _mark(settings).write_text(_state(settings))


def prepared(settings: Settings) -> bool:
    """Whether the embedded database has had these migrations: spares alembic's seconds at every start."""
    mark = _mark(settings)
    database = settings.var_dir / "labrelay.db"
    return (
        settings.database_url == f"sqlite:///{database}"
        and database.exists()
        and mark.exists()
        and mark.read_text() == _state(settings)
    )


def _mark(settings: Settings) -> Path:
    return settings.var_dir / "prepared"


def _state(settings: Settings) -> str:
    """Identifies the database file and the migrations that exist."""
    seen = hashlib.sha256()
    for path in _sources():
        seen.update(path.name.encode() + path.read_bytes())
    database = settings.var_dir / "labrelay.db"
    inode = database.stat().st_ino if database.exists() else 0
    return f"{seen.hexdigest()} {inode}"


def _sources() -> list[Path]:
    """What decides the tables. Before the first release there are no migrations, and the models decide."""
    root = Path(__file__).parent
    versions = sorted((root / "migrations" / "versions").glob("*.py"))
    return versions or sorted(root.parent.glob("*/models/*.py")) + sorted(root.parent.glob("*/models.py"))


def check_port(settings: Settings) -> None:
    if not port_is_free(settings.host, settings.port):
        other = settings.port + 1
        raise CannotStart(
            f"端口 {settings.port} 已被其他程序占用，什么都没有启动。换一个端口：PORT={other} make run",
            f"Port {settings.port} is in use by another program; nothing was started. Use another:"
            f" PORT={other} make run",
        )


def take_lock(var_dir: Path) -> IO[str]:
    """Only one ``up`` for each folder: two would share a database, a queue and a broker's store."""
    var_dir.mkdir(parents=True, exist_ok=True)
    lock = (var_dir / "up.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise CannotStart(
            f"Labrelay 已经在使用文件夹 {var_dir} 运行。先停止它，或用 LABRELAY_VAR_DIR 另选文件夹。",
            f"Labrelay already runs on the folder {var_dir}. Stop it, or choose another with LABRELAY_VAR_DIR.",
        ) from None
    return lock


def local_address(settings: Settings) -> str:
    """Where this machine reaches its own web server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://{host}:{settings.port}"


def address(settings: Settings) -> str:
    return settings.public_url if "0.0.0.0" not in settings.public_url else local_address(settings)  # noqa: S104


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  # our own address
            return int(answer.status) == 200
    except (OSError, urllib.error.URLError):
        return False
