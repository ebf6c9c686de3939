"""What the edge must survive: bytes that are no text, numbers without end, bodies of another shape."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Act as ActRow
from logistics.models import AuditEntry, Order, Specimen
from tests import factories as f

pytestmark = pytest.mark.both_databases
Login = Callable[[FlaskClient, str], FlaskClient]


@pytest.fixture
def nurse(client: FlaskClient, session: Session, login: Login, app: Flask) -> FlaskClient:
    f.world(session)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.testing = False
    return login(client, "nurse")


@pytest.fixture(autouse=True)
def testing_again(app: Flask) -> Any:
    yield
    app.testing = True


def one(**more: Any) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "type": "register",
        "occurred_at": f.START.isoformat(),
        "subject": {"specimen": "T" + uuid.uuid4().hex[:8]},
        "payload": {"tests": ["CBC"]},
        **more,
    }


BAD: dict[str, dict[str, Any]] = {
    "nul in device": {"device": "a\x00b"},
    "nul in type": {"type": "a\x00b"},
    "nul in subject": {"subject": {"specimen": "A\x00B"}},
    "nul in payload": {"payload": {"tests": ["CBC"], "department": "x\x00"}},
    "nul in site": {"site": "\x00"},
    "huge seq": {"seq": 2**70},
    "huge site": {"site": "x" * 100_000},
    "huge payload": {"payload": {"tests": ["CBC"], "department": "x" * 300_000}},
    "before the first year": {"occurred_at": "0001-01-01T00:00:00+08:00"},
    "after the last year": {"occurred_at": "9999-12-31T23:59:59-08:00"},
    "floats": {"payload": {"tests": ["CBC"], "priority": 1.5}},
    "emoji": {"subject": {"specimen": "\U0001f9ea" * 65}},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_act_is_refused_and_its_neighbour_is_recorded(nurse: FlaskClient, name: str) -> None:
    """A poisoned act in a phone's list must not stop the list."""
    answer = nurse.post("/api/v1/acts", json={"acts": [one(**BAD[name]), one()]})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    statuses = [entry["status"] for entry in answer.json["answers"]]
    assert statuses == ["refused", "done"]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"acts":[{"id":"\\ud800","type":"note","occurred_at":"x"}]}',
        b'{"acts":[{"id":"\xff\xfe"}]}',
        b'{"acts":[' + b"[" * 5000 + b"]" * 5000 + b"]}",
        b'{"acts":[{"id":"x","type":"t","occurred_at":"x","payload":{"a":' + b"[" * 900 + b"]" * 900 + b"}}]}",
        b'{"acts":[null, 5, "x", [], {}]}',
    ],
)
def test_bytes_that_are_no_act(nurse: FlaskClient, raw: bytes) -> None:
    """Refused in words, never a fault of the server."""
    answer = nurse.post("/api/v1/acts", data=raw, content_type="application/json")
    assert answer.status_code in (200, 400), answer.get_data(as_text=True)


@pytest.mark.parametrize("where", ["payload", "id", "subject"])
def test_half_a_character_refuses_its_own_act_alone(nurse: FlaskClient, where: str) -> None:
    """A lone surrogate makes one act no JSON; those before and behind it in the list are recorded all the same."""
    bad = one(payload={"note": "\ud800"})
    if where == "id":
        bad["id"] = "a\udfff"
    elif where == "subject":
        bad = one(subject={"specimen": "T\udbff"})
    answer = nurse.post("/api/v1/acts", data=json.dumps({"acts": [one(), bad, one()]}), content_type="application/json")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    entries = answer.json["answers"]
    assert [entry["status"] for entry in entries] == ["done", "refused", "done"]
    assert (entries[1]["code"], entries[1]["id"]) == ("json_malformed", "a?" if where == "id" else bad["id"])


def test_a_name_sent_in_an_act_is_masked_before_it_is_kept(nurse: FlaskClient, session: Session) -> None:
    """A client that sends a patient's name finds it nowhere in the database: not in the act, not on the tube."""
    sent = one(payload={"tests": ["CBC"], "patient_ref": "欧阳修文", "order_number": "O-1"})
    assert nurse.post("/api/v1/acts", json={"acts": [sent]}).json["answers"][0]["status"] == "done"
    session.expire_all()
    columns = (ActRow.body, Order.patient_ref, Specimen.patient_ref)
    kept = [text for column in columns for text in session.scalars(select(column))]
    assert not any("修文" in text for text in kept)
    again = nurse.post("/api/v1/acts", json={"acts": [sent]}).json["answers"][0]
    assert again["status"] == "duplicate"


def test_login_and_keys_survive_any_body(nurse: FlaskClient, session: Session) -> None:
    """NUL in a name, a list instead of an object: refused, and failed attempts at keys are audited."""
    for body in ([1], "x", 5, {"username": ["a"], "password": "b", "name": "c"}):
        assert nurse.post("/api/v1/tokens", json=body).status_code == 400
    wrong = {"username": "nurse\x00", "password": "x", "name": "k"}
    assert nurse.post("/api/v1/tokens", json=wrong).status_code in (400, 403)
    assert nurse.post("/api/v1/tokens", json={"username": "nurse", "password": "x", "name": "k"}).status_code == 403
    assert nurse.post("/login", data={"username": "nurse\x00", "password": "x"}).status_code in (400, 403)
    session.expire_all()
    assert "login_failed" in session.scalars(select(AuditEntry.action)).all()


@pytest.mark.parametrize(
    "path",
    [
        f"/api/v1/specimens/{10**30}",
        "/api/v1/specimens?accession=a%00b",
        "/api/v1/consignments/%00",
        "/api/v1/consignments?origin=%00",
        "/collector/?q=a%00b",
        "/collector/pack.json?box=%00",
        "/search?q=a%00b",
    ],
)
def test_odd_addresses_are_no_fault_of_the_server(nurse: FlaskClient, path: str) -> None:
    """NUL characters and endless numbers in an address: not found or refused."""
    assert nurse.get(path).status_code < 500


def test_orders_with_nul(nurse: FlaskClient) -> None:
    """The order is refused by itself."""
    bad = {"order_number": "O1", "department": "x\x00", "tubes": [{"tests": ["CBC\x00"]}]}
    good = {"order_number": "O2", "tubes": [{"tests": ["CBC"]}]}
    answer = nurse.post("/api/v1/orders", data=json.dumps({"orders": [bad, good]}), content_type="application/json")
    assert answer.status_code == 200
    assert [entry["status"] for entry in answer.json["answers"]] == ["refused", "done"]
