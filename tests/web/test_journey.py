"""The journey of a specimen: what it says, to whom, and that a broken record shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import flask_babel
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from logistics.clock import FixedClock
from logistics.models import AuditEntry, Consignment, CourierPosition
from logistics.queries import journey
from tests import factories as f
from tests import warm_box
from tests.factories import START, act, done

pytestmark = pytest.mark.both_databases
Login = Callable[[FlaskClient, str], FlaskClient]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def warm(session: Session, app_clock: FixedClock) -> Session:
    warm_box.build(session)
    app_clock.set(warm_box.ENDS)
    return session


def tube_id(session: Session, accession: str = warm_box.ACCESSIONS[0]) -> int:
    session.rollback()
    found = f.find(session, accession).id
    session.rollback()
    return found


def test_the_sentence_on_the_road(session: Session, app_clock: FixedClock, client: FlaskClient, login: Login) -> None:
    """'With courier … in BX-C, 4.4 °C, due at the laboratory 10:20, use by …, within limits.' In both languages."""
    f.world(session)
    warm_box.logger(session)
    number = f.fetched(session, warm_box.ACCESSIONS)
    warm_box.readings(session, [4.4] * 7)
    session.get_one(Consignment, number).expected_at = START + 80 * MINUTE
    session.commit()
    app_clock.set(START + 30 * MINUTE)
    path = f"/journey/{tube_id(session)}"
    login(client, "manager")
    page = client.get(f"{path}?lang=en").get_data(as_text=True)
    assert (
        "With courier Courier in BX-C, 4.4 °C, due at the laboratory 10:20, use by 03-11 09:00, within limits." in page
    )
    flask_babel.refresh()  # the fixture's application context keeps the language of the first request
    chinese = client.get(f"{path}?lang=zh_CN").get_data(as_text=True)
    assert "由转运员courier某转运中，箱号 BX-C，4.4 °C，预计 10:20 送达实验室" in chinese
    app_clock.set(START + 3 * 60 * MINUTE)
    flask_babel.refresh()
    later = client.get(f"{path}?lang=en").get_data(as_text=True)
    assert "temperature not known, was due at 10:20" in later


def test_the_page_holds_the_whole_way(warm: Session, client: FlaskClient, login: Login) -> None:
    """Timeline with people, places and how; chart with band; the rule with its source; the record verified."""
    login(client, "manager")
    page = client.get(f"/journey/{tube_id(warm)}?lang=en").get_data(as_text=True)
    for words in (
        "Registered", "Collected", "Packed", "Sealed", "Handover", "Arrived", "Received", "Nurse → Courier",
        "signed by PIN", "scanned", "BX-C", "&#34;temp&#34;: 12.0", "&#34;high&#34;: 8.0", "2 to 8 °C: 48 h",
        "The record is whole", "waiting for a decision",
    ):  # fmt: skip
        assert words in page, words


def test_the_patient_is_masked_and_every_reading_is_logged(warm: Session, client: FlaskClient, login: Login) -> None:
    """Neither page nor JSON holds the reference; asking for it gives it and writes who asked; couriers may not."""
    number = tube_id(warm)
    login(client, "manager")
    assert "张**" not in client.get(f"/journey/{number}").get_data(as_text=True)
    assert "张**" not in client.get(f"/api/v1/specimens/{number}/journey").get_data(as_text=True)
    assert client.post(f"/journey/{number}/patient").get_json() == {"patient_ref": "张**"}
    entry = warm.scalars(select(AuditEntry)).one()
    assert (entry.action, entry.username, entry.subject) == ("patient_ref_read", "manager", f"specimen:{number}")
    warm.rollback()
    assert login(client, "courier").post(f"/journey/{number}/patient").status_code == 403
    assert login(client, "manager2").post(f"/journey/{number}/patient").status_code == 404


def test_who_sees_which_journey(warm: Session, client: FlaskClient, login: Login) -> None:
    """Everybody who has to do with the tube; a courier only what he carried; another county nothing."""
    number = tube_id(warm)
    stray = f.collected(warm, "STRAY").id
    warm.rollback()
    for username in ("nurse", "courier", "receiver", "manager", "auditor", "cityreceiver", "dispatcher"):
        assert login(client, username).get(f"/journey/{number}").status_code == 200, username
    for username in ("nurse2", "courier2", "receiver2", "manager2"):
        assert login(client, username).get(f"/journey/{number}").status_code == 404, username
    assert login(client, "courier").get(f"/journey/{stray}").status_code == 404
    assert login(client, "admin").get(f"/journey/{number}").status_code == 403


def test_json_says_the_same(warm: Session, client: FlaskClient, login: Login) -> None:
    """Events with both times, tests with rules, verdict, chain."""
    body = login(client, "manager").get(f"/api/v1/specimens/{tube_id(warm)}/journey?lang=en").get_json()
    assert body["whole"] is True
    assert [event["type"] for event in body["events"]][-2:] == ["received", "held"]
    assert all(event["recorded_at"] >= event["occurred_at"] for event in body["events"])
    rules = body["tests"][0]["rules"]
    assert {rule["max_hours"] for rule in rules} >= {48.0}
    assert all(rule["source"] for rule in rules)
    assert 0 < body["used_share"] < 0.2
    assert body["sentence"].startswith("Received at Site COUNTY")


def test_a_broken_record_shows(warm: Session, client: FlaskClient, login: Login) -> None:
    """An event edited, or the last one removed, in the database: the page says so instead of 'whole'."""
    first, second = (tube_id(warm, accession) for accession in warm_box.ACCESSIONS)
    login(client, "manager")
    if warm.get_bind().dialect.name == "postgresql":
        warm.execute(text("SET session_replication_role = replica"))  # the log refuses changes; an intruder may not ask
    else:
        for name in warm.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
            warm.execute(text(f'DROP TRIGGER "{name}"'))
    stream = {"s": f"specimen:{first}"}
    warm.execute(
        text("UPDATE custody_event SET body = replace(body, 'CBC', 'ESR') WHERE stream = :s AND seq = 1"), stream
    )
    warm.execute(text("DELETE FROM custody_event WHERE stream = :s AND seq = 8"), {"s": f"specimen:{second}"})
    warm.commit()
    for number in (first, second):
        page = client.get(f"/journey/{number}?lang=en").get_data(as_text=True)
        assert "The record is broken" in page
        assert client.get(f"/api/v1/specimens/{number}/journey").get_json()["whole"] is False


def test_gaps_in_custody_are_gaps(session: Session, app_clock: FixedClock, client: FlaskClient, login: Login) -> None:
    """Declared missing: nobody answers for it until it is found; a stray tube came without a handover."""
    f.world(session)
    number = f.delivered(session, ("T1", "T2"))
    f.collected(session, "STRAY")
    at = START + 90 * MINUTE
    here = {"consignment": number}
    done(session, "receiver", act("declare_missing", {"specimen": "T1", **here}, at=at))
    done(
        session,
        "receiver",
        act("receive_unexpected", {"specimen": "STRAY", **here}, {"condition": "good", "reason": "UNEXPECTED"}, at=at),
    )
    found = {}
    for accession in ("T1", "T2", "STRAY"):
        tube = f.find(session, accession)
        found[accession] = journey.journey(session, tube, role="manager", now=at).gaps
    assert [(gap.kind, gap.since, gap.until) for gap in found["T1"]] == [("missing", at, None)]
    assert found["T2"] == []
    assert [(gap.kind, gap.until) for gap in found["STRAY"]] == [("unexplained", at)]
    done(session, "receiver", act("found", {"specimen": "T1"}, {"condition": "good"}, at=at + 30 * MINUTE))
    again = journey.journey(session, f.find(session, "T1"), role="manager", now=at).gaps
    assert [(gap.kind, gap.until) for gap in again] == [("missing", at + 30 * MINUTE)]
    app_clock.set(at + 60 * MINUTE)
    page = login(client, "manager").get(f"/journey/{tube_id(session, 'T1')}?lang=en").get_data(as_text=True)
    assert "Gap in custody" in page


def test_positions_are_for_those_who_manage_transport(warm: Session) -> None:
    """The drive while the courier had the tube, and nothing before or after; not for collectors and couriers."""
    for minutes in (-30, 10, 20, 90):
        warm.add(CourierPosition(username="courier", at=START + minutes * MINUTE, lat=29.7, lon=113.8))
    warm.commit()
    tube = f.find(warm, warm_box.ACCESSIONS[0])
    shown = journey.journey(warm, tube, role="dispatcher", now=warm_box.ENDS).positions
    assert [round((one.at - START) / MINUTE) for one in shown] == [10, 20]
    assert journey.journey(warm, tube, role="collector", now=warm_box.ENDS).positions == []


def test_one_number_for_two_tubes_asks(session: Session, client: FlaskClient, login: Login) -> None:
    """Two townships use '77': the city is asked, the county is led straight to its own, an unknown one is named."""
    f.world(session)
    for nurse in ("nurse", "nurse2"):
        done(session, nurse, act("register", {"specimen": "77"}, {"tests": ["CBC"]}))
    assert login(client, "manager").get("/journey?code=77").status_code == 302
    page = login(client, "cityreceiver").get("/journey?code=77&lang=en").get_data(as_text=True)
    assert "Which one?" in page
    assert "Site TOWN2" in page
    assert "No specimen 88" in client.get("/journey?code=88&lang=en").get_data(as_text=True)


def test_a_late_upload_shows_both_times(session: Session, client: FlaskClient, login: Login) -> None:
    """Collected at nine, told to the server at half past: both stand on the page."""
    f.world(session)
    done(session, "nurse", act("register", {"specimen": "T1"}, {"tests": ["CBC"]}))
    f.do(session, "nurse", act("collect", {"specimen": "T1"}), now=START + 30 * MINUTE)
    page = login(client, "manager").get(f"/journey/{tube_id(session, 'T1')}?lang=en").get_data(as_text=True)
    assert "30 min later" in page


def test_an_entry_declared_wrong_is_shown_struck_out_beside_the_declaration(
    client: FlaskClient, session: Session, login: Login
) -> None:
    """Who made the entry sees a button for it and others do not; afterwards everybody sees who declared it wrong and
    why, in the page and in the JSON."""
    f.world(session)
    tube = f.collected(session, "T1")
    page = f"/journey/{tube.id}"
    assert b'data-correct="2"' in login(client, "nurse").get(page).data
    assert b"data-correct" not in login(client, "receiver").get(page).data
    f.done(session, "nurse", f.act("correct", {"specimen": "T1"}, {"event": 2, "reason": "wrong arm"}))
    shown = login(client, "receiver").get(page).get_data(as_text=True)
    assert "is-void" in shown
    assert "wrong arm" in shown
    entries = client.get(f"/api/v1/specimens/{tube.id}/journey").json["events"]
    assert [one["declared_wrong"] for one in entries] == [False, True, False]
    assert [one["set"] for one in entries] == ["S38", "S39", None]
