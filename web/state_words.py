"""The words of states and priorities as plain text, from the same macros that draw them on pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flask import get_template_attribute

STATES = "macros/states.html"


def words(macro: str, codes: Iterable[str]) -> Mapping[str, str]:
    """Code → word in the reader's language. Call it while the request lasts: a file is written after it."""
    draw = get_template_attribute(STATES, macro)
    return {code: draw(code).striptags() for code in codes}
