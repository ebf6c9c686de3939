"""GET /api/v1/openapi.json: the API's document."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify, request

from web.access import access
from web.openapi import document

blueprint = Blueprint("openapi", __name__, url_prefix="/api/v1")


@blueprint.get("/openapi.json")
@access("public")
def specification() -> Response:
    """OpenAPI 3.1, in the reader's language."""
    base_url = request.host_url.rstrip("/")  # where the caller reached us, so that the viewer may try requests
    return jsonify(document(current_app._get_current_object(), base_url))  # type: ignore[attr-defined]
