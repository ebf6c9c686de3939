"""Tubes that were collected and not sent: by what expires first, with ages, and summed up by site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import db
from logistics.exports import Cell
from logistics.models import Site
from logistics.models.specimens import PRIORITIES
from logistics.queries import unsent as queries
from web import exports, state_words
from web.access import access
from web.auth import scope
from web.rendering import locale

blueprint = Blueprint("unsent", __name__, url_prefix="/unsent")
READERS = ("collector", "dispatcher", "receiver", "manager", "auditor")
WORDS: dict[str, Any] = {
    "not_packed": _l("Not packed"),
    "not_sealed": _l("Packed, not sealed"),
    "not_fetched": _l("Sealed, not fetched"),
    "not_forwarded": _l("Received, not forwarded"),
}
FACES = {
    "not_packed": ("warn", "tube"), "not_sealed": ("warn", "box-open"), "not_fetched": ("info", "seal"),
    "not_forwarded": ("warn", "lab"),
}  # fmt: skip


def span(length: timedelta) -> str:
    """'3 h 10 min', '25 min', '2 d 4 h'; of a time that is past, how long."""
    minutes = int(abs(length) / timedelta(minutes=1))
    days, rest = divmod(minutes, 24 * 60)
    hours, left = divmod(rest, 60)
    if days:
        return str(gettext("%(d)s d %(h)s h", d=days, h=hours))
    return str(gettext("%(h)s h %(m)s min", h=hours, m=left) if hours else gettext("%(n)s min", n=left))


blueprint.record(lambda state: state.app.jinja_env.filters.update(span=span))


@blueprint.get("")
@access(*READERS)
def listing() -> str:
    """Query: site, kind."""
    session = db.session()
    site, kind = _asked()
    now = clock.now()
    sums = queries.by_site(session, scope(), now=now, site=site)
    counts = {name: sum(one.counts[name] for one in sums) for name in queries.KINDS}
    sites = {one.code: one for one in session.scalars(select(Site))}
    return render_template(
        "unsent/listing.html",
        rows=queries.rows(session, scope(), now=now, site=site, kind=kind, limit=queries.SHOWN),
        counts=counts,
        total=counts[kind] if kind else sum(counts.values()),
        pressing=sum(one.pressing for one in sums),
        sums=sums if current_user.role != "collector" else [],
        sites=sites,
        site=site,
        kind=kind,
        words=WORDS,
        faces=FACES,
        all_url=url_for("unsent.listing", site=site or None),
    )


def _asked() -> tuple[str, str]:
    kind = request.args.get("kind", "")
    return request.args.get("site", "").strip()[:40], kind if kind in queries.KINDS else ""


@blueprint.get("/export")
@access(*READERS)
def export() -> Response:
    """The same rows as csv or xlsx (query: format)."""
    form = exports.wanted_format()
    site, kind = _asked()
    sight, now = scope(), clock.now()
    language, priorities = locale(), state_words.words("priority", PRIORITIES)

    def rows(own: Session) -> Iterator[Sequence[Cell]]:
        names = {one.code: one.name(language) for one in own.scalars(select(Site))}
        for row in queries.rows(own, sight, now=now, site=site, kind=kind):
            one = row.specimen
            yield [
                one.accession, str(WORDS[row.kind]), names.get(one.location_code or "", one.location_code),
                names.get(one.destination_code, one.destination_code),
                " ".join(ordered.test_code for ordered in one.tests), priorities.get(one.priority, one.priority),
                one.collected_at, round(row.age / timedelta(hours=1), 1), one.use_by_at,
                round(row.left / timedelta(hours=1), 1) if row.left is not None else None,
                one.box_code, one.consignment_number,
            ]  # fmt: skip

    heading = [
        gettext("Number"), gettext("What is missing"), gettext("Waits at"), gettext("Laboratory"), gettext("Tests"),
        gettext("Priority"), gettext("Collected"), gettext("Age in hours"), gettext("Use by"),
        gettext("Hours left"), gettext("Box"), gettext("Consignment"),
    ]  # fmt: skip
    return exports.respond(exports.Table("unsent", "unsent", heading, rows, {"site": site, "kind": kind}), form)
