"""What no text of ours may hold, refused where it comes in: PostgreSQL takes no NUL, and no label shows one.

And lists that are read part by part, so that what is no text in one of them does not take the others with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec
from flask import request

from logistics.errors import Invalid

MAX_DEPTH = 12
MAX_NAME = 64
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)


def listed(envelope: type[msgspec.Struct], most: int, *, malformed: str, too_many: str) -> Sequence[msgspec.Raw]:
    """The parts of the request's body, at most ``most``. Raises Invalid: these two codes and ``json_malformed``."""
    (name,) = envelope.__struct_fields__
    try:
        sent = parts(request.get_data(), envelope)
    except msgspec.ValidationError as error:
        raise Invalid(malformed, field=name, detail=str(error)) from None
    except (ValueError, RecursionError):
        raise Invalid("json_malformed", field=name) from None
    if len(sent) > most:
        raise Invalid(too_many, field=name, limit=most)
    return sent


def parts(body: bytes, envelope: type[msgspec.Struct]) -> Sequence[msgspec.Raw]:
    """The parts of ``{"<name>": [part, …]}``, each to be decoded for itself. ``envelope``: a struct of that one list.

    Half a character in one part, or a part that is nested too deep, is not even passed over by the strict reader;
    then the list is taken apart by its brackets alone. Raises msgspec.ValidationError where the body has another shape,
    ValueError or RecursionError where it is no JSON.
    """
    (name,) = envelope.__struct_fields__
    try:
        found: Sequence[msgspec.Raw] = getattr(msgspec.json.decode(body, type=envelope), name)
        return found
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        apart = _apart(body, name.encode())
        if apart is None:
            raise
        return [msgspec.Raw(part) for part in apart]


def _apart(body: bytes, name: bytes) -> list[bytes] | None:
    """The same by brackets; None where they do not match."""
    opening = re.match(rb'\s*\{\s*"' + name + rb'"\s*:\s*\[\s*', body)
    if opening is None:
        return None
    found: list[bytes] = []
    open_: list[bytes] = []
    start = opening.end()
    for token in _TOKEN.finditer(body, start):
        sign = token[0]
        if sign in (b"[", b"{"):
            open_.append(b"]" if sign == b"[" else b"}")
        elif sign in (b"]", b"}") and open_:
            if open_.pop() != sign:
                return None
        elif sign == b"," and not open_:
            found.append(body[start : token.start()].strip())
            start = token.end()
        elif sign == b"]":
            last = body[start : token.start()].strip()
            found += [last] if last or found else []
            whole = all(found) and re.fullmatch(rb"\s*\}\s*", body[token.end() :])
            return found if whole else None
        elif sign in (b"}", b'"'):
            return None  # closes what nobody opened; a text without an end
    return None


def named(raw: msgspec.Raw, key: str) -> str:
    """What a part that could not be read says under ``key``: only to tell its sender which it was. "" where that cannot
    be told. Half characters in it would be no text of the answer."""
    try:
        value = json.loads(bytes(raw).decode(errors="replace"))
    except (ValueError, RecursionError):
        return ""
    return str(value.get(key, ""))[:MAX_NAME].encode(errors="replace").decode() if isinstance(value, dict) else ""


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
