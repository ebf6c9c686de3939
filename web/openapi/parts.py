"""The pieces that paths are written with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l

ERROR: dict[str, Any] = {
    "description": "code · sentence · field",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. ``answer`` and ``body`` are media objects (schema, example)."""

    name: str
    tag: str
    summary: Any
    text: Any = ""
    params: tuple[dict[str, Any], ...] = ()
    body: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None
    status: int = 200
    fails: tuple[int, ...] = ()

    def errors(self, public: bool) -> list[int]:
        """The statuses of errors that a caller must expect."""
        found = set(self.fails)
        if not public:
            found |= {401, 403}
        if self.body is not None:
            found.add(400)
        if any(one["in"] == "path" for one in self.params):
            found.add(404)
        return sorted(found)


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def media(schema: dict[str, Any], example: Any = None) -> dict[str, Any]:
    return {"schema": schema} if example is None else {"schema": schema, "example": example}


def array(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def obj(properties: dict[str, Any], *, optional: tuple[str, ...] = (), loose: bool = False) -> dict[str, Any]:
    """An object with these properties, all needed but the optional ones, and no others unless ``loose``."""
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    required = [name for name in properties if name not in optional]
    if required:
        schema["required"] = required
    if not loose:
        schema["additionalProperties"] = False
    return schema


def listed(name: str, key: str) -> dict[str, Any]:
    """{key: [name, …]}"""
    return media(obj({key: array(ref(name))}))


def text(description: Any = "", *, null: bool = False, **more: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": ["string", "null"] if null else "string", **more}
    if description:
        schema["description"] = description
    return schema


def number(kind: str = "integer", description: Any = "", *, null: bool = False, **more: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": [kind, "null"] if null else kind, **more}
    if description:
        schema["description"] = description
    return schema


def instant(*, null: bool = False) -> dict[str, Any]:
    return text(null=null, format="date-time")


def word(values: tuple[str, ...], description: Any = "", *, null: bool = False) -> dict[str, Any]:
    return text(description, null=null, enum=[*values, None] if null else list(values))


BOOL: dict[str, Any] = {"type": "boolean"}


def path_param(name: str, description: Any = "", *, kind: str = "string") -> dict[str, Any]:
    return _param(name, "path", description, kind, required=True)


def query_param(name: str, description: Any = "", *, kind: str = "string") -> dict[str, Any]:
    return _param(name, "query", description, kind, required=False)


def _param(name: str, place: str, description: Any, kind: str, *, required: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "in": place, "required": required, "schema": {"type": kind}}
    if description:
        found["description"] = description
    return found


LIMIT = query_param("limit", _l("How many at most: 1 to 500."), kind="integer")
STATES = query_param("state", _l("States, separated by commas."))
