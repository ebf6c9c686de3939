"""The tables' versions (Alembic)."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

VERSIONS = Path(__file__).resolve().parent / "versions"


def upgrade_tables(app: Flask) -> None:
    """Bring the tables to the newest version; does nothing when they are there."""
    import flask_migrate

    with app.app_context():
        if any(VERSIONS.glob("*.py")):
            flask_migrate.upgrade()
        else:  # before the first release the models are the only version
            from logistics.db import Base, db

            Base.metadata.create_all(db.engine)
