"""The audit log: read, filtered, exported."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from flask import Response, render_template, request, stream_with_context, url_for
from flask_babel import gettext

from logistics.clock import as_utc, wall_now
from logistics.db import db, transaction
from logistics.errors import Invalid
from logistics.models import AuditEntry
from logistics.queries import admin as queries
from logistics.queries.admin import AuditFilter
from web.access import access
from web.audit_words import action_word
from web.auth import audit
from web.rendering import ZONE, localdatetime
from web.views.admin.base import READERS, Page, Problem, blueprint

FILTERS = ("q", "user", "action", "from", "to")
MOST_PAGES = 1_000_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@blueprint.get("/audit")
@access(*READERS)
def audit_log() -> Page:
    session = db.session()
    problem, wanted = Problem(), AuditFilter()
    try:
        wanted = _wanted()
    except Invalid as error:
        problem = Problem(error)
    page = min(max(1, request.args.get("page", 1, type=int)), MOST_PAGES)
    rows, total = queries.audit_page(session, wanted, page)
    kept: dict[str, Any] = {key: value for key, value in request.args.items() if key in FILTERS and value}
    return render_template(
        "admin/audit.html",
        rows=rows,
        total=total,
        page=page,
        pages=max(1, -(-total // queries.PAGE)),
        url_for_page=lambda number: url_for("admin.audit_log", **kept, page=number),
        export_url=url_for("admin.audit_csv", **kept),
        actions=[(action, action_word(action)) for action in queries.audit_actions(session)],
        action_word=action_word,
        detail=detail,
        problem=problem,
        wanted=request.args,
    ), problem.status


@blueprint.get("/audit.csv")
@access(*READERS)
def audit_csv() -> Response:
    """What the filter shows, as CSV that spreadsheets open in Chinese. The export itself is logged."""
    wanted = _wanted()
    with transaction() as session:
        audit(session, "audit_exported", filter={key: value[:80] for key, value in request.args.items() if value})
    response = Response(stream_with_context(_lines(wanted)), mimetype="text/csv; charset=utf-8")
    name = f"labrelay-audit-{wall_now().astimezone(ZONE):%Y%m%d-%H%M}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _lines(wanted: AuditFilter) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    heading = [gettext("Time"), gettext("User"), gettext("Action"), gettext("Code"), gettext("About"), gettext("Site"),
               gettext("Address"), gettext("Details")]  # fmt: skip
    writer.writerow(heading)
    yield "\ufeff" + buffer.getvalue()
    for row in queries.audit_rows(db.session(), wanted):
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([defused(cell) for cell in _cells(row)])
        yield buffer.getvalue()


def _cells(row: AuditEntry) -> list[str]:
    return [
        localdatetime(row.at), row.username, action_word(row.action), row.action, row.subject, row.site_code or "",
        row.address, detail(row.detail),
    ]  # fmt: skip


def defused(cell: str) -> str:
    """A cell that a spreadsheet would run as a formula begins with an apostrophe (CWE-1236)."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def detail(facts: dict[str, Any]) -> str:
    """name: before → after; other facts as they are."""
    parts = []
    for name, value in facts.items():
        if isinstance(value, list) and len(value) == 2 and name != "choices":
            parts.append(f"{name}: {_text(value[0])} → {_text(value[1])}")
        else:
            parts.append(f"{name}: {_text(value)}")
    return "; ".join(parts)


def _text(value: Any) -> str:
    if value is None or value == "":
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _wanted() -> AuditFilter:
    since, until = _day("from"), _day("to")
    return AuditFilter(
        words=request.args.get("q", "").strip()[:80],
        username=request.args.get("user", "").strip()[:40],
        action=request.args.get("action", "").strip()[:40],
        since=since,
        until=until + timedelta(days=1) if until else None,
    )


def _day(name: str) -> datetime | None:
    """The beginning of a local day."""
    value = request.args.get(name, "").strip()
    if not value:
        return None
    try:
        return as_utc(datetime.combine(date.fromisoformat(value), time(), tzinfo=ZONE))
    except (ValueError, OverflowError):
        raise Invalid("date_unreadable", field=name, value=value[:20]) from None
