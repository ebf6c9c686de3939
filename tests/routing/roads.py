"""A made-up road network of four towns, and two servers that know it: an imitation, and OSRM itself when at hand.

``make osrm`` brings OSRM's programs (the wheel osrm-bindings carries them); then the tests of road servers run
against both. The network is written here, so that the right answers are known and nobody's map is needed.
"""

from __future__ import annotations

import heapq
import json
import math
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from geopy.distance import geodesic

from tests.servers import free_port, serving

ROOT = Path(__file__).resolve().parents[2]
NODES = {  # name: (number, latitude, longitude)
    "A": (1, 29.80, 114.20),
    "B": (2, 29.80, 114.30),
    "C": (3, 29.88, 114.30),
    "D": (4, 29.88, 114.20),
}
WAYS = (  # from, to, km/h, one way only
    ("A", "B", 60, False),
    ("B", "C", 40, True),
    ("C", "D", 60, False),
    ("D", "A", 30, False),
)


def osm_xml() -> str:
    """The network as OpenStreetMap writes it."""
    nodes = [f'<node id="{n}" lat="{lat}" lon="{lon}" version="1"/>' for n, lat, lon in NODES.values()]
    ways = []
    for number, (a, b, kmh, one_way) in enumerate(WAYS, 1):
        tags = {"highway": "primary", "maxspeed": str(kmh), "oneway": "yes" if one_way else "no"}
        inside = [f'<nd ref="{NODES[end][0]}"/>' for end in (a, b)]
        inside += [f'<tag k="{key}" v="{value}"/>' for key, value in tags.items()]
        ways.append(f'<way id="{number}" version="1">{"".join(inside)}</way>')
    return f'<?xml version="1.0"?><osm version="0.6" generator="test">{"".join([*nodes, *ways])}</osm>'


def metres(a: str, b: str) -> float:
    return float(geodesic(NODES[a][1:], NODES[b][1:]).meters)


def shortest(a: str) -> dict[str, tuple[float, float]]:
    """Seconds and metres from ``a`` to every town by the quickest way."""
    roads: dict[str, list[tuple[str, float, float]]] = {name: [] for name in NODES}
    for start, end, kmh, one_way in WAYS:
        length = metres(start, end)
        roads[start].append((end, length / kmh * 3.6, length))
        if not one_way:
            roads[end].append((start, length / kmh * 3.6, length))
    found: dict[str, tuple[float, float]] = {}
    queue = [(0.0, 0.0, a)]
    while queue:
        seconds, length, here = heapq.heappop(queue)
        if here not in found:
            found[here] = (seconds, length)
            for there, more_s, more_m in roads[here]:
                heapq.heappush(queue, (seconds + more_s, length + more_m, there))
    return found


class _Imitation(BaseHTTPRequestHandler):
    """The table service over the made-up network; every place is taken to its nearest town."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        asked = dict(item.split("=") for item in query.replace("%3B", ";").replace("%2C", ",").split("&"))
        places = [tuple(map(float, one.split(","))) for one in path.split("/")[-1].split(";")]
        towns = [min(NODES, key=lambda n: math.dist((lat, lon), NODES[n][1:])) for lon, lat in places]
        origins = [towns[int(i)] for i in asked["sources"].split(";")]
        targets = [towns[int(i)] for i in asked["destinations"].split(";")]
        table = [[shortest(a)[b] for b in targets] for a in origins]
        answer = {
            "code": "Ok",
            "durations": [[seconds for seconds, _ in row] for row in table],
            "distances": [[length for _, length in row] for row in table],
        }
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def imitation() -> Iterator[str]:
    """A local server that speaks OSRM's JSON."""
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), _Imitation)) as port:
        yield f"http://127.0.0.1:{port}"


def osrm_folder() -> Path | None:
    """Where OSRM's programs are: on PATH, or where ``make osrm`` puts them. None: not at hand."""
    found = shutil.which("osrm-routed")
    inside = ROOT / "var" / "osrm" / "osrm" / "bin"
    return Path(found).parent if found else inside if (inside / "osrm-routed").exists() else None


@contextmanager
def osrm(folder: Path) -> Iterator[str]:
    """OSRM itself over the made-up network, in ``folder``."""
    programs = osrm_folder()
    assert programs is not None
    profile = next(
        path
        for path in (programs.parent / "share" / "profiles", Path("/usr/share/osrm/profiles"))
        if (path / "car.lua").exists()
    )
    (folder / "roads.osm").write_text(osm_xml(), encoding="utf-8")
    for name, *more in (("osrm-extract", "-p", str(profile / "car.lua"), "roads.osm"), ("osrm-contract", "roads.osrm")):
        subprocess.run([_program(programs, name), *more, "-t", "1"], cwd=folder, check=True, capture_output=True)
    port = free_port()
    command = [_program(programs, "osrm-routed"), "-i", "127.0.0.1", "-p", str(port), "-t", "1", "roads.osrm"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _answers(url, process)
        yield url
    finally:
        process.kill()
        process.wait()


def _program(folder: Path, name: str) -> str:
    path = folder / name
    if not os.access(path, os.X_OK):  # a wheel unpacked by hand
        path.chmod(0o755)
    return str(path)


def _answers(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/nearest/v1/driving/114.2,29.8", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("osrm-routed does not answer")
