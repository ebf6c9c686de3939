"""Pages of send-outs to an external laboratory: what waits under which contract, who may sign, what was signed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from logistics.clock import FixedClock
from logistics.models import Contract
from tests import factories as f
from tests import send_outs
from tests.factories import act, done

Login = Callable[[FlaskClient, str], FlaskClient]
New = Callable[[], FlaskClient]
STRANGER = {"taker_name": "王强", "taker_organisation": "顺达冷链", "witness": "manager", "pin": f.PIN, "count": 1}


@pytest.fixture
def desk(session: Session, client: FlaskClient, login: Login) -> FlaskClient:
    """The county's receiver; the county sends out under a contract."""
    f.world(session)
    send_outs.build(session)
    send_outs.received(session, ("T1", "T2"))
    login(client, "receiver").get("/account?lang=en")
    return client


def words(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.status
    return " ".join(re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True)).split())


def source(client: FlaskClient, path: str) -> str:
    return client.get(path).get_data(as_text=True)


def test_what_waits_is_listed_with_its_age_and_contract(
    desk: FlaskClient, session: Session, app_clock: FixedClock
) -> None:
    """The contract that covers it; after its last day, or closed, the page says that none is valid."""
    app_clock.set(f.START + timedelta(hours=25))
    waiting = words(desk, "/send-outs/").partition("Tubes that wait here")[2]
    assert "T1 NGS-PANEL Wuhan External Laboratory 25 h 2–8 °C WS-2026-01" in waiting
    session.get_one(Contract, send_outs.CONTRACT).valid_to = "2026-03-09"
    session.commit()
    assert "T1 NGS-PANEL Wuhan External Laboratory 25 h 2–8 °C no valid contract" in words(desk, "/send-outs/")


def test_a_sealed_box_asks_for_both_signatures(
    desk: FlaskClient, session: Session, new_client: New, login: Login
) -> None:
    """The witness is a second person of ours, never oneself; a user of the external laboratory may sign when it has
    one; whoever only reads the box from elsewhere gets no form."""
    number = send_outs.ready(session, ["T1"])
    assert re.search(
        r"BX0742J CN\w+ Wuhan External Laboratory 1 WS-2026-01 Sealed .* Release", words(desk, "/send-outs/")
    )
    page = source(desk, f"/send-outs/{number}")
    assert 'id="release"' in page
    assert '<option value="manager">Manager</option>' in page
    assert 'value="receiver"' not in page
    assert 'type="hidden" name="who" value="stranger"' in page
    send_outs.staff(session)
    page = source(desk, f"/send-outs/{number}")
    assert '<option value="extlab">Extlab</option>' in page
    assert 'type="radio" name="who" value="account"' in page
    outside = login(new_client(), "extlab")
    assert 'id="release"' not in source(outside, f"/send-outs/{number}")
    assert "Tubes that wait here" not in words(outside, "/send-outs/?lang=en")


def test_both_signatures_stand_on_the_page_and_in_the_record(
    desk: FlaskClient, session: Session, app_clock: FixedClock
) -> None:
    """Giver, taker with organisation, witness, contract, promised result; the same in the consignment's record."""
    number = send_outs.ready(session, ["T1"])
    released = act("release_send_out", {"consignment": number}, STRANGER | {"box_temp_c": "4.8"})
    done(session, "receiver", released)
    page = words(desk, f"/send-outs/{number}")
    for said in ("Send-out under contract WS-2026-01", "Result promised 2026-03-12 09:00",
                 "2026-03-09 09:00 · Sent out receiver某 → 王强 (顺达冷链)", "confirmed by manager某 with the own PIN",
                 "4.8 °C"):  # fmt: skip
        assert said in page, said
    assert 'id="release"' not in source(desk, f"/send-outs/{number}")
    record = words(desk, f"/consignments/{number}")
    for said in ("Sent out Site COUNTY", "Taken by 王强 顺达冷链 signed 2026-03-09 09:00 confirmed by Manager",
                 "confirmed by a second person · 1 tube · box 4.8 °C", "Wuhan External Laboratory"):  # fmt: skip
        assert said in record, said


def test_the_receipt_is_confirmed_by_them_or_from_their_paper(
    desk: FlaskClient, session: Session, new_client: New, login: Login
) -> None:
    """Our receiver is told that a manager does it; the manager's form says that it is from paper; theirs does not."""
    number = send_outs.ready(session, ["T1", "T2"])
    send_outs.staff(session)
    own = {"other": "extlab", "pin": f.PIN, "count": 2}
    done(session, "receiver", act("release_send_out", {"consignment": number}, own))
    assert "A manager records the receipt from the paper" in words(desk, f"/send-outs/{number}")
    assert "Confirm receipt" not in words(desk, "/send-outs/")
    assert "Extlab" in words(desk, "/send-outs/")
    manager, outside = login(new_client(), "manager"), login(new_client(), "extlab")
    assert 'data-how="imported"' in source(manager, f"/send-outs/{number}")
    assert 'name="received_by"' in source(manager, f"/send-outs/{number}")
    theirs = source(outside, f"/send-outs/{number}?lang=en")
    assert 'data-how="typed"' in theirs
    assert theirs.count('name="missing"') == 2
    assert "checked" not in theirs.partition('id="confirm"')[2].partition("</form>")[0]
    assert "Confirm receipt" in words(outside, "/send-outs/?lang=en")
    done(session, "extlab", act("confirm_send_out", {"consignment": number}, {"condition": "good", "missing": ["T2"]}))
    page = words(desk, f"/send-outs/{number}")
    assert "Received by the external laboratory" in page
    assert "T2 NGS-PANEL Declared missing" in page


def test_only_send_outs_of_the_own_sites_are_found(
    desk: FlaskClient, session: Session, new_client: New, login: Login
) -> None:
    """Another county's number, an ordinary consignment and nonsense: not found."""
    number = send_outs.ready(session, ["T1"])
    assert login(new_client(), "receiver2").get(f"/send-outs/{number}").status_code == 404
    assert number not in words(login(new_client(), "receiver2"), "/send-outs/")
    ordinary = f.sealed(session, ("T9",))
    for other in (ordinary, "CN0"):
        assert desk.get(f"/send-outs/{other}").status_code == 404
