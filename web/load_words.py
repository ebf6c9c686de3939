"""Loads on the way back in words: kinds, states, conditions of items, with icon and colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l

KINDS: Mapping[str, tuple[Any, str]] = {
    "report": (_l("Paper reports"), "document"),
    "quality_control": (_l("Quality control material"), "shield"),
    "proficiency": (_l("Proficiency testing material"), "clipboard"),
    "consumables": (_l("Tubes and consumables"), "tubes"),
    "other": (_l("Other"), "box"),
}
ITEM_STATES: Mapping[str, tuple[Any, str, str]] = {
    "registered": (_l("To be packed"), "neutral", "document"),
    "packed": (_l("Packed"), "info", "box-open"),
    "sealed": (_l("Sealed"), "info", "seal"),
    "in_transit": (_l("On the way"), "brand", "truck"),
    "waiting": (_l("Waiting on the way"), "warn", "building"),
    "arrived": (_l("Arrived"), "brand", "building"),
    "delivered": (_l("Being received"), "warn", "scan"),
    "received": (_l("Received"), "ok", "check"),
    "missing": (_l("Declared missing"), "danger", "missing"),
    "disposed": (_l("Used up or withdrawn"), "neutral", "trash"),
}
EVENTS: Mapping[str, tuple[Any, str, str]] = {
    "registered": (_l("Registered"), "neutral", "document"),
    "packed": (_l("Packed"), "info", "box-open"),
    "unpacked": (_l("Taken out"), "warn", "undo"),
    "sealed": (_l("Sealed"), "info", "seal"),
    "unsealed": (_l("Seal opened"), "warn", "unlock"),
    "handed_over": (_l("Handover"), "brand", "handover"),
    "handed_in": (_l("Handed in on the way"), "warn", "building"),
    "arrived": (_l("Arrived"), "brand", "building"),
    "received": (_l("Received"), "ok", "check"),
    "declared_missing": (_l("Declared missing"), "danger", "missing"),
    "found": (_l("Found"), "ok", "search"),
    "held": (_l("Put on hold"), "hold", "hold"),
    "released": (_l("Released"), "ok", "check"),
    "disposed": (_l("Used up or withdrawn"), "neutral", "trash"),
    "noted": (_l("Remark"), "neutral", "pen"),
}
MEANINGS: Mapping[str, Any] = {
    "pickup": _l("Picked up"),
    "delivery": _l("Delivered"),
    "transfer": _l("Transfer"),
    "send_out": _l("Sent out"),
}


def kind_name(kind: str) -> str:
    """In the reader's language; the bare code of a kind without a word."""
    return str(KINDS[kind][0]) if kind in KINDS else kind
