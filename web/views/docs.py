"""The API's document as a page."""

from __future__ import annotations

from flask import Blueprint, render_template

from web.access import access

blueprint = Blueprint("docs", __name__)


@blueprint.get("/api/docs")
@access("public")
def api() -> str:
    """Reads /api/v1/openapi.json and shows it; nothing comes from elsewhere."""
    return render_template("docs/api.html")
