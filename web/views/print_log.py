"""The log of prints: every label, manifest and register that left a printer."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for

from logistics.db import db
from logistics.queries import print_log as queries
from web import label_forms, label_words
from web.access import access
from web.auth import scope
from web.views import office

blueprint = Blueprint("print_log", __name__, url_prefix="/labels")
blueprint.record_once(office.install_filters)
READERS = ("collector", "receiver", "manager", "administrator", "auditor")


@blueprint.get("/prints")
@access(*READERS)
def listing() -> str:
    """What was printed at one's sites. Query: ``q``, how the number begins; ``page``."""
    session = db.session()
    sought = request.args.get("q", "").strip()[:40]
    page = label_forms.page_number()
    rows, total = queries.entries(session, scope(), subject=sought, page=page)
    return render_template(
        "labels/prints.html",
        rows=rows,
        total=total,
        sought=sought,
        page=page,
        pages=max(1, -(-total // queries.PAGE)),
        people=label_forms.people(session, [one.username for one in rows]),
        print_kinds=label_words.PRINT_KINDS,
        url_for_page=lambda n: url_for("print_log.listing", q=sought or None, page=n),
        **label_forms.words(),
    )
