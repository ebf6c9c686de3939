"""Contracts with external laboratories: what may be sent out, to whom, from when until when."""

from __future__ import annotations

from typing import Any

from flask import render_template, request
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics import clock
from logistics.db import db
from logistics.models import Contract, Site, Test, TestSite
from logistics.models.network import TOWNSHIP
from logistics.queries import send_outs as queries
from logistics.services import contracts
from logistics.services.orders import local_day
from web.access import access
from web.auth import audit
from web.rendering import locale
from web.views.admin.base import (
    READERS,
    Problem,
    blueprint,
    flag,
    number,
    text,
    typed,
)
from web.views.admin.entry import done, entry, saved


@blueprint.get("/contracts", endpoint="contracts")
@access(*READERS)
def contract_list() -> str:
    """Every contract, those that are valid first, with what they cover and how long still."""
    session = db.session()
    today = local_day(clock.now())
    return render_template(
        "admin/contracts.html",
        contracts=queries.all_contracts(session),
        today=today.isoformat(),
        soon=(today + queries.ENDS_SOON).isoformat(),
        test_names=_test_names(session),
        externals=contracts.externals(session),
    )


def _add(session: Session) -> Response:
    added = contracts.add(session, text("reference"), _values(), request.form.getlist("tests"))
    audit(session, "contract_added", added.reference, external=added.external_code)
    return done(gettext("Contract %(reference)s added.", reference=added.reference), "contracts")


def _change(reference: str, session: Session) -> Response:
    changed = contracts.change(session, reference, _values(), request.form.getlist("tests"), active=flag("active"))
    audit(session, "contract_changed", reference, until=changed.valid_to, active=changed.active)
    return saved("contracts")


def _values() -> dict[str, Any]:
    return {
        "external_code": text("external_code"),
        "site_code": text("site_code"),
        "valid_from": text("valid_from"),
        "valid_to": text("valid_to"),
        "turnaround_h": number("turnaround_h"),
        "contact": text("contact"),
    }


def _page(found: Contract | None, problem: Problem) -> str:
    session = db.session()
    ours = select(Site).where(Site.tier.not_in((TOWNSHIP, "external")), Site.active).order_by(Site.code)
    sent = request.method == "POST"
    chosen = request.form.getlist("tests") if sent or found is None else sorted(contracts.tests_of(found))
    return render_template(
        "admin/contract.html",
        contract=found,
        value=typed(found),
        problem=problem,
        externals=[(one.code, one.name(locale())) for one in contracts.externals(session)],
        sites=[(one.code, one.name(locale())) for one in session.scalars(ours)],
        tests=_choosable(session, chosen),
        chosen=chosen,
        active=flag("active") if sent else found is None or found.active,
    )


def _choosable(session: Session, chosen: list[str]) -> list[tuple[str, str]]:
    """The tests that an external laboratory performs by the catalogue, and those that stand in the contract."""
    outside = select(TestSite.test_code).join(Site, Site.code == TestSite.site_code).where(Site.tier == "external")
    query = select(Test).where(Test.code.in_(outside) | Test.code.in_(chosen)).order_by(Test.code)
    return [(one.code, f"{one.name(locale())} ({one.code})") for one in session.scalars(query)]


def _test_names(session: Session) -> dict[str, str]:
    return {one.code: one.name(locale()) for one in session.scalars(select(Test))}


entry("contract", "contracts", "path:reference", known=contracts.known, page=_page, add=_add, change=_change)
