"""Whoever is shown a patient's reference, masked as it is, leaves an entry in the audit log: on every address."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from logistics.models import AuditEntry, Order, Specimen
from tests import factories as f
from tests.conftest import Client
from tests.web import access_table
from tests.web.access_table import OURS, PUBLIC, ROWS, World

Login = Callable[[FlaskClient, str], FlaskClient]
MARK = "鑫****"


@pytest.fixture
def world(session: Session) -> World:
    """The world of all routes, and every patient in it bears the same odd name."""
    made = access_table.build(session)
    session.execute(update(Specimen).values(patient_ref=MARK))
    session.execute(update(Order).values(patient_ref=MARK))
    session.commit()
    return made


def shown(data: bytes) -> bool:
    """Whether the reference stands in what was sent, also inside a workbook or an archive, or as an escape of JSON."""
    marks = [MARK.encode(), MARK.encode("utf-16-le"), MARK.encode("unicode_escape"), b"&#37995;****", b"_E9_91_AB****"]
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(shown(archive.read(name)) for name in archive.namelist())
    return any(mark in data for mark in marks)


def readings(session: Session) -> int:
    session.rollback()
    query = (
        select(func.count())
        .select_from(AuditEntry)
        .where(AuditEntry.action.in_(("patient_ref_read", "patient_refs_read")))
    )
    found = session.scalar(query) or 0
    session.rollback()
    return found


def test_every_address_that_shows_a_patient_writes_it_down(
    app: Flask, session: Session, world: World, login: Login
) -> None:
    """As every role that may call it. The reference is shown somewhere, or this test would say nothing."""
    where = set()
    for (method, endpoint), row in sorted(ROWS.items()):
        if row.roles == PUBLIC or endpoint == "auth.logout":
            continue
        with app.test_request_context():
            address = url_for(endpoint, **row.values(world))
        for role in sorted(row.roles):
            client = login(Client(app, app.response_class), OURS[role])
            before = readings(session)
            answer = client.open(address, method=method, buffered=True, **row.sent(world))
            if shown(answer.get_data()):
                where.add(endpoint)
                assert readings(session) > before, f"{method} {endpoint} as {role} shows a patient and logs nothing"
    assert {"collector.worklist", "collector.outcomes", "collector.new_order", "journey.patient"} <= where


def test_a_refused_order_shows_the_page_and_is_logged(client: FlaskClient, session: Session, login: Login) -> None:
    """The list beside the form names the patients of the tubes just registered, also when the form is refused."""
    f.world(session)
    f.done(session, "nurse", f.act("register", {"specimen": "2611220047"}, {"tests": ["CBC"], "patient_ref": MARK}))
    answer = login(client, "nurse").post("/collector/orders/new", data={"id": "", "tests": ""})
    assert MARK in answer.get_data(as_text=True)
    assert readings(session) == 1


def test_a_printed_label_shows_a_patient(client: FlaskClient, session: Session, login: Login) -> None:
    """A label is paper with a name on it: the print log says that it was printed, the audit log that it was read."""
    f.world(session)
    f.done(session, "nurse", f.act("register", {"specimen": "2611220047"}, {"tests": ["CBC"], "patient_ref": MARK}))
    tube = f.find(session, "2611220047").id
    session.rollback()
    answer = login(client, "nurse").post("/print/specimens", data={"id": tube})
    assert answer.status_code == 200
    assert readings(session) == 1
    session.rollback()
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "patient_refs_read")).one()
    assert entry.detail == {"shown": 1, "page": "labels"}


def test_nothing_of_a_patient_is_logged_where_none_is_shown(
    client: FlaskClient, session: Session, login: Login
) -> None:
    """A tube without a reference makes no entry."""
    f.world(session)
    f.done(session, "nurse", f.act("register", {"specimen": "2611220047"}, {"tests": ["CBC"]}))
    client = login(client, "nurse")
    assert client.get("/collector/").status_code == client.get("/collector/orders/new").status_code == 200
    assert readings(session) == 0
