"""Printing through the browser's door: what comes out is read back by decoders that are not ours, and is on record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from logistics.domain import numbers
from logistics.models import Box, LabelStock, PrintEntry, PrintSetting, Site
from tests import factories as f
from tests.paper import dmtx, render, words, zbar, zxing

Login = Callable[[FlaskClient, str], FlaskClient]
NewClient = Callable[[], FlaskClient]
TUBES = ("2611220047", "2611220048")


@pytest.fixture
def nurse(session: Session, client: FlaskClient, login: Login) -> FlaskClient:
    """The collector of TOWN with English pages; two registered tubes whose labels were not printed yet."""
    f.world(session)
    for accession in TUBES:
        payload = {"tests": ["CBC"], "patient_ref": "张** 女", "priority": "urgent"}
        f.done(session, "nurse", f.act("register", {"specimen": accession}, payload))
    login(client, "nurse").get("/account?lang=en")
    return client


def ids(session: Session, *accessions: str) -> list[int]:
    return [f.find(session, accession).id for accession in accessions or TUBES]


def log(session: Session) -> list[tuple[Any, ...]]:
    """Every print on record, in order: (kind, subject, copies, version, reason, output, who)."""
    session.rollback()
    rows = session.scalars(select(PrintEntry).order_by(PrintEntry.id)).all()
    assert all(row.site_code for row in rows), "where it was printed"
    return [(row.kind, row.subject, row.copies, row.version, row.reason, row.output, row.username) for row in rows]


def refused(answer: TestResponse, status: int = 400) -> str:
    """The page that says why; never a trace."""
    page = answer.get_data(as_text=True)
    assert answer.status_code == status, page
    assert "Traceback" not in page
    return page


@pytest.mark.parametrize(
    ("stock", "symbology", "prefix"),
    [("", "", "CODE-128:"), ("roll_60x40", "qr", "QR-Code:"), ("sheet_a4_3x8", "code128", "CODE-128:")],
)
def test_the_labels_of_tubes_are_read_by_zbar(
    nurse: FlaskClient, session: Session, tmp_path: Path, stock: str, symbology: str, prefix: str
) -> None:
    """The site's usual roll, a chosen roll, a sheet: the codes come back; name masked, tests and urgency in clear."""
    answer = nurse.post("/print/specimens", data={"id": ids(session), "stock": stock, "symbology": symbology})
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    assert sorted(zbar(render(answer.data, tmp_path))) == [f"{prefix}{number}" for number in TUBES]
    text = words(answer.data, tmp_path)
    for part in (*TUBES, "张**", "CBC", "Site TOWN", "URGENT"):
        assert part in text, part


def test_a_datamatrix_for_small_tubes_is_read_by_libdmtx(nurse: FlaskClient, session: Session, tmp_path: Path) -> None:
    """The size's own code is taken when none is asked for."""
    answer = nurse.post("/print/specimens", data={"id": ids(session, TUBES[0]), "stock": "roll_40x25"})
    assert dmtx(render(answer.data, tmp_path)[0]) == TUBES[0]


def test_a_reprint_has_a_reason_and_a_first_print_none(nurse: FlaskClient, session: Session) -> None:
    """One tube printed before, one not: without a known reason nothing is printed; it is kept with that tube alone."""
    nurse.post("/print/specimens", data={"id": ids(session, TUBES[0])})
    for reason in ("", "because"):
        page = refused(nurse.post("/print/specimens", data={"id": ids(session), "reason": reason}))
        assert "Say why it is printed again" in page
    assert len(log(session)) == 1
    assert nurse.post("/print/specimens", data={"id": ids(session), "reason": "fell_off"}).status_code == 200
    assert log(session)[1:] == [
        ("specimen_label", TUBES[1], 1, None, "", "pdf", "nurse"),
        ("specimen_label", TUBES[0], 1, None, "fell_off", "pdf", "nurse"),
    ]
    assert [f.find(session, number).labels_printed for number in TUBES] == [2, 1]


def test_copies_are_printed_and_counted(nurse: FlaskClient, session: Session, tmp_path: Path) -> None:
    """Three of each: three pages a tube on a roll, and three on record."""
    answer = nurse.post("/print/specimens", data={"all": "unprinted", "copies": "3"})
    pages = render(answer.data, tmp_path)
    assert [found for page in pages for found in zxing([page])] == [TUBES[0]] * 3 + [TUBES[1]] * 3
    assert [row[2] for row in log(session)] == [3, 3]
    assert f.find(session, TUBES[0]).labels_printed == 3


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"copies": "0"}, "Between 1 and 20 copies"),
        ({"copies": "21"}, "Between 1 and 20 copies"),
        ({"copies": "99999999999999999999"}, "Between 1 and 20 copies"),
        ({"copies": "two"}, "Between 1 and 20 copies"),
        ({"copies": "-1"}, "Between 1 and 20 copies"),
        ({"stock": "napkin"}, "Unknown label stock “napkin”"),
        ({"symbology": "morse"}, "“morse” is no code that can be printed"),
        ({"output": "fax"}, "“fax” is no way to print"),
        ({"stock": "sheet_a4_3x8", "output": "zpl"}, "cannot go to a Zebra printer"),
        ({"stock": "sheet_a4_3x8", "skip": "24"}, "Between 0 and 23 places"),
        ({"stock": "sheet_a4_3x8", "skip": "some"}, "Between 0 and 23 places"),
        ({"skip": "1"}, "Between 0 and 0 places"),
        ({"id": "nothing"}, "Choose at least one label"),
        ({"id": "99999999999999999999"}, "Choose at least one label"),
    ],
)
def test_what_cannot_be_printed_is_refused_in_words(
    nurse: FlaskClient, session: Session, values: dict[str, str], sentence: str
) -> None:
    """Numbers that are none, unknown sizes, codes and printers: a sentence, no paper and no entry."""
    answer = nurse.post("/print/specimens", data={"id": ids(session)} | values)
    assert sentence in refused(answer)
    assert log(session) == []
    assert f.find(session, TUBES[0]).labels_printed == 0


def test_a_begun_sheet_is_used_up(nurse: FlaskClient, session: Session, tmp_path: Path) -> None:
    """22 of 24 places used: two copies of the first tube end the sheet, those of the second begin another."""
    data = {"id": ids(session), "stock": "sheet_a4_3x8", "skip": "22", "copies": "2"}
    pages = render(nurse.post("/print/specimens", data=data).data, tmp_path)
    assert [sorted(zxing([page])) for page in pages] == [[TUBES[0]] * 2, [TUBES[1]] * 2]


@pytest.mark.parametrize("output", ["zpl", "zpl_graphic"])
def test_labels_for_a_zebra_printer(nurse: FlaskClient, session: Session, output: str) -> None:
    """A file to be sent as it is: one label each, copies made by the printer, no text left to its fonts; on record."""
    answer = nurse.post("/print/specimens", data={"id": ids(session), "output": output, "copies": "2"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="labels.zpl"'
    text = answer.get_data(as_text=True)
    assert text.isascii()
    assert (text.count("^XA"), text.count("^PQ2"), text.count("^XZ"), text.count("^A")) == (2, 2, 2, 0)
    assert [number for number in TUBES if f"^FD{number}^FS" in text] == ([*TUBES] if output == "zpl" else [])
    assert [row[2:6] for row in log(session)] == [(2, None, "", output)] * 2


def test_what_the_site_prints_on_needs_no_choice(nurse: FlaskClient, session: Session) -> None:
    """The setting of the site holds for the plain button: here a Zebra printer and a square code."""
    session.add(
        PrintSetting(
            site_code=f.TOWN, kind="specimen", stock="roll_40x25", symbology="datamatrix", output="zpl",
            changed_at=f.START, changed_by="nurse",
        )
    )  # fmt: skip
    session.commit()
    text = nurse.post("/print/specimens", data={"all": "unprinted"}).get_data(as_text=True)
    assert text.count("^BX") == 2
    assert "^PW320" in text


def test_a_sheet_asks_for_the_places_that_were_used(nurse: FlaskClient, session: Session) -> None:
    """The worklist asks for copies, and only where the site prints on sheets for the places used."""
    page = nurse.get("/collector/").get_data(as_text=True)
    assert 'name="copies"' in page
    assert 'name="skip"' not in page
    data = {"kind": "specimen", "stock": "sheet_a4_5x13", "symbology": "datamatrix", "output": "pdf"}
    assert nurse.post("/labels/settings", data=data).status_code == 302
    assert 'name="skip" min="0" max="64"' in nurse.get("/collector/").get_data(as_text=True)


def test_the_label_of_a_box_carries_its_code_and_the_mark(
    nurse: FlaskClient, session: Session, tmp_path: Path, new_client: NewClient, login: Login
) -> None:
    """Read by zbar; UN3373 with its name, who is responsible and the telephone; the administrator may print it, too."""
    session.get_one(Site, f.TOWN).contact_phone = "0715-6555120"
    session.commit()
    answer = nurse.post("/print/boxes/BX-C/label", data={"copies": "2"})
    assert zbar(render(answer.data, tmp_path)[:1]) == ["QR-Code:BX-C"]
    text = words(answer.data, tmp_path)
    for part in ("UN3373", "BIOLOGICAL", "SUBSTANCE,", "CATEGORY B", "Site TOWN", "0715-6555120", "2–8 °C"):
        assert part in text, part
    admin = login(new_client(), "admin")
    again = {"output": "zpl_graphic", "reason": "damaged"}
    assert admin.post("/print/boxes/BX-C/label", data=again).data.startswith(b"^XA")
    small = nurse.post("/print/boxes/BX-C/label", data={"stock": "roll_50x30", "reason": "damaged"})
    assert "The label Roll 50 × 30 mm (203 dpi) is too small for the UN3373 mark" in refused(small)
    small = nurse.post("/print/boxes/BX-C/label?lang=zh_CN", data={"stock": "roll_50x30", "reason": "damaged"})
    assert "卷筒 50 × 30 mm（203 dpi）" in refused(small)
    session.rollback()
    rows = session.scalars(select(PrintEntry).order_by(PrintEntry.id)).all()
    assert [(row.kind, row.subject, row.copies, row.output, row.username, row.site_code) for row in rows] == [
        ("box_label", "BX-C", 2, "pdf", "nurse", f.TOWN), ("box_label", "BX-C", 1, "zpl_graphic", "admin", None),
    ]  # fmt: skip


def test_the_label_of_a_consignment_is_scanned_at_each_handover(
    nurse: FlaskClient, session: Session, tmp_path: Path
) -> None:
    """Its number as QR, or as DataMatrix when that is asked for; where it goes, its box and its tubes in clear."""
    number = f.sealed(session, ("T1", "T2", "T3"))
    path = f"/print/consignments/{number}/label"
    answer = nurse.post(path)
    assert zbar(render(answer.data, tmp_path)) == [f"QR-Code:{number}"]
    text = words(answer.data, tmp_path)
    for part in (number, "Site COUNTY", "Site TOWN", "BX-C", "3 tubes"):
        assert part in text, part
    square = nurse.post(path, data={"symbology": "datamatrix", "reason": "damaged"})
    assert dmtx(render(square.data, tmp_path)[0]) == number
    assert [row[:5] for row in log(session)] == [
        ("consignment_label", number, 1, 1, ""), ("consignment_label", number, 1, 1, "damaged"),
    ]  # fmt: skip


def test_the_manifest_is_the_one_that_was_locked(nurse: FlaskClient, session: Session, tmp_path: Path) -> None:
    """Tubes, seal, both signatures with their times, no patient; an earlier version stays as it was locked."""
    tubes = ("T1", "T2")
    number = f.delivered(session, tubes)
    answer = nurse.post(f"/print/consignments/{number}/manifest")
    assert zbar(render(answer.data, tmp_path)) == [f"QR-Code:{number}"]
    text = words(answer.data, tmp_path)
    for part in (*tubes, f"SL{number[-6:]}", "nurse某", "courier某", "receiver某", "4.6", "5.1", "2026-03-09 09:00"):
        assert part in text, part
    assert "张" not in text
    for version, status in (("1", 200), ("2", 409), ("99999", 409), ("9" * 30, 200), ("first", 200)):
        data = {"version": version, "reason": "second_copy"}
        assert nurse.post(f"/print/consignments/{number}/manifest", data=data).status_code == status, version
    assert [row[:5] for row in log(session)] == [
        ("manifest", number, 1, 1, ""), *[("manifest", number, 1, 1, "second_copy")] * 3,
    ]  # fmt: skip


def test_a_manifest_that_was_replaced_says_so(nurse: FlaskClient, session: Session, tmp_path: Path) -> None:
    """Sealed again, the first version is printed with a word that the second has replaced it; the second is not."""
    number = f.sealed(session, ("T1",))
    later = f.START + timedelta(minutes=5)
    f.done(session, "nurse", f.act("unseal", {"consignment": number}, {"reason": "seal torn"}, at=later))
    f.done(session, "nurse", f.act("seal", {"consignment": number}, {"seal": "SLAGAIN2"}, at=later))
    for version, told in (("1", True), ("2", False)):
        answer = nurse.post(f"/print/consignments/{number}/manifest", data={"version": version})
        assert ("No longer in force: replaced by version 2" in words(answer.data, tmp_path)) is told


def test_the_labels_and_list_of_a_return_load(
    nurse: FlaskClient, session: Session, tmp_path: Path, new_client: NewClient, login: Login
) -> None:
    """Items have numbers of ours on their labels; again only for a reason; the list names them with both signatures."""
    session.add(Box(code="BAG-1", temp_class="ambient_15_25", kind="bag", home_code=f.COUNTY, location_code=f.COUNTY))
    session.commit()
    made = [
        str(f.done(session, "receiver", f.act("register_item", {}, {"kind": kind, "destination": f.TOWN}))["item"])
        for kind in ("report", "report")
    ]
    desk = login(new_client(), "receiver")
    desk.get("/account?lang=en")
    answer = desk.post("/print/loads/items", data={"item": made, "copies": "2"})
    assert sorted(zbar(render(answer.data, tmp_path))) == sorted(f"CODE-128:{number}" for number in made * 2)
    assert "Say why it is printed again" in refused(desk.post("/print/loads/items", data={"item": made}))
    assert desk.post("/print/loads/items", data={"item": made[:1], "reason": "lost"}).status_code == 200
    for number in made:
        load = f.done(session, "receiver", f.act("pack_item", {"item": number, "box": "BAG-1"}))["consignment"]
    assert desk.post(f"/print/loads/{load}/list").status_code == 409
    f.done(session, "receiver", f.act("seal", {"consignment": load}, {"seal": "SL-1"}))
    assert desk.post(f"/print/loads/{load}/list").status_code == 200
    answer = desk.post(f"/print/loads/{load}/list", data={"reason": "jammed"})
    text = words(answer.data, tmp_path)
    assert all(number in text for number in made)
    first = [("item_label", number, 2, None, "", "pdf", "receiver") for number in sorted(made)]
    assert log(session) == [
        *first, ("item_label", made[0], 1, None, "lost", "pdf", "receiver"),
        ("manifest", load, 1, 1, "", "pdf", "receiver"), ("manifest", load, 1, 1, "jammed", "pdf", "receiver"),
    ]  # fmt: skip
    assert all(numbers.checks(number) for number in made)


@pytest.mark.parametrize("what", ["manifest", "label", "box"])
def test_a_second_print_asks_why_and_goes_on_by_itself(nurse: FlaskClient, session: Session, what: str) -> None:
    """A page asks for the reason and sends the same form again; what is printed first, or in a new version, asks
    nothing."""
    number = f.sealed(session, ("R1",))
    session.rollback()
    address = {"manifest": f"/print/consignments/{number}/manifest", "label": f"/print/consignments/{number}/label",
               "box": "/print/boxes/BX-C/label"}[what]  # fmt: skip
    kind = {"manifest": "manifest", "label": "consignment_label", "box": "box_label"}[what]
    sent = {"output": "pdf"}
    assert nurse.post(address, data=sent).data.startswith(b"%PDF")
    again = nurse.post(address, data=sent)
    page = again.get_data(as_text=True)
    assert again.status_code == 400
    assert f'action="{address}" data-print-again' in page
    assert '<input type="hidden" name="output" value="pdf">' in page
    assert '<option value="jammed">' in page
    assert nurse.post(address, data={**sent, "reason": "because"}).status_code == 400
    assert nurse.post(address, data={**sent, "reason": "jammed"}).data.startswith(b"%PDF")
    session.rollback()
    reasons = session.scalars(select(PrintEntry.reason).where(PrintEntry.kind == kind).order_by(PrintEntry.id)).all()
    assert reasons == ["", "jammed"]
    if what != "box":
        session.rollback()
        f.done(session, "nurse", f.act("unseal", {"consignment": number}, {"reason": "one forgotten"}))
        f.done(session, "nurse", f.act("seal", {"consignment": number}, {"seal": "SL-NEW"}))
        assert nurse.post(address, data=sent).data.startswith(b"%PDF")


def test_a_sheet_that_was_begun_is_asked_for_with_every_label(
    nurse: FlaskClient, session: Session, new_client: NewClient, login: Login
) -> None:
    """Not for tubes alone: labels of consignments on a sheet ask how many places are used, on a roll nothing."""
    f.sealed(session, ("R1",))
    session.rollback()
    assert 'name="skip"' not in nurse.get("/collector/pack").get_data(as_text=True)
    session.rollback()
    session.add(
        LabelStock(
            code="sheet_a5", name_zh="A5 两枚", name_en="Two A5", medium="sheet", width_mm=145, height_mm=205,
            page_width_mm=297, page_height_mm=210, columns=2, rows=1, created_at=f.START, created_by="admin",
        )
    )  # fmt: skip
    session.add(
        PrintSetting(
            site_code=f.TOWN, kind="consignment", stock="sheet_a5", symbology="qr", changed_at=f.START,
            changed_by="admin",
        )
    )  # fmt: skip
    session.commit()
    assert 'name="skip" min="0" max="1"' in nurse.get("/collector/pack").get_data(as_text=True)
    assert login(new_client(), "admin").get("/admin/boxes/BX-C").status_code == 200


def test_the_sheet_of_commands_is_read_by_zbar(
    nurse: FlaskClient, session: Session, tmp_path: Path, new_client: NewClient, login: Login
) -> None:
    """Every command of the receiving desk comes back from the sheet; that it was printed is on record."""
    desk = login(new_client(), "receiver")
    found = zbar(render(desk.post("/print/commands").data, tmp_path, dpi=300))
    page = desk.get("/receiver/commands").get_data(as_text=True)
    assert len(found) > 15
    assert all(code.removeprefix("CODE-128:") in page for code in found)
    assert log(session) == [("command_sheet", f.COUNTY, 1, None, "", "pdf", "receiver")]


def test_the_print_log_shows_ones_own_sites(
    nurse: FlaskClient, session: Session, new_client: NewClient, login: Login
) -> None:
    """Newest first with the reason in words, found by how the number begins; another county's log holds none of it."""
    nurse.post("/print/specimens", data={"all": "unprinted"})
    nurse.post("/print/specimens", data={"id": ids(session, TUBES[1]), "reason": "jammed", "copies": "4"})
    page = nurse.get("/labels/prints").get_data(as_text=True)
    assert page.count(TUBES[1]) == 2
    assert page.index("Printer jammed") < page.index(TUBES[0])
    found = nurse.get(f"/labels/prints?q={TUBES[0]}").get_data(as_text=True)
    assert TUBES[1] not in found
    assert "Specimen label" in found
    assert "Nothing with this number" in nurse.get("/labels/prints?q=%25").get_data(as_text=True)
    assert nurse.get("/labels/prints?page=999").status_code == 200
    for username, times in (("manager", 2), ("auditor", 2), ("manager2", 0), ("nurse2", 0)):
        other = login(new_client(), username).get("/labels/prints").get_data(as_text=True)
        assert other.count(TUBES[1]) == times, username
