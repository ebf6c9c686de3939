"""Searching specimens and consignments, and taking what was found along as a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as WerkzeugResponse

from logistics import clock
from logistics.db import db
from logistics.domain import seals
from logistics.domain.numbers import normalise
from logistics.errors import Invalid
from logistics.exports import Cell
from logistics.models import Site, Test
from logistics.models.specimens import PRIORITIES
from logistics.queries import search as queries
from logistics.queries import search_consignments as consignment_queries
from logistics.queries.search import Filter
from logistics.services.orders import local_day
from web import saved_filters, state_words
from web.access import access, roles_of
from web.auth import scope
from web.exports import Table, respond, wanted_format
from web.messages import sentence_of
from web.rendering import locale
from web.saved_filters import with_query

blueprint = Blueprint("search", __name__)
READERS = ("collector", "dispatcher", "receiver", "manager", "auditor")
SPECIMENS, CONSIGNMENTS = "search.specimens", "search.consignments"


@blueprint.get("/search")
@access(*READERS)
def specimens() -> str | WerkzeugResponse | tuple[str, int]:
    """Query: q, site, courier, state, priority, test, box, from, to, after. One exact hit leads to its journey."""
    session = db.session()
    opening = saved_filters.opening(session, SPECIMENS)
    if opening is not None:
        return opening
    wanted, problem = _filter(), None
    found = None
    try:
        saved_filters.check_fields(SPECIMENS)
        queries.check(session, scope(), wanted)
        if not wanted.empty:
            found = queries.find(session, scope(), current_user.username, wanted, after=request.args.get("after", ""))
    except Invalid as error:
        problem = error
    only = found.rows[0] if found is not None and len(found.rows) == 1 and found.after is None else None
    if only is not None and wanted == Filter(text=wanted.text) and only.accession_key == normalise(wanted.text):
        return redirect(url_for("journey.specimen", specimen_id=only.id))
    return _page("search/specimens.html", SPECIMENS, wanted, found, problem, queries.STATES)


@blueprint.get("/search/consignments")
@access(*READERS)
def consignments() -> str | WerkzeugResponse | tuple[str, int]:
    """Query: q, site, courier, state, priority, box, from, to, after. Without a question: the newest."""
    session = db.session()
    opening = saved_filters.opening(session, CONSIGNMENTS)
    if opening is not None:
        return opening
    wanted, problem, found = _filter(), None, None
    try:
        saved_filters.check_fields(CONSIGNMENTS)
        consignment_queries.check(session, scope(), wanted)
        after = request.args.get("after", "")
        found = consignment_queries.find(session, scope(), current_user.username, wanted, after=after)
    except Invalid as error:
        problem = error
    return _page("search/consignments.html", CONSIGNMENTS, wanted, found, problem, consignment_queries.STATES)


def _page(
    template: str, page: str, wanted: Filter, found: Any, problem: Invalid | None, states: Sequence[str]
) -> str | tuple[str, int]:
    session = db.session()
    asked = saved_filters.asked(page)
    html = render_template(
        template,
        wanted=wanted,
        found=found,
        problem=sentence_of(problem) if problem else None,
        sites=_sites(session),
        couriers=queries.couriers(session, scope()),
        tests=list(session.scalars(select(Test).where(Test.active).order_by(Test.code))),
        state_codes=states,
        priorities=PRIORITIES,
        today=local_day(clock.now()).isoformat(),
        next_url=with_query(page, {**asked, "after": found.after}) if found is not None and found.after else None,
        first_url=with_query(page, asked),
        export_urls={
            form: with_query(f"{page}_export", {**asked, "format": form}) for form in ("csv", "xlsx")
        },
        filters=saved_filters.bar(session, page),
        record_url=_record_url,
    )  # fmt: skip
    return html if problem is None else (html, 400)


@blueprint.get("/search/specimens/export", endpoint="specimens_export")
@access(*READERS)
def export() -> Response:
    """What the same query finds, as csv or xlsx (query: format)."""
    session = db.session()
    wanted, form = _filter(), wanted_format()
    queries.check(session, scope(), wanted)
    sight, username, names = scope(), current_user.username, _names(session)

    states = state_words.words("specimen_state", queries.STATES)
    priorities = state_words.words("priority", PRIORITIES)

    def rows(own: Session) -> Iterator[Sequence[Cell]]:
        for one in queries.export(own, sight, username, wanted):
            yield [
                one.accession, states.get(one.state, one.state), states["on_hold"] if one.on_hold else "",
                priorities.get(one.priority, one.priority),
                names.get(one.collecting_site_code, one.collecting_site_code),
                names.get(one.destination_code, one.destination_code),
                " ".join(ordered.test_code for ordered in one.tests), one.box_code, one.consignment_number,
                one.registered_at, one.collected_at, one.received_at, one.use_by_at, one.reject_reason,
            ]  # fmt: skip

    heading = [
        gettext("Number"), gettext("State"), gettext("On hold"), gettext("Priority"), gettext("Collected at site"),
        gettext("Laboratory"), gettext("Tests"), gettext("Box"), gettext("Consignment"), gettext("Registered"),
        gettext("Collected"), gettext("Received"), gettext("Use by"), gettext("Reason"),
    ]  # fmt: skip
    return respond(Table("specimens", "specimens", heading, rows, saved_filters.asked(SPECIMENS)), form)


@blueprint.get("/search/consignments/export", endpoint="consignments_export")
@access(*READERS)
def export_consignments() -> Response:
    """What the same query finds, as csv or xlsx (query: format)."""
    session = db.session()
    wanted, form = _filter(), wanted_format()
    consignment_queries.check(session, scope(), wanted)
    sight, username, names = scope(), current_user.username, _names(session)

    states = state_words.words("consignment_state", consignment_queries.STATES)
    priorities = state_words.words("priority", PRIORITIES)

    def rows(own: Session) -> Iterator[Sequence[Cell]]:
        for one in consignment_queries.export(own, sight, username, wanted):
            yield [
                one.number, states.get(one.state, one.state), names.get(one.origin_code, one.origin_code),
                names.get(one.destination_code, one.destination_code), one.box_code,
                seals.shown(one.seal_number, sight, one), one.tube_count,
                priorities.get(one.priority, one.priority), one.holder, one.opened_at, one.sealed_at, one.departed_at,
                one.delivered_at, one.closed_at,
            ]  # fmt: skip

    heading = [
        gettext("Consignment"), gettext("State"), gettext("From"), gettext("Laboratory"), gettext("Box"),
        gettext("Seal"), gettext("Tubes"), gettext("Priority"), gettext("Courier"), gettext("Opened"),
        gettext("Sealed"), gettext("Departed"), gettext("Delivered"), gettext("Closed"),
    ]  # fmt: skip
    return respond(Table("consignments", "consignments", heading, rows, saved_filters.asked(CONSIGNMENTS)), form)


def _record_url(number: str) -> str:
    """A consignment's record; the tubes in it for whoever may not open that."""
    for endpoint in ("custody.consignment", "consignments.record", "consignment.record"):
        if endpoint in current_app.view_functions and current_user.role in roles_of(current_app, endpoint):
            return url_for(endpoint, number=number)
    return url_for(SPECIMENS, q=number)


def _names(session: Session) -> dict[str, str]:
    return {site.code: site.name(locale()) for site in session.scalars(select(Site))}


def _filter() -> Filter:
    given = request.args
    return Filter(
        text=given.get("q", "").strip()[:64],
        site=given.get("site", "").strip()[:40],
        courier=given.get("courier", "").strip()[:64],
        state=given.get("state", "").strip()[:40],
        first_day=given.get("from", "").strip()[:10],
        last_day=given.get("to", "").strip()[:10],
        priority=given.get("priority", "").strip()[:20],
        test=given.get("test", "").strip()[:40],
        box=given.get("box", "").strip()[:40],
    )


def _sites(session: Session) -> list[Site]:
    query = select(Site).where(Site.active).order_by(Site.code)
    own = scope()
    if not own.everything:
        query = query.where(Site.code.in_(sorted(own.sites)))
    return list(session.scalars(query))
