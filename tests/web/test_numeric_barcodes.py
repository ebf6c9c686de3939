"""Barcodes of digits alone, as hospitals have them, with zeros before them: whatever door they come in by, the tube
bears them to the digit, and what is printed is read back as them."""

from __future__ import annotations

import csv
import io
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import labels
from logistics.labels import codes, zpl
from logistics.labels.sizes import SPECIMEN_STOCKS, STOCKS
from logistics.models import Specimen
from tests import factories as f
from tests.paper import render, zbar, zxing

Login = Callable[[FlaskClient, str], FlaskClient]
NUMBERS = ("000123456789", "00012345678", "01234567", "00000000000123", "112345678901", "9876543")
"""Even and odd in length: Code 128 packs pairs of digits."""


@pytest.fixture
def nurse(session: Session, client: FlaskClient, login: Login) -> FlaskClient:
    f.world(session)
    login(client, "nurse").get("/account?lang=en")
    return client


def taken(session: Session) -> list[str]:
    session.rollback()
    return list(session.scalars(select(Specimen.accession).order_by(Specimen.id)))


def imported(nurse: FlaskClient, data: bytes, name: str, *, lang: str = "en") -> str:
    """What the preview says; then the file is taken, if it may be."""
    said = [
        nurse.post(f"/collector/import/?lang={lang}", data={"file": (io.BytesIO(data), name), "action": action})
        for action in ("preview", "apply")
    ]
    return said[0].get_data(as_text=True)


def workbook(cells: list[tuple[Any, str]]) -> bytes:
    """Orders of CBC in an xlsx file; each barcode as a value in a cell of this number format."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["条码号", "检验项目"])
        for line, (value, form) in enumerate(cells, start=1):
            sheet.write(line, 0, value, book.add_format({"num_format": form}))
            sheet.write(line, 1, "CBC")
    return buffer.getvalue()


def test_typed_on_the_form_and_sent_by_a_laboratory_system(nurse: FlaskClient, session: Session) -> None:
    """The order's form and the API take them as they are; a JSON number, which has no zeros, is refused."""
    typed, sent = NUMBERS[:2]
    form = {"id": str(uuid.uuid4()), "tests": "CBC", "priority": "routine", "accession": typed}
    assert nurse.post("/collector/orders/new", data=form).status_code == 302
    answers = []
    for number, accession in (("A-1", sent), ("A-2", 123456789)):
        order = {"order_number": number, "tubes": [{"accession": accession, "tests": ["CBC"]}]}
        answers += nurse.post("/api/v1/orders", json={"orders": [order]}).get_json()["answers"]
    assert [one["status"] for one in answers] == ["done", "refused"]
    assert taken(session) == [typed, sent]


@pytest.mark.parametrize("written", ["{}", '="{}"', "'{}", "\t{}"])
def test_imported_from_csv(nurse: FlaskClient, session: Session, written: str) -> None:
    """Bare, and in the three ways in which laboratory systems keep Excel's hands off them."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["条码号", "检验项目"], *([written.format(one), "CBC"] for one in NUMBERS)])
    imported(nurse, buffer.getvalue().encode(), "orders.csv")
    assert taken(session) == list(NUMBERS)


def test_imported_from_xlsx(nurse: FlaskClient, session: Session) -> None:
    """As text, and as a number whose cell shows the zeros, as a text formula, as a whole number without any."""
    cells = [(NUMBERS[0], "@"), (12345678, "0" * 11), ('="01234567"', "General"), (112345678901, "General"),
             (987654321098.0, "0")]  # fmt: skip
    imported(nurse, workbook(cells), "orders.xlsx")
    assert taken(session) == [NUMBERS[0], NUMBERS[1], NUMBERS[2], "112345678901", "987654321098"]


def test_an_xlsx_that_has_lost_zeros_is_refused(nurse: FlaskClient, session: Session) -> None:
    """One barcode is a number of nine digits where the others have twelve: nothing is taken, and it says why."""
    book = workbook([(112345678901, "General"), (123456789, "General")])
    page = imported(nurse, book, "orders.xlsx")
    assert "“123456789” is a number in Excel and shorter than other barcodes of its site (12 digits)" in page
    assert taken(session) == []
    assert "前面的 0 可能已丢失" in imported(nurse, book, "orders.xlsx", lang="zh_CN")


def test_shorter_barcodes_that_are_text_or_another_sites_are_taken(nurse: FlaskClient, session: Session) -> None:
    """Two lengths may well be right: where Excel has not touched the shorter one nobody doubts it."""
    imported(nurse, workbook([(112345678901, "General"), ("123456789", "@")]), "orders.xlsx")
    assert taken(session) == ["112345678901", "123456789"]


@pytest.mark.parametrize("spoilt", ["1E+11", "1.12346E+11"])
def test_a_barcode_that_excel_has_rounded_in_a_csv_is_refused(
    nurse: FlaskClient, session: Session, spoilt: str
) -> None:
    """100000000000 and 112345678901, as Excel writes them when it saves what it opened."""
    page = imported(nurse, f"条码号,检验项目\n{spoilt},CBC\n".encode(), "orders.csv")
    assert f"“{spoilt}” has lost digits" in page
    assert taken(session) == []


def test_scanned_found_and_exported(nurse: FlaskClient, session: Session) -> None:
    """Two that differ only by a zero before them are two tubes: a scan, the search and the exports tell them apart."""
    with_zeros, bare = "000123456789", "123456789"
    for number in (with_zeros, bare):
        f.done(session, "nurse", f.act("register", {"specimen": number}, {"tests": ["CBC"]}))
    f.done(session, "nurse", f.act("collect", {"specimen": with_zeros}))
    assert f.find(session, with_zeros).state == "collected"
    assert f.find(session, bare).state == "registered"
    assert nurse.get(f"/journey?code={with_zeros}").headers["Location"].endswith(f"/{f.find(session, with_zeros).id}")
    written = nurse.get(f"/search/specimens/export?q={with_zeros}&format=csv").get_data(as_text=True)
    assert with_zeros in written
    book = load_workbook(io.BytesIO(nurse.get(f"/search/specimens/export?q={with_zeros}&format=xlsx").data))
    assert with_zeros in [cell.value for row in book.active.rows for cell in row]


def label(number: str) -> labels.SpecimenLabel:
    return labels.SpecimenLabel(
        accession=number, site="石城镇卫生院", specimen_type="全血", container="EDTA抗凝管", tests=("血常规",),
        priority="routine", temp_class="cold_2_8", patient_ref="",
    )  # fmt: skip


@pytest.mark.parametrize("name", [one for one in SPECIMEN_STOCKS if STOCKS[one].symbology == "code128"])
def test_printed_and_read_back(name: str, tmp_path: Path) -> None:
    """On every stock of Code 128, by zbar and by zxing, zeros and all."""
    stock = STOCKS[name]
    made = labels.specimen_labels([label(one) for one in NUMBERS], stock=stock)
    pages = render(made, tmp_path, dpi=300 if stock.dpi == 300 else 203)
    assert sorted(zbar(pages)) == sorted(f"CODE-128:{one}" for one in NUMBERS)
    assert sorted(zxing(pages)) == sorted(NUMBERS)


def test_a_printer_that_draws_the_bars_itself_is_given_the_number() -> None:
    """Zebra's language: the field holds every digit, as text."""
    stock = STOCKS["roll_50x30"]
    drawn = labels.specimen_drawings([label(one) for one in NUMBERS], stock=stock)
    assert re.findall(r"\^FD([^^]*)\^FS", zpl.labels(drawn, stock)) == list(NUMBERS)


@pytest.mark.parametrize("number", NUMBERS)
def test_pairs_of_digits_take_the_room_of_one(number: str) -> None:
    """Code set C: start, a symbol for two digits, check and stop; an odd digit costs two more, to change the set."""
    symbols = 2 + len(number) // 2 + (2 if len(number) % 2 else 0)
    assert codes.width_modules(number) <= 11 * symbols + 13


def test_the_label_of_the_page_is_that_of_the_tube(nurse: FlaskClient, session: Session, tmp_path: Path) -> None:
    """From the worklist's print button to the scanner: the number of the record."""
    f.done(session, "nurse", f.act("register", {"specimen": NUMBERS[0]}, {"tests": ["CBC"]}))
    page = nurse.post("/print/specimens", data={"all": "unprinted"}).data
    assert zbar(render(page, tmp_path)) == [f"CODE-128:{NUMBERS[0]}"]
