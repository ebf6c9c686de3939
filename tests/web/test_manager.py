"""The manager's pages and API: inbox, excursion with signed dispositions, indicators, search."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.clock import FixedClock
from logistics.models import Alert, CustodyEvent, Specimen
from logistics.queries import indicators
from logistics.services import network, rebuild
from telemetry.models import ExcursionChange, ExcursionRow
from tests import factories as f
from tests import warm_box
from tests.factories import act, done

pytestmark = pytest.mark.both_databases
Login = Callable[[FlaskClient, str], FlaskClient]


@pytest.fixture
def warm(session: Session, app_clock: FixedClock) -> Session:
    warm_box.build(session)
    app_clock.set(warm_box.ENDS)
    return session


def excursion_id(session: Session) -> int:
    session.rollback()
    return session.scalars(select(ExcursionRow.id).order_by(ExcursionRow.id)).all()[0]


def tube(session: Session, accession: str) -> Specimen:
    session.rollback()
    return f.find(session, accession)


def test_the_alert_of_a_warm_box_is_in_the_inbox(warm: Session, client: FlaskClient, login: Login) -> None:
    """Box, value, limit, tubes, who has it; 'happened 09:10, learned 10:10'. Another county sees nothing."""
    warm.rollback()
    login(client, "manager")
    page = client.get("/manager/alerts?lang=en").get_data(as_text=True)
    for words in ("Temperature excursion in box BX-C", "Highest 12.0 °C", "limit is 8.0 °C", "2 tubes", "Site COUNTY"):
        assert words in page, words
    assert "happened 09:10, learned 10:10" in page
    login(client, "manager2")
    assert "BX-C" not in client.get("/manager/alerts?lang=en").get_data(as_text=True)


def test_the_inbox_answers_304_while_nothing_happens(warm: Session, client: FlaskClient, login: Login) -> None:
    """The same tag, no body; after an acknowledgement a new page. The API likewise."""
    warm.rollback()
    login(client, "manager")
    for path in ("/manager/alerts/rows", "/api/v1/alerts"):
        first = client.get(path)
        assert first.status_code == 200
        again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
    number = client.get("/api/v1/alerts").get_json()["alerts"][0]["id"]
    client.post(f"/api/v1/alerts/{number}/acknowledge", json={"word": "on it"})
    assert client.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_acknowledging_over_the_api(warm: Session, client: FlaskClient, login: Login) -> None:
    """With a word, once, within the own county; dispatchers cannot answer for an excursion."""
    alert = warm.scalars(select(Alert.id)).one()
    warm.rollback()
    path = f"/api/v1/alerts/{alert}/acknowledge"
    login(client, "manager")
    assert client.post(path, json={"word": " "}).get_json()["field"] == "word"
    answer = client.post(path, json={"word": "calling the courier"})
    assert (answer.status_code, answer.get_json()["acknowledged_by"]) == (200, "manager")
    assert client.post(path, json={"word": "again"}).get_json()["code"] == "alert_acknowledged"
    assert [a["comment"] for a in client.get("/api/v1/alerts?state=ended").get_json()["alerts"]] == [
        "calling the courier"
    ]
    login(client, "manager2")
    assert client.post(path, json={"word": "x"}).status_code == 404
    detail = login(client, "manager").get(f"/manager/alerts/{alert}?lang=en").get_data(as_text=True)
    assert "calling the courier" in detail
    assert "2611220047" in detail


def test_an_excursion_shows_chart_tubes_rule_and_proposal(warm: Session, client: FlaskClient, login: Login) -> None:
    """The readings, the band, the tubes with the rule of their test and its source, the share of life used."""
    number = excursion_id(warm)
    warm.rollback()
    login(client, "manager")
    listed = client.get("/manager/excursions?lang=en").get_data(as_text=True)
    assert "BX-C" in listed
    page = client.get(f"/manager/excursions/{number}?lang=en").get_data(as_text=True)
    for words in (
        "12.0",
        "2611220047",
        "2 to 8 °C: 48 h",
        "Complete blood count",
        "Fit",
        "Proposed",
        "&#34;low&#34;: 2.0",
    ):
        assert words in page, words
    login(client, "manager2")
    assert client.get(f"/manager/excursions/{number}").status_code == 404


def sign(client: FlaskClient, number: int, tubes: list[dict[str, Any]], comment: str = "looked at it") -> Any:
    return client.post(f"/manager/excursions/{number}/assess", json={"comment": comment, "tubes": tubes})


def decision(session: Session, accession: str, disposition: str, reason: str = "") -> dict[str, Any]:
    found = tube(session, accession).id
    session.rollback()
    return {"id": str(uuid.uuid4()), "specimen_id": found, "disposition": disposition, "reason": reason}


def test_dispositions_are_signed_once(warm: Session, client: FlaskClient, login: Login) -> None:
    """One accepted, one rejected: acts on the log under the manager's name, the comment on the excursion, the alert
    closed. The same again changes nothing."""
    number = excursion_id(warm)
    first, second = warm_box.ACCESSIONS
    body = [decision(warm, first, "accept"), decision(warm, second, "reject", "TEMP")]
    reasons = login(client, "manager").get(f"/manager/excursions/{number}").get_data(as_text=True)
    assert "<option value=" in reasons
    body[1]["reason"] = "HAEMOLYSED"
    answers = sign(client, number, body).get_json()["answers"]
    assert [a["status"] for a in answers] == ["done", "done"], answers
    again = sign(client, number, body).get_json()["answers"]
    assert [a["status"] for a in again] == ["duplicate", "duplicate"]
    assert (tube(warm, first).state, tube(warm, second).state) == ("accepted", "rejected")
    signed = warm.scalars(select(ExcursionChange).where(ExcursionChange.what == "assessed")).all()
    assert signed
    assert signed[0].detail["comment"] == "looked at it"
    assert [d["disposition"] for d in signed[0].detail["dispositions"]] == ["accept", "reject"]
    assert warm.scalars(select(Alert.state)).one() == "closed"
    actors = warm.scalars(select(CustodyEvent.actor).where(CustodyEvent.type.in_(("accepted", "rejected")))).all()
    assert set(actors) == {"manager"}
    assert rebuild.differences(warm) == []
    warm.rollback()
    page = client.get(f"/manager/excursions/{number}?lang=en").get_data(as_text=True)
    assert "looked at it" in page


def test_a_tube_on_hold_is_released_and_accepted(warm: Session, client: FlaskClient, login: Login) -> None:
    """'Accept' of a held tube makes two events; one that cannot be accepted is answered in words, the rest counts."""
    first, second = warm_box.ACCESSIONS
    done(warm, "receiver", act("hold", {"specimen": first}, {"reason": "warm"}, at=warm_box.ENDS))
    done(warm, "receiver", act("reject", {"specimen": second}, {"reason": "HAEMOLYSED"}, at=warm_box.ENDS))
    number = excursion_id(warm)
    login(client, "manager")
    body = [decision(warm, first, "accept"), decision(warm, second, "accept")]
    answers = sign(client, number, body).get_json()["answers"]
    assert [(a["status"], a["code"]) for a in answers] == [("done", "done"), ("refused", "specimen_state")]
    assert answers[1]["sentence"]
    held = tube(warm, first)
    assert (held.state, held.on_hold) == ("accepted", False)


def test_assessment_refuses_what_is_wrong(warm: Session, client: FlaskClient, login: Login) -> None:
    """No comment, no tube, a strange disposition, a tube that was not in the box, a malformed id; receivers may not."""
    number = excursion_id(warm)
    stray = f.collected(warm, "STRAY").id
    good = decision(warm, warm_box.ACCESSIONS[0], "accept")
    login(client, "manager")
    wrong = [
        (sign(client, number, [good], comment=" "), "field_missing"),
        (sign(client, number, []), "assessment_empty"),
        (sign(client, number, [{**good, "disposition": "bless"}]), "disposition_unknown"),
        (sign(client, number, [{**good, "specimen_id": stray}]), "specimen_unknown"),
        (sign(client, number, [{**good, "id": "x"}]), "act_malformed"),
    ]
    for answer, code in wrong:
        assert answer.status_code >= 400
        assert code in answer.get_data(as_text=True) or code == answer.headers.get("X-Code", code)
    login(client, "receiver")
    assert sign(client, number, [good]).status_code == 403
    assert tube(warm, warm_box.ACCESSIONS[0]).state == "received"


def test_figures(warm: Session, client: FlaskClient, login: Login) -> None:
    """Two tubes, an hour of transport, one excursion on one box, one rejected of two; what has no case is None."""
    done(
        warm,
        "receiver",
        act("reject", {"specimen": warm_box.ACCESSIONS[0]}, {"reason": "HAEMOLYSED"}, at=warm_box.ENDS),
    )
    found = indicators.figures(warm, _scope(warm, "manager"), now=warm_box.ENDS)
    total = found.total
    assert (total.tubes, total.boxes, total.ride_median, total.ride_in_limit) == (2, 1, timedelta(hours=1), 1.0)
    assert (total.compliant, total.damaged, total.missing) == (1.0, 0.0, 0)
    assert (total.excursions_per_100, total.on_time, total.rejected) == (100.0, None, 0.5)
    assert [(code, times) for _, code, times in found.reasons] == [("HAEMOLYSED", 1)]
    assert [one.key for one in found.sites] == [f.TOWN]
    assert [one.key for one in found.couriers] == ["courier"]
    assert [one.figures.tubes for one in found.days] == [0, 0, 0, 0, 0, 0, 2]
    nothing = indicators.figures(warm, _scope(warm, "manager2"), now=warm_box.ENDS).total
    assert (nothing.tubes, nothing.ride_median, nothing.missing, nothing.rejected) == (0, None, None, None)
    city = indicators.figures(warm, _scope(warm, "auditor"), now=warm_box.ENDS)
    assert {one.key for one in city.sites} == {f.COUNTY, f.OTHER_COUNTY}
    warm.rollback()
    login(client, "manager")
    assert "1 h" not in client.get("/manager/dashboard?lang=en").get_data(as_text=True)
    assert "60 min" in client.get("/manager/dashboard?lang=en").get_data(as_text=True)
    assert client.get(f"/manager/dashboard?site={f.OTHER_COUNTY}").status_code == 404
    login(client, "manager2")
    assert "No data for these days" in client.get("/manager/dashboard?lang=en").get_data(as_text=True)


def _scope(session: Session, username: str) -> Any:
    from logistics.models import User

    return network.scope_of_user(session, session.scalars(select(User).where(User.username == username)).one())
