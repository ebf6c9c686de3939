"""One handler turns errors into pages or JSON: {code, sentence, field}. No stack trace reaches a user."""

from __future__ import annotations

import logging

from flask import Flask, jsonify, render_template, request
from sqlalchemy.exc import DataError, OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from logistics.errors import Conflict, Forbidden, Invalid, LabrelayError, NotFound, Unavailable
from web.access import is_api
from web.messages import sentence, sentence_of

log = logging.getLogger(__name__)

HTTP_STATUS: dict[type[LabrelayError], int] = {
    Invalid: 400,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Unavailable: 503,
}
FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
HTTP_CODES = {
    400: "bad_request",
    401: "login_required",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media",
    429: "too_many_requests",
    500: "internal_error",
    503: "unavailable",
}


def status_of(error: LabrelayError) -> int:
    if error.code == "login_required":
        return 401
    return next((status for kind, status in HTTP_STATUS.items() if isinstance(error, kind)), 500)


def init_app(app: Flask) -> None:
    @app.before_request
    def _no_nul() -> None:
        """PostgreSQL takes no NUL in a text: refused here, wherever it stands in an address or a form."""
        values = [*(request.view_args or {}).items(), *request.args.items(multi=True)]
        if request.mimetype in FORMS:
            values += request.form.items(multi=True)
        for name, value in values:
            if isinstance(value, str) and "\x00" in value:
                raise Invalid("field_malformed", field=name.replace("\x00", "")[:40])

    @app.errorhandler(LabrelayError)
    def _known(error: LabrelayError) -> tuple[Response | str, int]:
        return answer(error.code, sentence_of(error), status_of(error), field=error.field)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> tuple[Response | str, int] | HTTPException:
        status = error.code or 500
        if status < 400:
            return error
        code = HTTP_CODES.get(status, "bad_request" if status < 500 else "internal_error")
        return answer(code, sentence(code), status)

    @app.errorhandler(DataError)
    def _unstorable(error: DataError) -> tuple[Response | str, int]:
        log.exception("a value that the database does not take")
        return answer("bad_request", sentence("bad_request"), 400)

    @app.errorhandler(OperationalError)
    def _database(error: OperationalError) -> tuple[Response | str, int]:
        log.exception("database is away")
        return answer("database_unavailable", sentence("database_unavailable"), 503)

    @app.errorhandler(Exception)
    def _unknown(error: Exception) -> tuple[Response | str, int]:
        log.exception("unexpected error")
        return answer("internal_error", sentence("internal_error"), 500)


def answer(code: str, text: str, status: int, *, field: str | None = None) -> tuple[Response | str, int]:
    """The error as JSON for the API, as a page for people."""
    if is_api():
        return jsonify({"code": code, "sentence": text, "field": field}), status
    return render_template("errors/error.html", code=code, sentence=text, status=status), status
