"""What no text of ours may hold, refused where it comes in: PostgreSQL takes no NUL, and no label shows one."""

from __future__ import annotations

from typing import Any

from logistics.errors import Invalid

MAX_DEPTH = 12


def refuse_nul(value: Any, *, field: str, depth: int = 0) -> None:
    """Raises Invalid for a NUL character anywhere inside, and for what is nested deeper than any act is."""
    if isinstance(value, str):
        if "\x00" in value:
            raise Invalid("field_malformed", field=field)
    elif isinstance(value, dict | list | tuple):
        if depth >= MAX_DEPTH:
            raise Invalid("field_malformed", field=field)
        inner = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        for one in inner:
            refuse_nul(one, field=field, depth=depth + 1)
