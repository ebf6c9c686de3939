"""The names of ingest processes that share the messages: one each, also after the database forgot who holds what."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from web import slots


@pytest.fixture
def url(postgresql_url: str) -> Iterator[str]:
    before = slots._held[:]
    slots._held.clear()
    yield postgresql_url
    for connection, _ in slots._held:
        connection.close()
    slots._held[:] = before


def cut(url: str) -> None:
    """End our connection from the other side, as a kill of the database does; its locks are gone."""
    pid = slots._held[0][0].info.backend_pid
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def test_a_name_is_taken_again_or_given_up(url: str) -> None:
    """While nobody else took it the name stays ours over a lost connection; when somebody did it is lost; an address
    that does not answer says nothing about it."""
    name = slots.take_slot(url)
    assert slots.still_held(url)
    cut(url)
    assert slots.still_held(url)
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as other:
        assert not slots._lock(other, int(name))
        cut(url)
        assert slots.still_held("postgresql://labrelay@127.0.0.1:1/postgres")
        assert slots._lock(other, int(name))
        assert not slots.still_held(url)
