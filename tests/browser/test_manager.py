"""The manager at work in a real browser: an alert comes by itself, is acknowledged, the tubes are signed for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, ViewportSize, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import tasks
from logistics.clock import FixedClock
from logistics.db import db, transaction
from logistics.integrity import prepared
from logistics.integrity.bundle_check import verify_bundle
from logistics.models import Alert, CustodyEvent, Job, Specimen
from logistics.services import alerts
from telemetry import devices
from telemetry.ingest import Incoming, store_batch
from telemetry.models import ExcursionRow
from tests import factories as f
from tests import warm_box
from tests.browser import live
from tests.browser.test_styleguide import check


@pytest.fixture
def office(app: Flask, app_clock: FixedClock) -> Iterator[tuple[Browser, str]]:
    """The warm box and a browser in front of the running application."""
    with app.app_context():
        warm_box.build(db.session())
        db.session.remove()
    app_clock.set(warm_box.ENDS)
    with ExitStack() as stack:
        address = stack.enter_context(live.serving(app))
        yield stack.enter_context(live.chromium()), address


def enter(page: Page, address: str, username: str, *, lang: str = "zh_CN") -> list[str]:
    """Sign in as one of the small world; gives the list that complaints of scripts and policy go to."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"{address}/login?lang={lang}")
    page.fill("#username", username)
    page.fill("#password", f.PASSWORD)
    with page.expect_navigation():
        page.click("#login-form [type=submit]")
    return complaints


def first_excursion(app: Flask) -> int:
    with app.app_context():
        found = db.session.scalars(select(ExcursionRow.id).order_by(ExcursionRow.id)).all()[0]
        db.session.remove()
    return found


def test_an_alert_comes_by_itself_and_is_acknowledged(app: Flask, office: tuple[Browser, str]) -> None:
    """The open inbox shows a new incident within seconds; a word acknowledges it; the tab moves on. On the phone."""
    browser, address = office
    page = browser.new_context(viewport=ViewportSize(**live.PHONE)).new_page()
    complaints = enter(page, address, "manager")
    page.goto(f"{address}/manager/alerts")
    expect(page.locator(".incident")).to_have_count(1)
    with app.app_context(), transaction() as session:
        raise_overdue(session)
    expect(page.locator(".incident")).to_have_count(2, timeout=8000)
    late = page.locator(".incident", has_text="BX-T")
    late.locator("[data-acknowledge]").click()
    page.click("#acknowledge-form [type=submit]")
    expect(page.locator("#word-note")).to_be_visible()  # a word is needed
    page.click("[data-word] >> nth=1")
    page.click("#acknowledge-form [type=submit]")
    expect(page.locator(".incident")).to_have_count(1)
    with app.app_context():
        alert = db.session.scalars(select(Alert).where(Alert.kind == "overdue")).one()
        assert (alert.acknowledged_by, bool(alert.comment)) == ("manager", True)
        db.session.remove()
    assert [text for text in complaints if "400" not in text] == []


def raise_overdue(session: Session) -> None:
    alerts.raise_alert(
        session,
        kind="overdue",
        severity="warning",
        site_code=f.COUNTY,
        origin_code=f.TOWN,
        box_code="BX-T",
        incident_key="overdue:x",
        params={"expected_at": f.START.isoformat(), "destination": f.COUNTY},
        occurred_at=f.START,
        now=warm_box.ENDS,
    )


def test_dispositions_are_chosen_in_bulk_and_signed(app: Flask, office: tuple[Browser, str]) -> None:
    """As proposed for all, one changed to rejected with a reason; the signature stands on the log of both tubes."""
    browser, address = office
    page = browser.new_context(viewport=ViewportSize(**live.DESK)).new_page()
    complaints = enter(page, address, "manager", lang="en")
    page.goto(f"{address}/manager/excursions/{first_excursion(app)}")
    expect(page.locator("[data-chart] canvas").first).to_be_visible()
    page.check("[data-all]")
    page.select_option("[data-bulk]", "proposal")
    row = page.locator("tr[data-tube]").nth(1)
    row.locator("[data-disposition]").select_option("reject")
    page.fill("#comment", "Box stood beside the heater.")
    page.click("#assessment [type=submit]")
    expect(row.locator("[data-row-error]")).to_have_text("A reason is needed.")
    row.locator("[data-reason]").select_option("HAEMOLYSED")
    page.click("#assessment [type=submit]")
    with page.expect_navigation():
        page.click("dialog[open] .btn-primary")
    expect(page.locator(".loglines")).to_contain_text("Box stood beside the heater.")
    with app.app_context():
        states = db.session.scalars(select(Specimen.state).order_by(Specimen.accession)).all()
        signed = db.session.scalars(select(CustodyEvent.actor).where(CustodyEvent.type == "rejected")).all()
        db.session.remove()
    assert (states, signed) == (["accepted", "rejected"], ["manager"])
    assert complaints == []


def test_the_pages_are_accessible(app: Flask, office: tuple[Browser, str]) -> None:
    """Inbox, alert, excursions, one excursion, indicators, search, journey: axe finds nothing serious, nothing is wider
    than the screen, no text is small, no script fails; on the desk, and on the phone in the
    dark. test_screens.py asks axe in the light."""
    browser, address = office
    with app.app_context():
        tube = db.session.scalars(select(Specimen.id)).first()
        alert = db.session.scalars(select(Alert.id)).first()
        db.session.remove()
    paths = [
        "/manager/alerts", f"/manager/alerts/{alert}", "/manager/excursions",
        f"/manager/excursions/{first_excursion(app)}", "/manager/dashboard", "/search?q=BX-C", f"/journey/{tube}",
        "/journey?code=nothing",
    ]  # fmt: skip
    for lang, theme, size in (("zh_CN", "light", live.DESK), ("en", "dark", live.PHONE)):
        context = browser.new_context(viewport=ViewportSize(**size), color_scheme=theme)  # type: ignore[arg-type]
        page = context.new_page()
        complaints = enter(page, address, "manager", lang=lang)
        for path in paths:
            page.goto(f"{address}{path}")
            page.wait_for_load_state("networkidle") if "alerts" not in path else page.wait_for_timeout(300)
            check(page, axe=theme == "dark")
        assert complaints == []
        context.close()


def test_chart_map_and_timeline_share_a_cursor(app: Flask, office: tuple[Browser, str]) -> None:
    """Pointing at an event moves the cursor of chart and map and says the temperature of that moment."""
    browser, address = office
    with app.app_context():
        tube = db.session.scalars(select(Specimen.id)).first()
        db.session.remove()
    page = browser.new_context(viewport=ViewportSize(**live.DESK)).new_page()
    complaints = enter(page, address, "manager", lang="en")
    page.goto(f"{address}/journey/{tube}")
    expect(page.locator("[data-chart] canvas").first).to_be_visible()
    expect(page.locator("[data-map] .leaflet-marker-icon").first).to_be_visible()
    page.locator(".event", has_text="Arrived").hover()
    expect(page.locator("[data-cursor]")).to_contain_text("12.0 °C")
    expect(page.locator(".event.is-current")).to_have_count(1)
    page.click("[data-patient]")
    expect(page.locator("[data-patient-ref]")).to_have_text("张**")
    assert complaints == []


def test_a_custody_bundle_is_made_and_downloaded(
    app: Flask, office: tuple[Browser, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The button leads to a page that waits for the worker and then offers the file, which verifies. On the phone."""
    monkeypatch.setattr(tasks, "send", lambda job_id: None)
    with app.app_context():
        tasks.sign_digests.run()  # makes the key
        tube = db.session.scalars(select(Specimen.id).order_by(Specimen.id)).first()
        db.session.remove()
    browser, address = office
    page = browser.new_context(viewport=ViewportSize(**live.PHONE)).new_page()
    complaints = enter(page, address, "manager", lang="en")
    page.goto(f"{address}/journey/{tube}")
    page.click("form[action$='/bundle'] button")
    expect(page.get_by_role("status").filter(has_text="Being put together")).to_be_visible()
    with app.app_context():
        job_id = db.session.scalars(select(Job.id).where(Job.kind == prepared.JOB_KIND)).one()
        db.session.remove()
        tasks.run_job.run(job_id)
    link = page.locator("a[href$='/file']")
    expect(link).to_be_visible(timeout=15000)  # the page looks by itself
    with page.expect_download() as download:
        link.click()
    download.value.save_as(tmp_path / "bundle.zip")
    report = verify_bundle(tmp_path / "bundle.zip")
    assert report.sealed
    assert report.whole, report.findings
    assert complaints == []


def test_the_journey_draws_every_probe(app: Flask, office: tuple[Browser, str]) -> None:
    """Two probes in the tube's box: two lines with their names in the legend, and the excursion beside them."""
    with app.app_context(), transaction() as session:
        before = f.START - timedelta(hours=1)
        devices.bind(session, "LG-1", "BX-C", at=before, now=before, probe=2)
        at = [(f.START + timedelta(minutes=5 * n)).isoformat() for n in range(12)]
        body = json.dumps({"readings": [{"at": one, "probe": 2, "temp_c": 6.5} for one in at]})
        store_batch(session, [Incoming("labrelay/v1/LG-1/readings", body.encode())], now=warm_box.ENDS)
        tube = session.scalars(select(Specimen.id).order_by(Specimen.id)).first()
    browser, address = office
    page = browser.new_context(viewport=ViewportSize(**live.PHONE)).new_page()
    complaints = enter(page, address, "manager", lang="en")
    page.goto(f"{address}/journey/{tube}")
    legend = page.locator(".chart-legend")
    expect(legend).to_contain_text("LG-1 · 1")
    expect(legend).to_contain_text("LG-1 · 2")
    expect(legend).to_contain_text("Excursion")
    assert complaints == []
