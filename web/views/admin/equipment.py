"""Boxes. Their loggers have pages of their own (web/views/devices)."""

from __future__ import annotations

from typing import Any

from flask import render_template
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
    READERS,
    Problem,
    blueprint,
    flag,
    needed,
    optional,
    text,
    typed,
)
from web.views.admin.entry import done, entry, saved


@blueprint.get("/boxes")
@access(*READERS)
def boxes() -> str:
    session = db.session()
    found = queries.boxes(session)
    now = clock.now()
    return render_template(
        "admin/boxes.html",
        boxes=found,
        latest=telemetry.latest(session, [one.code for one in found], now=now),
        sites={one.code: one for one in queries.sites(session)},
        now=now,
    )


def _add(session: Session) -> Response:
    code = text("code", limit=32)
    admin.add_box(session, code, _values())
    label_ledger.take_if_known(session, code, by=current_user.username, now=clock.now(), field="code")
    audit(session, "box_added", code)
    return done(gettext("Box %(code)s added.", code=code), "box", code=code)


def _change(code: str, session: Session) -> Response:
    changes = admin.change_box(session, code, {**_values(), "active": flag("active")})
    audit(session, "box_changed", code, **changes)
    return saved("boxes")


def _values() -> dict[str, Any]:
    return {
        "temp_class": text("temp_class"),
        "capacity": needed("capacity", whole=True),
        "hold_h": needed("hold_h"),
        "home_code": optional("home_code"),
        "kind": text("kind") or "box",
    }


def _page(box: Box | None, problem: Problem) -> str:
    sites = [(one.code, one.name(locale())) for one in queries.sites(db.session()) if one.active]
    return render_template("admin/box.html", box=box, value=typed(box), problem=problem, sites=sites)


entry("box", "boxes", "code", known=admin.known_box, page=_page, add=_add, change=_change)
