"""Send-outs (外送): the tubes that wait for an external laboratory, the boxes under way, and both signatures."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, render_template
from flask_login import current_user

from logistics import clock
from logistics.db import db
from logistics.domain import seals
from logistics.models import User
from logistics.models.network import EXTERNAL
from logistics.queries import send_outs as queries
from logistics.queries import worklists
from logistics.services import network
from web.access import access
from web.auth import scope
from web.rendering import locale
from web.views import office

blueprint = Blueprint("send_outs", __name__, url_prefix="/send-outs")


@blueprint.get("/")
@access("receiver", "manager")
def listing() -> str:
    """What waits to be sent out, with its age and contract; boxes to release; boxes to confirm."""
    session = db.session()
    now = clock.now()
    site = network.site(session, office.own_site())
    rows = queries.send_outs(session, scope(), now=now)
    return render_template(
        "send_outs/list.html",
        waiting=queries.waiting(session, site.code, now=now),
        rows=rows,
        people=worklists.people(session, [one.consignment.holder for one in rows]),
        ours=site.tier != EXTERNAL,
        now=now,
    )


def _options(people: Sequence[User]) -> list[tuple[str, str]]:
    return [(person.username, person.name(locale())) for person in people]


@blueprint.get("/<number>")
@access("receiver", "manager")
def one(number: str) -> str:
    """One box for an external laboratory: what is inside, both signatures, and what its laboratory received."""
    session = db.session()
    found = queries.send_out(session, scope(), number)
    load = found.consignment
    return render_template(
        "send_outs/one.html",
        found=found,
        seal=seals.shown(load.seal_number, scope(), load),
        lines=queries.lines(session, load.number),
        witnesses=_options(queries.witnesses(session, load.origin_code, besides=current_user.username)),
        takers=_options(queries.takers(session, load.destination_code)),
        at_origin=current_user.site_code == load.origin_code,
        at_goal=current_user.site_code == load.destination_code,
        now=clock.now(),
    )
