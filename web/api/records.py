"""Reading specimens, consignments and boxes over the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask_login import current_user
from sqlalchemy import select

from logistics.db import db
from logistics.errors import Invalid
from logistics.models import Box, Consignment, ConsignmentLine, Item, ItemLine, Site, Specimen
from logistics.queries import records
from telemetry.models import Device, DeviceBinding
from web.access import access
from web.auth import scope

blueprint = Blueprint("records", __name__, url_prefix="/api/v1")


@blueprint.get("/consignments")
@access("any")
def consignments() -> Response:
    """Query: state (comma separated), origin, destination, holder, limit."""
    found = records.consignments(
        db.session(),
        scope(),
        current_user.username,
        states=_words("state"),
        origin=request.args.get("origin"),
        destination=request.args.get("destination"),
        holder=request.args.get("holder"),
        limit=_limit(),
    )
    return jsonify({"consignments": [consignment_json(one) for one in found]})


@blueprint.get("/consignments/<number>")
@access("any")
def consignment(number: str) -> Response:
    """One consignment with its manifest."""
    found = records.consignment(db.session(), scope(), current_user.username, number)
    lines = records.lines(db.session(), found.number)
    tubes = [line_json(line, tube) for line, tube in lines]
    items = [item_line_json(line, item) for line, item in records.item_lines(db.session(), found.number)]
    return jsonify({**consignment_json(found), "tubes": tubes, "items": items})


@blueprint.get("/specimens")
@access("any")
def specimens() -> Response:
    """Query: accession, state (comma separated), site, limit."""
    found = records.specimens(
        db.session(),
        scope(),
        current_user.username,
        accession=request.args.get("accession"),
        states=_words("state"),
        site=request.args.get("site"),
        limit=_limit(),
    )
    return jsonify({"specimens": [specimen_json(one) for one in found]})


@blueprint.get("/specimens/<int:specimen_id>")
@access("any")
def specimen(specimen_id: int) -> Response:
    return jsonify(specimen_json(records.specimen(db.session(), scope(), current_user.username, specimen_id)))


@blueprint.get("/boxes")
@access("any")
def boxes() -> Response:
    """Query: site (where the box stands), home (where it belongs)."""
    found = records.boxes(db.session(), scope(), site=request.args.get("site"), home=request.args.get("home"))
    return jsonify({"boxes": [box_json(one) for one in found]})


@blueprint.get("/sites")
@access("any")
def sites() -> Response:
    """The network: every site with its tier, parent and position (no contacts)."""
    found = db.session.scalars(select(Site).where(Site.active).order_by(Site.code))
    return jsonify({"sites": [site_json(one) for one in found]})


@blueprint.get("/devices")
@access("administrator", "manager", "dispatcher", "auditor")
def devices() -> Response:
    """Loggers and the boxes they are in now."""
    session = db.session()
    own = {box.code for box in records.boxes(session, scope())}
    rows = session.execute(
        select(Device, DeviceBinding.box_code)
        .outerjoin(DeviceBinding, (DeviceBinding.device_code == Device.code) & DeviceBinding.bound_to.is_(None))
        .order_by(Device.code)
    ).all()
    return jsonify({"devices": [device_json(one, box) for one, box in rows if box in own or scope().everything]})


def _words(name: str) -> list[str]:
    return [word for word in request.args.get(name, "").split(",") if word]


def _limit() -> int:
    text = request.args.get("limit", "100")
    if not text.isdecimal() or not 1 <= int(text) <= records.MAX_ROWS:
        raise Invalid("limit_out_of_range", field="limit", maximum=records.MAX_ROWS)
    return int(text)


def iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def consignment_json(one: Consignment) -> dict[str, Any]:
    return {
        "number": one.number,
        "kind": one.kind,
        "contract": one.contract_reference,
        "state": one.state,
        "origin": one.origin_code,
        "destination": one.destination_code,
        "box": one.box_code,
        "temp_class": one.temp_class,
        "priority": one.priority,
        "holder": one.holder,
        "location": one.location_code,
        "tube_count": one.tube_count,
        "item_count": one.item_count,
        "manifest_version": one.manifest_version,
        "sealed_at": iso(one.sealed_at),
        "departed_at": iso(one.departed_at),
        "expected_at": iso(one.expected_at),
        "arrived_at": iso(one.arrived_at),
        "delivered_at": iso(one.delivered_at),
        "closed_at": iso(one.closed_at),
    }


def item_line_json(line: ItemLine, item: Item) -> dict[str, Any]:
    return {
        "item": item.number,
        "kind": item.kind,
        "quantity": item.quantity,
        "outcome": line.outcome,
        "condition": line.condition,
        "checked_by": line.checked_by,
    }


def line_json(line: ConsignmentLine, tube: Specimen) -> dict[str, Any]:
    return {
        "position": line.position,
        "outcome": line.outcome,
        "condition": line.condition,
        "checked_by": line.checked_by,
        "checked_at": iso(line.checked_at),
        "specimen": specimen_json(tube),
    }


def specimen_json(tube: Specimen) -> dict[str, Any]:
    """No patient reference: machines have no need of it, and every reading of it by a person is logged."""
    return {
        "id": tube.id,
        "accession": tube.accession,
        "issuing_site": tube.issuing_site_code,
        "collecting_site": tube.collecting_site_code,
        "destination": tube.destination_code,
        "specimen_type": tube.specimen_type,
        "container": tube.container,
        "temp_class": tube.temp_class,
        "priority": tube.priority,
        "tests": [ordered.test_code for ordered in tube.tests],
        "state": tube.state,
        "state_since": iso(tube.state_since),
        "collected_at": iso(tube.collected_at),
        "received_at": iso(tube.received_at),
        "use_by": iso(tube.use_by_at),
        "stability": tube.stability,
        "on_hold": tube.on_hold,
        "box": tube.box_code,
        "consignment": tube.consignment_number,
        "holder": tube.holder,
        "location": tube.location_code,
        "reject_reason": tube.reject_reason,
    }


def box_json(one: Box) -> dict[str, Any]:
    return {
        "code": one.code,
        "kind": one.kind,
        "temp_class": one.temp_class,
        "capacity": one.capacity,
        "home": one.home_code,
        "location": one.location_code,
        "holder": one.holder,
        "consignment": one.consignment_number,
    }


def site_json(one: Site) -> dict[str, Any]:
    return {
        "code": one.code,
        "name_zh": one.name_zh,
        "name_en": one.name_en,
        "tier": one.tier,
        "parent": one.parent_code,
        "lat": one.lat,
        "lon": one.lon,
    }


def device_json(one: Device, box: str | None) -> dict[str, Any]:
    return {
        "code": one.code,
        "box": box,
        "interval_s": one.interval_s,
        "last_seen_at": iso(one.last_seen_at),
        "last_reading_at": iso(one.last_reading_at),
        "silent_since": iso(one.silent_since),
        "battery_pct": one.battery_pct,
        "calibration_due": iso(one.calibration_due),
    }
