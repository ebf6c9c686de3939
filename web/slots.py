"""Stable names for the ingest processes of one installation: 1, 2, 3 …

A broker keeps a session, with its waiting messages, for each client name. Were the name a container's, every new
container would leave a session behind that goes on taking its share of the messages.
"""

from __future__ import annotations

import psycopg

from web.settings import SettingsError

LOCK_SPACE = 8731
SLOTS = 64
_held: list[psycopg.Connection] = []
"""The connections whose locks are ours until this process ends."""


def take_slot(database_url: str) -> str:
    """The lowest number that no other process of this database holds. SQLite has one ingest: "1".

    Raises SettingsError when all are held.
    """
    if not database_url.startswith("postgresql"):
        return "1"
    connection = psycopg.connect(database_url.replace("+psycopg", "", 1), autocommit=True)
    for slot in range(1, SLOTS + 1):
        row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (LOCK_SPACE, slot)).fetchone()
        if row and row[0]:
            _held.append(connection)
            return str(slot)
    connection.close()
    raise SettingsError("LABRELAY_MQTT_SHARE_GROUP", f"{SLOTS} ingest processes of this database run already")
