"""What each type of act is called on pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l

ACT_WORDS: Mapping[str, Any] = {
    "register": _l("Registered"),
    "collect": _l("Collected"),
    "collection_failed": _l("Collection failed"),
    "recollect": _l("Collected again"),
    "pack": _l("Packed"),
    "unpack": _l("Taken out"),
    "seal": _l("Sealed"),
    "unseal": _l("Seal opened"),
    "cancel_consignment": _l("Consignment cancelled"),
    "ready": _l("Ready for pickup"),
    "urgent_call": _l("Urgent call"),
    "hand_over": _l("Handover"),
    "sign_handover": _l("Giver signed"),
    "seal_broken": _l("Seal broken"),
    "reseal": _l("New seal"),
    "arrive": _l("Arrived"),
    "depart": _l("Departed"),
    "receive": _l("Received"),
    "receive_unexpected": _l("Received, unexpected"),
    "declare_missing": _l("Declared missing"),
    "found": _l("Found"),
    "receive_all": _l("Received together"),
    "deviation": _l("Deviation of the box"),
    "settle": _l("Finding settled"),
    "close_receipt": _l("Receipt closed"),
    "accept": _l("Accepted"),
    "reject": _l("Rejected"),
    "reject_tests": _l("Tests rejected"),
    "decide_all": _l("Decision for the box"),
    "hold": _l("Put on hold"),
    "release": _l("Released"),
    "recall": _l("Recalled"),
    "recall_consignment": _l("Consignment recalled"),
    "returned": _l("Recalled tube in hand"),
    "lost": _l("Lost"),
    "dispose": _l("Disposed"),
    "note": _l("Remark"),
    "register_item": _l("Load item registered"),
    "pack_item": _l("Load item packed"),
    "unpack_item": _l("Load item taken out"),
    "return_box": _l("Box sent home"),
    "receive_item": _l("Load item received"),
    "item_missing": _l("Load item missing"),
    "release_item": _l("Load item released"),
    "dispose_item": _l("Load item used up or withdrawn"),
    "release_send_out": _l("Sent out"),
    "confirm_send_out": _l("Send-out confirmed"),
    "correct": _l("Corrected"),
}


FIELD_WORDS: Mapping[str, Any] = {
    "box_temp_c": _l("Box temperature"),
    "condition": _l("Condition"),
    "count": _l("Counted"),
    "method": _l("Signed by"),
    "note": _l("Remark"),
    "other": _l("Other party"),
    "priority": _l("Priority"),
    "reason": _l("Reason"),
    "refused": _l("Refused"),
    "seal": _l("Seal"),
    "tests": _l("Tests"),
}
"""Fields of an act's payload that a person reads; the others keep their names."""
