"""The audit log: read, filtered, exported; reading it is itself in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from flask import Response, render_template, request
from flask_babel import gettext
from sqlalchemy.orm import Session

from logistics.db import db, transaction
from logistics.errors import Invalid
from logistics.exports import Cell
from logistics.queries import audit_log as queries
from logistics.queries.audit_log import AuditFilter
from logistics.services.orders import day_start
from web.access import access
from web.audit_details import detail
from web.audit_words import ACTIONS, action_word
from web.auth import audit
from web.exports import Table, respond, wanted_format
from web.saved_filters import with_query
from web.views.admin.base import READERS, Page, Problem, blueprint

FILTERS = ("q", "user", "action", "subject", "from", "to")


@blueprint.get("/audit")
@access(*READERS)
def audit_log() -> Page:
    """Query: q, user, action, subject (a tube's number, a user, a site …), from, to, after."""
    session = db.session()
    problem, found = Problem(), None
    asked = _asked()
    try:
        found = queries.find(session, _wanted(), after=request.args.get("after", ""))
    except Invalid as error:
        problem = Problem(error)
    page = render_template(
        "admin/audit.html",
        found=found,
        next_url=with_query("admin.audit_log", {**asked, "after": found.after}) if found and found.after else None,
        first_url=with_query("admin.audit_log", asked),
        export_urls={form: with_query("admin.audit_export", {**asked, "format": form}) for form in ("csv", "xlsx")},
        actions=sorted(((action, str(word)) for action, word in ACTIONS.items()), key=lambda pair: pair[1]),
        action_word=action_word,
        detail=detail,
        problem=problem,
        wanted=request.args,
    )
    if found is not None:
        with transaction() as writing:
            audit(writing, "audit_read", filter=asked, rows=len(found.rows))
    return page, problem.status


@blueprint.get("/audit/export")
@access(*READERS)
def audit_export() -> Response:
    """What the filter shows, as csv or xlsx (query: format). The export itself is logged."""
    wanted, form = _wanted(), wanted_format()

    def rows(own: Session) -> Iterator[Sequence[Cell]]:
        for row in queries.export(own, wanted):
            yield [
                row.at, row.username, action_word(row.action), row.action, row.subject, row.site_code, row.address,
                detail(row.detail),
            ]  # fmt: skip

    heading = [gettext("Time"), gettext("User"), gettext("Action"), gettext("Code"), gettext("About"), gettext("Site"),
               gettext("Address"), gettext("Details")]  # fmt: skip
    return respond(Table("labrelay-audit", "audit", heading, rows, _asked()), form)


def _asked() -> dict[str, str]:
    return {name: value for name in FILTERS if (value := request.args.get(name, "").strip()[:80])}


def _wanted() -> AuditFilter:
    since, until = _day("from"), _day("to")
    asked = _asked()
    return AuditFilter(
        words=asked.get("q", ""),
        username=asked.get("user", "")[:64],
        action=asked.get("action", "")[:40],
        subject=asked.get("subject", ""),
        since=since,
        until=until + timedelta(days=1) if until else None,
    )


def _day(name: str) -> datetime | None:
    """The beginning of a local day."""
    value = request.args.get(name, "").strip()
    return day_start(value, name) if value else None
