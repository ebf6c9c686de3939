"""The courier's form for a seal that is broken or another one, in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect
from sqlalchemy import func, select

from logistics.models import Consignment, CustodyEvent
from tests.browser.test_courier import Phone, loaded, look, make_phone
from tests.courier_day import BOX_COLD, SEALS, Loaded
from tests.factories import PIN, TOWN, act, done

__all__ = ["loaded", "look", "make_phone"]  # fixtures


def test_a_refused_seal_is_told_at_its_field(
    make_phone: Callable[..., Phone], loaded: Loaded, look: Callable[..., Any]
) -> None:
    """The number of the new seal is on another box: the sentence stands at that field, which is named as wrong and has
    the focus; all that was typed stays. With another number it goes through, and the broken seal was told once."""
    number = loaded.numbers[BOX_COLD]
    taken = {"other": "nurse", "pin": PIN, "count": 9}
    look(lambda session: done(session, "courier", act("hand_over", {"box": BOX_COLD}, taken, site=TOWN)))
    phone = make_phone()
    page = phone.page
    phone.open(f"#/stop/stop-{loaded.stops[4]}")
    phone.press("arrive")
    phone.type_code(BOX_COLD)
    phone.press(f"seal-{BOX_COLD}")
    fresh = page.get_by_label("Number of a new seal that you put on (may stay open)")
    used = next(seal for box, seal in SEALS.items() if box != BOX_COLD)
    page.get_by_label("Number of the seal that is on it").fill("sl-odd-1")
    page.get_by_label("Note").fill("lid was open")
    fresh.fill(used.lower())
    page.locator("button[form=seal-form]").click()

    beside = page.locator("#seal-fresh-note")
    expect(beside).to_contain_text(f"Seal {used} was already used")
    expect(fresh).to_have_attribute("aria-invalid", "true")
    expect(fresh).to_have_attribute("aria-describedby", "seal-fresh-note")
    expect(fresh).to_be_focused()
    expect(fresh).to_have_value(used.lower())
    expect(page.get_by_label("Note")).to_have_value("lid was open")
    expect(page.locator("#seal-form > [role=alert]")).to_be_hidden()

    fresh.fill("sl-fresh-7")
    page.locator("button[form=seal-form]").click()
    expect(page.locator("#toasts")).to_contain_text("On record. The laboratory is told.")
    expect(page.locator("#seal-form")).to_have_count(0)
    stream = CustodyEvent.stream == f"consignment:{number}"
    counts = select(CustodyEvent.type, func.count()).where(stream).group_by(CustodyEvent.type)
    events = dict(look(lambda session: session.execute(counts).all()))
    assert (events["seal_broken"], events["resealed"]) == (1, 1)
    assert look(lambda session: session.get(Consignment, number).seal_number) == "SL-FRESH-7"
    assert phone.errors == []
