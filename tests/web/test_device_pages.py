"""The loggers' pages: the fleet, one logger, its boxes in time, types, certificates, files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.clock import FixedClock
from logistics.models import AuditEntry
from telemetry import devices
from telemetry.models import Device, DeviceBinding, ExcursionRow, ReadingRow
from telemetry.registry_models import Calibration, DeviceType
from tests import factories as f
from tests.factories import START
from tests.telemetry.test_ingest import count, message, send

pytestmark = pytest.mark.both_databases
Login = Callable[[FlaskClient, str], FlaskClient]
FILES = Path(__file__).parents[1] / "data" / "loggers"
NOW = START + timedelta(hours=3)
PDF = b"%PDF-1.4 certificate"


@pytest.fixture
def world(session: Session, app_clock: FixedClock) -> Session:
    """LG-1 in the cold box of TOWN, LG-2 in the box of the other county's township, LG-3 of TOWN in no box."""
    f.world(session)
    app_clock.set(NOW)
    before = START - timedelta(hours=1)
    devices.register(session, "LG-1", now=before, model="Own logger", calibration_due=NOW + timedelta(days=400))
    devices.bind(session, "LG-1", "BX-C", at=before, now=before)
    devices.register(session, "LG-3", now=before, site_code=f.TOWN, calibration_due=NOW - timedelta(days=1))
    devices.register(session, "LG-9", now=before, calibration_due=NOW + timedelta(days=9))
    session.commit()
    return session


def text(client: FlaskClient, path: str) -> str:
    answer = client.get(f"{path}{'&' if '?' in path else '?'}lang=en")
    assert answer.status_code == 200, path
    return answer.get_data(as_text=True)


def listed(page: str) -> list[str]:
    return re.findall(r'<a class="strong" href="/devices/[^"]+"><code>([^<]+)</code>', page)


def test_the_fleet_says_what_is_wrong(world: Session, client: FlaskClient, login: Login) -> None:
    """Marks, tiles, search and filter; a manager sees his own, the administrator all, and the file holds the same."""
    world.get_one(Device, "LG-1").battery_low = True
    send(world, message([5], start=START.replace(year=2031), device="LG-1"), now=NOW)
    login(client, "manager")
    page = text(client, "/devices")
    assert listed(page) == ["LG-1", "LG-3"]
    assert "Battery low" in page
    assert "Calibration overdue" in page
    assert "1 in quarantine" in page
    assert listed(text(client, "/devices?mark=overdue")) == ["LG-3"]
    assert listed(text(client, "/devices?q=own+LOGGER")) == ["LG-1"]
    assert listed(text(client, "/devices?q=bx-c")) == ["LG-1"]
    assert "None fits these conditions." in text(client, "/devices?q=nobody")
    login(client, "manager2")
    assert listed(text(client, "/devices")) == []
    login(client, "admin")
    assert listed(text(client, "/devices")) == ["LG-1", "LG-3", "LG-9"]
    file = client.get("/devices/export?lang=en&mark=soon").get_data().decode("utf-8-sig")
    [row] = csv.DictReader(io.StringIO(file))
    assert (row["Logger"], row["Condition"]) == ("LG-9", "calibration due soon, in no box")


def test_a_logger_is_registered_and_changed(world: Session, client: FlaskClient, login: Login) -> None:
    """With a type, its own topic, and options over the type's; what is wrong stands beside its field."""
    login(client, "admin")
    kind = {"code": "lht65", "name": "Dragino LHT65", "codec": "chirpstack", "interval_min": "20",
            "fields": "TempC_SHT = temp_c\nHum_SHT = rh_pct", "ports": "2"}  # fmt: skip
    assert client.post("/devices/types/new", data=kind).status_code == 302
    logger = {"code": "LW-1", "type_code": "lht65", "topics": "application/+/device/a840/event/+", "serial": "A840",
              "receipts": "1"}  # fmt: skip
    assert client.post("/devices/new", data=logger).status_code == 302
    device = world.get_one(Device, "LW-1")
    assert (device.codec, device.interval_s, device.model) == ("chirpstack", 1200, "Dragino LHT65")
    assert not device.receipts  # its format numbers nothing, though the form says so
    assert device.options == {"fields": {"TempC_SHT": "temp_c", "Hum_SHT": "rh_pct"}, "ports": [2]}
    bad = client.post("/devices/new?lang=en", data={**logger, "code": "LW-2"})
    assert (bad.status_code, "logger LW-1&#39;s already" in bad.get_data(as_text=True)) == (409, True)
    bad = client.post("/devices/new?lang=en", data={"code": "LW-3", "codec": "chirpstack", "fields": "a = warmth"})
    assert (bad.status_code, "“a” cannot be “warmth”" in bad.get_data(as_text=True)) == (400, True)
    assert client.post("/devices/types/lht65", data={**kind, "fields": "T = temp_c"}).status_code == 302
    world.expire_all()
    assert world.get_one(Device, "LW-1").options["fields"] == {"T": "temp_c"}
    change = {**logger, "interval_min": "10", "fields": "U = temp_c", "active": "1", "topics": ""}
    assert client.post("/devices/LW-1/change", data=change).status_code == 302
    world.expire_all()
    device = world.get_one(Device, "LW-1")
    assert (device.interval_s, device.options["fields"], device.options["ports"]) == (600, {"U": "temp_c"}, [2])
    world.rollback()
    assert count(world, DeviceType) == 1
    actions = world.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert [one for one in actions if one.startswith("device")] == [
        "device_type_added", "device_added", "device_type_changed", "device_changed",
    ]  # fmt: skip


def test_a_swap_told_afterwards_moves_what_was_measured(world: Session, client: FlaskClient, login: Login) -> None:
    """LG-3 took LG-1's place an hour ago: its warm readings are the box's, LG-1's warm ones since then are not."""
    send(world, message([5, 12, 12, 12, 12, 12, 12, 12, 12, 12], start=START, every=10), now=NOW)
    send(world, message([5, 5, 26], start=START + timedelta(minutes=5), every=10, device="LG-3"), now=NOW)
    standing = select(ExcursionRow.device_code, ExcursionRow.rule_code).where(ExcursionRow.state != "withdrawn")
    assert set(world.execute(standing).all()) == {("LG-1", "above_8_for_30"), ("LG-1", "above_8_sum_60")}
    world.rollback()
    login(client, "manager")
    at = (START + timedelta(hours=8, minutes=5)).strftime("%Y-%m-%dT%H:%M")  # as the clock on the wall says
    answer = client.post("/devices/LG-1/swap", data={"new": "LG-3", "at": at})
    assert answer.status_code == 302
    world.rollback()
    bound = world.scalars(select(DeviceBinding).where(DeviceBinding.box_code == "BX-C").order_by(DeviceBinding.id))
    assert [(one.device_code, one.bound_from, one.bound_to) for one in bound] == [
        ("LG-1", START - timedelta(hours=1), START + timedelta(minutes=5)),
        ("LG-3", START + timedelta(minutes=5), None),
    ]  # fmt: skip
    assert set(world.execute(standing).all()) == {("LG-3", "above_25_at_once")}
    world.rollback()
    send(world, message([5], start=START + timedelta(minutes=40), device="LG-3"), now=NOW)
    [excursion] = world.scalars(select(ExcursionRow).where(ExcursionRow.state != "withdrawn")).all()
    assert excursion.ended_by == "cleared"
    world.rollback()
    page = text(client, "/devices/LG-1")
    assert "In no box" in page


def test_what_a_binding_refuses(world: Session, client: FlaskClient, login: Login) -> None:
    """A time to come, a box or a logger of others, a place that it took later: in words, and nothing is changed."""
    login(client, "manager")
    later = (NOW + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M")
    early = (START - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    for path, form, status, said in (
        ("bind", {"box": "BX-T", "at": later}, 400, "has not come yet"),
        ("bind", {"box": "BX-NONE"}, 404, "There is no box BX-NONE"),
        ("bind", {"box": "BX-T", "at": early}, 409, "after that time"),
        ("bind", {"box": "BX-T", "at": "soon"}, 400, "cannot be read as a time"),
        ("swap", {"new": "LG-9"}, 404, "There is no logger LG-9"),
        ("swap", {"new": "LG-1"}, 409, "cannot take its own place"),
    ):
        answer = client.post(f"/devices/LG-1/{path}?lang=en", data=form)
        assert (answer.status_code, said in answer.get_data(as_text=True)) == (status, True), form
    assert count(world, DeviceBinding) == 1
    assert client.post("/devices/LG-1/bind", data={"box": ""}).status_code == 302
    world.rollback()
    assert world.scalars(select(DeviceBinding.bound_to)).all() == [NOW]


def test_certificates(world: Session, client: FlaskClient, login: Login) -> None:
    """By number or by file; the latest due date counts; another kind of file is refused; the file comes back."""
    login(client, "manager")
    path = "/devices/LG-3/certificates"
    sent = {"number": "CNAS-1", "due": "2027-03-09", "file": (io.BytesIO(PDF), "c.pdf")}
    assert client.post(path, data=sent, content_type="multipart/form-data").status_code == 302
    assert client.post(path, data={"number": "old", "due": "2025-03-09"}).status_code == 302
    bad = {"number": "", "due": "2027-03-09", "file": (io.BytesIO(b"<html>"), "c.pdf")}
    assert client.post(path, data=bad, content_type="multipart/form-data").status_code == 400
    assert client.post(path, data={"due": "2027-03-09"}).status_code == 400
    world.rollback()
    device = world.get_one(Device, "LG-3")
    assert device.calibration_certificate == "CNAS-1"
    assert "calibration overdue" not in text(client, "/devices/LG-3")
    row = world.scalars(select(Calibration).where(Calibration.media_type != "")).one()
    answer = client.get(f"{path}/{row.id}")
    assert (answer.get_data(), answer.mimetype) == (PDF, "application/pdf")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert client.get(f"/devices/LG-1/certificates/{row.id}").status_code == 404


def test_a_file_is_read_in_by_hand(world: Session, client: FlaskClient, login: Login) -> None:
    """A Berlinger export by sight, a CSV by columns that are kept; the report says what differs and what was new."""
    login(client, "manager")
    data = (FILES / "q_tag_clm_doc.txt").read_bytes()
    for stored in (124, 0):
        sent = {"file": (io.BytesIO(data), "q.txt")}
        answer = client.post("/devices/LG-3/file", data=sent, content_type="multipart/form-data")
        assert answer.status_code == 302
        assert f"stored={stored}" in answer.headers["Location"]
    report = text(client, answer.headers["Location"])
    assert "4 numbers alike" in report
    assert "10.6" in report  # MKT
    columns = {"mapping": "own", "time": "Date", "time2": "Time", "temp": "Temperature", "decimal": ",",
               "time_format": "%d-%m-%Y %H:%M:%S", "zone": "Asia/Shanghai", "keep": "LogTag here"}  # fmt: skip
    data = (FILES / "logtag.csv").read_bytes()
    for form in (columns, {"mapping": "LogTag here"}):
        sent = {**form, "file": (io.BytesIO(data), "l.csv")}
        answer = client.post("/devices/LG-1/file", data=sent, content_type="multipart/form-data")
        assert answer.status_code == 302, answer.get_data(as_text=True)
    sent = {"file": (io.BytesIO(data), "l.csv")}
    answer = client.post("/devices/LG-1/file?lang=en", data=sent, content_type="multipart/form-data")
    assert (answer.status_code, "Choose a mapping" in answer.get_data(as_text=True)) == (400, True)
    world.rollback()
    assert world.scalars(select(ReadingRow.temp_c).where(ReadingRow.device_code == "LG-1")).all() == [
        4.6,
        4.8,
        9.1,
        4.9,
    ]
