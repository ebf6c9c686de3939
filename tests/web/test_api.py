"""The API as a machine meets it: orders once only, acts one by one, bad input named with code, words and field."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, g, has_app_context
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics.db import db
from logistics.models import CustodyEvent, Order, Specimen
from tests import factories
from tests.factories import OTHER_TOWN, PASSWORD, TOWN

Login = Callable[[FlaskClient, str], FlaskClient]
NOON = "2026-03-09T09:00:00+08:00"


@pytest.fixture
def nurse(client: FlaskClient, session: Session, login: Login) -> FlaskClient:
    factories.world(session)
    return login(client, "nurse")


def order(number: str = "A-1", *tubes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"order_number": number, "tubes": list(tubes) or [{"accession": "2611220047", "tests": ["CBC"]}], **more}


def send(client: FlaskClient, *orders: Any, status: int = 200) -> Any:
    answer = client.post("/api/v1/orders?lang=en", json={"orders": list(orders)})
    assert answer.status_code == status, answer.get_json()
    body = answer.get_json()
    return body["answers"] if status == 200 else body


def act(**more: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "type": "note", "occurred_at": NOON, **more}


def acts(client: FlaskClient, *sent: Any, status: int = 200) -> Any:
    answer = client.post("/api/v1/acts?lang=en", json={"acts": list(sent)})
    assert answer.status_code == status, answer.get_json()
    body = answer.get_json()
    return body["answers"] if status == 200 else body


def count(session: Session, table: Any) -> int:
    session.rollback()
    return session.scalar(select(func.count()).select_from(table)) or 0


# --- orders ---


@pytest.mark.both_databases
def test_orders_are_registered_through_acts(nurse: FlaskClient, session: Session) -> None:
    """Each tube of an order becomes a specimen with the event 'registered', by the caller, at his site."""
    two = order("A-1", {"accession": "2611220047", "tests": ["CBC"]}, {"tests": ["GLU"]})
    answers = send(nurse, two)
    assert [one["status"] for one in answers] == ["done", "done"]
    assert answers[0]["result"]["specimen"] == "2611220047"
    assert answers[1]["accession"] == answers[1]["result"]["specimen"]
    events = session.scalars(select(CustodyEvent)).all()
    assert [(event.type, event.actor, event.site_code) for event in events] == [("registered", "nurse", TOWN)] * 2
    assert count(session, Order) == 1


@pytest.mark.both_databases
def test_the_same_order_again_changes_nothing(nurse: FlaskClient, session: Session) -> None:
    """Sent again, also later and by a colleague's key, it is answered with 'duplicate' and the same tubes."""
    sent = order("A-1", {"accession": "2611220047", "tests": ["CBC"]}, {"tests": ["GLU"]}, {"tests": ["GLU"]})
    first = send(nurse, sent)
    again = send(nurse, sent)
    assert [one["status"] for one in again] == ["duplicate"] * 3
    assert [one["result"]["specimen_id"] for one in again] == [one["result"]["specimen_id"] for one in first]
    assert count(session, Specimen) == 3
    assert count(session, CustodyEvent) == 3


def test_a_new_tube_of_a_known_order_is_added(nurse: FlaskClient, session: Session) -> None:
    """The laboratory system may send an order again with one tube more."""
    send(nurse, order("A-1"))
    answers = send(
        nurse,
        order("A-1", {"accession": "2611220047", "tests": ["CBC"]}, {"accession": "2611220048", "tests": ["GLU"]}),
    )
    assert [one["status"] for one in answers] == ["duplicate", "done"]
    assert count(session, Order) == 1


def test_a_number_with_other_contents_is_refused(nurse: FlaskClient) -> None:
    """The same barcode for other tests, or for another order, is said and not overwritten."""
    send(nurse, order("A-1"))
    differs = send(nurse, order("A-1", {"accession": "2611220047", "tests": ["GLU"]}))[0]
    assert (differs["code"], differs["field"]) == ("order_tube_differs", "tests")
    other = send(nurse, order("A-2"))[0]
    assert (other["code"], other["field"]) == ("specimen_exists", "accession")


def test_one_bad_order_does_not_take_the_others(nurse: FlaskClient, session: Session) -> None:
    """Each order stands alone; the answer names code, sentence and field of what is wrong."""
    answers = send(
        nurse,
        {"order_number": "A-0", "tubes": [], "colour": "red"},
        order("A-1", {"tests": ["NO-SUCH"]}),
        order("A-2", {"tests": []}),
        order("", {"tests": ["CBC"]}),
        order("A-3", {"tests": ["CBC"], "priority": "soon"}),
        order("A-4", ordered_at="2026-03-09T09:00:00"),
        order("A-5", {"tests": ["CBC"]}),
    )
    found = [(one["status"], one["code"], one["field"]) for one in answers]
    assert found == [
        ("refused", "order_malformed", "orders"),
        ("refused", "test_unknown", "tests"),
        ("refused", "field_missing", "tests"),
        ("refused", "field_missing", "order_number"),
        ("refused", "priority_unknown", "priority"),
        ("refused", "time_without_zone", "ordered_at"),
        ("done", "done", None),
    ]
    assert all(one["sentence"] and one["sentence"] != one["code"] for one in answers)
    assert "colour" in answers[0]["sentence"]
    assert count(session, Specimen) == 1


def test_an_order_for_another_site_is_not_taken(nurse: FlaskClient, session: Session) -> None:
    """A nurse orders for her own site alone."""
    answers = send(nurse, order("A-1", site=OTHER_TOWN))
    assert (answers[0]["status"], answers[0]["code"]) == ("refused", "site_unknown")
    assert count(session, Specimen) == 0


def test_a_laboratory_may_order_for_the_sites_below(client: FlaskClient, session: Session, login: Login) -> None:
    """The county's laboratory system orders for its townships; for the other county it may not."""
    factories.world(session)
    login(client, "receiver")
    answers = send(client, order("A-1", site=TOWN), order("A-1", site=OTHER_TOWN))
    assert [one["status"] for one in answers] == ["done", "refused"]


def test_names_are_masked_on_arrival(nurse: FlaskClient, session: Session) -> None:
    """A full name that was sent is nowhere in the database: not in the order, not in the log."""
    send(nurse, order("A-1", patient_ref="欧阳修文"))
    session.rollback()
    assert session.scalars(select(Order.patient_ref)).one().startswith("欧*")
    bodies = [*session.scalars(select(CustodyEvent.body)), *session.scalars(select(Specimen.patient_ref))]
    assert all("修文" not in body for body in bodies)


def test_a_refusal_is_not_for_ever(nurse: FlaskClient, session: Session) -> None:
    """What was refused for want of a test in the catalogue goes through once the test is there."""
    send(nurse, order("A-1", {"accession": "2611220047", "tests": ["NO-SUCH"]}))
    assert send(nurse, order("A-1"))[0]["status"] == "done"


# --- acts ---


def test_bad_acts_are_answered_one_by_one(nurse: FlaskClient) -> None:
    """Unknown type, unknown field, no UUID, no zone, no time, wrong kind: each its own code and field."""
    answers = acts(
        nurse,
        act(type="fly"),
        act(colour="red"),
        act(id="7"),
        act(occurred_at="2026-03-09T09:00:00"),
        act(occurred_at="yesterday"),
        act(how="guessed"),
        act(subject=5),
        7,
        act(occurred_at="2026-03-09T10:00:00+08:00"),
        act(position={"lat": 91, "lon": 0}),
    )
    assert [(one["code"], one["field"]) for one in answers] == [
        ("act_type_unknown", "type"),
        ("act_malformed", "acts"),
        ("act_id_malformed", "id"),
        ("time_without_zone", "occurred_at"),
        ("time_unreadable", "occurred_at"),
        ("field_malformed", "how"),
        ("act_malformed", "acts"),
        ("act_malformed", "acts"),
        ("act_in_future", "occurred_at"),
        ("field_malformed", "position"),
    ]
    assert {one["status"] for one in answers} == {"refused"}
    assert all(one["sentence"] and one["sentence"] != one["code"] for one in answers)


def test_one_act_of_many_fails_alone(nurse: FlaskClient, session: Session) -> None:
    """Good acts before and after a bad one are done, in the order sent."""
    send(nurse, order("A-1"))
    subject = {"specimen": "2611220047"}
    answers = acts(
        nurse, act(subject=subject, payload={"note": "a"}), act(type="fly"), act(type="collect", subject=subject)
    )
    assert [one["status"] for one in answers] == ["done", "refused", "done"]


def test_the_same_act_twice_is_one(nurse: FlaskClient, session: Session) -> None:
    """The same UUID gives the same answer; with another content it is refused and nothing changes."""
    send(nurse, order("A-1"))
    one = act(subject={"specimen": "2611220047"}, payload={"note": "a"})
    assert acts(nurse, one)[0]["status"] == "done"
    events = count(session, CustodyEvent)
    assert acts(nurse, one)[0]["status"] == "duplicate"
    changed = acts(nurse, {**one, "payload": {"note": "b"}})[0]
    assert (changed["status"], changed["code"], changed["field"]) == ("refused", "act_id_reused", "id")
    assert count(session, CustodyEvent) == events


def test_too_many_acts(nurse: FlaskClient) -> None:
    """501 acts are refused as a whole; the limit is named. 500 are answered one by one."""
    refused = acts(nurse, *[7] * 501, status=400)
    assert (refused["code"], refused["field"]) == ("too_many_acts", "acts")
    assert "500" in refused["sentence"]
    assert len(acts(nurse, *[7] * 500)) == 500


# --- bodies ---


@pytest.mark.parametrize("path", ["/api/v1/acts", "/api/v1/orders"])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "json_malformed"),
        (b"{", "json_malformed"),
        (b"\xff\xfe{}", "json_malformed"),
        (b"[]", "malformed"),
        (b"{}", "malformed"),
        (b'{"acts": [], "orders": []}', "malformed"),
        (b'{"acts": 5}', "malformed"),
        (b"[" * 5000 + b"]" * 5000, "malformed"),
    ],
)
def test_bad_bodies(nurse: FlaskClient, path: str, body: bytes, code: str) -> None:
    """What is not JSON or not of the form is refused with 400 in words, never with a stack trace."""
    answer = nurse.post(path + "?lang=en", data=body, content_type="application/json")
    assert answer.status_code == 400
    found = answer.get_json()
    assert found["code"].endswith(code)
    assert found["field"] in {"acts", "orders"}
    assert found["sentence"] != found["code"]


def test_wrong_content_type(nurse: FlaskClient) -> None:
    """A form sent to the orders is told to be JSON."""
    answer = nurse.post("/api/v1/orders", data={"orders": "[]"})
    assert answer.status_code == 400
    assert answer.get_json()["code"] == "json_expected"


def test_body_too_large(nurse: FlaskClient) -> None:
    """More than 32 MB are refused with 413 before they are read into anything."""
    answer = nurse.post("/api/v1/acts", data=b" " * (32 * 1024 * 1024 + 1), content_type="application/json")
    assert answer.status_code == 413
    assert answer.get_json()["code"] == "too_large"


def test_words_are_in_the_language_of_the_caller(app: Flask, client: FlaskClient, login: Login) -> None:
    """The code is the same in every language, the sentence is not."""
    with app.app_context():
        factories.world(db.session())
        db.session.remove()
    login(client, "nurse")
    chinese = client.post("/api/v1/acts?lang=zh_CN", data=b"{", content_type="application/json").get_json()
    english = client.post("/api/v1/acts?lang=en", data=b"{", content_type="application/json").get_json()
    assert chinese["code"] == english["code"] == "json_malformed"
    assert (chinese["sentence"], english["sentence"]) == ("这不是 JSON。", "This is not JSON.")


def test_unknown_addresses_answer_json(nurse: FlaskClient) -> None:
    """404 and 405 under /api/v1 are JSON with a code."""
    assert nurse.get("/api/v1/nothing").get_json()["code"] == "not_found"
    wrong = nurse.get("/api/v1/acts")
    assert (wrong.status_code, wrong.get_json()["code"]) == (405, "method_not_allowed")


# --- keys ---


class Machine(FlaskClient):
    """A program: neither cookies nor form tokens. The context of ``session`` must not carry its user on."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        if has_app_context():
            g.pop("_login_user", None)
            g.pop("scope", None)
        return super().open(*args, **kwargs)


def machine_of(app: Flask) -> Machine:
    return Machine(app, app.response_class, use_cookies=False)


def test_a_machine_works_with_a_key(app: Flask, session: Session) -> None:
    """A key is made with name and password, works without cookie and form token, and stops when it is revoked."""
    factories.world(session)
    machine = machine_of(app)
    made = machine.post("/api/v1/tokens", json={"username": "nurse", "password": PASSWORD, "name": "LIS"})
    assert made.status_code == 201
    bearer = {"Authorization": f"Bearer {made.get_json()['token']}"}
    body = json.dumps({"orders": [order("A-1")]})
    sent = machine.post("/api/v1/orders", data=body, content_type="application/json", headers=bearer)
    assert sent.get_json()["answers"][0]["status"] == "done"
    keys = machine.get("/api/v1/tokens", headers=bearer).get_json()["tokens"]
    assert [key["name"] for key in keys] == ["LIS"]
    assert "token" not in keys[0]
    machine.delete(f"/api/v1/tokens/{keys[0]['id']}", headers=bearer)
    assert machine.get("/api/v1/tokens", headers=bearer).status_code == 401


def test_a_key_is_its_owners(app: Flask, session: Session) -> None:
    """Nobody lists or revokes the key of somebody else."""
    factories.world(session)
    bearers = []
    for username in ("nurse", "manager"):
        made = machine_of(app).post(
            "/api/v1/tokens", json={"username": username, "password": PASSWORD, "name": username}
        )
        bearers.append({"Authorization": f"Bearer {made.get_json()['token']}"})
    mine, theirs = bearers
    key = machine_of(app).get("/api/v1/tokens", headers=mine).get_json()["tokens"][0]["id"]
    refused = machine_of(app).delete(f"/api/v1/tokens/{key}", headers=theirs)
    assert (refused.status_code, refused.get_json()["code"]) == (404, "token_unknown")
    assert len(machine_of(app).get("/api/v1/tokens", headers=theirs).get_json()["tokens"]) == 1


@pytest.mark.both_databases
def test_twenty_posts_of_one_act_at_the_same_time_are_one(
    app: Flask, nurse: FlaskClient, session: Session, new_client: Callable[[], FlaskClient], login: Login
) -> None:
    """Over HTTP, each on its own connection: one event, one answer for all; another body is refused with a code."""
    factories.collected(session, "2611220047")
    session.commit()
    packing = act(type="pack", subject={"specimen": "2611220047", "box": "BX-C"}, site=TOWN)
    clients = [login(new_client(), "nurse") for _ in range(20)]
    start = threading.Barrier(len(clients))
    found: list[Any] = []

    def post(client: FlaskClient) -> None:
        start.wait()
        found.append(client.post("/api/v1/acts", json={"acts": [packing]}).get_json()["answers"][0])

    threads = [threading.Thread(target=post, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one["status"] for one in found) == ["done"] + ["duplicate"] * 19
    assert len({json.dumps(one["result"], sort_keys=True) for one in found}) == 1
    other = {**packing, "subject": {"specimen": "2611220047", "box": "BX-A"}}
    (answer,) = acts(nurse, other)
    assert (answer["status"], answer["code"]) == ("refused", "act_id_reused")
    session.rollback()
    events = select(func.count()).select_from(CustodyEvent).where(CustodyEvent.act_id == packing["id"])
    assert session.scalar(events.where(CustodyEvent.type == "packed")) == 1
