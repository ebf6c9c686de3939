"""How long ``labrelay up --demo`` takes to its first page: with an empty folder, then again.

``python bench/start.py`` prints both figures. It uses a temporary folder and a free port.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

LONGEST_S = 180.0


def first_page_s(folder: str, port: int) -> float:
    """Seconds from the command to the first answer of the login page."""
    environ = {**os.environ, "LABRELAY_VAR_DIR": folder}
    command = [sys.executable, "-m", "web.cli", "up", "--demo", "--port", str(port)]
    began = time.perf_counter()
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL) as running:
        try:
            while time.perf_counter() - began < LONGEST_S:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/login", timeout=2).close()
                    return time.perf_counter() - began
                except (urllib.error.URLError, OSError):
                    time.sleep(0.1)
            raise SystemExit("no page within three minutes")
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(30)


def main() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        print(f"first start, empty folder: {first_page_s(folder, port):.1f} s")
        print(f"second start:              {first_page_s(folder, port):.1f} s")


if __name__ == "__main__":
    main()
