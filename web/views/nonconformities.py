"""Nonconformities: what was found wrong, where it came from, what was decided; rates by site; as a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import db
from logistics.domain import findings
from logistics.errors import Invalid
from logistics.exports import Cell
from logistics.models import Nonconformity, Reason, Site
from logistics.queries import nonconformities as queries
from logistics.queries import worklists
from logistics.queries.nonconformities import Filter
from logistics.services import recollection
from logistics.services.orders import ZONE, day_start, local_day
from web import state_words
from web.access import access
from web.auth import scope
from web.exports import Table, respond, wanted_format
from web.forms import NO_PROBLEM, Page, Problem
from web.rendering import locale

blueprint = Blueprint("nonconformities", __name__, url_prefix="/nonconformities")
READERS = ("collector", "receiver", "manager", "auditor")
SETTLERS = ("receiver", "manager")
FIELDS = ("q", "site", "reason", "disposition", "state", "from", "to")
DISPOSITIONS: Mapping[str, Any] = {
    "": _l("Not settled"),
    "hold": _l("On hold"),
    "reject": _l("Rejected"),
    "reject_tests": _l("Some tests rejected"),
    "concession": _l("Accepted with concession"),
    "received": _l("Received"),
    "found": _l("Found"),
    "release": _l("Released"),
    "lost": _l("Lost"),
    "recall": _l("Recalled"),
    "dispose": _l("Disposed"),
    "noted": _l("Noted"),
    "settled": _l("Settled"),
    "withdrawn": _l("Declared wrong"),
}


@blueprint.get("")
@access(*READERS)
def listing() -> Page:
    """Query: q, site, reason, disposition, state (open, closed), from, to, page."""
    session = db.session()
    wanted, problem = _default(), NO_PROBLEM
    try:
        wanted = _wanted()
    except Invalid as error:
        problem = Problem(error)
    found = queries.page(session, scope(), wanted, request.args.get("page", 1, type=int))
    ids = [row.specimen_id for row in found.rows if row.specimen_id is not None]
    again = queries.replacements(session, ids)
    asked: dict[str, Any] = {key: request.args[key] for key in FIELDS if request.args.get(key)}
    page = render_template(
        "nonconformities/list.html",
        found=found,
        again=again,
        to_collect=_to_collect(found.rows, again),
        rates=queries.rates(session, scope(), wanted),
        wanted=wanted,
        last_day=asked.get("to", local_day(wanted.until - timedelta(seconds=1)).isoformat()),
        first_day=asked.get("from", local_day(wanted.since).isoformat()),
        problem=problem,
        sites=_sites(session),
        reasons=_reasons(session),
        reason_names=reason_names(session),
        people=worklists.people(session, [name for row in found.rows for name in (row.found_by, row.disposed_by)]),
        dispositions=DISPOSITIONS,
        open_kinds=findings.OPEN,
        may_settle=current_user.role in SETTLERS,
        url_for_page=lambda number: url_for("nonconformities.listing", **asked, page=number),
        export_urls={form: url_for("nonconformities.export", **asked, format=form) for form in ("csv", "xlsx")},
    )
    return page, problem.status


def _to_collect(rows: Any, again: Mapping[int, Any]) -> Mapping[int, list[str]]:
    """The tubes of a page, newest finding of each, whose tests still wait for somebody to collect them again."""
    if current_user.role != "collector":
        return {}
    found: dict[int, list[str]] = {}
    for row in rows:
        tube = row.specimen
        if tube is not None and tube.id not in found and tube.collecting_site_code == current_user.site_code:
            found[tube.id] = recollection.open_tests(tube, again.get(tube.id, ()))
    return {key: tests for key, tests in found.items() if tests}


@blueprint.get("/export")
@access(*READERS)
def export() -> Response:
    """The same rows as CSV or xlsx; no patient."""
    wanted = _wanted()
    session = db.session()
    asked = {key: request.args[key] for key in FIELDS if request.args.get(key)}
    own = scope()
    sites = {site.code: site.name(locale()) for site in session.scalars(select(Site))}
    reasons = reason_names(session)
    words = {code: str(word) for code, word in DISPOSITIONS.items()}
    states = state_words.words("specimen_state", ("collected", "packed", "sealed", "in_transit", "arrived", "delivered",
                                                  "received", "accepted", "accepted_concession", "rejected",
                                                  "registered", "collection_failed", "missing", "lost"))  # fmt: skip
    heading = [
        gettext("Found when"), gettext("Specimen"), gettext("From"), gettext("Found at"), gettext("Consignment"),
        gettext("Code"), gettext("Reason"), gettext("Tests"), gettext("Note"), gettext("Found by"),
        gettext("Disposition"), gettext("Decided by"), gettext("Decided"), gettext("Decided at"),
        gettext("Collected again as"), gettext("State"), gettext("Photo (SHA-256)"),
    ]  # fmt: skip

    def rows(reading: Session) -> Iterator[tuple[Cell, ...]]:
        for part in _parts(queries.export(reading, own, wanted)):
            again = queries.replacements(reading, [row.specimen_id for row in part if row.specimen_id])
            for row in part:
                new = again.get(row.specimen_id or 0, [])
                yield (
                    row.found_at, row.accession, sites.get(row.origin_code or "", row.origin_code),
                    sites.get(row.site_code, row.site_code), row.consignment_number, row.reason_code,
                    reasons.get(row.reason_code, row.reason_code), row.tests, row.note, row.found_by,
                    words.get(row.disposition, row.disposition), row.disposed_by, row.disposed_at,
                    sites.get(row.disposed_site or "", row.disposed_site),
                    " ".join(one.accession for one in new),
                    " ".join(states.get(one.state, one.state) for one in new), row.photo,
                )  # fmt: skip

    return respond(Table("nonconformities", "nonconformities", heading, rows, asked), wanted_format())


def _parts(rows: Iterator[Nonconformity], size: int = 500) -> Iterator[list[Nonconformity]]:
    part: list[Nonconformity] = []
    for row in rows:
        part.append(row)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def reason_names(session: Session) -> Mapping[str, str]:
    """Every coded reason in the reader's language, also those no longer offered."""
    return {reason.code: reason.name(locale()) for reason in session.scalars(select(Reason))}


def _reasons(session: Session) -> list[Reason]:
    kinds = ("reject", "deviation", "handover")
    return list(session.scalars(select(Reason).where(Reason.kind.in_(kinds)).order_by(Reason.position)))


def _sites(session: Session) -> list[Site]:
    query = select(Site).where(Site.active).order_by(Site.code)
    own = scope()
    if not own.everything:
        query = query.where(Site.code.in_(sorted(own.sites)))
    return list(session.scalars(query))


def _default() -> Filter:
    last = local_day(clock.now())
    return Filter(_start(last - timedelta(days=queries.DEFAULT_DAYS - 1)), _start(last + timedelta(days=1)))


def _wanted() -> Filter:
    """Raises Invalid for a day that is none, or for too many of them."""
    given = request.args
    default = _default()
    first, last = _day("from"), _day("to")
    until = last + timedelta(days=1) if last else default.until
    since = first or min(default.since, until - timedelta(days=queries.DEFAULT_DAYS))
    return Filter(
        since=since,
        until=until,
        site=given.get("site", "")[:40],
        reason=given.get("reason", "")[:40],
        disposition=given.get("disposition", "")[:40],
        state=given.get("state", "")[:10],
        text=given.get("q", "").strip()[:64],
    ).checked()


def _day(name: str) -> datetime | None:
    text = request.args.get(name, "").strip()
    return day_start(text, name) if text else None


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), ZONE)
