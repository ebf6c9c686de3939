"""What a site prints its labels on, and the sizes of label there are."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics import clock
from logistics.db import db, transaction
from logistics.domain.access import ADMINISTRATOR, AUDITOR
from logistics.errors import Invalid
from logistics.labels.sizes import CODE128, DPI, KINDS, ROLL, Stock
from logistics.models import Site
from logistics.services import label_stocks
from web import label_forms, label_words
from web.access import access
from web.auth import audit, scope
from web.forms import NO_PROBLEM, Page, Problem, attempt, number, text

blueprint = Blueprint("label_settings", __name__, url_prefix="/labels")
EDITORS = ("collector", "receiver", "manager", "administrator")
READERS = (*EDITORS, "auditor")
STOCK_FLOATS = (
    "width_mm", "height_mm", "page_width_mm", "page_height_mm", "left_mm", "top_mm", "gap_x_mm", "gap_y_mm",
)  # fmt: skip
STOCK_WHOLES = ("columns", "rows", "dpi")


@blueprint.get("/settings")
@access(*READERS)
def settings() -> str:
    """What the own site prints on (an administrator: any site, ``site``), and every size there is."""
    return _settings_page()


def _settings_page(problem: Problem = NO_PROBLEM) -> str:
    session = db.session()
    site = _setting_site()
    stocks = label_stocks.known(session)
    return render_template(
        "labels/settings.html",
        site=session.get(Site, site) if site else None,
        sites=label_forms.sites(session),
        settings={kind: label_stocks.setting(session, site, kind) for kind in KINDS},
        fitting={kind: label_forms.stock_choices(one for one in stocks.values() if one.fits(kind)) for kind in KINDS},
        stocks=stocks,
        added=label_stocks.added(session),
        given=request.form,
        problem=problem,
        square_words=[(key, word) for key, word in label_words.SYMBOLOGIES.items() if key != CODE128],
        dpis=[(str(dpi), str(dpi)) for dpi in DPI],
        may_change=current_user.role != AUDITOR and site is not None,
        **label_forms.words(),
    )


def _setting_site() -> str | None:
    """The site whose settings are shown: one's own, or the one that is asked for and lies in one's scope."""
    wanted = request.values.get("site", "")[:40]
    if wanted and scope().covers(wanted) and db.session().get(Site, wanted) is not None:
        return wanted
    own: str | None = current_user.site_code
    return own


@blueprint.post("/settings")
@access(*EDITORS)
def change_setting() -> Page:
    """What the site prints a kind of label on: ``kind``, ``stock``, ``symbology``, ``output``."""
    form = request.form
    site = form.get("site") or current_user.site_code or ""

    def work(session: Session) -> Response:
        if not scope().covers(site) or session.get(Site, site) is None:
            raise Invalid("site_unknown", field="site", site=site[:40])
        kind = form.get("kind", "")
        made = label_stocks.change_setting(
            session, site, kind, stock_name=form.get("stock", "")[:40], symbology=form.get("symbology", "")[:20],
            output=form.get("output", "")[:20], by=current_user.username, now=clock.now(),
        )  # fmt: skip
        audit(
            session, "print_setting_changed", site, kind=kind, stock=made.stock.name, symbology=made.symbology,
            output=made.output,
        )  # fmt: skip
        flash(gettext("Saved."), "ok")
        return redirect(url_for("label_settings.settings", site=None if site == current_user.site_code else site))

    return attempt(work, _settings_page)


@blueprint.post("/stocks")
@access(ADMINISTRATOR)
def add_stock() -> Page:
    """A new size of label: code, names, millimetres, rows and columns, resolution."""

    def work(session: Session) -> Response:
        stock = _typed_stock()
        label_stocks.add(session, stock, by=current_user.username, now=clock.now())
        audit(session, "label_stock_added", stock.name)
        flash(gettext("Saved."), "ok")
        return redirect(url_for("label_settings.settings"))

    return attempt(work, _settings_page)


def _typed_stock() -> Stock:
    """The size in the form. What is left empty counts as nothing, which ``sizes.check`` judges."""
    values: dict[str, Any] = {name: number(name) or 0.0 for name in STOCK_FLOATS}
    values |= {name: number(name, whole=True) or 0 for name in STOCK_WHOLES}
    if request.form.get("medium") == ROLL:  # one label a page
        values |= {"page_width_mm": values["width_mm"], "page_height_mm": values["height_mm"]}
        values |= {"left_mm": 0.0, "top_mm": 0.0, "gap_x_mm": 0.0, "gap_y_mm": 0.0, "columns": 1, "rows": 1}
    return Stock(
        name=text("code"), name_zh=text("name_zh", limit=60), name_en=text("name_en", limit=60), medium=text("medium"),
        symbology=text("symbology"), **values,
    )  # fmt: skip


@blueprint.post("/stocks/<code>")
@access(ADMINISTRATOR)
def switch_stock(code: str) -> Page:
    """Close a size that was added, or open it again (``active`` 0 or 1)."""
    with transaction() as session:
        active = request.form.get("active") == "1"
        label_stocks.switch(session, code, active)
        audit(session, "label_stock_switched", code, active=active)
    return redirect(url_for("label_settings.settings"))
