"""The receiving desk in a real Chromium, without a mouse: handover, tubes, decisions, missing ones, two people."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from logistics.db import db
from logistics.domain import numbers
from logistics.models import (
    Alert,
    Attachment,
    Box,
    Consignment,
    ConsignmentLine,
    CustodyEvent,
    Nonconformity,
    Specimen,
)
from tests import factories as f
from tests.browser import live
from tests.browser.test_collector import result, scan, sign_in

BOX = numbers.issue(numbers.Kind.BOX, 1)
SEAL = numbers.issue(numbers.Kind.SEAL, 77)
TUBES = ("2611220047", "2611220048", "2611220049", "2611220050")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of this file; each takes a context of its own."""
    with live.chromium() as running:
        yield running


@pytest.fixture
def desk(app: Flask, browser: Browser) -> Iterator[tuple[str, Browser, Page]]:
    """A box with four tubes under way to COUNTY, and its receiver signed in at the desk."""
    with app.app_context():
        session = db.session()
        f.world(session)
        session.add(Box(code=BOX, temp_class="cold_2_8", capacity=50, home_code=f.TOWN, location_code=f.TOWN))
        session.commit()
        number = ""
        for tube in TUBES:
            f.collected(session, tube, ("CBC", "CBC-DIFF") if tube == TUBES[1] else ("CBC",))
            number = f.done(session, "nurse", f.act("pack", {"specimen": tube, "box": BOX}))["consignment"]
        f.done(session, "nurse", f.act("seal", {"consignment": number}, {"seal": SEAL}))
        payload = {"other": "nurse", "pin": f.PIN, "count": 4}
        f.done(session, "courier", f.act("hand_over", {"consignment": number}, payload, site=f.TOWN))
        db.session.remove()
    with ExitStack() as stack:
        address = stack.enter_context(live.serving(app))
        context = stack.enter_context(browser.new_context(viewport=live.DESK))
        page = context.new_page()
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        sign_in(page, address, "receiver")
        page.goto(f"{address}/receiver/")
        expect(page.locator(".strip")).to_contain_text("Sent")
        page.wait_for_selector("#desk[data-started]")
        yield address, browser, page
        assert not failures


def take_over(page: Page) -> None:
    """Scan the box and let the courier sign with the PIN."""
    scan(page, BOX)
    expect(page.locator("#pin")).to_be_focused()
    page.keyboard.type(f.PIN)
    page.keyboard.press("Enter")
    result(page, "desk-scan", "Taken over.")


def press(page: Page, key: str) -> None:
    """A key that stands alone, as a person presses it."""
    time.sleep(0.2)
    page.keyboard.press(key)
    time.sleep(0.2)


def states(app: Flask) -> dict[str, tuple[str, str]]:
    """Every tube's state and its outcome on the manifest."""
    with app.app_context():
        rows = db.session().execute(
            select(Specimen.accession, Specimen.state, ConsignmentLine.outcome).join(
                ConsignmentLine, ConsignmentLine.specimen_id == Specimen.id
            )
        )
        found = {accession: (state, outcome) for accession, state, outcome in rows}
        db.session.remove()
        return found


def test_a_box_is_emptied_without_a_mouse(desk: tuple[str, Browser, Page], app: Flask) -> None:
    """Box, PIN, condition, tubes, one rejected by key, one missing by name, the rest accepted, closed; in the log."""
    _address, _browser, page = desk
    take_over(page)
    press(page, "g")
    result(page, "desk-scan", "Good")
    for place, tube in enumerate(TUBES[:3], start=1):
        scan(page, tube)
        result(page, "desk-scan", f"{place} of 4 · Good")
    scan(page, TUBES[0])
    result(page, "desk-scan", "Received already")
    scan(page, "2611220048")
    result(page, "desk-scan", "Received already")
    press(page, "r")
    expect(page.locator("#reason-dialog")).to_be_visible()
    press(page, page.locator('#reason-dialog [value="HAEMOLYSED"] kbd').inner_text())
    result(page, "desk-scan", "Rejected: Haemolysed")
    press(page, "f")
    result(page, "desk-scan", "1 tubes are not checked yet")
    press(page, "m")
    expect(page.locator("dialog[open]")).to_contain_text("2611220050")
    page.keyboard.press("Enter")
    result(page, "desk-scan", "On record with your name")
    press(page, "a")
    expect(page.locator("dialog[open]")).to_contain_text("Accept 2 tubes?")
    page.keyboard.press("Enter")
    result(page, "desk-scan", "2 accepted")
    press(page, "f")
    result(page, "desk-scan", "Receipt closed")
    assert states(app) == {
        "2611220047": ("accepted", "scanned"),
        "2611220048": ("rejected", "scanned"),
        "2611220049": ("accepted", "scanned"),
        "2611220050": ("missing", "missing"),
    }
    with app.app_context():
        session = db.session()
        assert session.scalars(select(Consignment.state)).one() == "closed"
        missing = session.scalars(select(CustodyEvent).where(CustodyEvent.type == "declared_missing")).one()
        assert missing.actor == "receiver"
        assert session.scalars(select(Alert.kind)).one() == "missing"
        received = session.scalars(select(CustodyEvent.body).where(CustodyEvent.type == "received")).all()
        assert len(received) == 3
        assert all('"condition":"good"' in body and '"how":"scanned"' in body for body in received)
        db.session.remove()


def test_nothing_is_assumed_about_the_condition(desk: tuple[str, Browser, Page], app: Flask) -> None:
    """Tubes scanned before the condition was stated wait; stating it records them; it can be changed by a key."""
    _address, _browser, page = desk
    take_over(page)
    for tube in TUBES[:2]:
        scan(page, tube)
        result(page, "desk-scan", "State the condition")
    assert set(states(app).values()) == {("delivered", "expected")}
    press(page, "g")
    result(page, "desk-scan", "2 tubes recorded as Good")
    press(page, "d")
    scan(page, TUBES[2])
    result(page, "desk-scan", "3 of 4 · Damaged")
    with app.app_context():
        lines = db.session().execute(select(Specimen.accession, Specimen.condition)).all()
        db.session.remove()
    assert dict(map(tuple, lines)) == {
        TUBES[0]: "good", TUBES[1]: "good", TUBES[2]: "damaged", TUBES[3]: None,
    }  # fmt: skip


def test_one_test_and_a_whole_box_are_decided_with_a_photo(
    desk: tuple[str, Browser, Page], app: Flask, tmp_path: Path
) -> None:
    """One of two tests rejected with a photo, the seal noted on the box, the rest held at once; one tube turns up
    after the receipt was closed, without its box."""
    _address, _browser, page = desk
    photo = tmp_path / "tube.png"
    Image.effect_noise((2400, 1800), 40).save(photo)
    take_over(page)
    for tube in TUBES[:3]:
        scan(page, tube)
        result(page, "desk-scan", "State the condition")
    press(page, "g")
    result(page, "desk-scan", "3 tubes recorded as Good")
    scan(page, TUBES[1])
    press(page, "r")
    page.check('#reason-dialog [name="test"][value="CBC-DIFF"]')
    page.set_input_files("#reason-dialog input[type=file]", photo)
    expect(page.locator("#reason-dialog .photo-preview")).to_be_visible()
    page.click('#reason-dialog [value="QNS"]')
    result(page, "desk-scan", "The tube stays for the rest.")
    press(page, "b")
    page.check('#box-dialog [value="box"]')
    page.select_option("#box-reason", "SEAL_BROKEN")
    page.click('#box-form [value="yes"]')
    result(page, "desk-scan", "Noted on the box: Box seal broken.")
    press(page, "b")
    page.check('#box-dialog [value="hold"]')
    page.select_option("#box-reason", "BOX_NOT_COLD")
    expect(page.locator("[data-box-count]")).to_have_text("3 received tubes that are not decided.")
    page.click('#box-form [value="yes"]')
    result(page, "desk-scan", "3 tubes on hold")
    press(page, "m")
    page.keyboard.press("Enter")
    result(page, "desk-scan", "On record with your name")
    press(page, "f")
    page.keyboard.press("Enter")
    result(page, "desk-scan", "Receipt closed")
    press(page, "Escape")
    page.click('[data-do="other"]')
    page.wait_for_selector("#desk[data-started]")
    scan(page, TUBES[3])
    page.click("dialog[open] .choice-grid button:first-child")
    result(page, "desk-scan", "Found and received.")
    assert states(app)[TUBES[3]] == ("received", "late")
    with app.app_context():
        session = db.session()
        kept = session.scalars(select(Attachment)).one()
        assert max(kept.width_px, kept.height_px) == 1600
        found = session.execute(select(Nonconformity.reason_code, Nonconformity.disposition, Nonconformity.photo)).all()
        db.session.remove()
    assert ("QNS", "reject_tests", kept.sha256) in found
    assert sorted(kind for _, kind, _ in found) == ["found", "hold", "hold", "hold", "noted", "reject_tests"]


def test_the_seal_takes_the_place_of_an_absent_courier(desk: tuple[str, Browser, Page], app: Flask) -> None:
    """A wrong PIN is refused and signs nothing; scanning the seal is proof enough; a wrong box is not opened."""
    _address, _browser, page = desk
    scan(page, BOX)
    expect(page.locator("#pin")).to_be_focused()
    page.keyboard.type("9999")
    page.keyboard.press("Enter")
    result(page, "desk-scan", "The PIN is wrong.")
    page.keyboard.press("Escape")
    scan(page, SEAL)
    result(page, "desk-scan", "Taken over.")
    with app.app_context():
        assert db.session().scalars(select(Consignment.state)).one() == "delivered"
        db.session.remove()


def test_a_tube_that_is_not_on_the_list_needs_a_reason(desk: tuple[str, Browser, Page], app: Flask) -> None:
    """Unknown to everybody: it shows on the receipt as a stranger and is never counted as received."""
    _address, _browser, page = desk
    take_over(page)
    press(page, "g")
    scan(page, "9999999999")
    expect(page.locator("#unexpected-dialog")).to_contain_text("9999999999")
    page.click('#unexpected-form [value="yes"]')
    result(page, "desk-scan", "nobody in the network knows this number")
    expect(page.locator("[data-done-tubes]")).to_contain_text("Unknown tube")
    expect(page.locator('[data-n="received"]')).to_have_text("0")


def test_a_scan_into_an_open_question_answers_nothing(desk: tuple[str, Browser, Page], app: Flask) -> None:
    """A tube scanned while the reasons are shown must not choose the reason of its digits."""
    _address, _browser, page = desk
    take_over(page)
    press(page, "g")
    scan(page, TUBES[0])
    result(page, "desk-scan", "1 of 4")
    press(page, "r")
    expect(page.locator("#reason-dialog")).to_be_visible()
    scan(page, TUBES[1])
    time.sleep(0.5)
    expect(page.locator("#reason-dialog")).to_be_visible()
    assert states(app)[TUBES[0]] == ("received", "scanned")
    scan(page, "CMDXCLOTTED")
    result(page, "desk-scan", "Rejected: Clotted")


def test_two_people_share_one_box(desk: tuple[str, Browser, Page], app: Flask) -> None:
    """What one scans the other sees within seconds, by name, and neither counts it twice."""
    address, browser, page = desk
    take_over(page)
    press(page, "g")
    context = browser.new_context(viewport=live.DESK)
    other = context.new_page()
    sign_in(other, address, "manager")
    other.goto(page.url)
    other.wait_for_selector("#desk[data-started]")
    expect(other.locator('[data-n="open"]')).to_have_text("4")
    scan(page, TUBES[0])
    result(page, "desk-scan", "1 of 4")
    expect(other.locator('[data-n="received"]')).to_have_text("1")
    expect(other.locator("[data-done-tubes]")).to_contain_text("Receiver")
    scan(other, TUBES[0])
    result(other, "desk-scan", "Received already")
    context.close()


def test_the_desk_is_accessible_at_every_step(desk: tuple[str, Browser, Page]) -> None:
    """axe finds nothing serious on a desk and on a phone: start, handover, receiving. Whole pages: test_screens.py."""
    _address, _browser, page = desk

    def check(where: str) -> None:
        for size in (live.PHONE, live.DESK):
            page.set_viewport_size(size)
            time.sleep(0.2)
            found = [v for v in Axe().run(page).response["violations"] if v["impact"] in {"serious", "critical"}]
            assert not found, (where, size, [(v["id"], v["nodes"][0]["html"][:200]) for v in found])

    check("start")
    scan(page, BOX)
    check("handover")
    page.keyboard.type(f.PIN)
    page.keyboard.press("Enter")
    press(page, "g")
    scan(page, TUBES[0])
    check("receiving")
