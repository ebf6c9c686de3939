"""Fixtures for all tests: real servers, a fixed clock, an application with an empty database, a client.

- ``app`` has all tables, empty, a :class:`FixedClock` at ``START`` and SQLite; a test (or class, or module
  with ``pytestmark``) marked ``@pytest.mark.both_databases`` runs on SQLite and again on PostgreSQL.
- ``session`` is a plain SQLAlchemy session inside an application context: commit before you use ``client``,
  since SQLite has one writer.
- ``postgresql_url``, ``redis_url``, ``mqtt_url``: real servers, started when the first test asks.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g, has_app_context
from flask.testing import FlaskClient
from hypothesis import settings as hypothesis_settings
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.orm import Session
from werkzeug.datastructures import Headers

from logistics import clock as clock_module
from logistics.clock import FixedClock
from logistics.db import Base, db
from tests import servers
from web.app import create_app
from web.settings import Settings

START = datetime(2026, 3, 9, 1, 0, tzinfo=UTC)
"""Monday 9 March 2026, 09:00 in Xianning."""

hypothesis_settings.register_profile("labrelay", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis_settings.load_profile("labrelay")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "both_databases: run on SQLite and again on PostgreSQL")


# A browser, or processes of our own, on a machine that is busy with something else may miss a deadline: such a test is
# tried again, and the summary counts it as rerun. Rules, services and views get one try.
PROCESSES = ("test_supervisor.py", "test_compose.py", "test_worker.py", "test_planning_worker.py", "test_mqtt.py",
             "test_brokers.py", "test_compose_tls.py", "test_even.py")  # fmt: skip
# With two workers the long files must not be the last to start.
LONGEST = ("test_screens.py", "test_simulated_day.py", "test_custody_day.py", "test_courier.py", "test_receiver.py",
           "test_day.py", "test_dispatch.py", "test_planning_worker.py")  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(LONGEST)))
    for item in items:
        if item.path.parent.name == "browser" or item.path.name in PROCESSES:
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "dialect" in metafunc.fixturenames:
        both = metafunc.definition.get_closest_marker("both_databases")
        metafunc.parametrize("dialect", ["sqlite", "postgresql"] if both else ["sqlite"], indirect=True, ids=str)


@pytest.fixture(scope="session", autouse=True)
def no_process_left() -> Iterator[None]:
    """Every process that a test starts must be gone when the tests end."""
    yield
    left = _children(os.getpid())
    assert not left, f"processes left behind by the tests: {left}"


def _children(pid: int) -> list[str]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            try:
                command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if command.strip() and "resource_tracker" not in command:
                found.append(f"{child} {command[:120]}")
    return found


@pytest.fixture(scope="session")
def postgresql_url(no_process_left: None) -> Iterator[str]:
    with servers.postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(no_process_left: None) -> Iterator[str]:
    with servers.redis() as url:
        yield url


@pytest.fixture(scope="session")
def mqtt_url(no_process_left: None) -> Iterator[str]:
    with servers.mosquitto() as url:
        yield url


@pytest.fixture
def clock() -> Iterator[FixedClock]:
    """The test's clock: stands at START until told otherwise; every ``clock.now()`` reads it."""
    fixed = FixedClock(START)
    with clock_module.using(fixed):
        yield fixed


@pytest.fixture
def dialect(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture(scope="session")
def _assembly(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Assembly]]:
    """One application per dialect and session: building it costs far more than emptying its database."""
    made: dict[str, Assembly] = {}
    with ExitStack() as stack:

        def get(dialect: str) -> Assembly:
            if dialect not in made:
                folder = stack.enter_context(servers.private_folder("app"))
                url = None if dialect == "sqlite" else str(request.getfixturevalue("postgresql_url"))
                made[dialect] = Assembly(folder, url)
                stack.callback(made[dialect].close)
            return made[dialect]

        yield get


class Assembly:
    """An application together with the way to make its database empty again in a few milliseconds."""

    def __init__(self, folder: Path, postgresql_url: str | None) -> None:
        self._file = folder / "labrelay.db"
        self._template = folder / "template.db"
        environ = {
            "LABRELAY_VAR_DIR": str(folder),
            "LABRELAY_DATABASE_URL": postgresql_url or f"sqlite:///{self._file}",
            "LABRELAY_SECRET_KEY": "only-for-the-tests-0123456789abcdef",
            "LABRELAY_LOGIN_LIMIT": "1000 per minute",
        }
        self.settings = Settings.from_env(environ)
        self.clock = FixedClock(START)
        with clock_module.using(self.clock):
            self.app: Flask = create_app(self.settings, self.clock)
        self.app.testing = True
        with self.app.app_context():
            Base.metadata.create_all(db.engine)
            self.engine: Engine = db.engine
            self.engine.dispose()
        self._config = dict(self.app.config)
        if not postgresql_url:
            with create_engine(f"sqlite:///{self._file}").connect() as connection:
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
            shutil.copyfile(self._file, self._template)

    def reset(self) -> None:
        self.app.config.clear()
        self.app.config.update(self._config)
        self.clock.set(START)
        if self._template.exists():
            self._reset_sqlite()
        else:
            self._reset_postgresql()
        limiter = self.app.extensions.get("limiter")
        for each in limiter if isinstance(limiter, set) else ():
            each.reset()

    def _reset_sqlite(self) -> None:
        self.engine.dispose()
        for suffix in ("-wal", "-shm"):
            self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
        shutil.copyfile(self._template, self._file)

    def _reset_postgresql(self) -> None:
        """Delete from the tables that hold rows, with triggers off (the custody log refuses DELETE)."""
        names = [f'"{table.name}"' for table in Base.metadata.sorted_tables]
        probe = " UNION ALL ".join(f"(SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name}))" for name in names)
        with self.engine.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            for name in connection.execute(text(probe)).scalars().all() if names else ():
                connection.execute(text(f"DELETE FROM {name}"))
            connection.execute(
                text(
                    "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)"
                    " FROM pg_sequences WHERE last_value IS NOT NULL"
                )
            )

    def close(self) -> None:
        self.engine.dispose()


@pytest.fixture
def assembly(_assembly: Callable[[str], Assembly], dialect: str) -> Iterator[Assembly]:
    made = _assembly(dialect)
    made.reset()
    yield made
    with made.app.app_context():
        db.session.remove()


@pytest.fixture
def app(assembly: Assembly) -> Iterator[Flask]:
    """The application with an empty database; its clock is the ``clock`` of this process meanwhile."""
    with clock_module.using(assembly.clock):
        yield assembly.app


@pytest.fixture
def app_clock(assembly: Assembly, app: Flask) -> FixedClock:
    """The clock that ``app`` was made with."""
    return assembly.clock


@pytest.fixture
def app_settings(assembly: Assembly) -> Settings:
    return assembly.settings


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    """A session inside an application context. Commit before using ``client``."""
    with app.app_context():
        yield db.session()
        db.session.rollback()
        db.session.remove()


class Client(FlaskClient):
    """A browser's client: sends the CSRF header with every unsafe request, as the pages' scripts do."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        headers = Headers(kwargs.get("headers") or {})
        if "Authorization" not in headers and "X-CSRFToken" not in headers:
            headers["X-CSRFToken"] = self._token()
            kwargs["headers"] = headers
        if has_app_context():  # the ``session`` fixture's: its ``g`` would carry user and language on
            for name in list(g):
                g.pop(name)
        return super().open(*args, **kwargs)

    def _token(self) -> str:
        with self.session_transaction() as cookie:
            raw = cookie.setdefault("csrf_token", secrets.token_hex(20))
        key = str(self.application.secret_key)
        return str(URLSafeTimedSerializer(key, salt="wtf-csrf-token").dumps(raw))


@pytest.fixture
def client(app: Flask) -> Client:
    """A client that sends CSRF tokens; ``app.test_client()`` is one that does not."""
    return Client(app, app.response_class)


@pytest.fixture
def new_client(app: Flask) -> Callable[[], Client]:
    """Makes further clients, each with cookies of its own."""
    return lambda: Client(app, app.response_class)


@pytest.fixture
def login(app: Flask) -> Callable[[FlaskClient, str], FlaskClient]:
    """``login(client, username)`` gives the client that user's session without asking a password."""

    def sign_in(client: FlaskClient, username: str) -> FlaskClient:
        from logistics.models import User

        with app.app_context():
            user = db.session.scalars(select(User).where(User.username == username)).one()
            identity = user.get_id()
            db.session.remove()
        with client.session_transaction() as cookie:
            cookie["_user_id"] = identity
            cookie["_fresh"] = True
            cookie["seen"] = cookie["since"] = clock_module.wall_now().timestamp()
        return client

    return sign_in
