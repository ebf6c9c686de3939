"""Importing orders from a laboratory system's file: preview, mapping, then all of it or nothing.

The file stays in the browser between the steps and is sent with each of them, so that no list of patients is
ever kept on the server.
"""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask_babel import gettext
from flask_login import current_user

from logistics import clock
from logistics.db import db, transaction
from logistics.errors import LabrelayError
from logistics.imports import Kind, Table, fields_of
from logistics.models import User
from logistics.services import importing
from logistics.services.import_checked import Checked, Result
from web import import_previews, personal
from web.access import access
from web.auth import audit, scope
from web.errors import status_of
from web.messages import sentence_of
from web.views import office

blueprint = Blueprint("imports", __name__, url_prefix="/collector/import")


@blueprint.get("/")
@access("collector")
def orders() -> str:
    """Choose a file."""
    return render_template("imports/orders.html", fields=field_names())


@blueprint.post("/")
@access("collector")
def read_orders() -> str | tuple[str, int]:
    """A fragment: the preview of the sent file, or what ``action=apply`` has written."""
    try:
        personal.refuse()
        table, mapping = import_previews.uploaded(), import_previews.chosen()
        if request.form.get("action") == "apply":
            return _result(_apply(table, mapping))
        return _preview(table, mapping)
    except LabrelayError as error:
        return render_template("imports/problem.html", sentence=sentence_of(error)), status_of(error)


def _check(table: Table, mapping: dict[str, str]) -> Checked:
    return importing.preview(
        db.session(), Kind.ORDERS, table, mapping, scope=scope(), now=clock.now(), default_site=office.own_site()
    )


def _preview(table: Table, mapping: dict[str, str]) -> str:
    checked = _check(table, mapping)
    facts = import_previews.facts(checked, mapping, field_names())
    return render_template("imports/preview_orders.html", **facts)


def _apply(table: Table, mapping: dict[str, str]) -> Result:
    with transaction() as session:
        now = clock.now()
        checked = importing.preview(
            session, Kind.ORDERS, table, mapping, scope=scope(), now=now, default_site=office.own_site()
        )
        actor = session.get_one(User, current_user.id)
        result = importing.apply(session, checked, actor=actor, scope=scope(), now=now)
        audit(session, "orders_imported", actor.site_code or "", created=len(result.created))
    return result


def _result(result: Result) -> str:
    return render_template("imports/result.html", result=result)


def field_names() -> dict[str, str]:
    """The fields of an order file in the reader's language, in their order."""
    words = {
        "accession": gettext("Barcode"),
        "order_number": gettext("Order number"),
        "site": gettext("Sending site"),
        "tests": gettext("Tests"),
        "specimen_type": gettext("Specimen type"),
        "container": gettext("Container"),
        "priority": gettext("Priority"),
        "ordered_at": gettext("Ordered at"),
        "collected_at": gettext("Collected at"),
        "collected_on": gettext("Collected on (date)"),
        "patient_ref": gettext("Patient (masked)"),
        "sex": gettext("Sex"),
        "age": gettext("Age"),
        "department": gettext("Department"),
        "collector": gettext("Collected by"),
    }
    return {field.name: words.get(field.name, field.headings[0]) for field in fields_of(Kind.ORDERS)}
