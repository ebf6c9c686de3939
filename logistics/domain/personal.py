"""Numbers that name a person: identity cards and mobile phones. They belong in no note, list or log of custody.

A full name in a note cannot be told from other words; fields that are meant for a name are masked instead
(``imports.text.mask_name``). The number of a label may have eleven digits like a phone's: labels are searched for
identity numbers alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from logistics.errors import Invalid

ID_NUMBER = re.compile(
    r"(?<!\d)\d{6}[ -]?(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[ -]?\d{3}[\dXx](?![\dXx])", re.ASCII
)
"""Eighteen digits with a birthday in the middle, the last perhaps an X; with blanks as people group them."""

PHONE = re.compile(r"(?<!\d)(?:(?:\+|00)?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)", re.ASCII)
"""A mobile number of the mainland."""

ID, TELEPHONE = "text_has_id_number", "text_has_phone"
SHOWN = 2
_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}  # one character for one


def find(text: str, *, phones: bool = True) -> str | None:
    """The code of what stands in ``text`` and should not, if anything."""
    narrow = text.translate(_NARROW)
    if ID_NUMBER.search(narrow):
        return ID
    return TELEPHONE if phones and PHONE.search(narrow) else None


def require_none(text: str, *, field: str, phones: bool = True) -> None:
    """Raises Invalid ``text_has_id_number`` or ``text_has_phone``."""
    code = find(text, phones=phones)
    if code is not None:
        raise Invalid(code, field=field)


def mask(text: str, *, phones: bool = True) -> str:
    """The text with such numbers starred out but for the last two digits. What is masked already stays."""
    for pattern in (ID_NUMBER, PHONE) if phones else (ID_NUMBER,):
        for match in pattern.finditer(text.translate(_NARROW)):
            start, end = match.span()
            text = text[:start] + "*" * (end - start - SHOWN) + text[end - SHOWN :]
    return text


def mask_all(value: Any, *, phones: bool = True) -> Any:
    """The same for every text inside of lists and mappings."""
    if isinstance(value, str):
        return mask(value, phones=phones)
    if isinstance(value, Mapping):
        return {key: mask_all(one, phones=phones) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask_all(one, phones=phones) for one in value]
    return value
