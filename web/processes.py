"""Child processes that cannot outlive us, and the programs they run."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
SBIN = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask the kernel to end this process when its parent dies (Linux; elsewhere nothing happens)."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, number)


def spawn(command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start ``command`` as the leader of its own group; its output is appended to ``log``.

    Call it from the main thread only: the kernel's parent is the thread that forked. SIGKILL is what the kernel
    sends on our death: every service of Labrelay is built to be killed at any moment, and only that leaves none.
    """
    parent = os.getpid()

    def tie() -> None:
        die_with_parent()
        if os.getppid() != parent:  # the parent died between fork and prctl
            os._exit(1)

    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env) if env is not None else None,
            start_new_session=True,
            preexec_fn=tie,  # noqa: PLW1509  # no other thread runs in the supervisor
        )


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to the process and whatever it started; nothing happens when all are gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def stop_all(processes: Sequence[subprocess.Popen[bytes]], *, grace_s: float = 8.0) -> None:
    """SIGTERM to every group, ``grace_s`` for all of them together, then SIGKILL to what is left."""
    for process in processes:
        signal_group(process, signal.SIGTERM)
    share_s = grace_s
    for process in processes:
        share_s = _wait(process, share_s)
    for process in processes:
        signal_group(process, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(2)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> float:
    """Wait for one process; gives back what is left of ``seconds``."""
    import time

    begin = time.monotonic()
    with suppress(subprocess.TimeoutExpired):
        process.wait(max(seconds, 0.05))
    return seconds - (time.monotonic() - begin)


def find_program(name: str) -> str | None:
    """A program on PATH or in the folders for servers that users' PATHs often leave out."""
    return shutil.which(name) or shutil.which(name, path=SBIN)


def port_is_free(host: str, port: int) -> bool:
    """Whether we could listen there. (SO_REUSEADDR as servers set it: a closed listener's remains don't count.)"""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A TCP port on the loopback interface that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something listens on the port."""
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False
