"""The API's document (OpenAPI 3.1): one entry a path, kept by hand, put together on request.

Prose is translated like that of pages; roles are read off the views, so that they cannot differ from the truth.
``tests/web/test_openapi.py`` compares the paths with the routes and real answers with the schemas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask
from flask_babel import gettext
from flask_babel import lazy_gettext as _l

from web import access
from web.openapi import custody, masters, network, planning, telemetry, transport
from web.openapi.parts import ERROR, Operation
from web.openapi.schemas import SCHEMAS

VERSION = "1.0"
PATHS: dict[str, dict[str, Operation]] = {
    **custody.PATHS,
    **network.PATHS,
    **transport.PATHS,
    **planning.PATHS,
    **masters.PATHS,
    **telemetry.PATHS,
}
TAGS: dict[str, Any] = {
    "custody": _l("Acts of custody"),
    "orders": _l("Orders"),
    "records": _l("Records"),
    "courier": _l("The courier’s phone"),
    "planning": _l("Plans and live board"),
    "alerts": _l("Alerts"),
    "telemetry": _l("Loggers"),
    "keys": _l("Keys for machines"),
    "system": _l("The installation"),
}


def document(app: Flask) -> dict[str, Any]:
    """The whole document in the reader's language. It names no server: the one that gave it is meant."""
    roles = endpoint_roles(app)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Labrelay API",
            "version": VERSION,
            "description": gettext(
                "Times are ISO 8601 with a zone. Errors carry a stable code, a sentence for people and the field they"
                " are about. Machines send a key: make one with POST /api/v1/tokens, then send"
                " “Authorization: Bearer …”. Pages send their cookie together with the header X-CSRFToken."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": str(name)} for name in TAGS.values()],
        "paths": {
            path: {method: _operation(entry, roles.get((path, method))) for method, entry in methods.items()}
            for path, methods in PATHS.items()
        },
        "components": {
            "schemas": _plain(SCHEMAS),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "labrelay"},
            },
        },
        "security": [{"key": []}, {"session": []}],
    }


def endpoint_roles(app: Flask) -> dict[tuple[str, str], frozenset[str]]:
    """(path as OpenAPI writes it, method in small letters) → roles, of every route of the API."""
    found = {}
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/v1/"):
            continue
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            found[openapi_path(rule.rule), method.lower()] = access.roles_of(app, rule.endpoint)
    return found


def openapi_path(rule: str) -> str:
    """``/plans/<int:plan_id>`` as ``/plans/{plan_id}``."""
    parts = []
    for part in rule.split("/"):
        inside = part.startswith("<") and part.endswith(">")
        parts.append("{" + part[1:-1].rpartition(":")[2] + "}" if inside else part)
    return "/".join(parts)


def _operation(entry: Operation, roles: frozenset[str] | None) -> dict[str, Any]:
    public = roles == access.PUBLIC
    found: dict[str, Any] = {
        "operationId": entry.name,
        "tags": [str(TAGS[entry.tag])],
        "summary": str(entry.summary),
        "responses": {str(entry.status): _answer(entry)} | {str(status): ERROR for status in entry.errors(public)},
    }
    if entry.text:
        found["description"] = str(entry.text)
    if entry.params:
        found["parameters"] = _plain(list(entry.params))
    if entry.body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": _plain(entry.body)}}
    if public:
        found["security"] = []
    elif roles is not None:
        found["x-roles"] = sorted(roles)
    return found


def _answer(entry: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {"description": gettext("Done.")}
    if entry.answer is not None:
        found["content"] = {"application/json": _plain(entry.answer)}
    return found


def _plain(value: Any) -> Any:
    """The same without lazy texts."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return str(value)


__all__ = ["PATHS", "document", "endpoint_roles", "openapi_path"]
