"""Ids for handovers that a giver signs on his own device: drawn ahead, so that they are there without a signal."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response, jsonify, request
from flask_login import current_user

from logistics import clock
from logistics.db import transaction
from logistics.errors import Invalid
from logistics.services import offers
from web.access import access

blueprint = Blueprint("handovers_api", __name__, url_prefix="/api/v1")


class DrawIn(msgspec.Struct, forbid_unknown_fields=True):
    """How many, 1 to 20."""

    count: int = 10


@blueprint.post("/handover-offers")
@access("collector", "courier", "receiver")
def draw() -> Response:
    """New handover ids with their keys for the one who asks; the page shows one at a time to the taker, in a code."""
    try:
        sent = msgspec.json.decode(request.get_data() or b"{}", type=DrawIn)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Invalid("json_malformed", field="count") from None
    with transaction() as session:
        drawn = offers.draw(session, current_user, count=sent.count, now=clock.now())
    return jsonify({"offers": [{"id": one.id, "key": one.key} for one in drawn]})
