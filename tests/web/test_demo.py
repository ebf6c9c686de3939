"""The simulated day's controls: speed, pause, next morning; and that a real installation has none of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from logistics import clock as clock_module
from logistics.clock import SharedClock
from logistics.db import Base, db, transaction
from tests import factories as f
from web.app import create_app
from web.demo import control, logins, people
from web.demo.script import ZONE
from web.settings import Settings


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Flask]:
    """An application in demo mode with the seeded people and a shared clock."""
    environ = {
        "LABRELAY_VAR_DIR": str(tmp_path),
        "LABRELAY_SECRET_KEY": "only-for-the-tests-0123456789abcdef",
        "LABRELAY_DEMO": "1",
        "LABRELAY_CLOCK": f"shared:{tmp_path / 'clock.json'}",
    }
    settings = Settings.from_env(environ)
    with clock_module.using(settings.make_clock()):
        app = create_app(settings)
        with app.app_context():
            Base.metadata.create_all(db.engine)
            with transaction() as session:
                control.prepare_clock(session, settings)
                people.seed_people(session)
        yield app
        with app.app_context():
            db.engine.dispose()


def key(app: Flask, username: str) -> dict[str, str]:
    body = {"username": username, "password": people.PASSWORD, "name": "test"}
    made = app.test_client().post("/api/v1/tokens", json=body)
    return {"Authorization": f"Bearer {made.get_json()['token']}"}


def test_every_login_that_is_shown_works(demo: Flask) -> None:
    """One login per role, each of which opens a session and lands on a page of that role."""
    shown = logins()
    assert [one.role for one in shown] == [
        "collector", "courier", "dispatcher", "receiver", "manager", "administrator", "auditor",
    ]  # fmt: skip
    for one in shown:
        assert key(demo, one.username)


def test_the_day_can_be_paused_and_sped_up(demo: Flask) -> None:
    """Pause stops the clock for every process that shares it; a speed that is not offered is refused by name."""
    client, headers = demo.test_client(), key(demo, "manager-421281")
    paused = client.post("/api/v1/demo/clock", json={"rate": 0}, headers=headers).get_json()
    assert paused["rate"] == 0
    stands = clock_module.now()
    assert SharedClock(Path(demo.extensions["labrelay.settings"].var_dir) / "clock.json").now() == stands
    fast = client.post("/api/v1/demo/clock", json={"rate": 300}, headers=headers).get_json()
    assert fast["rate"] == 300
    odd = client.post("/api/v1/demo/clock", json={"rate": 7}, headers=headers)
    assert (odd.status_code, odd.get_json()["code"], odd.get_json()["field"]) == (400, "demo_rate_unknown", "rate")


def test_the_next_morning_is_a_later_working_day(demo: Flask) -> None:
    """'Next morning' goes forward to 07:30 of a weekday; the days before stay on record."""
    before = clock_module.now()
    answer = demo.test_client().post("/api/v1/demo/clock", json={"again": True}, headers=key(demo, "admin")).get_json()
    after = datetime.fromisoformat(answer["now"]).astimezone(ZONE)
    assert answer["started"] is True
    assert after.date() > before.astimezone(ZONE).date()
    assert after.time().replace(second=0, microsecond=0) == time(7, 30)
    assert after.weekday() < 5


def test_a_friday_is_followed_by_monday() -> None:
    """Townships send little at weekends, so the simulated week has five days."""
    friday = datetime(2031, 3, 7, 9, 0, tzinfo=UTC)
    assert control.next_morning(friday).astimezone(ZONE).date().isoformat() == "2031-03-10"


def test_a_real_installation_has_no_simulation(
    session: Session, client: FlaskClient, login: Callable[[FlaskClient, str], FlaskClient]
) -> None:
    """Outside the demo neither page nor control exists, and no login is shown."""
    f.world(session)
    assert b"labrelay-demo" not in client.get("/login").data
    login(client, "manager")
    assert client.get("/demo").status_code == 404
    assert client.post("/api/v1/demo/clock", json={"rate": 0}).status_code == 404
