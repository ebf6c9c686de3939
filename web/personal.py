"""No identity number and no phone number of a patient is taken by any form or JSON of ours.

Acts and orders are looked at one by one where they are recorded (``services.act_fields``), so that a bad one does not
take the others with it. Everything else that is sent stops here, before anything is kept. What an administrator writes
about sites, users and alert channels may hold the phone numbers of staff.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Flask, request

from logistics.domain import personal
from logistics.errors import Invalid

FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
ONE_BY_ONE = frozenset({"acts.post_acts", "orders.post_orders", "readings.post_readings"})
STAFF = ("auth.", "admin", "tokens.")
"""Blueprints whose forms are about staff: their phone numbers are wanted there."""
WORDS = frozenset(
    {"note", "reason", "word", "comment", "description", "expected", "reference", "name", "label_ref", "patient_ref",
     "department"}
)  # fmt: skip
"""Fields in which people write. In others eleven digits may be the number of a label."""


def init_app(app: Flask) -> None:
    @app.before_request
    def _no_personal_number() -> None:
        """Raises Invalid ``text_has_id_number`` or ``text_has_phone``, naming the field; ``json_malformed``."""
        if request.method in {"GET", "HEAD", "OPTIONS"} or request.endpoint in ONE_BY_ONE:
            return
        staff = (request.endpoint or "").startswith(STAFF)
        try:
            for name, value in _sent():
                personal.require_none(value, field=name, phones=not staff and name in WORDS)
        except RecursionError:  # nested deeper than anything of ours is
            raise Invalid("json_malformed", field="body") from None


def _sent() -> Iterator[tuple[str, str]]:
    if request.mimetype in FORMS:
        yield from request.form.items(multi=True)
    elif request.is_json:
        yield from _texts("", request.get_json(silent=True))


def _texts(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _texts(str(key)[:40], one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(name, one)
