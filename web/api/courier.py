"""What the courier's phone asks and tells besides acts: its day, duty, positions, the order of stops."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

import msgspec
from flask import Blueprint, Response, jsonify, request
from flask_login import current_user
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import db, transaction
from logistics.errors import Invalid
from logistics.queries import courier as queries
from logistics.services import positions, stop_order
from logistics.services.custody import FUTURE_TOLERANCE
from telemetry import foresee
from telemetry import queries as telemetry
from telemetry.models import BoxForecast
from web.access import access
from web.auth import audit, scope

blueprint = Blueprint("courier_api", __name__, url_prefix="/api/v1")
MAX_POSITIONS = 500
Body = TypeVar("Body", bound=msgspec.Struct)


class FixIn(msgspec.Struct):
    """WGS-84 degrees; ``at`` ISO 8601 with a zone."""

    at: str
    lat: float
    lon: float
    accuracy_m: float | None = None


class PositionsIn(msgspec.Struct, forbid_unknown_fields=True):
    positions: list[FixIn]


class DutyIn(msgspec.Struct, forbid_unknown_fields=True):
    """``at``: when the switch was turned; a phone without a signal tells it later."""

    on: bool
    at: str | None = None


class OrderIn(msgspec.Struct, forbid_unknown_fields=True):
    """Ids of the stops that are left, in the order they will be driven."""

    stops: list[int]


def body(kind: type[Body], code: str, field: str) -> Body:
    try:
        return msgspec.json.decode(request.get_data(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Invalid(code, field=field) from None


@blueprint.get("/courier/today")
@access("courier")
def today() -> Response:
    """The courier's day, to be kept on the phone."""
    return jsonify(document())


def document() -> dict[str, Any]:
    now = clock.now()
    session = db.session()
    found = queries.today(session, current_user, scope(), now=now)
    found["temps"] = _temps(session, {load["box"]: load["temp_class"] for load in found["consignments"]}, now)
    return found


def _temps(session: Session, classes: dict[str, str], now: datetime) -> dict[str, Any]:
    """The newest reading of each box with a logger: °C, whether inside its band, and a warning that stands."""
    warned = foresee.standing(session, classes)
    return {
        code: {
            "at": queries.text(reading.at),
            "temp_c": round(reading.temp_c, 1),
            "fresh": reading.fresh,
            "inside": reading.inside,
            "leaves": _leaves(warned.get(code)),
        }
        for code, reading in telemetry.latest(session, classes, now=now).items()
    }


def _leaves(row: BoxForecast | None) -> dict[str, Any] | None:
    """When the box will leave its band."""
    if row is None or row.crosses_at is None:
        return None
    return {
        "at": queries.text(row.crosses_at),
        "limit_c": row.limit_c,
        "error_min": max(1, round((row.error_s or 0) / 60)),
    }


@blueprint.post("/positions")
@access("courier")
def post_positions() -> Response:
    """Positions on duty, oldest first; sending the same again changes nothing."""
    sent = body(PositionsIn, "positions_malformed", "positions").positions
    if len(sent) > MAX_POSITIONS:
        raise Invalid("too_many_positions", field="positions", limit=MAX_POSITIONS)
    fixes = [_fix(one) for one in sent]
    with transaction() as session:
        stored, ignored = positions.report(session, current_user.username, fixes, now=clock.now())
    return jsonify({"stored": stored, "ignored": ignored})


def _fix(sent: FixIn) -> positions.Fix:
    if not (-90 <= sent.lat <= 90 and -180 <= sent.lon <= 180):
        raise Invalid("positions_malformed", field="positions")
    return positions.Fix(clock.parse_instant(sent.at, field="at"), sent.lat, sent.lon, sent.accuracy_m)


@blueprint.post("/courier/duty")
@access("courier")
def post_duty() -> Response:
    """Go on or off duty."""
    sent = body(DutyIn, "courier_report_malformed", "on")
    at = _past(sent.at)
    with transaction() as session:
        since = positions.set_duty(session, current_user.username, on=sent.on, at=at)
        audit(session, "duty_on" if sent.on else "duty_off", current_user.username)
    return jsonify({"on_duty_since": queries.text(since)})


def _past(at: str | None) -> datetime:
    now = clock.now()
    if at is None:
        return now
    told = clock.parse_instant(at, field="at")
    if told > now + FUTURE_TOLERANCE:
        raise Invalid("act_in_future", field="at")
    return min(told, now)


@blueprint.post("/courier/seen")
@access("courier")
def post_seen() -> Response:
    """The plan is before the courier's eyes."""
    with transaction() as session:
        count = stop_order.seen(session, current_user.username, now=clock.now())
    return jsonify({"seen": count})


@blueprint.post("/courier/order")
@access("courier")
def post_order() -> Response:
    """The courier's own order of the stops that are left; dispatch sees the new times."""
    sent = body(OrderIn, "courier_report_malformed", "stops")
    with transaction() as session:
        ordered = stop_order.reorder(session, current_user.username, sent.stops, now=clock.now())
        audit(session, "stops_reordered", current_user.username, stops=sent.stops)
    etas = [{"stop": stop.id, "eta_at": queries.text(stop.eta_at)} for stop in ordered]
    return jsonify({"stops": etas})
