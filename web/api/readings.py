"""POST /api/v1/readings: temperature readings from gateways that cannot speak MQTT; the answer is the receipt."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import select

from logistics import clock
from logistics.db import db, transaction
from logistics.errors import Forbidden
from logistics.queries import records
from telemetry import http, keys
from telemetry.models import DeviceBinding
from web.access import access
from web.auth import scope

blueprint = Blueprint("readings", __name__, url_prefix="/api/v1")


@blueprint.post("/readings")
@access("collector", "courier", "receiver", "manager", "administrator")
def post_readings() -> Response:
    """Store readings of loggers whose boxes are the sender's; nothing is answered before it is committed."""
    allowed = own_devices()
    with transaction() as session:
        receipt = http.store_body(session, request.get_data(), now=clock.now(), allowed_devices=allowed)
    return jsonify(receipt)


@blueprint.post("/gateway/readings")
@access("public")
def post_gateway_readings() -> Response:
    """The same for a logger or a gateway that proves itself with its own key (labrelay device-key)."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    allowed = keys.allowed_devices(db.session(), secret.strip()) if scheme.lower() == "bearer" and secret else None
    if allowed is None:
        raise Forbidden("device_key_wrong")
    with transaction() as session:
        receipt = http.store_body(session, request.get_data(), now=clock.now(), allowed_devices=allowed)
    return jsonify(receipt)


def own_devices() -> set[str] | None:
    """The loggers in boxes of the caller's sites; None for the whole network."""
    if scope().everything:
        return None
    session = db.session()
    boxes = [box.code for box in records.boxes(session, scope())]
    bound = select(DeviceBinding.device_code).where(DeviceBinding.bound_to.is_(None), DeviceBinding.box_code.in_(boxes))
    return set(session.scalars(bound))
