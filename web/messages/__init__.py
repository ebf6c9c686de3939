"""The sentence for every error and reason code, in one place: codes stay in the rules, prose stays here.

Each area has a module with ``MESSAGES: dict[code, lazy sentence]``; they are merged on import and a code that
stands in two areas is an error.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from flask_babel import get_locale

from logistics.errors import LabrelayError


def _collect() -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for module in pkgutil.iter_modules(__path__):
        messages: Mapping[str, Any] = importlib.import_module(f"{__name__}.{module.name}").MESSAGES
        clash = merged.keys() & messages.keys()
        if clash:
            raise RuntimeError(f"codes with two sentences: {sorted(clash)}")
        merged.update(messages)
    return merged


MESSAGES = _collect()


def sentence(code: str, params: Mapping[str, object] | None = None) -> str:
    """The sentence for ``code`` in the language of the request; the bare code when none is known."""
    template = MESSAGES.get(code)
    if template is None:
        return code
    try:
        return str(template) % {name: _in_language(value) for name, value in (params or {}).items()}
    except (KeyError, TypeError, ValueError):
        return str(template)


def _in_language(value: object) -> object:
    """A name that a rule gives in both languages, in the reader's."""
    if isinstance(value, Mapping) and value.keys() == {"zh", "en"}:
        return value["en" if str(get_locale()) == "en" else "zh"]
    return value


def sentence_of(error: LabrelayError) -> str:
    return sentence(error.code, error.params)
