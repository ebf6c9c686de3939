"""A blind sample from the manager's form to the laboratory's bench: nobody but its laboratory's managers can tell."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from logistics.domain import numbers
from logistics.domain.numbers import Kind
from logistics.models import AuditEntry, BlindKey, Box, Consignment, Item, LabelNumber, PrintEntry, Specimen
from logistics.services import label_ledger
from tests import factories as f
from tests.conftest import Client
from tests.factories import act, do, done

Login = Callable[[FlaskClient, str], FlaskClient]
REFERENCE, EXPECTED = "EQA-2026-03", "WBC 6.1, expected"
OTHERS = (
    "nurse",
    "nurse2",
    "courier",
    "dispatcher",
    "receiver",
    "cityreceiver",
    "receiver2",
    "manager2",
    "admin",
    "auditor",
)
"""Everybody but the manager of the laboratory that made it."""
ON_ITS_WAY = ("nurse", "receiver", "cityreceiver", "auditor")
"""Those who are shown anything else when the tube goes through the county to the city."""
AUDIT = ("/admin/audit", "/admin/audit/export")


@pytest.fixture
def manager(session: Session, client: FlaskClient, login: Login) -> FlaskClient:
    f.world(session)
    session.add(Box(code="BAG-1", temp_class="ambient_15_25", kind="bag", home_code=f.COUNTY, location_code=f.COUNTY))
    session.commit()
    login(client, "manager").get("/account?lang=en")
    return client


def made(manager: FlaskClient, session: Session, *, tests: str = "CBC", **more: Any) -> BlindKey:
    """A blind sample made with the form, in a parcel of consumables."""
    sent = {"form_id": str(uuid.uuid4()), "site": [f.TOWN], "kind": "consumables", "temp_class": "", "quantity": "1",
            "description": "EDTA", "lot": "", "expires_on": "", "reference": REFERENCE, "expected": EXPECTED,
            "tests": tests, "label_ref": "陈小明", **more}  # fmt: skip
    for _ in range(2):  # a double click makes one
        assert manager.post("/loads/register", data=sent).status_code == 302
    session.rollback()
    return session.scalars(select(BlindKey)).one()


def carried(session: Session, number: str, giver: str, origin: str, taker: str, goal: str) -> None:
    """From hand to hand, one piece inside."""
    for who, other, site in (("courier", giver, origin), (taker, "courier", goal)):
        done(
            session,
            who,
            act("hand_over", {"consignment": number}, {"other": other, "pin": f.PIN, "count": 1}, site=site),
        )


def everything(answer: bytes) -> str:
    if answer[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(answer)) as archive:
            return "".join(archive.read(name).decode(errors="replace") for name in archive.namelist())
    return answer.decode(errors="replace")


def addresses(app: Flask, names: dict[str, list[str]], words: list[str]) -> Iterator[str]:
    """Every address that shows something, asked for each of the things, and each search for each of the numbers."""
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.endpoint in {"static", "auth.logout"}:
            continue
        asked = [{}]
        for argument in sorted(rule.arguments):
            asked = [{**one, argument: value} for one in asked for value in names.get(argument, [])]
        for values in asked:
            built = app.url_map.bind("localhost").build(rule.endpoint, values)
            yield built
            if not values:
                yield from (f"{built}?q={word}&subject={word}&lang=en" for word in words)


@pytest.mark.parametrize(
    ("tests", "goal", "receiver", "others"),
    [("CBC", f.COUNTY, "receiver", OTHERS), ("AFP", f.CITY, "cityreceiver", ON_ITS_WAY)],
)
def test_it_goes_down_and_comes_up_and_nobody_can_tell(
    app: Flask,
    session: Session,
    manager: FlaskClient,
    login: Login,
    tests: str,
    goal: str,
    receiver: str,
    others: tuple[str, ...],
) -> None:
    """Down as a parcel, up as a tube of the township with a number of its own, received and accepted like any other.
    Then everybody asks every address."""

    def as_(name: str) -> FlaskClient:
        return login(Client(app, app.response_class), name)

    key = made(manager, session, tests=tests)
    parcel, tube = key.item_number, key.tube_number
    assert numbers.verify(parcel, Kind.ITEM)
    assert numbers.verify(tube, Kind.ACCESSION)
    # down
    packing = {"form_id": str(uuid.uuid4()), "row": [f"{f.TOWN}:"], f"item-{f.TOWN}:": [parcel],
               f"box-{f.TOWN}:": "BAG-1", f"seal-{f.TOWN}:": "SL7000001"}  # fmt: skip
    assert as_("receiver").post("/loads/pack", data=packing).status_code == 302
    session.rollback()
    load = session.scalars(select(Consignment.number)).one()
    carried(session, load, "receiver", f.COUNTY, "nurse", f.TOWN)
    done(session, "nurse", act("receive_item", {"consignment": load, "item": parcel}, {"condition": "good"}))
    done(session, "nurse", act("close_receipt", {"consignment": load}))
    # registered at the township by its form, under the number on the tube
    nurse = as_("nurse")
    order = {"id": str(uuid.uuid4()), "accession": tube, "tests": tests, "patient_ref": "陈小明", "priority": "routine"}
    assert nurse.post("/collector/orders/new", data=order).status_code == 302
    # up
    done(session, "nurse", act("collect", {"specimen": tube}))
    up = done(
        session, "nurse", act("pack", {"specimen": tube, "box": "BX-C"}, {"through": True} if goal == f.CITY else {})
    )
    number = up["consignment"]
    assert up["destination"] == goal
    done(session, "nurse", act("seal", {"consignment": number}, {"seal": "SL7000002"}))
    carried(session, number, "nurse", f.TOWN, receiver, goal)
    done(session, receiver, act("receive", {"consignment": number, "specimen": tube}, {"condition": "good"}))
    done(session, receiver, act("close_receipt", {"consignment": number}))
    done(session, receiver, act("accept", {"specimen": tube}))
    session.rollback()
    one = session.scalars(select(Specimen).where(Specimen.accession == tube)).one()
    assert (one.state, one.collecting_site_code, one.patient_ref) == ("accepted", f.TOWN, "陈**")
    batch = session.scalars(select(LabelNumber.batch_id).where(LabelNumber.number == tube)).one()
    names = {"number": [parcel, load, number], "specimen_id": [str(one.id)], "batch_id": [str(batch)],
             "code": ["BX-C", "BAG-1", f.TOWN], "key_id": [key.id]}  # fmt: skip
    session.rollback()
    # its manager follows it
    page = manager.get("/loads/blind").get_data(as_text=True)
    assert all(part in page for part in (REFERENCE, EXPECTED, parcel, tube, f"/journey/{one.id}"))
    session.rollback()
    with app.test_request_context():
        ledger = url_for("label_ledger.batch", batch_id=batch)
    seen = 0
    for name in others:
        client = as_(name)
        assert client.get(ledger).status_code in {403, 404}, f"{name} reads where the number was made"
        for address in addresses(app, names, [tube, parcel]):
            answer = everything(client.get(address, buffered=True).get_data())
            where = f"{address} as {name}"
            assert REFERENCE not in answer, where
            assert EXPECTED not in answer, where
            if not address.startswith(AUDIT):
                if name != "manager2":  # who makes such himself, and finds his own list empty
                    assert "lind sample" not in answer, where
                    assert "盲样" not in answer, where
                assert key.id not in answer, where
            if address.startswith(AUDIT):  # what is asked here stands there
                continue
            if "?" not in address and parcel not in address and tube in answer:
                seen += 1
                assert parcel not in answer, f"{where} ties the parcel to the tube"
            for asked, other in ((parcel, tube), (tube, parcel)):
                if address.startswith("/search") and f"q={asked}" in address:
                    assert other not in answer, f"{where} ties the parcel to the tube"
    assert seen > 2 * len(others)


def test_no_table_that_others_read_ties_the_two(manager: FlaskClient, session: Session) -> None:
    """Neither acts nor events, audit or prints: looks and labels are logged under the key's own id."""
    key = made(manager, session)
    label = manager.post(f"/loads/blind/{key.id}/label")
    assert label.data.startswith(b"%PDF")
    assert manager.post(f"/loads/blind/{key.id}/label").status_code == 400
    assert manager.post(f"/loads/blind/{key.id}/label", data={"reason": "damaged"}).status_code == 200
    page = manager.get(f"/loads/items/{key.item_number}").get_data(as_text=True)
    assert (
        f"Reference {REFERENCE}, expected: {EXPECTED}. Made by Manager. The tube inside is {key.tube_number}." in page
    )
    session.rollback()
    audit = session.execute(select(AuditEntry.action, AuditEntry.subject).where(AuditEntry.action.like("blind%")))
    assert [tuple(one) for one in audit] == [
        ("blind_made", key.id), ("blind_label_printed", key.id), ("blind_label_printed", key.id),
        ("blind_read", key.id),
    ]  # fmt: skip
    assert session.scalars(select(PrintEntry)).all() == []
    kept = session.execute(text("SELECT body FROM act UNION ALL SELECT body FROM custody_event")).scalars().all()
    for entry in session.scalars(select(AuditEntry)):
        kept.append(f"{entry.subject} {entry.detail}")
    assert not [one for one in kept if key.tube_number in one or REFERENCE in one or "blind" in one]
    assert session.scalars(select(Item.kind)).all() == ["consumables"]


@pytest.mark.both_databases
def test_its_number_is_refused_like_any_number_printed_for_the_township(manager: FlaskClient, session: Session) -> None:
    """At another site, before it is registered, and a second time: the same codes as for a roll of labels."""
    key = made(manager, session)
    batch = label_ledger.make_batch(
        session,
        kind=Kind.ACCESSION,
        count=1,
        stock="roll_50x30",
        symbology="code128",
        site=f.TOWN,
        by="nurse",
        now=f.START,
    )
    session.commit()
    ordinary = batch.first_number

    def answers(number: str) -> list[tuple[str, str | None]]:
        tries = [
            ("nurse2", act("register", {"specimen": number}, {"tests": ["CBC"]})),
            ("receiver", act("register", {"specimen": number}, {"tests": ["CBC"]})),
            ("nurse", act("collect", {"specimen": number})),
            ("nurse", act("pack", {"specimen": number, "box": "BX-C"})),
            ("nurse", act("register", {"specimen": number}, {"tests": ["CBC"]})),
            ("nurse", act("register", {"specimen": number}, {"tests": ["CBC"]})),
            ("receiver", act("register", {"specimen": number}, {"tests": ["CBC"]})),
        ]
        return [(answer.code, answer.field) for answer in (do(session, who, one) for who, one in tries)]

    assert answers(key.tube_number) == answers(ordinary)


@pytest.mark.parametrize(
    ("wrong", "field", "sentence"),
    [
        ({"reference": ""}, "reference", "This is needed."),
        ({"tests": ""}, "tests", "This is needed."),
        ({"tests": "CBC BC"}, "tests", "need"),
        ({"tests": "NONE"}, "tests", "NONE"),
    ],
)
def test_a_refused_form_says_where(
    manager: FlaskClient, session: Session, wrong: dict[str, str], field: str, sentence: str
) -> None:
    """Beside the field, with the rest kept, and nothing is registered."""
    sent = {"form_id": str(uuid.uuid4()), "site": [f.TOWN], "kind": "other", "quantity": "1", "reference": REFERENCE,
            "expected": EXPECTED, "tests": "CBC", **wrong}  # fmt: skip
    page = manager.post("/loads/register?lang=en", data=sent).get_data(as_text=True)
    assert sentence in page.partition(f'id="{field}-note"')[2][:400]
    assert f'value="{EXPECTED}"' in page
    session.rollback()
    assert session.scalars(select(Item)).all() == []
    assert session.scalars(select(BlindKey)).all() == []


def test_only_a_manager_of_the_laboratory_may(app: Flask, manager: FlaskClient, session: Session, login: Login) -> None:
    """Another laboratory's manager does not find it; a receiver cannot make one."""
    key = made(manager, session)
    other = login(Client(app, app.response_class), "manager2")
    assert other.post(f"/loads/blind/{key.id}/label").status_code == 404
    assert key.tube_number not in other.get("/loads/blind").get_data(as_text=True)
    receiver = login(Client(app, app.response_class), "receiver")
    sent = {
        "form_id": str(uuid.uuid4()),
        "site": [f.TOWN],
        "kind": "other",
        "quantity": "1",
        "reference": "X",
        "tests": "CBC",
    }
    assert receiver.post("/loads/register", data=sent).status_code in {403, 409}
    assert receiver.get("/loads/blind").status_code == 403
