"""The page of acts that no longer fitted when they arrived: both sides' facts, and what a manager decides."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from logistics.clock import FixedClock
from logistics.domain.acts import Act
from logistics.integrity import check
from logistics.models import Act as ActRow
from logistics.models import AuditEntry, Box, Consignment
from logistics.services import rebuild
from tests import factories as f
from tests.factories import act, do

pytestmark = pytest.mark.both_databases
Login = Callable[[FlaskClient, str], FlaskClient]
New = Callable[[], FlaskClient]
LATER = f.START + timedelta(minutes=30)


@pytest.fixture
def manager(session: Session, client: FlaskClient, login: Login, app_clock: FixedClock) -> FlaskClient:
    f.world(session)
    app_clock.set(LATER)
    login(client, "manager").get("/account?lang=en")
    return client


def kept(session: Session, who: str, kind: str, subject: dict[str, Any], **more: Any) -> Act:
    """An act that came late and is kept for review."""
    late = act(kind, subject, offline=True, **more)
    assert do(session, who, late, now=LATER).status == "review"
    return late


def wrong_pin(session: Session) -> tuple[str, Act]:
    """A handover that happened, with a PIN mistyped: the consignment and the act."""
    number = f.sealed(session, ("T1", "T2"))
    payload = {"other": "nurse", "pin": "0000", "count": 1, "box_temp_c": "4.9",
               "refused": [{"specimen": "T2", "reason": "LEAKED"}], "seal_now": "SLNOW01"}  # fmt: skip
    late = act("hand_over", {"box": "BX-C"}, payload, site=f.TOWN, offline=True, device="phone-2")
    assert do(session, "courier", late, now=LATER).status == "review"
    return number, late


def words(answer: TestResponse) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True))).split())


def decide(client: FlaskClient, late: Act, how: str, word: str = "asked the nurse", **more: str) -> TestResponse:
    return client.post(f"/review/{late.id}/decide", data={"how": how, "word": word, **more})


def beside(answer: TestResponse, field: str, late: Act) -> str:
    found = re.search(
        rf'id="{field}-{late.id}-note"[^>]*class="field-error">.*?<span>([^<]+)</span>', answer.get_data(as_text=True)
    )
    return found[1] if found else ""


def status(session: Session, late: Act) -> str:
    session.rollback()
    return session.get_one(ActRow, late.id, populate_existing=True).status


def test_both_sides_stand_beside_each_other_in_words(manager: FlaskClient, session: Session) -> None:
    """What was sent, when it happened and was learned; what the record says now; names, not codes; no PIN."""
    number, _late = wrong_pin(session)
    page = words(manager.get("/review"))
    for said in ("Handover BX-C", "The PIN is wrong.", "Who Courier · Site COUNTY", "Happened 2026-03-09 09:00",
                 "Learned 2026-03-09 09:30", "scanned · phone-2 · Site TOWN", "Box temperature 4.9", "Counted 1",
                 "Other party Nurse", "Refused at the handover T2 Leaked",
                 f"{number} Sealed BX-C Site TOWN 2026-03-09 09:00 Sealed · Nurse · Site TOWN"):  # fmt: skip
        assert said in page, said
    assert "0000" not in page
    assert "对方 nurse某" in words(manager.get("/review?lang=zh_CN"))


def test_applied_it_is_done_in_the_name_of_who_did_it(manager: FlaskClient, session: Session) -> None:
    """The box is in the courier's hands from then on; the decision stands under 'settled' with the manager's word."""
    number, late = wrong_pin(session)
    assert decide(manager, late, "apply").status_code == 302
    page = words(manager.get("/review"))
    assert "Applied: the record holds it now." in page
    assert "Nothing to review" in page
    session.rollback()
    assert session.get_one(Consignment, number, populate_existing=True).holder == "courier"
    settled = words(manager.get("/review?settled=1"))
    assert "Applied" in settled
    assert "Manager: asked the nurse" in settled
    session.rollback()
    logged = session.scalars(select(AuditEntry).where(AuditEntry.action == "act_apply")).one()
    assert (logged.subject, logged.username, logged.detail) == (late.id, "manager", {"word": "asked the nurse"})


def test_noted_it_stays_open_and_voided_it_changes_nothing(manager: FlaskClient, session: Session) -> None:
    """A word for whoever decides; then void: settled, and the record is as it was."""
    number, late = wrong_pin(session)
    decide(manager, late, "annotate", "courier does not answer")
    assert "Manager: courier does not answer" in words(manager.get("/review"))
    assert status(session, late) == "review"
    decide(manager, late, "void", "it was another box")
    settled = words(manager.get("/review?settled=1"))
    for said in ("Voided", "Manager: courier does not answer", "Manager: it was another box"):
        assert said in settled
    session.rollback()
    assert session.get_one(Consignment, number, populate_existing=True).state == "sealed"


def other_box(session: Session, seal: str) -> None:
    """Another box of the site is closed with this seal."""
    session.add(Box(code="BX-C2", temp_class="cold_2_8", capacity=50, home_code=f.TOWN, location_code=f.TOWN))
    f.collected(session, "T3")
    do(session, "nurse", act("pack", {"specimen": "T3", "box": "BX-C2"}))
    f.done(session, "nurse", act("seal", {"box": "BX-C2"}, {"seal": seal}))


def used_seal(session: Session) -> tuple[str, Act]:
    """A pickup without signal: one tube stayed behind, and the number of the new seal that was typed is on another
    box. The consignment and the act."""
    number = f.sealed(session, ("T1", "T2"))
    other_box(session, "SLNOW01")
    payload = {"other": "nurse", "pin": f.PIN, "count": 1, "refused": [{"specimen": "T2", "reason": "LEAKED"}],
               "seal_now": "slnow01"}  # fmt: skip
    return number, kept(session, "courier", "hand_over", {"box": "BX-C"}, payload=payload, site=f.TOWN)


@pytest.mark.parametrize(("found", "kept_as"), [("SLNOW10", "SLNOW10"), ("", "")])
def test_a_seal_number_that_cannot_be_is_put_right_when_applied(
    manager: FlaskClient, session: Session, found: str, kept_as: str
) -> None:
    """As sent it is refused at the field, with all that was typed; with the number that was found out, or without one,
    the pickup is in the record, which proves itself and is the same when it is made anew."""
    number, late = used_seal(session)
    page = manager.get("/review").get_data(as_text=True)
    assert f'id="seal-{late.id}" name="seal_now" type="text" value="slnow01"' in page
    refused = decide(manager, late, "apply", "asked the courier", seal_now="slnow01")
    assert refused.status_code == 409
    assert "SLNOW01" in beside(refused, "seal", late).upper()
    assert 'value="asked the courier"' in refused.get_data(as_text=True)
    assert status(session, late) == "review"

    assert decide(manager, late, "apply", "asked the courier", seal_now=found).status_code == 302
    session.rollback()
    one = session.get_one(Consignment, number, populate_existing=True)
    assert (one.holder, one.seal_number, one.manifest_version, one.tube_count) == ("courier", kept_as, 2, 1)
    assert words(manager.get("/review?settled=1")).count("asked the courier") == 1
    assert manager.get(f"/consignments/{number}").status_code == 200
    assert check.verify(session, now=LATER).findings == []
    assert rebuild.differences(session) == []


def closed_with(session: Session, kind: str) -> tuple[str, Act]:
    """A ``seal`` at the site or a ``reseal`` on the way, without signal, with a number that another box bears. The
    consignment and the act."""
    if kind == "reseal":
        number = f.fetched(session, ("T1", "T2"))
        other_box(session, "SLNOW01")
        payload = {"seal": "slnow01", "reason": "SEAL_BROKEN"}
        return number, kept(session, "courier", kind, {"consignment": number}, payload=payload)
    for name in ("T1", "T2"):
        f.collected(session, name)
        number = f.done(session, "nurse", act("pack", {"specimen": name, "box": "BX-C"}))["consignment"]
    other_box(session, "SLNOW01")
    return number, kept(session, "nurse", kind, {"box": "BX-C"}, payload={"seal": "slnow01"})


@pytest.mark.parametrize("found", ["SLNOW10", ""])
@pytest.mark.parametrize(("kind", "version"), [("seal", 1), ("reseal", 2)])
def test_a_box_that_was_closed_with_a_number_in_use_is_put_right_too(
    manager: FlaskClient, session: Session, kind: str, version: int, found: str
) -> None:
    """The page asks for the number that is on the box; as sent it is refused at the field; with the number that was
    found out, or without one, the box is closed by the record, which says so, proves itself and can be made anew."""
    number, late = closed_with(session, kind)
    page = manager.get("/review").get_data(as_text=True)
    assert f'id="seal-{late.id}" name="seal_now" type="text" value="slnow01"' in page
    for lang, asked in (("zh_CN", "箱上实际的封签号"), ("en", "Number of the seal that is on the box")):
        assert asked in words(manager.get(f"/review?lang={lang}"))
    refused = decide(manager, late, "apply", "asked him", seal_now=" slnow01")
    assert refused.status_code == 409
    assert "SLNOW01" in beside(refused, "seal", late).upper()
    assert 'value="asked him"' in refused.get_data(as_text=True)

    assert decide(manager, late, "apply", "asked him", seal_now=f" {found} ").status_code == 302
    session.rollback()
    one = session.get_one(Consignment, number, populate_existing=True)
    assert (one.seal_number, one.manifest_version, one.tube_count) == (found, version, 2)
    assert one.state == ("sealed" if kind == "seal" else "in_transit")
    assert found or "without a number" in words(manager.get(f"/consignments/{number}"))
    assert check.verify(session, now=LATER).findings == []
    assert rebuild.differences(session) == []


def test_a_seal_in_use_is_asked_for_also_when_something_else_stood_first(
    manager: FlaskClient, session: Session
) -> None:
    """The wrong PIN was what the act waited for; the manager vouches, and only then the number shows to be in use."""
    number, late = wrong_pin(session)
    other_box(session, "SLNOW01")
    assert 'name="seal_now"' not in manager.get("/review").get_data(as_text=True)
    refused = decide(manager, late, "apply", "asked her")
    assert refused.status_code == 409
    assert "SLNOW01" in beside(refused, "seal", late)
    assert f'id="seal-{late.id}" name="seal_now" type="text" value="SLNOW01"' in refused.get_data(as_text=True)
    assert decide(manager, late, "apply", "asked her", seal_now="SLNOW10").status_code == 302
    session.rollback()
    assert session.get_one(Consignment, number, populate_existing=True).seal_number == "SLNOW10"


def test_a_second_decision_is_told_that_it_comes_too_late(manager: FlaskClient, session: Session) -> None:
    """Two managers, or two clicks: the second is told, and nothing changes."""
    _, late = wrong_pin(session)
    decide(manager, late, "void", "first")
    again = decide(manager, late, "apply", "second")
    assert again.status_code == 409
    assert "Somebody has settled this already." in words(again)
    assert status(session, late) == "void"


def test_nobody_vouches_for_his_own_act(manager: FlaskClient, session: Session) -> None:
    """Else a manager alone could stand for the second signature of what he sent. He may note and void it."""
    f.collected(session, "T1")
    late = kept(session, "manager", "lost", {"specimen": "T1"}, at=LATER + timedelta(hours=5))
    answer = decide(manager, late, "apply", "I know", occurred_at="2026-03-09T09:12")
    assert answer.status_code == 409
    assert "You did this yourself" in words(answer)
    assert (status(session, late), f.find(session, "T1").state) == ("review", "collected")
    assert decide(manager, late, "void", "a slip").status_code == 302


def test_what_does_not_fit_is_refused_with_the_reason_and_keeps_the_word(
    manager: FlaskClient, session: Session
) -> None:
    """A tube that is sealed in cannot be packed again, whatever the manager vouches for."""
    f.sealed(session, ("T1",))
    late = kept(session, "nurse", "pack", {"specimen": "T1", "box": "BX-C"})
    answer = decide(manager, late, "apply", "she says so")
    assert answer.status_code == 409
    assert "It still does not fit: " in words(answer)
    assert 'value="she says so"' in answer.get_data(as_text=True)
    assert status(session, late) == "review"


def test_a_wrong_clock_is_put_right(manager: FlaskClient, session: Session) -> None:
    """The page asks when it really happened; a time that is none stands beside its field with everything typed."""
    f.done(session, "nurse", act("register", {"specimen": "T1"}, {"tests": ["CBC"]}))
    late = kept(session, "nurse", "collect", {"specimen": "T1"}, at=LATER + timedelta(hours=5))
    page = manager.get("/review").get_data(as_text=True)
    assert 'name="occurred_at" type="datetime-local" value="2026-03-09T09:30"' in page
    wrong = decide(manager, late, "apply", occurred_at="half past nine")
    assert wrong.status_code == 400
    assert beside(wrong, "at", late) == "This is not of the right form."
    assert 'value="asked the nurse"' in wrong.get_data(as_text=True)
    assert decide(manager, late, "apply", occurred_at="2026-03-09T09:12").status_code == 302
    assert f.find(session, "T1").collected_at == f.START + timedelta(minutes=12)


@pytest.mark.parametrize(("how", "word"), [("apply", " "), ("void", ""), ("annotate", "")])
def test_no_decision_without_a_word(manager: FlaskClient, session: Session, how: str, word: str) -> None:
    """The sentence stands beside the word that is missing; the act stays open."""
    _, late = wrong_pin(session)
    answer = decide(manager, late, how, word)
    assert answer.status_code == 400
    assert beside(answer, "word", late) == "This is needed."
    assert status(session, late) == "review"


def test_only_the_manager_of_the_site_decides(
    manager: FlaskClient, session: Session, new_client: New, login: Login
) -> None:
    """The auditor reads without buttons; the other county's manager sees nothing and cannot decide it."""
    _, late = wrong_pin(session)
    auditor = login(new_client(), "auditor")
    assert "Handover" in words(auditor.get("/review?lang=en"))
    assert 'name="word"' not in auditor.get("/review").get_data(as_text=True)
    other = login(new_client(), "manager2")
    assert "Nothing to review" in words(other.get("/review?lang=en"))
    assert decide(other, late, "void").status_code == 404
    assert decide(manager, late, "forget").status_code == 400
    assert status(session, late) == "review"
