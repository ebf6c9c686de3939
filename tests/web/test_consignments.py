"""The record of a consignment: what it shows, which manifest holds, every print, who may see it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from logistics.clock import FixedClock
from logistics.models import Box, PrintEntry
from tests import factories as f
from tests.factories import act, done
from tests.tamper import unlocked
from web.consignment_words import countdown

pytestmark = pytest.mark.both_databases
Login = Callable[[FlaskClient, str], FlaskClient]
New = Callable[[], FlaskClient]
LATER = f.START + timedelta(minutes=30)


@pytest.fixture
def manager(session: Session, client: FlaskClient, login: Login) -> FlaskClient:
    f.world(session)
    return login(client, "manager")


def page(client: FlaskClient, number: str, query: str = "", *, lang: str = "en") -> str:
    """The record's page as plain text with single blanks."""
    answer = client.get(f"/consignments/{number}?lang={lang}{query}")
    assert answer.status_code == 200, answer.status
    found = re.sub(r"<script.*?</script>|<[^>]+>", " ", answer.get_data(as_text=True), flags=re.S)
    return " ".join(html.unescape(found).split())


def exchanged(session: Session, number: str, *, out: str, new: str) -> None:
    """The box is opened, one tube exchanged for another, and sealed again."""
    done(session, "nurse", act("unseal", {"consignment": number}, {"reason": "wrong label"}, at=LATER))
    f.collected(session, new)
    done(session, "nurse", act("unpack", {"specimen": out, "box": "BX-C"}, at=LATER))
    done(session, "nurse", act("pack", {"specimen": new, "box": "BX-C"}, at=LATER))
    done(session, "nurse", act("seal", {"consignment": number}, {"seal": "SLSECOND"}, at=LATER))


def test_the_record_tells_the_whole_way(manager: FlaskClient, session: Session) -> None:
    """A sentence, both signatures of each handover, the tubes as received, the log verified on the spot."""
    number = f.delivered(session, ("T1", "T2"))
    at = f.START + timedelta(minutes=70)
    for tube, how in (("T1", "scanned"), ("T2", "ticked")):
        receive = act("receive", {"specimen": tube, "consignment": number}, {"condition": "good"}, at=at, how=how)
        done(session, "receiver", receive)
    done(session, "receiver", act("close_receipt", {"consignment": number}, at=at))
    said = page(manager, number)
    assert "Received at Site COUNTY at 10:10, 1 scanned, 1 ticked by hand." in said
    for words in ("Pickup Site TOWN", "Delivery Site COUNTY", "Given by Nurse signed 2026-03-09 09:00",
                  "Taken by Receiver signed 2026-03-09 10:00", "box 4.6 °C", "The record is whole"):  # fmt: skip
        assert words in said, words
    assert "1 Courier Site TOWN 2026-03-09 09:00 Site COUNTY 2026-03-09 10:00" in said
    zh = page(manager, number, lang="zh_CN")
    assert "记录完整" in zh
    assert "COUNTY站" in zh


def test_a_manifest_that_was_printed_earlier_is_told_to_be_outdated(
    manager: FlaskClient, session: Session, new_client: New, login: Login, app_clock: FixedClock
) -> None:
    """Who holds the paper types its version: in force, superseded and when, or none of ours; each print is logged."""
    number = f.sealed(session, ("T1", "T2"))
    nurse = login(new_client(), "nurse")
    printed = nurse.post(f"/print/consignments/{number}/manifest", data={"version": "1"})
    assert printed.data.startswith(b"%PDF")
    assert "Version 1 of the manifest is the one in force." in page(manager, number, "&version=1")
    app_clock.set(LATER)
    exchanged(session, number, out="T2", new="T3")
    assert nurse.post(f"/print/consignments/{number}/manifest").status_code == 200
    old = page(manager, number, "&version=1")
    assert "Version 1 of the manifest was superseded 2026-03-09 09:30. Do not work from it." in old
    assert "added T3" in old
    assert "taken out T2" in old
    assert "2026-03-09 09:00 Manifest 1 Superseded 1 Nurse" in old
    assert "2026-03-09 09:30 Manifest 2 1 Nurse" in old
    assert "Version 2 of the manifest is the one in force." in page(manager, number, "&version=2")
    for version in ("9", "abc", "0"):
        assert f"no manifest with the version “{version}”" in page(manager, number, f"&version={version}")
    session.rollback()
    logged = session.execute(select(PrintEntry.username, PrintEntry.version).order_by(PrintEntry.id)).all()
    assert [tuple(row) for row in logged] == [("nurse", 1), ("nurse", 2)]


def test_no_manifest_holds_while_the_seal_is_off(manager: FlaskClient, session: Session) -> None:
    """From the moment the box is opened the printed list is not to be trusted, though no newer one exists yet."""
    number = f.sealed(session, ("T1",))
    done(session, "nurse", act("unseal", {"consignment": number}, {"reason": "tube forgotten"}, at=LATER))
    said = page(manager, number, "&version=1")
    assert "Version 1 of the manifest was superseded 2026-03-09 09:30." in said
    assert "In force" not in said
    assert "Being packed at Site TOWN in BX-C" in said


def test_the_expected_arrival_counts_down_and_is_overdue(
    manager: FlaskClient, session: Session, app_clock: FixedClock
) -> None:
    """Under way the sentence says when it is due; afterwards by how much it is late."""
    number = f.fetched(session, ("T1",))
    app_clock.set(f.START + timedelta(minutes=95))
    assert "With courier Courier in BX-C, sealed" in page(manager, number)
    assert "due 11:00" in page(manager, number)
    assert "in 25 min" in page(manager, number)
    app_clock.set(f.START + timedelta(minutes=132))
    assert "was due at 11:00, 12 min late" in page(manager, number)
    assert "12 min ago" in page(manager, number)


def test_a_box_in_two_legs_shows_both(manager: FlaskClient, session: Session) -> None:
    """Handed in unopened at the county centre: it stands there on its way to the city."""
    f.collected(session, "T1", tests=("TSH",))
    number = done(session, "nurse", act("pack", {"specimen": "T1", "box": "BX-C"}, {"through": True}))["consignment"]
    here = {"consignment": number}
    done(session, "nurse", act("seal", here, {"seal": "SLCITY01"}))
    done(session, "courier", act("hand_over", here, {"other": "nurse", "pin": f.PIN, "count": 1}, site=f.TOWN))
    transfer = {"other": "receiver", "pin": f.PIN, "count": 1, "meaning": "transfer"}
    done(session, "courier", act("hand_over", here, transfer, site=f.COUNTY, at=LATER))
    said = page(manager, number)
    assert "Standing at Site COUNTY in BX-C on its way to Site CITY" in said
    assert "Transfer Site COUNTY" in said
    again = {"other": "receiver", "pin": f.PIN, "count": 1}
    done(session, "courier", act("hand_over", here, again, site=f.COUNTY, at=LATER + timedelta(minutes=10)))
    legs = page(manager, number).partition("Leg Carried by")[2]
    assert "1 Courier Site TOWN 2026-03-09 09:00 Site COUNTY 2026-03-09 09:30" in legs
    assert "2 Courier Site COUNTY 2026-03-09 09:40 under way –" in legs


def test_a_tube_left_behind_is_named_with_its_reason(manager: FlaskClient, session: Session) -> None:
    """Eight of nine: the refused tube stands beside the handover, and the record counts what went."""
    number = f.sealed(session, ("T1", "T2"))
    refused = [{"specimen": "T2", "reason": "LEAKED"}]
    taken = {"other": "nurse", "pin": f.PIN, "count": 1, "refused": refused, "seal_now": "SLNOW01"}
    done(session, "courier", act("hand_over", {"consignment": number}, taken, site=f.TOWN))
    said = page(manager, number)
    assert "Refused at the handover T2 Leaked" in said
    assert "1 tube" in said
    assert "Why: Leaked" in said  # the second version of the manifest


def test_an_edited_log_is_called_broken(manager: FlaskClient, session: Session) -> None:
    """Somebody wrote into the database: the page does not vouch for it and names the entry."""
    number = f.fetched(session, ("T1",))
    with unlocked(session):
        session.execute(
            text("UPDATE custody_event SET body = replace(body, 'nurse', 'nobody') WHERE stream = :s AND seq = 2"),
            {"s": f"consignment:{number}"},
        )
    said = page(manager, number)
    assert "The record is broken At entry 2" in said
    assert "The record is whole" not in said


def test_a_finding_says_what_was_decided_in_words(manager: FlaskClient, session: Session) -> None:
    """The disposition is a word of the reader's language, never a code."""
    number = f.delivered(session, ("T1", "T2"))
    at = f.START + timedelta(minutes=70)
    done(session, "receiver", act("receive", {"specimen": "T1", "consignment": number}, {"condition": "good"}, at=at))
    done(session, "receiver", act("reject", {"specimen": "T1"}, {"reason": "HAEMOLYSED"}, at=at))
    done(session, "receiver", act("declare_missing", {"specimen": "T2", "consignment": number}, at=at))
    wrong = page(manager, number).partition("Alerts and nonconformities")[2]
    assert re.search(r"Nonconformity Haemolysed T1 2026-03-09 10:10 · Receiver Rejected\b", wrong)
    assert re.search(r"Nonconformity Tube missing T2 2026-03-09 10:10 · Receiver Not settled\b", wrong)


def test_a_return_load_has_a_record_too(manager: FlaskClient, session: Session) -> None:
    """Items instead of tubes, its own list to print, the same versions, handovers and log; no tube is recalled."""
    session.add(Box(code="BAG-1", temp_class="ambient_15_25", kind="bag", home_code=f.COUNTY, location_code=f.COUNTY))
    session.commit()
    item = done(session, "receiver", act("register_item", {}, {"kind": "report", "destination": f.TOWN}))["item"]
    load = done(session, "receiver", act("pack_item", {"item": item, "box": "BAG-1"}))["consignment"]
    done(session, "receiver", act("seal", {"consignment": load}, {"seal": "SLBACK01"}))
    said = page(manager, load)
    assert f"Load items 1 Number What it is On this manifest Condition Checked {item} Paper reports" in said
    assert "sealed SLBACK01, 1 load item." in said
    assert "Recall Manifest" not in said
    assert manager.post(f"/print/loads/{load}/list").data.startswith(b"%PDF")
    assert manager.post(f"/print/consignments/{load}/manifest").status_code == 409
    answer = manager.get(f"/consignments/{load}?lang=en").get_data(as_text=True)
    assert f'action="/print/loads/{load}/list"' in answer


def test_an_empty_box_on_its_way_home_has_a_record(manager: FlaskClient, session: Session) -> None:
    """Nothing inside and nothing to print, but signed for like any other."""
    session.add(Box(code="BX-HOME", temp_class="cold_2_8", home_code=f.TOWN, location_code=f.COUNTY))
    session.commit()
    home = done(session, "receiver", act("return_box", {"box": "BX-HOME"}))["consignment"]
    take = {"other": "receiver", "pin": f.PIN, "count": 0}
    done(session, "courier", act("hand_over", {"consignment": home}, take, site=f.COUNTY))
    said = page(manager, home)
    assert "With courier Courier in BX-HOME, empty box" in said
    assert "the empty box itself goes home" in said
    assert "Print" not in said.partition("Version 1")[2].partition("Alerts")[0].replace("Prints", "")


def test_only_those_concerned_see_it(manager: FlaskClient, session: Session, new_client: New, login: Login) -> None:
    """Both ends and the courier who has held it; another county, another township and another courier find nothing."""
    number = f.delivered(session, ("T1",))
    seen = {
        name: login(new_client(), name).get(f"/consignments/{number}").status_code
        for name in ("nurse", "courier", "receiver", "dispatcher", "auditor", "nurse2", "courier2", "receiver2")
    }
    assert seen == {"nurse": 200, "courier": 200, "receiver": 200, "dispatcher": 200, "auditor": 200,
                    "nurse2": 404, "courier2": 404, "receiver2": 404}  # fmt: skip
    assert manager.get("/consignments/CN0000000000").status_code == 404
    listing = manager.get("/consignments?state=open")
    assert (listing.status_code, listing.location) == (302, "/search/consignments?state=open")
    courier = login(new_client(), "courier").get(f"/consignments/{number}?lang=en").get_data(as_text=True)
    assert "Recall" not in courier
    assert "/manager/alerts/" not in courier


def test_a_whole_hour_is_said_without_minutes(app: Flask) -> None:
    """'in 1 h', not 'in 1 h 0 min', nor 'in 60 min' half a minute earlier; before and after it, in both languages."""
    said: list[str] = []
    for locale in ("en", "zh_CN"):
        with app.test_request_context(), force_locale(locale):
            said += [countdown(f.START + timedelta(minutes=n), f.START) for n in (25, 59.6, 60, 190, -120, -61, -5)]
    assert said[:7] == ["in 25 min", "in 1 h", "in 1 h", "in 3 h 10 min", "2 h ago", "1 h 1 min ago", "5 min ago"]
    assert said[8] == "1 小时后"
    assert said[11] == "2 小时前"
