"""No address with an odd query is a fault of the server, for whoever asks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests import factories as f
from web.access import roles_of

ROOT = Path(__file__).resolve().parents[2]
ARGUMENT = re.compile(r"request\.(?:args|values)\.get(?:list)?\(\s*\"(\w+)\"|given\.get\(\"(\w+)\"|_words\(\"(\w+)\"")
ODD = (
    "²",
    "9" * 40,
    "-1",
    "0001-01-01",
    "9999-12-31",
    "a" * 5000,
    "\ud83e\uddea",
    "%",
    "1e400",
    "nan",
    "\x00",
    "' or 1=1",
)
USER_OF = {
    "collector": "nurse", "courier": "courier", "dispatcher": "dispatcher", "receiver": "receiver",
    "manager": "manager", "administrator": "admin", "auditor": "auditor", "public": "nurse",
}  # fmt: skip


def arguments() -> list[str]:
    found = set()
    for path in (ROOT / "web").glob("**/*.py"):
        if "node_modules" not in path.parts:
            for groups in ARGUMENT.findall(path.read_text(encoding="utf-8")):
                found |= {one for one in groups if one}
    return sorted(found)


@pytest.fixture
def quiet(app: Flask) -> Iterator[Flask]:
    """Faults become answers, as in production."""
    app.testing = False
    yield app
    app.testing = True


@pytest.mark.both_databases
@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_odd_queries(
    quiet: Flask, session: Session, new_client: Callable[[], FlaskClient], login: Callable[..., FlaskClient], odd: str
) -> None:
    """Every page and list, with an odd value in every argument that any page reads: never a 5xx."""
    f.world(session)
    clients = {user: login(new_client(), user) for user in set(USER_OF.values())}
    odd = odd.encode("utf-16", "surrogatepass").decode("utf-16")
    bad = []
    for rule in quiet.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.arguments or rule.endpoint == "static":
            continue
        roles = roles_of(quiet, rule.endpoint)
        user = USER_OF[min(roles)]
        for name in (*arguments(), "from", "to", "day", "q", "page"):
            status = clients[user].get(rule.rule, query_string={name: odd}).status_code
            if status >= 500:
                bad.append(f"{user} {rule.rule}?{name}={odd[:20]!r} {status}")
    assert not bad, "\n".join(sorted(set(bad)))
