"""Fleet health: every logger with what is wrong with it, to be searched, filtered and sent as a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from flask import Response, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import db
from logistics.exports import Cell
from telemetry import fleet as queries
from web import device_words, exports
from web.access import access
from web.auth import scope
from web.views.devices.base import EDITOR, READERS, blueprint, sites_in_sight


@blueprint.get("")
@access(*READERS)
def fleet() -> str:
    """Query: q, mark, site."""
    session = db.session()
    now = clock.now()
    asked = _asked()
    everything = queries.rows(session, scope(), now=now, site=asked["site"])
    return render_template(
        "devices/fleet.html",
        rows=queries.rows(session, scope(), now=now, text=asked["q"], mark=asked["mark"], site=asked["site"]),
        total=len(everything),
        well=sum(1 for row in everything if not queries.WRONG & set(row.marks)),
        counts=queries.counts(everything),
        asked=asked,
        words=device_words.MARKS,
        faces=device_words.FACES,
        sites=sites_in_sight(session),
        may_edit=current_user.role == EDITOR,
        now=now,
        url_for_mark=lambda mark: url_for("devices.fleet", mark=mark or None, site=asked["site"] or None),
    )


def _asked() -> dict[str, str]:
    mark = request.args.get("mark", "")
    return {
        "q": request.args.get("q", "").strip()[:60],
        "mark": mark if mark in queries.MARKS else "",
        "site": request.args.get("site", "").strip()[:40],
    }


@blueprint.get("/export")
@access(*READERS)
def export() -> Response:
    """The same rows as csv or xlsx."""
    form = exports.wanted_format()
    asked, sight, now = _asked(), scope(), clock.now()
    words: dict[str, Any] = {mark: str(word) for mark, word in device_words.MARKS.items()}

    def rows(own: Session) -> Iterator[Sequence[Cell]]:
        for row in queries.rows(own, sight, now=now, text=asked["q"], mark=asked["mark"], site=asked["site"]):
            one = row.device
            yield [
                one.code, one.model, one.serial, " ".join(row.boxes), one.site_code, one.gateway, one.codec,
                round(one.interval_s / 60, 1), one.last_seen_at, one.last_reading_at, one.battery_pct,
                one.calibration_certificate, one.calibration_due, row.held, row.letters,
                ", ".join(words[mark] for mark in row.marks),
            ]  # fmt: skip

    heading = [
        gettext("Logger"), gettext("Model"), gettext("Serial number"), gettext("In box"), gettext("Site"),
        gettext("Gateway"), gettext("Format"), gettext("Minutes between two readings"), gettext("Last heard"),
        gettext("Newest reading"), gettext("Battery"), gettext("Certificate"), gettext("Calibrated until"),
        gettext("In quarantine"), gettext("Unreadable"), gettext("Condition"),
    ]  # fmt: skip
    return exports.respond(exports.Table("loggers", "loggers", heading, rows, asked), form)
