"""Readings over HTTP: stored once, receipted after the commit, and only for the sender's own loggers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics import clock
from telemetry import devices
from telemetry.models import ReadingRow
from tests import factories as f

pytestmark = pytest.mark.both_databases
Login = Callable[[FlaskClient, str], FlaskClient]


def message(device: str, seq: int = 1) -> dict[str, object]:
    return {"device": device, "seq": seq, "readings": [{"at": clock.now().isoformat(), "probe": 1, "temp_c": 4.6}]}


def test_a_gateway_posts_and_gets_its_receipt(session: Session, client: FlaskClient, login: Login) -> None:
    """The same message twice is stored once and receipted twice; another county's logger is refused, naming it, and
    nothing of that body is stored; a body that is no JSON is refused with a code."""
    f.world(session)
    for code, box in (("LG-1", "BX-C"), ("LG-2", "BX-T")):
        devices.register(session, code, now=clock.now())
        devices.bind(session, code, box, at=clock.now(), now=clock.now())
    session.commit()
    login(client, "receiver")
    first = client.post("/api/v1/readings", json=message("LG-1")).get_json()
    again = client.post("/api/v1/readings", json=message("LG-1")).get_json()
    assert (first["messages"][0]["stored"], again["messages"][0]["duplicates"]) == (1, 1)
    assert first["receipts"]["LG-1"]["stored_up_to"] == again["receipts"]["LG-1"]["stored_up_to"] == 1
    login(client, "receiver2")
    foreign = client.post("/api/v1/readings", json=[message("LG-2"), message("LG-1", 2)])
    assert (foreign.status_code, foreign.get_json()["code"]) == (403, "device_not_yours")
    broken = client.post("/api/v1/readings", data=b"{", content_type="application/json")
    assert (broken.status_code, broken.get_json()["code"]) == (400, "json_malformed")
    assert session.scalar(select(func.count()).select_from(ReadingRow)) == 1
