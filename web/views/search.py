"""Searching specimens, and taking what was found along as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as WerkzeugResponse

from logistics import clock
from logistics.db import db
from logistics.domain.numbers import normalise
from logistics.domain.transitions import State
from logistics.models import Site, Specimen
from logistics.queries import search as queries
from logistics.queries.search import Filter
from logistics.services.orders import local_day
from web.access import access
from web.auth import scope
from web.rendering import localdatetime, locale

blueprint = Blueprint("search", __name__)
READERS = ("collector", "dispatcher", "receiver", "manager", "auditor")
RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")


@blueprint.get("/search")
@access(*READERS)
def specimens() -> str | WerkzeugResponse:
    """Query: q, site, courier, state, from, to, page. One exact hit leads straight to its journey."""
    session = db.session()
    wanted = _filter()
    page = request.args.get("page", "1")
    number = int(page) if page.isdecimal() else 1
    found = None
    if not wanted.empty:
        found = queries.find(session, scope(), current_user.username, wanted, page=number)
        only = found.rows[0] if found.total == 1 else None
        if only is not None and wanted == Filter(text=wanted.text) and only.accession_key == normalise(wanted.text):
            return redirect(url_for("journey.specimen", specimen_id=only.id))
    return render_template(
        "search/specimens.html",
        wanted=wanted,
        found=found,
        sites=_sites(session),
        couriers=queries.couriers(session, scope()),
        state_codes=[*(state.value for state in State if state is not State.NEW), "on_hold"],
        today=local_day(clock.now()).isoformat(),
        url_for_page=lambda page: url_for("search.specimens", **{**request.args.to_dict(), "page": page}),
    )


@blueprint.get("/search.csv")
@access(*READERS)
def export() -> Response:
    """What the same query finds, as CSV (UTF-8 with a byte order mark, safe to open in a spreadsheet)."""
    session = db.session()
    names = {site.code: site.name(locale()) for site in session.scalars(select(Site))}
    found = list(queries.export(session, scope(), current_user.username, _filter()))
    body = "\ufeff" + "".join(_lines(found, names))
    response = Response(body, mimetype="text/csv")
    day = local_day(clock.now()).isoformat()
    response.headers["Content-Disposition"] = f'attachment; filename="specimens-{day}.csv"'
    return response


def _lines(found: Iterable[Specimen], names: dict[str, str]) -> Iterator[str]:
    yield csv_line(
        [
            gettext("Number"), gettext("State"), gettext("Collected at site"), gettext("Laboratory"), gettext("Tests"),
            gettext("Box"), gettext("Consignment"), gettext("Registered"), gettext("Collected"), gettext("Received"),
            gettext("Use by"), gettext("Reason"),
        ]
    )  # fmt: skip
    for one in found:
        yield csv_line(
            [
                one.accession,
                one.state,
                names.get(one.collecting_site_code, one.collecting_site_code),
                names.get(one.destination_code, one.destination_code),
                " ".join(ordered.test_code for ordered in one.tests),
                one.box_code or "",
                one.consignment_number or "",
                localdatetime(one.registered_at),
                localdatetime(one.collected_at) if one.collected_at else "",
                localdatetime(one.received_at) if one.received_at else "",
                localdatetime(one.use_by_at) if one.use_by_at else "",
                one.reject_reason or "",
            ]
        )


def csv_line(values: Iterable[str]) -> str:
    """One line; a cell that a spreadsheet would run as a formula begins with an apostrophe."""
    out = io.StringIO()
    csv.writer(out).writerow([f"'{value}" if value.startswith(RISKY) else value for value in values])
    return out.getvalue()


def _filter() -> Filter:
    given = request.args
    return Filter(
        text=given.get("q", "").strip()[:64],
        site=given.get("site", "")[:40],
        courier=given.get("courier", "")[:64],
        state=given.get("state", "")[:40],
        first_day=given.get("from", "")[:10],
        last_day=given.get("to", "")[:10],
    )


def _sites(session: Session) -> list[Site]:
    query = select(Site).where(Site.active).order_by(Site.code)
    own = scope()
    if not own.everything:
        query = query.where(Site.code.in_(sorted(own.sites)))
    return list(session.scalars(query))
