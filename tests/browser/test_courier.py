"""The courier's phone in a real Chromium: a pickup and a delivery with the signal gone in the middle, scanning,
signing, duty, the order of stops, and how heavy the page is."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics.clock import FixedClock
from logistics.db import db
from logistics.models import Act, Consignment, Courier, CourierPosition, CustodyEvent, Handover, Plan, Stop
from telemetry.models import Device, DeviceBinding, ProbeState
from tests import courier_day
from tests.browser import live
from tests.browser.test_scanner import film, label
from tests.courier_day import BOX_AMBIENT, BOX_COLD, BOX_FAR, SEALS, Loaded
from tests.factories import PASSWORD, PIN

PAGE_BUDGET_BYTES = 60 * 1024
HERE = {"latitude": 29.65, "longitude": 113.80}


class Phone:
    """The courier's phone: one page in a context of its own, signed in, in English (texts are asserted)."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context, self.address = context, address
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def sign_in(self) -> None:
        page = self.page
        page.goto(f"{self.address}/login?lang=en")
        page.fill("#username", "courier")
        page.fill("#password", PASSWORD)
        with page.expect_navigation():
            page.click("#login-form [type=submit]")
        self.open()

    def open(self, part: str = "") -> None:
        self.page.goto(f"{self.address}/courier{part}")
        self.ready()

    def ready(self) -> None:
        expect(self.page.locator("html[data-courier=ready]")).to_be_attached(timeout=20_000)

    def kept_for_no_signal(self) -> None:
        """Wait until the service worker is in charge and has the page and all of its scripts."""
        self.page.wait_for_timeout(300)
        self.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        self.page.reload()
        self.ready()
        self.page.evaluate(
            """async () => {
              for (let i = 0; i < 100; i++) {
                const pages = await caches.open('pages');
                if (navigator.serviceWorker.controller && await pages.match('/courier')
                    && await caches.match('/static/js/pages/courier-sign.js')) return true;
                await new Promise((done) => setTimeout(done, 100));
              }
              throw new Error('the page was not kept');
            }"""
        )

    def type_code(self, code: str) -> None:
        field = self.page.locator("#visit-scan [name=code]")
        field.fill(code)
        field.press("Enter")
        expect(self.page.locator("[data-scan-code]")).to_have_text(code)

    def result(self) -> Locator:
        return self.page.locator("[data-scan-result]")

    def press(self, key: str) -> None:
        self.page.locator(f"[data-key='{key}']:visible").first.click()

    def sign(self, *, who: str = "nurse", pin: str = PIN) -> None:
        self.press("sign")
        self.page.locator(f"input[name=who][value='{who}']").check(force=True)
        self.page.fill("[name=pin]", pin)
        self.page.locator("button[form=sign-form]").click()

    def sign_by_seal(self, *boxes: str) -> None:
        self.press("sign")
        self.page.locator("input[name=who][value='*seal']").check(force=True)
        for box in boxes:
            self.page.fill(f"[name='tail-{box}']", SEALS[box][-4:])
        self.page.locator("button[form=sign-form]").click()

    def waiting(self) -> list[dict[str, Any]]:
        """Rows of the outbox on this phone."""
        found = self.page.evaluate("import('/static/js/outbox.js').then((box) => box.waiting())")
        return list(found)


@pytest.fixture
def loaded(app: Flask) -> Loaded:
    with app.app_context():
        found = courier_day.build(db.session())
        db.session.remove()
    return found


@pytest.fixture
def make_phone(app: Flask, loaded: Loaded) -> Iterator[Callable[..., Phone]]:
    """Makes the courier's phone, optionally with a film as its camera."""
    with ExitStack() as stack:
        address = stack.enter_context(live.serving(app))

        def make(camera: Path | None = None) -> Phone:
            browser = stack.enter_context(live.chromium(camera=camera))
            context = browser.new_context(
                viewport=live.PHONE, has_touch=True, is_mobile=True,  # type: ignore[arg-type]
                geolocation=HERE, permissions=["geolocation"],
            )  # fmt: skip
            phone = Phone(context, address)
            phone.sign_in()
            return phone

        yield make


@pytest.fixture
def look(app: Flask) -> Callable[[Callable[[Session], Any]], Any]:
    """Read something from the database between two steps of the phone."""

    def read(query: Callable[[Session], Any]) -> Any:
        with app.app_context():
            try:
                return query(db.session())
            finally:
                db.session.expunge_all()  # before the rollback, which would empty what was read
                db.session.rollback()
                db.session.remove()

    return read


def types_done(session: Session) -> list[str]:
    """What the courier's acts were, in the order they reached the log."""
    rows = session.scalars(select(Act).where(Act.username == "courier").order_by(Act.occurred_at, Act.seq))
    return [row.type for row in rows if row.status == "done"]


def eventually(page: Page, check: Callable[[], bool], what: str) -> None:
    for _ in range(100):
        if check():
            return
        page.wait_for_timeout(150)
    raise AssertionError(what)


def test_pickup_and_delivery_with_no_signal_in_the_middle(
    make_phone: Callable[..., Phone], loaded: Loaded, look: Callable[..., Any], app_clock: FixedClock
) -> None:
    """Arrive with a signal; lose it; scan box and tubes, reload the page without a signal, scan on, sign by the seal,
    depart, drive, arrive at the laboratory; come back; every act is in the log exactly once, and delivery is signed."""
    phone = make_phone()
    page = phone.page
    phone.kept_for_no_signal()
    phone.press("arrive")
    expect(page.locator("#visit-head")).to_contain_text("Guanqiao Township Health Centre")
    eventually(page, lambda: look(types_done) == ["arrive"], "the arrival was not sent")

    phone.context.set_offline(True)
    phone.type_code(BOX_COLD)
    expect(phone.result()).to_have_class("scan-result tone-ok")
    for code in loaded.tubes[BOX_COLD][:5]:
        phone.type_code(code)
    expect(page.locator("[data-scan-count]")).to_have_text("5 / 9")

    page.reload()
    phone.ready()
    expect(page.locator("#visit-head")).to_contain_text("Guanqiao Township Health Centre")
    expect(page.locator(f"[data-box={BOX_COLD}]")).to_contain_text("checked: 5")
    for code in loaded.tubes[BOX_COLD][5:8]:
        phone.type_code(code)
    phone.type_code(BOX_AMBIENT)
    phone.press("sign")
    expect(page.locator("button[form=sign-form]")).to_be_disabled()  # one difference has no word yet
    page.locator(f"[data-difference='{loaded.tubes[BOX_COLD][8]}'] select").select_option("BROKEN")
    page.locator(".courier-sheet [data-close]").first.click()
    phone.sign_by_seal(BOX_COLD, BOX_AMBIENT)
    expect(page.locator("#sign-trouble")).to_contain_text(f"Write the number of the seal that is on {BOX_COLD} now")
    page.fill(f"[name='seal-now-{BOX_COLD}']", "sl-fresh-7")
    page.locator("button[form=sign-form]").click()
    expect(page.locator("#toasts")).to_contain_text("sent as soon as there is a signal", timeout=15_000)
    phone.press("depart")
    expect(page.locator("[data-stop].stop-next")).to_contain_text("Gaotieling")
    assert [row["type"] for row in phone.waiting()] == ["hand_over", "hand_over", "depart"]
    page.reload()
    phone.ready()
    page.locator("[data-tab=aboard]").click()
    expect(page.locator("[data-load]")).to_have_count(2)
    expect(page.locator(f"[data-load={BOX_COLD}]")).to_contain_text("Waiting to be sent")
    assert look(types_done) == ["arrive"]

    phone.context.set_offline(False)
    eventually(page, lambda: look(types_done) == ["arrive", "hand_over", "hand_over", "depart"], "not all was sent")
    assert phone.waiting() == []
    number = loaded.numbers[BOX_COLD]
    assert look(lambda session: session.get(Consignment, number).holder) == "courier"
    handover = look(lambda session: session.scalars(select(Handover).order_by(Handover.tube_count.desc())).first())
    assert (handover.tube_count, handover.refused_count, handover.method, handover.meaning) == (8, 1, "seal", "pickup")
    load = look(lambda session: session.get(Consignment, number))
    assert (load.seal_number, load.manifest_version) == ("SL-FRESH-7", 2)

    phone.open()
    expect(page.locator(".done-list")).to_contain_text("Done: 1")
    page.locator("[data-key=change]").click()
    laboratory = page.locator(f"[data-stop='stop-{loaded.stops[4]}']")
    laboratory.locator("summary").click()
    laboratory.get_by_role("button", name="Do this next").click()
    page.locator("dialog .btn-danger").click()  # boxes of the stops between would be stranded: it asks first
    expect(page.locator(".stop-next")).to_contain_text("Jiayu County")
    phone.press("arrive")
    phone.type_code(BOX_COLD)
    phone.type_code(BOX_AMBIENT)
    phone.type_code(BOX_FAR)
    expect(phone.result()).to_contain_text("Not for this stop")
    phone.sign(who="receiver", pin="9999")
    expect(page.locator("#sign-trouble")).to_contain_text("PIN is wrong", timeout=10_000)
    page.fill("[name=pin]", PIN)
    page.locator("button[form=sign-form]").click()
    expect(page.locator("#visit-boxes")).to_contain_text("Delivered")
    eventually(page, lambda: look(lambda s: s.get(Consignment, number).state) == "delivered", "not delivered")

    stream = CustodyEvent.stream == f"consignment:{number}"
    counts = select(CustodyEvent.type, func.count()).where(stream).group_by(CustodyEvent.type)
    events = look(lambda session: session.execute(counts).all())
    assert dict(events) == {"opened": 1, "sealed": 1, "resealed": 1, "handed_over": 2, "arrived": 1}
    assert phone.errors == []


def test_both_sign_on_their_own_devices_without_a_signal(
    make_phone: Callable[..., Phone], loaded: Loaded, look: Callable[..., Any], tmp_path: Path
) -> None:
    """The nurse shows a code that an independent reader reads, and signs; the courier scans it and signs; neither has
    a signal. His half arrives first: custody passes, hers is outstanding. Then hers: signed by both, one handover."""
    phone = make_phone()
    page, number = phone.page, loaded.numbers[BOX_COLD]
    browser = phone.context.browser
    assert browser is not None
    ward = browser.new_context(viewport=live.PHONE, has_touch=True, is_mobile=True)  # type: ignore[arg-type]
    nurse = ward.new_page()
    nurse.goto(f"{phone.address}/login?lang=en")
    nurse.fill("#username", "nurse")
    nurse.fill("#password", PASSWORD)
    with nurse.expect_navigation():
        nurse.click("#login-form [type=submit]")
    nurse.goto(f"{phone.address}/collector/pack")
    expect(nurse.locator("[data-pack][data-started]")).to_be_attached()
    nurse.wait_for_function("Object.keys(localStorage).some((key) => key.startsWith('labrelay.offers'))")
    ward.set_offline(True)
    nurse.click("[data-hand-over]")
    nurse.locator(f"[data-give-row='{loaded.numbers[BOX_AMBIENT]}'] input").uncheck()
    canvas = nurse.locator("canvas.offer-code")
    code = rf"^LRH1/[0-9A-F]{{32}}/P/\d{{10}}/{number}\.9/[0-9A-F]{{16}}$"
    expect(canvas).to_have_attribute("data-text", re.compile(code))
    text = str(canvas.get_attribute("data-text"))
    picture = tmp_path / "code.png"
    canvas.screenshot(path=picture)
    read = subprocess.run(["zbarimg", "-q", "--raw", str(picture)], capture_output=True, text=True, check=True)
    assert read.stdout.strip() == text
    assert "nurse" not in text

    phone.press("arrive")
    phone.context.set_offline(True)
    phone.type_code(BOX_COLD)
    page.locator("#visit-scan [name=code]").fill(text)
    page.locator("#visit-scan [name=code]").press("Enter")
    expect(phone.result()).to_contain_text("All scanned: sign now.")
    phone.press("sign")
    expect(page.locator("input[name=who][value='*app']")).to_be_checked()
    expect(page.locator("#sign-form")).to_contain_text("The code says the same.")
    page.locator("button[form=sign-form]").click()
    expect(page.locator("#toasts")).to_contain_text("sent as soon as there is a signal", timeout=15_000)
    nurse.locator("dialog.give .dialog-foot button").click()
    expect(nurse.locator("#toasts")).to_contain_text("sent as soon as there is a signal", timeout=15_000)

    def handover(session: Session) -> Handover | None:
        return session.scalars(select(Handover)).first()

    phone.context.set_offline(False)
    eventually(page, lambda: look(handover) is not None, "the taker's half was not sent")
    assert (look(handover).state, look(handover).giver, look(handover).taker) == (
        "giver_outstanding",
        "nurse",
        "courier",
    )
    assert look(lambda session: session.get(Consignment, number).holder) == "courier"
    ward.set_offline(False)
    eventually(page, lambda: look(handover).state == "signed", "the giver's half was not sent")
    assert look(lambda session: session.scalar(select(func.count()).select_from(Handover))) == 1
    assert phone.errors == []
    ward.close()


def test_lost_answer_changes_nothing(
    make_phone: Callable[..., Phone], loaded: Loaded, look: Callable[..., Any]
) -> None:
    """The server records the handover but its answer is lost on the way: the phone sends it again, the log has it
    once, and the box stays aboard instead of turning into a delivery."""
    phone = make_phone()
    phone.press("arrive")
    phone.type_code(BOX_COLD)
    lost: list[str] = []

    def lose(route: Route) -> None:
        route.fetch()
        lost.append(route.request.post_data or "")
        route.abort()

    phone.page.route("**/api/v1/acts", lose)
    phone.sign()
    eventually(phone.page, lambda: bool(lost), "nothing was sent")
    phone.page.unroute("**/api/v1/acts")
    eventually(phone.page, lambda: not phone.waiting(), "it was not sent again")
    sent = [act["id"] for act in json.loads(lost[0])["acts"]]
    count = look(lambda s: s.scalar(select(func.count()).where(CustodyEvent.act_id == sent[-1])))
    assert count == 1 + len(loaded.tubes[BOX_COLD])  # the consignment and each tube, once
    phone.page.locator("a[data-key=back]").click()
    phone.page.locator("[data-tab=aboard]").click()
    expect(phone.page.locator("[data-load]")).to_have_count(1)


def test_wrong_pin_without_a_signal_comes_back_and_is_signed_again(
    make_phone: Callable[..., Phone], loaded: Loaded, look: Callable[..., Any]
) -> None:
    """A wrong PIN cannot be told without a signal. It comes back as a message with what to do, and is signed again by
    the seal; the PIN stays on the phone nowhere."""
    phone = make_phone()
    page = phone.page
    phone.kept_for_no_signal()
    phone.press("arrive")
    phone.context.set_offline(True)
    phone.type_code(BOX_COLD)
    phone.sign(pin="1357")
    expect(page.locator("#toasts")).to_contain_text("as soon as there is a signal", timeout=15_000)
    phone.context.set_offline(False)
    eventually(page, lambda: not phone.waiting(), "it was not sent")
    page.locator("a[data-key=back]").click()
    expect(page.locator("[data-count=messages]")).to_have_text("1")
    page.locator("[data-tab=messages]").click()
    message = page.locator("[data-problem]")
    expect(message).to_contain_text("The PIN is wrong.")
    kept = page.evaluate("import('/static/js/pages/courier-store.js').then((store) => store.settled())")
    assert "1357" not in json.dumps(kept)
    message.get_by_role("button", name="Sign again").click()
    page.locator("input[name=who][value='*seal']").check(force=True)
    page.fill(f"[name='tail-{BOX_COLD}']", "0000")
    page.locator("button[form=sign-form]").click()
    expect(page.locator("#sign-trouble")).to_contain_text("do not match the seal")  # told on the phone itself
    page.fill(f"[name='tail-{BOX_COLD}']", SEALS[BOX_COLD][-4:])
    page.locator("button[form=sign-form]").click()
    expect(page.locator("[data-problem]")).to_have_count(0)
    assert look(lambda s: s.get(Consignment, loaded.numbers[BOX_COLD]).holder) == "courier"


def test_camera_scans_the_box_once(make_phone: Callable[..., Phone], tmp_path: Path) -> None:
    """The camera stays open; the label in view is taken once and stays silent; the box is marked scanned."""
    phone = make_phone(camera=film(label(BOX_COLD, 15.0), tmp_path / "box.y4m"))
    phone.press("arrive")
    phone.page.click("[data-scan-camera]")
    expect(phone.page.locator("[data-scan-code]")).to_have_text(BOX_COLD, timeout=30_000)
    expect(phone.page.locator(f"[data-box={BOX_COLD}]")).to_have_class("box-card is-scanned is-current")
    phone.page.wait_for_timeout(2500)
    expect(phone.result()).to_have_class("scan-result tone-ok")
    expect(phone.page.locator("[data-scan-count]")).to_have_text("1 / 2")
    phone.page.locator("a[data-key=back]").click()
    open_still = "Boolean(document.querySelector('#visit-scan video').srcObject)"
    eventually(phone.page, lambda: phone.page.evaluate(open_still) is False, "the camera stayed open")


def test_labels_that_do_not_belong_here(make_phone: Callable[..., Phone], loaded: Loaded) -> None:
    """Amber for what was scanned before, red with one sentence for what is not for this stop, typed or by a wedge."""
    phone = make_phone()
    phone.press("arrive")
    phone.type_code(loaded.tubes[BOX_COLD][0])
    expect(phone.result()).to_contain_text("Scan that box first")
    phone.page.locator("#visit-head h2").click()
    for _ in range(5):  # a busy machine may tear the burst of keys apart, as a bad cable would: scan again
        phone.page.keyboard.type(BOX_COLD)
        phone.page.keyboard.press("Enter")
        phone.page.wait_for_timeout(200)
        if "tubes on the manifest: 9" in phone.result().inner_text():
            break
    expect(phone.result()).to_contain_text("tubes on the manifest: 9")
    phone.type_code(loaded.tubes[BOX_COLD][0])
    phone.type_code(loaded.tubes[BOX_COLD][0])
    expect(phone.result()).to_have_class("scan-result tone-warn")
    expect(phone.page.locator("[data-scan-count]")).to_have_text("1 / 9")
    phone.type_code(BOX_FAR)
    expect(phone.result()).to_contain_text("on record it stands at Gaotieling")
    phone.type_code(loaded.tubes[BOX_FAR][0])
    expect(phone.result()).to_contain_text(f"belongs to box {BOX_FAR}")


def test_duty_and_positions(make_phone: Callable[..., Phone], look: Callable[..., Any], app_clock: FixedClock) -> None:
    """On duty the position is reported, thinned; off duty the watch ends and the server takes nothing."""
    phone = make_phone()
    page = phone.page
    assert look(lambda s: s.get(Courier, "courier").on_duty_since) is None
    page.get_by_role("switch").click()
    rows = lambda: look(lambda s: s.scalar(select(func.count()).select_from(CourierPosition)))  # noqa: E731
    eventually(page, lambda: rows() == 1, "the first position was not reported")
    phone.context.set_geolocation({"latitude": 29.6501, "longitude": 113.80})  # eleven metres: not worth a row
    phone.context.set_geolocation({"latitude": 29.66, "longitude": 113.80})  # a kilometre is
    page.wait_for_timeout(500)
    page.get_by_role("switch").click()
    eventually(page, lambda: look(lambda s: s.get(Courier, "courier").on_duty_since) is None, "still on duty")
    told = rows()
    phone.context.set_geolocation({"latitude": 29.70, "longitude": 113.80})
    page.wait_for_timeout(500)
    assert rows() == told


def test_own_order_is_told_to_dispatch_and_can_be_undone(
    make_phone: Callable[..., Phone], loaded: Loaded, look: Callable[..., Any]
) -> None:
    """Moving a stop changes the expected times that dispatch sees, says so on the page, and can be undone."""
    phone = make_phone()
    page = phone.page
    page.locator("[data-key=change]").click()
    third = loaded.stops[3]
    page.locator(f"[data-key='up-stop-{third}']").click()
    asked = page.locator("dialog .btn-danger")
    expect(asked.or_(page.locator("[data-key=undo]")).first).to_be_visible(timeout=10_000)
    if asked.is_visible():
        asked.click()
    expect(page.locator(".notice", has_text="Dispatch was told at")).to_be_visible()
    etas = look(lambda s: [s.get(Stop, one).eta_at for one in loaded.stops])
    assert etas[3] < etas[2] < etas[4]
    page.locator("[data-key=undo]").first.click()
    expect(page.locator("[data-stop]").nth(1)).to_contain_text("Gaotieling")


def test_page_weight(make_phone: Callable[..., Phone]) -> None:
    """Everything loaded until the stops are on the screen and can be worked with, before the parts for scanning, is at
    most 60 KB gzipped (in Chinese: with its words)."""
    phone = make_phone()
    phone.open("?lang=zh_CN")
    names = phone.page.evaluate(
        """() => {
          const [ready] = performance.getEntriesByName('courier-ready');
          const before = performance.getEntriesByType('resource').filter((one) => one.startTime < ready.startTime);
          return [location.href, ...new Set(before.map((one) => one.name.split('#')[0]))];
        }"""
    )
    assert any(name.endswith("/courier-today.js") for name in names)
    weights = {url: len(gzip.compress(phone.context.request.get(url).body(), 6)) for url in names if "/api/" not in url}
    total = sum(weights.values())
    listing = "\n".join(
        f"{weights[url]:7d} {url.removeprefix(phone.address)}" for url in sorted(weights, key=weights.__getitem__)
    )
    assert total <= PAGE_BUDGET_BYTES, f"{total} bytes\n{listing}"


def test_axe_finds_nothing_serious(make_phone: Callable[..., Phone]) -> None:
    """Stops, a stop with a scanned box, the signature, what is aboard: no serious or critical violation. In the dark
    nothing but the colours is another."""
    phone = make_phone()
    violations: list[str] = []

    def examine(where: str) -> None:
        phone.page.wait_for_timeout(300)
        found = Axe().run(phone.page).response["violations"]
        phone.page.emulate_media(color_scheme="dark")
        phone.page.wait_for_timeout(300)
        found += Axe().run(phone.page, options={"runOnly": ["color-contrast"]}).response["violations"]
        phone.page.emulate_media(color_scheme="light")
        violations.extend(
            f"{where}: {one['id']} {[node['target'] for node in one['nodes']][:3]}"
            for one in found
            if one["impact"] in {"serious", "critical"}
        )

    page = phone.page
    examine("stops")
    page.locator("[data-key=change]").click()
    examine("order")
    phone.press("arrive")
    phone.type_code(BOX_COLD)
    examine("scan")
    phone.press("sign")
    page.locator("input[name=who][value='*app']").check(force=True)
    examine("sign by a code")
    page.locator("input[name=who][value=nurse]").check(force=True)
    examine("sign by a PIN")
    page.fill("[name=pin]", PIN)
    page.locator("button[form=sign-form]").click()
    expect(page.locator("#visit-boxes")).to_contain_text("Picked up")
    page.locator("a[data-key=back]").click()
    page.locator("[data-tab=aboard]").click()
    examine("aboard")
    assert violations == []


def test_no_plan_and_a_changed_plan(
    make_phone: Callable[..., Phone], loaded: Loaded, look: Callable[..., Any], app: Flask
) -> None:
    """Another publication is told with what it changed; without any plan ready boxes are listed and can be fetched."""
    phone = make_phone()
    page = phone.page
    eventually(page, lambda: look(lambda s: s.get(Stop, loaded.stops[0]).seen_at) is not None, "the plan was not seen")
    known = "import('/static/js/pages/courier-store.js').then((store) => store.kept('plan')).then(Boolean)"
    eventually(page, lambda: page.evaluate(known) is True, "the phone did not remember the plan")
    with app.app_context():
        session = db.session()
        plan = session.scalars(select(Plan)).one()
        plan.state = "superseded"
        session.commit()
        fresh = courier_day.publish(session)
        session.delete(session.get_one(Stop, fresh[3]))
        session.commit()
        db.session.remove()
    phone.open()
    page.reload()
    expect(page.locator("#plan-change")).to_contain_text("No longer: Dupu Township Health Centre")
    page.locator("#plan-change button").click()
    expect(page.locator("#plan-change")).to_have_count(0)
    with app.app_context():
        session = db.session()
        for plan in session.scalars(select(Plan)):
            plan.state = "superseded"
        session.commit()
        db.session.remove()
    page.reload()
    expect(page.locator(".notice", has_text="No plan is published")).to_be_visible(timeout=10_000)
    page.locator(f"[data-key='arrive-site-{courier_day.FAR}']").click()
    phone.type_code(BOX_FAR)
    phone.sign(who="nurse3")
    expect(page.locator("#visit-boxes")).to_contain_text("Picked up", timeout=10_000)
    eventually(
        page, lambda: look(lambda s: s.get(Consignment, loaded.numbers[BOX_FAR]).holder) == "courier", "not taken"
    )
    phone.press("depart")
    expect(page.locator("[data-stop=site-COUNTY]")).to_contain_text("To deliver")


def test_a_warm_box_aboard_says_what_to_do(
    make_phone: Callable[..., Phone], loaded: Loaded, app: Flask, app_clock: FixedClock
) -> None:
    """The badge shows the logger's reading with its age; a box aboard outside its band brings the three steps."""
    with app.app_context():
        session = db.session()
        at = app_clock.now() - timedelta(minutes=2)
        session.add(Device(code="LG1", commissioned_at=at))
        session.flush()
        session.add(DeviceBinding(device_code="LG1", probe=1, box_code=BOX_COLD, bound_from=at))
        session.add(ProbeState(device_code="LG1", probe=1, newest_at=at, newest_c=9.4))
        session.commit()
        db.session.remove()
    phone = make_phone()
    page = phone.page
    expect(page.locator(".stop-next")).to_contain_text("9.4 °C 2 min ago · outside 2–8 °C")
    phone.press("arrive")
    expect(page.locator(f"[data-box={BOX_COLD}]")).to_contain_text("Show it to the staff")
    phone.type_code(BOX_COLD)
    phone.press(f"logger-{BOX_COLD}")
    phone.sign()
    expect(page.locator("#visit-boxes")).to_contain_text("Picked up", timeout=10_000)
    page.locator("a[data-key=back]").click()
    expect(page.locator(".notice.tone-danger").first).to_contain_text("Do this now")
