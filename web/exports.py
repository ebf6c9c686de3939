"""Sending a table as a file: streamed from the database, in the reader's language, written into the audit log.

The stream runs after its request has ended, in a context of its own: a context that a generator pushes would otherwise
still be in force when the same thread answers the next request ('Popped wrong request context').
"""

from __future__ import annotations

import contextvars
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, current_app, request
from flask_babel import force_locale, gettext
from flask_login import current_user
from sqlalchemy.orm import Session

from logistics.clock import wall_now
from logistics.db import db, set_reading, transaction
from logistics.errors import Invalid
from logistics.exports import ZONE, Cell, csv_rows, sheets, xlsx_rows
from logistics.models import AuditEntry
from web.auth import audit
from web.rendering import locale

FORMATS: Mapping[str, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True, slots=True)
class Table:
    """What is sent. ``rows`` reads with the session it is given and may use gettext; it runs while the file is sent.

    ``name`` is the beginning of the file's name (ASCII), ``kind`` what the audit log calls it, ``asked`` the filter.
    """

    name: str
    kind: str
    heading: Sequence[str]
    rows: Callable[[Session], Iterable[Sequence[Cell]]]
    asked: Mapping[str, str]


def wanted_format() -> str:
    """The query's ``format``: csv (also when there is none) or xlsx. Raises Invalid('export_format_unknown')."""
    given = request.args.get("format", "csv")
    if given not in FORMATS:
        raise Invalid("export_format_unknown", field="format", format=given[:20])
    return given


def respond(table: Table, form: str) -> Response:
    """The table as an attachment. That it was begun is in the audit log before the first byte leaves; how many rows
    went follows when the stream ends, whole or cut short."""
    key = secrets.token_hex(4)
    asked = {name: value[:80] for name, value in table.asked.items() if value}
    with transaction() as session:
        audit(session, "exported", key, kind=table.kind, format=form, filter=asked)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    source = _stream(app, locale(), table, form, caller(key))
    response = Response(OwnContext(source), mimetype=FORMATS[form].split(";", maxsplit=1)[0])
    response.headers["Content-Type"] = FORMATS[form]
    stamp = f"{wall_now().astimezone(ZONE):%Y%m%d-%H%M}"
    response.headers["Content-Disposition"] = f'attachment; filename="{table.name}-{stamp}.{form}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _stream(app: Flask, language: str, table: Table, form: str, who: Mapping[str, Any]) -> Iterator[bytes]:
    sent, whole = 0, False

    def counted(session: Session) -> Iterator[Sequence[Cell]]:
        nonlocal sent
        for row in table.rows(session):
            sent += 1
            yield row

    with app.app_context(), force_locale(language):
        set_reading(True)
        try:
            rows = counted(db.session())
            if form == "csv":
                yield from csv_rows(table.heading, rows)
            else:
                yield from xlsx_rows(table.heading, rows, continued=_goes_on)
            whole = True
        finally:
            db.session.rollback()
            detail: dict[str, object] = {"kind": table.kind, "rows": sent, "whole": whole}
            if form == "xlsx" and sheets(sent) > 1:
                detail["sheets"] = sheets(sent)
            ended(who, detail)


def _goes_on(sheet: str) -> str:
    return str(gettext("This sheet is full. The table goes on in sheet “%(sheet)s”.", sheet=sheet))


def caller(key: str) -> dict[str, Any]:
    """Who asked, for the entry that is written when the request has ended; ``key`` ties it to the first one."""
    return {
        "username": current_user.username, "site_code": current_user.site_code, "address": request.remote_addr or "",
        "subject": key,
    }  # fmt: skip


def ended(who: Mapping[str, Any], detail: Mapping[str, object]) -> None:
    """How much went, and whether that was all of it."""
    with transaction() as session:
        session.add(AuditEntry(at=wall_now(), action="export_ended", detail=dict(detail), **who))


class OwnContext:
    """An iterator whose every step, and whose end, runs in one context of its own."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source = source
        self._context = contextvars.Context()

    def __iter__(self) -> OwnContext:
        return self

    def __next__(self) -> bytes:
        return self._context.run(next, self._source)

    def close(self) -> None:
        close = getattr(self._source, "close", None)
        if close is not None:
            self._context.run(close)

    def __del__(self) -> None:
        self.close()
