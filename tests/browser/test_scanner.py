"""The camera scanner in a real Chromium: a fake camera shows a real Code128 label, the page reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import zxingcpp
from flask import Flask
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser import live

ACCESSION = "LR26030200047U"
WIDTH, HEIGHT = 1280, 720
FRAMES = 4


def label(text: str, tilt_deg: float) -> Image.Image:
    """A camera frame with a printed label in its middle, turned by ``tilt_deg``; shape HEIGHT × WIDTH, grey."""
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.Code128)
    bars = Image.fromarray(code.to_image(scale=3, add_quiet_zones=True)).convert("L")
    bars = bars.resize((int(bars.width * 1.0), 150), Image.Resampling.NEAREST)
    paper = Image.new("L", (bars.width + 60, 230), 245)
    paper.paste(bars, (30, 40))
    turned = paper.convert("LA").rotate(tilt_deg, expand=True, resample=Image.Resampling.BICUBIC)
    frame = Image.new("L", (WIDTH, HEIGHT), 120)
    place = ((WIDTH - turned.width) // 2, (HEIGHT - turned.height) // 2)
    frame.paste(turned.getchannel("L"), place, turned.getchannel("A"))
    return frame


def film(frame: Image.Image, path: Path) -> Path:
    """The still as a YUV4MPEG2 film (4:2:0, grey), which Chromium plays in a loop as the camera."""
    luma = frame.tobytes()
    chroma = bytes([128]) * (WIDTH * HEIGHT // 2)
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode())
        for _ in range(FRAMES):
            file.write(b"FRAME\n" + luma + chroma)
    return path


@pytest.fixture
def scan_page(app: Flask, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The style guide's scan panel, opened by an administrator, before a label tilted by ``request.param`` degrees."""
    camera = film(label(ACCESSION, request.param), tmp_path / "label.y4m")
    live.add_user(app, "admin", "administrator")
    with ExitStack() as stack:
        address = stack.enter_context(live.serving(app))
        browser = stack.enter_context(live.chromium(camera=camera))
        page = browser.new_page(viewport=live.PHONE)
        page.errors = []  # type: ignore[attr-defined]
        page.on("pageerror", lambda error: page.errors.append(str(error)))  # type: ignore[attr-defined]
        live.sign_in(page, address, "admin")
        page.goto(f"{address}/styleguide")
        yield page


@pytest.mark.parametrize("scan_page", [0.0, 15.0, -15.0], indirect=True)
def test_camera_reads_the_label(scan_page: Page) -> None:
    """The accession number is read from the camera, level and tilted by 15°, and counted once while it stays."""
    scan_page.click("[data-scan-camera]")
    result = scan_page.locator("[data-scan-result]")
    expect(result.locator("[data-scan-code]")).to_have_text(ACCESSION, timeout=30_000)
    expect(result).to_have_class(re.compile("tone-ok"))
    scan_page.wait_for_timeout(2500)
    expect(result).to_have_class(re.compile("tone-ok"))  # the same label in view stays silent
    expect(result.locator("[data-scan-count]")).to_have_text("1 / 9")
    assert scan_page.errors == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("scan_page", [0.0], indirect=True)
def test_photo_wedge_and_typing(scan_page: Page, tmp_path: Path) -> None:
    """Without a camera: a photo of the label, a keyboard scanner and typing all end in the same place, and a
    wrong check character is refused in words."""
    photo = tmp_path / "photo.png"
    label("BX0731P", 15).save(photo)
    code = scan_page.locator("[data-scan-code]")
    expect(scan_page.locator("[data-scan-camera]")).to_be_enabled()
    scan_page.set_input_files("[data-scan-photo]", photo)
    expect(code).to_have_text("BX0731P", timeout=30_000)

    scan_page.locator("h1").first.click()
    scan_page.keyboard.type(ACCESSION)
    scan_page.keyboard.press("Enter")
    expect(code).to_have_text(ACCESSION)

    scan_page.fill("[data-scan-entry] input", "lr2603020oo47x")
    scan_page.keyboard.press("Enter")
    expect(scan_page.locator("[data-scan-result]")).to_have_class(re.compile("tone-danger"))
    expect(scan_page.locator("[data-scan-sentence]")).to_have_text("校验位不对，请再核对一遍标签。")


@pytest.mark.parametrize("scan_page", [0.0], indirect=True)
def test_a_number_of_digits_alone_keeps_its_zeros(scan_page: Page, tmp_path: Path) -> None:
    """A hospital's barcode, in Code 128's set of digits: by photo, by a keyboard scanner and typed it is the same."""
    code = scan_page.locator("[data-scan-code]")
    expect(scan_page.locator("[data-scan-camera]")).to_be_enabled()
    for number in ("000123456789", "00012345678"):
        photo = tmp_path / f"{number}.png"
        label(number, 0).save(photo)
        scan_page.set_input_files("[data-scan-photo]", photo)
        expect(code).to_have_text(number, timeout=30_000)
    for number in ("000987654321", "00098765432"):
        scan_page.locator("h1").first.click()
        scan_page.keyboard.type(number)
        scan_page.keyboard.press("Enter")
        expect(code).to_have_text(number)
    scan_page.fill("[data-scan-entry] input", "000555")
    scan_page.keyboard.press("Enter")
    expect(code).to_have_text("000555")
    assert scan_page.errors == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("scan_page", [0.0], indirect=True)
def test_wedge_leaves_typing_alone(scan_page: Page) -> None:
    """Slow typing in a field stays in the field and is no scan; a burst of a whole label into the same field
    is taken as a scan and leaves the field as it was."""
    field = scan_page.locator("#sample_seal")
    field.focus()
    scan_page.keyboard.type("2611220047", delay=120)
    scan_page.keyboard.press("Tab")
    expect(field).to_have_value("2611220047")
    expect(scan_page.locator("[data-scan-code]")).not_to_have_text("2611220047")
    field.focus()
    scan_page.keyboard.press("End")
    scan_page.wait_for_timeout(200)
    scan_page.keyboard.type(ACCESSION)
    scan_page.keyboard.press("Enter")
    expect(scan_page.locator("[data-scan-code]")).to_have_text(ACCESSION)
    expect(field).to_have_value("2611220047")
