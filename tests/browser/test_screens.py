"""Every main page of every role in both languages, on a desk and on a phone: it answers, nothing complains, nothing is
wider than the screen, axe finds nothing serious, no word is left untranslated.

``LABRELAY_SCREENSHOTS=DIR`` keeps a picture of every page. ``LABRELAY_README_IMAGE=ADDRESS`` of a running simulated
day paints the picture of the README again.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect

from logistics import clock as clock_module
from logistics.db import db
from tests import servers
from tests.browser import live, screens
from tests.conftest import Assembly
from web import i18n

SHOTS = os.environ.get("LABRELAY_SCREENSHOTS", "")
DEMO = os.environ.get("LABRELAY_README_IMAGE", "")
README_IMAGE = Path(__file__).resolve().parents[2] / "docs" / "images" / "board.png"
MOST_IMAGE_BYTES = 400 * 1024
DEMO_PASSWORD = "labrelay-demo"
PICTURE_AT = re.compile(r"\b10:4\d")
SIZES = {"desk": ViewportSize(width=1440, height=900), "phone": ViewportSize(width=390, height=844)}


@dataclass(frozen=True)
class Network:
    """What all pages are looked at in: one server, one browser, one seeded morning."""

    address: str
    browser: Browser
    places: dict[str, Any]
    msgids: dict[str, str]


@pytest.fixture(scope="module")
def network(no_process_left: None) -> Iterator[Network]:
    """An application of this module's own, so that its seeded morning serves every test here."""
    with ExitStack() as stack:
        made = Assembly(stack.enter_context(servers.private_folder("screens")), None)
        stack.callback(made.close)
        stack.enter_context(clock_module.using(made.clock))
        made.clock.set(screens.NOW)
        with made.app.app_context():
            places = screens.build(db.session())
            db.session.remove()
        address = stack.enter_context(live.serving(made.app))
        catalog = {str(one.id): str(one.string) for one in i18n.merged_catalog()[0] if isinstance(one.id, str)}
        words = {text: catalog.get(text, "") for _, _, text in i18n.extracted() if isinstance(text, str)}
        yield Network(address, stack.enter_context(live.chromium()), places, words)


@pytest.mark.parametrize(("lang", "size"), [("zh_CN", "desk"), ("en", "phone")])
def test_every_page_is_good(network: Network, lang: str, size: str) -> None:
    """All of screens.SCREENS as each role, one after the other; every fault of every page is named at once. A page is
    opened once in each language, on one of the screens, and then shown on the other, too."""
    faults: list[str] = []
    other = next(one for one in SIZES if one != size)
    for role in ("", *screens.PEOPLE):
        context = network.browser.new_context(
            viewport=SIZES[size], has_touch=size == "phone", is_mobile=size == "phone", service_workers="block"
        )
        viewer = screens.Viewer(context.new_page(), network.address, lang=lang, msgids=network.msgids)
        if role:
            viewer.sign_in(role)
        for screen in (one for one in screens.SCREENS if one.role == role):
            path = screen.path.format(**network.places)
            found = viewer.faults(screen, path, axe=True)
            keep(viewer.page, f"{lang}-{size}-{screen.name}")
            found += [f"{other}: {fault}" for fault in viewer.faults_at(screen, SIZES[other])]
            keep(viewer.page, f"{lang}-{other}-{screen.name}")
            viewer.page.set_viewport_size(SIZES[size])
            faults += [f"{role or 'nobody'} {path}: {fault}" for fault in found]
        context.close()
    assert not faults, "\n".join(faults)


def keep(page: Page, name: str) -> None:
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(SHOTS, f"{name}.png")), full_page=True)


if DEMO:  # not a test of the programs: paints a file, and needs a simulated day that runs

    def test_picture_for_the_readme() -> None:
        """The dispatcher's board of the simulated day at about 10:40, when couriers are on the road."""
        with live.chromium() as browser:
            page = browser.new_context(viewport=SIZES["desk"]).new_page()
            page.goto(f"{DEMO}/login?lang=en")
            page.fill("#username", "dispatch-city")
            page.fill("#password", DEMO_PASSWORD)
            with page.expect_navigation():
                page.click("#login-form [type=submit]")
            page.goto(f"{DEMO}/dispatch/board")
            page.click("[data-demo-rate='60']")
            expect(page.locator(".demo-clock")).to_have_text(PICTURE_AT, timeout=900_000)
            page.click("[data-demo-rate='0']")
            page.wait_for_timeout(8000)  # the board asks every few seconds; then the map has drawn what came
            picture = Image.open(io.BytesIO(page.screenshot()))
        README_IMAGE.parent.mkdir(parents=True, exist_ok=True)
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(README_IMAGE, optimize=True)
        assert README_IMAGE.stat().st_size < MOST_IMAGE_BYTES
