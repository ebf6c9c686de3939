"""The design system as people meet it: no serious finding of axe, nothing wider than the screen, in every setting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser import live

SETTINGS = [
    ("zh_CN", "light", live.PHONE),
    ("en", "dark", live.PHONE),
    ("zh_CN", "dark", live.DESK),
    ("en", "light", live.DESK),
]


@pytest.fixture
def site(app: Flask) -> Iterator[tuple[Browser, str]]:
    live.add_user(app, "admin", "administrator")
    with ExitStack() as stack:
        address = stack.enter_context(live.serving(app))
        yield stack.enter_context(live.chromium()), address


def check(page: Page, *, axe: bool = True) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the screen"
    small = page.evaluate(
        """() => [...document.querySelectorAll('body *')].filter((e) => e.getClientRects().length
        && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())
        && parseFloat(getComputedStyle(e).fontSize) < 16).map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert small == [], "text below 16 px"
    if not axe:
        return
    found = Axe().run(page).response["violations"]
    serious = [
        (violation["id"], [node["html"][:120] for node in violation["nodes"][:3]])
        for violation in found
        if violation["impact"] in {"serious", "critical"}
    ]
    assert serious == []


def test_pages_are_accessible(site: tuple[Browser, str]) -> None:
    """Login page, style guide, account and error page: axe finds nothing serious, in both languages and themes,
    on the phone and on the desk; no script fails and nothing offends the content policy."""
    browser, address = site
    for lang, theme, size in SETTINGS:
        page = browser.new_context(viewport=ViewportSize(**size), color_scheme=theme).new_page()  # type: ignore[arg-type]
        complaints: list[str] = []
        page.on("pageerror", lambda error, kept=complaints: kept.append(str(error)))
        page.on("console", lambda said, kept=complaints: kept.append(said.text) if said.type == "error" else None)
        dark = theme == "dark"  # test_screens.py asks axe about login and account in the light
        page.goto(f"{address}/login?lang={lang}")
        check(page, axe=dark)
        live.sign_in(page, address, "admin", lang=lang)
        page.goto(f"{address}/styleguide")
        expect(page.locator("#sample-icons .chip").first).to_be_visible()
        expect(page.locator("#sample-map .leaflet-marker-icon").first).to_be_visible()
        check(page)
        page.goto(f"{address}/account")
        check(page, axe=dark)
        assert complaints == []
        page.context.close()


def test_the_page_works_without_the_server(site: tuple[Browser, str]) -> None:
    """A page that was never opened says 'no connection' in words instead of the browser's own error."""
    browser, address = site
    page = browser.new_context(viewport=ViewportSize(**live.PHONE)).new_page()
    live.sign_in(page, address, "admin")
    page.goto(f"{address}/styleguide")
    page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
    page.reload()
    page.context.set_offline(True)
    page.goto(f"{address}/account")
    expect(page.locator("h1")).to_have_text("没有网络")
    page.context.set_offline(False)
    page.click("[data-reload]")
    expect(page.locator("h1")).to_have_text("账户与交接密码")
