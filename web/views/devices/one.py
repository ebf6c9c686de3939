"""One logger: registering and changing it, its boxes in time, another in its place, its certificates."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics import clock
from logistics.db import db
from logistics.errors import NotFound
from logistics.models import Box
from telemetry import calibration, devices, fleet, routes
from telemetry.codecs import CODECS
from telemetry.models import Device
from telemetry.registry_models import DeviceType
from web import device_words
from web.access import access
from web.auth import audit, scope
from web.forms import NO_PROBLEM, Page, Problem, attempt, flag, needed, number, optional, text, typed
from web.views.devices.base import (
    EDITOR,
    MOVERS,
    READERS,
    blueprint,
    boxes_in_sight,
    local_day,
    local_time,
    may_move,
    mine,
    options,
    sites_in_sight,
    topics,
)


@blueprint.get("/new")
@access(EDITOR)
def new_device() -> str:
    return _form(None, NO_PROBLEM)


@blueprint.post("/new")
@access(EDITOR)
def add_device() -> Page:
    def work(session: Session) -> Response:
        now = clock.now()
        values = _values(now)
        device = devices.register(session, text("code", limit=32), now=now, **values)
        audit(session, "device_added", device.code)
        flash(gettext("Logger %(code)s added.", code=device.code), "ok")
        return redirect(url_for("devices.device", code=device.code))

    return attempt(work, partial(_form, None))


@blueprint.get("/<code>")
@access(*READERS)
def device(code: str) -> str:
    return _page(code, NO_PROBLEM)


@blueprint.get("/<code>/change")
@access(EDITOR)
def edit_device(code: str) -> str:
    return _form(mine(db.session(), code), NO_PROBLEM)


@blueprint.post("/<code>/change")
@access(EDITOR)
def change_device(code: str) -> Page:
    def work(session: Session) -> Response:
        known = mine(session, code)
        values = _values(clock.now(), known)
        changed = devices.change(session, code, {**values, "active": flag("active")})
        audit(session, "device_changed", code, **changed)
        flash(gettext("Saved."), "ok")
        return redirect(url_for("devices.device", code=code))

    return attempt(work, lambda problem: _form(mine(db.session(), code), problem))


def _values(now: Any, known: Device | None = None) -> dict[str, Any]:
    minutes = number("interval_min")
    found: dict[str, Any] = {
        "type_code": optional("type_code"),
        "model": text("model"),
        "serial": text("serial", limit=40),
        "gateway": optional("gateway"),
        "site_code": optional("site_code"),
        "receipts": flag("receipts"),
        "options": options(),
        "topics": [line.strip() for line in topics() if line.strip()],
    }
    if found["type_code"] is None:
        found["codec"] = text("codec") or "labrelay"
    if minutes is not None:
        found["interval_s"] = round(minutes * 60)
    if text("commissioned_at"):
        found["commissioned_at"] = local_time("commissioned_at", now=now)
    elif known is None:
        found["commissioned_at"] = now
    return found


def _form(known: Device | None, problem: Problem) -> str:
    session = db.session()
    return render_template(
        "devices/form.html",
        device=known,
        value=typed(known),
        problem=problem,
        types=[(one.code, one.name) for one in session.scalars(select(DeviceType).order_by(DeviceType.code))],
        codecs=[(name, device_words.CODECS[name]) for name in CODECS],
        sites=sites_in_sight(session),
        topics="\n".join(routes.of_device(session, known.code)) if known else "",
        examples={name: codec.topic for name, codec in CODECS.items() if codec.topic},
        own_options=(known.own_options or {}) if known else {},
    )


@blueprint.post("/<code>/bind")
@access(*MOVERS)
def bind(code: str) -> Page:
    """Put a probe into a box, or take it out when none is named. Form: box, probe, at."""

    def work(session: Session) -> Response:
        mine(session, code)
        now = clock.now()
        at, probe = local_time("at", now=now), _probe("probe")
        box = optional("box")
        if box is None:
            devices.unbind(session, code, at=at, now=now, probe=probe)
        else:
            _own_box(session, box)
            devices.bind(session, code, box, at=at, now=now, probe=probe)
        audit(session, "device_moved", code, box=box, probe=probe, since=at.isoformat())
        flash(gettext("Saved. Readings since then have been judged again."), "ok")
        return redirect(url_for("devices.device", code=code))

    return attempt(work, partial(_page, code, asked="bind"))


@blueprint.post("/<code>/swap")
@access(*MOVERS)
def swap(code: str) -> Page:
    """Another logger takes this one's place. Form: new, probe, new_probe, at."""

    def work(session: Session) -> Response:
        mine(session, code)
        now = clock.now()
        at, new = local_time("at", now=now), text("new", limit=32)
        mine(session, new)
        binding = devices.swap(session, code, new, at=at, now=now, probe=_probe("probe"), new_probe=_probe("new_probe"))
        audit(session, "device_swapped", code, new=new, box=binding.box_code, since=at.isoformat())
        flash(gettext("%(new)s is in box %(box)s now.", new=new, box=binding.box_code), "ok")
        return redirect(url_for("devices.device", code=new))

    return attempt(work, partial(_page, code, asked="swap"))


def _probe(name: str) -> int:
    return int(needed(name, whole=True)) if text(name) else 1


def _own_box(session: Session, code: str) -> None:
    """Raises NotFound, as for one that does not exist, for a box of others."""
    box = session.get(Box, code)
    if box is None or not scope().covers(box.home_code):
        raise NotFound("box_unknown", field="box", box=code[:40])


@blueprint.post("/<code>/certificates")
@access(*MOVERS)
def add_certificate(code: str) -> Page:
    """Form: number, due (a day), file."""

    def work(session: Session) -> Response:
        mine(session, code)
        sent = request.files.get("file")
        data = sent.read(calibration.MOST_BYTES + 1) if sent and sent.filename else None
        row = calibration.add(
            session,
            code,
            number=text("number", limit=80),
            due_at=local_day("due"),
            username=current_user.username,
            now=clock.now(),
            file_name=(sent.filename or "") if sent else "",
            data=data,
        )
        audit(session, "device_calibrated", code, number=row.number, due=row.due_at.isoformat())
        flash(gettext("Certificate added."), "ok")
        return redirect(url_for("devices.device", code=code))

    return attempt(work, partial(_page, code, asked="certificate"))


@blueprint.get("/<code>/certificates/<int:certificate_id>")
@access(*READERS)
def certificate(code: str, certificate_id: int) -> Response:
    """The file itself; shown by nobody's browser as a page of ours."""
    session = db.session()
    mine(session, code)
    row = calibration.file_of(session, code, certificate_id)
    response = Response(row.data, mimetype=row.media_type)
    ending = row.media_type.rpartition("/")[2]
    response.headers["Content-Disposition"] = f'attachment; filename="certificate-{row.id}.{ending}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _page(code: str, problem: Problem, *, asked: str = "") -> str:
    """``asked``: which form was refused (bind, swap, certificate); its dialog is open again, as it was typed."""
    session = db.session()
    found = mine(session, code)
    now = clock.now()
    everything = fleet.rows(session, scope(), now=now)
    row = next((one for one in everything if one.device.code == code), fleet.Row(found, (), 0, 0, ()))
    bound = fleet.bindings(session, code)
    return render_template(
        "devices/device.html",
        device=found,
        row=row,
        bindings=bound,
        here=[one for one in bound if one.bound_to is None],
        certificates=calibration.listing(session, code),
        due=calibration.state(found.calibration_due, now=now),
        files=fleet.files(session, code),
        topics=routes.of_device(session, code),
        boxes=boxes_in_sight(session),
        others=[one.device.code for one in everything if one.device.code != code],
        words=device_words.MARKS,
        faces=device_words.FACES,
        codecs=device_words.CODECS,
        may_move=may_move(),
        may_edit=current_user.role == EDITOR,
        typed=request.form,
        problem=problem,
        asked=asked,
        now=now,
    )
