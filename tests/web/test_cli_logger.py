"""The command that reads a logger's file in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import AuditEntry
from web import cli

FILES = Path(__file__).parents[1] / "data" / "loggers"


def test_a_file_from_the_command_line(app: Flask, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prints what the file holds as JSON; the second time nothing is new; another logger's file is refused in words."""
    monkeypatch.setattr("web.cli.logger.create_app", lambda _settings: app)
    monkeypatch.setattr("web.cli.logger.settings", lambda: None)

    def run(name: str, *more: str) -> Result:
        args = ["logger", "import", str(FILES / name), "--device", "QT-1", *more]
        return CliRunner().invoke(cli.labrelay, args)

    unknown = run("q_tag_clm_doc.txt", "--lang", "en")
    assert (unknown.exit_code, "There is no logger QT-1" in unknown.output) == (1, True)
    first = run("q_tag_clm_doc.txt", "--register", "--json")
    assert first.exit_code == 0, first.output
    said = json.loads(first.output)
    assert {name: said[name] for name in ("readings", "stored", "min_c", "max_c", "mkt_c", "gaps", "differences")} == {
        "readings": 124, "stored": 124, "min_c": 0.9, "max_c": 24.3, "mkt_c": 10.59, "gaps": [], "differences": [],
    }  # fmt: skip
    assert said["first"] == "2022-11-08T04:49:00+00:00"
    assert {one["rule"] for one in said["excursions"]} >= {"above_8_for_30", "below_2_for_20"}
    again = json.loads(run("q_tag_clm_doc.txt", "--json").output)
    assert (again["stored"], again["duplicates"], again["known"]) == (0, 124, True)
    words = run("q_tag_clm_doc.txt", "--lang", "en").output
    assert "124 readings: 0 new, 124 known, 0 in quarantine, 0 refused" in words
    assert "Lowest 0.9 °C, highest 24.3 °C, mean 5.46 °C, MKT 10.59 °C" in words
    other = run("fridge_tag_2l.txt", "--lang", "en")
    assert (other.exit_code, "serial number 130500109088" in other.output) == (1, True)
    no_mapping = run("logtag.csv", "--lang", "en")
    assert (no_mapping.exit_code, "Choose a mapping" in no_mapping.output) == (1, True)
    session.rollback()
    assert session.scalars(select(AuditEntry.action)).all() == ["logger_file"] * 3
