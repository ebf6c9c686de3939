"""Signed decisions about the tubes of an excursion: in part, at once by two, and what late readings change of them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.clock import FixedClock
from logistics.labels.assessment_pdf import Group, Sheet, assessment_pdf
from logistics.models import Alert, Assessment, Specimen
from logistics.services import recollect_calls, stability_rules
from telemetry.models import ExcursionRow
from tests import factories as f
from tests import paper, warm_box
from tests.factories import START, act, done

pytestmark = pytest.mark.both_databases
Login = Callable[[FlaskClient, str], FlaskClient]
MINUTE = timedelta(minutes=1)
FIRST, SECOND = warm_box.ACCESSIONS


@pytest.fixture
def warm(session: Session, app_clock: FixedClock) -> Session:
    warm_box.build(session)
    app_clock.set(warm_box.ENDS)
    return session


def decision(session: Session, accession: str, disposition: str, reason: str = "", seen: str = "") -> dict[str, Any]:
    session.rollback()
    found = f.find(session, accession).id
    session.rollback()
    return {
        "id": str(uuid.uuid4()), "specimen_id": found, "disposition": disposition, "reason": reason, "seen": seen,
    }  # fmt: skip


def number(session: Session) -> int:
    session.rollback()
    return int(let_go(session, session.scalars(select(ExcursionRow.id).order_by(ExcursionRow.id)).all()[0]))


def sign(client: FlaskClient, excursion: int, *tubes: dict[str, Any], comment: str = "looked at it") -> Any:
    return client.post(f"/manager/excursions/{excursion}/assess?lang=en", json={"comment": comment, "tubes": tubes})


def let_go(session: Session, found: Any) -> Any:
    """What was read, without a transaction that stays open: SQLite has one writer."""
    session.expunge_all()
    session.rollback()
    return found


def alert(session: Session, kind: str = "excursion") -> Alert:
    session.rollback()
    found = session.scalars(select(Alert).where(Alert.kind == kind).execution_options(populate_existing=True)).one()
    assert found.notes
    return let_go(session, found)


def assessments(session: Session) -> list[Assessment]:
    session.rollback()
    query = select(Assessment).order_by(Assessment.id).execution_options(populate_existing=True)
    return let_go(session, list(session.scalars(query)))


def test_an_excursion_is_closed_when_no_tube_is_left(warm: Session, client: FlaskClient, login: Login) -> None:
    """One signed: the alert is answered and stays, with how many are left. The other: closed. What each decision
    rested on is kept: verdict, share, rule with its source, version of the limits."""
    excursion = number(warm)
    login(client, "manager")
    sign(client, excursion, decision(warm, FIRST, "accept"))
    known = alert(warm)
    assert (known.state, known.acknowledged_by) == ("ended", "manager")
    assert [(n.kind, n.params) for n in known.notes][-1] == ("assessed_part", {"left": 1})
    sign(client, excursion, decision(warm, SECOND, "reject", "HAEMOLYSED"), comment="haemolysed")
    known = alert(warm)
    assert (known.state, known.notes[-1].kind) == ("closed", "assessed")
    first, second = assessments(warm)
    [tube] = first.tubes
    assert (tube.accession, tube.disposition, tube.status, tube.test_code) == (FIRST, "accept", "fit", "CBC")
    assert {(rule["high_c"], rule["hours"]) for rule in tube.rules} == {(25.0, 24.0), (8.0, 48.0)}
    assert all(rule["source"] for rule in tube.rules)
    assert (first.version, first.extreme_c, round(first.minutes)) == (0, 12.0, 55)
    assert [(one.disposition, one.reason) for one in second.tubes] == [("reject", "HAEMOLYSED")]
    page = client.get(f"/manager/assessments/{second.id}?lang=en").get_data(as_text=True)
    for words in ("“haemolysed”", SECOND, "Complete blood count", "Manager"):
        assert words in page, words


def test_a_decision_keeps_the_version_of_the_limits(
    warm: Session, client: FlaskClient, login: Login, app_clock: FixedClock
) -> None:
    """A limit that changes after the signature: the old decision names the old version and quotes the old rule."""
    login(client, "manager")
    sign(client, number(warm), decision(warm, FIRST, "note"))
    values = {
        "site_code": f.COUNTY, "stage": "", "temp_min_c": 2.0, "temp_max_c": 8.0, "max_hours": 0.5,
        "reason": "own validation", "valid_on": None,
    }  # fmt: skip
    from logistics.services import network

    scope = network.scope_of_user(warm, f.user(warm, "manager"))
    stability_rules.override(warm, "CBC", values, by="manager", scope=scope, now=warm_box.ENDS)
    warm.commit()
    app_clock.advance(MINUTE)
    sign(client, number(warm), decision(warm, SECOND, "note"))
    first, second = assessments(warm)
    assert (first.version, first.tubes[0].status) == (0, "fit")
    assert (second.version, second.tubes[0].status, second.tubes[0].rules[0]["hours"]) == (1, "expired", 0.5)


def test_a_new_tube_is_asked_for(warm: Session, client: FlaskClient, login: Login) -> None:
    """'Reject, collect again' rejects and calls the collecting site; the call is over with the new tube."""
    login(client, "manager")
    answer = sign(client, number(warm), decision(warm, FIRST, "recollect", "HAEMOLYSED")).get_json()
    assert [one["status"] for one in answer["answers"]] == ["done"]
    assert f.find(warm, FIRST).state == "rejected"
    call = alert(warm, "recollect")
    assert (call.site_code, call.params["tubes"], call.state) == (f.TOWN, 1, "open")
    assert recollect_calls.sweep(warm, now=warm_box.ENDS) == 1
    done(warm, "nurse", act("recollect", {"specimen": FIRST}, {"accession": "2611220050"}, at=warm_box.ENDS))
    assert recollect_calls.sweep(warm, now=warm_box.ENDS) == 0
    warm.commit()
    assert alert(warm, "recollect").state == "ended"


def test_nothing_is_signed_unseen(warm: Session, client: FlaskClient, login: Login) -> None:
    """The verdict changed since the page was opened: refused in words for that tube, the other one is signed."""
    login(client, "manager")
    tubes = [decision(warm, FIRST, "accept", seen="outside"), decision(warm, SECOND, "accept", seen="fit")]
    answers = sign(client, number(warm), *tubes).get_json()["answers"]
    assert [(one["status"], one["code"]) for one in answers] == [("refused", "assessment_changed"), ("done", "done")]
    assert "Look again" in answers[0]["sentence"]
    assert f.find(warm, FIRST).state == "received"


def test_too_many_at_once_is_said(warm: Session, client: FlaskClient, login: Login) -> None:
    """501 tubes in one request: refused with the number that goes; the page itself sends parts of 200."""
    login(client, "manager")
    one = decision(warm, FIRST, "accept")
    answer = sign(client, number(warm), *({**one, "id": str(uuid.uuid4())} for _ in range(501)))
    assert answer.status_code == 400
    assert (answer.get_json() or {}).get("code") == "assessment_too_many", answer.get_data(as_text=True)[:500]
    assert "500" in answer.get_json()["sentence"]


def test_what_was_accepted_meanwhile_is_not_rejected_unseen(warm: Session, client: FlaskClient, login: Login) -> None:
    """The page of the second manager shows a tube that is not decided; it is accepted by now: refused in words."""
    login(client, "manager")
    excursion = number(warm)
    first = sign(client, excursion, decision(warm, FIRST, "accept")).get_json()["answers"]
    assert [one["status"] for one in first] == ["done"]
    again = decision(warm, FIRST, "reject", "HAEMOLYSED")
    second = sign(client, excursion, again).get_json()["answers"]
    assert [(one["status"], one["code"]) for one in second] == [("refused", "assessment_accepted")]
    warm.expire_all()
    assert warm.scalars(select(Specimen.state).where(Specimen.accession == FIRST)).one() == "accepted"


def test_two_managers_at_once(warm: Session, app: Flask, login: Login) -> None:
    """Both sign other things about the same tube in the same moment: one stands, the other is told why not."""
    excursion = number(warm)
    sent = [decision(warm, FIRST, "accept"), decision(warm, FIRST, "reject", "HAEMOLYSED")]
    clients = [login(app.test_client(), "manager") for _ in sent]
    for each in clients:
        each.environ_base["HTTP_X_CSRFTOKEN"] = ""
    app.config["WTF_CSRF_ENABLED"] = False
    ready = threading.Barrier(2, timeout=20)
    found: list[dict[str, Any]] = []

    def work(client: FlaskClient, body: dict[str, Any]) -> None:
        ready.wait()
        found.extend(sign(client, excursion, body).get_json()["answers"])

    threads = [threading.Thread(target=work, args=pair) for pair in zip(clients, sent, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one["status"] for one in found) == ["done", "refused"]
    assert all(one["sentence"] for one in found if one["status"] == "refused")
    assert len(assessments(warm)) == 1


def late(session: Session, temps: list[float], *, start: int, now: timedelta) -> None:
    """Readings that were stored in the logger and come hours later."""
    import json

    from telemetry.ingest import Incoming, store_batch

    readings = [{"at": (START + (start + n) * MINUTE).isoformat(), "temp_c": t} for n, t in enumerate(temps)]
    message = Incoming("labrelay/v1/LG-1/readings", json.dumps({"readings": readings}).encode())
    store_batch(session, [message], now=START + now)
    session.commit()


def test_late_readings_ask_for_a_new_look(
    warm: Session, client: FlaskClient, login: Login, app_clock: FixedClock
) -> None:
    """Signed at 12 °C; the stored minutes tell of 31 °C: one alert, then and now beside each other, and either the
    decision stands with a word, or the tubes are signed about again."""
    login(client, "manager")
    sign(client, number(warm), decision(warm, FIRST, "note"), decision(warm, SECOND, "accept"))
    app_clock.advance(timedelta(hours=2))
    late(warm, [31.0] * 30, start=16, now=timedelta(hours=3))
    [one] = assessments(warm)
    assert (one.look_again, one.looked_at) == ("extreme", None)
    called = alert(warm, "reassess")
    assert (called.site_code, called.state, called.params["assessment"]) == (f.COUNTY, "open", one.id)
    assert (called.params["signed_c"], called.params["value_c"]) == (12.0, 31.0)
    warm.rollback()
    page = client.get(f"/manager/assessments/{one.id}?lang=en").get_data(as_text=True)
    for words in ("a worse temperature", "Look again", "Outside, decide", "The decision stands"):
        assert words in page, words
    assert "Signed: 12.0 °C" in client.get(f"/manager/alerts/{called.id}?lang=en").get_data(as_text=True)
    path = f"/manager/assessments/{one.id}/stands"
    assert client.post(path, json={"word": " "}).get_json()["field"] == "word"
    assert client.post(path, json={"word": "the sensor lay in the sun"}).status_code == 200
    assert client.post(path, json={"word": "again"}).get_json()["code"] == "assessment_looked_at"
    assert (alert(warm, "reassess").state, assessments(warm)[0].looked_by) == ("closed", "manager")
    late(warm, [36.0] * 3, start=50, now=timedelta(hours=3))
    assert assessments(warm)[0].looked_at is None  # worse again: asked again
    sign(client, number(warm), decision(warm, FIRST, "note"), decision(warm, SECOND, "recall"))
    assert [bool(each.looked_at) for each in assessments(warm)] == [True, False]
    assert alert(warm, "reassess").state == "closed"


def test_an_excursion_that_vanishes_after_the_signature(
    warm: Session, client: FlaskClient, login: Login, app_clock: FixedClock
) -> None:
    """Cool minutes between the hot ones come late: nothing was broken, and the assessment can still be read."""
    login(client, "manager")
    sign(client, number(warm), decision(warm, FIRST, "reject", "HAEMOLYSED"))
    app_clock.advance(timedelta(hours=2))
    late(warm, [5.0 if n % 2 else 6.0 for n in range(60)], start=6, now=timedelta(hours=3))
    [one] = assessments(warm)
    assert one.look_again == "withdrawn"
    page = client.get(f"/manager/assessments/{one.id}?lang=en").get_data(as_text=True)
    assert "took the excursion back" in page


def test_one_page_of_paper(warm: Session, client: FlaskClient, login: Login, tmp_path: Path) -> None:
    """What stands on the PDF is read back: box, extreme, rule, verdict, decision, signature; no patient."""
    login(client, "manager")
    sign(client, number(warm), decision(warm, FIRST, "accept"), decision(warm, SECOND, "reject", "HAEMOLYSED"))
    [one] = assessments(warm)
    for lang, wanted in (
        ("en", ("excursion in box BX-C", "12.0 °C", "2 to 8 °C: 48 h", "Fit", "Haemolysed", "Manager", FIRST, SECOND)),
        ("zh_CN", ("转运箱 BX-C 温度异常的评估", "12.0 °C", "血常规", "manager某", "溶血", FIRST, "不含患者信息")),
    ):
        answer = client.get(f"/manager/assessments/{one.id}.pdf?lang={lang}")
        assert answer.mimetype == "application/pdf"
        text = paper.words(answer.data, tmp_path)
        for words in wanted:
            assert words.lower() in text.lower(), (words, text)
        assert "张" not in text
        assert text.count("\f") == 1  # one page


def test_six_hundred_tubes_stay_on_one_page(tmp_path: Path) -> None:
    """Every number is there, on one page."""
    numbers = tuple(f"26112{n:05d}" for n in range(600))
    group = Group(numbers, "CBC: 2 to 8 °C: 48 h", "12–14 %", "Fit", "Accept")
    sheet = Sheet(
        "Assessment", (("Box", "BX-C"),), None, ("Tubes", "Rule", "Used", "Verdict", "Decision"), (group,),
        ("Assessment", "<looked> & seen"), "", ("Signed by X",), "foot",
    )  # fmt: skip
    text = paper.words(assessment_pdf(sheet), tmp_path)
    assert text.count("\f") == 1
    assert "<looked> & seen" in text
    assert all(each in text for each in numbers)


def test_a_tube_under_two_excursions(warm: Session, client: FlaskClient, login: Login, app_clock: FixedClock) -> None:
    """Warm, then frozen: each page names the other, and one decision about the tubes closes both."""
    late(warm, [-1.0] * 3, start=3, now=timedelta(minutes=75))
    app_clock.set(START + timedelta(minutes=80))
    warm.rollback()
    login(client, "manager")
    rows = warm.scalars(select(ExcursionRow).where(ExcursionRow.state != "withdrawn")).all()
    assert {row.side for row in rows} == {"upper", "lower"}
    low = next(row.id for row in rows if row.side == "lower")
    warm.rollback()
    sign(client, low, decision(warm, FIRST, "accept"), decision(warm, SECOND, "accept"))
    warm.rollback()
    assert set(warm.scalars(select(Alert.state).where(Alert.kind == "excursion"))) == {"closed"}
    warm.rollback()
    high = next(row.id for row in rows if row.side == "upper")
    assert "Decided already" in client.get(f"/manager/excursions/{high}?lang=en").get_data(as_text=True)
