"""Who gets in, how long they stay, and what they are never shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask, g, has_app_context
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from logistics import clock as clock_module
from logistics.clock import FixedClock
from logistics.db import Base, db
from logistics.errors import Forbidden
from logistics.models import ApiToken, AuditEntry, User
from tests import factories
from tests.conftest import START, Client
from tests.factories import PASSWORD
from web import auth
from web.app import create_app
from web.settings import Settings
from web.views.auth import safe_next

Login = Callable[[FlaskClient, str], FlaskClient]
NewClient = Callable[[], Client]


@pytest.fixture
def world(app: Flask) -> None:
    """In a context of its own, so that each request has a fresh one as in a server."""
    with app.app_context():
        factories.world(db.session())
        db.session.remove()


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Moves the real time on, as sessions and keys see it."""
    moved = [timedelta(0)]
    real = clock_module.wall_now

    def now() -> datetime:
        return real() + moved[0]

    monkeypatch.setattr(auth, "wall_now", now)

    def on(step: timedelta) -> None:
        moved[0] += step

    return on


def sign_in(client: FlaskClient, username: str = "nurse", password: str = PASSWORD) -> TestResponse:
    return client.post("/login", data={"username": username, "password": password})


def plain(app: Flask) -> FlaskClient:
    if has_app_context():
        g.pop("_login_user", None)
    return app.test_client()


def change_user(app: Flask, username: str, **values: object) -> None:
    with app.app_context():
        user = db.session.scalars(select(User).where(User.username == username)).one()
        for name, value in values.items():
            setattr(user, name, value)
        db.session.commit()
        db.session.remove()


# --- logging in ---


def test_login_and_logout(client: Client, world: None, session: Session) -> None:
    """The right password opens the start page of the role; signing out closes it; both are in the audit log."""
    assert client.get("/").headers["Location"].startswith("/login")
    answer = sign_in(client)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert client.get("/").headers["Location"].startswith("/collector")
    assert client.post("/logout").status_code == 302
    assert client.get("/").headers["Location"].startswith("/login")
    session.rollback()
    assert session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all() == ["login", "logout"]


def test_wrong_password_and_unknown_name_look_alike(client: Client, world: None) -> None:
    """Neither status nor page nor the audit log's sentence tells whether the name exists."""
    pages = []
    for username in ("nurse", "nobody"):
        answer = sign_in(client, username, "wrong password")
        assert answer.status_code == 403
        page = answer.get_data(as_text=True).replace(username, "…")
        pages.append(re.sub(r'content="[^"]{40,}"|value="[^"]{40,}"|data-rate="[^"]*"|content="20[^"]*"', "", page))
    assert pages[0] == pages[1]


def test_an_unknown_name_takes_as_long(app: Flask, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """For an unknown name, and for one without a password, a hash of the same cost is worked out as for a known one."""
    factories.world(session)
    people = {name: session.scalars(select(User).where(User.username == name)).one() for name in ("nurse", "manager")}
    auth.set_password(people["nurse"], PASSWORD)
    people["manager"].password_hash = ""
    session.commit()
    worked: list[str] = []
    real = auth.check_password_hash

    def counting(stored: str, password: str) -> bool:
        worked.append(stored.partition("$")[0])
        return real(stored, password)

    monkeypatch.setattr(auth, "check_password_hash", counting)
    for username in ("nurse", "nobody", "manager"):
        with pytest.raises(Forbidden):
            auth.authenticate(session, username, "wrong password")
    assert len(worked) == 3
    assert len(set(worked)) == 1


@pytest.mark.parametrize("field", ["active"])
def test_a_closed_account_cannot_log_in(app: Flask, client: Client, world: None, field: str) -> None:
    """The right password of a closed account is answered like a wrong one."""
    change_user(app, "nurse", **{field: False})
    assert sign_in(client).status_code == 403


def test_no_password_no_login(app: Flask, client: Client, world: None) -> None:
    """An imported user without a password is let in by none, the empty one included."""
    change_user(app, "nurse", password_hash="")
    for password in ("", PASSWORD):
        assert sign_in(client, password=password).status_code == 403


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "evil", "/\t/evil"]
)
def test_login_never_leads_elsewhere(client: Client, world: None, target: str) -> None:
    """A crafted link cannot use our login to send people to another site."""
    answer = client.post("/login", query_string={"next": target}, data={"username": "nurse", "password": PASSWORD})
    assert answer.status_code == 302
    assert answer.headers["Location"] in {"/", "/account"} or answer.headers["Location"].startswith("/collector")


def test_login_leads_back(client: Client, world: None) -> None:
    """Whoever was sent to the login comes back to the page asked for."""
    sent = client.get("/collector/?q=1").headers["Location"]
    answer = client.post(sent, data={"username": "nurse", "password": PASSWORD})
    assert answer.headers["Location"] == "/collector/?q=1"
    assert safe_next("/collector/") == "/collector/"


# --- throttling, in an application with a strict limit ---


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Flask]:
    environ = {"LABRELAY_VAR_DIR": str(tmp_path), "LABRELAY_LOGIN_LIMIT": "3 per minute"}
    fixed = FixedClock(START)
    with clock_module.using(fixed):
        app = create_app(Settings.from_env(environ), fixed)
        app.testing = True
        with app.app_context():
            Base.metadata.create_all(db.engine)
            factories.world(db.session())
            db.session.remove()
        yield app
        with app.app_context():
            db.engine.dispose()


def test_guessing_is_throttled(strict: Flask) -> None:
    """After three wrong passwords the name is answered 429 in words, also with the right one; other names are not."""
    client = Client(strict, strict.response_class)
    for _ in range(3):
        assert sign_in(client, password="wrong").status_code == 403
    blocked = sign_in(client)
    assert blocked.status_code == 429
    assert "too_many_requests" in blocked.get_data(as_text=True)
    assert sign_in(Client(strict, strict.response_class), "NURSE ").status_code == 429
    assert sign_in(Client(strict, strict.response_class), "manager").status_code == 302


def test_logging_in_often_is_not_guessing(strict: Flask) -> None:
    """Right passwords do not use up the limit: shifts share a PC."""
    for _ in range(5):
        assert sign_in(Client(strict, strict.response_class)).status_code == 302


def test_keys_are_throttled_too(strict: Flask) -> None:
    """Making keys is no way around the limit."""
    for _ in range(3):
        body = {"username": "nurse", "password": "wrong", "name": "x"}
        assert strict.test_client().post("/api/v1/tokens", json=body).status_code == 403
    body = {"username": "nurse", "password": PASSWORD, "name": "x"}
    answer = strict.test_client().post("/api/v1/tokens", json=body)
    assert (answer.status_code, answer.get_json()["code"]) == (429, "too_many_requests")


# --- sessions ---


def test_idle_sessions_end(client: Client, world: None, wall: Callable[[timedelta], None]) -> None:
    """Half an hour without a request ends an office session; requests in between keep it."""
    sign_in(client)
    for _ in range(3):
        wall(timedelta(minutes=20))
        assert client.get("/account").status_code == 200
    wall(timedelta(minutes=31))
    assert client.get("/account").status_code == 302


def test_sessions_end_for_good(client: Client, world: None, wall: Callable[[timedelta], None]) -> None:
    """However busy, after twelve hours everybody logs in again."""
    sign_in(client)
    for _ in range(35):
        wall(timedelta(minutes=20))
        assert client.get("/account").status_code == 200
    wall(timedelta(minutes=21))
    assert client.get("/account").status_code == 302


def test_a_couriers_shift_is_not_cut(client: Client, world: None, wall: Callable[[timedelta], None]) -> None:
    """A phone that lay in a pocket for hours is still signed in; after the longest age it is not."""
    sign_in(client, "courier")
    wall(timedelta(hours=6))
    assert client.get("/courier").status_code == 200
    wall(timedelta(hours=7))
    assert client.get("/courier").status_code == 302


def test_a_planted_session_is_worth_nothing(app: Flask, world: None) -> None:
    """What stood in the session before the login is gone after it (fixation)."""
    client = Client(app, app.response_class)
    with client.session_transaction() as cookie:
        cookie["planted"] = "yes"
        cookie["locale"] = "en"
    before = client.get_cookie("labrelay")
    sign_in(client)
    with client.session_transaction() as cookie:
        assert "planted" not in cookie
        assert cookie["locale"] == "en"
    after = client.get_cookie("labrelay")
    assert before is not None
    assert after is not None
    assert before.value != after.value


def test_a_closed_account_loses_its_session(app: Flask, client: Client, world: None) -> None:
    """The next request after closing is already refused, keys included."""
    made = client.post("/api/v1/tokens", json={"username": "nurse", "password": PASSWORD, "name": "x"}).get_json()
    bearer = {"Authorization": f"Bearer {made['token']}"}
    sign_in(client)
    assert client.get("/account").status_code == 200
    change_user(app, "nurse", active=False)
    assert client.get("/account").status_code == 302
    assert plain(app).get("/api/v1/boxes", headers=bearer).status_code == 401


def test_a_new_password_ends_other_sessions(app: Flask, world: None, new_client: NewClient) -> None:
    """Changing the password keeps this browser and ends all others."""
    here, elsewhere = new_client(), new_client()
    sign_in(here)
    sign_in(elsewhere)
    fresh = "another long password"
    form = {"password": PASSWORD, "new_password": fresh, "repeat_password": fresh}
    assert here.post("/account", data=form).status_code == 200
    assert here.get("/account").status_code == 200
    assert elsewhere.get("/account").status_code == 302


def test_cookie_flags(app: Flask, client: Client, world: None) -> None:
    """The session's cookie is out of reach for scripts and other sites; with TLS it travels over TLS alone."""
    header = sign_in(client).headers["Set-Cookie"]
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header
    assert "Secure" not in header
    app.config["SESSION_COOKIE_SECURE"] = True
    header = sign_in(Client(app, app.response_class)).headers["Set-Cookie"]
    assert "Secure" in header


# --- the first password ---


def test_a_given_password_opens_one_page(app: Flask, client: Client, world: None) -> None:
    """Until the own password is chosen, pages lead to the account, the API and forms are refused."""
    change_user(app, "nurse", must_change_password=True)
    assert sign_in(client).headers["Location"] == "/account"
    for path in ("/", "/collector/", "/search"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/account")
    refused = client.get("/api/v1/boxes")
    assert (refused.status_code, refused.get_json()["code"]) == (403, "password_change_first")
    assert client.post("/api/v1/acts", json={"acts": []}).get_json()["code"] == "password_change_first"
    assert client.get("/account").status_code == 200
    fresh = "another long password"
    client.post("/account", data={"password": PASSWORD, "new_password": fresh, "repeat_password": fresh})
    assert client.get("/collector/").status_code == 200


def test_a_given_password_makes_no_working_key(app: Flask, world: None) -> None:
    """A key made with the first password opens nothing either."""
    change_user(app, "nurse", must_change_password=True)
    made = plain(app).post("/api/v1/tokens", json={"username": "nurse", "password": PASSWORD, "name": "x"})
    if made.status_code == 201:
        bearer = {"Authorization": f"Bearer {made.get_json()['token']}"}
        assert plain(app).get("/api/v1/boxes", headers=bearer).status_code == 403


@pytest.mark.parametrize(
    ("form", "code", "field"),
    [
        ({"password": "wrong", "new_password": "x" * 12, "repeat_password": "x" * 12}, 403, "password"),
        ({"password": PASSWORD, "new_password": "short", "repeat_password": "short"}, 400, "new_password"),
        ({"password": PASSWORD, "new_password": "x" * 12, "repeat_password": "y" * 12}, 400, "repeat_password"),
        ({"password": PASSWORD, "pin": "12"}, 400, "pin"),
    ],
)
def test_account_refusals(client: Client, world: None, form: dict[str, str], code: int, field: str) -> None:
    """What is wrong is said beside its field, and nothing changes."""
    sign_in(client)
    answer = client.post("/account", data=form)
    assert answer.status_code == code
    assert client.get("/account").status_code == 200


# --- keys ---


def test_keys_expire_and_are_kept_as_hashes(app: Flask, world: None, session: Session) -> None:
    """Only a hash of a key is stored; a key that has expired or was never made opens nothing."""
    made = plain(app).post("/api/v1/tokens", json={"username": "nurse", "password": PASSWORD, "name": "x"}).get_json()
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert plain(app).get("/api/v1/boxes", headers=bearer).status_code == 200
    session.rollback()
    token = session.scalars(select(ApiToken)).one()
    assert made["token"] not in {token.secret_sha256, token.name}
    token.expires_at = clock_module.wall_now() - timedelta(seconds=1)
    session.commit()
    assert plain(app).get("/api/v1/boxes", headers=bearer).status_code == 401
    for wrong in ("Bearer", "Bearer x", "Basic bnVyc2U6eA==", f"bearer {made['token']}x"):
        assert plain(app).get("/api/v1/boxes", headers={"Authorization": wrong}).status_code == 401


def test_a_key_in_the_address_is_no_key(app: Flask, world: None) -> None:
    """Addresses stand in logs: a key is taken from the header alone."""
    made = plain(app).post("/api/v1/tokens", json={"username": "nurse", "password": PASSWORD, "name": "x"}).get_json()
    assert plain(app).get("/api/v1/boxes", query_string={"token": made["token"]}).status_code == 401


# --- headers and errors ---

PAGES = ["/login", "/account", "/collector/", "/search", "/api/docs", "/offline", "/unsupported", "/no-such-page"]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_a_strict_policy(client: Client, world: None, path: str) -> None:
    """No inline script, no style attribute, no other origin; not to be framed, sniffed or cached."""
    sign_in(client)
    answer = client.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    page = answer.get_data(as_text=True)
    assert re.search(r"<script(?![^>]*\bsrc=)[^>]*>", page) is None
    assert re.search(r"<[^>]+\s(?:style|on\w+)=", page) is None
    assert "<style" not in page


@pytest.mark.parametrize(("path", "json"), [("/collector/", False), ("/api/v1/boxes", True)])
@pytest.mark.parametrize("lang", ["zh_CN", "en"])
def test_no_stack_trace_reaches_anybody(
    app: Flask, client: Client, world: None, monkeypatch: pytest.MonkeyPatch, path: str, json: bool, lang: str
) -> None:
    """An unforeseen error is a sentence in the reader's language, never a trace, a path or a message of Python."""

    def broken() -> str:
        raise RuntimeError("secret detail /srv/labrelay")

    endpoint = "records.boxes" if json else "collector.worklist"
    broken.labrelay_roles = frozenset({"collector"})  # type: ignore[attr-defined]
    monkeypatch.setitem(app.view_functions, endpoint, broken)
    sign_in(client)
    answer = client.get(f"{path}?lang={lang}")
    text = answer.get_data(as_text=True)
    assert answer.status_code == 500
    assert "secret detail" not in text
    assert "Traceback" not in text
    if json:
        assert answer.get_json()["code"] == "internal_error"
    else:
        assert "internal_error" in text
        assert (lang == "en") == ("Something went wrong" in text)


@pytest.mark.parametrize("status", [403, 404, 405])
def test_error_pages_in_both_languages(client: Client, world: None, status: int) -> None:
    """Refusals are pages in words with a way on, Chinese by default."""
    sign_in(client)
    path = {403: "/admin/", 404: "/nothing", 405: "/logout"}[status]
    pages = [client.get(path, query_string={"lang": lang}).get_data(as_text=True) for lang in ("zh_CN", "en")]
    assert '<html lang="zh-CN"' in pages[0]
    assert '<html lang="en"' in pages[1]
    assert "To the start page" in pages[1]
    assert "To the start page" not in pages[0]
