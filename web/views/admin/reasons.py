"""Coded reasons: a list that an administrator extends."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics.db import db
from logistics.models import Reason
from logistics.services import admin
from web.access import access
from web.auth import audit
from web.views.admin.base import EDITOR, NO_PROBLEM, READERS, Page, Problem, attempt, blueprint, flag, text


@blueprint.get("/reasons")
@access(*READERS)
def reasons() -> str:
    return _list(NO_PROBLEM)


@blueprint.post("/reasons")
@access(EDITOR)
def add_reason() -> Page:
    def work(session: Session) -> Response:
        code = text("code", limit=32).upper()
        values = {"zh": text("zh"), "en": text("en"), "kind": text("kind"), "hl7": text("hl7", limit=20)}
        admin.add_reason(session, code, values)
        audit(session, "reason_added", code, **values)
        flash(gettext("Reason %(code)s added.", code=code), "ok")
        return redirect(url_for("admin.reasons"))

    return attempt(work, _list)


@blueprint.post("/reasons/<code>/active")
@access(EDITOR)
def switch_reason(code: str) -> Page:
    def work(session: Session) -> Response:
        active = flag("active")
        admin.switch_reason(session, code, active)
        audit(session, "reason_opened" if active else "reason_closed", code)
        flash(gettext("Saved."), "ok")
        return redirect(url_for("admin.reasons"))

    return attempt(work, _list)


def _list(problem: Problem) -> str:
    found = db.session.scalars(select(Reason).order_by(Reason.kind, Reason.position, Reason.code)).all()
    return render_template("admin/reasons.html", reasons=found, problem=problem, form=request.form)
