"""Importing sites, tests and users from files: preview, mapping, then all of it or nothing."""

from __future__ import annotations

from flask import render_template, request
from flask_babel import gettext

from logistics import clock
from logistics.db import db, transaction
from logistics.errors import LabrelayError, NotFound
from logistics.imports import Kind, Table, fields_of
from logistics.services import importing
from logistics.services.import_checked import Result
from web import import_previews, personal
from web.access import access
from web.auth import audit, scope
from web.errors import status_of
from web.messages import sentence_of
from web.views.admin.base import EDITOR, blueprint, editor

KINDS = (Kind.SITES, Kind.TESTS, Kind.USERS)


@blueprint.get("/import/<kind>")
@access(EDITOR)
def import_file(kind: str) -> str:
    found = _kind(kind)
    return render_template("admin/import.html", kind=found.value, title=title(found), fields=_headings(found))


@blueprint.post("/import/<kind>")
@access(EDITOR)
def read_import(kind: str) -> str | tuple[str, int]:
    """A fragment: the preview of the sent file, or what ``action=apply`` has written."""
    try:
        personal.refuse()
        found = _kind(kind)
        table, mapping = import_previews.uploaded(), import_previews.chosen()
        if request.form.get("action") == "apply":
            return render_template("admin/import_result.html", result=_apply(found, table, mapping), kind=found.value)
        return _preview(found, table, mapping)
    except LabrelayError as error:
        return render_template("imports/problem.html", sentence=sentence_of(error)), status_of(error)


def _kind(kind: str) -> Kind:
    if kind not in {one.value for one in KINDS}:
        raise NotFound("not_found")
    return Kind(kind)


def title(kind: Kind) -> str:
    words = {
        Kind.SITES: gettext("Import sites"),
        Kind.TESTS: gettext("Import tests"),
        Kind.USERS: gettext("Import users"),
    }
    return str(words[kind])


def _headings(kind: Kind) -> list[str]:
    return [field.headings[0] for field in fields_of(kind)]


def _preview(kind: Kind, table: Table, mapping: dict[str, str]) -> str:
    checked = importing.preview(db.session(), kind, table, mapping, scope=scope(), now=clock.now())
    fields = {field.name: field.headings[0] for field in fields_of(kind)}
    return render_template("admin/import_preview.html", **import_previews.facts(checked, mapping, fields))


def _apply(kind: Kind, table: Table, mapping: dict[str, str]) -> Result:
    with transaction() as session:
        checked = importing.preview(session, kind, table, mapping, scope=scope(), now=clock.now())
        result = importing.apply(session, checked, actor=editor(session), scope=scope(), now=clock.now())
        audit(session, f"{kind.value}_imported", created=len(result.created), changed=len(result.changed))
    return result
