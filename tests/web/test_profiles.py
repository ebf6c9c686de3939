"""The pages of alarm profiles: who may change which, what is wrong named at its field, trying on past data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics.clock import FixedClock
from telemetry import trial
from telemetry.models import ExcursionRow, ProfileVersion
from telemetry.profile import COLD, PROFILES, Rule, RuleKind, Side, code_of
from tests import warm_box
from web import rule_texts
from web.views.profiles import rows_of

Login = Callable[[FlaskClient, str], FlaskClient]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def warm(session: Session, app_clock: FixedClock) -> Session:
    warm_box.build(session)
    app_clock.set(warm_box.ENDS)
    session.rollback()
    return session


def form(**changes: str) -> dict[str, str]:
    """The cold profile as its page sends it."""
    sent = {
        "low_c": "2", "high_c": "8", "clear_delay": "0", "silence_intervals": "4", "silence_least": "10",
        "silence_grace": "5", "reason": "trial", "valid_from": "", "days": "2",
    }  # fmt: skip
    for place, row in enumerate(rows_of(COLD)):
        sent |= {f"key-{place}": row.key, f"kind-{place}": row.kind, f"side-{place}": row.side}
        sent |= {f"{name}-{place}": row.at(name) for name in ("limit_c", "minutes", "hours", "hysteresis_c")}
        if row.inclusive:
            sent[f"inclusive-{place}"] = "1"
    return sent | changes


def post(client: FlaskClient, where: str, **changes: str) -> Any:
    return client.post(f"/profiles/cold_2_8{where}", data=form(**changes))


def versions(session: Session) -> int:
    session.rollback()
    return session.scalar(select(func.count()).select_from(ProfileVersion)) or 0


@pytest.mark.both_databases
def test_a_version_is_stored_and_counts(warm: Session, client: FlaskClient, login: Login) -> None:
    """The administration changes the network's profile; the page shows who, why, from when; a rule keeps its key."""
    login(client, "admin")
    assert "minutes in a row" in client.get("/profiles/cold_2_8?lang=en").get_data(as_text=True)
    assert post(client, "", **{"limit_c-0": "7.5"}).status_code == 302
    page = client.get("/profiles/cold_2_8?lang=en").get_data(as_text=True)
    for words in ("above 7.5 °C for 30 minutes", "In force", "trial", "admin"):
        assert words in page
    warm.rollback()
    row = warm.scalars(select(ProfileVersion)).one()
    assert row.body is not None
    assert (row.body["rules"][0]["key"], row.body["rules"][0]["code"]) == ("above_8_for_30", "above_7.5_for_30")
    assert row.body["rules"][5]["inclusive"]


def test_what_is_wrong_is_said_at_its_field(warm: Session, client: FlaskClient, login: Login) -> None:
    """The typed values stay, the sentence stands beside the field, nothing is stored."""
    login(client, "admin")
    for changes, name in (
        ({"limit_c-0": "warm"}, "limit_c-0"), ({"minutes-1": ""}, "minutes-1"), ({"hours-2": "0.5"}, "hours-2"),
        ({"kind-0": "often"}, None), ({"limit_c-0": "nan"}, "limit_c-0"), ({"limit_c-4": "1e9"}, "limit_c-4"),
    ):  # fmt: skip
        answer = post(client, "", **changes)
        assert answer.status_code == 400, changes
        if name:
            assert f'id="{name}-note"' in answer.get_data(as_text=True), changes
    for changes in ({"high_c": "1"}, {"reason": ""}, {"valid_from": "2020-01-01T00:00"}, {"valid_from": "soon"}):
        answer = post(client, "", **changes)
        assert answer.status_code == 400
        assert 'aria-invalid="true"' in answer.get_data(as_text=True), changes
    assert versions(warm) == 0


def test_a_manager_changes_the_own_boxes_only(warm: Session, client: FlaskClient, login: Login) -> None:
    """Not the network's profile; an own one for a box of the area, which is given up again."""
    login(client, "manager")
    assert post(client, "").status_code == 403
    assert post(client, "?scope=box&code=BX-C").status_code == 302
    assert post(client, "?scope=box&code=BX-O").status_code == 404
    assert client.get("/profiles/cold_2_8?scope=box&code=NONE").status_code == 404
    assert client.get("/profiles/warm").status_code == 404
    assert "BX-C" in client.get("/profiles/").get_data(as_text=True)
    assert post(client, "/give-up?scope=box&code=BX-C").status_code == 302
    assert versions(warm) == 2


@pytest.mark.both_databases
def test_a_draft_is_tried_on_past_data(warm: Session, client: FlaskClient, login: Login) -> None:
    """The hour at 12 °C: with 13 °C as the limit nothing would have been raised; nothing is stored by trying."""
    before = warm.scalar(select(func.count()).select_from(ExcursionRow))
    warm.rollback()
    login(client, "manager")
    page = post(client, "/try?lang=en", **{"limit_c-0": "13", "limit_c-2": "13", "high_c": "13"}).get_data(as_text=True)
    assert "This draft would have raised 0 alerts; the present profile raises 1." in page
    assert "no longer" in page
    page = post(client, "/try").get_data(as_text=True)
    assert "No difference to the present profile." in page
    assert post(client, "/try", days="32").status_code == 400
    assert versions(warm) == 0
    assert warm.scalar(select(func.count()).select_from(ExcursionRow)) == before


def test_a_trial_says_what_it_left_out(
    warm: Session, client: FlaskClient, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the limit of work the loggers that were not looked at are counted."""
    monkeypatch.setattr(trial, "MOST_READINGS", 3)
    login(client, "manager")
    assert "1 loggers were left out" in post(client, "/try?lang=en").get_data(as_text=True)


def test_every_rule_has_words(app: Flask) -> None:
    """Codes that an edited rule gets, in English; a code that says nothing stays as it is."""
    rule = Rule("", RuleKind.CONSECUTIVE, Side.UPPER, 7.5, 20 * MINUTE)
    said = {
        code_of(rule): "above 7.5 °C for 20 minutes",
        code_of(replace(rule, kind=RuleKind.CUMULATIVE, side=Side.LOWER, window=timedelta(hours=12))):
            "below 7.5 °C for 20 minutes in all within 12 hours",
        code_of(replace(rule, kind=RuleKind.IMMEDIATE, side=Side.LOWER, limit_c=-0.5, inclusive=True)):
            "at or below −0.5 °C at once",
        code_of(replace(rule, kind=RuleKind.RATE)): "risen by more than 7.5 °C within 20 minutes",
        code_of(replace(rule, kind=RuleKind.RATE, side=Side.LOWER)): "fallen by more than 7.5 °C within 20 minutes",
        "warm": "warm",
    }  # fmt: skip
    with app.test_request_context("/?lang=en"):
        for code, words in said.items():
            assert rule_texts.rule_words(code) == words


def test_an_installation_begins_with_the_defaults() -> None:
    """What the migration writes is what the rules have built in today."""
    import importlib.util
    from pathlib import Path

    path = Path(__file__).resolve().parents[2] / "web/migrations/versions/0005_excursions.py"
    spec = importlib.util.spec_from_file_location("first_profiles", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert {code: rules for code, (_, _, rules) in module.FIRST.items()} == {
        code: profile.snapshot()["rules"] for code, profile in PROFILES.items()
    }
