"""Printing: specimen, box and consignment labels, manifests. Every print is logged (``services/prints.py``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, request
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import clock, labels
from logistics.db import transaction
from logistics.domain import seals
from logistics.domain.access import Scope
from logistics.domain.acts import HOWS
from logistics.errors import Conflict, Invalid, NotFound
from logistics.labels.sizes import BOX, CONSIGNMENT, SPECIMEN
from logistics.models import Box, Consignment, ConsignmentLine, Handover, ManifestVersion, Reason, Site, Specimen
from logistics.queries import receiving, worklists
from logistics.services import prints
from logistics.services.items import RETURN
from web import patients, printing
from web.access import access
from web.auth import scope
from web.rendering import locale
from web.views import office
from web.views.receiver import command_list

blueprint = Blueprint("labels", __name__, url_prefix="/print")
blueprint.app_errorhandler(prints.ReprintReason)(printing.ask_why)
MAX_LABELS = 300
MARKS = {**dict.fromkeys((*HOWS, "found"), "√"), "missing": "×"}


def _log(session: Session, kind: str, subjects: Sequence[str], **more: Any) -> None:
    prints.log_all(
        session, kind, subjects, by=current_user.username, now=clock.now(), site=current_user.site_code, **more
    )


@blueprint.post("/specimens")
@access("collector", "receiver")
def specimens() -> Response:
    """Labels of the chosen tubes (``id`` repeated), or of all that have none yet (``all=unprinted``).

    ``reason`` is needed when one of them was printed before; ``copies``, ``stock``, ``symbology`` and ``output`` may
    differ from what the site prints on; ``skip``: places of a sheet that were used before.
    """
    ids = [int(value) for value in request.form.getlist("id") if value.isdecimal() and len(value) < 10]
    with transaction() as session:
        if request.form.get("all") == "unprinted":
            found = worklists.unprinted(session, scope(), now=clock.now())
        else:
            found = worklists.own_specimens(session, scope(), ids)
        if not found:
            raise Invalid("label_none", field="id")
        one_by_one = found[:MAX_LABELS]
        on = printing.chosen(session, SPECIMEN)
        copies = prints.checked_copies(request.form.get("copies", ""))
        again = [one for one in one_by_one if one.labels_printed]
        reason = prints.checked_reason(request.form.get("reason", ""), again=bool(again))
        drawings = labels.specimen_drawings(
            [_specimen_label(one) for one in one_by_one], stock=on.stock, symbology=on.symbology, translate=gettext
        )
        response = printing.send(drawings, on, "labels", copies=copies)
        first = [one.accession for one in one_by_one if not one.labels_printed]
        _log(session, "specimen_label", first, copies=copies, output=on.output)
        _log(
            session, "specimen_label", [one.accession for one in again], copies=copies, output=on.output, reason=reason
        )
        patients.log(session, one_by_one, "labels")
        for one in one_by_one:
            one.labels_printed += copies
    return response


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
        why = printing.reason(session, "consignment_label", one.number, version=one.manifest_version)
        on = printing.chosen(session, CONSIGNMENT)
        copies = prints.checked_copies(request.form.get("copies", ""))
        drawings = labels.consignment_drawings([label], stock=on.stock, symbology=on.symbology, translate=gettext)
        response = printing.send(drawings, on, one.number, copies=copies)
        _log(
            session, "consignment_label", [one.number], version=one.manifest_version, copies=copies, output=on.output,
            reason=why,
        )  # fmt: skip
    return response


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
        why = printing.reason(session, "box_label", one.code)
        on = printing.chosen(session, BOX)
        copies = prints.checked_copies(request.form.get("copies", ""))
        drawings = labels.box_drawings([label], stock=on.stock, symbology=on.symbology, translate=gettext)
        response = printing.send(drawings, on, one.code, copies=copies)
        _log(session, "box_label", [one.code], copies=copies, output=on.output, reason=why)
    return response


def _responsible(session: Session, one: Box) -> tuple[str, str]:
    site = session.get_one(Site, one.home_code)
    return site.contact_name or site.name(locale()), site.contact_phone


@blueprint.post("/consignments/<number>/manifest")
@access("collector", "receiver", "manager", "courier")
def manifest(number: str) -> Response:
    """The locked manifest with the signatures so far; an earlier version when ``version`` is given."""
    with transaction() as session:
        one = _consignment(session, scope(), number)
        if one.kind == RETURN:
            raise Conflict("manifest_of_load", field="consignment", consignment=number)
        locked = _locked(session, one)
        if locked is None:
            raise Conflict("manifest_not_locked", field="consignment", consignment=number)
        why = printing.reason(session, "manifest", number, version=locked.version)
        data = labels.manifest_pdf(
            _manifest(session, one, locked),
            printed_at=clock.now(),
            printed_by=current_user.name(locale()),
            translate=gettext,
        )
        _log(session, "manifest", [number], version=locked.version, reason=why)
    return printing.pdf_response(data, f"{number}-{locked.version}")


def _locked(session: Session, one: Consignment) -> ManifestVersion | None:
    text = request.form.get("version", "")
    version = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else one.manifest_version
    query = select(ManifestVersion).where(
        ManifestVersion.consignment_number == one.number, ManifestVersion.version == version
    )
    return session.scalars(query).first()


@blueprint.post("/commands")
@access("receiver", "manager")
def commands() -> Response:
    """The sheet of command barcodes for the receiving desk."""
    with transaction() as session:
        sheet = [labels.CommandCode(one["command"], one["name"], one["key"] or "") for one in command_list(session)]
        data = labels.command_sheet(sheet, title=gettext("Command barcodes"))
        _log(session, "command_sheet", [office.own_site()])
    return printing.pdf_response(data, "commands")


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
    lines = tuple(_line(entry, found, outcomes) for entry in locked.lines)
    return manifest_of(session, one, locked, lines, _signatures(session, one))


def manifest_of(
    session: Session,
    one: Consignment,
    locked: ManifestVersion,
    lines: tuple[labels.ManifestLine, ...],
    signatures: tuple[labels.Signature, ...],
) -> labels.Manifest:
    """The paper of a consignment as it was locked, with the end of the seal where the reader may see it."""
    sealed_by = worklists.people(session, [locked.locked_by]).get(locked.locked_by)
    return labels.Manifest(
        number=one.number,
        version=locked.version,
        origin=office.site_name(one.origin_code),
        destination=office.site_name(one.destination_code),
        box=one.box_code,
        temp_class=one.temp_class,
        seal=seals.shown(locked.seal_number, scope(), one),
        sealed_at=locked.locked_at,
        sealed_by=sealed_by.name(locale()) if sealed_by else locked.locked_by,
        lines=lines,
        signatures=signatures,
        priority=one.priority,
        departed_at=one.departed_at,
        arrived_at=one.arrived_at,
        in_force=one.manifest_version,
    )


def _ids(locked: ManifestVersion) -> list[int]:
    return [int(entry["specimen"]) for entry in locked.lines]


def _line(entry: dict[str, Any], found: dict[int, Specimen], outcomes: dict[int, str]) -> labels.ManifestLine:
    """A line as it was locked; only names come from the tables of today."""
    specimen = found.get(int(entry["specimen"]))
    mark = MARKS.get(outcomes.get(int(entry["specimen"]), ""), "")
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
    words["elsewhere"] = gettext("Left elsewhere")
    signed = worklists.handovers(session, [one.number]).get(one.number, [])
    left = worklists.refused_of(session, one.number) if any(each.refused_count for each in signed) else {}
    return tuple(
        labels.Signature(
            place=office.site_name(each.site_code),
            at=each.occurred_at,
            given_by=_giver(each),
            taken_by=each.taker_name,
            meaning=words.get(each.meaning, each.meaning),
            box_temp_c=each.box_temp_c,
            damage=_left_behind(session, each, left),
        )
        for each in signed
    )


def _giver(each: Handover) -> str:
    """The giver's printed name, and that his signature has not come or says something else."""
    name = each.giver_name or gettext("by the seal")
    if each.state == "giver_outstanding":
        return f"{name} ({gettext('Signature of the giver outstanding')})"
    return f"{name} ({gettext('The giver has signed something else')})" if each.state == "differs" else name


def _left_behind(session: Session, each: Handover, left: dict[str, str]) -> str:
    """'8 of 9, one refused because …'."""
    if not each.refused_count:
        return ""
    named = []
    for accession, code in left.items():
        reason = session.get(Reason, code)
        named.append(f"{accession} {reason.name(locale()) if reason else code}")
    sentence: str = gettext(
        "%(n)s of %(m)s, refused: %(tubes)s",
        n=each.tube_count,
        m=each.tube_count + each.refused_count,
        tubes=gettext(", ").join(named),
    )
    return sentence
