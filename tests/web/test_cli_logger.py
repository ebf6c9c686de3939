"""The command that reads a logger's file in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

FILES = Path(__file__).parents[1] / "data" / "loggers"


def test_a_file_from_the_command_line(tmp_path: Path) -> None:
    """Prints what the file holds as JSON; the second time nothing is new; another logger's file is refused in words."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LABRELAY_")}

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "web.cli", *args]
        env = {**kept, "LABRELAY_VAR_DIR": str(tmp_path)}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)

    assert run("init").returncode == 0
    file = str(FILES / "q_tag_clm_doc.txt")
    first = run("logger", "import", file, "--device", "QT-1", "--register", "--json")
    assert first.returncode == 0, first.stderr
    said = json.loads(first.stdout)
    assert {name: said[name] for name in ("readings", "stored", "min_c", "max_c", "mkt_c", "gaps", "differences")} == {
        "readings": 124, "stored": 124, "min_c": 0.9, "max_c": 24.3, "mkt_c": 10.59, "gaps": [], "differences": [],
    }  # fmt: skip
    assert said["first"] == "2022-11-08T04:49:00+00:00"
    assert {one["rule"] for one in said["excursions"]} >= {"above_8_for_30", "below_2_for_20"}
    again = json.loads(run("logger", "import", file, "--device", "QT-1", "--json").stdout)
    assert (again["stored"], again["duplicates"], again["known"]) == (0, 124, True)
    other = run("logger", "import", str(FILES / "fridge_tag_2l.txt"), "--device", "QT-1", "--lang", "en")
    assert other.returncode == 1
    assert "serial number 130500109088" in other.stderr
