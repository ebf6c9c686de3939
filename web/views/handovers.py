"""Handovers that are not signed alike by both."""

from __future__ import annotations

from flask import Blueprint, render_template

from logistics import clock
from logistics.db import db
from logistics.queries import handovers as queries
from web.access import access
from web.auth import scope
from web.journey_words import differs_words
from web.views import office

blueprint = Blueprint("handovers", __name__, url_prefix="/handovers")


@blueprint.get("")
@access("manager", "dispatcher", "auditor")
def listing() -> str:
    """Missing halves after thirty minutes, differences at once; they go by themselves when both have signed."""
    now = clock.now()
    return render_template(
        "handovers/list.html",
        rows=queries.half_signed_in(db.session(), scope(), now=now),
        differs_words=differs_words,
        site_name=office.site_name,
        now=now,
    )
