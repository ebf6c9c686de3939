"""The pages of alerts: routing table with its trial on last week, the log of messages, putting off over the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Alert, AlertLadder, AlertRoute, AuditEntry
from tests import factories as f
from tests.logistics.test_alert_routes import channel, raised

Login = Callable[[FlaskClient, str], FlaskClient]


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    channel(session, "night robot")
    raised(session, kind="silence", params={"box": "BX-C", "device": "LG-1"})
    session.rollback()
    return session


def form(session: Session, **more: Any) -> dict[str, Any]:
    from logistics.models import Channel

    number = str(session.scalars(select(Channel.id)).one())
    session.rollback()
    return {
        "site_code": f.COUNTY, "channel_id": number, "rung": "manager", "min_severity": "warning",
        "kinds": ["battery"], "from_min": "20:00", "until_min": "08:00", **more,
    }  # fmt: skip


def test_a_route_is_tried_then_set_then_removed(world: Session, client: FlaskClient, login: Login) -> None:
    """Tried: nothing is written, and the page says who would have got what. Set: the standard is gone, on record."""
    login(client, "manager")
    page = client.get("/manager/routes?lang=en").get_data(as_text=True)
    assert "standard: no route is set here" in page
    assert "Alerts: 1. Messages that would have gone out: 1" in page
    tried = client.post("/manager/routes?lang=en", data=form(world, **{"try": "1"})).get_data(as_text=True)
    assert "Last week, with the new route" in tried
    assert "nobody but the inbox: 1" in tried
    assert world.scalars(select(AlertRoute)).all() == []
    world.rollback()
    assert client.post("/manager/routes", data=form(world)).status_code == 302
    row = world.scalars(select(AlertRoute)).one()
    assert (row.kinds, row.from_min, row.until_min) == (["battery"], 1200, 480)
    world.rollback()
    assert "20:00–08:00" in client.get("/manager/routes?lang=en").get_data(as_text=True)
    assert client.post(f"/manager/routes/{row.id}/remove").status_code == 302
    assert client.post("/manager/routes/step", data={"site_code": f.COUNTY, "step_min": "15"}).status_code == 302
    assert world.get_one(AlertLadder, f.COUNTY).step_min == 15
    assert world.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()[-3:] == [
        "alert_route_added", "alert_route_removed", "alert_step_changed",
    ]  # fmt: skip


@pytest.mark.parametrize("wrong", [{"from_min": "25:00"}, {"channel_id": ""}, {"rung": "x"}, {"site_code": "CITY"}])
def test_a_wrong_route_is_refused_beside_its_field(
    world: Session, client: FlaskClient, login: Login, wrong: dict[str, str]
) -> None:
    """Nothing is written."""
    login(client, "manager")
    answer = client.post("/manager/routes?lang=en", data=form(world, **wrong))
    assert answer.status_code == 400
    assert "field-error" in answer.get_data(as_text=True)
    assert world.scalars(select(AlertRoute)).all() == []


def test_the_log_of_messages(world: Session, client: FlaskClient, login: Login) -> None:
    """What waits, by state; another county sees nothing."""
    login(client, "manager")
    page = client.get("/manager/deliveries?lang=en").get_data(as_text=True)
    assert "No readings from box" in page
    assert "none yet" in page
    assert "No messages" in client.get("/manager/deliveries?state=sent&lang=en").get_data(as_text=True)
    login(client, "manager2")
    assert "No messages" in client.get("/manager/deliveries?lang=en").get_data(as_text=True)


def test_putting_off_over_the_api(world: Session, client: FlaskClient, login: Login) -> None:
    """With a word and minutes; it leaves the list; dispatchers may not for what the laboratory decides."""
    number = world.scalars(select(Alert.id)).one()
    world.rollback()
    login(client, "manager")
    path = f"/api/v1/alerts/{number}/snooze"
    assert client.post(path, json={"word": "later"}).get_json()["field"] == "minutes"
    assert client.post(path, json={"word": "later", "minutes": 2}).get_json()["code"] == "snooze_out_of_range"
    answer = client.post(path, json={"word": "at the door", "minutes": 30})
    assert answer.get_json()["snoozed_until"] == "2026-03-09T01:30:00+00:00"
    assert client.get("/api/v1/alerts").get_json()["alerts"] == []
    assert len(client.get("/api/v1/alerts?state=snoozed").get_json()["alerts"]) == 1
    page = client.get(f"/manager/alerts/{number}?lang=en").get_data(as_text=True)
    assert "put off until 09:30" in page
    assert "at the door" in page
    login(client, "dispatcher")
    assert client.post(path, json={"word": "later", "minutes": 30}).status_code == 403
