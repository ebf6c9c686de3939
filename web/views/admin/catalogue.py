"""Tests: who performs them, and how long their tubes keep according to whom."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics import clock
from logistics.db import db
from logistics.queries import admin as queries
from logistics.services import admin_catalogue as service
from web.access import access
from web.auth import audit
from web.rendering import locale
from web.views.admin.base import (
    EDITOR,
    NO_PROBLEM,
    READERS,
    Page,
    Problem,
    attempt,
    blueprint,
    flag,
    number,
    optional,
    text,
)


@blueprint.get("/tests")
@access(*READERS)
def tests() -> str:
    session = db.session()
    names = {site.code: site for site in queries.laboratories(session)}
    return render_template("admin/tests.html", tests=queries.tests(session), sites=names)


@blueprint.get("/tests/<code>")
@access(*READERS)
def test(code: str) -> str:
    return _page(code, NO_PROBLEM)


@blueprint.post("/tests/<code>")
@access(EDITOR)
def change_test(code: str) -> Page:
    def work(session: Session) -> Response:
        chosen = [value[:32] for value in request.form.getlist("performing")]
        changes = service.change_test(session, code, active=flag("active"), performing=set(chosen))
        audit(session, "test_changed", code, **changes)
        flash(gettext("Saved."), "ok")
        return redirect(url_for("admin.test", code=code))

    return attempt(work, partial(_page, code))


@blueprint.post("/tests/<code>/rules")
@access(EDITOR)
def override_rule(code: str) -> Page:
    """A laboratory's own limit, with the reason that an auditor will ask for."""

    def work(session: Session) -> Response:
        values: dict[str, Any] = {
            "site_code": optional("site_code"),
            "stage": text("stage"),
            "temp_min_c": number("temp_min_c"),
            "temp_max_c": number("temp_max_c"),
            "max_hours": number("max_hours"),
            "reason": text("reason"),
        }
        rule = service.override_rule(session, code, values, now=clock.now())
        audit(session, "stability_overridden", code, rule=rule.id, **values)
        flash(gettext("The own limit counts from now on."), "ok")
        return redirect(url_for("admin.test", code=code))

    return attempt(work, partial(_page, code))


@blueprint.post("/tests/<code>/rules/<int:rule_id>/withdraw")
@access(EDITOR)
def withdraw_rule(code: str, rule_id: int) -> Page:
    def work(session: Session) -> Response:
        rule = service.withdraw_rule(session, rule_id)
        audit(session, "stability_withdrawn", code, rule=rule_id, site=rule.site_code, max_hours=rule.max_hours)
        flash(gettext("The own limit was withdrawn; the catalogue's rule counts again."), "ok")
        return redirect(url_for("admin.test", code=code))

    return attempt(work, partial(_page, code))


def _page(code: str, problem: Problem) -> str:
    session = db.session()
    one = service.known_test(session, code)
    chosen = {site.site_code for site in one.sites}
    if request.method == "POST" and "performing" in request.form:
        chosen = set(request.form.getlist("performing"))
    return render_template(
        "admin/test.html",
        test=one,
        rules=queries.rules(session, one),
        laboratories=queries.laboratories(session),
        sites={site.code: site for site in queries.laboratories(session)},
        lab_options=[(site.code, site.name(locale())) for site in queries.laboratories(session)],
        chosen=chosen,
        problem=problem,
        form=request.form,
    )
