"""What may not be kept longer is deleted."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import clock, tasks
from logistics.models import Act, CourierPosition, CustodyEvent
from logistics.services import rebuild
from tests import factories as f


def test_positions_are_forgotten_after_the_setting(app: Flask, session: Session) -> None:
    """After thirty days, the default, nobody can tell any more where a courier was; yesterday's way is kept."""
    f.world(session)
    now = clock.now()
    for days in (1, 29, 31, 400):
        session.add(CourierPosition(username="courier", at=now - timedelta(days=days), lat=29.7, lon=113.9))
    session.commit()
    with app.app_context():
        tasks.forget.run()
    ages = sorted((now - at).days for at in session.scalars(select(CourierPosition.at)))
    assert ages == [1, 29]


@pytest.mark.both_databases
def test_the_log_never_learns_exactly_where_a_courier_was(
    app: Flask, session: Session, client: FlaskClient, login: Callable[[FlaskClient, str], FlaskClient]
) -> None:
    """An act at a site keeps no position, one on the road a kilometre's; so nothing has to be taken out of the log when
    positions are forgotten, and it verifies as before. The phone that sends again gets its first answer."""
    f.world(session)
    f.fetched(session)
    position = {"lat": 29.681234, "lon": 113.817891, "accuracy_m": 8}

    def sent(**more: Any) -> dict[str, Any]:
        note = {"type": "note", "payload": {"note": "warm"}, "subject": {"specimen": "2611220047"}}
        return {
            "id": str(uuid.uuid4()),
            "occurred_at": "2026-03-09T09:00:00+08:00",
            "position": position,
            **note,
            **more,
        }

    acts = [sent(site=f.TOWN), sent()]
    phone = login(client, "courier")
    for status in ("done", "duplicate"):
        answers = phone.post("/api/v1/acts", json={"acts": acts}).get_json()["answers"]
        assert [answer["status"] for answer in answers] == [status, status]
    session.rollback()
    ids = [act["id"] for act in acts]
    kept = {one.id: json.loads(one.body) for one in session.scalars(select(Act).where(Act.id.in_(ids)))}
    events = {
        one.act_id: json.loads(one.body)
        for one in session.scalars(select(CustodyEvent).where(CustodyEvent.act_id.in_(ids)))
    }
    assert [(kept[one]["lat"], events[one]["position"]) for one in ids] == [
        (None, None),
        ("29.68", ["29.68", "113.82"]),
    ]
    session.rollback()
    with app.app_context():
        tasks.forget.run()
    assert rebuild.verify_log(session) == []
