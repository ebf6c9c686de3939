"""Numbers printed ahead, what each site prints on, and new sizes: through the pages, and what they refuse."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain import numbers
from logistics.labels.sizes import SPECIMEN
from logistics.models import AuditEntry, LabelBatch, LabelNumber, LabelStock, PrintEntry, PrintSetting
from logistics.services import label_stocks
from tests import factories as f
from tests.paper import render, zbar

Login = Callable[[FlaskClient, str], FlaskClient]
NewClient = Callable[[], FlaskClient]
ORDER = {"kind": "accession", "count": "5", "stock": "roll_50x30", "symbology": "code128", "note": "Monday's roll"}
SIZE = {
    "code": "roll_70x50", "medium": "roll", "name_zh": "卷筒 70 × 50", "name_en": "Roll 70 × 50", "width_mm": "70",
    "height_mm": "50", "dpi": "203", "symbology": "qr", "page_width_mm": "210", "page_height_mm": "297",
    "columns": "1", "rows": "1", "left_mm": "0", "top_mm": "0", "gap_x_mm": "0", "gap_y_mm": "0",
}  # fmt: skip
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def nurse(session: Session, client: FlaskClient, login: Login) -> FlaskClient:
    """The collector of TOWN, English pages."""
    f.world(session)
    login(client, "nurse").get("/account?lang=en")
    return client


@pytest.fixture
def admin(session: Session, client: FlaskClient, login: Login) -> FlaskClient:
    """The administrator of the whole network, English pages."""
    f.world(session)
    login(client, "admin").get("/account?lang=en")
    return client


def made(client: FlaskClient, **values: str) -> str:
    """The address of a new batch."""
    answer = client.post("/labels", data=ORDER | values)
    assert answer.status_code == 302, answer.get_data(as_text=True)
    return str(answer.location)


def rows(session: Session) -> list[LabelNumber]:
    session.rollback()
    query = select(LabelNumber).order_by(LabelNumber.batch_id, LabelNumber.position)
    return list(session.scalars(query.execution_options(populate_existing=True)))


def field_error(page: str, name: str) -> str:
    """What stands beside the field, which says of itself that it is wrong; the dialog is open."""
    assert "data-shown" in page
    assert re.search(rf'name="{name}"[^>]*aria-invalid="true"', page), f"{name} is not marked"
    found = re.search(rf'data-error-for="{name}" class="field-error">.*?<span>(.*?)</span>', page, re.S)
    assert found, f"no sentence beside {name}"
    return found[1]


@pytest.mark.both_databases
def test_a_roll_is_made_printed_and_read_back(nurse: FlaskClient, session: Session, tmp_path: Path) -> None:
    """Five numbers with check characters; the PDF holds each once; printed only once, and every print is on record."""
    address = made(nurse)
    texts = [row.number for row in rows(session)]
    assert len(texts) == 5
    assert all(numbers.checks(text) for text in texts)
    page = nurse.get(address).get_data(as_text=True)
    assert "Print 5 labels" in page
    assert f"<code>{texts[0]}</code> … <code>{texts[4]}</code>" in page
    answer = nurse.post(f"{address}/print")
    assert sorted(zbar(render(answer.data, tmp_path))) == [f"CODE-128:{text}" for text in texts]
    assert [row.copies for row in rows(session)] == [1] * 5
    again = nurse.post(f"{address}/print")
    assert again.status_code == 400
    assert "Choose at least one label" in again.get_data(as_text=True)
    assert "Print 5 labels" not in nurse.get(address).get_data(as_text=True)
    logged = session.scalars(select(PrintEntry).order_by(PrintEntry.id)).all()
    assert [(one.kind, one.subject, one.username, one.site_code, one.reason) for one in logged] == [
        ("number_label", text, "nurse", f.TOWN, "") for text in texts
    ]


def test_used_voided_and_unaccounted_add_up(nurse: FlaskClient, session: Session) -> None:
    """One used by registering, one voided with note: the page says who, why, and what should still be on the roll."""
    address = made(nurse)
    texts = [row.number for row in rows(session)]
    f.done(session, "nurse", f.act("register", {"specimen": texts[1]}, {"tests": ["CBC"]}))
    answer = nurse.post(f"{address}/void", data={"numbers": texts[3], "reason": "damaged", "note": "torn off"})
    assert answer.status_code == 302
    page = nurse.get(address).get_data(as_text=True)
    assert "1 label voided." in page
    assert "torn off" in page
    assert "Damaged" in page
    assert "Print 4 labels" in page
    runs = re.search(r'<ul class="runs">(.*?)</ul>', page, re.S)
    assert runs
    assert re.findall(r"<code>(\w+)</code>", runs[1]) == [texts[0], texts[2], texts[4]]
    for state, number in (("used", texts[1]), ("voided", texts[3])):
        shown = nurse.get(f"{address}?state={state}").get_data(as_text=True)
        assert re.findall(r'<code class="strong">(\w+)</code>', shown) == [number]
    row = next(one for one in rows(session) if one.state == "voided")
    assert (row.state_by, row.reason, row.note) == ("nurse", "damaged", "torn off")
    listed = nurse.get("/labels").get_data(as_text=True)
    assert f"<code>{texts[0]}</code> … <code>{texts[4]}</code>" in listed
    actions = session.scalars(select(AuditEntry.action)).all()
    assert {"label_batch_made", "labels_voided"} <= set(actions)


def test_scanned_numbers_are_voided_together_or_not_at_all(nurse: FlaskClient, session: Session) -> None:
    """A scanner's lines, blanks and commas; one of them unknown: none is voided and what was scanned stays there."""
    address = made(nurse)
    texts = [row.number for row in rows(session)]
    unknown = numbers.issue(numbers.Kind.ACCESSION, 4711, f.START.date())
    sent = {"numbers": f"{texts[0]}\n{unknown}", "reason": "lost", "note": "at the window"}
    page = nurse.post(f"{address}/void", data=sent).get_data(as_text=True)
    assert unknown in field_error(page, "numbers")
    assert f"{texts[0]}\n{unknown}</textarea>" in page
    assert 'value="at the window"' in page
    assert '<option value="lost" selected>' in page
    assert {row.state for row in rows(session)} == {"printed"}
    sent["numbers"] = f"{texts[0]}, {texts[1].lower()}\r\n{texts[2]}；{texts[0]}"
    assert nurse.post(f"{address}/void", data=sent).status_code == 302
    assert [row.state for row in rows(session)] == ["voided"] * 3 + ["printed"] * 2


@pytest.mark.parametrize(
    ("sent", "field", "sentence"),
    [
        ({"numbers": "", "reason": "lost"}, "numbers", "Choose at least one label"),
        ({"numbers": "2611220047", "reason": "lost"}, "numbers", "“2611220047” looks like a number of ours"),
        ({"reason": ""}, "reason", "Say why the labels are voided"),
        ({"reason": "because"}, "reason", "Say why the labels are voided"),
        ({"reason": "lost", "note": "x" * 401}, "note", "not of the right form"),
    ],
)
def test_a_refused_voiding_names_its_field(
    nurse: FlaskClient, session: Session, sent: dict[str, str], field: str, sentence: str
) -> None:
    """No number, one of another system, no reason, too long a note: beside the field, nothing voided."""
    address = made(nurse)
    answer = nurse.post(f"{address}/void", data={"numbers": rows(session)[0].number} | sent)
    assert answer.status_code in {400, 404}
    assert sentence in field_error(answer.get_data(as_text=True), field)
    assert {row.state for row in rows(session)} == {"printed"}


def test_numbers_of_another_batch_are_not_touched_here(nurse: FlaskClient, session: Session) -> None:
    """A number of the other roll is refused by name, for voiding and for printing."""
    first, second = made(nurse), made(nurse)
    number = rows(session)[0].number
    for step in ("void", "print"):
        answer = nurse.post(f"{second}/{step}", data={"numbers": number, "reason": "lost"})
        assert answer.status_code == 404
        assert "belongs to another batch" in answer.get_data(as_text=True)
    assert nurse.post(f"{first}/void", data={"numbers": number, "reason": "lost"}).status_code == 302


def test_printing_numbers_again_needs_a_reason_and_no_voided_one(nurse: FlaskClient, session: Session) -> None:
    """Without a reason the form comes back with what was scanned; a voided label is never printed again."""
    address = made(nurse)
    nurse.post(f"{address}/print")
    texts = [row.number for row in rows(session)]
    page = nurse.post(f"{address}/print", data={"numbers": texts[0], "copies": "2"}).get_data(as_text=True)
    assert "Say why it is printed again" in field_error(page, "reason")
    assert f"{texts[0]}</textarea>" in page
    page = nurse.post(f"{address}/print", data={"numbers": texts[0], "copies": "99", "reason": "jammed"})
    assert "Between 1 and 20 copies" in field_error(page.get_data(as_text=True), "copies")
    sent = {"numbers": texts[0], "copies": "2", "reason": "jammed", "output": "zpl"}
    assert nurse.post(f"{address}/print", data=sent).data.count(b"^PQ2") == 1
    assert rows(session)[0].copies == 3
    nurse.post(f"{address}/void", data={"numbers": texts[0], "reason": "lost"})
    answer = nurse.post(f"{address}/print", data=sent)
    assert answer.status_code == 409
    assert "was voided" in field_error(answer.get_data(as_text=True), "numbers")
    logged = session.scalars(select(PrintEntry).where(PrintEntry.reason != "")).all()
    assert [(one.subject, one.copies, one.output) for one in logged] == [(texts[0], 2, "zpl")]


@pytest.mark.parametrize(
    ("sent", "field", "sentence"),
    [
        ({"count": ""}, "count", "This is needed"),
        ({"count": "0"}, "count", "Between 1 and 1000"),
        ({"count": "-5"}, "count", "Between 1 and 1000"),
        ({"count": "1001"}, "count", "Between 1 and 1000"),
        ({"count": "9" * 19}, "count", "Between 1 and 1000"),
        ({"count": "9" * 900}, "count", "not of the right form"),
        ({"count": "many"}, "count", "“many” is not a number"),
        ({"count": "1e3"}, "count", "“1e3” is not a number"),
        ({"stock": "napkin"}, "stock", "Unknown label stock “napkin”"),
        ({"stock": "roll_25x15_300", "symbology": "code128"}, "stock", "too long for a barcode"),
        ({"symbology": "morse"}, "symbology", "no code that can be printed"),
        ({"kind": "consignment"}, "kind", "cannot be printed ahead"),
        ({"kind": "banana"}, "kind", "cannot be printed ahead"),
        ({"note": "x" * 401}, "note", "not of the right form"),
    ],
)
def test_a_refused_batch_stays_in_the_form(
    nurse: FlaskClient, session: Session, sent: dict[str, str], field: str, sentence: str
) -> None:
    """The dialog is open again with all that was typed, the sentence stands beside its field; nothing is made."""
    answer = nurse.post("/labels", data=ORDER | sent)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert sentence in field_error(page, field)
    if "note" not in sent:
        assert 'value="Monday&#39;s roll"' in page
    if "count" not in sent:
        assert 'value="5"' in page
    assert session.scalars(select(LabelBatch)).all() == []


@pytest.mark.parametrize("sent", [{"count": ""}, {"count": "999999"}, {"count": "很多"}, {"stock": "napkin"}])
def test_refusals_are_said_in_chinese(
    session: Session, client: FlaskClient, login: Login, sent: dict[str, str]
) -> None:
    """The same in the language of most who read it, for whom nothing has to be chosen."""
    f.world(session)
    page = login(client, "nurse").post("/labels", data=ORDER | sent).get_data(as_text=True)
    assert CHINESE.search(field_error(page, next(iter(sent))))


def test_full_width_digits_count(nurse: FlaskClient, session: Session) -> None:
    """As a Chinese keyboard types them."""
    made(nurse, count="１２")
    assert len(rows(session)) == 12


@pytest.mark.parametrize("kind", ["seal", "box"])
def test_seals_and_boxes_are_numbered_ahead(nurse: FlaskClient, session: Session, tmp_path: Path, kind: str) -> None:
    """Numbers of their own kind, in the square code that was asked for."""
    address = made(nurse, kind=kind, count="2", symbology="qr")
    texts = [row.number for row in rows(session)]
    assert [numbers.verify(text).kind.value for text in texts] == [kind] * 2
    read = zbar(render(nurse.post(f"{address}/print").data, tmp_path))
    assert sorted(read) == [f"QR-Code:{text}" for text in texts]


def test_a_county_makes_rolls_for_its_towns_only(
    nurse: FlaskClient, session: Session, new_client: NewClient, login: Login
) -> None:
    """The nurse's form asks for no site; the county chooses among its own; another one neither sees nor makes them."""
    assert 'name="site"' not in nurse.get("/labels").get_data(as_text=True)
    desk = login(new_client(), "receiver")
    desk.get("/account?lang=en")
    address = made(desk, site=f.TOWN)
    assert nurse.get(address).status_code == 200
    other = login(new_client(), "receiver2")
    other.get("/account?lang=en")
    assert rows(session)[0].number not in other.get("/labels").get_data(as_text=True)
    for path in (address, f"{address}/print", f"{address}/void"):
        method = other.get if path == address else other.post
        assert method(path, **({} if path == address else {"data": {"reason": "lost"}})).status_code == 404
    answer = other.post("/labels", data=ORDER | {"site": f.TOWN})
    assert answer.status_code == 400
    assert "TOWN" in field_error(answer.get_data(as_text=True), "site")
    admin = login(new_client(), "admin")
    admin.get("/account?lang=en")
    assert "This is needed" in field_error(admin.post("/labels", data=ORDER).get_data(as_text=True), "site")


def test_the_auditor_reads_and_changes_nothing(
    nurse: FlaskClient, session: Session, new_client: NewClient, login: Login
) -> None:
    """No forms on his pages, and none is taken from him."""
    address = made(nurse)
    auditor = login(new_client(), "auditor")
    page = auditor.get(address).get_data(as_text=True)
    assert rows(session)[0].number in page
    assert "void-dialog" not in page
    for path, data in (("/labels", ORDER), (f"{address}/void", {}), (f"{address}/print", {}), ("/labels/settings", {})):
        assert auditor.post(path, data=data).status_code == 403


def test_many_batches_are_paged(nurse: FlaskClient, session: Session) -> None:
    """The newest thirty first; what is no page number is the first page."""
    for _ in range(31):
        made(nurse, count="1")
    first, last = rows(session)[-1].number, rows(session)[0].number
    page = nurse.get("/labels").get_data(as_text=True)
    assert first in page
    assert last not in page
    assert "Page 1 of 2 · 31 in all" in page
    assert last in nurse.get("/labels?page=2").get_data(as_text=True)
    assert first in nurse.get("/labels?page=two").get_data(as_text=True)
    assert nurse.get("/labels?page=999").status_code == 200


# --- what a site prints on, and sizes ---


def test_each_site_keeps_what_it_prints_on(
    nurse: FlaskClient, session: Session, new_client: NewClient, login: Login
) -> None:
    """Saved for the own site alone, chosen in the form from then on, and on record."""
    data = {"kind": "specimen", "stock": "roll_40x25", "symbology": "datamatrix", "output": "zpl"}
    assert nurse.post("/labels/settings", data=data).status_code == 302
    found = label_stocks.setting(session, f.TOWN, SPECIMEN)
    assert (found.stock.name, found.symbology, found.output) == ("roll_40x25", "datamatrix", "zpl")
    assert label_stocks.setting(session, f.OTHER_TOWN, SPECIMEN).stock.name == "roll_50x30"
    page = nurse.get("/labels/settings").get_data(as_text=True)
    assert '<option value="roll_40x25" selected>' in page
    assert "Saved." in page
    assert session.scalars(select(PrintSetting.changed_by)).all() == ["nurse"]
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "print_setting_changed")).one()
    assert entry.subject == f.TOWN
    other = login(new_client(), "nurse2")
    answer = other.post("/labels/settings", data=data | {"site": f.TOWN})
    assert answer.status_code == 400
    page = other.get(f"/labels/settings?site={f.TOWN}&lang=en").get_data(as_text=True)
    assert re.findall(r'name="site" value="(\w+)"', page) == [f.OTHER_TOWN] * 3


def test_a_setting_that_cannot_print_is_refused_where_it_stands(nurse: FlaskClient, session: Session) -> None:
    """A4 sheets for a Zebra, a small label for a box, what nobody knows: beside the choice, which stays chosen."""
    sent = {"kind": "box", "stock": "sheet_a4_2x2", "symbology": "qr", "output": "zpl"}
    page = nurse.post("/labels/settings", data=sent).get_data(as_text=True)
    assert re.search(r'id="box-output"[^>]*aria-invalid="true"', page)
    assert "cannot go to a Zebra printer" in page
    assert '<option value="sheet_a4_2x2" selected>' in page
    for values, sentence in (
        ({"stock": "roll_50x30"}, "too small for the UN3373 mark"),
        ({"kind": "cake"}, "“cake” is no kind of label"),
        ({"symbology": "morse"}, "no code that can be printed"),
        ({"output": "fax"}, "no way to print"),
    ):
        answer = nurse.post("/labels/settings", data=sent | values)
        assert answer.status_code == 400
        assert sentence in answer.get_data(as_text=True)
    assert session.scalars(select(PrintSetting)).all() == []


def test_the_administrator_sets_any_site_and_adds_a_size(
    admin: FlaskClient, session: Session, tmp_path: Path, new_client: NewClient, login: Login
) -> None:
    """A new roll can be chosen at once, prints in its size, and is no longer offered when it is closed."""
    assert admin.post("/labels/stocks", data=SIZE).status_code == 302
    data = {"site": f.TOWN, "kind": "specimen", "stock": "roll_70x50", "symbology": "qr", "output": "pdf"}
    assert admin.post("/labels/settings", data=data).status_code == 302
    assert "Roll 70 × 50" in admin.get(f"/labels/settings?site={f.TOWN}").get_data(as_text=True)
    f.done(session, "nurse", f.act("register", {"specimen": "2611220047"}, {"tests": ["CBC"]}))
    nurse = login(new_client(), "nurse")
    pages = render(nurse.post("/print/specimens", data={"all": "unprinted"}).data, tmp_path, dpi=254)
    assert [round(side, -1) for side in Image.open(pages[0]).size] == [700, 500]
    assert zbar(pages) == ["QR-Code:2611220047"]
    assert admin.post("/labels/stocks/roll_70x50", data={"active": "0"}).status_code == 302
    assert label_stocks.setting(session, f.TOWN, SPECIMEN).stock.name == "roll_50x30"
    page = nurse.get("/labels/settings?lang=en").get_data(as_text=True)
    assert '<option value="roll_70x50"' not in page
    assert admin.post("/labels/stocks/roll_70x50", data={"active": "1"}).status_code == 302
    assert label_stocks.setting(session, f.TOWN, SPECIMEN).stock.name == "roll_70x50"
    assert admin.post("/labels/stocks/napkin", data={"active": "1"}).status_code == 404
    assert nurse.post("/labels/stocks", data=SIZE).status_code == 403


@pytest.mark.parametrize(
    ("sent", "field", "sentence"),
    [
        ({"code": "Roll 70"}, "code", "is no code for a size"),
        ({"code": "roll_50x30"}, "code", "roll_50x30"),
        ({"name_zh": " "}, "name_zh", "This is needed"),
        ({"width_mm": ""}, "width_mm", "Between 10 and 300"),
        ({"width_mm": "wide"}, "width_mm", "“wide” is not a number"),
        ({"height_mm": "1e9"}, "height_mm", "Between 10 and 300"),
        ({"height_mm": "nan"}, "height_mm", "“nan” is not a number"),
        ({"height_mm": "inf"}, "height_mm", "“inf” is not a number"),
        ({"dpi": "72"}, "dpi", "“72” cannot be chosen here"),
        ({"dpi": "600"}, "dpi", "“600” cannot be chosen here"),
        ({"medium": "sheet", "columns": "4"}, "columns", "The labels need 280 mm, the page has 210 mm"),
        ({"medium": "sheet", "rows": "0"}, "rows", "Between 1 and 30"),
        ({"medium": "sheet", "rows": "2.5"}, "rows", "“2.5” is not a number"),
        ({"medium": "stone"}, "medium", "“stone” cannot be chosen here"),
        ({"symbology": "morse"}, "symbology", "“morse” cannot be chosen here"),
    ],
)
def test_a_refused_size_stays_in_the_form(
    admin: FlaskClient, session: Session, sent: dict[str, str], field: str, sentence: str
) -> None:
    """What no printer has, or does not lie on its page: beside its field, with all that was typed."""
    answer = admin.post("/labels/stocks", data=SIZE | sent)
    page = answer.get_data(as_text=True)
    assert answer.status_code in {400, 409}
    assert sentence in field_error(page, field)
    if "name_en" not in sent:
        assert 'value="Roll 70 × 50"' in page
    assert session.scalars(select(LabelStock)).all() == []
