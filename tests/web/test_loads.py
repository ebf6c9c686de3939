"""Loads on the way back through the browser's door: made up for many townships, packed row by row, shown, read."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from logistics.models import Box, Consignment, Item, PrintEntry, Site
from tests import factories as f
from tests.factories import act, done

Login = Callable[[FlaskClient, str], FlaskClient]
New = Callable[[], FlaskClient]
SECOND = "TOWN9"


@pytest.fixture
def desk(session: Session, client: FlaskClient, login: Login) -> FlaskClient:
    """The county's receiver, with two townships below, two document bags and a cold box that belongs to one."""
    f.world(session)
    session.add(Site(code=SECOND, name_zh="第二站", name_en="Second site", tier="township", parent_code=f.COUNTY))
    for code in ("BAG-1", "BAG-2"):
        session.add(Box(code=code, temp_class="ambient_15_25", kind="bag", home_code=f.COUNTY, location_code=f.COUNTY))
    session.flush()
    session.add(Box(code="BX-HOME", temp_class="cold_2_8", home_code=f.TOWN, location_code=f.COUNTY))
    session.commit()
    login(client, "receiver").get("/account?lang=en")
    return client


def form(**more: Any) -> dict[str, Any]:
    """What the form of a new item sends."""
    fields = {"kind": "report", "temp_class": "", "description": "March", "quantity": "12", "lot": "", "expires_on": ""}
    return {"form_id": str(uuid.uuid4()), "site": [f.TOWN], **fields, **more}


def waits(session: Session, goal: str = f.TOWN, **more: Any) -> str:
    """An item that stands at the county laboratory, not packed."""
    payload = {"kind": "report", "destination": goal, **more}
    return str(done(session, "receiver", act("register_item", {}, payload))["item"])


def row(key: str, *items: str, box: str = "BAG-1", seal: str = "SL7000001", chosen: bool = True) -> dict[str, Any]:
    """A row of 'pack and seal' as it is sent."""
    sent: dict[str, Any] = {f"item-{key}": list(items), f"box-{key}": box, f"seal-{key}": seal}
    return sent | ({"row": [key]} if chosen else {})


def text(answer: TestResponse) -> str:
    return answer.get_data(as_text=True)


def beside(page: str, field: str) -> str:
    """The refusal that stands beside a field."""
    found = re.search(rf'id="{field}-note"[^>]*class="field-error">.*?<span>([^<]+)</span>', page)
    return found[1] if found else ""


def items(session: Session) -> list[Item]:
    session.rollback()
    return list(session.scalars(select(Item).order_by(Item.number).execution_options(populate_existing=True)))


def test_one_form_registers_an_item_for_each_chosen_site_once(desk: FlaskClient, session: Session) -> None:
    """Two townships, two items; the same form again changes nothing."""
    sent = form(site=[f.TOWN, SECOND])
    for _ in range(2):
        answer = desk.post("/loads/register", data=sent, follow_redirects=True)
        assert "2 items registered." in text(answer)
    made = items(session)
    assert sorted((one.destination_code, one.quantity, one.description) for one in made) == [
        (f.TOWN, 12, "March"), (SECOND, 12, "March"),
    ]  # fmt: skip
    page = text(desk.get("/loads/"))
    assert all(one.number in page for one in made)


@pytest.mark.parametrize(
    ("wrong", "field", "sentence"),
    [
        ({"quantity": "a dozen"}, "quantity", "This is not of the right form."),
        ({"quantity": "-1"}, "quantity", "This is not of the right form."),
        ({"expires_on": "31.02.2026"}, "expires_on", "This is not of the right form."),
        ({"kind": "cake"}, "kind", "“cake” is not a kind of load."),
        ({"temp_class": "hot"}, "temp_class", "This is not of the right form."),
    ],
)
def test_a_refused_item_keeps_what_was_typed(
    desk: FlaskClient, session: Session, wrong: dict[str, str], field: str, sentence: str
) -> None:
    """The sentence stands beside its field, sites stay chosen, nothing is registered for any of them."""
    answer = desk.post("/loads/register", data=form(site=[f.TOWN, SECOND], lot="L-26", **wrong))
    page = text(answer)
    assert answer.status_code in {400, 409}
    assert beside(page, field) == sentence
    assert 'value="March"' in page
    assert 'value="L-26"' in page
    assert len(re.findall(r'name="site" value="TOWN9?"[^>]* checked', page)) == 2
    assert items(session) == []


def test_without_a_site_the_sites_are_asked_for(desk: FlaskClient) -> None:
    """The sentence stands at the sites, in the reader's language."""
    page = text(desk.post("/loads/register", data=form(site=[])))
    assert "Choose at least one site." in page.partition("load-goals")[2]
    assert "请至少选择一个站点" in text(desk.post("/loads/register?lang=zh_CN", data=form(site=[])))


def test_a_refused_form_can_be_read_in_the_other_language(desk: FlaskClient) -> None:
    """The link leads to where the form stands, not to the address that it was sent to, which takes no GET."""
    answer = desk.post(
        "/loads/register",
        data=form(site=[]),
        headers={"Referer": "http://localhost/loads/"},
        base_url="http://localhost",
    )
    link = re.search(r'href="([^"]+)" data-language="zh_CN"', text(answer))
    assert link is not None
    assert link[1].startswith("/loads/?")
    assert desk.get(link[1]).status_code == 200


def test_rows_are_packed_each_by_itself(desk: FlaskClient, session: Session) -> None:
    """One row is sealed; the other has no seal number: it says so, keeps its box, and is still there."""
    first, second = waits(session), waits(session, SECOND)
    both = row("TOWN:", first) | row(f"{SECOND}:", second, box="BAG-2", seal="", chosen=False)
    both |= {"row": ["TOWN:", f"{SECOND}:"], "form_id": str(uuid.uuid4())}
    answer = desk.post("/loads/pack", data=both)
    page = text(answer)
    assert answer.status_code == 409
    assert "1 load packed and sealed." in page
    batches = page.partition('id="batches"')[2].partition("</table>")[0]
    assert first not in batches
    assert "State the number of the seal." in batches.partition(second)[2]
    assert '<option value="BAG-2" selected>' in batches
    assert f'name="row" value="{SECOND}:" checked' in batches
    again = desk.post("/loads/pack", data=both | row(f"{SECOND}:", second, box="BAG-2", seal=" sl7000009 "))
    assert again.status_code == 302
    session.rollback()
    loads = session.execute(select(Consignment.box_code, Consignment.seal_number).order_by(Consignment.number)).all()
    assert [tuple(load) for load in loads] == [("BAG-1", "SL7000001"), ("BAG-2", "SL7000009")]


def test_a_row_that_does_not_fit_keeps_its_seal(desk: FlaskClient, session: Session) -> None:
    """Cold material in a bag: refused by name, the number of the seal need not be scanned again."""
    number = waits(session, kind="proficiency", temp_class="cold_2_8")
    key = "TOWN:cold_2_8"
    answer = desk.post("/loads/pack", data=row(key, number) | {"form_id": str(uuid.uuid4())})
    assert answer.status_code == 409
    assert f"{number} must not travel in box BAG-1: the temperature class is wrong." in text(answer)
    assert 'value="SL7000001"' in text(answer)
    none = desk.post("/loads/pack", data=row(key, number, box="") | {"form_id": str(uuid.uuid4())})
    assert "Choose a box or bag." in text(none)
    nothing = desk.post("/loads/pack", data={"form_id": str(uuid.uuid4())}, follow_redirects=True)
    assert "Choose at least one row." in text(nothing)


def test_empty_boxes_go_home_and_are_counted(
    desk: FlaskClient, session: Session, new_client: New, login: Login
) -> None:
    """Chosen once, it goes once; the balance of the sites says what stands where."""
    assert "Choose at least one box." in text(
        desk.post("/loads/boxes-home", data={"form_id": str(uuid.uuid4())}, follow_redirects=True)
    )
    dispatcher = login(new_client(), "dispatcher")
    before = text(dispatcher.get("/loads/boxes?lang=en"))
    assert "BX-HOME" in before.partition('id="astray"')[2]
    sent = {"form_id": str(uuid.uuid4()), "box": ["BX-HOME"]}
    for _ in range(2):
        assert "1 box goes home." in text(desk.post("/loads/boxes-home", data=sent, follow_redirects=True))
    session.rollback()
    load = session.scalars(select(Consignment)).one()
    assert (load.kind, load.box_code, load.destination_code) == ("return", "BX-HOME", f.TOWN)
    assert "BX-HOME" not in text(dispatcher.get("/loads/boxes?lang=en")).partition('id="astray"')[2]


def test_the_township_sees_what_comes_and_signs_for_it(
    desk: FlaskClient, session: Session, new_client: New, login: Login
) -> None:
    """Under way: who brings it, without the end of the seal; at the door: each item waits for its condition."""
    number = waits(session, description="March reports")
    desk.post("/loads/pack", data=row("TOWN:", number) | {"form_id": str(uuid.uuid4())})
    session.rollback()
    load = session.scalars(select(Consignment.number)).one()
    nurse = login(new_client(), "nurse")
    take = {"other": "receiver", "pin": f.PIN, "count": 1}
    done(session, "courier", act("hand_over", {"consignment": load}, take, site=f.COUNTY))
    coming = text(nurse.get("/loads/incoming?lang=en"))
    assert "BAG-1" in coming
    assert "with Courier" in coming
    assert "SL7000001" not in coming
    assert f'data-sign="{load}"' in coming
    give = {"other": "courier", "pin": f.PIN, "count": 1}
    done(session, "nurse", act("hand_over", {"consignment": load}, give, site=f.TOWN))
    here = text(nurse.get("/loads/incoming"))
    assert f'data-item="{number}" data-outcome="expected"' in here
    assert "data-finish disabled" in here
    assert number not in text(login(new_client(), "nurse2").get("/loads/incoming"))
    done(session, "nurse", act("receive_item", {"consignment": load, "item": number}, {"condition": "good"}))
    item = text(nurse.get(f"/loads/items/{number}"))
    for words in ("Registered", "Packed", "Sealed", "Received at Site TOWN", "receiver某 → courier某"):
        assert words in item, words


def test_items_of_another_county_do_not_exist(
    desk: FlaskClient, session: Session, new_client: New, login: Login
) -> None:
    """Neither the item nor its list can be opened by its number."""
    number = waits(session)
    desk.post("/loads/pack", data=row("TOWN:", number) | {"form_id": str(uuid.uuid4())})
    session.rollback()
    load = session.scalars(select(Consignment.number)).one()
    session.rollback()
    stranger = login(new_client(), "receiver2")
    assert stranger.get(f"/loads/items/{number}").status_code == 404
    assert stranger.post(f"/print/loads/{load}/list").status_code == 404
    assert desk.post(f"/print/loads/{load}/list").data.startswith(b"%PDF")
    session.rollback()
    printed = session.execute(select(PrintEntry.subject, PrintEntry.version, PrintEntry.username)).all()
    assert [tuple(entry) for entry in printed] == [(load, 1, "receiver")]


def test_a_missing_item_can_be_found_from_the_page(
    desk: FlaskClient, session: Session, new_client: New, login: Login
) -> None:
    """The closed receipt leads to the item, whose page asks for its condition; who may not say it is not asked."""
    number = waits(session)
    desk.post("/loads/pack", data=row("TOWN:", number) | {"form_id": str(uuid.uuid4())})
    session.rollback()
    load = session.scalars(select(Consignment.number)).one()
    for who, other, site in (("courier", "receiver", f.COUNTY), ("nurse", "courier", f.TOWN)):
        signed = {"other": other, "pin": f.PIN, "count": 1}
        done(session, who, act("hand_over", {"consignment": load}, signed, site=site))
    done(session, "nurse", act("item_missing", {"consignment": load, "item": number}))
    done(session, "nurse", act("close_receipt", {"consignment": load}))
    nurse = login(new_client(), "nurse")
    assert f'href="/loads/items/{number}"' in text(nurse.get("/loads/incoming"))
    assert 'data-found-condition="good"' in text(nurse.get(f"/loads/items/{number}"))
    assert "data-found-condition" not in text(login(new_client(), "auditor").get(f"/loads/items/{number}"))
    done(session, "nurse", act("found_item", {"item": number}, {"condition": "good"}))
    page = text(nurse.get(f"/loads/items/{number}?lang=en"))
    assert "data-found-condition" not in page
    assert "Found" in page
