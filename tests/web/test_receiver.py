"""Pages of the laboratory: incoming boxes, the receiving desk's state, forwarding, and whose boxes they show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.clock import FixedClock
from logistics.models import Consignment
from tests import factories as f

Login = Callable[[FlaskClient, str], FlaskClient]
LATER = f.START + timedelta(hours=1)


@pytest.fixture
def receiver(session: Session, client: FlaskClient, login: Login) -> FlaskClient:
    """The receiver of COUNTY in the small world, with English pages."""
    f.world(session)
    login(client, "receiver").get("/account?lang=en")
    return client


def receive(session: Session, number: str, accession: str, condition: str = "good") -> None:
    subject = {"consignment": number, "specimen": accession}
    f.done(session, "receiver", f.act("receive", subject, {"condition": condition}, at=LATER))


def test_a_box_is_found_by_its_own_label_and_by_the_consignment_label(receiver: FlaskClient, session: Session) -> None:
    """Both codes give the same consignment, with every expected tube and without patient references."""
    number = f.fetched(session)
    for code in ("BX-C", number):
        answer = receiver.get(f"/receiver/find.json?code={code}")
        state = answer.get_json()
        assert state["consignment"]["number"] == number
        assert state["consignment"]["holder"] == "courier"
        assert [tube["outcome"] for tube in state["tubes"]] == ["expected", "expected"]
        assert "张" not in answer.get_data(as_text=True)


def test_the_end_of_the_seal_number_is_never_sent_to_the_page(receiver: FlaskClient, session: Session) -> None:
    """The receiver proves that he holds the box by reading the seal: the page must not tell him."""
    number = f.fetched(session)
    seal = session.get_one(Consignment, number).seal_number or ""
    for path in (f"/receiver/find.json?code={number}", f"/receiver/?consignment={number}", "/receiver/incoming"):
        page = receiver.get(path).get_data(as_text=True)
        assert seal not in page, path


def test_boxes_of_another_county_are_unknown(
    receiver: FlaskClient, session: Session, new_client: Callable[[], FlaskClient], login: Login
) -> None:
    """Neither found nor listed."""
    number = f.fetched(session)
    other = login(new_client(), "receiver2")
    assert other.get(f"/receiver/find.json?code={number}").status_code == 404
    assert other.get(f"/receiver/consignments/{number}.json").status_code == 404
    assert number not in other.get("/receiver/incoming").get_data(as_text=True)
    assert number in receiver.get("/receiver/incoming").get_data(as_text=True)


def test_an_unchanged_receipt_answers_not_modified(receiver: FlaskClient, session: Session) -> None:
    """Two people poll one box: nothing new costs 304, a scan of the other one gives a new state."""
    number = f.delivered(session)
    first = receiver.get(f"/receiver/consignments/{number}.json")
    tag = {"If-None-Match": first.headers["ETag"]}
    assert receiver.get(f"/receiver/consignments/{number}.json", headers=tag).status_code == 304
    receive(session, number, "2611220047")
    changed = receiver.get(f"/receiver/consignments/{number}.json", headers=tag)
    assert changed.status_code == 200
    by_number = {tube["accession"]: tube for tube in changed.get_json()["tubes"]}
    assert by_number["2611220047"]["outcome"] == "scanned"
    assert by_number["2611220047"]["checked_by"] == "Receiver"
    assert by_number["2611220048"]["outcome"] == "expected"


def test_the_receiver_notes_the_arrival_when_the_courier_forgot(receiver: FlaskClient, session: Session) -> None:
    """A box under way is noted as arrived by the receiver who sees it, then handed over; only at its destination."""
    number = f.fetched(session)
    away = f.do(session, "cityreceiver", f.act("arrive", {"consignment": number}, site=f.CITY, at=LATER))
    assert away.result.get("arrived") == []
    done = f.done(session, "receiver", f.act("arrive", {"consignment": number}, site=f.COUNTY, at=LATER))
    assert done["arrived"] == [number]
    payload = {"other": "courier", "pin": f.PIN, "count": 2}
    f.done(session, "receiver", f.act("hand_over", {"consignment": number}, payload, site=f.COUNTY, at=LATER))
    assert receiver.get(f"/receiver/consignments/{number}.json").get_json()["consignment"]["state"] == "delivered"


def test_overdue_boxes_say_by_how_much(receiver: FlaskClient, session: Session, app_clock: FixedClock) -> None:
    """Expected two hours after pickup: at three hours the row is marked and counted."""
    f.fetched(session)
    assert "min late" not in receiver.get("/receiver/incoming").get_data(as_text=True)
    app_clock.advance(timedelta(hours=3))
    page = receiver.get("/receiver/incoming").get_data(as_text=True)
    assert "60 min late" in page
    assert "in_transit overdue" in page


def test_received_but_undecided_tubes_are_listed_until_decided(receiver: FlaskClient, session: Session) -> None:
    """A closed receipt must not hide a tube that nobody has accepted or rejected."""
    number = f.delivered(session)
    receive(session, number, "2611220047")
    receive(session, number, "2611220048", "damaged")
    f.done(session, "receiver", f.act("accept", {"specimen": "2611220047"}, at=LATER))
    f.done(session, "receiver", f.act("close_receipt", {"consignment": number}, at=LATER))
    page = receiver.get("/receiver/").get_data(as_text=True)
    assert "2611220048" in page
    assert "2611220047" not in page
    f.done(session, "receiver", f.act("reject", {"specimen": "2611220048"}, {"reason": "BROKEN"}, at=LATER))
    assert "2611220048" not in receiver.get("/receiver/").get_data(as_text=True)


def test_an_unknown_unexpected_tube_stays_on_the_receipt(receiver: FlaskClient, session: Session) -> None:
    """Logged with its reason and by whom, though no such tube exists in the network."""
    number = f.delivered(session)
    stray = f.act(
        "receive_unexpected",
        {"consignment": number, "specimen": "9999999999"},
        {"condition": "good", "reason": "UNEXPECTED", "note": "no label of ours"},
        at=LATER,
    )
    f.done(session, "receiver", stray)
    [found] = receiver.get(f"/receiver/consignments/{number}.json").get_json()["strangers"]
    assert (found["accession"], found["reason"], found["found_by"]) == ("9999999999", "UNEXPECTED", "Receiver")


def test_tubes_for_the_next_laboratory_wait_on_the_forward_page(
    receiver: FlaskClient, session: Session, new_client: Callable[[], FlaskClient], login: Login
) -> None:
    """HBA1C is done in the city: received here, it waits to be forwarded, and packs into a box for the city."""
    f.collected(session, "2611220047", ("HBA1C",))
    number = f.done(session, "nurse", f.act("pack", {"specimen": "2611220047", "box": "BX-C"}))["consignment"]
    f.done(session, "nurse", f.act("seal", {"consignment": number}, {"seal": "SL0001"}))
    f.done(
        session, "courier", f.act("hand_over", {"consignment": number}, {"seal_tail": "0001", "count": 1}, site=f.TOWN)
    )
    f.done(session, "courier", f.act("arrive", site=f.COUNTY, at=LATER))
    payload = {"other": "courier", "pin": f.PIN, "count": 1}
    f.done(session, "receiver", f.act("hand_over", {"consignment": number}, payload, site=f.COUNTY, at=LATER))
    receive(session, number, "2611220047")
    state = receiver.get("/receiver/forward.json").get_json()
    assert [tube["accession"] for tube in state["waiting"]] == ["2611220047"]
    result = f.done(session, "receiver", f.act("pack", {"specimen": "2611220047", "box": "BX-T"}, at=LATER))
    assert result["destination"] == f.CITY
    assert receiver.get("/receiver/forward").status_code == 200
    assert receiver.get("/receiver/forward.json?box=BX-T").get_json()["consignment"]["destination"] == f.CITY


def test_the_command_sheet_prints_every_command_once(receiver: FlaskClient) -> None:
    """Each reason has a command of its own that a scanner can type, and the sheet is a PDF."""
    page = receiver.get("/receiver/commands").get_data(as_text=True)
    assert "CMDXHAEMOLYSED" in page
    from web.views.receiver import command_list

    with receiver.application.test_request_context():
        from logistics.db import db

        commands = [one["command"] for one in command_list(db.session())]
    assert len(commands) == len(set(commands))
    assert all(command.isalnum() and command.isupper() and 4 <= len(command) <= 24 for command in commands)
    assert receiver.post("/print/commands").data.startswith(b"%PDF")


def test_consignments_remember_who_took_what_when(
    receiver: FlaskClient, session: Session, new_client: Callable[[], FlaskClient], login: Login
) -> None:
    """The collecting site sees both signatures of the pickup."""
    f.fetched(session)
    nurse = login(new_client(), "nurse")
    page = nurse.get("/collector/pack?lang=en").get_data(as_text=True)
    assert "nurse某 → courier某" in page
    assert session.scalars(select(Consignment.state)).one() == "in_transit"


def test_a_number_that_is_scanned_finds_the_tube_that_somebody_misses(
    receiver: FlaskClient, session: Session, new_client: Callable[[], FlaskClient], login: Login
) -> None:
    """Declared missing, it is found by its number with the consignment it was in; not before, not by another county."""
    number = f.delivered(session)
    address = "/receiver/missing.json?code=2611220048"
    assert receiver.get(address).get_json() == {"tubes": []}
    missing = f.act("declare_missing", {"specimen": "2611220048", "consignment": number}, at=LATER)
    f.done(session, "receiver", missing)
    (found,) = receiver.get(address).get_json()["tubes"]
    assert (found["accession"], found["missing_from"]) == ("2611220048", number)
    other = login(new_client(), "receiver2")
    assert other.get(address).get_json() == {"tubes": []}
