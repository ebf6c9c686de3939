"""Recalls through the browser's door: finding the tubes, recalling them once, refusals that lose nothing, in hand."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from logistics.models import Alert, AuditEntry
from logistics.services import recall_bulk
from tests import factories as f
from tests.factories import act, done

pytestmark = pytest.mark.both_databases
Login = Callable[[FlaskClient, str], FlaskClient]
New = Callable[[], FlaskClient]


@pytest.fixture
def manager(session: Session, client: FlaskClient, login: Login) -> FlaskClient:
    f.world(session)
    login(client, "manager").get("/account?lang=en")
    return client


def form(session: Session, *tubes: str, **more: Any) -> dict[str, Any]:
    """What the page sends when these tubes stay ticked."""
    ids = [str(f.find(session, tube).id) for tube in tubes]
    session.rollback()
    return {"id": str(uuid.uuid4()), "tube": ids, "reason": "RECALL_PATIENT", "bring_to": f.COUNTY, "note": ""} | more


def states(session: Session, *tubes: str) -> list[str]:
    session.rollback()
    found = [f.find(session, tube).state for tube in tubes]
    session.rollback()
    return found


def text(answer: TestResponse) -> str:
    return answer.get_data(as_text=True)


def row(page: str, tube: str) -> str:
    """The row of 'to be found' that is about this tube."""
    table = page.partition('id="recalled"')[2].partition("</table>")[0]
    return next((part for part in table.split("<tr") if tube in part), "")


@pytest.mark.parametrize("typed", ["BX-C", "number", " lower "])
def test_everything_in_a_box_is_found_by_the_box_or_its_consignment(
    manager: FlaskClient, session: Session, typed: str
) -> None:
    """However it is typed; every tube is ticked and nothing is recalled by looking."""
    number = f.sealed(session, ("T1", "T2"))
    asked = {"number": number, " lower ": f" {number.lower()} "}.get(typed, typed)
    page = text(manager.get("/recalls", query_string={"consignment": asked}))
    assert page.count('name="tube"') == page.count(" checked><span") == 2
    assert states(session, "T1", "T2") == ["sealed", "sealed"]


def test_a_recall_is_done_once_and_everybody_concerned_sees_it(
    manager: FlaskClient, session: Session, new_client: New, login: Login
) -> None:
    """Only what stayed ticked; a second click changes nothing; township, laboratory and dispatcher see where to bring
    it and why, the other county sees nothing; it is in the audit log."""
    f.sealed(session, ("T1", "T2", "T3"))
    sent = form(session, "T1", "T3", note="two patients exchanged")
    for _ in range(2):
        answer = manager.post("/recalls?consignment=BX-C", data=sent, follow_redirects=True)
        assert "2 tubes recalled" in text(answer)
    assert states(session, "T1", "T2", "T3") == ["recalled", "sealed", "recalled"]
    alert = session.scalars(select(Alert).where(Alert.kind == "recall")).one()
    assert (alert.params["tubes"], len(alert.notes)) == (2, 1)
    entries = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "recalled")).all()
    assert entries[0] == {"tubes": 2, "reason": "RECALL_PATIENT"}
    session.rollback()
    for name in ("nurse", "receiver", "dispatcher", "auditor"):
        found = row(text(login(new_client(), name).get("/recalls?lang=en")), "T1")
        for words in ("Wrong patient or identification", "Site TOWN", "BX-C", "Site COUNTY"):
            assert words in found, (name, words)
        assert ("In hand here" in found) is (name in {"nurse", "receiver"})
    assert not row(text(login(new_client(), "receiver2").get("/recalls?lang=en")), "T1")
    page = text(manager.get("/recalls"))
    assert "“two patients exchanged”" in page
    assert "0 of 2" in page
    assert "Being searched for" in page


@pytest.mark.parametrize(
    ("wrong", "field", "sentence"),
    [
        ({"reason": ""}, "reason", "This is needed."),
        ({"reason": "HAEMOLYSED"}, "reason", "is not meant for this"),
        ({"bring_to": "MOON"}, "bring_to", "There is no site with the code MOON."),
    ],
)
def test_a_refused_recall_loses_nothing(
    manager: FlaskClient, session: Session, wrong: dict[str, str], field: str, sentence: str
) -> None:
    """The sentence stands beside its field; the question, the ticks and the remark are still there; nothing is done."""
    f.sealed(session, ("T1", "T2"))
    sent = form(session, "T2", note="batch 7/26") | wrong
    answer = manager.post("/recalls?consignment=BX-C&test=CBC", data=sent)
    page = text(answer)
    assert answer.status_code == 400
    note = re.search(rf'id="{field}-note"[^>]*class="field-error">.*?<span>([^<]+)</span>', page)
    assert note is not None
    assert sentence in note[1]
    assert 'value="batch 7/26"' in page
    assert 'value="BX-C"' in page
    assert '<option value="CBC" selected>' in page
    ticked = re.findall(r'name="tube" value="(\d+)" checked', page)
    assert ticked == sent["tube"]
    assert sent["id"] not in page
    assert states(session, "T1", "T2") == ["sealed", "sealed"]


def test_a_recall_of_nothing_is_refused(manager: FlaskClient, session: Session) -> None:
    """All ticks taken away: a sentence that says what to give, and the tubes are still listed."""
    f.sealed(session, ("T1",))
    answer = manager.post("/recalls?consignment=BX-C", data=form(session))
    assert answer.status_code == 400
    assert "Say which tubes to recall" in text(answer)
    assert text(answer).count('name="tube"') == 1


def test_numbers_that_were_not_found_are_named(manager: FlaskClient, session: Session) -> None:
    """Of three numbers two are ours: nobody must believe that the third was recalled, too."""
    f.sealed(session, ("2611220047", "2611220048"))
    page = text(manager.get("/recalls", query_string={"numbers": "2611220047，2611220048、2611229999"}))
    assert page.count('name="tube"') == 2
    assert re.search(r"Not among the tubes of your sites that can still be recalled:</strong>\s*2611229999", page)
    none = text(manager.get("/recalls?numbers=111"))
    assert 'name="tube"' not in none
    assert "111" in none.partition("Not among the tubes")[2][:200]


@pytest.mark.parametrize(
    ("query", "field", "sentence"),
    [
        ({"day": "yesterday", "site": f.TOWN}, "day", "Give the day as year-month-day."),
        ({"day": "0001-01-01"}, "day", "Give the day as year-month-day."),
        ({"numbers": "7 " * 501}, "numbers", "No more than 500 tubes in one recall."),
    ],
)
def test_a_question_that_cannot_be_answered_names_its_field(
    manager: FlaskClient, query: dict[str, str], field: str, sentence: str
) -> None:
    """What was typed stays, the sentence stands beside it."""
    answer = manager.get("/recalls", query_string=query)
    note = re.search(rf'id="{field}-note"[^>]*class="field-error">.*?<span>([^<]+)</span>', text(answer))
    assert answer.status_code == 400
    assert note is not None
    assert sentence in note[1]
    assert f'value="{query[field].strip()}"' in text(answer)


def test_too_many_tubes_are_not_cut_in_silence(
    manager: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than one recall takes: the page asks to narrow it down and offers no button."""
    f.sealed(session, ("T1", "T2", "T3"))
    monkeypatch.setattr(recall_bulk, "MAX_TUBES", 2)
    page = text(manager.get("/recalls?consignment=BX-C"))
    assert "More than 2 tubes: narrow it down." in page
    assert 'name="reason"' not in page


def test_a_tube_in_hand_leaves_the_list(manager: FlaskClient, session: Session, new_client: New, login: Login) -> None:
    """The township sets it aside with one click; a second one changes nothing; through a seal nobody takes it out."""
    f.collected(session, "T1")
    f.sealed(session, ("T2", "T3"))
    for tube in ("T1", "T2"):
        done(session, "manager", act("recall", {"specimen": tube}, {"reason": "RECALL_PATIENT"}))
    nurse = login(new_client(), "nurse")
    nurse.get("/account?lang=en")
    ids = {tube: f.find(session, tube).id for tube in ("T1", "T2")}
    session.rollback()
    key = {"id": str(uuid.uuid4())}
    for _ in range(2):
        answer = nurse.post(f"/recalls/{ids['T1']}/returned", data=key, follow_redirects=True)
        assert "T1 is in hand and set aside." in text(answer)
    assert not row(text(answer), "T1")
    sealed = nurse.post(f"/recalls/{ids['T2']}/returned", data={"id": str(uuid.uuid4())}, follow_redirects=True)
    assert "Box BX-C is sealed. Open it first, with a reason." in text(sealed)
    assert row(text(sealed), "T2")
    assert states(session, "T1", "T2") == ["returned", "recalled"]
    assert nurse.post(f"/recalls/{ids['T2']}/returned", data={"id": "x"}).status_code == 400
    assert login(new_client(), "nurse2").post(f"/recalls/{ids['T2']}/returned", data=key).status_code == 404


def test_only_a_manager_sees_the_form(manager: FlaskClient, new_client: New, login: Login) -> None:
    """Everybody else reads; an empty list says so."""
    nurse = text(login(new_client(), "nurse").get("/recalls?lang=en&consignment=BX-C&day=nonsense"))
    assert 'name="consignment"' not in nurse
    assert "No recalled tube is missing" in nurse
    assert 'name="consignment"' in text(manager.get("/recalls"))
