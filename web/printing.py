"""Labels to whoever prints them: a PDF in the browser, or a ZPL file for a Zebra printer."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response, render_template, request
from flask_login import current_user
from sqlalchemy.orm import Session

from logistics.errors import Invalid
from logistics.labels import Drawing, Stock, fonts, pdf, zpl
from logistics.services import label_stocks, prints
from logistics.services.label_stocks import Setting
from web.label_words import REPRINT_REASONS

# Chrome shows a PDF through an embedded object, which the strict policy of pages would forbid.
PDF_POLICY = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def chosen(session: Session, kind: str) -> Setting:
    """What the form asks for (stock, symbology, output), else what the user's site prints on.

    Raises Invalid as ``label_stocks.choose`` does.
    """
    form = request.form
    return label_stocks.choose(
        session,
        kind,
        stock_name=form.get("stock", "")[:40],
        symbology=form.get("symbology", "")[:20],
        output=form.get("output", "")[:20],
        site=current_user.site_code,
    )


def send(drawings: Sequence[Drawing], on: Setting, name: str, *, copies: int = 1) -> Response:
    """The labels as a file: each ``copies`` times, on a sheet after the places that the form says were used (``skip``).

    Raises Invalid ``label_skip``, else Invalid or Unavailable as ``labels.pdf`` and ``zpl`` do.
    """
    skip = _skip(on.stock)
    if on.output == label_stocks.PDF:
        repeated = [drawing for drawing in drawings for _ in range(copies)]
        return pdf_response(pdf.pages(repeated, on.stock, fonts.font_name(), skip=skip), name)
    text = zpl.labels(drawings, on.stock, mode=on.output, copies=copies)
    response = Response(text.encode(), mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.zpl"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _skip(stock: Stock) -> int:
    text = request.form.get("skip", "").strip() or "0"
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and int(text) < stock.per_page):
        raise Invalid("label_skip", field="skip", most=stock.per_page - 1)
    return int(text)


def reason(session: Session, kind: str, subject: str, *, version: int | None = None) -> str:
    """Why it is printed again, by the form; empty at a first print. Raises prints.ReprintReason."""
    again = prints.was_printed(session, kind, subject, version=version)
    return prints.checked_reason(request.form.get("reason", ""), again=again)


def ask_why(_error: prints.ReprintReason) -> tuple[str, int]:
    """A page that asks why, and sends the same form again with the answer: for every print, from wherever."""
    return render_template(
        "labels/again.html",
        action=request.path,
        fields=[pair for pair in request.form.items(multi=True) if pair[0] not in {"csrf_token", "reason"}],
        reprint_words=REPRINT_REASONS,
    ), 400


def pdf_response(data: bytes, name: str) -> Response:
    response = Response(data, mimetype="application/pdf")
    response.headers["Content-Disposition"] = f'inline; filename="{name}.pdf"'
    response.headers["Content-Security-Policy"] = PDF_POLICY
    return response
