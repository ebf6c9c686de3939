"""The record of a consignment: a sentence, its manifests, handovers, tubes, prints and log; printed it is evidence."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics import clock
from logistics.db import db
from logistics.models import Alert
from logistics.queries import consignment_record as queries
from logistics.queries import journey
from logistics.queries.consignment_record import Record
from telemetry import queries as telemetry
from web import alert_texts, charts, consignment_words
from web.access import access
from web.auth import scope
from web.rendering import locale
from web.views.nonconformities import DISPOSITIONS
from web.views.receiver import transit

blueprint = Blueprint("consignments", __name__, url_prefix="/consignments")
blueprint.record(
    lambda state: state.app.jinja_env.filters.update(
        countdown=consignment_words.countdown,
        counted=consignment_words.counted,
        handover_method=consignment_words.method,
        handover_meaning=consignment_words.meaning,
    )
)
READERS = ("collector", "courier", "receiver", "manager", "dispatcher", "auditor")
PRINTERS = ("collector", "receiver", "manager", "courier")


@blueprint.get("")
@access("collector", "dispatcher", "receiver", "manager", "auditor")
def listing() -> Response:
    """The list is the search; this address is what people type."""
    asked: dict[str, Any] = request.args.to_dict()
    return redirect(url_for("search.consignments", **asked))


@blueprint.get("/<number>")
@access(*READERS)
def record(number: str) -> str:
    """One consignment, whole. Query: version, as read off a printed manifest: says whether that one still holds."""
    session = db.session()
    now = clock.now()
    one = queries.visible(session, scope(), current_user.username, number)
    found = queries.record(session, one, seen=scope())
    latest = telemetry.latest(session, [one.box_code], now=now).get(one.box_code)
    typed = request.args.get("version", "").strip()[:10]
    asked = next((each for each in found.versions if str(each.manifest.version) == typed), None)
    return render_template(
        "consignments/record.html",
        one=one,
        found=found,
        sentence=consignment_words.sentence(found, latest, now=now),
        picture=picture(session, found),
        road=transit(session, one, now=now),
        told=[(alert, *_told(session, alert)) for alert in found.alerts],
        details={entry.event.seq: consignment_words.details(found, entry.event) for entry in found.entries},
        asked=asked,
        asked_unknown=typed if asked is None else "",
        in_force={each.manifest.version for each in found.versions if each.current},
        dispositions=DISPOSITIONS,
        may_print=current_user.role in PRINTERS,
        may_recall=current_user.role == "manager",
        may_open_alert=current_user.role in {"manager", "dispatcher", "auditor"},
        now=now,
    )


def _told(session: Session, alert: Alert) -> tuple[str, str]:
    heading, lines = alert_texts.words(session, alert, locale())
    return heading, lines[0] if len(lines) > 1 else ""


def picture(session: Session, found: Record) -> dict[str, Any]:
    """What chart and map draw: readings of the box while it carried this consignment, entries, sites, the drive."""
    one, now = found.consignment, clock.now()
    until = min(one.closed_at or now, now)
    since = one.opened_at - charts.PADDING
    points, gaps = charts.box_points(session, one.box_code, since, until)
    events = [entry.event for entry in found.entries]
    role = current_user.role
    drive = journey.positions(session, events, now) if role in journey.WHEREABOUTS else []
    return {
        "points": points,
        "gaps": gaps,
        "band": charts.band(session, one.box_code),
        "source": charts.source("temperatures.box", since, until, code=one.box_code),
        "events": charts.event_lines(events),
        **charts.on_the_map(found.sites, events, drive),
    }
