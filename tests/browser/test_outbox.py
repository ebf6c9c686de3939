"""The outbox in a real Chromium: nothing that was done on a device is lost, and nothing is deleted unanswered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page, Route, expect

from tests.browser import live

SUBMIT = """async ([type, code]) => {
  const { submit } = await import('/static/js/acts.js');
  return submit(type, { subject: { specimen: code }, how: 'typed', wait: 1500 });
}"""
WAITING = "async () => (await (await import('/static/js/outbox.js')).waiting()).map((row) => row.code)"
FLUSH = "async () => (await import('/static/js/outbox.js')).retryStuck()"


class Gate:
    """Stands in for the network between the page and the acts API; keeps what was sent."""

    def __init__(self, page: Page) -> None:
        self.sent: list[list[dict[str, Any]]] = []
        self.behave: Callable[[Route, list[dict[str, Any]]], None] = answer("done")
        page.route(re.compile(r"/api/v1/acts$"), self._handle)

    def _handle(self, route: Route) -> None:
        acts = json.loads(route.request.post_data or "{}")["acts"]
        self.sent.append(acts)
        self.behave(route, acts)


def answer(status: str, *, skip: int = 0) -> Callable[[Route, list[dict[str, Any]]], None]:
    def behave(route: Route, acts: list[dict[str, Any]]) -> None:
        answers = [
            {
                "id": act["id"],
                "status": status,
                "code": "c",
                "sentence": f"sentence {status}",
                "field": None,
                "result": {},
            }
            for act in acts[skip:]
        ]
        route.fulfill(json={"answers": answers})

    return behave


def away(route: Route, _acts: list[dict[str, Any]]) -> None:
    route.abort("internetdisconnected")


def portal(route: Route, _acts: list[dict[str, Any]]) -> None:
    route.fulfill(status=200, content_type="text/html", body="<h1>Welcome to the free Wi-Fi</h1>")


@pytest.fixture
def page(app: Flask) -> Iterator[Page]:
    live.add_user(app, "admin", "administrator")
    with ExitStack() as stack:
        address = stack.enter_context(live.serving(app))
        browser = stack.enter_context(live.chromium())
        opened = browser.new_context(viewport=live.PHONE, service_workers="block").new_page()
        live.sign_in(opened, address, "admin", lang="en")
        opened.goto(f"{address}/account")
        expect(opened.locator("#strip .strip-text")).to_have_text("Sent")
        yield opened


def test_acts_wait_and_then_go_in_order(page: Page) -> None:
    """Without a line acts wait, survive a reload, and go out in the order they were done, once."""
    gate = Gate(page)
    gate.behave = away
    assert page.evaluate(SUBMIT, ["collect", "A1"])["status"] == "waiting"
    assert page.evaluate(SUBMIT, ["collect", "A2"])["status"] == "waiting"
    expect(page.locator("#strip .strip-text")).to_have_text("2 waiting")
    page.reload()
    assert page.evaluate(WAITING) == ["A1", "A2"]
    gate.sent.clear()
    gate.behave = answer("done")
    page.evaluate(FLUSH)
    expect(page.locator("#strip .strip-text")).to_have_text("Sent")
    acts = [act for batch in gate.sent for act in batch]
    assert [act["subject"]["specimen"] for act in acts] == ["A1", "A2"]
    assert acts[0]["seq"] < acts[1]["seq"]
    assert all(act["offline"] for act in acts)
    assert page.evaluate(WAITING) == []


def test_a_bare_200_deletes_nothing(page: Page) -> None:
    """A captive portal answers 200 to everything: the acts stay."""
    gate = Gate(page)
    gate.behave = portal
    page.evaluate(SUBMIT, ["collect", "B1"])
    assert page.evaluate(WAITING) == ["B1"]
    gate.behave = lambda route, _acts: route.fulfill(json={"answers": []})
    page.evaluate(FLUSH)
    assert page.evaluate(WAITING) == ["B1"]


def test_only_the_answered_row_goes(page: Page) -> None:
    """When the server answers for one act of two, the other one stays and is sent again."""
    gate = Gate(page)
    gate.behave = away
    page.evaluate(SUBMIT, ["collect", "C1"])
    page.evaluate(SUBMIT, ["collect", "C2"])
    gate.behave = answer("duplicate", skip=1)
    page.evaluate(FLUSH)
    gate.behave = answer("done")
    page.evaluate(FLUSH)
    assert page.evaluate(WAITING) == []
    assert gate.sent[-1][0]["subject"]["specimen"] in {"C1", "C2"}


def test_a_refusal_is_shown_until_understood(page: Page) -> None:
    """A refused act leaves the queue and is shown with the server's sentence until somebody has read it."""
    gate = Gate(page)
    gate.behave = answer("refused")
    assert page.evaluate(SUBMIT, ["collect", "D1"])["status"] == "refused"
    expect(page.locator("#strip .strip-text")).to_have_text("1 need attention")
    page.click("#strip")
    expect(page.locator("#outbox-list")).to_contain_text("sentence refused")
    page.click("#outbox-list button")
    expect(page.locator("#strip .strip-text")).to_have_text("Sent")


def test_nobody_signs_out_while_something_waits(page: Page) -> None:
    """Signing out with acts on the device is refused in words; afterwards it works."""
    gate = Gate(page)
    gate.behave = away
    page.evaluate(SUBMIT, ["collect", "E1"])
    page.click("[data-menu] summary")
    page.click("form[data-signout] button")
    expect(page.locator("#outbox-dialog")).to_be_visible()
    expect(page.locator(".toast", has_text="1 acts are not sent yet")).to_be_visible()
    page.click("#outbox-dialog .dialog-foot [data-close]")
    gate.behave = answer("done")
    page.evaluate(FLUSH)
    page.click("[data-menu] summary")
    with page.expect_navigation(url=re.compile("/login")):
        page.click("form[data-signout] button")
