"""What both pages that import a file do with it: read it and its mapping, show what it would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request

from logistics.errors import Invalid
from logistics.imports import Table, read_table
from logistics.services.import_checked import Checked
from web.messages import sentence

SHOWN_ERRORS, SHOWN_ROWS = 200, 50


@dataclass(frozen=True, slots=True)
class BadCell:
    """In words."""

    line: int
    column: str
    value: str
    sentence: str


def uploaded() -> Table:
    upload = request.files.get("file")
    if upload is None or not upload.filename:
        raise Invalid("import_file_missing", field="file")
    return read_table(upload.read(), upload.filename)


def chosen() -> dict[str, str]:
    """Heading → field as chosen in the selects; '-' leaves a column out, empty leaves it to recognition."""
    pairs = zip(request.form.getlist("heading"), request.form.getlist("field"), strict=False)
    return {heading: "" if field == "-" else field for heading, field in pairs if field}


def facts(checked: Checked, mapping: Mapping[str, str], fields: Mapping[str, str]) -> dict[str, Any]:
    """What ``imports/preview.html`` shows; ``fields``: the words for what a column may hold."""
    parsed = checked.parsed
    return {
        "counts": checked.counts,
        "problems": [
            BadCell(one.line, one.column, one.value, sentence(one.code, one.facts))
            for one in checked.errors[:SHOWN_ERRORS]
        ],
        "fields": fields,
        "columns": [*parsed.mapped.items(), *((heading, "") for heading in parsed.unmapped)],
        "personal": parsed.personal,
        "chosen": mapping,
        "changes": checked.changes[:SHOWN_ROWS],
        "header_line": parsed.header_line,
        "read_rows": parsed.read_rows,
    }
