"""``labrelay setup-check``: can this installation work, and what is missing?"""

from __future__ import annotations

import difflib
import os
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

import click

from web.cli import settings
from web.processes import accepts
from web.settings import VARIABLES, Settings, unknown_variables

Finding = tuple[bool, str]


@click.command()
@click.option("--url", help="Only ask whether this address answers 200 (container health).")
def setup_check(url: str | None) -> None:
    """Say whether this installation can work, and what is missing. Exit 1 when something is."""
    findings = list(_answers(url) if url else _installation(settings()))
    for good, sentence in findings:
        click.echo(f"{'ok     ' if good else 'MISSING'} {sentence}")
    raise SystemExit(0 if all(good for good, _ in findings) else 1)


def _answers(url: str) -> Iterator[Finding]:
    try:
        with urllib.request.urlopen(url, timeout=4) as answer:  # noqa: S310  # the caller's own address
            yield answer.status == 200, f"{url} answers {answer.status}"
    except OSError as error:
        yield False, f"{url}: {error}"


def _installation(found: Settings) -> Iterator[Finding]:
    yield from _names()
    yield from _database(found)
    yield from _broker(found)
    yield from _redis(found)
    yield from _public(found)


def _names() -> Iterator[Finding]:
    for name in unknown_variables(os.environ):
        near = difflib.get_close_matches(name, VARIABLES, n=1)
        yield False, f"{name} means nothing to Labrelay" + (f"; did you mean {near[0]}?" if near else "")


def _database(found: Settings) -> Iterator[Finding]:
    from sqlalchemy import create_engine, inspect
    from sqlalchemy.exc import SQLAlchemyError

    kind = "SQLite (embedded)" if found.embedded_database else "PostgreSQL"
    file = found.database_url.removeprefix("sqlite:///") if found.embedded_database else ""
    if file and not os.path.exists(file):
        yield False, "database: SQLite (embedded) is not made yet: labrelay db upgrade"
        return
    try:
        engine = create_engine(found.database_url)
        there = inspect(engine).has_table("setting")
        engine.dispose()
    except SQLAlchemyError as error:
        yield False, f"database: {kind} does not answer ({type(error).__name__})"
        return
    yield there, f"database: {kind}" + ("" if there else " has no tables yet: labrelay db upgrade")


def _broker(found: Settings) -> Iterator[Finding]:
    if found.mqtt_url:
        parts = urlsplit(found.mqtt_url)
        port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
        listens = accepts(port, parts.hostname or "127.0.0.1")
        yield listens, f"MQTT broker at {parts.hostname}:{port}" + ("" if listens else " does not answer")
        return
    from web.brokers import node_program
    from web.processes import find_program

    name = "mosquitto" if find_program("mosquitto") else "aedes" if node_program() else None
    yield bool(name), f"MQTT broker: {name or 'none; apt-get install mosquitto'}"


def _redis(found: Settings) -> Iterator[Finding]:
    for label, url in (("jobs", found.celery_broker_url), ("login limits", found.limiter_storage_url)):
        parts = urlsplit(url)
        if not parts.scheme.startswith("redis"):
            yield True, f"{label}: on this machine ({parts.scheme})"
            continue
        listens = accepts(parts.port or 6379, parts.hostname or "127.0.0.1")
        yield (
            listens,
            f"{label}: Redis at {parts.hostname}:{parts.port or 6379}" + ("" if listens else " does not answer"),
        )


def _public(found: Settings) -> Iterator[Finding]:
    secure = found.public_url.startswith("https://")
    local = urlsplit(found.public_url).hostname in {"127.0.0.1", "localhost", "::1"}
    yield (
        secure or local,
        f"address: {found.public_url}"
        + ("" if secure or local else " has no TLS; phones refuse the camera without it"),
    )
    if secure:
        yield found.cookie_secure, "cookies: " + ("TLS only" if found.cookie_secure else "set LABRELAY_COOKIE_SECURE=1")
