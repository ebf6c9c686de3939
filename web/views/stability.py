"""Stability limits: what the catalogue says with its source, and the own limits of laboratories with every version."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import or_, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics import clock
from logistics.db import db
from logistics.errors import Invalid, NotFound
from logistics.models import Site, StabilityRuleRow, StabilityVersion, Test, User
from logistics.queries import admin as queries
from logistics.services import reference, stability_rules
from logistics.services.orders import local_day
from web.access import access
from web.auth import audit, scope
from web.forms import NO_PROBLEM, Page, Problem, attempt, number, optional, text
from web.rendering import locale

blueprint = Blueprint("stability", __name__, url_prefix="/stability")
EDITORS = ("manager", "administrator")
READERS = (*EDITORS, "auditor")


@blueprint.get("")
@access(*READERS)
def listing() -> str:
    """Every test with how many limits it has, and the changes that concern the reader's laboratories."""
    session = db.session()
    rules = _rules(session)
    found = session.scalars(select(Test).where(Test.active).order_by(Test.code)).all()
    changes = stability_rules.history(session, sites=_mine(session))
    return render_template(
        "stability/listing.html",
        tests=[
            {
                "test": one,
                "general": sum(1 for rule in rules.get(one.stability_code, ()) if rule.site_code is None),
                "own": sum(1 for rule in rules.get(one.stability_code, ()) if rule.site_code is not None),
            }
            for one in found
        ],
        version=reference.stability_version(session),
        changes=changes,
        names={one.code: one for one in found},
        **_names(session, changes),
    )


@blueprint.get("/<code>")
@access(*READERS)
def test(code: str) -> str:
    return _page(code, NO_PROBLEM)


@blueprint.post("/<code>/rules")
@access(*EDITORS)
def override(code: str) -> Page:
    """A laboratory's own limit, with the reason that an auditor will ask for and its date of effect."""

    def work(session: Session) -> Response:
        values: dict[str, Any] = {
            "site_code": optional("site_code"),
            "stage": text("stage"),
            "temp_min_c": number("temp_min_c"),
            "temp_max_c": number("temp_max_c"),
            "max_hours": number("max_hours"),
            "reason": text("reason"),
            "valid_on": _day("valid_on"),
        }
        rule = stability_rules.override(session, code, values, by=current_user.username, scope=scope(), now=clock.now())
        noted = {name: str(value) if isinstance(value, date) else value for name, value in values.items()}
        audit(session, "stability_overridden", code, rule=rule.id, **noted)
        flash(gettext("The own limit is set."), "ok")
        return redirect(url_for("stability.test", code=code))

    return attempt(work, partial(_page, code))


@blueprint.post("/<code>/rules/<int:rule_id>/withdraw")
@access(*EDITORS)
def withdraw(code: str, rule_id: int) -> Page:
    def work(session: Session) -> Response:
        rule = stability_rules.withdraw(
            session, code, rule_id, by=current_user.username, scope=scope(), now=clock.now()
        )
        audit(session, "stability_withdrawn", code, rule=rule.id, site=rule.site_code, max_hours=rule.max_hours)
        flash(gettext("The own limit was withdrawn; the catalogue's rule counts again."), "ok")
        return redirect(url_for("stability.test", code=code))

    return attempt(work, partial(_page, code))


def _day(name: str) -> date | None:
    value = text(name, limit=10)
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise Invalid("field_malformed", field=name) from None


def _mine(session: Session) -> list[str] | None:
    """The laboratories whose own limits the reader sees; None: all."""
    own = scope()
    return None if own.everything else [one.code for one in queries.laboratories(session) if own.covers(one.code)]


def _rules(session: Session) -> dict[str, list[StabilityRuleRow]]:
    mine = _mine(session)
    query = select(StabilityRuleRow).where(StabilityRuleRow.until_version.is_(None))
    if mine is not None:
        query = query.where(or_(StabilityRuleRow.site_code.is_(None), StabilityRuleRow.site_code.in_(mine)))
    found: dict[str, list[StabilityRuleRow]] = {}
    for rule in session.scalars(query):
        found.setdefault(rule.test_code, []).append(rule)
    return found


def _names(session: Session, changes: list[StabilityVersion]) -> dict[str, Any]:
    people = session.scalars(select(User).where(User.username.in_({change.by for change in changes})))
    return {
        "people": {one.username: one for one in people},
        "sites": {site.code: site for site in session.scalars(select(Site))},
    }


def _page(code: str, problem: Problem) -> str:
    session = db.session()
    one = session.get(Test, code)
    if one is None:
        raise NotFound("test_unknown", field="test", test=code[:40])
    mine = _mine(session)
    query = select(StabilityRuleRow).where(StabilityRuleRow.test_code == (one.stability_code or one.code))
    rules = [
        rule for rule in session.scalars(query) if mine is None or rule.site_code is None or rule.site_code in mine
    ]
    states = {rule.id: stability_rules.state_of(rule, clock.now()) for rule in rules}
    order = {"in_force": 0, "planned": 1, "past": 2}
    rules.sort(key=lambda rule: (order[states[rule.id]], rule.site_code is None, rule.stage, rule.temp_min_c or -99))
    laboratories = [site for site in queries.laboratories(session) if mine is None or site.code in mine]
    changes = stability_rules.history(session, sites=mine, test_code=one.code)
    return render_template(
        "stability/test.html",
        test=one,
        rules=rules,
        states_of=states,
        mine={site.code for site in laboratories} if current_user.role in EDITORS else set(),
        lab_options=[(site.code, site.name(locale())) for site in laboratories],
        today=local_day(clock.now()).isoformat(),
        changes=changes,
        form=request.form,
        problem=problem,
        **_names(session, changes),
    )
