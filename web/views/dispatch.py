"""The dispatcher's pages: live board, list of plans, one plan."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Blueprint, render_template, request

from logistics import clock
from logistics.db import db
from logistics.models import Plan
from logistics.queries import dispatch as queries
from logistics.queries import plan_compare
from logistics.services import planning
from logistics.services.orders import local_day
from web.access import access
from web.api.plans import READERS, view
from web.auth import scope
from web.rendering import locale, localtime

blueprint = Blueprint("dispatch", __name__, url_prefix="/dispatch")
DAYS_AHEAD = 7


@blueprint.app_template_filter("isotime")
def isotime(text: str | None, form: str = "%m-%d %H:%M") -> str:
    """An ISO 8601 instant as local time: the pages and the API read the same documents."""
    return localtime(datetime.fromisoformat(text) if text else None, form)


@blueprint.get("/board")
@access(*READERS)
def board() -> str:
    """Filled and kept fresh by its script from /api/v1/board."""
    return render_template("dispatch/board.html")


@blueprint.get("/plans")
@access(*READERS)
def plans() -> str:
    session = db.session()
    group = request.args.get("group")
    rows = queries.plans(session, scope(), group=group)
    centres = queries.centres(session, scope())
    today = local_day(clock.now())
    names = queries.site_names(session, [row.scope_code for row in rows], locale())
    return render_template(
        "dispatch/plans.html",
        plans=[queries.summary(row, locale(), names) for row in rows],
        people=queries.user_names(session, [row.created_by for row in rows], locale()),
        centres=[(site.code, site.name(locale())) for site in centres],
        days=[(today + timedelta(days=ahead)).isoformat() for ahead in range(DAYS_AHEAD)],
        today=today.isoformat(),
        seconds=(5, 10, 30, 60, 300),
        default_seconds=planning.DEFAULT_SECONDS,
        group=group,
        under_way=sum(row.state == "planning" for row in rows) if group else 0,
    )


@blueprint.get("/compare")
@access(*READERS)
def compare() -> str:
    """Two plans of one day and scope side by side: ?a=…&b=…"""
    session = db.session()
    rows = [planning.visible(session, request.args.get(side, 0, type=int), scope()) for side in ("a", "b")]
    found = plan_compare.compare(session, rows[0], rows[1], locale())
    others = [one for one in queries.plans(session, scope(), day=rows[0].day) if one.scope_code == rows[0].scope_code]
    names = queries.site_names(session, [rows[0].scope_code], locale())
    return render_template(
        "dispatch/compare.html", plans=[queries.summary(one, locale(), names) for one in others if one.result], **found
    )


@blueprint.get("/plans/<int:plan_id>")
@access(*READERS)
def plan(plan_id: int) -> str:
    session = db.session()
    row = planning.visible(session, plan_id, scope())
    current = planning.published(session, row.day, row.scope_code)
    found = view(session, row)
    if found["replan"] and row.result:
        old = session.get(Plan, found["replan"]["of"])
        found["replan"]["changes"] = plan_compare.changes_ahead(session, old, row, locale())
    people = queries.user_names(session, [row.created_by, row.published_by or ""], locale())
    return render_template(
        "dispatch/plan.html",
        plan=found,
        people=people,
        replaces=current.id if current is not None and current.id != row.id else None,
        current=current.id if current is not None else None,
        may_replan=row.state == "published" and row.day == local_day(clock.now()).isoformat(),
        scope_tier="city" if found["sites"][row.scope_code]["tier"] == "city" else "county",
    )
