"""The dispatcher in a real Chromium: a plan ordered, looked at, stopped and published; the board; an urgent call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from logistics import tasks
from logistics.clock import FixedClock
from logistics.db import db, transaction
from logistics.models import Courier, Job, Pickup, Plan, Site, Stop, User, Vehicle
from logistics.services import pickups
from routing.search import run
from tests import factories
from tests.browser import live
from tests.factories import COUNTY, START

TOWNSHIPS = 24
WORKERS = 2


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with live.chromium() as found:
        yield found


@pytest.fixture
def address(app: Flask, app_clock: FixedClock) -> Iterator[str]:
    """A server with the small world and two dozen townships, and threads that work jobs as workers do."""
    with app.app_context():
        factories.world(db.session())
        with transaction() as session:
            for number in range(TOWNSHIPS):
                session.add(
                    Site(
                        code=f"T{number}", name_zh=f"{number}镇", name_en=f"Town {number}", tier="township",
                        parent_code=COUNTY, lat=29.7 + number % 6 / 50, lon=113.8 + number // 6 / 50,
                        pickup_to_min=16 * 60,
                    )
                )  # fmt: skip
        db.session.remove()
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.1):
            with app.app_context():
                with transaction() as session:
                    waiting = list(session.scalars(select(Job.id).where(Job.state == "waiting")))
                for job_id in waiting:
                    tasks.run_job.run(job_id)

    workers = [threading.Thread(target=work) for _ in range(WORKERS)]
    with ExitStack() as stack:
        found = stack.enter_context(live.serving(app))
        for worker in workers:
            worker.start()
            stack.callback(worker.join, 30)
        stack.callback(ended.set)
        yield found


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A dispatcher of the county, signed in, in English; a script error fails the test."""
    context = browser.new_context(viewport=live.DESK)  # type: ignore[arg-type]
    found = context.new_page()
    errors: list[str] = []
    found.on("pageerror", lambda error: errors.append(str(error)))
    found.goto(f"{address}/login?lang=en")
    found.fill("#username", "dispatcher")
    found.fill("#password", factories.PASSWORD)
    with found.expect_navigation():
        found.click("#login-form [type=submit]")
    yield found
    context.close()
    assert errors == []


def order(page: Page, address: str, seconds: str = "5") -> None:
    page.goto(f"{address}/dispatch/plans")
    page.click(".page-actions [data-open=new-plan]")
    page.select_option("#seconds", seconds)
    page.click("#new-plan-form [type=submit]")
    page.wait_for_url("**/dispatch/plans/*")


def publish(page: Page) -> None:
    expect(page.locator("#plan-map .pin").first).to_be_visible(timeout=30_000)
    page.click("#publish")
    page.click("dialog[open] .btn-primary")
    expect(page.locator("#plan[data-state=published]")).to_be_visible(timeout=10_000)


def test_a_day_is_planned_looked_at_and_published(app: Flask, address: str, page: Page) -> None:
    """Form → falling cost → map, time line and tables → published stops in the database."""
    order(page, address)
    expect(page.locator("#planning-cost")).not_to_have_text("–", timeout=15_000)
    expect(page.locator("#planning-chart svg .cost-line")).to_be_attached()
    expect(page.locator("#plan-map .pin").first).to_be_visible(timeout=30_000)
    expect(page.locator(".tile").first).to_contain_text("100")
    expect(page.locator("#gantt .gantt-row")).to_have_count(1)
    page.click("#route-list [data-route='0']")
    expect(page.locator("#route-0")).to_have_attribute("open", "")
    assert page.locator("#route-0 tbody tr").count() >= TOWNSHIPS + 1
    publish(page)
    with app.app_context():
        stops = db.session.scalars(select(Stop)).all()
        assert {stop.courier for stop in stops} == {"courier"}
        assert set(db.session.scalars(select(Pickup.state))) == {"planned"}
    page.goto(f"{address}/dispatch/plans")
    expect(page.locator("#plans tbody tr")).to_have_count(1)
    expect(page.locator("#plans tbody tr")).to_contain_text("Published")


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on a search takes all its time, as that of a large day does; this small one would end by itself."""
    return lambda: monkeypatch.setattr(run, "_PATIENCE", (10**9, 0))


def test_the_stop_button_keeps_the_best(app: Flask, address: str, page: Page, endless: Callable[[], None]) -> None:
    """A search of five minutes is stopped after a moment; the plan is ready and says so."""
    endless()
    order(page, address, "300")
    expect(page.locator("#planning-cost")).not_to_have_text("–", timeout=15_000)
    began = time.monotonic()
    page.click("#stop-plan")
    expect(page.locator("#plan[data-state=ready]")).to_be_visible(timeout=20_000)
    assert time.monotonic() - began < 20
    expect(page.locator(".notice", has_text="Stopped after")).to_be_visible()
    with app.app_context():
        assert db.session.scalars(select(Plan)).one().unserved_count == 0


def test_an_urgent_call_shows_on_the_board_and_is_given_to_a_courier(app: Flask, address: str, page: Page) -> None:
    """Nobody loads the page again: the call appears, its price is shown, taking it makes a new version."""
    order(page, address)
    publish(page)
    page.goto(f"{address}/dispatch/board")
    expect(page.locator("#courier-list .courier-line")).to_have_count(1)
    expect(page.locator("#urgent-card")).to_be_hidden()
    with app.app_context(), transaction() as session:
        pickups.urgent(session, "T3", at=START, by="nurse", note="", within=timedelta(hours=4))
    expect(page.locator("#urgent-list .work")).to_contain_text("Town 3", timeout=10_000)
    page.click("#urgent-list [data-offer]")
    offer = page.locator("#offer-body .offer")
    expect(offer).to_have_count(1, timeout=5_000)
    expect(offer).to_contain_text("km")
    offer.locator("button").click()
    expect(page.locator("#urgent-card")).to_be_hidden(timeout=10_000)
    with app.app_context():
        states = db.session.scalars(select(Plan.state).order_by(Plan.id)).all()
        assert states == ["superseded", "published"]


@pytest.fixture
def draft(app: Flask, address: str, page: Page) -> str:
    """A ready plan of the county with a second courier; gives its address."""
    with app.app_context(), transaction() as session:
        session.add(User(username="second", role="courier", site_code=COUNTY, name_zh="二号", name_en="Second"))
        session.add(Vehicle(code="VAN-2", site_code=COUNTY))
        session.flush()
        session.add(Courier(username="second", vehicle_code="VAN-2", start_site_code=COUNTY, end_site_code=COUNTY))
    order(page, address)
    expect(page.locator("#plan-map .pin").first).to_be_visible(timeout=30_000)
    expect(page.locator("#gantt .gantt-row[data-courier=second]")).to_be_attached()
    expect(page.locator("body[data-ready]")).to_be_attached(timeout=20_000)
    return page.url


def stops_of(app: Flask, courier: str) -> list[str]:
    """Sites that the newest draft lets a courier visit."""
    with app.app_context():
        plan = db.session.scalars(select(Plan).order_by(Plan.id.desc())).first()
        assert plan is not None
        routes = [one for one in plan.result["routes"] if one["courier_id"] == courier]
        return [stop["site_id"] for route in routes for stop in route["stops"]]


def hold_over(page: Page, courier: str) -> None:
    """Take the first fetching stop of the courier who has most, and hold it over another's line."""
    block = page.locator("#gantt .gantt-row[data-courier=courier] .gantt-stop").first
    block.scroll_into_view_if_needed()
    box, row = block.bounding_box(), page.locator(f"#gantt .gantt-row[data-courier={courier}]").bounding_box()
    assert box is not None
    assert row is not None
    page.mouse.move(box["x"] + 4, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 20, box["y"] + 20, steps=3)
    page.mouse.move(box["x"] + 30, row["y"] + row["height"] / 2, steps=5)


def test_a_stop_is_dragged_and_its_effect_is_known_before_the_drop(app: Flask, draft: str, page: Page) -> None:
    """Kilometres and minutes beside the pointer; Escape moves nothing, letting go does; undo takes it back."""
    first = stops_of(app, "courier")[0]
    before = stops_of(app, "second")
    assert first not in before
    hold_over(page, "second")
    expect(page.locator(".drag-ghost")).to_contain_text("km", timeout=10_000)
    expect(page.locator("#gantt .gantt-target")).to_be_attached()
    page.keyboard.press("Escape")
    page.mouse.up()
    expect(page.locator(".drag-ghost")).to_have_count(0)
    assert stops_of(app, "second") == before
    hold_over(page, "second")
    expect(page.locator(".drag-ghost")).to_contain_text("min", timeout=10_000)
    page.mouse.up()
    expect(page.locator("#last-edit")).to_contain_text("Second", timeout=10_000)
    assert first in stops_of(app, "second")
    page.click("[data-edit=undo]")
    expect(page.locator("[data-edit=undo]")).to_be_disabled(timeout=10_000)
    assert first not in stops_of(app, "second")


def test_the_keyboard_moves_pins_and_locks(app: Flask, draft: str, page: Page) -> None:
    """'Move to…' says what each courier would cost, a pinned stop says why it does not move, a lock holds a route."""
    first = stops_of(app, "courier")[0]
    expect(page.locator(".route-card[data-courier=courier]")).to_have_attribute("open", "")  # the only route
    mover = page.locator(".route-card[data-courier=courier] [data-move]").first
    mover.press("Enter")
    row = page.locator("#move-body .move-row[data-courier=second]")
    expect(row).to_contain_text("km", timeout=10_000)
    row.locator("button").press("Enter")
    expect(page.locator("#last-edit")).to_contain_text("Second", timeout=10_000)
    expect(page.locator("#move-dialog")).to_be_hidden()
    assert first in stops_of(app, "second")
    card = page.locator(".route-card[data-courier=second]")
    card.locator("summary").press("Enter")
    card.locator("[data-edit=pin]").first.press("Enter")
    expect(card.locator("[data-edit=pin]").first).to_have_attribute("aria-pressed", "true", timeout=10_000)
    card.locator("[data-move]").first.press("Enter")
    expect(page.locator("#move-body .move-row[data-courier=courier]")).to_contain_text("pinned", timeout=10_000)
    page.keyboard.press("Escape")
    page.locator(".lock-button[data-courier=second]").press("Enter")
    expect(page.locator(".lock-button[data-courier=second]")).to_have_attribute("aria-pressed", "true", timeout=10_000)


def test_two_searches_run_beside_the_draft_and_one_is_taken_over(
    app: Flask, draft: str, page: Page, endless: Callable[[], None]
) -> None:
    """Each shows its falling cost and is stopped by its own button; what they found can be compared and taken."""
    endless()
    page.select_option("#improve-seconds", "300")
    for number in (1, 2):
        page.click("#improve")
        expect(page.locator("[data-improvement]")).to_have_count(number, timeout=10_000)
    running = page.locator("[data-improvement][data-state=planning]")
    expect(page.locator(".improvement .cost-line").first).to_be_attached(timeout=20_000)
    for left in (1, 0):
        running.last.locator("button").click()
        expect(running).to_have_count(left, timeout=30_000)
    page.locator("[data-improvement] [data-edit=take_over]").first.click()
    expect(page.locator("#last-edit")).to_contain_text("taken over", timeout=10_000)


def test_no_page_has_a_serious_axe_violation_in_the_dark(app: Flask, address: str, page: Page) -> None:
    """Board, list and plan; test_screens.py looks at them in the light, in both languages."""
    order(page, address)
    expect(page.locator("#plan-map .pin").first).to_be_visible(timeout=30_000)
    plan = page.url
    page.context.add_cookies([{"name": "theme", "value": "dark", "url": address}])
    for path in (f"{address}/dispatch/board", f"{address}/dispatch/plans", plan):
        page.goto(path)
        page.wait_for_load_state("networkidle") if "board" not in path else page.wait_for_timeout(1000)
        found = Axe().run(page).response["violations"]
        serious = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found
                   if one["impact"] in ("serious", "critical")]  # fmt: skip
        assert serious == [], path


def test_the_rest_of_a_day_is_replanned_without_a_courier(app: Flask, draft: str, page: Page) -> None:
    """Replan now, one courier out: what changes and what it costs is on the page before it is published."""
    publish(page)
    page.click("#replan")
    first = page.locator("#replan-form [name=out]").first
    gone = first.get_attribute("value")
    first.check()
    page.click("#replan-form [type=submit]")
    expect(page.locator("#replan-summary")).to_be_visible(timeout=30_000)
    expect(page.locator("#replan-summary")).to_contain_text("km")
    expect(page.locator("#replan-changes li s").first).to_be_visible()
    publish(page)
    with app.app_context():
        left = set(db.session.scalars(select(Stop.courier).where(Stop.state == "planned")))
        assert gone not in left
        assert left
