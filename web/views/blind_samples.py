"""Blind samples: made with the parcel they go down in, labelled and followed by the managers of their laboratory alone.

Every look is in the audit log under the key's own id: neither the number of the parcel nor that of the tube stands
there, nor in the log of prints, where others would read which tube is the trial.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, render_template, request
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import clock, labels
from logistics.db import db, transaction
from logistics.errors import Forbidden, Invalid
from logistics.labels.sizes import SPECIMEN
from logistics.models import BlindKey, Item
from logistics.queries import worklists
from logistics.services import blind, label_stocks, orders, prints
from web import label_words, printing
from web.access import access
from web.auth import audit
from web.rendering import locale
from web.views import office

blueprint = Blueprint("blind_samples", __name__, url_prefix="/loads/blind")
SHOWN = 200
FIELDS = ("reference", "expected", "tests", "label_ref")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the manager wrote beside the parcel."""

    reference: str
    expected: str
    tests: Sequence[str]
    label_ref: str


def asked() -> Asked | None:
    """What the form of a new item says of a blind sample inside. Raises Forbidden for somebody else than a manager;
    Invalid when something is written and the reference or the tests are missing."""
    given = {name: request.form.get(name, "").strip() for name in FIELDS}
    if not any(given.values()):
        return None
    if current_user.role != "manager":
        raise Forbidden("act_role", field="reference")
    tests = given["tests"].replace(",", " ").replace("，", " ").split()
    if not given["reference"]:
        raise Invalid("field_missing", field="reference")
    if not tests:
        raise Invalid("field_missing", field="tests")
    return Asked(given["reference"], given["expected"], tests, given["label_ref"])


def make(session: Session, numbers: Sequence[str], what: Asked) -> None:
    """A blind sample in each of these parcels; the same form sent twice makes none twice."""
    on = label_stocks.setting(session, current_user.site_code, SPECIMEN)
    for number in numbers:
        item = session.get_one(Item, number)
        if session.scalars(select(BlindKey.id).where(BlindKey.item_number == number)).first() is not None:
            continue
        key = blind.make(
            session, item, reference=what.reference, expected=what.expected, tests=what.tests,
            label_ref=what.label_ref, stock=on.stock.name, symbology=on.symbology, by=current_user.username,
            now=clock.now(),
        )  # fmt: skip
        audit(session, "blind_made", key.id)


@blueprint.get("")
@access("manager")
def listing() -> str:
    """What each is, the parcel it went down in, and where its tube is now."""
    session = db.session()
    rows = blind.of_site(session, current_user.site_code, limit=SHOWN)
    page = render_template(
        "loads/blind.html", rows=rows, people=_people(session, [row[0] for row in rows]),
        reprint_words=label_words.REPRINT_REASONS,
    )  # fmt: skip
    if rows:
        with transaction() as writing:
            audit(writing, "blind_read", rows=len(rows))
    return page


def _people(session: Session, keys: Sequence[BlindKey]) -> object:
    return worklists.people(session, [key.made_by for key in keys])


@blueprint.post("/<key_id>/label")
@access("manager")
def label(key_id: str) -> Response:
    """The label of the tube: that of any tube of the township. A second one needs a ``reason``."""
    with transaction() as session:
        key = blind.one(session, current_user.site_code, key_id)
        reason = prints.checked_reason(request.form.get("reason", ""), again=bool(key.labels_printed))
        on = printing.chosen(session, SPECIMEN)
        drawings = labels.specimen_drawings(
            [_label(session, key)], stock=on.stock, symbology=on.symbology, translate=gettext
        )
        response = printing.send(drawings, on, "labels")
        audit(session, "blind_label_printed", key.id, reason=reason)
        key.labels_printed += 1
    return response


def _label(session: Session, key: BlindKey) -> labels.SpecimenLabel:
    """As ``labels._specimen_label`` makes it of a registered tube."""
    tests = orders.known_tests(session, key.tests.split())
    names = [test.code if locale() == "en" else test.short_zh or test.name_zh for test in tests]
    item = session.get_one(Item, key.item_number)
    return labels.SpecimenLabel(
        accession=key.tube_number,
        site=office.site_name(item.destination_code),
        specimen_type=office.type_name(tests[0].specimen_type),
        container=office.container_name(tests[0].container),
        tests=tuple(names),
        temp_class=tests[0].temp_class,
        patient_ref=key.label_ref,
    )
