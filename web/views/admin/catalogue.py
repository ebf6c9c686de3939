"""Tests: who performs them, and how long their tubes keep according to whom."""

from __future__ import annotations

from functools import partial

from flask import render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics.db import db
from logistics.queries import admin as queries
from logistics.services import admin_catalogue as service
from web.access import access
from web.auth import audit
from web.views.admin.base import (
    EDITOR,
    NO_PROBLEM,
    READERS,
    Page,
    Problem,
    attempt,
    blueprint,
    flag,
)
from web.views.admin.entry import saved


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
        return saved("test", code=code)

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
        chosen=chosen,
        problem=problem,
    )
