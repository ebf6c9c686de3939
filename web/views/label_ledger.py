"""Numbers printed ahead: making batches, printing, voiding, and what is unaccounted for."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import ngettext
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics import clock, labels
from logistics.db import db
from logistics.domain.access import AUDITOR
from logistics.errors import Conflict, Invalid, NotFound
from logistics.labels.sizes import SPECIMEN
from logistics.models import LabelBatch, LabelNumber
from logistics.queries import label_batches as queries
from logistics.services import label_ledger, label_stocks, prints
from web import label_forms, printing
from web.access import access
from web.auth import audit, scope
from web.forms import NO_PROBLEM, Page, Problem, attempt, needed, text
from web.views import office

blueprint = Blueprint("label_ledger", __name__, url_prefix="/labels")
blueprint.record_once(office.install_filters)
EDITORS = ("collector", "receiver", "manager", "administrator")
READERS = (*EDITORS, "auditor")
MOST_HEIGHT_MM = 100  # a number alone on a larger label wastes it


@blueprint.get("")
@access(*READERS)
def batches() -> str:
    """The batches of one's sites with what became of their numbers, and a form for the next one."""
    return _list()


def _list(problem: Problem = NO_PROBLEM) -> str:
    session = db.session()
    page = label_forms.page_number()
    rows, total = queries.batches(session, scope(), page=page)
    on = label_stocks.setting(session, current_user.site_code, SPECIMEN)
    known = label_stocks.known(session)
    return render_template(
        "labels/batches.html",
        rows=rows,
        total=total,
        page=page,
        pages=max(1, -(-total // queries.PAGE)),
        sites=label_forms.sites(session),
        people=label_forms.people(session, [one.row.made_by for one in rows]),
        setting=on,
        known=known,
        stocks=label_forms.stock_choices(one for one in known.values() if one.height_mm < MOST_HEIGHT_MM),
        given=request.form,
        problem=problem,
        most=label_ledger.MAX_BATCH,
        may_make=current_user.role != AUDITOR,
        url_for_page=lambda n: url_for("label_ledger.batches", page=n),
        **label_forms.words(),
    )


@blueprint.post("")
@access(*EDITORS)
def make() -> Page:
    """New numbers for a site: kind, count, stock, symbology, note. Printing them is the next step."""
    form = request.form

    def work(session: Session) -> Response:
        site = form.get("site") or current_user.site_code or ""
        if not site:
            raise Invalid("field_missing", field="site")
        if not scope().covers(site):
            raise Invalid("site_unknown", field="site", site=site[:40])
        on = label_stocks.choose(
            session, SPECIMEN, stock_name=form.get("stock", "")[:40], symbology=form.get("symbology", "")[:20],
            output="", site=current_user.site_code,
        )  # fmt: skip
        batch = label_ledger.make_batch(
            session, kind=label_forms.kind(form.get("kind", "")), count=needed("count", whole=True),
            stock=on.stock.name, symbology=on.symbology, site=site, by=current_user.username, now=clock.now(),
            note=text("note", limit=label_ledger.MAX_NOTE),
        )  # fmt: skip
        audit(session, "label_batch_made", batch.first_number, count=batch.count, site=site, kind=batch.kind)
        _drawings(session, batch, [batch.first_number])  # a size that cannot carry the code is refused now
        return redirect(url_for("label_ledger.batch", batch_id=batch.id))

    return attempt(work, _list)


@blueprint.get("/<int:batch_id>")
@access(*READERS)
def batch(batch_id: int) -> str:
    """One batch: every number's state, what is unaccounted for, voiding and printing again."""
    return _batch_page(batch_id)


def _batch_page(batch_id: int, problem: Problem = NO_PROBLEM, *, asked: str = "") -> str:
    """``asked``: what was refused, ``print`` or ``void``; its form is shown again."""
    session = db.session()
    found = queries.batch(session, scope(), batch_id)
    state = request.args.get("state", "")
    rows = queries.numbers_of(session, batch_id, state=state if state in label_ledger.STATES else "")
    return render_template(
        "labels/batch.html",
        batch=found.row,
        counts=found.counts,
        rows=rows,
        state=state,
        runs=queries.runs(queries.unaccounted(session, batch_id)),
        unprinted=len(queries.unprinted(session, batch_id)),
        people=label_forms.people(session, [found.row.made_by, *(row.state_by for row, _ in rows)]),
        setting=label_stocks.setting(session, current_user.site_code, SPECIMEN),
        stock=label_stocks.known(session).get(found.row.stock),
        given=request.form,
        problem=problem,
        asked=asked,
        may_change=current_user.role != AUDITOR,
        **label_forms.words(),
    )


@blueprint.post("/<int:batch_id>/print")
@access(*EDITORS)
def print_batch(batch_id: int) -> Page:
    """The labels of the batch that were not printed yet; of the numbers given (``numbers``) again, with a
    ``reason``."""
    form = request.form

    def work(session: Session) -> Response:
        found = queries.batch(session, scope(), batch_id).row
        rows = _rows_to_print(session, found, label_forms.numbers(form.get("numbers", "")))
        again = [row for row in rows if row.copies]
        reason = prints.checked_reason(form.get("reason", ""), again=bool(again))
        copies = prints.checked_copies(form.get("copies", ""))
        on = label_stocks.choose(
            session, SPECIMEN, stock_name=found.stock, symbology=found.symbology,
            output=form.get("output", "")[:20], site=current_user.site_code,
        )  # fmt: skip
        drawings = _drawings(session, found, [row.number for row in rows])
        response = printing.send(drawings, on, f"labels-{found.first_number}", copies=copies)
        log: dict[str, Any] = {
            "by": current_user.username, "now": clock.now(), "copies": copies, "output": on.output,
            "site": current_user.site_code,
        }  # fmt: skip
        prints.log_all(session, "number_label", [row.number for row in rows if not row.copies], **log)
        prints.log_all(session, "number_label", [row.number for row in again], reason=reason, **log)
        for row in rows:
            row.copies += copies
        return response

    return attempt(work, lambda problem: _batch_page(batch_id, problem, asked="print"))


def _rows_to_print(session: Session, batch: LabelBatch, wanted: list[str]) -> list[LabelNumber]:
    rows = _rows_of(session, batch, wanted) if wanted else queries.unprinted(session, batch.id)
    if not rows:
        raise Invalid("label_none", field="numbers")
    for row in rows:
        if row.state == label_ledger.VOIDED:
            raise Conflict("label_number_voided", field="numbers", number=row.number)
    return rows


def _rows_of(session: Session, batch: LabelBatch, wanted: list[str]) -> list[LabelNumber]:
    """The rows of typed numbers, all of which must be of this batch."""
    rows = label_ledger.chosen(session, scope(), wanted)
    for row in rows:
        if row.batch_id != batch.id:
            raise NotFound("label_number_other_batch", field="numbers", number=row.number)
    return rows


@blueprint.post("/<int:batch_id>/void")
@access(*EDITORS)
def void(batch_id: int) -> Page:
    """Labels that must never be used: numbers as scanned or typed, a reason, a note. All or none."""
    form = request.form

    def work(session: Session) -> Response:
        found = queries.batch(session, scope(), batch_id).row
        wanted = label_forms.numbers(form.get("numbers", ""))
        _rows_of(session, found, wanted)
        rows = label_ledger.void(
            session, scope(), wanted, reason=form.get("reason", ""), by=current_user.username, now=clock.now(),
            note=text("note", limit=label_ledger.MAX_NOTE),
        )  # fmt: skip
        audit(session, "labels_voided", found.first_number, numbers=[row.number for row in rows][:50])
        flash(ngettext("%(num)d label voided.", "%(num)d labels voided.", len(rows)), "ok")
        return redirect(url_for("label_ledger.batch", batch_id=batch_id))

    return attempt(work, lambda problem: _batch_page(batch_id, problem, asked="void"))


def _drawings(session: Session, batch: LabelBatch, numbers: list[str]) -> list[labels.Drawing]:
    site = office.site_name(batch.site_code)
    stock = labels.stock(batch.stock, label_stocks.known(session))
    return labels.specimen_drawings(
        [labels.SpecimenLabel(number, site) for number in numbers], stock=stock, symbology=batch.symbology
    )
