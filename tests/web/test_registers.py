"""The transport register: page, PDF and workbook hold the same lines with every field; whose they are; refusals."""

from __future__ import annotations

import html
import io
import re
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.access import Scope
from logistics.labels.register_xlsx import HEAD_ROW
from logistics.models import Alert, AuditEntry, Box, PrintEntry, User
from logistics.services import alerts
from tests import factories as f
from tests import warm_box
from tests.factories import START, act, done

Login = Callable[[FlaskClient, str], FlaskClient]
NewClient = Callable[[], FlaskClient]
DAY = "from=2026-03-09&to=2026-03-09&lang=en"
WARM = ("2611220047", "2611220048", "2611220049")
HOUR = timedelta(hours=1)


def seal(session: Session, number: str, text: str) -> None:
    done(session, "nurse", act("seal", {"consignment": number}, {"seal": text}))


def packed(session: Session, box: str, *accessions: str) -> str:
    number = ""
    for accession in accessions:
        f.collected(session, accession)
        number = done(session, "nurse", act("pack", {"specimen": accession, "box": box}))["consignment"]
    return number


def fetched(session: Session, number: str, count: int, **more: Any) -> None:
    payload = {"other": "nurse", "pin": f.PIN, "count": count, **more}
    done(session, "courier", act("hand_over", {"consignment": number}, payload, site=f.TOWN))


@pytest.fixture
def morning(session: Session) -> tuple[str, str]:
    """(delivered, under way): a box that grew warm, with a damaged, a missing, a strange and a left tube; another that
    left with nothing measured. The other county has one of its own."""
    f.world(session)
    session.add(Box(code="BX-D", temp_class="cold_2_8", capacity=9, home_code=f.TOWN, location_code=f.TOWN))
    nurse = f.user(session, "nurse")
    nurse.name_zh = "=沈护士"
    session.add(
        User(username="courier3", role="courier", site_code=f.COUNTY, name_zh="王", password_hash=nurse.password_hash)
    )
    session.commit()
    warm_box.logger(session)
    first = packed(session, "BX-C", *WARM, "2611220055")
    seal(session, first, "@SUM(1)")
    left = [{"specimen": "2611220055", "reason": "LEAKED"}]
    fetched(session, first, 3, box_temp_c="4.6", refused=left, seal_now="=SUM(1)")
    warm_box.readings(session, [5.0, 5.1, *[12.0] * 9, 5.2, 5.0])
    done(session, "courier", act("arrive", {}, site=f.COUNTY, at=START + HOUR))
    deliver = {"other": "courier", "pin": f.PIN, "count": 3, "box_temp_c": "-0.4"}
    done(session, "receiver", act("hand_over", {"consignment": first}, deliver, site=f.COUNTY, at=START + HOUR))
    at = START + HOUR + timedelta(minutes=5)
    for accession, condition, how in ((WARM[0], "damaged", "scanned"), (WARM[1], "good", "typed")):
        subject = {"specimen": accession, "consignment": first}
        done(session, "receiver", act("receive", subject, {"condition": condition}, at=at, how=how))
    done(session, "receiver", act("reject", {"specimen": WARM[1]}, {"reason": "HAEMOLYSED"}, at=at))
    done(session, "receiver", act("declare_missing", {"specimen": WARM[2], "consignment": first}, at=at))
    f.collected(session, "2611220070")
    subject = {"consignment": first, "specimen": "2611220070"}
    payload = {"condition": "leaked", "reason": "UNEXPECTED"}
    done(session, "receiver", act("receive_unexpected", subject, payload, at=at))
    alert = session.scalars(select(Alert).where(Alert.consignment_number == first).order_by(Alert.id)).first()
    assert alert is not None
    scope = Scope("manager", f.COUNTY, frozenset({f.COUNTY, f.TOWN}))
    alerts.acknowledge(session, alert.id, word="gel packs were changed", username="manager", scope=scope, now=at)
    session.commit()
    second = packed(session, "BX-D", "2611220060")
    seal(session, second, "SL-2")
    fetched(session, second, 1)
    return first, second


@pytest.fixture
def manager(morning: tuple[str, str], client: FlaskClient, login: Login) -> FlaskClient:
    return login(client, "manager")


def page_rows(page: str) -> list[str]:
    """The text of each line of the table on the page, without blanks."""
    body = re.search(r"<tbody>(.*?)</tbody>", page, re.S)
    found = re.findall(r"<tr>(.*?)</tr>", body[1], re.S) if body else []
    return ["".join(html.unescape(re.sub(r"<[^>]+>", " ", row)).split()) for row in found]


def sheet(data: bytes) -> list[dict[str, Any]]:
    """The lines of the workbook by their English heads."""
    rows = list(openpyxl.load_workbook(io.BytesIO(data)).worksheets[0].iter_rows(values_only=True))
    heads = [str(cell).rpartition("\n")[2] for cell in rows[HEAD_ROW]]
    return [dict(zip(heads, row, strict=True)) for row in rows[HEAD_ROW + 1 :]]


def paper(data: bytes, folder: Path) -> str:
    """The text of the PDF without blanks, column after column."""
    (folder / "register.pdf").write_bytes(data)
    command = ["pdftotext", "-raw", str(folder / "register.pdf"), "-"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return "".join(run.stdout.split()).replace("−", "-")


def facts(line: dict[str, Any]) -> list[str]:
    """What must be read on page and paper, too, for a line of the workbook to be the same."""
    found = []
    for head, value in line.items():
        if value in {None, 0, ""} or head == "Day of departure":
            continue
        if isinstance(value, datetime):
            found.append(f"{value:%m-%d%H:%M}")
        elif head.endswith("tubes") or head == "Left behind":  # Damaged tubes, Leaked tubes …
            found.append(f"{head.removesuffix(' tubes')}{value}")
        elif isinstance(value, int | float):
            found.append(f"{value:.1f}" if "°C" in head else str(value))
        else:
            found += [part.removeprefix("'") for part in re.split(r"[、\n]", value)]
    return ["".join(part.split()) for part in found]


@pytest.mark.both_databases
def test_page_pdf_and_workbook_hold_the_same_lines(
    manager: FlaskClient, morning: tuple[str, str], tmp_path: Path
) -> None:
    """Every value of every line of the workbook stands in that line of the page and on the paper."""
    page = manager.get(f"/registers?{DAY}").get_data(as_text=True)
    shown = page_rows(page)
    lines = sheet(manager.get(f"/registers.xlsx?{DAY}").data)
    printed = paper(manager.get(f"/registers.pdf?{DAY}").data, tmp_path)
    assert [line["Consignment number"] for line in lines] == list(morning)
    assert len(shown) == 2
    for line, row in zip(lines, shown, strict=True):
        said = facts(line)
        assert len(said) > 12
        assert [fact for fact in said if fact not in row] == []
        assert [fact for fact in said if fact not in printed] == []
    tubes = sum(line["Tube count"] for line in lines)
    assert f"2 consignments · {tubes} tubes" in page
    assert f"2consignments,{tubes}tubes" in printed


def test_the_line_tells_all_that_the_paper_form_asks(manager: FlaskClient, morning: tuple[str, str]) -> None:
    """Places, times, box, seal, kinds and counts, damage, leak and loss, temperatures, parties, events, actions."""
    line, under_way = sheet(manager.get(f"/registers.xlsx?{DAY}").data)
    expected = {
        "Day of departure": "2026-03-09 00:00:00", "Consignment number": morning[0], "Box number": "BX-C",
        "Temperature class": "Refrigerated 2–8 °C", "Seal number": "'=SUM(1)", "Departure: place": "Site TOWN",
        "Departure: time": "2026-03-09 09:00:00", "Arrival: place": "Site COUNTY",
        "Arrival: time": "2026-03-09 10:00:00", "Tube count": 3, "Damaged tubes": 1, "Leaked tubes": 1,
        "Missing tubes": 1, "Unexpected tubes": 1, "Left behind": 1, "Box temperature at departure °C": 4.6,
        "Box temperature at arrival °C": -0.4, "Lowest on the way °C": 5.0, "Highest on the way °C": 12.0,
        "Handed over by": "'=沈护士", "Handover signed at": "2026-03-09 09:00:00", "Courier": "courier某",
        "Courier at arrival": "courier某", "Received by": "receiver某", "Receipt signed at": "2026-03-09 10:00:00",
        "Meaning of the handover": "Handed over for transport, confirmed with a PIN",
        "Meaning of the receipt": "Received",
    }  # fmt: skip
    told = {head: str(value) if isinstance(value, datetime) else value for head, value in line.items()}
    assert {head: told[head] for head in expected} == expected
    assert line["Specimen types and counts"].endswith("×3")
    assert "Temperature excursion" in line["Events on the way"]
    assert "Haemolysed ×1" in line["Events on the way"]
    assert "1 typed in" in line["Events on the way"]
    assert "Haemolysed: rejected ×1 (Receiver)" in line["Actions taken"]
    assert "Manager: gel packs were changed" in line["Actions taken"]
    for head in ("Arrival: time", "Box temperature at arrival °C", "Lowest on the way °C", "Received by"):
        assert under_way[head] is None


def test_no_cell_runs_as_a_formula_and_no_patient_is_named(manager: FlaskClient, tmp_path: Path) -> None:
    """A seal and a name that begin like formulas stay text; the masked names of patients are nowhere."""
    data = manager.get(f"/registers.xlsx?{DAY}").data
    book = openpyxl.load_workbook(io.BytesIO(data))
    cells = [cell for row in book.worksheets[0].iter_rows() for cell in row]
    assert [cell.value for cell in cells if cell.data_type == "f"] == []
    texts = [cell.value for cell in cells if isinstance(cell.value, str)]
    assert [text for text in texts if text.startswith(("=", "+", "-", "@"))] == []
    everywhere = " ".join(texts) + manager.get(f"/registers?{DAY}").get_data(as_text=True)
    assert "张" not in everywhere + paper(manager.get(f"/registers.pdf?{DAY}").data, tmp_path)


@pytest.mark.parametrize(
    ("username", "seen"),
    [("nurse", 2), ("receiver", 2), ("dispatcher", 2), ("courier", 2), ("auditor", 2), ("nurse2", 0), ("manager2", 0),
     ("courier2", 0), ("courier3", 0)],
)  # fmt: skip
def test_everybody_sees_the_lines_of_his_own_sites(
    morning: tuple[str, str], client: FlaskClient, login: Login, tmp_path: Path, username: str, seen: int
) -> None:
    """On the page and in both files; a courier what he carried, of his county's the rest not; another county nothing,
    not even by the number."""
    reader = login(client, username)
    assert len(page_rows(reader.get(f"/registers?{DAY}").get_data(as_text=True))) == seen
    assert len(sheet(reader.get(f"/registers.xlsx?{DAY}").data)) == seen
    printed = paper(reader.get(f"/registers.pdf?{DAY}").data, tmp_path)
    assert [number in printed for number in morning] == [bool(seen)] * 2
    named = reader.get(f"/registers.xlsx?consignment={morning[0]}&lang=en").data
    assert [line["Consignment number"] for line in sheet(named)] == ([morning[0]] if seen else [])


def test_the_administrator_has_no_register(morning: tuple[str, str], client: FlaskClient, login: Login) -> None:
    """Who keeps the system sees no specimens."""
    for form in ("", ".pdf", ".xlsx"):
        assert login(client, "admin").get(f"/registers{form}?{DAY}").status_code == 403


@pytest.mark.both_databases
def test_site_courier_and_number_narrow_it(
    manager: FlaskClient, morning: tuple[str, str], session: Session, tmp_path: Path
) -> None:
    """Each filter alone; a consignment is found by its number in any way of typing it, whatever day is asked."""
    for narrowed, found in (
        (f"{DAY}&site={f.TOWN}", list(morning)),
        (f"{DAY}&site={f.OTHER_TOWN}", []),
        (f"{DAY}&courier=courier", list(morning)),
        (f"{DAY}&courier=courier2", []),
        (f"from=2026-01-01&to=2026-01-02&consignment={morning[0].lower()}&lang=en", [morning[0]]),
        (f"{DAY}&consignment=CN0", []),
    ):
        shown = page_rows(manager.get(f"/registers?{narrowed}").get_data(as_text=True))
        assert [number for number in morning if any(number in row for row in shown)] == found, narrowed
        lines = sheet(manager.get(f"/registers.xlsx?{narrowed}").data)
        assert [line["Consignment number"] for line in lines] == found, narrowed
    printed = paper(manager.get(f"/registers.pdf?consignment={morning[0]}&lang=en").data, tmp_path)
    assert "PeriodPeriod" not in printed
    assert "2026-03-0909:00" in printed
    assert f"Consignment{morning[0]}" in printed


def test_an_empty_period_says_so(manager: FlaskClient, tmp_path: Path) -> None:
    """In words on the page, which offers no files then, and on paper; the workbook has its heads and no line."""
    page = manager.get("/registers?from=2026-03-01&to=2026-03-02&lang=en").get_data(as_text=True)
    assert "Nothing left in this period." in page
    assert "/registers.pdf" not in page
    printed = paper(manager.get("/registers.pdf?from=2026-03-01&to=2026-03-02").data, tmp_path)
    assert "Nothingleftinthisperiod." in printed
    assert sheet(manager.get("/registers.xlsx?from=2026-03-01&to=2026-03-02").data) == []


@pytest.mark.parametrize(
    ("asked", "field", "sentence"),
    [
        ("from=2026-03-09&to=2026-03-01&lang=en", "to", "The end lies before the beginning."),
        ("from=2026-03-09&to=2026-03-01", "to", "结束"),
        ("from=2026-01-30&to=2026-03-10&lang=en", "to", "At most 31 days at once."),
        ("from=2026-01-30&to=2026-03-10", "to", "31 天"),
        ("from=yesterday&to=2026-03-09&lang=en", "from", "This is not a day. Write it like 2026-03-02."),
        ("from=yesterday&to=2026-03-09", "from", "日期"),
        ("from=2026-03-01&to=2026-03-0922", "to", "日期"),
        ("from=2026-02-30&to=2026-03-01", "from", "日期"),
        ("from=0001-01-01&to=0001-01-02", "from", "日期"),
    ],
)
def test_a_period_that_cannot_be_is_refused_beside_its_field(
    morning: tuple[str, str], client: FlaskClient, login: Login, asked: str, field: str, sentence: str
) -> None:
    """The page keeps what was asked and says what is wrong with which field; the files say the same sentence."""
    reader = login(client, "manager")
    answer = reader.get(f"/registers?{asked}")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 400
    beside = re.search(rf'data-error-for="{field}" class="field-error">.*?<span>(.*?)</span>', page, re.S)
    assert beside
    assert sentence in beside[1]
    for name, day in (part.split("=") for part in asked.split("&")[:2]):
        assert re.search(rf'id="{name}" name="{name}" type="date" value="{day}"', page), name
    for form in ("pdf", "xlsx"):
        refused = reader.get(f"/registers.{form}?{asked}")
        assert refused.status_code == 400
        assert sentence in refused.get_data(as_text=True)


def test_31_days_are_a_month_and_a_year_is_too_long(manager: FlaskClient) -> None:
    """The longest month is taken whole."""
    assert manager.get("/registers?from=2026-03-01&to=2026-03-31").status_code == 200
    assert manager.get("/registers.xlsx?from=2026-03-01&to=2026-04-01").status_code == 400


def test_every_register_that_leaves_is_on_record(manager: FlaskClient, session: Session) -> None:
    """Looking is not printing; each file is in the log of prints and, with its filter, in the audit log."""
    manager.get(f"/registers?{DAY}")
    session.rollback()
    assert session.scalars(select(PrintEntry)).all() == []
    assert manager.get(f"/registers.pdf?{DAY}").data
    assert manager.get(f"/registers.xlsx?from=2026-03-08&to=2026-03-09&site={f.TOWN}").data
    manager.get("/registers.pdf?from=x")
    session.rollback()
    rows = session.scalars(select(PrintEntry).order_by(PrintEntry.id)).all()
    assert [(row.kind, row.subject, row.output, row.username, row.site_code) for row in rows] == [
        ("register", "2026-03-09", "pdf", "manager", f.COUNTY),
        ("register", "2026-03-08 – 2026-03-09", "xlsx", "manager", f.COUNTY),
    ]
    entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "exported").order_by(AuditEntry.id)).all()
    assert [entry.detail["filter"].get("site") for entry in entries] == [None, f.TOWN]
    ended = session.scalars(select(AuditEntry).where(AuditEntry.action == "export_ended").order_by(AuditEntry.id)).all()
    assert [(one.subject, one.detail["rows"], one.detail["whole"]) for one in ended] == [
        (entry.subject, 2, True) for entry in entries
    ]


def test_the_files_are_in_the_readers_language_with_heads_in_both(manager: FlaskClient, tmp_path: Path) -> None:
    """Asked in Chinese: words in Chinese, heads and title in both, whoever reads the paper later."""
    printed = paper(manager.get("/registers.pdf?from=2026-03-09&to=2026-03-09").data, tmp_path)
    for part in ("区域检验标本转运登记表", "Regionalspecimentransportregister", "TOWN站", "破损1", "缺失1", "溶血"):
        assert part in printed, part
    assert "Haemolysed" not in printed
