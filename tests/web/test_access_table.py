"""Every route × every role × own and other site, generated from the application's own table of routes.

Medical web systems keep failing in one way: one route among its siblings lacks its siblings' check. Here a route
without a row in ``access_table.ROWS`` fails, and so does a row whose route has gone.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient
from sqlalchemy import create_engine, text
from werkzeug.test import TestResponse

from logistics.db import db
from logistics.domain.access import ROLES
from tests.conftest import Assembly, Client
from tests.web import access_table as table
from tests.web.access_table import ANY, OURS, PUBLIC, ROWS, THEIRS, Hidden, Listed, Refused, Row, World
from web.access import roles_of

Key = tuple[str, str]
SAFE = {"GET"}
KEYS = sorted(ROWS)
UNSAFE = [key for key in KEYS if key[0] not in SAFE]


def routes(app: Flask) -> set[Key]:
    return {
        (method, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_route_has_a_row(app: Flask) -> None:
    """A route that nobody wrote into the table is a route that nobody checked."""
    assert routes(app) - ROWS.keys() == set(), "add a row to tests/web/access_table.py"


def test_every_row_has_a_route(app: Flask) -> None:
    """A row without its route checks nothing."""
    assert ROWS.keys() - routes(app) == set()


def test_views_say_what_the_table_says(app: Flask) -> None:
    """The roles written at the view are those of the table."""
    wrong = {
        key: sorted(roles_of(app, key[1]) ^ row.roles)
        for key, row in ROWS.items()
        if roles_of(app, key[1]) != row.roles
    }
    assert wrong == {}


_snapshot: dict[str, Any] = {}


@pytest.fixture
def world(assembly: Assembly, app: Flask) -> World:
    """The table's world, built once and copied back for every test."""
    file = assembly._file
    kept = file.with_name("access-world.db")
    if "world" not in _snapshot:
        with app.app_context():
            _snapshot["world"] = table.build(db.session())
            db.session.remove()
        assembly.engine.dispose()
        with closing(create_engine(f"sqlite:///{file}").connect()) as connection:
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        shutil.copyfile(file, kept)
    put_back(assembly)
    return _snapshot["world"]


def put_back(assembly: Assembly) -> None:
    assembly.engine.dispose()
    for suffix in ("-wal", "-shm"):
        assembly._file.with_name(assembly._file.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(assembly._file.with_name("access-world.db"), assembly._file)


def call(app: Flask, client: FlaskClient, key: Key, world: World, **more: Any) -> TestResponse:
    """Ask the route of ``key`` as its row says."""
    method, endpoint = key
    row = ROWS[key]
    with app.test_request_context():
        address = url_for(endpoint, **row.values(world))
    answer: TestResponse = client.open(address, method=method, buffered=True, **{**row.sent(world), **more})
    return answer


def as_user(app: Flask, login: Callable[[FlaskClient, str], FlaskClient], username: str) -> FlaskClient:
    return login(Client(app, app.response_class), username)


def body(answer: TestResponse) -> str:
    return answer.get_data().decode(errors="replace").replace('": ', '":')


Login = Callable[[FlaskClient, str], FlaskClient]


@pytest.mark.parametrize("key", KEYS, ids=" ".join)
def test_roles(app: Flask, login: Login, world: World, key: Key) -> None:
    """Every role that is not named gets 403, nobody logged in is sent to the login or gets 401."""
    row = ROWS[key]
    if row.roles == PUBLIC:
        anonymous = call(app, Client(app, app.response_class), key, world)
        assert anonymous.status_code not in {500, 503}
        return
    for role in sorted(ANY - row.roles):
        answer = call(app, as_user(app, login, OURS[role]), key, world)
        assert answer.status_code == 403, f"{role}: {answer.status}"
        assert "role_not_allowed" in body(answer)
    anonymous = call(app, Client(app, app.response_class), key, world, follow_redirects=False)
    if anonymous.status_code == 302:
        assert anonymous.headers["Location"].startswith("/login")
        assert key[0] == "GET"
    else:
        assert anonymous.status_code == 401


@pytest.mark.parametrize("key", [key for key in KEYS if ROWS[key].roles != PUBLIC], ids=" ".join)
def test_own_site(app: Flask, assembly: Assembly, login: Login, world: World, key: Key) -> None:
    """Every role that is named is let in, and finds the things of its own county."""
    row = ROWS[key]
    for role in [role for role in ROLES if role in row.roles]:
        put_back(assembly)
        answer = call(app, as_user(app, login, OURS[role]), key, world)
        assert answer.status_code < 500, f"{role}: {answer.status}"
        assert answer.status_code not in {401, 403} or "role_not_allowed" not in body(answer), (
            f"{role}: {answer.status}"
        )
        if isinstance(row.foreign, Hidden):
            assert answer.status_code != 404, f"{role} does not find its own"
        if isinstance(row.foreign, Listed):
            assert answer.status_code == 200
            assert row.foreign.marker(world) in body(answer), f"{role} does not see its own"
        if isinstance(row.foreign, Refused):
            assert row.foreign.code not in body(answer), f"{role} is refused its own"


def probes() -> list[Key]:
    return [key for key in KEYS if isinstance(ROWS[key].foreign, (Hidden, Listed, Refused))]


@pytest.mark.parametrize("key", probes(), ids=" ".join)
def test_other_site(app: Flask, assembly: Assembly, login: Login, world: World, key: Key) -> None:
    """The same role of another county: a thing by its name does not exist for it, a list does not hold it."""
    row = ROWS[key]
    for role in [role for role in THEIRS if role in row.roles]:
        put_back(assembly)
        answer = call(app, as_user(app, login, THEIRS[role]), key, world)
        if isinstance(row.foreign, Hidden):
            assert answer.status_code == 404, f"{role}: {answer.status}"
        if isinstance(row.foreign, Listed):
            assert answer.status_code == 200, f"{role}: {answer.status}"
            assert row.foreign.marker(world) not in body(answer), f"{role} sees the other county's"
        if isinstance(row.foreign, Refused):
            assert row.foreign.code in body(answer), f"{role}: {answer.status}"


@pytest.mark.parametrize("key", UNSAFE, ids=" ".join)
def test_unsafe_requests_need_the_form_token(app: Flask, login: Login, world: World, key: Key) -> None:
    """With a session but without the token no unsafe request is served, whoever sends it."""
    row: Row = ROWS[key]
    role = next(role for role in ROLES if role in (row.roles if row.roles != PUBLIC else ANY))
    client = login(app.test_client(), OURS[role])
    answer = call(app, client, key, world)
    assert answer.status_code == 400
    assert "csrf_failed" in body(answer)


def test_a_forgotten_mark_refuses_everybody(app: Flask, login: Login, world: World) -> None:
    """Deny by default: a view without @access serves no role."""
    view = app.view_functions["records.boxes"]
    bare = lambda: "secret"  # noqa: E731
    app.view_functions["records.boxes"] = bare
    try:
        for username in OURS.values():
            assert as_user(app, login, username).get("/api/v1/boxes").status_code == 403
    finally:
        app.view_functions["records.boxes"] = view
