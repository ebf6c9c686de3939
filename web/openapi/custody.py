"""Acts and orders."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from web.openapi.parts import Operation, array, media, obj, ref

_ACT = {
    "id": "7c0f2f9e-5d2b-4b5e-9f31-2f6f6f2a7d10",
    "type": "collect",
    "occurred_at": "2026-03-02T08:12:00+08:00",
    "subject": {"specimen": "2611220047"},
    "how": "scanned",
}
_ACT_ANSWER = {
    "id": _ACT["id"],
    "status": "done",
    "code": "done",
    "sentence": "Done.",
    "field": None,
    "params": {},
    "result": {"specimen": "2611220047", "state": "collected", "use_by": "2026-03-03T00:12:00+00:00"},
}
_ORDER = {
    "order_number": "20260302-0815",
    "site": "XN-0101",
    "patient_ref": "张*",
    "tubes": [{"accession": "2611220047", "tests": ["CBC"]}, {"accession": "2611220048", "tests": ["GLU"]}],
}
_ORDER_ANSWER = {
    "order_number": "20260302-0815",
    "accession": "2611220047",
    "status": "done",
    "code": "done",
    "sentence": "Done.",
    "field": None,
    "params": {},
    "result": {"specimen": "2611220047", "specimen_id": 118, "destination": "XN-0001"},
}

PATHS = {
    "/api/v1/acts": {
        "post": Operation(
            "postActs",
            "custody",
            _l("Record acts: everything that changes custody"),
            _l("At most 500. Each stands alone and has its own answer, in the order sent."),
            body=media(obj({"acts": array(ref("Act"), maxItems=500)}), {"acts": [_ACT]}),
            answer=media(obj({"answers": array(ref("ActAnswer"))}), {"answers": [_ACT_ANSWER]}),
        )
    },
    "/api/v1/orders": {
        "post": Operation(
            "postOrders",
            "orders",
            _l("Register orders, one tube or many"),
            _l(
                "Known by order number and barcode: sending again changes nothing and is answered with “duplicate”."
                " One answer a tube, in the order sent; an order that cannot be read has one answer."
            ),
            body=media(obj({"orders": array(ref("Order"), maxItems=500)}), {"orders": [_ORDER]}),
            answer=media(obj({"answers": array(ref("OrderAnswer"))}), {"answers": [_ORDER_ANSWER]}),
        )
    },
}
