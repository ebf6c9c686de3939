"""Search, its pages and exports, and saved filters."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from logistics import exports
from logistics.db import db
from logistics.domain.access import Scope
from logistics.errors import Invalid
from logistics.models import AuditEntry, Consignment, SavedFilter, Site, Specimen
from logistics.queries import audit_log, search, search_consignments, walk
from logistics.queries.search import Filter
from logistics.queries.search_text import Sense
from logistics.services import network
from tests import factories as f
from tests.factories import START, act, done

Login = Callable[..., FlaskClient]


@pytest.fixture
def loaded(session: Session) -> Session:
    """Two tubes in a box at the county laboratory, a third one registered."""
    f.world(session)
    f.delivered(session)
    done(session, "nurse", act("register", {"specimen": "9900000001"}, {"tests": ["ESR"], "priority": "stat"}))
    session.commit()
    return session


def scope_of(session: Session, username: str) -> Scope:
    return network.scope_of_user(session, f.user(session, username))


def found(session: Session, username: str = "manager", **asked: str) -> list[str]:
    page = search.find(session, scope_of(session, username), username, Filter(**asked))
    return [one.accession for one in page.rows]


def number_of(session: Session) -> str:
    return session.scalars(select(Consignment.number)).one()


@pytest.mark.both_databases
def test_found_by_everything(loaded: Session) -> None:
    """By number (whole, beginning, end), box, consignment, seal, site, courier, test, priority, state and day; nobody
    of another county finds any of it."""
    both = ["2611220048", "2611220047"]
    seal = loaded.scalars(select(Consignment.seal_number)).one()
    questions: list[tuple[dict[str, str], list[str]]] = [
        ({"text": "2611220047"}, ["2611220047"]), ({"text": "26112200 47"}, ["2611220047"]),
        ({"text": "261122"}, both), ({"text": "0048"}, ["2611220048"]), ({"text": "BX-C"}, both),
        ({"text": "bx-c"}, both), ({"text": number_of(loaded)}, both), ({"text": seal or ""}, both),
        ({"text": "ESR"}, ["9900000001"]), ({"site": f.TOWN, "state": "delivered"}, both),
        ({"site": f.COUNTY, "test": "CBC"}, both),
        ({"courier": "courier"}, both), ({"state": "delivered"}, both), ({"priority": "stat"}, ["9900000001"]),
        ({"test": "ESR"}, ["9900000001"]), ({"box": "BX-C"}, both), ({"consignment": number_of(loaded)}, both),
        ({"first_day": "2026-03-09", "last_day": "2026-03-09", "test": "CBC"}, both),
        ({"text": "261122", "state": "registered"}, []), ({"text": "999"}, []), ({"courier": "courier2"}, []),
        ({"state": "lost"}, []), ({"first_day": "2026-03-10"}, []), ({"state": "on_hold"}, []),
    ]  # fmt: skip
    for asked, wanted in questions:
        for username in ("manager", "cityreceiver", "auditor", "nurse"):
            assert sorted(found(loaded, username, **asked)) == sorted(wanted), (username, asked)
        assert found(loaded, "manager2", **asked) == found(loaded, "nurse2", **asked) == [], asked


def test_how_a_text_is_understood(loaded: Session) -> None:
    """One meaning, and a slip of a number of ours is named."""

    def sense(text: str) -> tuple[str, bool]:
        page = search.find(loaded, scope_of(loaded, "manager"), "manager", Filter(text=text))
        assert page.meaning is not None
        return page.meaning.sense.value, page.meaning.slip

    assert sense("2611220047") == (Sense.NUMBER.value, False)
    assert sense("0047") == (Sense.ENDS.value, False)
    assert sense("47") == (Sense.NOTHING.value, False)
    wrong = number_of(loaded)[:-1] + ("A" if number_of(loaded)[-1] != "A" else "B")
    assert sense(wrong)[1]


@pytest.fixture
def many(session: Session) -> Session:
    """Sixty tubes of one site a second apart, every seventh urgent."""
    f.world(session)
    for number in range(60):
        at = START + timedelta(seconds=number)
        urgent = {"priority": "urgent"} if number % 7 == 0 else {}
        done(session, "nurse", act("register", {"specimen": f"P{number:04d}"}, {"tests": ["CBC"], **urgent}, at=at))
    return session


def pages(session: Session, username: str = "manager", size: int = search.PAGE, **asked: str) -> Iterator[search.Page]:
    after = ""
    while True:
        page = search.find(session, scope_of(session, username), username, Filter(**asked), after=after, size=size)
        yield page
        if page.after is None:
            return
        after = page.after


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "asked",
    [{"site": f.TOWN}, {"text": "P00"}, {"state": "registered"}, {"test": "CBC"}, {"first_day": "2026-03-01"},
     {"priority": "urgent"}],
)  # fmt: skip
def test_pages(many: Session, asked: dict[str, str]) -> None:
    """Page after page gives every row once, in order, whichever index leads; the last page says so."""
    seen = [(row.accession, page.first) for page in pages(many, size=7, **asked) for row in page.rows]
    numbers = [number for number, _ in seen]
    expected = [f"P{number:04d}" for number in reversed(range(60)) if number % 7 == 0 or "priority" not in asked]
    assert numbers == expected
    assert [first for _, first in seen] == [1 + place // 7 * 7 for place in range(len(seen))]


@pytest.mark.both_databases
def test_a_rare_thing_is_found_step_by_step(many: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page looks at no more rows than its reach, says so, and goes on from there without losing a row."""
    monkeypatch.setattr(walk.Walk, "__init__", _short(walk.Walk.__init__))
    steps = list(pages(many, site=f.TOWN, priority="urgent"))
    assert [row.accession for page in steps for row in page.rows] == [
        f"P{n:04d}" for n in (56, 49, 42, 35, 28, 21, 14, 7, 0)
    ]
    assert len(steps) >= 60 // 10
    assert all(page.cut for page in steps[:-1])
    assert all(len(page.rows) <= 2 for page in steps)


def _short(original: Any) -> Any:
    def made(self: Any, source: Any, keys: Any, reach: int = 10) -> None:
        original(self, source, keys, 10)

    return made


@pytest.mark.parametrize(
    "after",
    ["x", "at~1", "at~x~y~z", "at~0~2026-03-09~1", "begins~0~P~1", "at~0~2026-03-09T01:00:00+00:00~99999999999"],
)
def test_a_damaged_address_of_a_page_is_refused(loaded: Session, after: str) -> None:
    """An error with a code, not a fault and not the first page in disguise."""
    with pytest.raises(Invalid, match="page_malformed"):
        search.find(loaded, scope_of(loaded, "manager"), "manager", Filter(site=f.TOWN), after=after)


def test_consignments(loaded: Session) -> None:
    """By number, box, seal, site, courier, state and day, within the scope."""
    number = number_of(loaded)
    seal = loaded.scalars(select(Consignment.seal_number)).one() or ""
    for asked in ({"text": number}, {"text": number[:6]}, {"text": "BX-C"}, {"text": seal}, {"site": f.TOWN},
                  {"site": f.COUNTY}, {"courier": "courier"}, {"state": "delivered"}, {"first_day": "2026-03-09"},
                  {"box": "BX-C"}, {}):  # fmt: skip
        for username, wanted in (("manager", [number]), ("nurse", [number]), ("manager2", []), ("nurse2", [])):
            page = search_consignments.find(loaded, scope_of(loaded, username), username, Filter(**asked))
            assert [one.number for one in page.rows] == wanted, (username, asked)
    none = search_consignments.find(loaded, scope_of(loaded, "manager"), "manager", Filter(state="open"))
    assert (list(none.rows), none.after) == ([], None)


def text(client: FlaskClient, address: str) -> str:
    return str(client.get(address).get_data(as_text=True))


def test_pages_show_what_was_found(loaded: Session, client: FlaskClient, login: Login) -> None:
    """One exact number leads to its journey; a box shows its tubes; what does not exist is refused in words."""
    loaded.rollback()
    login(client, "manager")
    assert client.get("/search?q=2611220047").headers["Location"].startswith("/journey/")
    assert "2611220048" in text(client, "/search?q=BX-C&lang=en")
    assert "Travelled in box BX-C" in text(client, "/search?q=BX-C")
    assert "Numbers that end in “0048”" in text(client, "/search?q=0048")
    for address in ("from=yesterday", "site=COUNTY2", "site=nowhere", "courier=courier2", "courier=nurse", "state=x",
                    "priority=x", "test=NONE", "q=2611&after=zz"):  # fmt: skip
        answer = client.get(f"/search?{address}")
        assert answer.status_code == 400, address
        assert 'role="alert"' in answer.get_data(as_text=True)
    assert client.get("/search/consignments?state=nonsense").status_code == 400
    assert "BX-C" in text(client, "/search/consignments")


@pytest.mark.both_databases
def test_exports(loaded: Session, app: Flask, client: FlaskClient, login: Login) -> None:
    """CSV and xlsx hold the same rows in the reader's language, no patient, nothing that runs; the audit log has who
    asked for what, and how many rows went."""
    loaded.scalars(select(Specimen).where(Specimen.accession == "9900000001")).one().accession = "=1+1"
    loaded.commit()
    login(client, "manager")
    raw = client.get(f"/search/specimens/export?site={f.TOWN}").get_data()
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))
    assert raw.startswith(b"\xef\xbb\xbf")
    assert rows[0][:2] == ["条码", "状态"]
    assert [row[0] for row in rows[1:]] == ["'=1+1", "2611220048", "2611220047"]
    assert "张" not in raw.decode()
    book = client.get(f"/search/specimens/export?site={f.TOWN}&format=xlsx").get_data()
    sheet = load_workbook(io.BytesIO(book)).worksheets[0]
    assert [cell.value for cell in next(sheet.iter_rows())][:2] == rows[0][:2]
    assert [row[0].value for row in sheet.iter_rows(min_row=2)] == [row[0] for row in rows[1:]]
    assert len(client.get("/search/consignments/export").get_data().splitlines()) == 2
    assert client.get("/search/specimens/export?format=exe").status_code == 400
    with app.app_context():
        log = [
            (one.action, one.username, one.detail)
            for one in db.session.scalars(select(AuditEntry).order_by(AuditEntry.id))
            if "export" in one.action
        ]
    assert log[0] == ("exported", "manager", {"kind": "specimens", "format": "csv", "filter": {"site": f.TOWN}})
    assert log[1] == ("export_ended", "manager", {"kind": "specimens", "rows": 3, "whole": True})
    assert len(log) == 6


def test_an_export_that_is_cut_short_says_so(loaded: Session, app: Flask, client: FlaskClient, login: Login) -> None:
    """A download that the reader gives up is in the audit log as such, and leaves no context behind."""
    loaded.rollback()
    answer = login(client, "manager").get(f"/search/specimens/export?site={f.TOWN}", buffered=False)
    answer.close()
    with app.app_context():
        entries = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "exported")).all()
    assert len(entries) == 1


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_an_export_has_no_end_but_the_last_row(
    loaded: Session, app: Flask, client: FlaskClient, login: Login, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Page after page comes, in several sheets where one is too small; file and audit log say so. Pages and sheets are
    small here, so that few rows are many of them: nothing else of an export counts its rows."""
    monkeypatch.setattr(exports, "SHEET_ROWS", 600)
    monkeypatch.setattr(audit_log, "EXPORT_PAGE", 10)
    entry = {"at": f.START, "username": "nurse", "action": "login", "subject": "", "address": "", "detail": {}}
    loaded.execute(insert(AuditEntry), [entry] * 1_050)
    loaded.commit()
    raw = login(client, "auditor").get(f"/admin/audit/export?action=login&format={form}&lang=en").get_data()
    if form == "csv":
        found = len(raw.splitlines()) - 1
    else:
        first, second = load_workbook(io.BytesIO(raw), read_only=True)
        rows = [list(first.iter_rows(values_only=True)), list(second.iter_rows(values_only=True))]
        assert rows[0][-1][0] == "This sheet is full. The table goes on in sheet “Labrelay 2”."
        found = len(rows[0]) - 2 + len(rows[1]) - 1
    assert found >= 1_050
    loaded.rollback()
    detail = loaded.scalars(select(AuditEntry.detail).where(AuditEntry.action == "export_ended")).one()
    sheets = {"sheets": 2} if form == "xlsx" else {}
    assert detail == {"kind": "audit", "rows": found, "whole": True, **sheets}


# --- saved filters ---


def save(client: FlaskClient, name: str, query: str = "state=lost", page: str = "search.specimens", **more: str) -> int:
    data = {"page": page, "query": query, "name": name, **more}
    return client.post("/filters/", data=data).status_code


def test_saved_filters(loaded: Session, new_client: Callable[[], FlaskClient], login: Login) -> None:
    """Kept under a name; shared ones show to everybody of the site and to nobody else; only the owner deletes."""
    loaded.rollback()
    mine, colleague, other = (login(new_client(), name) for name in ("manager", "receiver", "manager2"))
    assert save(mine, "private", "state=lost&junk=1") == 302
    assert save(mine, "ours", "state=rejected&priority=stat", shared="1") == 302
    kept = {one.name: one for one in loaded.scalars(select(SavedFilter))}
    assert kept["private"].query == {"state": "lost"}
    pages = {name: text(client, "/search?lang=en") for name, client in
             (("mine", mine), ("colleague", colleague), ("other", other))}  # fmt: skip
    assert "private" in pages["mine"]
    assert "private" not in pages["colleague"]
    assert ">ours" in pages["colleague"]
    assert ">ours" not in pages["other"]
    ours = kept["ours"].id
    assert colleague.post(f"/filters/{ours}/delete").status_code == 404
    assert other.post(f"/filters/{ours}/default", data={"on": "1"}).status_code == 404
    assert mine.post(f"/filters/{ours}/delete").status_code == 302
    assert ">ours" not in text(colleague, "/search")


def test_a_page_opens_with_its_default(loaded: Session, client: FlaskClient, login: Login) -> None:
    """The default leads a plain call to its address, which can be sent to others; 'without filter' shows all again."""
    loaded.rollback()
    login(client, "manager")
    save(client, "stats", "priority=stat", chosen="1")
    address = client.get("/search").headers["Location"]
    assert "priority=stat" in address
    assert "9900000001" in text(client, address)
    assert client.get("/search?filter=none").status_code == 200
    kept = loaded.scalars(select(SavedFilter.id)).one()
    loaded.rollback()
    client.post(f"/filters/{kept}/default", data={"on": "0"})
    assert client.get("/search").status_code == 200


def test_filters_that_cannot_be(loaded: Session, client: FlaskClient, login: Login) -> None:
    """No name, nothing asked, a page that is not the reader's, a value that has gone: told in words, nothing kept."""
    loaded.add(SavedFilter(page="search.specimens", name="old", query={"state": "gone", "colour": "red"},
                           username="manager", created_at=START))  # fmt: skip
    loaded.commit()
    old = loaded.scalars(select(SavedFilter.id)).one()
    loaded.rollback()
    login(client, "manager")
    save(client, "  ")
    save(client, "empty", "junk=1")
    save(client, "x" * 41)
    assert save(client, "n", page="admin.users") == 400
    assert save(client, "n", page="collector.worklist") == 400
    assert loaded.scalars(select(SavedFilter.name)).all() == ["old"]
    loaded.rollback()
    answer = client.get(f"/search?lang=en&filter={old}&state=gone&colour=red")
    assert answer.status_code == 400
    assert "colour" in answer.get_data(as_text=True)
    assert client.get("/search?state=gone").status_code == 400


def test_a_site_that_was_closed(loaded: Session, client: FlaskClient, login: Login) -> None:
    """A filter of a closed site still finds its tubes: history does not close with the site."""
    loaded.get_one(Site, f.TOWN).active = False
    loaded.commit()
    assert "2611220047" in text(login(client, "manager"), f"/search?site={f.TOWN}")
