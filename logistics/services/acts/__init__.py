"""What each type of act does: one function each, found by the act's type."""

from __future__ import annotations

from collections.abc import Callable

from logistics.services.acts import collection, corrections, decisions, items, packing, receipt, send_out, transport
from logistics.services.desk import Desk

HANDLERS: dict[str, Callable[[Desk], None]] = {
    "register": collection.register,
    "collect": collection.collect,
    "collection_failed": collection.collection_failed,
    "recollect": collection.recollect,
    "pack": packing.pack,
    "unpack": packing.unpack,
    "seal": packing.seal,
    "unseal": packing.unseal,
    "cancel_consignment": packing.cancel,
    "ready": packing.ready,
    "urgent_call": packing.urgent_call,
    "hand_over": transport.hand_over,
    "arrive": transport.arrive,
    "depart": transport.depart,
    "receive": receipt.receive,
    "receive_unexpected": receipt.receive_unexpected,
    "declare_missing": receipt.declare_missing,
    "found": receipt.found,
    "close_receipt": receipt.close,
    "accept": decisions.accept,
    "reject": decisions.reject,
    "hold": decisions.hold,
    "release": decisions.release,
    "recall": decisions.recall,
    "lost": decisions.lost,
    "dispose": decisions.dispose,
    "note": decisions.note,
    "correct": corrections.correct,
    "register_item": items.register,
    "pack_item": items.pack,
    "unpack_item": items.unpack,
    "return_box": items.return_box,
    "receive_item": items.receive,
    "item_missing": items.declare_missing,
    "release_item": items.release,
    "dispose_item": items.dispose,
    "release_send_out": send_out.release,
    "confirm_send_out": send_out.confirm,
}
