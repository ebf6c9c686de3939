"""Runs the services of docker-compose.yml as plain processes, with real servers in place of the containers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests import servers

ROOT = Path(__file__).resolve().parents[2]


def load(environ: Mapping[str, str], *more: str) -> dict[str, Any]:
    """The parsed file with ``${NAME}``, ``${NAME:-default}`` and ``${NAME:?message}`` filled in as compose does, and
    what the files ``more`` put over it: volumes and ports are added, other keys take the place of the first's."""

    def fill(match: re.Match[str]) -> str:
        name, operator, rest = match.groups()
        value = environ.get(name, "")
        if not value and operator == ":?":
            raise KeyError(f"{name}: {rest}")
        return value or rest or ""

    def filled(node: Any) -> Any:
        if isinstance(node, str):
            return re.sub(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}", fill, node)
        if isinstance(node, dict):
            return {key: filled(value) for key, value in node.items()}
        return [filled(value) for value in node] if isinstance(node, list) else node

    document: dict[str, Any] = filled(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))
    for name in more:
        for service, changes in filled(yaml.safe_load((ROOT / name).read_text()))["services"].items():
            body = document["services"][service]
            for key, value in changes.items():
                body[key] = [*body.get(key, []), *value] if key in {"volumes", "ports"} else value
    return document


def new_env() -> dict[str, str]:
    """What ``scripts/new-env localhost`` prints, as variables."""
    printed = subprocess.run([ROOT / "scripts" / "new-env", "localhost"], capture_output=True, text=True, check=True)
    lines = [line for line in printed.stdout.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@dataclass
class Stage:
    """Where the containers' names and folders are on this machine."""

    document: dict[str, Any]
    places: dict[str, str]
    folder: Path
    ports: dict[str, int]

    def command(self, service: str) -> list[str]:
        """The file's command; ``labrelay`` is the one under test, container paths are ours."""
        words = [self._placed(str(word)) for word in self.document["services"][service]["command"]]
        if words[0] == "labrelay":
            return [sys.executable, "-m", "web.cli", *words[1:]]
        return [servers.find_program(words[0], self._package(words[0])), *words[1:]]

    def environment(self, service: str) -> dict[str, str]:
        """The file's environment and nothing else of ours but what a process needs to run at all."""
        own = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        own["PYTHONPATH"] = str(ROOT)
        given = self.document["services"][service].get("environment", {})
        return {**own, **{name: self._placed(str(value)) for name, value in given.items()}}

    def start(self, service: str) -> subprocess.Popen[bytes]:
        return servers.start(self.command(service), log=self.log(service), env=self.environment(service))

    def run(self, service: str) -> str:
        """Run a one-shot service to its end; gives back what it printed."""
        process = self.start(service)
        assert process.wait(60) == 0, self.log(service).read_text()
        return self.log(service).read_text()

    def log(self, service: str) -> Path:
        return self.folder / f"{service}.log"

    def _placed(self, text: str) -> str:
        for theirs, ours in self.places.items():
            text = text.replace(theirs, ours)
        return text

    @staticmethod
    def _package(program: str) -> str:
        return {"redis-server": "redis-server", "mosquitto": "mosquitto", "caddy": "caddy"}[program]
