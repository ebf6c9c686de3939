"""Requests that no program of ours makes: any JSON value in any place of what the API takes.

Never a fault of the server; every act and order that is sent is answered; what is refused says why in a stable code
with a sentence in both languages, and where; the good ones among them are recorded; no identity number is kept.
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from logistics.services import act_fields
from tests import factories as f
from tests.web.test_personal_numbers import ID_NUMBER, planted
from web.messages import MESSAGES, sentence

pytestmark = pytest.mark.both_databases

EXAMPLES = {"sqlite": 16, "postgresql": 6}
NOON = "2026-03-09T09:00:00+08:00"
STATUSES = {"done", "duplicate", "refused", "review"}
SUBJECTS = {"specimen": "T1", "box": "BX-C", "consignment": "CN2603090001K", "item": "IT1", "stop": "1"}
ENVELOPE = {"id", "type", "occurred_at", "subject", "payload", "device", "seq", "how", "site", "position", "offline"}
numbers = itertools.count(1)


def nested(depth: int) -> Any:
    value: Any = "x"
    for level in range(depth):
        value = [value] if level % 2 else {"note": value}
    return value


TEXTS = st.one_of(
    st.sampled_from(
        ["", " ", "\x00", "a\x00b", "\ud800", "T1\udfff", "²", "𝟙", "\u202e", ID_NUMBER, f"见{ID_NUMBER}。", "x" * 65,
         "长" * 4001, "x" * 70_000, "9" * 400, "-1", "1e5", "NaN", "T1", "BX-C", "CBC", "good", "nurse", NOON,
         "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-03-09"]
    ),
    st.text(max_size=6),
)  # fmt: skip
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 2**31, 2**63, -(2**63) - 1, 10**40, 10**400, 0.5, -0.0, 1e308, int(ID_NUMBER)]),
    TEXTS,
    st.sampled_from([nested(3), nested(14), nested(300)]),
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=4
)
CHANGES = st.lists(
    st.tuples(st.sampled_from(["top", "subject", "payload", "unknown", "drop", "whole"]), st.integers(0, 99), VALUES),
    min_size=1, max_size=3,
)  # fmt: skip


@st.composite
def crafted_acts(draw: st.DrawFn) -> Any:
    """An act that is right but for one to three places. ``offline`` and ``site`` are drawn, too."""
    kind = draw(st.sampled_from(sorted(act_fields.PAYLOAD)))
    act: dict[str, Any] = {
        "id": str(uuid.uuid4()), "type": kind, "occurred_at": NOON, "subject": dict(SUBJECTS), "payload": {},
        "offline": draw(st.booleans()),
    }  # fmt: skip
    fields = sorted(act_fields.PAYLOAD[kind])
    for what, place, value in draw(CHANGES):
        if what == "whole":
            return value
        if what == "top":
            act[sorted(ENVELOPE)[place % len(ENVELOPE)]] = value
        elif what == "drop":
            act.pop(sorted(ENVELOPE)[place % len(ENVELOPE)], None)
        elif what == "unknown":
            act[draw(TEXTS)] = value
        elif what == "subject" and isinstance(act.get("subject"), dict):
            act["subject"][sorted(act_fields.SUBJECT)[place % len(act_fields.SUBJECT)]] = value
        elif fields and isinstance(act.get("payload"), dict):
            act["payload"][fields[place % len(fields)]] = value
    return act


def good_act() -> dict[str, Any]:
    subject = {"specimen": f"G{next(numbers):07d}"}
    return {"id": str(uuid.uuid4()), "type": "register", "occurred_at": NOON, "subject": subject,
            "payload": {"tests": ["CBC"]}}  # fmt: skip


def body(name: str, parts: list[Any]) -> bytes:
    """Lone surrogates and control characters as escapes: what comes over the wire is text of JSON."""
    return json.dumps({name: parts}).encode()


def keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    for one in value if isinstance(value, list) else ():
        yield from keys_of(one)


def can_be_found(field: Any, sent: Any, known: set[str]) -> bool:
    """Whether the sender finds the place: a field that stands in what he sent, or one that he left out."""
    return isinstance(field, str) and (field in known or any(field in (key, key[:64]) for key in keys_of(sent)))


@pytest.fixture
def quiet(app: Flask, session: Session) -> Iterator[Flask]:
    """Faults become answers, as in production; a tube in a box stands there for what names one."""
    f.world(session)
    f.sealed(session, ("T1", "T2"))
    session.commit()
    app.testing = False
    yield app
    app.testing = True


class Codes:
    """The codes that were answered, and that each has its sentence in both languages."""

    def __init__(self, app: Flask) -> None:
        self.app, self.seen = app, set[str]()

    def note(self, answer: dict[str, Any]) -> None:
        code = answer["code"]
        assert code in MESSAGES, answer
        assert answer["sentence"], answer
        self.seen.add(code)

    def check(self) -> None:
        with self.app.test_request_context():
            for code in self.seen:
                with force_locale("en"):
                    english = sentence(code)
                with force_locale("zh_CN"):
                    assert sentence(code) not in {english, code}, f"{code} has no Chinese sentence"


def run(examples: int, parts: st.SearchStrategy[Any], one: Callable[[Any], None]) -> None:
    @settings(
        max_examples=examples, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    @given(parts)
    def each(drawn: Any) -> None:
        one(drawn)

    each()


def test_crafted_acts(
    quiet: Flask, session: Session, client: FlaskClient, dialect: str, login: Callable[..., FlaskClient]
) -> None:
    """In one list with good ones, and with an id that stands there twice."""
    nurse = login(client, "nurse")
    codes = Codes(quiet)
    known = ENVELOPE | {"acts"} | set(act_fields.SUBJECT) | {"lat", "lon"}
    known |= {name for fields in act_fields.PAYLOAD.values() for name in fields}

    def post(sent: list[Any]) -> list[dict[str, Any]]:
        answer = nurse.post("/api/v1/acts", data=body("acts", sent), content_type="application/json")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        answers: list[dict[str, Any]] = answer.get_json()["answers"]
        assert len(answers) == len(sent)
        return answers

    def one(drawn: tuple[list[Any], bool]) -> None:
        crafted, twice = drawn
        good = [good_act() for _ in range(2)]
        sent = [good[0], *crafted, good[1], *([{**good[0], "payload": {"tests": ["ESR"]}}] if twice else [])]
        answers = post(sent)
        for part, answer in zip(sent, answers, strict=True):
            assert answer["status"] in STATUSES, answer
            codes.note(answer)
            if isinstance(part, dict) and isinstance(part.get("id"), str):
                assert answer["id"].lower() in {part["id"].lower(), part["id"][:64].lower(), ""}, answer
            if answer["status"] == "refused":
                assert can_be_found(answer["field"], part, known), (part, answer)
        assert [answers[0]["status"], answers[len(crafted) + 1]["status"]] == ["done", "done"], answers
        if twice:
            assert answers[-1]["code"] == "act_id_reused"
        assert [one["status"] for one in post(good)] == ["duplicate"] * 2

    run(EXAMPLES[dialect], st.tuples(st.lists(crafted_acts(), min_size=1, max_size=4), st.booleans()), one)
    codes.check()
    assert [where for where, text in planted(session) if ID_NUMBER in text] == []


def test_crafted_orders(
    quiet: Flask, session: Session, client: FlaskClient, dialect: str, login: Callable[..., FlaskClient]
) -> None:
    """Between two good ones: each tube, or the order that could not be read, is answered in its place."""
    nurse = login(client, "nurse")
    codes = Codes(quiet)
    tube = ("tests", "accession", "priority", "specimen_type", "container")
    order = ("order_number", "tubes", "site", "priority", "patient_ref", "sex", "age", "department", "ordered_at")

    def one(changes: list[tuple[bool, int, Any]]) -> None:
        crafted: dict[str, Any] = {"order_number": f"O-{next(numbers)}", "tubes": [{"tests": ["CBC"]}]}
        for inside, place, value in changes:
            if inside and isinstance(crafted["tubes"], list) and crafted["tubes"]:
                if isinstance(crafted["tubes"][0], dict):
                    crafted["tubes"][0][tube[place % len(tube)]] = value
            else:
                crafted[order[place % len(order)]] = value
        good = [{"order_number": f"O-{next(numbers)}", "tubes": [{"tests": ["CBC"]}]} for _ in range(2)]
        sent = body("orders", [good[0], crafted, good[1]])
        answer = nurse.post("/api/v1/orders", data=sent, content_type="application/json")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        answers = answer.get_json()["answers"]
        assert len(answers) >= 3
        assert [answers[0]["status"], answers[-1]["status"]] == ["done", "done"]
        for given_back in answers:
            codes.note(given_back)
            if given_back["status"] == "refused":
                assert can_be_found(given_back["field"], crafted, {"orders", *tube, *order, "specimen"}), given_back

    changes = st.lists(st.tuples(st.booleans(), st.integers(0, 99), VALUES), min_size=1, max_size=3)
    run(EXAMPLES[dialect] // 2, changes, one)
    codes.check()
    assert [where for where, text in planted(session) if ID_NUMBER in text] == []


UNREADABLE = {
    "half_a_character": b'"\\ud800"',
    "bytes_that_are_no_text": b'"\xff\xfe"',
    "half_a_character_as_bytes": b'"\xed\xa0\x80"',
    "nested_deeper_than_anybody_reads": b"[" * 20_000 + b"]" * 20_000,
    "a_number_that_is_none": b"NaN",
    "brackets_and_commas_in_text": b'"]},{[\\"\\ud800,"',
}


@pytest.mark.parametrize("bad", UNREADABLE.values(), ids=list(UNREADABLE))
def test_what_is_no_text_refuses_its_own_part_alone(
    quiet: Flask, session: Session, client: FlaskClient, login: Callable[..., FlaskClient], bad: bytes
) -> None:
    """Of three acts and of three orders the one in the middle cannot be read: it is refused by its id or number, with
    code and field, the others are recorded; the same body again changes nothing; corrected, the third one is taken."""
    nurse = login(client, "nurse")

    def post(name: str, sent: list[dict[str, Any]], spoil: bytes) -> list[dict[str, Any]]:
        text = json.dumps({name: sent}).encode().replace(b'"SPOIL"', spoil)
        answer = nurse.post(f"/api/v1/{name}?lang=en", data=text, content_type="application/json")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        answers: list[dict[str, Any]] = answer.get_json()["answers"]
        return answers

    def assert_refused(answer: dict[str, Any], name: str) -> None:
        assert (answer["status"], answer["field"]) == ("refused", name)
        assert answer["code"] in {"json_malformed", f"{name[:-1]}_malformed"}, answer
        assert answer["sentence"]

    acts = [good_act() for _ in range(3)]
    acts[1]["payload"]["department"] = "SPOIL"
    for status in ("done", "duplicate"):
        first, middle, last = post("acts", acts, bad)
        assert [first["status"], last["status"]] == [status] * 2
        assert_refused(middle, "acts")
        assert middle["id"] in {acts[1]["id"], ""}  # what is nested without end is not looked into for its id
    assert [one["status"] for one in post("acts", acts, b'"ward 3"')] == ["duplicate", "done", "duplicate"]

    orders = [{"order_number": f"O-{next(numbers)}", "tubes": [{"tests": ["CBC"]}]} for _ in range(3)]
    orders[1]["department"] = "SPOIL"
    for status in ("done", "duplicate"):
        first, middle, last = post("orders", orders, bad)
        assert [first["status"], last["status"]] == [status] * 2
        assert_refused(middle, "orders")
        assert middle["order_number"] in {orders[1]["order_number"], ""}
    assert [one["status"] for one in post("orders", orders, b'"ward 3"')] == ["duplicate", "done", "duplicate"]


@pytest.mark.parametrize(
    "text",
    [
        b'{"acts": [{]}',
        b'{"acts": [{}}',
        b'{"acts": ["\\ud800]}',
        b'{"acts": [,"\\ud800"]}',
        b'{"acts": ["\\ud800"], "x": 1}',
        b'{"acts": ["\\ud800"]} {}',
    ],
)
def test_a_body_whose_brackets_do_not_match_is_no_list(
    quiet: Flask, client: FlaskClient, login: Callable[..., FlaskClient], text: bytes
) -> None:
    """Nobody guesses where an act ends: such a body is refused as a whole."""
    answer = login(client, "nurse").post("/api/v1/acts", data=text, content_type="application/json")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "json_malformed")


@pytest.mark.parametrize("address", ["acts", "orders", "readings", "handover-offers", "photos"])
def test_crafted_bodies(
    quiet: Flask, session: Session, client: FlaskClient, login: Callable[..., FlaskClient], dialect: str, address: str
) -> None:
    """The whole body is something else: answered with a code and a sentence, or taken for what it is."""
    nurse = login(client, "nurse")
    codes = Codes(quiet)
    names = {"acts": "acts", "orders": "orders", "readings": "readings", "handover-offers": "count"}

    def one(drawn: tuple[Any, int]) -> None:
        value, way = drawn
        text = json.dumps(value if way % 3 else {names.get(address, "x"): value}).encode()
        text = (text, text[:-1], b"\xff" + text, text + b"]", b"NaN", b"[" * 5000)[way]
        answer = nurse.post(f"/api/v1/{address}", data=text, content_type="application/json")
        assert answer.status_code < 500, (text[:200], answer.get_data(as_text=True))
        if answer.status_code >= 400:
            codes.note(answer.get_json())

    run(EXAMPLES[dialect] // 4, st.tuples(VALUES, st.integers(0, 5)), one)
    codes.check()
