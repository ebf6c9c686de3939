"""A bench that is killed leaves no server behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

BENCH = """
import multiprocessing, os, sys, time
from bench.ending import orderly, with_bench

def serve(bench, ready):
    os.setsid()
    with_bench(bench)
    ready.set()
    time.sleep(600)

if __name__ == "__main__":
    orderly()
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    child = context.Process(target=serve, args=(os.getpid(), ready))
    child.start()
    ready.wait()
    try:
        print(child.pid, flush=True)
        time.sleep(600)
    finally:
        print("tidied", flush=True)
        child.kill()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_servers_end_with_their_bench(number: signal.Signals, tmp_path: Path) -> None:
    """Killed or asked to end: the server, in a group of its own, is gone, and no longer holds the pipe."""
    script = tmp_path / "bench_of_test.py"
    script.write_text(BENCH, encoding="utf-8")
    root = str(Path(__file__).parent.parent)
    env = {**os.environ, "PYTHONPATH": root}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=env, text=True) as bench:
        assert bench.stdout is not None
        server = int(bench.stdout.readline())
        bench.send_signal(number)
        rest = bench.stdout.read()  # ends when nobody holds the pipe any more
    assert bench.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 128 + signal.SIGTERM)
    assert (rest == "tidied\n") is (number == signal.SIGTERM)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{server}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{server}").exists()
