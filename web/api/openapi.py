"""GET /api/v1/openapi.json: the API's document."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify

from web.access import access
from web.openapi import document

blueprint = Blueprint("openapi", __name__, url_prefix="/api/v1")


@blueprint.get("/openapi.json")
@access("public")
def specification() -> Response:
    """OpenAPI 3.1, in the reader's language."""
    return jsonify(document(current_app._get_current_object()))  # type: ignore[attr-defined]
