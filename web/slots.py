"""Stable names for the ingest processes of one installation: 1, 2, 3 …

A broker keeps a session, with its waiting messages, for each client name. Were the name a container's, every new
container would leave a session behind that goes on taking its share of the messages.
"""

from __future__ import annotations

import psycopg

from web.settings import SettingsError

LOCK_SPACE = 8731
SLOTS = 64
_held: list[tuple[psycopg.Connection, int]] = []
"""The connection whose lock is ours, and which it is; a process needs one."""


def take_slot(database_url: str) -> str:
    """The lowest number that no other process of this database holds. SQLite has one ingest: "1".

    Raises SettingsError when all are held.
    """
    if not database_url.startswith("postgresql"):
        return "1"
    connection = _connect(database_url)
    for slot in range(1, SLOTS + 1):
        if _lock(connection, slot):
            _held.append((connection, slot))
            return str(slot)
    connection.close()
    raise SettingsError("LABRELAY_MQTT_SHARE_GROUP", f"{SLOTS} ingest processes of this database run already")


def still_held(database_url: str) -> bool:
    """Whether this process's name is still its own. A database that was killed has forgotten who held what: the name is
    taken anew, and is lost when somebody who started meanwhile has it. True while the database is away."""
    if not _held:
        return True
    connection, slot = _held[0]
    try:
        connection.execute("SELECT 1")
    except psycopg.Error:
        connection.close()
    else:
        return True
    try:
        connection = _connect(database_url)
        mine = _lock(connection, slot)
    except psycopg.Error:
        return True
    if mine:
        _held[0] = (connection, slot)
    else:
        connection.close()
    return mine


def _connect(database_url: str) -> psycopg.Connection:
    return psycopg.connect(database_url.replace("+psycopg", "", 1), autocommit=True, connect_timeout=5)


def _lock(connection: psycopg.Connection, slot: int) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (LOCK_SPACE, slot)).fetchone()
    return bool(row and row[0])
