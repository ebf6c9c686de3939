"""Health, the service worker, the clock and the scripts' catalogue."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, abort, current_app, jsonify, render_template, request
from sqlalchemy import text

from logistics import clock
from logistics.db import db
from telemetry.status import ingest_status
from web import i18n
from web.access import access

blueprint = Blueprint("system", __name__)


@blueprint.get("/healthz")
@access("public")
def healthz() -> Response:
    """The process answers."""
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
@access("public")
def readyz() -> tuple[Response, int]:
    """The process can serve: the database answers and its tables are there."""
    try:
        db.session.execute(text("SELECT 1 FROM setting LIMIT 1"))
        telemetry = ingest_status(db.session()).state  # ok | behind | down | none; no reason to take no requests
    except Exception:
        current_app.logger.warning("not ready: database", exc_info=True)
        return jsonify({"status": "unavailable", "database": False}), 503
    return jsonify({"status": "ok", "database": True, "telemetry": telemetry}), 200


@blueprint.get("/api/v1/clock")
@access("public")
def clock_now() -> Response:
    """Business time and how fast it runs (simulated seconds a real second)."""
    return jsonify({"now": clock.now().isoformat(), "rate": clock.current().rate})


@blueprint.get("/i18n/<locale>.json")
@access("public")
def catalogue(locale: str) -> Response:
    """What scripts show, in this language. ``?page=courier`` leaves out the words of other pages' scripts."""
    page = request.args.get("page", "")
    if locale not in i18n.LOCALES or (page and page not in i18n.script_pages()):
        abort(404)
    body = json.dumps(i18n.script_catalog(locale, page), ensure_ascii=False)
    response = Response(body, mimetype="application/json")
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(hashlib.sha256(body.encode()).hexdigest()[:16])
    return response


@cache
def static_version(root: str) -> str:
    """Changes when any file that a phone keeps offline changes."""
    seen = hashlib.sha256()
    for path in sorted(Path(root).rglob("*")):
        if path.is_file():
            stat = path.stat()
            seen.update(f"{path.relative_to(root)}:{stat.st_size}:{stat.st_mtime_ns};".encode())
    return seen.hexdigest()[:12]


@blueprint.get("/sw.js")
@access("public")
def service_worker() -> Response:
    version = static_version(str(current_app.static_folder))
    body = Path(str(current_app.static_folder), "sw.js").read_text(encoding="utf-8")
    response = Response(body.replace("__VERSION__", version), mimetype="text/javascript")
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get("/unsupported")
@access("public")
def unsupported() -> str:
    return render_template("errors/unsupported.html")
