"""Pages of the laboratory: what is coming, the receiving desk, forwarding to the next laboratory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import db
from logistics.domain import seals
from logistics.models import Consignment, Nonconformity, Reason, Specimen, User
from logistics.queries import nonconformities, receiving, worklists
from logistics.services import reasons, recollection
from telemetry import charting
from telemetry import queries as telemetry
from web.access import access
from web.auth import scope
from web.rendering import locale
from web.views import collector, office

blueprint = Blueprint("receiver", __name__, url_prefix="/receiver")


@blueprint.get("/")
@access("receiver", "manager")
def desk() -> str:
    """Scan a box, sign the handover, scan its tubes, decide, close. Works without a mouse."""
    session = db.session()
    now = clock.now()
    code = request.args.get("consignment", "").strip()[:64]
    state = receipt_json(session, receiving.find(session, scope(), code)) if code else None
    rejections = receiving.reject_reasons(session)
    return render_template(
        "receiver/desk.html",
        state=state,
        waiting=[one for one in receiving.incoming(session, scope(), now=now) if one.state in {"arrived", "delivered"}],
        undecided=receiving.undecided(session, office.own_site()),
        reasons=[reason_json(reason, place) for place, reason in enumerate(rejections, start=1)],
        deviations=receiving.deviation_reasons(session),
        all_reasons=[any_reason_json(reason) for reason in receiving.box_wide_reasons(session)],
        reason_names=collector.reason_names(session),
        site=office.own_site(),
        signer=current_user.name(locale()),
    )


def reason_json(reason: Reason, place: int) -> dict[str, Any]:
    """A reason with its key (1 to 9) and the text of its command barcode."""
    return {
        "code": reason.code,
        "name": reason.name(locale()),
        "key": place if place <= receiving.REJECT_KEYS else None,
        "command": receiving.command_of(reason),
        "concession": reason.concession,
    }


def any_reason_json(reason: Reason) -> dict[str, Any]:
    """A reason with what it may be used for when it concerns many tubes of a box, or the box itself."""
    of_box = reason.kind == "handover" or reason.hl7.startswith(reasons.BOX_PREFIX)
    uses = [
        use
        for use, fits in (
            ("box", of_box),
            ("hold", True),
            ("concession", reason.concession and reason.kind != "handover"),
            ("reject", reason.kind == "reject"),
        )
        if fits
    ]
    return {"code": reason.code, "name": reason.name(locale()), "uses": uses}


@blueprint.get("/find.json")
@access("receiver", "manager")
@office.json_errors
def find() -> Response:
    """The consignment that a scanned box or consignment label stands for."""
    code = request.args.get("code", "").strip()[:64]
    session = db.session()
    return jsonify(receipt_json(session, receiving.find(session, scope(), code)))


@blueprint.get("/consignments/<number>.json")
@access("receiver", "manager")
@office.json_errors
def receipt(number: str) -> Response:
    """A box being received, as it stands now; asked every two seconds by everybody who works on it.

    While nobody recorded anything anywhere (the counter of live pages) the answer is 'nothing new', for nothing.
    """
    session = db.session()
    found = receiving.find(session, scope(), number)
    tag = f"{found.number}-{receiving.board(session)}-{clock.now():%Y%m%d%H%M}-{locale()}"
    if request.if_none_match.contains_weak(tag):
        response = Response(status=304)
    else:
        response = jsonify(receipt_json(session, found))
    response.set_etag(tag)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@blueprint.get("/missing.json")
@access("receiver", "manager")
@office.json_errors
def missing() -> Response:
    """Tubes with the scanned number that somebody misses: they may turn up without their box."""
    session = db.session()
    found = receiving.missed(session, scope(), request.args.get("code", "").strip()[:64])
    return jsonify(
        {
            "tubes": [
                office.tube_json(one)
                | {"missing_from": one.missing_from, "from_name": office.site_name(one.collecting_site_code)}
                for one in found
            ]
        }
    )


def receipt_json(session: Session, one: Consignment) -> dict[str, Any]:
    """The consignment, its tubes and what was found besides. The end of the seal number is hidden: the receiver
    reads it off the box."""
    found = receiving.receipt(session, one)
    names = [one.holder, *(entry.line.checked_by for entry in found.lines), *(n.found_by for n in found.strangers)]
    people = worklists.people(session, names)
    again = nonconformities.replacements(
        session, [entry.specimen.id for entry in found.lines if recollection.rejected_tests(entry.specimen)]
    )
    return {
        "consignment": {
            "number": one.number,
            "state": one.state,
            "box": one.box_code,
            "origin_name": office.site_name(one.origin_code),
            "destination": one.destination_code,
            "destination_name": office.site_name(one.destination_code),
            "mine": one.destination_code == office.own_site(),
            "handover_state": receiving.handover_state(session, one.number),
            "holder": one.holder,
            "holder_name": _name(people, one.holder),
            "seal_head": (one.seal_number or "")[: -seals.TAIL],
            "priority": one.priority,
            "temp_class": one.temp_class,
            "departed_at": office.iso(one.departed_at),
            "expected_at": office.iso(one.expected_at),
            "delivered_at": office.iso(one.delivered_at),
            "closed_at": office.iso(one.closed_at),
            "manifest_url": url_for("labels.manifest", number=one.number),
        },
        "transit": transit(session, one, now=clock.now()),
        "tubes": [_tube(entry, people, again.get(entry.specimen.id, ())) for entry in found.lines],
        "strangers": [_stranger(each, people) for each in found.strangers],
        "box_findings": [_stranger(each, people) for each in found.box_findings],
    }


def transit(session: Session, one: Consignment, *, now: datetime) -> dict[str, Any] | None:
    """The box temperature on the way, {min_c, max_c, now_c, tone}; None: no logger spoke."""
    if one.departed_at is None:
        return None
    until = one.delivered_at or now
    lines = [each for each in charting.lines(session, one.box_code, one.departed_at, until, now=now) if each.count]
    band = telemetry.band(session, one.box_code)
    if not lines or band is None:
        return None
    temps = [temp_c for each in lines for temp_c in each.temps if temp_c is not None]  # no extreme is left out of it
    low, high, newest = min(temps), max(temps), max(lines, key=lambda each: each.times[-1])
    inside = band.low_c <= low and high <= band.high_c
    return {"min_c": low, "max_c": high, "now_c": newest.temps[-1], "tone": "ok" if inside else "danger"}


def _tube(entry: receiving.Line, people: Mapping[str, User], again: Sequence[Specimen]) -> dict[str, Any]:
    line = entry.line
    words = office.test_words(entry.specimen)
    return office.tube_json(entry.specimen) | {
        "ordered": [
            {"code": ordered.test_code, "name": word, "reason": ordered.rejected_reason}
            for ordered, word in zip(entry.specimen.tests, words, strict=True)
        ],
        "again": [{"accession": one.accession, "state": one.state} for one in again],
        "found_site": office.site_name(line.found_site) if line.found_site else None,
        "found_in": line.found_in,
        "outcome": line.outcome,
        "condition": line.condition,
        "checked_by": _name(people, line.checked_by),
        "checked_at": office.iso(line.checked_at),
    }


def _stranger(found: Nonconformity, people: Mapping[str, User]) -> dict[str, Any]:
    return {
        "accession": found.accession,
        "reason": found.reason_code,
        "note": found.note,
        "photo": url_for("photos.photo", sha256=found.photo) if found.photo else None,
        "open": found.disposition == "",
        "found_by": _name(people, found.found_by),
        "found_at": office.iso(found.found_at),
    }


def _name(people: Mapping[str, User], username: str | None) -> str:
    person = people.get(username or "")
    return person.name(locale()) if person else (username or "")


@blueprint.get("/incoming")
@access("receiver", "manager")
def incoming() -> str:
    """What is under way to this laboratory, when it is expected, and what is overdue."""
    session = db.session()
    now = clock.now()
    rows = receiving.incoming(session, scope(), now=now)
    return render_template(
        "receiver/incoming.html",
        rows=rows,
        overdue={one.number for one in rows if receiving.is_overdue(one, now=now)},
        people=worklists.people(session, [one.holder for one in rows]),
        transit={one.number: transit(session, one, now=now) for one in rows},
        now=now,
    )


@blueprint.get("/forward")
@access("receiver")
def forward() -> str:
    """Tubes that stand here and are tested elsewhere: into a box, sealed, handed to the trunk courier."""
    return collector.pack_page("receiver/forward.html")


@blueprint.get("/forward.json")
@access("receiver")
@office.json_errors
def forward_json() -> Response:
    """The box that was scanned with what is in it, and what still waits to be forwarded."""
    return jsonify(collector.pack_state(db.session(), request.args.get("box", "").strip()[:64], strict=True))


@blueprint.get("/commands")
@access("receiver", "manager")
def commands() -> str:
    """The sheet of command barcodes to lay beside the scanner."""
    return render_template("receiver/commands.html", commands=command_list(db.session()))


def command_list(session: Session) -> list[dict[str, Any]]:
    """Every command: what it does, its key, its barcode."""
    words = (
        ("CMDGOOD", gettext("Condition: good"), "G"),
        ("CMDDAMAGED", gettext("Condition: damaged"), "D"),
        ("CMDLEAKED", gettext("Condition: leaked"), "L"),
        ("CMDACCEPT", gettext("Accept all good ones"), "A"),
        ("CMDMISSING", gettext("Declare missing"), "M"),
        ("CMDBOX", gettext("Whole box"), "B"),
        ("CMDFINISH", gettext("Finish"), "F"),
    )
    known = [reason_json(reason, place) for place, reason in enumerate(receiving.reject_reasons(session), start=1)]
    rejects = [{**one, "name": gettext("Reject: %(reason)s", reason=one["name"])} for one in known]
    return [{"command": command, "name": name, "key": key} for command, name, key in words] + rejects
