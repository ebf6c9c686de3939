"""Reading a logger's file in by hand, and the mappings of columns that are kept."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics import clock
from logistics.db import db
from logistics.errors import Invalid, NotFound
from telemetry import file_import
from telemetry.codecs.options import zone_of
from telemetry.registry_models import LoggerFile
from web import device_words
from web.access import access
from web.auth import audit
from web.forms import NO_PROBLEM, Page, Problem, attempt, needed, optional, text, typed
from web.messages.telemetry import RULES
from web.views.devices.base import MOVERS, READERS, blueprint, mine


@blueprint.get("/<code>/file")
@access(*MOVERS)
def file_form(code: str) -> str:
    return _page(code, NO_PROBLEM)


@blueprint.post("/<code>/file")
@access(*MOVERS)
def take_file(code: str) -> Page:
    """Form: file, zone, probe, mapping: a kept one, or ``own`` with time, time2, temp, rh, time_format, unit, decimal,
    keep."""

    def work(session: Session) -> Response:
        mine(session, code)
        sent = request.files.get("file")
        if sent is None or not sent.filename:
            raise Invalid("file_missing", field="file")
        data = sent.read(file_import.MOST_BYTES + 1)
        zone = optional("zone")
        found = file_import.take(
            session,
            code,
            data,
            sent.filename,
            username=current_user.username,
            now=clock.now(),
            mapping=_mapping(session, zone),
            zone=zone_of(zone) if zone else None,
            probe=int(needed("probe", whole=True)) if text("probe") else 1,
        )
        audit(session, "logger_file", code, file=sent.filename[:120], stored=found.stored, held=found.quarantined)
        return redirect(
            url_for(
                "devices.file_report",
                code=code,
                file_id=found.file_id,
                stored=found.stored,
                known=found.duplicates,
                held=found.quarantined,
                refused=found.refused,
            )
        )

    return attempt(work, partial(_page, code))


def _mapping(session: Session, zone: str | None) -> dict[str, Any] | None:
    chosen = optional("mapping")
    if chosen is None:
        return None
    if chosen != "own":
        found = file_import.mapping(session, chosen)
    else:
        times = [text("time"), text("time2")]
        found = {name: text(name) for name in ("temp", "rh", "time_format", "unit", "decimal") if text(name)}
        found["time"] = [name for name in times if name] if times[1] else times[0]
        if keep := text("keep", limit=40):
            kept = {**found, "zone": zone} if zone else found
            file_import.keep_mapping(session, keep, kept, username=current_user.username, now=clock.now())
    if zone:
        found["zone"] = zone
    return found


@blueprint.get("/<code>/files/<int:file_id>")
@access(*READERS)
def file_report(code: str, file_id: int) -> str:
    """What a file said. Query: stored, known, held, refused – what became of it just now."""
    session = db.session()
    device = mine(session, code)
    row = session.get(LoggerFile, file_id)
    if row is None or row.device_code != code:
        raise NotFound("file_unknown", field="file")
    counts = {name: request.args.get(name, type=int) for name in ("stored", "known", "held", "refused")}
    return render_template(
        "devices/file_report.html",
        device=device,
        file=row,
        report=row.summary,
        counts=counts,
        difference_words=device_words.FILE_DIFFERENCES,
        side_words=device_words.SIDES,
        rule_words=RULES,
    )


def _page(code: str, problem: Problem) -> str:
    session = db.session()
    return render_template(
        "devices/file.html",
        device=mine(session, code),
        value=typed(),
        problem=problem,
        mappings=[(name, name) for name in sorted(file_import.mappings(session))],
    )
