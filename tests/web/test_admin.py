"""Administration: every change is checked, audited and effective; secrets and passwords are shown once or never."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.db import db
from logistics.models import AuditEntry, Box, Channel, Courier, Reason, Site, Test, TestSite, User
from logistics.services import alert_channels
from tests import factories
from tests.conftest import Client
from tests.factories import COUNTY, PASSWORD, TOWN

Login = Callable[[FlaskClient, str], FlaskClient]
SITE = {
    "code": "NEW-1", "name_zh": "新站", "name_en": "New site", "tier": "township", "parent_code": COUNTY,
    "lat": "29.7", "lon": "113.9", "terrain": "hills", "opens_min": "08:00", "closes_min": "17:30",
    "pickup_from_min": "08:30", "pickup_to_min": "11:30", "service_min": "5",
}  # fmt: skip
USER = {"username": "new.nurse", "name_zh": "新护士", "role": "collector", "site_code": TOWN, "locale": "zh_CN"}


@pytest.fixture
def admin(app: Flask, client: Client, login: Login) -> FlaskClient:
    with app.app_context():
        factories.world(db.session())
        db.session.remove()
    return login(client, "admin")


@contextmanager
def reading(app: Flask) -> Iterator[Session]:
    with app.app_context():
        yield db.session()
        db.session.remove()


def audited(app: Flask) -> list[tuple[str, str]]:
    with reading(app) as session:
        return [(row.action, row.subject) for row in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]


def text(answer: Any) -> str:
    found: str = answer.get_data(as_text=True)
    return found


# --- sites ---


def test_a_site_is_added_and_changed(app: Flask, admin: FlaskClient) -> None:
    """A new site has what was typed; a change is in the audit log with before and after."""
    assert admin.post("/admin/sites/new", data=SITE).status_code == 302
    changed = {**SITE, "name_zh": "改名站", "active": "1", "contact_phone": "0715-1234567"}
    assert admin.post("/admin/sites/NEW-1", data=changed).status_code == 302
    with reading(app) as session:
        site = session.get_one(Site, "NEW-1")
        assert (site.name_zh, site.parent_code, site.opens_min, site.terrain) == ("改名站", COUNTY, 480, "hills")
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "site_changed")).one()
        assert entry.detail["name_zh"] == ["新站", "改名站"]
        assert entry.username == "admin"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"code": "a b"}, "code"),
        ({"code": TOWN}, "code"),
        ({"name_zh": ""}, "name_zh"),
        ({"tier": "village"}, "tier"),
        ({"parent_code": ""}, "parent_code"),
        ({"parent_code": "NOWHERE"}, "parent_code"),
        ({"lat": "99"}, "lat"),
        ({"lat": "north"}, "lat"),
        ({"lon": ""}, "lat"),
        ({"opens_min": "25:00"}, "opens_min"),
        ({"closes_min": "07:00"}, "closes_min"),
        ({"service_min": "999"}, "service_min"),
        ({"lat": "nan"}, "lat"),
    ],
)
def test_a_wrong_site_is_refused_beside_its_field(
    app: Flask, admin: FlaskClient, wrong: dict[str, str], field: str
) -> None:
    """The field is named, what was typed is kept in the form, nothing is written."""
    answer = admin.post("/admin/sites/new", data={**SITE, **wrong})
    assert answer.status_code in {400, 409}
    page = text(answer)
    assert re.search(rf'id="{field}-note"[^>]*class="field-error"', page)
    assert 'value="New site"' in page
    assert audited(app) == []


def test_a_site_cannot_belong_to_itself(admin: FlaskClient) -> None:
    """A circle in the network is refused."""
    looped = {**SITE, "tier": "county_centre", "parent_code": TOWN, "active": "1"}
    assert admin.post(f"/admin/sites/{COUNTY}", data=looped).status_code == 400


# --- users ---


def test_a_new_user_gets_a_password_once(app: Flask, admin: FlaskClient) -> None:
    """The password is on the page that answers, nowhere afterwards, and opens the account page alone."""
    page = text(admin.post("/admin/users/new", data=USER))
    found = re.search(r'id="once">([^<]+)<', page)
    assert found is not None
    password = found[1]
    assert len(password) >= 16
    with reading(app) as session:
        user = session.scalars(select(User).where(User.username == "new.nurse")).one()
        assert user.must_change_password
        assert all(password not in str(entry.detail) for entry in session.scalars(select(AuditEntry)))
    assert password not in text(admin.get(f"/admin/users/{user.id}"))
    other = Client(app, app.response_class)
    answer = other.post("/login", data={"username": "new.nurse", "password": password})
    assert answer.headers["Location"] == "/account"
    assert ("user_added", "new.nurse") in audited(app)


def test_a_new_courier_can_be_planned(app: Flask, admin: FlaskClient) -> None:
    """A courier has working conditions and a vehicle from the start; another role takes them out of planning."""
    form = {**USER, "username": "new.courier", "role": "courier", "site_code": COUNTY}
    admin.post("/admin/users/new", data=form)
    with reading(app) as session:
        courier = session.get_one(Courier, "new.courier")
        assert courier.vehicle_code
        assert (courier.start_site_code, courier.active) == (COUNTY, True)
        user_id = session.scalars(select(User.id).where(User.username == "new.courier")).one()
    admin.post(f"/admin/users/{user_id}", data={**form, "role": "receiver"})
    with reading(app) as session:
        assert not session.get_one(Courier, "new.courier").active


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"username": "A B"}, "username"),
        ({"username": "nurse"}, "username"),
        ({"name_zh": ""}, "name_zh"),
        ({"role": "king"}, "role"),
        ({"site_code": ""}, "site_code"),
        ({"site_code": "NOWHERE"}, "site_code"),
    ],
)
def test_a_wrong_user_is_refused(app: Flask, admin: FlaskClient, wrong: dict[str, str], field: str) -> None:
    """What is wrong is said beside its field; no user and no password come of it."""
    page = text(admin.post("/admin/users/new", data={**USER, **wrong}))
    assert re.search(rf'id="{field}-note"[^>]*class="field-error"', page)
    assert 'id="once"' not in page
    assert audited(app) == []


def ids(app: Flask, *usernames: str) -> list[int]:
    with reading(app) as session:
        return [session.scalars(select(User.id).where(User.username == name)).one() for name in usernames]


def test_closing_an_account_ends_its_sessions(app: Flask, admin: FlaskClient, login: Login) -> None:
    """A closed user is out at the next request and cannot come back."""
    nurse = login(Client(app, app.response_class), "nurse")
    assert nurse.get("/account").status_code == 200
    (nurse_id,) = ids(app, "nurse")
    admin.post(f"/admin/users/{nurse_id}/active", data={"active": "0"})
    assert nurse.get("/account").status_code == 302
    assert nurse.post("/login", data={"username": "nurse", "password": PASSWORD}).status_code == 403
    assert ("user_closed", "nurse") in audited(app)


def test_an_administrator_cannot_lock_himself_out(app: Flask, admin: FlaskClient) -> None:
    """The own account can neither be closed nor lose its role."""
    (admin_id,) = ids(app, "admin")
    assert admin.post(f"/admin/users/{admin_id}/active", data={"active": "0"}).status_code == 400
    form = {"name_zh": "管理员", "role": "auditor", "site_code": "", "locale": "zh_CN"}
    assert admin.post(f"/admin/users/{admin_id}", data=form).status_code == 400
    assert admin.get("/admin/").status_code == 200


def test_reset_password_and_pin(app: Flask, admin: FlaskClient) -> None:
    """The old password and the old PIN are worth nothing afterwards."""
    (nurse_id,) = ids(app, "nurse")
    page = text(admin.post(f"/admin/users/{nurse_id}/password"))
    assert 'id="once"' in page
    admin.post(f"/admin/users/{nurse_id}/pin")
    other = Client(app, app.response_class)
    assert other.post("/login", data={"username": "nurse", "password": PASSWORD}).status_code == 403
    with reading(app) as session:
        assert session.get_one(User, nurse_id).pin_hash == ""
    assert {("password_reset", "nurse"), ("pin_reset", "nurse")} <= set(audited(app))


# --- boxes, loggers ---


def test_boxes(app: Flask, admin: FlaskClient) -> None:
    """A box is added and stands where it is at home."""
    box = {"code": "BX-N", "temp_class": "cold_2_8", "capacity": "30", "hold_h": "6.5", "home_code": TOWN}
    assert admin.post("/admin/boxes/new", data=box).status_code == 302
    with reading(app) as session:
        assert session.get_one(Box, "BX-N").location_code == TOWN
    assert "BX-N" in text(admin.get("/admin/boxes"))
    assert [action for action, _ in audited(app)] == ["box_added"]


def test_a_travelling_box_keeps_its_class(app: Flask, admin: FlaskClient) -> None:
    """The temperature class of a box with tubes in it cannot be changed."""
    with reading(app) as session:
        factories.sealed(session)
    box = {"temp_class": "frozen", "capacity": "50", "hold_h": "8", "home_code": TOWN, "active": "1"}
    assert admin.post("/admin/boxes/BX-C", data=box).status_code == 409


# --- tests, limits, reasons ---


def test_performing_laboratories(app: Flask, admin: FlaskClient) -> None:
    """Which laboratories perform a test is changed as a whole; a township or none at all is refused."""
    assert admin.post("/admin/tests/CBC", data={"performing": [COUNTY], "active": "1"}).status_code == 302
    with reading(app) as session:
        assert session.scalars(select(TestSite.site_code).where(TestSite.test_code == "CBC")).all() == [COUNTY]
    assert admin.post("/admin/tests/CBC", data={"performing": [TOWN], "active": "1"}).status_code == 400
    assert admin.post("/admin/tests/CBC", data={"active": "1"}).status_code == 400
    assert admin.post("/admin/tests/CBC", data={}).status_code == 302
    with reading(app) as session:
        assert not session.get_one(Test, "CBC").active


def test_reasons_are_data(app: Flask, admin: FlaskClient) -> None:
    """A reason is added with both languages, closed and opened again."""
    form = {"code": "own_reason", "zh": "自定义", "en": "Own reason", "kind": "reject"}
    assert admin.post("/admin/reasons", data=form).status_code == 302
    assert admin.post("/admin/reasons", data=form).status_code == 409
    assert admin.post("/admin/reasons", data={**form, "code": "X2", "en": ""}).status_code == 400
    admin.post("/admin/reasons/OWN_REASON/active", data={"active": "0"})
    with reading(app) as session:
        assert not session.get_one(Reason, "OWN_REASON").active


# --- channels ---

MAIL = {
    "name": "值班邮箱", "kind": "mail", "site_code": COUNTY, "min_severity": "warning", "locale": "zh_CN",
    "active": "1",
    "host": "mail.example.org", "secure": "starttls", "user": "robot", "password": "hidden-password",
    "from": "robot@example.org", "to": "manager@example.org",
}  # fmt: skip


def test_a_channels_secret_is_never_shown(app: Flask, admin: FlaskClient) -> None:
    """A password goes in and never comes out: not on a page, not in the audit log; empty keeps it."""
    answer = admin.post("/admin/channels/new", data=MAIL)
    assert answer.status_code == 302
    address = answer.headers["Location"]
    assert "hidden-password" not in text(admin.get(address))
    assert admin.post(address, data={**MAIL, "password": "", "host": "mail2.example.org"}).status_code == 302
    with reading(app) as session:
        config = session.scalars(select(Channel)).one().config
        assert (config["password"], config["host"]) == ("hidden-password", "mail2.example.org")
        assert "hidden-password" not in str([entry.detail for entry in session.scalars(select(AuditEntry))])


@pytest.mark.parametrize(
    "wrong",
    [{"host": ""}, {"to": "nobody"}, {"port": "99999"}, {"secure": "maybe"}, {"secure": "insecure"},
     {"site_code": "X"}, {"name": ""}, {"kind": "pigeon"}, {"min_severity": "loud"}],
)  # fmt: skip
def test_a_wrong_channel_is_refused(app: Flask, admin: FlaskClient, wrong: dict[str, str]) -> None:
    """Typed forms refuse what nothing could be sent through; the password typed is not sent back."""
    answer = admin.post("/admin/channels/new", data={**MAIL, **wrong})
    assert answer.status_code == 400
    assert "hidden-password" not in text(answer)
    with reading(app) as session:
        assert session.scalars(select(Channel)).all() == []


def test_no_password_without_encryption(app: Flask, admin: FlaskClient) -> None:
    """Refused beside the field, also when the password was saved before; without a user there is none to say."""
    address = admin.post("/admin/channels/new", data=MAIL).headers["Location"]
    clear = {**MAIL, "secure": "insecure", "password": ""}
    answer = admin.post(f"{address}?lang=en", data=clear)
    assert answer.status_code == 400
    assert re.search(r'data-error-for="secure"[^>]*class="field-error"', text(answer))
    assert "A password goes over an encrypted connection only" in text(answer)
    with reading(app) as session:
        assert session.scalars(select(Channel)).one().config["secure"] == "starttls"
    assert admin.post(address, data={**clear, "user": ""}).status_code == 302
    with reading(app) as session:
        config = session.scalars(select(Channel)).one().config
        assert (config["secure"], "password" in config) == ("insecure", False)


def test_trying_a_channel(app: Flask, admin: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trial goes through the channel's own door; an address inside the own network is refused."""
    hook = {**MAIL, "kind": "http", "url": "http://127.0.0.1:9/hook"}
    address = admin.post("/admin/channels/new", data=hook).headers["Location"]
    refused = admin.post(f"{address}/test?lang=en")
    assert refused.status_code == 400
    assert "may not be sent to 127.0.0.1" in text(refused)
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(alert_channels, "check_host", lambda host, allowed: None)
    monkeypatch.setattr(alert_channels, "send", lambda kind, config, **message: sent.append(message))
    assert admin.post(f"{address}/test").status_code == 302
    assert len(sent) == 1
    assert [action for action, _ in audited(app)] == ["channel_added", "channel_tried", "channel_tried"]


# --- overview, audit log, imports, auditors ---


def test_overview_names_every_part(admin: FlaskClient) -> None:
    """Database, ingest, broker, worker, outbox and disk each have a word."""
    page = text(admin.get("/admin/?lang=en"))
    for part in ("Database", "Temperature ingest", "MQTT broker", "Worker: plans", "Outbox: alerts", "Disk"):
        assert part in page


def test_audit_log_is_filtered(app: Flask, admin: FlaskClient) -> None:
    """By words, user, action and day; a wrong day is said in words."""
    admin.post("/admin/reasons", data={"code": "REASON-FIRST", "zh": "一", "en": "one", "kind": "reject"})
    admin.post("/admin/sites/new", data=SITE)
    assert "NEW-1" in text(admin.get("/admin/audit"))
    assert "NEW-1" not in text(admin.get("/admin/audit?action=reason_added"))
    assert "NEW-1" in text(admin.get("/admin/audit?q=new-1&user=admin"))
    assert "REASON-FIRST" not in text(admin.get("/admin/audit?subject=NEW-1"))
    assert "reason" not in text(admin.get("/admin/audit?subject=nothing&lang=en")).split("</form>")[-1]
    assert "<td" not in text(admin.get("/admin/audit?to=2020-01-01"))
    assert admin.get("/admin/audit?from=yesterday").status_code == 400


def test_audit_export_runs_no_formula(app: Flask, admin: FlaskClient) -> None:
    """A user name that would be a formula in a spreadsheet is exported as text; the export itself is logged."""
    Client(app, app.response_class).post("/login", data={"username": "=cmd|' /C calc'!A0", "password": "x"})
    answer = admin.get("/admin/audit/export?lang=en")
    assert answer.mimetype == "text/csv"
    body = answer.get_data().decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(body)))
    assert rows[0][:3] == ["Time", "User", "Action"]
    assert any(cell.startswith("'=cmd") for row in rows for cell in row)
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for row in rows for cell in row)
    assert [action for action, _ in audited(app) if action.startswith("export")] == ["exported", "export_ended"]


def test_importing_sites_from_a_file(app: Flask, admin: FlaskClient) -> None:
    """A preview changes nothing; applying writes all rows and one audit entry; the same again changes nothing."""
    body = f"机构编码,机构名称,机构级别,上级机构\nIMP-1,导入站,乡镇,{COUNTY}\n".encode()

    def send(action: str) -> Any:
        data = {"file": (io.BytesIO(body), "sites.csv"), "action": action}
        return admin.post("/admin/import/sites?lang=en", data=data, content_type="multipart/form-data")

    preview = text(send("preview"))
    assert "IMP-1" in preview, preview
    with reading(app) as session:
        assert session.get(Site, "IMP-1") is None
    assert "1 new" in text(send("apply"))
    with reading(app) as session:
        assert session.get_one(Site, "IMP-1").name_zh == "导入站"
    assert "nothing to import" in text(send("preview"))
    assert ("sites_imported", "") in audited(app)
    assert admin.get("/admin/import/orders").status_code == 404


READABLE = (
    "",
    "sites",
    "sites/TOWN",
    "users",
    "boxes",
    "boxes/BX-C",
    "tests",
    "tests/CBC",
    "reasons",
    "channels",
    "audit",
)


@pytest.mark.parametrize("path", READABLE)
@pytest.mark.parametrize("username", ["admin", "auditor"])
def test_auditors_read_what_administrators_change(
    app: Flask, admin: FlaskClient, login: Login, path: str, username: str
) -> None:
    """Both open every page in both languages; an auditor's pages hold no button that changes anything."""
    client = login(Client(app, app.response_class), username)
    for lang in ("zh_CN", "en"):
        answer = client.get(f"/admin/{path}?lang={lang}")
        assert answer.status_code == 200
        if username == "auditor":
            main = text(answer).partition("<main")[2].partition("</main>")[0]
            posts = re.findall(r"<form[^>]*method=\"post\".*?</form>", main, re.DOTALL)
            assert not [form for form in posts if "<button" in form]
