"""Real PostgreSQL, Redis and Mosquitto on private ports, started from Debian's packages for the tests.

Each server is a context manager that yields its URL, owns a temporary folder and leaves nothing behind: the
processes die with the test process (PR_SET_PDEATHSIG), even when that is killed. A missing program is an
error that names the Debian package; nothing is ever skipped.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import BaseServer
from threading import Thread

PR_SET_PDEATHSIG = 1
START_TIMEOUT_S = 30.0
_libc = ctypes.CDLL(None)


class MissingProgram(RuntimeError):
    """A program that the tests need is not installed."""

    def __init__(self, program: str, package: str) -> None:
        super().__init__(f"{program} is missing: apt-get install {package} (make test does it when it may)")


def free_port() -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(server: BaseServer) -> Iterator[int]:
    """A server of this process answers in a thread of its own meanwhile; gives its port."""
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def find_program(name: str, package: str, *extra: Path) -> str:
    """Absolute path of a program on PATH, in /usr/sbin or in ``extra`` folders; raises MissingProgram."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    candidates = [Path(found)] if found else [folder / name for folder in extra if (folder / name).exists()]
    if not candidates:
        raise MissingProgram(name, package)
    return str(candidates[0])


def wait_until(check: Callable[[], bool], what: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for a server to answer; its own last words go into the error when it does not."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if check():
            return
        time.sleep(0.02)
    words = log.read_text(errors="replace")[-2000:] if log.exists() else ""
    raise RuntimeError(f"{what} did not start (exit {process.poll()}):\n{words}")


def accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def start(
    command: Sequence[str],
    *,
    log: Path,
    env: dict[str, str] | None = None,
    user: str | None = None,
    dying: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a process in its own group, its output to ``log``. It dies with this one, by the signal ``dying``."""
    account = pwd.getpwnam(user) if user else None

    def tie() -> None:
        if account:
            os.initgroups(account.pw_name, account.pw_gid)
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
        _libc.prctl(PR_SET_PDEATHSIG, dying)  # after setuid, which clears it

    with log.open("ab") as output:
        return subprocess.Popen(
            list(command), stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            start_new_session=True, preexec_fn=tie, env=env, cwd=log.parent,  # noqa: PLW1509
        )  # fmt: skip


def stop(process: subprocess.Popen[bytes], *, signal_first: int = signal.SIGTERM, wait_s: float = 10.0) -> None:
    """End a process and its group: politely, then not."""
    for number in (signal_first, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
        try:
            process.wait(wait_s)
            break
        except subprocess.TimeoutExpired:
            continue
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what the leader left in its group


def _sweep(base: Path) -> None:
    """Remove what test processes that were killed left in memory."""
    for folder in base.glob("labrelay-test-*"):
        pid = folder.name.split("-")[2]
        if pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def private_folder(name: str, owner: str | None = None, *, on_disk: bool = False) -> Iterator[Path]:
    """A short path in memory where there is one: fast, and unix sockets allow only 107 bytes."""
    memory = not on_disk and os.access("/dev/shm", os.W_OK)
    base = Path("/dev/shm") if memory else Path(tempfile.gettempdir())
    _sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=f"labrelay-test-{os.getpid()}-{name}-", dir=base))
    try:
        if owner:
            account = pwd.getpwnam(owner)
            os.chown(folder, account.pw_uid, account.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


FAST = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB",
    "autovacuum": "off",
}  # fmt: skip
DURABLE = {"fsync": "on", "synchronous_commit": "on", "shared_buffers": "512MB", "max_wal_size": "4GB"}


@contextmanager
def postgresql(*, durable: bool = False, keep: Path | None = None) -> Iterator[str]:
    """An empty PostgreSQL cluster on a private port; yields a SQLAlchemy URL.

    ``durable``: on the disk, every commit synced, as an installation runs it (measurements); else in memory
    without fsync. ``keep``: a folder in which the data stay, and are found again.
    """
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    initdb = find_program("initdb", "postgresql", *versions)
    server = str(Path(initdb).resolve().parent / "postgres")
    owner = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    with private_folder("pg", owner, on_disk=durable) as folder:
        data, log, port = keep or folder / "data", folder / "log", free_port()
        if not (data / "PG_VERSION").exists():
            _initialise(initdb, data, log, owner)
        options = {
            "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "max_connections": 60,
            "timezone": "UTC", **(DURABLE if durable else FAST),
        }  # fmt: skip
        command = [server, "-D", str(data), *(f"--{name}={value}" for name, value in options.items())]
        # SIGINT is the fast shutdown, which does not wait for clients
        process = start(command, log=log, user=owner, dying=signal.SIGINT)
        url = f"postgresql+psycopg://labrelay@127.0.0.1:{port}/postgres"
        try:
            wait_until(lambda: _postgres_answers(url), "PostgreSQL", process, log)
            yield url
        finally:
            stop(process, signal_first=signal.SIGINT, wait_s=60.0 if keep else 10.0)


def _initialise(initdb: str, data: Path, log: Path, owner: str | None) -> None:
    if owner:
        data.mkdir(exist_ok=True)
        os.chown(data, *pwd.getpwnam(owner)[2:4])
    setup = [initdb, "-D", str(data), "-U", "labrelay", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
    if start(setup, log=log, user=owner).wait(60) != 0:
        raise RuntimeError(f"initdb failed:\n{log.read_text()[-2000:]}")


def _postgres_answers(url: str) -> bool:
    import psycopg

    try:
        psycopg.connect(url.replace("+psycopg", ""), connect_timeout=2).close()
    except psycopg.Error:
        return False
    return True


@contextmanager
def redis() -> Iterator[str]:
    """A Redis without persistence on a private port; yields ``redis://127.0.0.1:PORT/0``."""
    program = find_program("redis-server", "redis-server")
    with private_folder("redis") as folder:
        port, log = free_port(), folder / "log"
        process = start(
            [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)], log=log
        )
        try:
            wait_until(lambda: accepts(port), "Redis", process, log)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            stop(process)


MOSQUITTO_CONF = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_interval 2
max_inflight_messages 4000
max_queued_messages 0
"""


@contextmanager
def mosquitto(config: str = MOSQUITTO_CONF) -> Iterator[str]:
    """A Mosquitto with durable queues on a private port; yields ``mqtt://127.0.0.1:PORT``."""
    program = find_program("mosquitto", "mosquitto")
    with private_folder("mqtt") as folder:
        port, log, conf = free_port(), folder / "log", folder / "mosquitto.conf"
        conf.write_text(config.format(port=port, folder=folder) + ("user root\n" if os.geteuid() == 0 else ""))
        process = start([program, "-c", str(conf)], log=log)
        try:
            wait_until(lambda: accepts(port), "Mosquitto", process, log)
            yield f"mqtt://127.0.0.1:{port}"
        finally:
            stop(process)
