"""Acts kept for review: what somebody did that no longer fitted when it arrived, beside what the record says."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from werkzeug.wrappers import Response

from logistics import clock
from logistics.db import db, transaction
from logistics.services import review
from web import auth
from web.access import access
from web.auth import scope

blueprint = Blueprint("review", __name__, url_prefix="/review")

ACT_WORDS = {
    "register": _l("Registered"),
    "collect": _l("Collected"),
    "collection_failed": _l("Collection failed"),
    "recollect": _l("Collected again"),
    "pack": _l("Packed"),
    "unpack": _l("Taken out"),
    "seal": _l("Sealed"),
    "unseal": _l("Seal opened"),
    "cancel_consignment": _l("Consignment cancelled"),
    "ready": _l("Ready for pickup"),
    "urgent_call": _l("Urgent call"),
    "hand_over": _l("Handover"),
    "arrive": _l("Arrived"),
    "depart": _l("Departed"),
    "receive": _l("Received"),
    "receive_unexpected": _l("Received, unexpected"),
    "declare_missing": _l("Declared missing"),
    "found": _l("Found"),
    "close_receipt": _l("Receipt closed"),
    "accept": _l("Accepted"),
    "reject": _l("Rejected"),
    "hold": _l("Put on hold"),
    "release": _l("Released"),
    "recall": _l("Recalled"),
    "lost": _l("Lost"),
    "dispose": _l("Disposed"),
    "note": _l("Remark"),
}


@blueprint.get("")
@access("manager", "auditor")
def listing() -> str:
    """Query: settled=1 for those that a manager has looked into."""
    settled = request.args.get("settled") == "1"
    rows = review.kept(db.session(), scope(), settled=settled)
    return render_template("review/list.html", rows=rows, settled=settled, words=ACT_WORDS)


@blueprint.post("/<act_id>/settle")
@access("manager")
def settle(act_id: str) -> Response:
    """The manager's word closes it; nothing in the record changes by it."""
    with transaction() as session:
        act = review.settle(
            session,
            act_id,
            word=request.form.get("word", ""),
            username=current_user.username,
            scope=scope(),
            now=clock.now(),
        )
        auth.audit(session, "act_settled", act.id)
    return redirect(url_for("review.listing"))
