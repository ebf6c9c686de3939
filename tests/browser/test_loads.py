"""Loads on the way back and send-outs in a real Chromium: signed for, stated item by item, refused beside the field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.db import db
from logistics.models import Box, Consignment, Handover, Item
from tests import factories as f
from tests import send_outs
from tests.browser import live
from tests.browser.screens import Viewer
from tests.factories import act, done

WRONG = "1357"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with live.chromium() as running:
        yield running


@contextmanager
def office(app: Flask, browser: Browser, username: str, build: Callable[[Session], str]) -> Iterator[tuple[Page, str]]:
    """A seeded world on a server and this user signed in; gives the page, led to the address that ``build`` gave."""
    with app.app_context():
        f.world(db.session())
        path = build(db.session())
        db.session.remove()
    with ExitStack() as stack:
        address = stack.enter_context(live.serving(app))
        page = stack.enter_context(browser.new_context(viewport=live.DESK)).new_page()
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        Viewer(page, address, lang="en", msgids={}).sign_in(username)
        page.goto(address + path)
        yield page, address
        assert not failures


def note(page: Page, field: str) -> str:
    """The refusal beside a field."""
    beside = page.locator(f'.field-error[data-error-for="{field}"]')
    expect(beside).to_be_visible()
    return beside.inner_text().strip()


def ready(session: Session) -> str:
    """A box for the external laboratory that waits for both signatures."""
    send_outs.build(session)
    send_outs.received(session, ("T1", "T2"))
    return f"/send-outs/{send_outs.ready(session, ('T1', 'T2'))}"


def test_a_send_out_is_released_by_two_signatures(app: Flask, browser: Browser) -> None:
    """What is missing and what is refused stands beside its field, and nothing typed is lost; then it is signed."""
    with office(app, browser, "receiver", ready) as (page, _address):
        page.wait_for_selector("html[data-send-out]", state="attached")
        release = page.get_by_role("button", name="Release the box")
        release.click()
        assert note(page, "count") == "State how many tubes you counted."
        page.fill("#count", "1")
        page.fill("#taker_name", "王强")
        page.fill("#box_temp_c", "4,8")
        release.click()
        assert "fill in every field" in note(page, "taker_organisation")
        page.fill("#taker_organisation", "顺达冷链")
        page.select_option("#witness", "manager")
        page.fill("#witness_pin", f.PIN)
        release.click()
        assert note(page, "count") == "You counted 1, the manifest has 2. Look again."
        page.fill("#count", "2")
        page.fill("#witness_pin", WRONG)
        release.click()
        assert note(page, "witness_pin") == "The PIN is wrong."
        assert page.locator(".toast").count() == 0  # it stands beside its field
        assert page.input_value("#taker_name") == "王强"
        page.fill("#witness_pin", f.PIN)
        release.click()
        expect(page.get_by_text("confirmed by manager某 with the own PIN")).to_be_visible()
    with app.app_context():
        signed = db.session().scalars(select(Handover).where(Handover.meaning == "send_out")).one()
        assert (signed.taker_name, signed.organisation, signed.witness, signed.box_temp_c) == (
            "王强", "顺达冷链", "manager", 4.8,
        )  # fmt: skip


def brought(session: Session) -> str:
    """A bag with two items in the courier's hands, on its way to the township."""
    session.add(Box(code="BAG-1", temp_class="ambient_15_25", kind="bag", home_code=f.COUNTY, location_code=f.COUNTY))
    session.commit()
    for kind in ("report", "consumables"):
        item = done(session, "receiver", act("register_item", {}, {"kind": kind, "destination": f.TOWN}))["item"]
        load = done(session, "receiver", act("pack_item", {"item": item, "box": "BAG-1"}))["consignment"]
    done(session, "receiver", act("seal", {"consignment": load}, {"seal": "SL7000001"}))
    take = {"other": "receiver", "pin": f.PIN, "count": 2}
    done(session, "courier", act("hand_over", {"consignment": load}, take, site=f.COUNTY))
    return "/loads/incoming"


def test_the_township_signs_states_each_item_and_finishes(app: Flask, browser: Browser) -> None:
    """A wrong count is told and leaves the load where it is; nothing is received by default; one item is missing."""
    with office(app, browser, "nurse", brought) as (page, _address):
        page.wait_for_selector("html[data-loads]", state="attached")
        page.get_by_label("Items counted").fill("3")
        page.get_by_label("PIN of the courier").fill(f.PIN)
        page.get_by_role("button", name="Sign for it").click()
        expect(page.get_by_text("You counted 3")).to_be_visible()
        assert page.locator(".toast").count() == 1  # told once, by the page that waited for the answer
        page.get_by_label("Items counted").fill("2")
        assert page.get_by_label("PIN of the courier").input_value() == f.PIN
        page.get_by_role("button", name="Sign for it").click()
        expect(page.locator("#load-scan")).to_be_visible()  # the page came again, with its scanner
        finish = page.locator("[data-finish]")
        expect(finish).to_be_disabled()
        expect(finish).to_have_text(re.compile("2 items not checked yet"))
        page.locator('[data-outcome="expected"] [data-condition="good"]').first.click()
        expect(finish).to_have_text(re.compile("1 item not checked yet"))
        page.locator('[data-outcome="expected"] [data-missing]').click()
        expect(finish).to_be_enabled()
        finish.click()
        expect(page.get_by_text("Finished.")).to_be_visible()
        page.get_by_role("link", name="It has turned up…").click()
        page.wait_for_selector("html[data-loads]", state="attached")
        page.get_by_role("button", name="Found, good").click()
        expect(page.get_by_text("Received at", exact=False).first).to_be_visible()
    with app.app_context():
        session = db.session()
        assert session.scalars(select(Consignment.state).where(Consignment.kind == "return")).one() == "closed"
        assert sorted(session.scalars(select(Item.state))) == ["received", "received"]
