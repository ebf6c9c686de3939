"""The regional transport register: choose a period, see it, take it along as PDF or as a workbook."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, BinaryIO

from flask import Blueprint, Flask, Response, current_app, render_template, request, url_for
from flask_babel import force_locale, gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import db, set_reading, transaction
from logistics.domain.access import COURIER, Scope
from logistics.errors import Invalid
from logistics.labels import fonts
from logistics.labels.register import RegisterHead
from logistics.labels.register_pdf import register_pdf
from logistics.labels.register_xlsx import register_xlsx
from logistics.models import Site
from logistics.queries import registers, search
from logistics.queries.registers import RegisterFilter
from logistics.services import prints
from logistics.services.orders import local_day
from web import exports
from web.access import access
from web.auth import audit, scope
from web.forms import NO_PROBLEM, Problem
from web.register_words import bilingual, lines
from web.rendering import locale
from web.views import office

blueprint = Blueprint("registers", __name__)
blueprint.record_once(office.install_filters)
READERS = ("collector", "courier", "dispatcher", "receiver", "manager", "auditor")
SHOWN = 50
CHUNK_BYTES = 64 * 1024
TYPES: Mapping[str, str] = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@blueprint.get("/registers")
@access(*READERS)
def page() -> tuple[str, int]:
    """Query: from, to, site, courier, consignment. Shows the first lines; the files hold all of them."""
    session, now = db.session(), clock.now()
    wanted = _wanted(now)
    problem = NO_PROBLEM
    shown, total = [], (0, 0)
    try:
        wanted.span()
        total = registers.count(session, scope(), current_user.username, wanted)
        trips = registers.trips(session, scope(), current_user.username, wanted, limit=SHOWN)
        shown = list(lines(session, trips, seen=scope(), now=now))
    except Invalid as error:
        problem = Problem(error)
    today = local_day(now)
    body = render_template(
        "registers/page.html",
        wanted=wanted,
        problem=problem,
        rows=shown,
        total=total,
        limit=SHOWN,
        sites=_sites(session, scope()),
        couriers=[] if current_user.role == COURIER else search.couriers(session, scope()),
        spans=_spans(now),
        today=today.isoformat(),
        files={form: url_for(f"registers.{form}", **_asked(wanted)) for form in TYPES},
    )
    return body, problem.status


def _spans(now: datetime) -> list[tuple[str, str, str]]:
    """(name, first day, last day) of the periods that are asked for most."""
    today = local_day(now)
    month = today.replace(day=1)
    last = month - timedelta(days=1)
    return [
        (gettext("This day"), today.isoformat(), today.isoformat()),
        (gettext("Yesterday"), (today - timedelta(days=1)).isoformat(), (today - timedelta(days=1)).isoformat()),
        (gettext("This month"), month.isoformat(), today.isoformat()),
        (gettext("Last month"), last.replace(day=1).isoformat(), last.isoformat()),
    ]


@blueprint.get("/registers.pdf")
@access(*READERS)
def pdf() -> Response:
    """The register as PDF: A4 landscape, in both languages."""
    return _send("pdf")


@blueprint.get("/registers.xlsx")
@access(*READERS)
def xlsx() -> Response:
    """The register as a workbook with real dates and numbers."""
    return _send("xlsx")


def _send(form: str) -> Response:
    """What was asked is checked, and that it was printed is on record, before the first byte leaves."""
    now = clock.now()
    wanted = _wanted(now)
    wanted.span()
    if form == "pdf":
        fonts.find_font()
    with transaction() as session:
        head = _head(session, wanted, now)
        prints.log(
            session, "register", wanted.consignment or head.period, by=current_user.username, now=now, output=form,
            site=current_user.site_code,
        )  # fmt: skip
        key = secrets.token_hex(4)
        audit(session, "exported", key, kind="register", format=form, filter=_asked(wanted))
    seen, username = scope(), current_user.username

    def write(session: Session, file: BinaryIO) -> int:
        rows = lines(session, registers.trips(session, seen, username, wanted), seen=seen, now=now)
        if form == "pdf":
            return register_pdf(file, head, rows, bilingual(), translate=gettext).lines
        return register_xlsx(file, head, rows, bilingual())

    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    response = Response(exports.OwnContext(_stream(app, locale(), write, exports.caller(key))), mimetype=TYPES[form])
    name = wanted.consignment or f"{wanted.first_day}_{wanted.last_day}"
    response.headers["Content-Disposition"] = f'attachment; filename="register-{name}.{form}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _stream(
    app: Flask, language: str, write: Callable[[Session, BinaryIO], int], who: Mapping[str, Any]
) -> Iterator[bytes]:
    """Written to a temporary file as the rows come, then sent by the piece; in a context of its own, since the request
    has ended by then."""
    with app.app_context(), force_locale(language), tempfile.TemporaryFile() as file:
        set_reading(True)
        written, whole = 0, False
        try:
            try:
                written = write(db.session(), file)
            finally:
                db.session.rollback()
                db.session.remove()
            file.seek(0)
            while piece := file.read(CHUNK_BYTES):
                yield piece
            whole = True
        finally:
            exports.ended(who, {"kind": "register", "rows": written, "whole": whole})


def _head(session: Session, wanted: RegisterFilter, now: datetime) -> RegisterHead:
    if wanted.consignment:  # found by its number, whenever and wherever it travelled
        facts = [(gettext("Consignment"), wanted.consignment)]
        return RegisterHead("", now, current_user.name(locale()), tuple(facts))
    one_day = wanted.first_day == wanted.last_day
    period = wanted.first_day if one_day else f"{wanted.first_day} – {wanted.last_day}"
    facts = []
    if wanted.site:
        facts.append((gettext("Site"), office.site_name(wanted.site)))
    elif current_user.site_code:
        facts.append((gettext("Site"), office.site_name(current_user.site_code)))
    if wanted.courier:
        names = {one.username: one.name(locale()) for one in search.couriers(session, scope())}
        facts.append((gettext("Courier"), names.get(wanted.courier, wanted.courier)))
    elif current_user.role == COURIER:
        facts.append((gettext("Courier"), current_user.name(locale())))
    return RegisterHead(period, now, current_user.name(locale()), tuple(facts))


def _wanted(now: datetime) -> RegisterFilter:
    """Without a day: today."""
    given = request.args
    today = local_day(now).isoformat()
    first = given.get("from", "").strip()[:40] or today
    return RegisterFilter(
        first_day=first,
        last_day=given.get("to", "").strip()[:40] or max(first, today),
        site=given.get("site", "")[:40],
        courier=given.get("courier", "")[:64],
        consignment="".join(filter(str.isalnum, given.get("consignment", "")[:40])).upper(),
    )


def _asked(wanted: RegisterFilter) -> dict[str, Any]:
    named = {
        "from": wanted.first_day, "to": wanted.last_day, "site": wanted.site, "courier": wanted.courier,
        "consignment": wanted.consignment,
    }  # fmt: skip
    return {name: value for name, value in named.items() if value}


def _sites(session: Session, seen: Scope) -> list[Site]:
    query = select(Site).where(Site.active).order_by(Site.code)
    if not seen.everything:
        query = query.where(Site.code.in_(sorted(seen.sites)))
    return list(session.scalars(query))
