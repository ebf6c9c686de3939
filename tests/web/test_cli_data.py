"""The commands about what an installation holds: init, seed, rebuild, verify."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text


@pytest.fixture
def labrelay(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Runs the command with a database of its own; gives the finished process."""

    def run(*args: str, **more: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LABRELAY_")}
        env = {**kept, "LABRELAY_VAR_DIR": str(tmp_path), **more}
        command = [sys.executable, "-m", "web.cli", *args]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)

    return run


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    engine = create_engine(f"sqlite:///{folder / 'labrelay.db'}")
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found


def test_init_makes_an_empty_installation_and_prints_a_random_password_once(labrelay, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """One administrator, no sites, the reasons and tests of the catalogue; the password is new, must be changed, and
    stands nowhere in the database. A second init changes nothing and prints none."""
    first = labrelay("init")
    assert first.returncode == 0, first.stderr
    password = re.search(r"shown once\): (\S+)", first.stdout)
    assert password is not None
    assert len(password.group(1)) >= 12
    users = rows(tmp_path, "SELECT username, role, must_change_password, password_hash FROM user_account")
    assert [(row[0], row[1], bool(row[2])) for row in users] == [("admin", "administrator", True)]
    assert str(users[0][3]).startswith("scrypt:")
    assert password.group(1) not in str(users)
    assert rows(tmp_path, "SELECT count(*) FROM site") == [(0,)]
    assert rows(tmp_path, "SELECT count(*) FROM reason")[0][0] > 10
    again = labrelay("init")
    assert again.returncode == 1
    assert "shown once" not in again.stdout


def test_seed_needs_the_word_demo(labrelay, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The simulated network has public passwords: without LABRELAY_DEMO nothing is written; with it the 77 sites
    are, and an external laboratory."""
    refused = labrelay("seed")
    assert refused.returncode == 1
    assert "LABRELAY_DEMO" in refused.stderr
    done = labrelay("seed", LABRELAY_DEMO="1")
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path, "SELECT count(*) FROM site WHERE tier <> 'external'") == [(77,)]
    roles = {row[0] for row in rows(tmp_path, "SELECT DISTINCT role FROM user_account")}
    assert roles == {"collector", "courier", "dispatcher", "receiver", "manager", "administrator", "auditor"}
    assert "already" in labrelay("seed", LABRELAY_DEMO="1").stdout


def test_rebuild_and_verify_say_whether_the_record_is_whole(labrelay) -> None:  # type: ignore[no-untyped-def]
    """On an installation without acts both find nothing wrong and exit with 0."""
    assert labrelay("seed", LABRELAY_DEMO="1").returncode == 0
    rebuilt, verified = labrelay("rebuild", "--check"), labrelay("verify")
    assert (rebuilt.returncode, verified.returncode) == (0, 0), rebuilt.stderr + verified.stderr
    assert "0 differences" in rebuilt.stdout
    assert "whole" in verified.stdout
