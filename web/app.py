"""create_app: settings and a clock in, a Flask application out. Nothing is opened at import."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Any

import msgspec
from flask import Flask
from flask_migrate import Migrate
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, Map

import logistics.models  # noqa: F401  # metadata must be whole before the first query
import telemetry.models  # noqa: F401
import web.api
import web.views
from logistics import clock as clock_module
from logistics.clock import Clock
from logistics.db import db, install_sqlite_hooks, set_reading
from web import access, alert_texts, auth, errors, headers, i18n, personal, rendering, worker
from web.settings import Settings

migrate = Migrate(directory=str(i18n.ROOT / "migrations"), render_as_batch=True, compare_type=True)


class RowId(IntegerConverter):
    """A row's number in an address: what no column can hold is no address of ours."""

    def __init__(self, map: Map, **options: Any) -> None:
        super().__init__(map, **{"max": 2**31 - 1, **options})


def create_app(settings: Settings, clock: Clock | None = None) -> Flask:
    """Build the application. ``clock`` overrides the one that the settings name (tests)."""
    app = Flask("web", root_path=str(i18n.ROOT))
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database_url),
        MAX_CONTENT_LENGTH=32 * 1024 * 1024,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.cookie_secure,
        SESSION_COOKIE_NAME="labrelay",
        WTF_CSRF_ENABLED=True,
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        RATELIMIT_STORAGE_URI=settings.limiter_storage_url,
        RATELIMIT_HEADERS_ENABLED=False,
    )
    app.extensions["labrelay.settings"] = settings
    app.url_map.converters["int"] = RowId
    if hops := settings.proxy_hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    clock_module.install(clock or settings.make_clock())

    db.init_app(app)
    with app.app_context():
        install_sqlite_hooks(db.engine)
    migrate.init_app(app, db)
    app.before_request(lambda: set_reading(True))  # transaction() turns writing on for its block
    errors.init_app(app)
    i18n.init_app(app)
    auth.init_app(app)
    access.guard(app)
    personal.init_app(app)
    headers.init_app(app)
    rendering.init_app(app)
    alert_texts.init_app(app)
    worker.init_app(app)
    for package in (web.views, web.api):
        _register_blueprints(app, package)
    return app


def engine_options(database_url: str) -> dict[str, object]:
    quiet = {"hide_parameters": True}  # an error names the statement, never the patient or the hash it was about
    if database_url.startswith("sqlite"):
        return {"connect_args": {"timeout": 10, "check_same_thread": False}, **quiet}
    # The connection that was used last first: it knows the statements of the day already.
    return {
        "pool_size": 10, "max_overflow": 10, "pool_recycle": 1800, "pool_use_lifo": True,
        "json_deserializer": msgspec.json.decode, **quiet,
    }  # fmt: skip


def _register_blueprints(app: Flask, package: ModuleType) -> None:
    """Every module of the package that has a ``blueprint``."""
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        blueprint = getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "blueprint", None)
        if blueprint is not None:
            app.register_blueprint(blueprint)
