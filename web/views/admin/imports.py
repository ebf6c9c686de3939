"""Importing sites, tests and users from files: preview, mapping, then all of it or nothing."""

from __future__ import annotations

from typing import Any

from flask import render_template, request
from flask_babel import gettext

from logistics import clock
from logistics.db import db, transaction
from logistics.errors import Invalid, LabrelayError, NotFound
from logistics.imports import Kind, Table, fields_of, read_table
from logistics.services import importing
from logistics.services.import_checked import Checked, Result
from web.access import access
from web.auth import audit, scope
from web.errors import status_of
from web.messages import sentence, sentence_of
from web.views.admin.base import EDITOR, blueprint, editor

SHOWN_ERRORS, SHOWN_ROWS = 200, 50
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
        found = _kind(kind)
        table, mapping = _table(), _mapping()
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


def _table() -> Table:
    upload = request.files.get("file")
    if upload is None or not upload.filename:
        raise Invalid("import_file_missing", field="file")
    return read_table(upload.read(), upload.filename)


def _mapping() -> dict[str, str]:
    pairs = zip(request.form.getlist("heading"), request.form.getlist("field"), strict=False)
    return {heading: "" if field == "-" else field for heading, field in pairs if field}


def _preview(kind: Kind, table: Table, mapping: dict[str, str]) -> str:
    checked = importing.preview(db.session(), kind, table, mapping, scope=scope(), now=clock.now())
    parsed = checked.parsed
    problems: list[dict[str, Any]] = [
        {"line": one.line, "column": one.column, "value": one.value, "sentence": sentence(one.code, one.facts)}
        for one in checked.errors[:SHOWN_ERRORS]
    ]
    return render_template(
        "admin/import_preview.html",
        counts=checked.counts,
        problems=problems,
        fields={field.name: field.headings[0] for field in fields_of(kind)},
        columns=[*parsed.mapped.items(), *((heading, "") for heading in parsed.unmapped)],
        chosen=mapping,
        changes=_rows(checked),
        header_line=parsed.header_line,
        read_rows=parsed.read_rows,
    )


def _rows(checked: Checked) -> list[dict[str, Any]]:
    return [
        {
            "line": change.row.line,
            "key": change.key,
            "name": change.values.get("name_zh", ""),
            "action": change.action.value,
        }
        for change in checked.changes[:SHOWN_ROWS]
    ]


def _apply(kind: Kind, table: Table, mapping: dict[str, str]) -> Result:
    with transaction() as session:
        checked = importing.preview(session, kind, table, mapping, scope=scope(), now=clock.now())
        result = importing.apply(session, checked, actor=editor(session), scope=scope(), now=clock.now())
        audit(session, f"{kind.value}_imported", created=len(result.created), changed=len(result.changed))
    return result
