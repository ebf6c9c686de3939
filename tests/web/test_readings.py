"""Readings over HTTP: stored once, receipted after the commit, and only for the sender's own loggers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.errors import Invalid, NotFound
from telemetry import devices, keys
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


def test_a_logger_posts_with_its_own_key(session: Session, client: FlaskClient) -> None:
    """A logger's key speaks for that logger, a gateway's for its loggers, none for others; a revoked or replaced key, a
    wrong one and none at all are refused; nothing is stored then."""
    f.world(session)
    for code, gateway in (("LG-1", None), ("LG-2", "GW-1"), ("LG-3", "GW-1"), ("LG-4", None)):
        devices.register(session, code, now=clock.now(), gateway=gateway)
    first, gateway_key = keys.issue(session, "LG-1", now=clock.now()), keys.issue(session, "GW-1", now=clock.now())
    session.commit()

    def post(secret: str | None, *messages: dict[str, object]) -> tuple[int, str | None]:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        answer = client.post("/api/v1/gateway/readings", json=list(messages), headers=headers)
        return answer.status_code, answer.get_json().get("code")

    assert post(first, message("LG-1")) == (200, None)
    assert post(gateway_key, message("LG-2"), message("LG-3")) == (200, None)
    assert post(gateway_key, message("LG-1", 2)) == (403, "device_not_yours")
    assert post(first, message("LG-4")) == (403, "device_not_yours")
    assert post("lrd_nothing", message("LG-1", 2)) == (403, "device_key_wrong")
    assert post(None, message("LG-1", 2)) == (403, "device_key_wrong")
    second = keys.issue(session, "LG-1", now=clock.now())
    session.commit()
    assert post(first, message("LG-1", 2)) == (403, "device_key_wrong")
    assert post(second, message("LG-1")) == (200, None)
    keys.revoke(session, "LG-1", now=clock.now())
    session.commit()
    assert post(second, message("LG-1", 3)) == (403, "device_key_wrong")
    assert session.scalar(select(func.count()).select_from(ReadingRow)) == 3
    for wrong in ("nobody", "ingest", "a b"):
        with pytest.raises((NotFound, Invalid)):
            keys.issue(session, wrong, now=clock.now())
