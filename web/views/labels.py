"""Printing: specimen, box and consignment labels, manifests. Every print is logged."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import clock, labels
from logistics.db import transaction
from logistics.domain.access import Scope
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Box, Consignment, ConsignmentLine, ManifestVersion, PrintEntry, Site, Specimen
from logistics.queries import receiving, worklists
from web.access import access
from web.auth import scope
from web.rendering import locale
from web.views import office
from web.views.receiver import command_list

blueprint = Blueprint("labels", __name__, url_prefix="/print")
# Chrome shows a PDF through an embedded object, which the strict policy of pages would forbid.
PDF_POLICY = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
MAX_LABELS = 300
MARKS = {"scanned": "√", "ticked": "√", "found": "√", "missing": "×"}


def _pdf(data: bytes, name: str) -> Response:
    response = Response(data, mimetype="application/pdf")
    response.headers["Content-Disposition"] = f'inline; filename="{name}.pdf"'
    response.headers["Content-Security-Policy"] = PDF_POLICY
    return response


def _log(session: Session, kind: str, subject: str, *, version: int | None = None) -> None:
    session.add(
        PrintEntry(
            at=clock.now(), username=current_user.username, kind=kind, subject=subject, copies=1, version=version
        )
    )


def _stock(default: str) -> labels.Stock:
    return labels.stock(request.form.get("stock") or default)


@blueprint.post("/specimens")
@access("collector", "receiver")
def specimens() -> Response:
    """Labels of the chosen tubes (``id`` repeated), or of all that have none yet (``all=unprinted``)."""
    ids = [int(value) for value in request.form.getlist("id") if value.isdecimal() and len(value) < 10]
    with transaction() as session:
        if request.form.get("all") == "unprinted":
            chosen = worklists.unprinted(session, scope(), now=clock.now())
        else:
            chosen = worklists.own_specimens(session, scope(), ids)
        if not chosen:
            raise Invalid("label_none", field="id")
        data = labels.specimen_labels(
            [_specimen_label(one) for one in chosen[:MAX_LABELS]], stock=_stock("roll_50x30"), translate=gettext
        )
        for one in chosen[:MAX_LABELS]:
            one.labels_printed += 1
            _log(session, "specimen_label", one.accession)
    return _pdf(data, "labels")


def _specimen_label(one: Specimen) -> labels.SpecimenLabel:
    return labels.SpecimenLabel(
        accession=one.accession,
        site=office.site_name(one.collecting_site_code),
        specimen_type=office.type_name(one.specimen_type),
        container=office.container_name(one.container),
        tests=tuple(office.test_words(one)),
        priority=one.priority,
        temp_class=one.temp_class,
        patient_ref=one.patient_ref,
    )


@blueprint.post("/consignments/<number>/label")
@access("collector", "receiver", "manager")
def consignment(number: str) -> Response:
    """The QR label of a sealed consignment: what is scanned at each handover."""
    with transaction() as session:
        one = _consignment(session, scope(), number)
        label = labels.ConsignmentLabel(
            number=one.number,
            origin=office.site_name(one.origin_code),
            destination=office.site_name(one.destination_code),
            temp_class=one.temp_class,
            box=one.box_code,
            tube_count=_tubes_inside(session, one),
            priority=one.priority,
        )
        data = labels.consignment_labels([label], stock=_stock("roll_60x40"), translate=gettext)
        _log(session, "consignment_label", one.number, version=one.manifest_version)
    return _pdf(data, one.number)


def _tubes_inside(session: Session, one: Consignment) -> int:
    query = select(ConsignmentLine.specimen_id).where(
        ConsignmentLine.consignment_number == one.number, ConsignmentLine.outcome.not_in(("refused", "unpacked"))
    )
    return len(session.scalars(query).all())


@blueprint.post("/boxes/<code>/label")
@access("collector", "receiver", "administrator")
def box(code: str) -> Response:
    """The label of a transport box, with the UN3373 mark."""
    with transaction() as session:
        one = session.get(Box, code)
        if one is None or not scope().covers(one.home_code, one.location_code):
            raise NotFound("box_unknown", field="box", box=code)
        home = office.site_name(one.home_code)
        label = labels.BoxLabel(one.code, one.temp_class, home, *_responsible(session, one))
        data = labels.box_labels([label], stock=_stock("roll_100x150"), translate=gettext)
        _log(session, "box_label", one.code)
    return _pdf(data, one.code)


def _responsible(session: Session, one: Box) -> tuple[str, str]:

    site = session.get_one(Site, one.home_code)
    return site.contact_name or site.name(locale()), site.contact_phone


@blueprint.post("/consignments/<number>/manifest")
@access("collector", "receiver", "manager", "courier")
def manifest(number: str) -> Response:
    """The locked manifest with the signatures so far; an earlier version when ``version`` is given."""
    with transaction() as session:
        one = _consignment(session, scope(), number)
        version = request.form.get("version", type=int) or one.manifest_version
        locked = session.scalars(
            select(ManifestVersion).where(
                ManifestVersion.consignment_number == number, ManifestVersion.version == version
            )
        ).first()
        if locked is None:
            raise Conflict("manifest_not_locked", field="consignment", consignment=number)
        data = labels.manifest_pdf(
            _manifest(session, one, locked),
            printed_at=clock.now(),
            printed_by=current_user.name(locale()),
            translate=gettext,
        )
        _log(session, "manifest", number, version=locked.version)
    return _pdf(data, f"{number}-{locked.version}")


@blueprint.post("/commands")
@access("receiver", "manager")
def commands() -> Response:
    """The sheet of command barcodes for the receiving desk."""
    with transaction() as session:
        sheet = [labels.CommandCode(one["command"], one["name"], one["key"] or "") for one in command_list(session)]
        data = labels.command_sheet(sheet, title=gettext("Command barcodes"))
        _log(session, "command_sheet", office.own_site())
    return _pdf(data, "commands")


def _consignment(session: Session, seen: Scope, number: str) -> Consignment:
    one = session.get(Consignment, number)
    mine = one is not None and (
        one.holder == current_user.username or seen.covers(one.origin_code, one.destination_code)
    )
    if one is None or not mine:
        raise NotFound("consignment_unknown", field="consignment", consignment=number)
    return one


def _manifest(session: Session, one: Consignment, locked: ManifestVersion) -> labels.Manifest:
    outcomes = {entry.specimen.id: entry.line.outcome for entry in receiving.receipt(session, one).lines}
    found = {row.id: row for row in session.scalars(select(Specimen).where(Specimen.id.in_(_ids(locked))))}
    sealed_by = worklists.people(session, [locked.locked_by]).get(locked.locked_by)
    return labels.Manifest(
        number=one.number,
        version=locked.version,
        origin=office.site_name(one.origin_code),
        destination=office.site_name(one.destination_code),
        box=one.box_code,
        temp_class=one.temp_class,
        seal=locked.seal_number,
        sealed_at=locked.locked_at,
        sealed_by=sealed_by.name(locale()) if sealed_by else locked.locked_by,
        lines=tuple(_line(entry, found, outcomes) for entry in locked.lines),
        signatures=_signatures(session, one),
        priority=one.priority,
        departed_at=one.departed_at,
        arrived_at=one.arrived_at,
    )


def _ids(locked: ManifestVersion) -> list[int]:
    return [int(entry["specimen"]) for entry in locked.lines]


def _line(entry: dict[str, Any], found: dict[int, Specimen], outcomes: dict[int, str]) -> labels.ManifestLine:
    """A line as it was locked; only names come from the tables of today."""
    specimen = found.get(int(entry["specimen"]))
    mark = {"scanned": "√", "ticked": "√", "found": "√", "missing": "×"}.get(
        outcomes.get(int(entry["specimen"]), ""), ""
    )
    kind = f"{office.type_name(str(entry['type']))} {office.container_name(str(entry['container']))}"
    return labels.ManifestLine(
        accession=str(entry["accession"]),
        specimen=kind.strip(),
        tests=tuple(office.test_words(specimen)) if specimen else tuple(entry["tests"]),
        priority=str(entry["priority"]),
        collected_at=clock.parse_instant(entry["collected_at"]) if entry.get("collected_at") else None,
        use_by_at=clock.parse_instant(entry["use_by"]) if entry.get("use_by") else None,
        received=mark,
    )


def _signatures(session: Session, one: Consignment) -> tuple[labels.Signature, ...]:
    words = {"pickup": gettext("Pickup"), "delivery": gettext("Delivery"), "transfer": gettext("Transfer")}
    signed = worklists.handovers(session, [one.number]).get(one.number, [])
    return tuple(
        labels.Signature(
            place=office.site_name(each.site_code),
            at=each.occurred_at,
            given_by=each.giver_name or gettext("by the seal"),
            taken_by=each.taker_name,
            meaning=words.get(each.meaning, each.meaning),
            box_temp_c=each.box_temp_c,
        )
        for each in signed
    )
