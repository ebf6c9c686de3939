"""What an act kept for review states, in words: names for codes, nothing that only machines read, no patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Reason, User
from logistics.models.specimens import PRIORITIES
from logistics.queries import worklists
from web import consignment_words, load_words, state_words
from web.act_words import ACT_WORDS, FIELD_WORDS
from web.rendering import locale
from web.views import office

SILENT = frozenset({"patient_ref", "patient_name", "label_ref", "handover_id", "recall", "photo", "stranger"})
"""Ids and hashes that say nothing to a reader, and references to patients."""
PEOPLE = ("other", "witness")
SITES = ("bring_to", "destination")


class Words:
    """The names that the acts of one page need, read once."""

    def __init__(self, session: Session, payloads: Sequence[Mapping[str, Any]]) -> None:
        self._reasons = {one.code: one.name(locale()) for one in session.scalars(select(Reason))}
        self._people: Mapping[str, User] = worklists.people(
            session, [str(facts[name]) for facts in payloads for name in PEOPLE if facts.get(name)]
        )
        self._codes: Mapping[str, Mapping[str, Any]] = {
            "condition": state_words.words("condition", ("good", "damaged", "leaked")),
            "priority": state_words.words("priority", PRIORITIES),
            "temp_class": state_words.words("temp_class", ("cold_2_8", "ambient_15_25", "frozen")),
            "reason": self._reasons,
            "method": consignment_words.METHODS,
            "meaning": consignment_words.MEANINGS,
            "decision": ACT_WORDS,
        }

    def facts(self, payload: Mapping[str, Any]) -> list[tuple[str, str]]:
        """(what, how much) of everything that a person wants to know."""
        return [
            (str(FIELD_WORDS.get(key, key)), self._said(key, value))
            for key, value in sorted(payload.items())
            if key not in SILENT
        ]

    def _said(self, key: str, value: Any) -> str:
        if isinstance(value, bool):
            return str(gettext("yes") if value else gettext("no"))
        if isinstance(value, list):
            return str(gettext(", ")).join(self._said(key, one) for one in value) or "–"
        if isinstance(value, Mapping):  # a tube that was refused, and why
            return " ".join(self._said(name, value[name]) for name in ("specimen", "reason") if name in value)
        text = str(value)
        if key in PEOPLE:
            return self._people[text].name(locale()) if text in self._people else text
        if key in SITES:
            return office.site_name(text)
        return load_words.kind_name(text) if key == "kind" else str(self._codes.get(key, {}).get(text, text))
