"""No address with an odd query is a fault of the server, for whoever asks."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests import factories as f
from web.access import roles_of

ARGUMENT = re.compile(r"request\.(?:args|values)\.get(?:list)?\(\s*\"(\w+)\"|given\.get\(\"(\w+)\"|_words\(\"(\w+)\"")
TABLES = re.compile(r"_day\(\"(\w+)\"\)")
ODD = ("²", "9" * 40, "-1", "0001-01-01", "9999-12-31", "\U0001f9ea", "\x00")
SQLITE = ODD[:2]
"""Where the databases differ, PostgreSQL is the strict one: it sees all. SQLite's driver alone chokes on numbers that
are too large, and what is no number at all must be seen by either."""
USER_OF = {
    "collector": "nurse", "courier": "courier", "dispatcher": "dispatcher", "receiver": "receiver",
    "manager": "manager", "administrator": "admin", "auditor": "auditor", "public": "nurse",
}  # fmt: skip


def arguments(view: Callable[..., object]) -> list[str]:
    """What the module of a view reads from an address."""
    source = Path(inspect.getfile(inspect.unwrap(view))).read_text(encoding="utf-8")
    found = {one for groups in ARGUMENT.findall(source) for one in groups if one}
    return sorted(found | set(TABLES.findall(source)))


@pytest.fixture
def quiet(app: Flask) -> Iterator[Flask]:
    """Faults become answers, as in production."""
    app.testing = False
    yield app
    app.testing = True


@pytest.mark.both_databases
def test_odd_queries(
    quiet: Flask,
    session: Session,
    dialect: str,
    new_client: Callable[[], FlaskClient],
    login: Callable[..., FlaskClient],
) -> None:
    """Every page and list, with an odd value in every argument that its module reads: never a 5xx."""
    f.world(session)
    odd_ones = SQLITE if dialect == "sqlite" else ODD
    clients = {user: login(new_client(), user) for user in set(USER_OF.values())}
    bad = []
    for rule in quiet.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.arguments or rule.endpoint == "static":
            continue
        roles = roles_of(quiet, rule.endpoint)
        user = USER_OF[min(roles)]
        for name, odd in product(arguments(quiet.view_functions[rule.endpoint]), odd_ones):
            status = clients[user].get(rule.rule, query_string={name: odd}).status_code
            if status >= 500:
                bad.append(f"{user} {rule.rule}?{name}={odd[:20]!r} {status}")
    assert not bad, "\n".join(sorted(set(bad)))
