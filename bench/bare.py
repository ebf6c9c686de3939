"""What a bare application can do: one view, one SQLAlchemy Core INSERT into the custody log, one COMMIT.

The same server, the same threads, the same pool as Labrelay; none of its work.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, jsonify, request
from sqlalchemy import create_engine, insert

from logistics.models import CustodyEvent
from web.app import engine_options
from web.serve import Server


class BareServer(Server):
    """gunicorn as :class:`web.serve.Server` starts it, with the bare application."""

    def load(self) -> Any:
        return create_bare(self._settings.database_url)


def create_bare(database_url: str) -> Flask:
    app = Flask(__name__)
    engine = create_engine(database_url, **engine_options(database_url))
    table = CustodyEvent.__table__

    @app.post("/insert")
    def add() -> Response:
        sent = request.get_json()
        at = datetime.now(UTC)
        with engine.begin() as connection:
            connection.execute(
                insert(table),
                {
                    "stream": sent["stream"],
                    "seq": sent["seq"],
                    "type": "noted",
                    "act_id": sent["act"],
                    "occurred_at": at,
                    "recorded_at": at,
                    "actor": "bench",
                    "site_code": None,
                    "body": sent["body"],
                    "prev_hash": sent["hash"],
                    "hash": sent["hash"],
                    "lane": 1,
                    "place": sent["seq"],
                },
            )
        return jsonify({"status": "done"})

    return app
