"""What came back from the laboratory and waits to be collected again, live on every page of the collecting site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for
from flask_login import current_user
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import db
from logistics.queries import nonconformities, receiving, worklists
from web.access import access
from web.auth import scope
from web.rendering import locale
from web.views import collector, office

blueprint = Blueprint("returned", __name__)


@blueprint.get("/collector/returned.json")
@access("collector")
def returned() -> Response:
    """What came back from the laboratory and waits to be collected again; asked every few seconds by open pages.

    While nobody recorded anything anywhere the answer is 'nothing new', for nothing.
    """
    session = db.session()
    now = clock.now()
    tag = f"returned-{receiving.board(session)}-{current_user.site_code}-{locale()}"
    if request.if_none_match.contains_weak(tag):
        response = Response(status=304)
    else:
        rows = nonconformities.returned(session, scope(), now=now)
        response = jsonify({"tubes": returned_json(session, rows)})
    response.set_etag(tag)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def returned_json(session: Session, rows: Sequence[nonconformities.Returned]) -> list[dict[str, Any]]:
    """Each with what was wrong, who said so, where and when, and the photo. No patient reference."""
    names = collector.reason_names(session)
    people = worklists.people(session, [row.finding.found_by for row in rows if row.finding])
    found = []
    for row in rows:
        words = dict(zip((one.test_code for one in row.specimen.tests), office.test_words(row.specimen), strict=True))
        finding = row.finding
        who = people.get(finding.found_by) if finding else None
        found.append(
            {
                "id": row.specimen.id,
                "accession": row.specimen.accession,
                "state": row.specimen.state,
                "tests": [words[code] for code in row.tests],
                "whole": len(row.tests) == len(words),
                "reason": names.get(finding.reason_code, finding.reason_code) if finding else "",
                "note": finding.note if finding else "",
                "by": who.name(locale()) if who else (finding.found_by if finding else ""),
                "site": office.site_name(finding.site_code) if finding else "",
                "at": office.iso(finding.found_at if finding else row.specimen.state_since),
                "photo": url_for("photos.photo", sha256=finding.photo) if finding and finding.photo else None,
            }
        )
    return found
