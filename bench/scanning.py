"""How long people take with a handheld scanner: packing ten tubes, receiving twenty, looking at two hundred.

``python -m bench.scanning`` starts PostgreSQL (every commit synced) and Labrelay (gunicorn, 2 workers), and works
through the real pages in Chromium: a scanner is a burst of keys and Enter, one scan every 300 ms whether the page has
answered or not. OpenELIS Global allows 2 and 5 minutes for the same work.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from playwright.sync_api import Page, expect
from sqlalchemy import select

from bench import acts_world as w
from bench.acts import checked, prepare, server, settings_for, verdict
from bench.ending import orderly
from bench.load import Request, run
from bench.pages import Reader
from logistics.db import db, transaction
from logistics.domain import numbers
from logistics.models import Box, Specimen
from tests.browser.live import chromium
from tests.browser.test_collector import scan
from tests.servers import postgresql
from web.app import create_app
from web.demo import people
from web.settings import Settings

PACE_S = 0.300
PACKED, RECEIVED, LARGE = 10, 20, 200
GOAL_PACK_S, GOAL_RECEIVE_S, GOAL_PAGE_S, GOAL_CONFIRM_S = 25.0, 60.0, 0.300, 0.500
ROUNDS = 5
LOOKS = 20
SLOW_MS = 30_000


def main() -> None:
    orderly()
    with tempfile.TemporaryDirectory() as folder, postgresql(durable=True) as url:
        settings = settings_for(url, folder)
        world = prepare(settings)
        with create_app(settings).app_context():
            packing = [(_box(world, 900 + n), _collected(world)) for n in range(ROUNDS)]
            arriving = [_lot_in(world, 950 + n, RECEIVED) for n in range(ROUNDS)]
            large = [w.lot(world, 0, LARGE) for _ in range(ROUNDS)]
        with server(settings, "acts") as port:
            hands_on(port, packing, arriving)
            many(settings, world, port, large)


def hands_on(port: int, packing: Sequence[tuple[str, w.Lot]], arriving: Sequence[tuple[str, w.Lot]]) -> None:
    with chromium() as browser:
        with _signed_in(browser, port, w.NURSE) as page:
            times = [_pack(page, port, box, lot.fresh, serial) for serial, (box, lot) in enumerate(packing, start=500)]
            _tell(f"{PACKED} tubes into a labelled, sealed box", times, GOAL_PACK_S)
        with _signed_in(browser, port, w.RECEIVER) as page:
            times = [_receive(page, port, box, lot.delivered) for box, lot in arriving]
            _tell(f"{RECEIVED} tubes received, accepted and reconciled", times, GOAL_RECEIVE_S)


def _tell(what: str, times: list[float], goal_s: float) -> None:
    print("  " + ", ".join(f"{one:.1f}" for one in times) + " s")
    verdict(what, f"{max(times):.1f} s", f"≤ {goal_s:.0f} s", max(times) <= goal_s)


def _pack(page: Page, port: int, box: str, tubes: Sequence[str], serial: int) -> float:
    """From the scan of the box to 'the manifest is locked'."""
    page.goto(f"http://127.0.0.1:{port}/collector/pack?lang=en")
    expect(page.locator("[data-pack][data-started]")).to_be_attached(timeout=SLOW_MS)
    began = time.perf_counter()
    _scan(page, box)
    for tube in tubes:
        _scan(page, tube)
    _says(page, "pack-scan", f"In the box: {len(tubes)}.")
    _scan(page, numbers.issue(numbers.Kind.SEAL, serial))
    expect(page.locator("dialog[open]")).to_be_visible(timeout=SLOW_MS)
    page.keyboard.press("Enter")
    _says(page, "pack-scan", "The manifest is locked")
    return time.perf_counter() - began


def _receive(page: Page, port: int, box: str, tubes: Sequence[str]) -> float:
    """From the scan of the box, over the courier's PIN and the condition that is said once, to the closed receipt."""
    page.goto(f"http://127.0.0.1:{port}/receiver/?lang=en")
    expect(page.locator("#desk[data-started]")).to_be_attached(timeout=SLOW_MS)
    began = time.perf_counter()
    _scan(page, box)
    expect(page.locator("#pin")).to_be_focused(timeout=SLOW_MS)
    page.keyboard.type(people.PIN)
    page.keyboard.press("Enter")
    _says(page, "desk-scan", "Taken over.")
    _press(page, "g")
    for tube in tubes:
        _scan(page, tube)
    _says(page, "desk-scan", f"{len(tubes)} of {len(tubes)}")
    _press(page, "a")
    expect(page.locator("dialog[open]")).to_be_visible(timeout=SLOW_MS)
    page.keyboard.press("Enter")
    _says(page, "desk-scan", f"{len(tubes)} accepted")
    _press(page, "f")
    _says(page, "desk-scan", "Receipt closed")
    return time.perf_counter() - began


def _scan(page: Page, code: str) -> None:
    began = time.perf_counter()
    scan(page, code)
    time.sleep(max(0.0, PACE_S - (time.perf_counter() - began)))


def _press(page: Page, key: str) -> None:
    """A key that stands alone, as a person presses it."""
    time.sleep(0.2)
    page.keyboard.press(key)
    time.sleep(0.2)


def _says(page: Page, panel: str, text: str) -> None:
    expect(page.locator(f"#{panel} [data-scan-result]")).to_contain_text(text, timeout=SLOW_MS)


@contextmanager
def _signed_in(browser, port: int, username: str) -> Iterator[Page]:  # type: ignore[no-untyped-def]
    context = browser.new_context(viewport={"width": 1440, "height": 900}, service_workers="block")
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{port}/login?lang=en")
    page.fill("#username", username)
    page.fill("#password", people.PASSWORD)
    with page.expect_navigation():
        page.click("#login-form [type=submit]")
    yield page
    context.close()


def many(settings: Settings, world: w.World, port: int, lots: Sequence[w.Lot]) -> None:
    """A box of two hundred over HTTP: its page, the state that the page asks for, and one act that receives all."""
    receiver = Reader(port, w.RECEIVER)
    number = lots[0].consignment
    page = _median(port, receiver.page(f"/receiver/?consignment={number}"))
    state = _median(port, receiver.page(f"/receiver/consignments/{number}.json", b'"consignment":'))
    verdict(f"page of a box of {LARGE} tubes", f"{page * 1000:.0f} ms", "≤ 300 ms", page <= GOAL_PAGE_S)
    verdict(f"state of a box of {LARGE} tubes", f"{state * 1000:.0f} ms", "≤ 300 ms", state <= GOAL_PAGE_S)
    times = [checked(run(port, [[_all_good(world, one, _ids(settings, one))]])).latencies_s[0] for one in lots]
    verdict(f"{LARGE} tubes confirmed by one act", f"{statistics.median(times) * 1000:.0f} ms", "≤ 500 ms",
            statistics.median(times) <= GOAL_CONFIRM_S)  # fmt: skip


def _median(port: int, request: Request) -> float:
    return statistics.median(checked(run(port, [[request] * LOOKS])).latencies_s)


def _all_good(world: w.World, lot: w.Lot, ids: Sequence[int]) -> Request:
    act = w.sent("receive_all", {"consignment": lot.consignment}, {"condition": "good", "specimens": list(ids)})
    return w.post(world, w.RECEIVER, [act])


def _ids(settings: Settings, lot: w.Lot) -> list[int]:
    with create_app(settings).app_context():
        return list(db.session.scalars(select(Specimen.id).where(Specimen.accession.in_(lot.delivered))))


def _collected(world: w.World) -> w.Lot:
    lot = w.lot(world, PACKED, 0)
    w.record(w.NURSE, [w.act("collect", {"specimen": one}) for one in lot.fresh])
    return lot


def _lot_in(world: w.World, serial: int, count: int) -> tuple[str, w.Lot]:
    """Tubes under way in a box with a number that scanners know."""
    box = _box(world, serial)
    return box, w.lot(world, 0, count, box=box, handed=False)


def _box(world: w.World, serial: int) -> str:
    code = numbers.issue(numbers.Kind.BOX, serial)
    with transaction() as session:
        session.add(Box(code=code, temp_class=world.temp_class, home_code=world.town, location_code=world.town))
    return code


if __name__ == "__main__":
    main()
