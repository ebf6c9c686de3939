"""Who is told of which alert: the routing table, the ladder, trying routes on last week, and the log of deliveries."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics import clock
from logistics.db import db
from logistics.domain.alert_kinds import KINDS
from logistics.domain.alert_routes import Preview
from logistics.errors import Invalid
from logistics.models import Alert, AlertRoute, Channel, Delivery, Site
from logistics.queries import deliveries as queries
from logistics.services import alert_channels, alert_routing
from web import alert_texts
from web.access import access
from web.auth import audit, scope
from web.forms import NO_PROBLEM, Page, Problem, attempt, needed, text
from web.rendering import locale

blueprint = Blueprint("alert_routes", __name__, url_prefix="/manager")
EDITORS = ("manager", "administrator")
READERS = (*EDITORS, "auditor")
TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")
SHOWN = 200


@blueprint.get("/routes")
@access(*READERS)
def table() -> str:
    """The table of the reader's sites, and what it would have sent last week."""
    return _page(NO_PROBLEM)


@blueprint.post("/routes")
@access(*EDITORS)
def add() -> Page:
    """Add a row; with ``try`` only show what it would have sent."""

    def work(session: Session) -> Response | str:
        values = _values()
        if request.form.get("try"):
            return _page(NO_PROBLEM, draft=alert_routing.draft(session, values, scope=scope()))
        row = alert_routing.add(session, values, scope=scope())
        audit(session, "alert_route_added", str(row.id), **values)
        flash(gettext("The route counts from now on."), "ok")
        return redirect(url_for("alert_routes.table"))

    return attempt(work, _page)


@blueprint.post("/routes/<int:route_id>/remove")
@access(*EDITORS)
def remove(route_id: int) -> Page:
    def work(session: Session) -> Response:
        row = alert_routing.remove(session, route_id, scope=scope())
        audit(session, "alert_route_removed", str(route_id), site=row.site_code, channel=row.channel_id, rung=row.rung)
        flash(gettext("The route is gone."), "ok")
        return redirect(url_for("alert_routes.table"))

    return attempt(work, _page)


@blueprint.post("/routes/step")
@access(*EDITORS)
def step() -> Page:
    """After how many minutes the next rung is told."""

    def work(session: Session) -> Response:
        site, minutes = text("site_code"), int(needed("step_min", whole=True))
        alert_routing.set_step(session, site, minutes, scope=scope())
        audit(session, "alert_step_changed", site, minutes=minutes)
        flash(gettext("Saved."), "ok")
        return redirect(url_for("alert_routes.table"))

    return attempt(work, _page)


@blueprint.get("/deliveries")
@access(*READERS)
def deliveries() -> str:
    """The log of messages with each try. Query: state."""
    session = db.session()
    state = request.args.get("state", "")
    rows = queries.log(session, scope(), state=state if state in queries.STATES else "", limit=SHOWN)
    return render_template(
        "manager/deliveries.html",
        rows=rows,
        said={row.alert.id: alert_texts.title(session, row.alert, locale()) for row in rows},
        still=_still_without(rows),
        state=state,
        states_known=queries.STATES,
        shown=SHOWN,
    )


def _still_without(rows: Sequence[queries.Row]) -> dict[int, list[str]]:
    """Message → who has it not yet, of mails that some of their receivers have."""
    return {
        row.delivery.id: alert_channels.without(row.channel.config, row.delivery.accepted)
        for row in rows
        if row.delivery.accepted and row.delivery.state != "sent"
    }


def _values() -> dict[str, Any]:
    channel = text("channel_id", limit=10)
    return {
        "site_code": text("site_code"),
        "channel_id": int(channel) if channel.isascii() and channel.isdigit() else None,
        "rung": text("rung"),
        "kinds": [kind[:40] for kind in request.form.getlist("kinds")],
        "min_severity": text("min_severity"),
        "weekdays": [int(day) for day in request.form.getlist("weekdays") if day.isascii() and day.isdigit()],
        "from_min": _minutes("from_min"),
        "until_min": _minutes("until_min"),
    }


def _minutes(name: str) -> int:
    value = text(name, limit=5)
    match = TIME.fullmatch(value) if value else None
    if value and (match is None or int(match[1]) * 60 + int(match[2]) > 24 * 60):
        raise Invalid("time_of_day_malformed", field=name)
    return (int(match[1]) * 60 + int(match[2])) % (24 * 60) if match else 0


def _page(problem: Problem, *, draft: AlertRoute | None = None) -> str:
    session = db.session()
    own = scope()
    every = session.scalars(select(Site).order_by(Site.code)).all()
    sites = [one for one in every if one.active and own.covers(one.code)]
    codes = {one.code for one in sites}
    reach = {up for one in _roots(sites, own.home) for up in alert_routing.sites_up(session, one)} | codes
    channels = [
        one
        for one in session.scalars(select(Channel).where(Channel.active).order_by(Channel.site_code, Channel.name))
        if one.site_code in reach
    ]
    rows = [one for one in session.scalars(select(AlertRoute).order_by(AlertRoute.id)) if one.site_code in codes]
    routed = {one.site_code for one in rows}
    tried, alerts = alert_routing.preview(session, None if own.everything else codes, now=clock.now(), draft=draft)
    laboratories = [one for one in sites if one.tier != "township"]
    return render_template(
        "manager/routes.html",
        sites=sites,
        names={one.code: one for one in every},
        laboratories=laboratories,
        steps={one.code: int(alert_routing.step(session, one.code).total_seconds() // 60) for one in laboratories},
        standard=[one for one in channels if one.site_code not in routed and one.site_code in codes],
        rows=rows,
        channels={one.id: one for one in channels},
        kinds=sorted(KINDS),
        weekdays=_weekdays(),
        form=request.form,
        problem=problem,
        may=current_user.role in EDITORS,
        draft=draft,
        tried=_shown(session, tried, alerts),
    )


def _roots(sites: list[Site], home: str | None) -> list[str]:
    return [home] if home else [one.code for one in sites if one.parent_code is None]


def _shown(session: Session, tried: Preview, alerts: dict[int, Alert]) -> dict[str, Any]:
    """The preview for the page: how many messages each channel would have got, and the newest of them."""
    count = Counter(message.channel_id for message in tried.messages)
    newest = sorted(tried.messages, key=lambda one: one.at, reverse=True)[:SHOWN]
    told = {one.alert_id for one in newest} | set(tried.told_to_nobody)
    sent = session.scalars(select(Delivery.id).where(Delivery.alert_id.in_(sorted(alerts)), Delivery.state == "sent"))
    return {
        "alerts": alerts,
        "count": count.most_common(),
        "messages": newest,
        "total": len(tried.messages),
        "nobody": tried.told_to_nobody[:SHOWN],
        "sent": len(sent.all()),
        "said": {one: alert_texts.title(session, alerts[one], locale()) for one in told},
        "by_id": alert_routing.by_id(session, count),
    }


def _weekdays() -> dict[int, str]:
    return {
        1: gettext("Mon"), 2: gettext("Tue"), 3: gettext("Wed"), 4: gettext("Thu"), 5: gettext("Fri"),
        6: gettext("Sat"), 7: gettext("Sun"),
    }  # fmt: skip
