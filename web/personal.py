"""No identity number and no phone number of a patient is taken by any form or JSON of ours.

Acts and orders are looked at one by one where they are recorded (``services.act_fields``), so that a bad one does not
take the others with it. Everything else that is sent stops here, before anything is kept: JSON before its view is
asked, a form inside of its view (``refuse``, which ``forms.attempt`` calls), so that the page comes again with the
sentence at the field and all that was typed. A view that does not ask is refused when it commits: nothing gets past.
What an administrator writes about sites, users and alert channels may hold the phone numbers of staff.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Flask, g, has_app_context, request
from sqlalchemy import event

from logistics.db import db
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
    if not event.contains(db.session, "before_commit", _refuse_to_commit):
        event.listen(db.session, "before_commit", _refuse_to_commit)

    @app.before_request
    def _no_personal_number() -> None:
        """Raises Invalid ``text_has_id_number`` or ``text_has_phone``, naming the field; ``json_malformed``."""
        g.personal_number = None
        if request.method in {"GET", "HEAD", "OPTIONS"} or request.endpoint in ONE_BY_ONE:
            return
        try:
            _look()
        except RecursionError:  # nested deeper than anything of ours is
            raise Invalid("json_malformed", field="body") from None
        except Invalid as found:
            if request.mimetype not in FORMS:
                raise
            g.personal_number = found

    @app.teardown_request
    def _forget(_error: BaseException | None) -> None:
        g.personal_number = None


def refuse() -> None:
    """Raises what was found in the form of this request, once: the page that says so may log that it was shown."""
    found = g.get("personal_number") if has_app_context() else None
    if found is not None:
        g.personal_number = None
        raise found


def _refuse_to_commit(_session: object) -> None:
    refuse()


def _look() -> None:
    staff = (request.endpoint or "").startswith(STAFF)
    for name, value in _sent():
        personal.require_none(value, field=name, phones=not staff and name in WORDS)


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
