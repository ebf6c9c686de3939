"""Boxes. Their loggers have pages of their own (web/views/devices)."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics import clock
from logistics.db import db
from logistics.models import Box
from logistics.queries import admin as queries
from logistics.services import admin, label_ledger
from telemetry import queries as telemetry
from web.access import access
from web.auth import audit
from web.rendering import locale
from web.views.admin.base import (
    EDITOR,
    NO_PROBLEM,
    READERS,
    Page,
    Problem,
    attempt,
    blueprint,
    flag,
    needed,
    optional,
    text,
    typed,
)


@blueprint.get("/boxes")
@access(*READERS)
def boxes() -> str:
    return _list(NO_PROBLEM)


@blueprint.get("/boxes/new")
@access(EDITOR)
def new_box() -> str:
    return _page(None, NO_PROBLEM)


@blueprint.post("/boxes/new")
@access(EDITOR)
def add_box() -> Page:
    def work(session: Session) -> Response:
        code = text("code", limit=32)
        admin.add_box(session, code, _values())
        label_ledger.take_if_known(session, code, by=current_user.username, now=clock.now(), field="code")
        audit(session, "box_added", code)
        flash(gettext("Box %(code)s added.", code=code), "ok")
        return redirect(url_for("admin.box", code=code))

    return attempt(work, partial(_page, None))


@blueprint.get("/boxes/<code>")
@access(*READERS)
def box(code: str) -> str:
    return _again(code, NO_PROBLEM)


@blueprint.post("/boxes/<code>")
@access(EDITOR)
def change_box(code: str) -> Page:
    def work(session: Session) -> Response:
        changes = admin.change_box(session, code, {**_values(), "active": flag("active")})
        audit(session, "box_changed", code, **changes)
        flash(gettext("Saved."), "ok")
        return redirect(url_for("admin.boxes"))

    return attempt(work, partial(_again, code))


def _values() -> dict[str, Any]:
    return {
        "temp_class": text("temp_class"),
        "capacity": needed("capacity", whole=True),
        "hold_h": needed("hold_h"),
        "home_code": optional("home_code"),
        "kind": text("kind") or "box",
    }


def _list(problem: Problem) -> str:
    session = db.session()
    found = queries.boxes(session)
    now = clock.now()
    return render_template(
        "admin/boxes.html",
        boxes=found,
        latest=telemetry.latest(session, [one.code for one in found], now=now),
        sites={one.code: one for one in queries.sites(session)},
        problem=problem,
        now=now,
    )


def _again(code: str, problem: Problem) -> str:
    return _page(admin.known_box(db.session(), code), problem)


def _page(box: Box | None, problem: Problem) -> str:
    sites = [(one.code, one.name(locale())) for one in queries.sites(db.session()) if one.active]
    return render_template("admin/box.html", box=box, value=typed(box), problem=problem, sites=sites)
