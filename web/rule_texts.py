"""Alarm rules in words, from what their code says (telemetry.profile.code_of)."""

from __future__ import annotations

import re
from typing import Any

from flask_babel import gettext

_LIMIT = r"(?P<or>at_or_)?(?P<side>above|below)_(?P<limit>-?[\d.e-]+)"
_RUN = re.compile(_LIMIT + r"_for_(?P<minutes>[\d.]+)")
_SUM = re.compile(_LIMIT + r"_sum_(?P<minutes>[\d.]+)_in_(?P<hours>[\d.]+)h")
_ONCE = re.compile(_LIMIT + r"_at_once")
_RATE = re.compile(r"(?P<side>rise|fall)_(?P<limit>[\d.]+)_in_(?P<minutes>[\d.]+)")


def rule_words(code: str) -> str:
    """The rule in words; the code itself when it says nothing that is known."""
    return str(_words(code))


def _words(code: str) -> Any:
    if found := _RUN.fullmatch(code):
        return gettext("%(limit)s for %(minutes)s minutes", limit=_limit(found), minutes=found["minutes"])
    if found := _SUM.fullmatch(code):
        return gettext(
            "%(limit)s for %(minutes)s minutes in all within %(hours)s hours",
            limit=_limit(found),
            minutes=found["minutes"],
            hours=found["hours"],
        )
    if found := _ONCE.fullmatch(code):
        return gettext("%(limit)s at once", limit=_limit(found))
    if found := _RATE.fullmatch(code):
        told = {"degrees": found["limit"], "minutes": found["minutes"]}
        if found["side"] == "rise":
            return gettext("risen by more than %(degrees)s °C within %(minutes)s minutes", **told)
        return gettext("fallen by more than %(degrees)s °C within %(minutes)s minutes", **told)
    return code


def _limit(found: re.Match[str]) -> str:
    limit = found["limit"].replace("-", "−")
    if found["side"] == "above":
        words = (
            gettext("at or above %(limit)s °C", limit=limit)
            if found["or"]
            else gettext("above %(limit)s °C", limit=limit)
        )
    elif found["or"]:
        words = gettext("at or below %(limit)s °C", limit=limit)
    else:
        words = gettext("below %(limit)s °C", limit=limit)
    return str(words)
