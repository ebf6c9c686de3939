"""No name, identity number or phone number of a patient gets into the database, however it is sent.

What cannot be tested because it cannot be known: a full name in a note is words like others.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient
from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from logistics.db import Base
from logistics.domain import personal
from logistics.services import act_fields
from logistics.services.acts import HANDLERS
from tests import factories as f
from tests.conftest import Client
from tests.web import access_table
from web import personal as personal_forms

Login = Callable[[FlaskClient, str], FlaskClient]
NAME, ID_NUMBER, PHONE = "陈小明", "420281199001011234", "13871234567"
ID_FORMS = (ID_NUMBER, "42028119900101123X", "420281 19900101 1234", "４２０２８１１９９００１０１１２３４")
NOON = "2026-03-09T09:00:00+08:00"
SENDERS = ("nurse", "courier", "receiver", "manager", "dispatcher")
UNKNOWN = ("patient_name", "id_number", "phone", "name", "text", "remark")


def everything_kept(session: Session) -> list[tuple[str, str]]:
    """(table.column, text) of every value that may hold text, in the whole database."""
    session.rollback()
    found = []
    for table in Base.metadata.tables.values():
        for column in table.columns:
            kind = column.type.python_type if hasattr(column.type, "python_type") else str
            if kind in {int, float, bool, bytes}:
                continue
            for (value,) in session.execute(select(cast(column, Text)).where(column.is_not(None))):
                found.append((f"{table.name}.{column.name}", str(value)))
    return found


def planted(session: Session) -> list[tuple[str, str]]:
    """Where one of the planted texts is kept. JSON columns hold characters as \\u escapes."""
    escaped = NAME.encode("unicode_escape").decode()
    marks = (NAME, escaped, ID_NUMBER, *ID_FORMS, PHONE)
    return [(where, text) for where, text in everything_kept(session) if any(mark in text for mark in marks)]


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    f.delivered(session, ("2611220047", "2611220048"))
    f.collected(session, "2611220049")
    session.commit()
    return session


def bad_values(check: act_fields.Check) -> list[Any]:
    """What somebody may wrongly put into a field of this kind. A label's number may look like a phone's."""
    bad: list[Any] = [
        NAME,
        *ID_FORMS,
        f"{NAME} {PHONE}",
        [NAME],
        {"name": NAME},
        int(ID_NUMBER),
        [f"{NAME}{ID_NUMBER}"],
    ]
    if check is act_fields.words:
        bad = [*(f"见 {one}。" for one in ID_FORMS), PHONE, f"电话：{PHONE}", f"+86 {PHONE}", [NAME], {"name": NAME}]
    return bad


def acts_with(field: str, value: Any, kind: str) -> list[dict[str, Any]]:
    """One act at once and one brought in later, with what is wrong in the payload."""
    subjects = {"specimen": "2611220047", "box": "BX-C", "consignment": "CN2603090001K"}
    body = {"type": kind, "occurred_at": NOON, "subject": subjects, "payload": {field: value}}
    return [{"id": str(uuid.uuid4()), **body, "offline": offline} for offline in (False, True)]


def test_every_type_of_act_says_its_fields() -> None:
    """The list of fields and the list of handlers are about the same types."""
    assert act_fields.PAYLOAD.keys() == HANDLERS.keys()


def test_acts_keep_no_name_and_no_number(world: Session, app: Any, login: Login) -> None:
    """Every field of every type, unknown fields, the subject, the device: with a name, an identity number, a phone
    number; by every role, at once and late. Then the whole database is read."""
    sent: list[dict[str, Any]] = []
    for kind, fields in act_fields.PAYLOAD.items():
        for field, check in fields.items():
            if check is not act_fields.secret:
                sent += [one for bad in bad_values(check) for one in acts_with(field, bad, kind)]
        for field in UNKNOWN:
            sent += [one for bad in (NAME, ID_NUMBER, PHONE) for one in acts_with(field, bad, kind)]
    for field in (*act_fields.SUBJECT, "patient"):
        for bad in (NAME, ID_NUMBER, f"{NAME} {PHONE}", {"name": NAME}):
            (one, late) = acts_with("note", "ok", "note")
            sent += [one | {"subject": {field: bad}}, late | {"subject": {field: bad}}]
    for where in ("device", "site", "type"):
        for bad in (NAME, ID_NUMBER):
            sent += [one | {where: bad} for one in acts_with("note", "ok", "note")]
    clients = [login(Client(app, app.response_class), name) for name in SENDERS]
    for start in range(0, len(sent), 500):
        for client in clients:
            acts = [one | {"id": str(uuid.uuid4())} for one in sent[start : start + 500]]
            answer = client.post("/api/v1/acts", json={"acts": acts})
            assert answer.status_code == 200
            assert len(answer.get_json()["answers"]) == len(acts)
    assert planted(world) == []


def test_a_patients_reference_is_masked_and_kept(world: Session, client: FlaskClient, login: Login) -> None:
    """What is meant for a name takes one, masked; nothing that was sent is lost silently."""
    body = {"type": "register", "occurred_at": NOON, "subject": {"specimen": "2611229999"},
            "payload": {"tests": ["CBC"], "patient_ref": NAME}}  # fmt: skip
    answer = login(client, "nurse").post("/api/v1/acts", json={"acts": [{"id": str(uuid.uuid4()), **body}]})
    assert answer.get_json()["answers"][0]["status"] == "done"
    assert f.find(world, "2611229999").patient_ref == "陈**"
    assert planted(world) == []


def test_an_unknown_field_is_refused_by_name(world: Session, client: FlaskClient, login: Login) -> None:
    """It is neither kept nor dropped: the sender is told which, and a corrected act of the same id is taken."""
    client = login(client, "nurse")
    act = {"id": str(uuid.uuid4()), "type": "note", "occurred_at": NOON, "subject": {"specimen": "2611220049"}}
    wrong = act | {"payload": {"note": "haemolytic", "patient_name": NAME}}
    (answer,) = client.post("/api/v1/acts?lang=en", json={"acts": [wrong]}).get_json()["answers"]
    assert (answer["status"], answer["code"], answer["field"]) == ("refused", "field_unknown", "patient_name")
    right = act | {"payload": {"note": "haemolytic"}}
    (answer,) = client.post("/api/v1/acts", json={"acts": [right]}).get_json()["answers"]
    assert answer["status"] == "done"


@pytest.mark.parametrize(
    ("note", "code"), [(f"见 {ID_NUMBER}", "text_has_id_number"), (f"打 {PHONE}", "text_has_phone")]
)
def test_a_number_in_a_note_is_refused_at_once_and_starred_later(
    world: Session, client: FlaskClient, login: Login, note: str, code: str
) -> None:
    """Who waits for the answer can put it right; what happened hours ago on the road is not lost for it."""
    client = login(client, "nurse")
    act = {"type": "note", "occurred_at": NOON, "subject": {"specimen": "2611220049"}, "payload": {"note": note}}
    sent = [{"id": str(uuid.uuid4()), **act, "offline": offline} for offline in (False, True)]
    now, late = client.post("/api/v1/acts?lang=en", json={"acts": sent}).get_json()["answers"]
    assert (now["status"], now["code"], now["field"]) == ("refused", code, "note")
    assert "must not be kept" in now["sentence"]
    assert late["status"] == "done"
    kept = [text for where, text in everything_kept(world) if where == "custody_event.body" and "****" in text]
    assert len(kept) == 1
    assert note[:2] in kept[0]


@pytest.mark.parametrize("text", ["420281199013011234", "2611220047138712345671", "1387123456", "CN2603090001K"])
def test_other_numbers_are_left_alone(text: str) -> None:
    """No such month, too long, too short, a label: nobody's identity and nobody's phone."""
    assert personal.find(text) is None
    assert personal.mask(text) == text


def test_orders_keep_no_name_and_no_number(world: Session, client: FlaskClient, login: Login) -> None:
    """Orders of a laboratory system: refused one by one, the good one among them is taken."""
    client = login(client, "nurse")
    tube = {"accession": "2611225555", "tests": ["CBC"]}
    orders: list[dict[str, Any]] = [{"order_number": "A-1", "tubes": [tube], "patient_ref": NAME}]
    for bad in (ID_NUMBER, f"{NAME} {PHONE}"):
        for number, field in enumerate(("order_number", "sex", "age", "department", "priority"), start=2):
            orders.append({"order_number": f"B-{number}", "tubes": [{"tests": ["CBC"]}]} | {field: bad})
        for field in ("accession", "specimen_type", "container", "priority"):
            orders.append({"order_number": "C", "tubes": [{"tests": ["CBC"]} | {field: bad}]})
    answers = client.post("/api/v1/orders", json={"orders": orders}).get_json()["answers"]
    assert [answer["status"] for answer in answers] == ["done"] + ["refused"] * (len(orders) - 1)
    assert planted(world) == []


# --- every form and every JSON body -------------------------------------------------------------------------


@pytest.fixture
def access_world(session: Session) -> access_table.World:
    made = access_table.build(session)
    session.commit()
    return made


def spoilt(value: Any, bad: str, *, only: frozenset[str] | None = None) -> Any:
    """What is sent with each text in it replaced; ``only``: those of these fields."""
    if isinstance(value, dict):
        return {
            key: spoilt(one, bad, only=only) if not isinstance(one, str) or only is None or key in only else one
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [spoilt(one, bad, only=only) for one in value]
    return bad if isinstance(value, str) else value


def test_no_form_takes_such_a_number(
    app: Flask, session: Session, access_world: access_table.World, login: Login
) -> None:
    """Every address that takes something, as each role that may, with such numbers in every field that it takes and in
    those that people write into. What administrators write about staff may hold the phones of staff."""
    for (method, endpoint), row in access_table.ROWS.items():
        if method == "GET" or row.roles == access_table.PUBLIC or endpoint == "readings.post_readings":
            continue  # a thermometer writes no words
        with app.test_request_context():
            address = url_for(endpoint, **row.values(access_world))
        words = dict.fromkeys(personal_forms.WORDS, "见 ")
        for role in sorted(row.roles):
            client = login(Client(app, app.response_class), access_table.OURS[role])
            sent = row.sent(access_world)
            kind = "json" if "json" in sent else "data"
            body = sent.get(kind) or {}
            extra = words if isinstance(body, dict) else {}
            for one in (spoilt({**extra, **body} if extra else body, ID_NUMBER),
                        spoilt({**extra, **body} if extra else body, PHONE, only=personal_forms.WORDS)):  # fmt: skip
                answer = client.open(address, method=method, **{kind: one})
                assert answer.status_code < 500, f"{method} {endpoint} {role}"
    assert [where for where, _ in planted(session)] == []


def test_whatever_a_rule_reads_is_a_field_that_may_be_sent() -> None:
    """A rule that reads a field which the list does not know would have its acts refused at the door."""
    known = {field for fields in act_fields.PAYLOAD.values() for field in fields} | set(act_fields.SUBJECT)
    source = "".join(path.read_text(encoding="utf-8") for path in Path("logistics/services/acts").glob("*.py"))
    read = set(re.findall(r'desk\.payload\(\s*"(\w+)"', source)) | set(re.findall(r'part\.get\("(\w+)"', source))
    assert len(read) > 20
    assert read <= known


def test_whatever_a_phone_states_at_a_handover_may_be_sent() -> None:
    """The script of the courier's phone states fields that no rule reads; a refusal would lose the handover."""
    script = Path("web/static/js/pages/courier-sign.js").read_text(encoding="utf-8")
    first = re.search(r"const payload = \{(.*?)\n    \};", script, re.DOTALL)
    assert first is not None
    names = set(re.findall(r"(\w+): ", first[1])) | set(re.findall(r"payload\.(\w+) =", script))
    assert {"handover_id", "count"} <= names
    assert names <= act_fields.PAYLOAD["hand_over"].keys()
