"""Printing for loads on the way back: labels of items, and the list that travels with a box or bag."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import clock, labels
from logistics.db import transaction
from logistics.domain.acts import HOWS
from logistics.errors import Conflict, Invalid
from logistics.labels.sizes import SPECIMEN
from logistics.models import Consignment, Handover, Item, ManifestVersion
from logistics.queries import loads as queries
from logistics.services import prints
from web import load_words, printing
from web.access import access
from web.auth import scope
from web.rendering import locale
from web.views import office
from web.views.labels import manifest_of

blueprint = Blueprint("load_prints", __name__, url_prefix="/print/loads")
MOST_LABELS = 300


@blueprint.post("/items", endpoint="labels")
@access("receiver", "manager")
def item_labels() -> Response:
    """Labels of the items named (``item`` repeated), as ``labels.specimens`` takes the rest of the form."""
    numbers = request.form.getlist("item")[:MOST_LABELS]
    with transaction() as session:
        query = select(Item).where(Item.number.in_(numbers)).order_by(Item.destination_code, Item.number)
        chosen = [one for one in session.scalars(query) if scope().covers(one.origin_code, one.location_code)]
        if not chosen:
            raise Invalid("label_none", field="item")
        on = printing.chosen(session, SPECIMEN)
        again = [one for one in chosen if one.labels_printed]
        reason = prints.checked_reason(request.form.get("reason", ""), again=bool(again))
        copies = prints.checked_copies(request.form.get("copies", ""))
        drawings = labels.specimen_drawings(
            [label_of(one) for one in chosen], stock=on.stock, symbology=on.symbology, translate=gettext
        )
        response = printing.send(drawings, on, "labels", copies=copies)
        for one in chosen:
            why = reason if one.labels_printed else ""
            _log(session, "item_label", one.number, copies=copies, output=on.output, reason=why)
            one.labels_printed += copies
    return response


def _log(session: Session, kind: str, subject: str, **more: Any) -> None:
    prints.log(session, kind, subject, by=current_user.username, now=clock.now(), site=current_user.site_code, **more)


def label_of(item: Item) -> labels.SpecimenLabel:
    return labels.SpecimenLabel(
        accession=item.number,
        site=office.site_name(item.destination_code),
        specimen_type=load_words.kind_name(item.kind),
        tests=_facts(item),
        temp_class=item.temp_class or "",
    )


def _facts(item: Item) -> tuple[str, ...]:
    amount = f"{item.description} × {item.quantity}" if item.quantity > 1 else item.description
    lot = gettext("Lot %(lot)s", lot=item.lot) if item.lot else ""
    until = gettext("use until %(day)s", day=item.expires_on) if item.expires_on else ""
    return tuple(part for part in (amount, lot, until) if part)


@blueprint.post("/<number>/list", endpoint="manifest")
@access("collector", "courier", "receiver", "manager")
def manifest_list(number: str) -> Response:
    """The locked list of a return load with the signatures so far."""
    with transaction() as session:
        load = queries.load(session, scope(), number)
        locked = queries.manifest(session, number)
        if locked is None:
            raise Conflict("manifest_not_locked", field="consignment", consignment=number)
        why = printing.reason(session, "manifest", number, version=locked.version)
        data = labels.manifest_pdf(
            _manifest(session, load, locked),
            printed_at=clock.now(),
            printed_by=current_user.name(locale()),
            translate=gettext,
        )
        _log(session, "manifest", number, version=locked.version, reason=why)
    return printing.pdf_response(data, number)


def _manifest(session: Session, load: queries.Load, locked: ManifestVersion) -> labels.Manifest:
    one: Consignment = load.consignment
    outcomes = {line.item_number: line.outcome for line, _ in load.lines}
    marks = {**dict.fromkeys(HOWS, "√"), "missing": "×"}
    found = {item.number: item for _, item in load.lines}
    lines = tuple(
        labels.ManifestLine(
            accession=str(entry["item"]),
            specimen=load_words.kind_name(str(entry["kind"])),
            tests=_facts(found[entry["item"]]) if entry["item"] in found else (str(entry["description"]),),
            received=marks.get(outcomes.get(entry["item"], ""), ""),
        )
        for entry in locked.lines
        if "item" in entry
    )
    return manifest_of(session, one, locked, lines, tuple(_signature(each) for each in load.handovers))


def _signature(each: Handover) -> labels.Signature:
    return labels.Signature(
        place=office.site_name(each.site_code),
        at=each.occurred_at,
        given_by=each.giver_name or gettext("by the seal"),
        taken_by=each.taker_name,
        meaning=str(load_words.MEANINGS.get(each.meaning, each.meaning)),
        box_temp_c=each.box_temp_c,
    )
