"""The courier's page: a shell that scripts fill from what the phone keeps, so that it opens without a signal."""

from __future__ import annotations

from flask import Blueprint, render_template

from web.access import access

blueprint = Blueprint("courier", __name__)


@blueprint.get("/courier")
@access("courier")
def today() -> str:
    return render_template("courier/today.html")
