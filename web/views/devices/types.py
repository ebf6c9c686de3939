"""Types of loggers: the format and what is set for all of a make."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics.db import db
from telemetry import device_types
from telemetry.codecs import CODECS
from telemetry.codecs.options import TARGETS
from telemetry.models import Device
from telemetry.registry_models import DeviceType
from web import device_words
from web.access import access
from web.auth import audit
from web.forms import NO_PROBLEM, Page, Problem, attempt, flag, needed, text, typed
from web.views.devices.base import EDITOR, READERS, blueprint, options


@blueprint.get("/types")
@access(*READERS)
def types() -> str:
    session = db.session()
    used = {
        row[0]: row[1] for row in session.execute(select(Device.type_code, func.count()).group_by(Device.type_code))
    }
    return render_template(
        "devices/types.html",
        types=session.scalars(select(DeviceType).order_by(DeviceType.code)).all(),
        used=used,
        codecs=device_words.CODECS,
        may_edit=current_user.role == EDITOR,
    )


@blueprint.get("/types/new")
@access(EDITOR)
def new_type() -> str:
    return _page(None, NO_PROBLEM)


@blueprint.post("/types/new")
@access(EDITOR)
def add_type() -> Page:
    def work(session: Session) -> Response:
        found = device_types.add(session, text("code", limit=32), _values())
        audit(session, "device_type_added", found.code)
        flash(gettext("Type %(code)s added.", code=found.code), "ok")
        return redirect(url_for("devices.types"))

    return attempt(work, partial(_page, None))


@blueprint.get("/types/<code>")
@access(*READERS)
def device_type(code: str) -> str:
    return _page(device_types.known(db.session(), code), NO_PROBLEM)


@blueprint.post("/types/<code>")
@access(EDITOR)
def change_type(code: str) -> Page:
    def work(session: Session) -> Response:
        count = device_types.change(session, code, _values())
        audit(session, "device_type_changed", code, devices=count)
        flash(gettext("Saved; %(count)s loggers follow.", count=count), "ok")
        return redirect(url_for("devices.types"))

    return attempt(work, lambda problem: _page(device_types.known(db.session(), code), problem))


def _values() -> dict[str, Any]:
    return {
        "name": text("name", limit=80),
        "codec": text("codec"),
        "options": options(),
        "interval_s": round(needed("interval_min") * 60),
        "receipts": flag("receipts"),
    }


def _page(found: DeviceType | None, problem: Problem) -> str:
    return render_template(
        "devices/type.html",
        type=found,
        value=typed(found),
        problem=problem,
        codecs=[(name, device_words.CODECS[name]) for name in CODECS],
        targets=sorted(TARGETS),
        own_options=(found.options or {}) if found else {},
        may_edit=current_user.role == EDITOR,
    )
