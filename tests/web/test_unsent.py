"""The page of what was collected and has not left: ages, what expires first, sums by site, the file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import datetime, timedelta

import openpyxl
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from logistics.clock import FixedClock
from logistics.models import AuditEntry, Box, Specimen
from logistics.queries import unsent as queries
from tests import factories as f
from tests.factories import act, done

pytestmark = pytest.mark.both_databases
Login = Callable[[FlaskClient, str], FlaskClient]
New = Callable[[], FlaskClient]
NOW = f.START + timedelta(hours=2, minutes=5)


@pytest.fixture
def waiting(session: Session, app_clock: FixedClock) -> Session:
    """At TOWN: T1 and T2 collected, T3 packed, T4 sealed, T5 fetched. At COUNTY: T6 received for the city."""
    f.world(session)
    session.add_all(
        Box(code=code, temp_class="cold_2_8", home_code=f.TOWN, location_code=f.TOWN) for code in ("BX-1", "BX-2")
    )
    session.commit()
    f.fetched(session, ("T5",))
    _at_county(session, "T6")
    for tube in ("T1", "T2", "T3", "T4"):
        f.collected(session, tube)
    done(session, "nurse", act("pack", {"specimen": "T3", "box": "BX-1"}))
    _sealed(session, "T4", "BX-2")
    for tube, hours in (("T1", 2), ("T2", 8), ("T3", 4), ("T4", 3), ("T6", 30)):
        f.find(session, tube).use_by_at = f.START + timedelta(hours=hours)
    session.commit()
    app_clock.set(NOW)
    return session


def _sealed(session: Session, tube: str, box: str) -> str:
    number = str(done(session, "nurse", act("pack", {"specimen": tube, "box": box}))["consignment"])
    done(session, "nurse", act("seal", {"consignment": number}, {"seal": f"SL{number[-6:]}"}))
    return number


def _at_county(session: Session, tube: str) -> None:
    f.collected(session, tube, tests=("TSH",))
    number = _sealed(session, tube, "BX-1")
    sign = {"other": "nurse", "pin": f.PIN, "count": 1}
    done(session, "courier", act("hand_over", {"consignment": number}, sign, site=f.TOWN))
    sign = {"other": "courier", "pin": f.PIN, "count": 1}
    done(session, "receiver", act("hand_over", {"consignment": number}, sign, site=f.COUNTY))
    done(session, "receiver", act("receive", {"specimen": tube, "consignment": number}, {"condition": "good"}))
    done(session, "receiver", act("close_receipt", {"consignment": number}))
    session.get_one(Box, "BX-1").location_code = f.TOWN
    session.commit()


def listed(page: str, table: str = "unsent") -> list[list[str]]:
    """The rows of a table as texts."""
    body = page.partition(f'id="{table}"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    rows = re.findall(r"<tr.*?</tr>", body, flags=re.S)
    cells = [re.findall(r"<td.*?</td>", row, flags=re.S) for row in rows]
    return [[" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in row] for row in cells]


def asked(client: FlaskClient, query: str = "") -> str:
    answer = client.get(f"/unsent?lang=en{query}")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def tubes(page: str) -> list[str]:
    return [row[0] for row in listed(page) if len(row) > 1]


def test_what_expires_first_stands_first_with_its_age(waiting: Session, client: FlaskClient, login: Login) -> None:
    """Expired, near, fine; how long since collection; what is missing; a tube under way is not there."""
    page = asked(login(client, "manager"))
    rows = {row[0]: row for row in listed(page)}
    assert list(rows) == ["T1", "T4", "T3", "T2", "T6"]
    assert rows["T1"][1:4] == ["Not packed", "expired 5 min ago 2026-03-09 11:00", "2 h 5 min 2026-03-09 09:00"]
    assert rows["T4"][1:3] == ["Sealed, not fetched", "55 min left 2026-03-09 12:00"]
    assert rows["T3"][1:3] == ["Packed, not sealed", "1 h 55 min left 2026-03-09 13:00"]
    assert rows["T6"][1] == "Received, not forwarded"
    assert rows["T6"][4:6] == ["Site COUNTY", "Site CITY"]
    assert re.findall(r'<tr class="([^"]*)"', page.partition('id="unsent"')[2]) == [
        "is-danger", "is-danger", "is-warn", "", "",
    ]  # fmt: skip
    tiles = " ".join(re.sub(r"<[^>]+>", " ", page.partition('id="unsent-tiles"')[2][:4000]).split())
    assert tiles.startswith("> Expired or within the hour 2 Not packed 2 Packed, not sealed 1 Sealed, not fetched 1")


def test_sums_by_site_lead_to_the_site(waiting: Session, client: FlaskClient, login: Login) -> None:
    """The laboratory sees each of its townships summed up; a click narrows the list down."""
    login(client, "dispatcher")
    sums = listed(asked(client), "unsent-sites")
    assert sums == [
        ["Site TOWN", "2", "1", "1", "–", "2 h 5 min", "2026-03-09 11:00"],
        ["Site COUNTY", "–", "–", "–", "1", "2 h 5 min", "2026-03-10 15:00"],
    ]
    assert tubes(asked(client, "&site=COUNTY")) == ["T6"]
    assert tubes(asked(client, "&site=TOWN&kind=not_packed")) == ["T1", "T2"]
    assert len(tubes(asked(client, "&kind=nonsense"))) == 5
    assert tubes(asked(client, "&site=COUNTY2")) == []


def test_everybody_sees_his_own(waiting: Session, new_client: New, login: Login) -> None:
    """The township its own tubes without sums; the city those that come to it are not yet its own; others nothing."""
    nurse = asked(login(new_client(), "nurse"))
    assert tubes(nurse) == ["T1", "T4", "T3", "T2"]
    assert 'id="unsent-sites"' not in nurse
    for name in ("nurse2", "receiver2", "manager2"):
        page = asked(login(new_client(), name), "&site=TOWN")
        assert tubes(page) == []
        assert "Nothing waits" in page
    assert len(tubes(asked(login(new_client(), "auditor")))) == 5


def test_a_tube_leaves_the_list_when_it_is_fetched(waiting: Session, client: FlaskClient, login: Login) -> None:
    """With the courier's signature it is on its way, and the list is the shorter."""
    number = f.find(waiting, "T4").consignment_number
    sign = {"other": "nurse", "pin": f.PIN, "count": 1}
    done(waiting, "courier", act("hand_over", {"consignment": number}, sign, site=f.TOWN, at=NOW))
    assert "T4" not in tubes(asked(login(client, "nurse")))


def test_the_file_holds_the_same_rows(waiting: Session, client: FlaskClient, login: Login) -> None:
    """CSV and xlsx with hours as numbers, in the reader's language, narrowed down as the page was, and logged."""
    login(client, "manager")
    text = client.get("/unsent/export?lang=en&site=TOWN&kind=not_packed").get_data().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["Number"] for row in rows] == ["T1", "T2"]
    assert (rows[0]["Age in hours"], rows[0]["Hours left"]) == ("2.1", "-0.1")
    data = client.get("/unsent/export?lang=zh_CN&format=xlsx").get_data()
    sheet = list(openpyxl.load_workbook(io.BytesIO(data)).worksheets[0].iter_rows(values_only=True))
    assert len(sheet) == 6
    assert sheet[1][1] == "未装箱"
    assert isinstance(sheet[1][6], datetime)
    assert client.get("/unsent/export?format=pdf").status_code == 400
    waiting.rollback()
    logged = waiting.scalars(select(AuditEntry.detail).where(AuditEntry.action == "exported")).all()
    assert [entry["filter"] for entry in logged] == [{"site": "TOWN", "kind": "not_packed"}, {}]


def test_tubes_elsewhere_are_found_along_their_index(session: Session) -> None:
    """Of thousands that lie at their laboratory one is elsewhere: neither database reads the thousands to find it."""
    f.world(session)
    f.collected(session, "2611220047")
    session.commit()
    names = [
        column.name for column in Specimen.__table__.columns if column.name not in {"id", "accession", "accession_key"}
    ]
    others = ", ".join("destination_code" if name == "location_code" else name for name in names)
    serial = "WITH RECURSIVE serial(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM serial WHERE n < 5000)"
    session.execute(
        text(
            f"INSERT INTO specimen (id, accession, accession_key, {', '.join(names)}) {serial} "
            f"SELECT 1000 + n, 'X' || n, 'X' || n, {others} FROM specimen, serial"
        )
    )
    session.execute(text("UPDATE specimen SET location_code = 'COUNTY2' WHERE id = 1001"))
    session.commit()
    session.execute(text("ANALYZE"))
    [_, passing] = queries._queries(None)
    said = passing.with_only_columns(Specimen.id).compile(
        dialect=session.get_bind().dialect, compile_kwargs={"literal_binds": True}
    )
    how = "EXPLAIN" if session.get_bind().dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    plan = "\n".join(str(row) for row in session.execute(text(f"{how} {said}")))
    assert "ix_specimen_elsewhere" in plan, plan
