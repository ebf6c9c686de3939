"""One day of specimens in a real Chromium, from the order to the second tube, through the pages that people use.

Nothing is put into the database behind the pages but the network before the day begins, the readings of the logger
(through the telemetry ingest), and the worker that works out the plan.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from flask import Flask
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import tasks
from logistics.clock import FixedClock
from logistics.db import db, transaction
from logistics.domain import numbers
from logistics.models import Act, Box, Consignment, CustodyEvent, Handover, Job, Site, Specimen, User
from logistics.services import rebuild
from tests import factories as f
from tests import warm_box
from tests.browser import live
from tests.browser.test_collector import scan
from tests.browser.test_scanner import HEIGHT, WIDTH, film, label
from tests.factories import START

COLD = numbers.issue(numbers.Kind.BOX, 731)
WARM = numbers.issue(numbers.Kind.BOX, 732)
SEAL = numbers.issue(numbers.Kind.SEAL, 4711)
HAEMOLYSED, MISSING, GOOD = "2611220047", "2611220048", "2611220049"
STRANGER = "9999999999"
ORDERS = f"条码号,姓名,检验项目\n{HAEMOLYSED},张三丰,血常规\n{MISSING},李四,血常规\n{GOOD},王五,血常规\n"
PICKUP, DELIVERY = START + timedelta(minutes=35), START + timedelta(minutes=80)
READINGS_C = [5.0] * 7 + [12.0] * 10  # every five minutes: warm from the pickup on
NAMES = {f.TOWN: ("官桥镇卫生院", "Guanqiao Health Centre"), f.COUNTY: ("嘉鱼县医学检验中心", "Jiayu Laboratory")}
PEOPLE = {"nurse": "Nurse Shen", "courier": "Li Wei", "receiver": "Zhou Min", "manager": "Dr Hu"}


class Day:
    """The running application, one browser whose camera looks at a file, and a tab for each person."""

    def __init__(self, app: Flask, clock: FixedClock, browser: Browser, address: str, folder: Path) -> None:
        self.app, self.clock, self.browser, self.address = app, clock, browser, address
        self.camera = folder / "camera.y4m"
        self.folder = folder
        self.failures: list[str] = []
        self.printed: dict[str, bytes] = {}

    def person(self, username: str, **context: Any) -> Page:
        """Signed in, in English, on a desk unless ``context`` says otherwise."""
        found = self.browser.new_context(**{"viewport": live.DESK, "permissions": ["camera"], **context})
        found.route("**/print/**", self._keep)
        page = found.new_page()
        page.on("pageerror", lambda error: self.failures.append(f"{username}: {error}"))
        page.goto(f"{self.address}/login?lang=en")
        page.fill("#username", username)
        page.fill("#password", f.PASSWORD)
        with page.expect_navigation():
            page.click("#login-form [type=submit]")
        return page

    def _keep(self, route: Route) -> None:
        answer = route.fetch()
        self.printed[route.request.url.rsplit("/print/", 1)[1]] = answer.body()
        route.fulfill(response=answer)

    def read(self, query: Callable[[Session], Any]) -> Any:
        with self.app.app_context():
            try:
                return query(db.session())
            finally:
                db.session.expunge_all()
                db.session.rollback()
                db.session.remove()

    def show_camera(self, frame: Image.Image) -> None:
        """What the camera sees from its next start on."""
        film(frame, self.camera)


@pytest.fixture
def day(app: Flask, app_clock: FixedClock, tmp_path: Path) -> Iterator[Day]:
    with app.app_context():
        build(db.session())
        db.session.remove()
    ended = threading.Event()

    def work() -> None:
        """What a worker does, without a queue: takes every waiting job."""
        while not ended.wait(0.2):
            with app.app_context():
                with transaction() as session:
                    waiting = list(session.scalars(select(Job.id).where(Job.state == "waiting")))
                for job_id in waiting:
                    tasks.run_job.run(job_id)

    worker = threading.Thread(target=work)
    with ExitStack() as stack:
        address = stack.enter_context(live.serving(app))
        browser = stack.enter_context(live.chromium(camera=tmp_path / "camera.y4m"))
        worker.start()
        stack.callback(worker.join, 30)
        stack.callback(ended.set)
        found = Day(app, app_clock, browser, address, tmp_path)
        yield found
        assert found.failures == []


def build(session: Session) -> None:
    """The small world with names as in life, two boxes at the township, a logger in the cold one."""
    f.world(session)
    for code, (zh, en) in NAMES.items():
        site = session.get_one(Site, code)
        site.name_zh, site.name_en = zh, en
    for user in session.scalars(select(User).where(User.username.in_(PEOPLE))):
        user.name_en = PEOPLE[user.username]
    for code, temp_class in ((COLD, "cold_2_8"), (WARM, "ambient_15_25")):
        session.add(Box(code=code, temp_class=temp_class, capacity=50, home_code=f.TOWN, location_code=f.TOWN))
    session.commit()
    warm_box.logger(session, box=COLD)


def test_a_day_of_specimens(day: Day) -> None:
    """Order → label → collected → packed → sealed → planned → fetched without a signal → delivered warm → received,
    one rejected, one missing, one nobody knows → alerts, decisions, journeys → collected again; then the log."""
    nurse = day.person("nurse")
    typed = order_and_import(day, nurse)
    print_and_collect(day, nurse, typed)
    number = pack_seal_and_call(day, nurse, typed)
    plan_and_publish(day)
    fetch_and_deliver(day, number)
    receive(day, typed)
    manager = decide(day, typed)
    follow_journeys(day, manager, typed)
    collect_again(day, nurse)
    assert_log(day, typed, number)


def said(page: Page, panel: str, text: str) -> None:
    expect(page.locator(f"#{panel} [data-scan-result]")).to_contain_text(text, timeout=15_000)


def type_code(page: Page, panel: str, code: str) -> None:
    field = page.locator(f"#{panel} [data-scan-entry] [name=code]")
    field.fill(code)
    field.press("Enter")


def handheld(page: Page, code: str) -> None:
    """A handheld scanner, with no field in the way: what it types into one counts as typed."""
    page.locator("h1").click()
    scan(page, code)


def tube(session: Session, accession: str) -> Specimen:
    return session.scalars(select(Specimen).where(Specimen.accession == accession)).one()


# --- the township ------------------------------------------------------------------------------------------


def order_and_import(day: Day, page: Page) -> str:
    """One order by keyboard, three from the laboratory system's file. The number that the first tube got."""
    page.goto(f"{day.address}/collector/orders/new")
    page.keyboard.type("赵六")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.keyboard.type("xcg")
    expect(page.locator(".combo-option.is-active")).to_contain_text("CBC")
    page.keyboard.press("Enter")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator(".notice.tone-ok")).to_contain_text("1 tube registered")
    page.goto(f"{day.address}/collector/import/")
    page.set_input_files(
        "[name=file]", {"name": "orders.csv", "mimeType": "text/csv", "buffer": ORDERS.encode("gb18030")}
    )
    expect(page.locator("#import-result")).to_contain_text("Import 3 tubes")
    expect(page.locator("#import-result")).not_to_contain_text("张三丰")
    page.click('#import-result [value="apply"]')
    expect(page.locator("#import-result")).to_contain_text("3 tubes imported.")
    typed = day.read(lambda s: s.scalars(select(Specimen.accession).where(Specimen.accession.like("LR%"))).one())
    return str(typed)


def print_and_collect(day: Day, page: Page, typed: str) -> None:
    """The printed label is what the camera sees; a scan of it is the collection. The others are typed."""
    page.goto(f"{day.address}/collector/")
    page.wait_for_selector("#collect-scan[data-started]")
    expect(page.locator("#worklist tbody tr")).to_have_count(4)
    with page.context.expect_page() as opened:
        page.locator("[data-print-unprinted] button").click()
    page.wait_for_timeout(300)
    labels = pages_of(day.printed["specimens"], day.folder)
    assert sorted(code.text for one in labels for code in zxingcpp.read_barcodes(one)) == sorted(
        [typed, HAEMOLYSED, MISSING, GOOD]
    )
    opened.value.close()
    mine = next(one for one in labels if zxingcpp.read_barcodes(one)[0].text == typed)
    day.show_camera(in_hand(mine))
    page.click("[data-scan-camera]")
    said(page, "collect-scan", typed)
    said(page, "collect-scan", "Collected. Use by")
    page.click("[data-scan-camera]")
    for code in (HAEMOLYSED, MISSING, GOOD):
        type_code(page, "collect-scan", code)
        said(page, "collect-scan", code)
    expect(page.locator("#worklist tbody tr", has_text="Collected")).to_have_count(4)


def pages_of(pdf: bytes, folder: Path) -> list[Image.Image]:
    """The pages of a PDF as a printer of 300 dpi would put them on paper."""
    source = folder / "printed.pdf"
    source.write_bytes(pdf)
    subprocess.run(["pdftoppm", "-r", "300", "-gray", "-png", source, folder / "printed"], check=True)
    return [Image.open(BytesIO(path.read_bytes())).convert("L") for path in sorted(folder.glob("printed*.png"))]


def in_hand(paper: Image.Image) -> Image.Image:
    """A camera frame of the label, held a little askew in front of something grey."""
    turned = paper.convert("LA").rotate(6, expand=True, resample=Image.Resampling.BICUBIC)
    frame = Image.new("L", (WIDTH, HEIGHT), 120)
    place = ((WIDTH - turned.width) // 2, (HEIGHT - turned.height) // 2)
    frame.paste(turned.getchannel("L"), place, turned.getchannel("A"))
    return frame


def pack_seal_and_call(day: Day, page: Page, typed: str) -> str:
    """The warm box is refused in words; four tubes go into the cold one; sealed, printed, dispatch knows."""
    page.goto(f"{day.address}/collector/pack")
    page.wait_for_selector("[data-pack][data-started]")
    handheld(page, WARM)
    said(page, "pack-scan", "Empty box, 15–25 °C")
    type_code(page, "pack-scan", typed)
    said(page, "pack-scan", "this tube needs 2–8 °C, the box keeps 15–25 °C")
    handheld(page, COLD)
    said(page, "pack-scan", "Empty box, 2–8 °C")
    for count, code in enumerate((typed, HAEMOLYSED, MISSING, GOOD), start=1):
        type_code(page, "pack-scan", code)
        said(page, "pack-scan", f"In the box: {count}. Next laboratory: Jiayu Laboratory")
    expect(page.locator("[data-left]")).to_contain_text("Nothing is left behind.")
    handheld(page, SEAL)
    expect(page.locator("dialog[open]")).to_contain_text(f"seal {SEAL}")
    with page.context.expect_page() as opened:
        page.keyboard.press("Enter")
    said(page, "pack-scan", "Sealed. The manifest is locked and prints.")
    opened.value.close()
    number = str(day.read(lambda s: s.scalars(select(Consignment.number)).one()))
    paper = words_of(day.printed[f"consignments/{number}/manifest"], day.folder)
    for word in (number, SEAL, COLD, typed, HAEMOLYSED, MISSING, GOOD, "Jiayu Laboratory"):
        assert word in paper, f"the manifest does not say {word}"
    assert "赵六" not in paper
    page.click("[data-ready]")
    expect(page.locator("#calls")).to_contain_text("1 box(es) ready")
    return number


def words_of(pdf: bytes, folder: Path) -> str:
    source = folder / "words.pdf"
    source.write_bytes(pdf)
    run = subprocess.run(["pdftotext", "-layout", source, "-"], capture_output=True, text=True, check=True)
    return run.stdout


# --- dispatch and transport --------------------------------------------------------------------------------


def plan_and_publish(day: Day) -> None:
    """The dispatcher orders a plan, sees it on the map, publishes it."""
    page = day.person("dispatcher")
    page.goto(f"{day.address}/dispatch/plans")
    page.click(".page-actions [data-open=new-plan]")
    page.select_option("#seconds", "5")
    page.click("#new-plan-form [type=submit]")
    page.wait_for_url("**/dispatch/plans/*")
    expect(page.locator("#plan-map .pin").first).to_be_visible(timeout=40_000)
    page.click("#route-list [data-route='0']")
    expect(page.locator("#route-0")).to_contain_text("Guanqiao Health Centre")
    page.click("#publish")
    page.click("dialog[open] .btn-primary")
    expect(page.locator("#plan[data-state=published]")).to_be_visible(timeout=15_000)
    page.goto(f"{day.address}/dispatch/board")
    expect(page.locator("#courier-list .courier-line")).to_contain_text("Li Wei")
    page.context.close()


def fetch_and_deliver(day: Day, number: str) -> None:
    """On the phone: arrive, lose the signal, scan the box with the camera, sign both, depart; the signal comes back on
    the road, everything is sent; the laboratory is reached."""
    day.clock.set(PICKUP)
    page = day.person(
        "courier", viewport=live.PHONE, has_touch=True, is_mobile=True,
        geolocation={"latitude": 29.65, "longitude": 113.80}, permissions=["geolocation", "camera"],
    )  # fmt: skip
    page.goto(f"{day.address}/courier")
    ready(page)
    expect(page.locator(".stop-next")).to_contain_text("Guanqiao Health Centre")
    expect(page.locator(".stop-next")).to_contain_text("4")
    keep_for_no_signal(page)
    press(page, "arrive")
    wait_for(page, lambda: day.read(courier_acts) == ["arrive"], "the arrival was not sent")
    page.context.set_offline(True)
    day.show_camera(label(COLD, 10.0))
    page.click("[data-scan-camera]")
    expect(page.locator("[data-scan-code]")).to_have_text(COLD, timeout=30_000)
    page.click("[data-scan-camera]")
    press(page, "sign")
    page.locator("input[name=who][value=nurse]").check(force=True)
    page.fill("[name=pin]", f.PIN)
    page.locator("button[form=sign-form]").click()
    expect(page.locator("#toasts")).to_contain_text("as soon as there is a signal", timeout=15_000)
    press(page, "depart")
    expect(page.locator(".stop-next")).to_contain_text("Jiayu Laboratory")
    assert day.read(lambda s: s.get_one(Consignment, number).state) == "sealed"  # nobody knows yet
    day.clock.set(DELIVERY)
    page.context.set_offline(False)
    wait_for(page, lambda: day.read(courier_acts) == ["arrive", "hand_over", "depart"], "not everything was sent")
    with day.app.app_context():
        warm_box.readings(db.session(), READINGS_C)
        db.session.remove()
    page.goto(f"{day.address}/courier")
    page.reload()
    ready(page)
    expect(page.locator(".notice.tone-danger").first).to_contain_text("Do this now", timeout=15_000)
    press(page, "arrive")
    wait_for(page, lambda: day.read(courier_acts)[-1] == "arrive", "the arrival at the laboratory was not sent")
    page.context.close()


def courier_acts(session: Session) -> list[str]:
    """What the courier did, in the order of the phone, without what it reports by itself."""
    rows = session.scalars(select(Act).where(Act.username == "courier", Act.status == "done").order_by(Act.seq))
    return [row.type for row in rows if row.type in {"arrive", "hand_over", "depart"}]


def ready(page: Page) -> None:
    expect(page.locator("html[data-courier=ready]")).to_be_attached(timeout=20_000)


def press(page: Page, key: str) -> None:
    page.locator(f"[data-key='{key}']:visible").first.click()


def keep_for_no_signal(page: Page) -> None:
    """Until the service worker has the page and all that it needs."""
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()
    ready(page)
    page.wait_for_function(
        """async () => Boolean(navigator.serviceWorker.controller
           && await (await caches.open('pages')).match('/courier')
           && await caches.match('/static/js/pages/courier-sign.js'))""",
        timeout=20_000,
    )


def wait_for(page: Page, check: Callable[[], bool], what: str) -> None:
    for _ in range(120):
        if check():
            return
        page.wait_for_timeout(150)
    raise AssertionError(what)


# --- the laboratory ----------------------------------------------------------------------------------------


def receive(day: Day, typed: str) -> None:
    """The desk: taken over with the courier's PIN, one rejected, a stranger, one missing; closed. The two good tubes
    travelled warm, the page says so, and they wait for the manager."""
    page = day.person("receiver")
    page.goto(f"{day.address}/receiver/incoming")
    expect(page.locator("main")).to_contain_text(COLD)
    page.goto(f"{day.address}/receiver/")
    page.wait_for_selector("#desk[data-started]")
    handheld(page, COLD)
    expect(page.locator("#pin")).to_be_focused()
    page.keyboard.type(f.PIN)
    page.keyboard.press("Enter")
    said(page, "desk-scan", "Taken over.")
    expect(page.locator("[data-chips]")).to_contain_text("12.0 °C on the way")
    page.click("[data-do=good]")
    for place, code in enumerate((typed, GOOD, HAEMOLYSED), start=1):
        type_code(page, "desk-scan", code)
        said(page, "desk-scan", f"{place} of 4")
    page.click("[data-do=reject]")
    page.locator("#reason-dialog [value=HAEMOLYSED]").click()
    said(page, "desk-scan", "Rejected: Haemolysed")
    type_code(page, "desk-scan", STRANGER)
    expect(page.locator("#unexpected-dialog")).to_contain_text(STRANGER)
    page.click('#unexpected-form [value="yes"]')
    said(page, "desk-scan", "nobody in the network knows this number")
    page.click("[data-do=finish]")
    said(page, "desk-scan", "1 tubes are not checked yet")
    page.click("[data-do=missing]")
    expect(page.locator("dialog[open]")).to_contain_text(MISSING)
    page.click("dialog[open] .btn-danger")
    said(page, "desk-scan", "On record with your name")
    page.click("[data-do=finish]")
    expect(page.locator("dialog[open]")).to_contain_text("2 received tubes are not decided yet")
    page.click("dialog[open] .btn-primary")
    said(page, "desk-scan", "Receipt closed")
    page.context.close()


def decide(day: Day, typed: str) -> Page:
    """The manager: the missing tube acknowledged with a word; the excursion opened, both tubes signed for."""
    page = day.person("manager")
    page.goto(f"{day.address}/manager/alerts")
    lost = page.locator(".incident", has_text=MISSING)
    expect(lost).to_have_count(1)
    lost.locator("[data-acknowledge]").click()
    page.fill("#word", "Asked Nurse Shen to look in the refrigerator")
    page.click("#acknowledge-form [type=submit]")
    expect(lost).to_have_count(0)
    page.goto(f"{day.address}/manager/alerts?state=acknowledged")
    expect(page.locator(".incident", has_text="Asked Nurse Shen")).to_contain_text("Dr Hu")
    page.goto(f"{day.address}/manager/excursions")
    page.locator("a[href^='/manager/excursions/']:visible >> nth=0").click()
    expect(page.locator("h1")).to_contain_text(COLD)
    expect(page.locator("[data-chart] canvas").first).to_be_visible()
    expect(page.locator("tr[data-tube]")).not_to_have_count(0)
    page.check("[data-all]")
    page.select_option("[data-bulk]", "proposal")
    page.fill("#comment", "Lid stood open at the roadside for three quarters of an hour.")
    page.click("#assessment [type=submit]")
    with page.expect_navigation():
        page.click("dialog[open] .btn-primary")
    expect(page.locator(".loglines")).to_contain_text("Lid stood open")
    return page


def follow_journeys(day: Day, page: Page, typed: str) -> None:
    """By the search that stands on every page: the accepted tube, its chart, its whole record; and the rejected one."""
    page.fill("[type=search][name=q] >> nth=0", typed)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text(typed)
    expect(page.locator("[data-chart] canvas").first).to_be_visible()
    expect(page.locator("main")).to_contain_text("The record is whole")
    for word in ("Registered", "Collected", "Packed", "Sealed", "Handover", "Arrived", "Received", "Accepted"):
        expect(page.locator(".timeline")).to_contain_text(word)
    rejected = day.read(lambda s: tube(s, HAEMOLYSED).id)
    page.goto(f"{day.address}/journey/{rejected}")
    expect(page.locator(".sentence")).to_contain_text(re.compile("rejected", re.I))
    expect(page.locator(".timeline")).to_contain_text("Haemolysed")
    page.context.close()


def collect_again(day: Day, page: Page) -> None:
    """The township sees the rejection first, and one tap makes the next tube."""
    page.goto(f"{day.address}/collector/outcomes")
    row = page.locator("#outcomes tbody tr", has_text=HAEMOLYSED)
    expect(row).to_contain_text("Haemolysed")
    row.locator("[data-recollect]").click()
    expect(row).to_contain_text(re.compile(r"Again as LR260309\d{5}\w"))


# --- the record --------------------------------------------------------------------------------------------


COMMON = [
    ("sealed", "nurse", "scanned"), ("handed_over", "courier", "scanned"), ("arrived", "courier", "typed"),
    ("handed_over", "receiver", "typed"),
]  # fmt: skip
TYPED = [("registered", "nurse", "typed"), ("collected", "nurse", "scanned"), ("packed", "nurse", "typed")]
IMPORTED = [("registered", "nurse", "imported"), ("collected", "nurse", "typed"), ("packed", "nurse", "typed")]
RECEIVED, HELD = ("received", "receiver", "typed"), ("held", "receiver", "typed")
DECIDED = [HELD, ("released", "manager", "typed"), ("accepted", "manager", "typed")]


def assert_log(day: Day, typed: str, number: str) -> None:
    """Every stream holds what happened, in order, by whom and how; the log is whole and gives the same projections."""
    expected = {
        typed: [*TYPED, *COMMON, RECEIVED, *DECIDED],
        GOOD: [*IMPORTED, *COMMON, RECEIVED, *DECIDED],
        HAEMOLYSED: [*IMPORTED, *COMMON, RECEIVED, HELD, ("rejected", "receiver", "typed")],
        MISSING: [*IMPORTED, *COMMON, ("declared_missing", "receiver", "typed")],
    }
    for accession, events in expected.items():
        assert day.read(partial(log_of_tube, accession=accession)) == events
    assert day.read(lambda s: log_of(s, f"consignment:{number}")) == [
        ("opened", "nurse", "typed"),
        *COMMON,
        ("unexpected_tube", "receiver", "typed"),
        ("closed", "receiver", "typed"),
    ]
    pickup, delivery = day.read(lambda s: s.scalars(select(Handover).order_by(Handover.occurred_at)).all())
    assert (pickup.giver, pickup.taker, pickup.method, pickup.meaning) == ("nurse", "courier", "pin", "pickup")
    assert (delivery.giver, delivery.taker, delivery.method, delivery.meaning) == (
        "courier",
        "receiver",
        "pin",
        "delivery",
    )
    assert PICKUP <= pickup.occurred_at < DELIVERY <= delivery.occurred_at  # when it happened, not when it was sent
    again = day.read(lambda s: s.scalars(select(Specimen).where(Specimen.recollects_id.is_not(None))).one())
    assert (again.recollects_id, again.state) == (day.read(lambda s: tube(s, HAEMOLYSED).id), "registered")
    bodies = day.read(lambda s: s.scalars(select(CustodyEvent.body)).all())
    assert not [body for body in bodies if any(name in body for name in ("赵六", "张三丰", "李四", "王五"))]
    assert day.read(rebuild.differences) == []
    assert day.read(rebuild.verify_log) == []


def log_of_tube(session: Session, accession: str) -> list[tuple[str, str, str]]:
    return log_of(session, f"specimen:{tube(session, accession).id}")


def log_of(session: Session, stream: str) -> list[tuple[str, str, str]]:
    """What stands in a stream: (what, who, how), in order."""
    query = select(CustodyEvent).where(CustodyEvent.stream == stream).order_by(CustodyEvent.seq)
    return [(row.type, row.actor, json.loads(row.body).get("how", "")) for row in session.scalars(query)]
