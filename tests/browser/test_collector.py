"""The nurse's pages in a real Chromium, by keyboard and handheld scanner: order, collect, pack, seal, ready."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from logistics.db import db
from logistics.domain import numbers
from logistics.models import Box, Consignment, CustodyEvent, Pickup, Specimen
from tests import factories as f
from tests.browser import live

COLD_BOX = numbers.issue(numbers.Kind.BOX, 1)
WARM_BOX = numbers.issue(numbers.Kind.BOX, 2)
SEAL = numbers.issue(numbers.Kind.SEAL, 77)
MOST_BETWEEN_KEYS_S = 0.04


def scan(page: Page, code: str) -> None:
    """As a handheld scanner does: a burst of keys into whatever has the focus, then Enter.

    A busy test machine may stall between two keys, which no scanner does: then the burst is begun again.
    """
    for _ in range(20):
        last = time.monotonic()
        for character in code:
            page.keyboard.press(character)
            if time.monotonic() - last > MOST_BETWEEN_KEYS_S:
                break
            last = time.monotonic()
        else:
            page.keyboard.press("Enter")
            return
        time.sleep(0.3)
    raise AssertionError("this machine is too busy to type like a scanner")


def sign_in(page: Page, address: str, username: str) -> None:
    page.goto(f"{address}/login?lang=en")
    page.fill("#username", username)
    page.fill("#password", f.PASSWORD)
    with page.expect_navigation():
        page.click("#login-form [type=submit]")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of this file; each takes a context of its own."""
    with live.chromium() as running:
        yield running


@pytest.fixture
def ward(app: Flask, browser: Browser) -> Iterator[tuple[str, Page]]:
    """The small world on a server, and the nurse of TOWN signed in; nothing may fail in the page's scripts."""
    with app.app_context():
        f.world(db.session())
        for code, temp_class in ((COLD_BOX, "cold_2_8"), (WARM_BOX, "ambient_15_25")):
            box = Box(code=code, temp_class=temp_class, capacity=50, home_code=f.TOWN, location_code=f.TOWN)
            db.session().add(box)
        db.session().commit()
        db.session.remove()
    with ExitStack() as stack:
        address = stack.enter_context(live.serving(app))
        context = stack.enter_context(browser.new_context(viewport=live.DESK))
        page = context.new_page()
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        sign_in(page, address, "nurse")
        yield address, page
        assert not failures


def result(page: Page, panel: str, text: str) -> None:
    expect(page.locator(f"#{panel} [data-scan-result]")).to_contain_text(text)


def all_tubes(app: Flask) -> list[Specimen]:
    with app.app_context():
        found = list(db.session().scalars(select(Specimen).order_by(Specimen.id)))
        db.session.remove()
        return found


def test_orders_by_keyboard_alone(ward: tuple[str, Page], app: Flask) -> None:
    """Type-ahead by pinyin initials and by code, several in a row, the tests of the one before kept."""
    address, page = ward
    page.goto(f"{address}/collector/orders/new")
    expect(page.locator("#patient_ref")).to_be_focused()
    page.keyboard.type("张三丰")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.keyboard.type("xcg")
    expect(page.locator(".combo-option.is-active")).to_contain_text("CBC")
    page.keyboard.press("Enter")
    page.keyboard.type("hba1c")
    page.keyboard.press("Enter")
    expect(page.locator("[data-tubes]")).to_contain_text("One tube to draw")
    page.check("[name=keep_tests]")
    page.focus("#test-search")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator(".notice.tone-ok")).to_contain_text("1 tube registered")
    expect(page.locator(".combo-chips .chip")).to_have_count(2)
    for patient in ("李四", "王五"):
        page.keyboard.type(patient)
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        with page.expect_navigation():
            page.keyboard.press("Enter")
    assert [tube.patient_ref for tube in all_tubes(app)] == ["张**", "李*", "王*"]
    assert all({t.test_code for t in tube.tests} == {"CBC", "HBA1C"} for tube in all_tubes(app))


def test_a_scan_collects_and_a_failure_needs_a_reason(ward: tuple[str, Page], app: Flask) -> None:
    """Twice is once; an unknown number is refused in words; a failed collection carries its coded reason; a note with
    a number of a person is refused at its field, and all that was said is still there."""
    address, page = ward
    with app.app_context():
        for number in ("2611220047", "2611220048"):
            f.done(db.session(), "nurse", f.act("register", {"specimen": number}, {"tests": ["CBC"]}))
        db.session.remove()
    page.goto(f"{address}/collector/")
    page.wait_for_selector("#collect-scan[data-started]")
    scan(page, "2611220047")
    result(page, "collect-scan", "Collected. Use by")
    expect(page.locator('tr[data-accession="2611220047"]')).to_contain_text("Collected")
    scan(page, "2611220099")
    result(page, "collect-scan", "No specimen 2611220099 is known")
    page.click('tr[data-accession="2611220048"] [data-failed]')
    page.check('#failed-form [value="PATIENT_ABSENT"]', force=True)
    page.fill('#failed-form [name="note"]', "420281199001011234 is away")
    page.click('#failed-form [value="yes"]')
    note = page.locator('#failed-form [name="note"]')
    expect(page.locator('#failed-form [data-error-for="note"]')).to_contain_text("identity card number")
    expect(note).to_have_value("420281199001011234 is away")
    expect(page.locator('#failed-form [value="PATIENT_ABSENT"]')).to_be_checked()
    note.fill("bed 3 is away")
    page.click('#failed-form [value="yes"]')
    expect(page.locator('tr[data-accession="2611220048"]')).to_contain_text("Collection failed")
    assert [tube.state for tube in all_tubes(app)] == ["collected", "collection_failed"]


def test_pack_seal_and_tell_dispatch(ward: tuple[str, Page], app: Flask) -> None:
    """Box, tubes, the wrong class refused in words, nothing counted twice, seal, manifest, ready; all in the log."""
    address, page = ward
    with app.app_context():
        for number in ("2611220047", "2611220048"):
            f.collected(db.session(), number)
        db.session.remove()
    page.goto(f"{address}/collector/pack")
    page.wait_for_selector("[data-pack][data-started]")
    scan(page, "2611220047")
    result(page, "pack-scan", "Scan the box first")
    scan(page, WARM_BOX)
    result(page, "pack-scan", "Empty box, 15–25 °C")
    scan(page, "2611220047")
    result(page, "pack-scan", "this tube needs 2–8 °C, the box keeps 15–25 °C")
    scan(page, COLD_BOX)
    result(page, "pack-scan", "Empty box, 2–8 °C")
    for number, count in (("2611220047", 1), ("2611220048", 2)):
        scan(page, number)
        result(page, "pack-scan", f"In the box: {count}. Next laboratory: Site COUNTY")
    scan(page, "2611220048")
    result(page, "pack-scan", "Already in this box")
    expect(page.locator("[data-left]")).to_contain_text("Nothing is left behind.")
    scan(page, SEAL)
    expect(page.locator("dialog[open]")).to_contain_text(f"seal {SEAL}")
    with page.context.expect_page() as opened:
        page.keyboard.press("Enter")
    assert "/print/consignments/" in opened.value.url or opened.value.url == "about:blank"
    result(page, "pack-scan", "Sealed. The manifest is locked and prints.")
    page.click("[data-ready]")
    expect(page.locator("#calls")).to_contain_text("1 box(es) ready")
    with app.app_context():
        session = db.session()
        consignment = session.scalars(select(Consignment)).one()
        assert (consignment.state, consignment.seal_number, consignment.tube_count) == ("sealed", SEAL, 2)
        events = session.scalars(
            select(CustodyEvent.type).where(CustodyEvent.stream.like("specimen:%")).order_by(CustodyEvent.position)
        ).all()
        assert events.count("packed") == 2
        assert events.count("sealed") == 2
        assert session.scalars(select(Pickup.kind)).one() == "ready"
        db.session.remove()


def test_one_tap_registers_the_tube_that_is_collected_again(ward: tuple[str, Page], app: Flask) -> None:
    """The rejected tube leads the list; the new number links to the old one and can be printed at once."""
    address, page = ward
    with app.app_context():
        session = db.session()
        number = f.delivered(session)
        f.done(
            session,
            "receiver",
            f.act("receive", {"consignment": number, "specimen": "2611220047"}, {"condition": "good"}),
        )
        f.done(session, "receiver", f.act("reject", {"specimen": "2611220047"}, {"reason": "HAEMOLYSED"}))
        db.session.remove()
    page.goto(f"{address}/collector/outcomes")
    expect(page.locator(".strip")).to_contain_text("Sent")
    expect(page.locator("#outcomes tbody tr").first).to_contain_text("Haemolysed")
    page.click("[data-recollect]")
    expect(page.locator("#outcomes tbody tr").first).to_contain_text(re.compile(r"Again as LR260309\d{5}\w"))
    old, new = all_tubes(app)[0], all_tubes(app)[-1]
    assert (new.recollects_id, new.state) == (old.id, "registered")


def test_an_import_shows_bad_rows_and_then_imports(ward: tuple[str, Page], app: Flask) -> None:
    """The preview names the bad cell; another column chosen by hand is read again; the good file goes in."""
    address, page = ward
    page.goto(f"{address}/collector/import/")
    bad = "条码号,姓名,项目名\n2611220047,张三丰,血常规\n".encode("gb18030")
    page.set_input_files("[name=file]", {"name": "orders.csv", "mimeType": "text/csv", "buffer": bad})
    expect(page.locator("#import-result")).to_contain_text("Which column is which")
    page.locator(".mapping-row", has_text="项目名").locator("select").select_option("tests")
    page.click('#import-result [value="preview"]')
    expect(page.locator("#import-result")).to_contain_text("Import 1 tube")
    expect(page.locator("#import-result")).not_to_contain_text("张三丰")
    page.click('#import-result [value="apply"]')
    expect(page.locator("#import-result")).to_contain_text("1 tube imported.")
    assert [tube.accession for tube in all_tubes(app)] == ["2611220047"]
