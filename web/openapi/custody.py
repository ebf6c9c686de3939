"""Acts and orders."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from web.openapi.parts import Operation, array, media, number, obj, path_param, ref, text

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

_SHA256 = "f2ca1bb6c7e907d06dafe4687e579fce76b37e4e93b7605022da52e6ccc26fd2"
_PHOTO = {"photo": _SHA256, "media_type": "image/jpeg", "width_px": 1200, "height_px": 1600, "size_bytes": 184213}
_PHOTO_SCHEMA = obj(
    {
        "photo": text(_l("SHA-256 of the picture as it is kept; an act quotes it.")),
        "media_type": text(),
        "width_px": number(),
        "height_px": number(),
        "size_bytes": number(),
    }
)

PATHS = {
    "/api/v1/photos": {
        "post": Operation(
            "postPhoto",
            "custody",
            _l("Send a photo of a nonconformity"),
            _l(
                "JPEG, PNG or WebP, at most 8 MB: base64 in JSON, or multipart with the field “photo”. The picture is"
                " made anew without its metadata; an act quotes it by its SHA-256. Sending it again changes nothing."
            ),
            body=media(obj({"photo": text(_l("The picture in base64."))}), {"photo": "/9j/4AAQSkZJRgABAQ=="}),
            answer=media(_PHOTO_SCHEMA, _PHOTO),
        )
    },
    "/api/v1/photos/{sha256}": {
        "get": Operation(
            "getPhoto",
            "custody",
            _l("A photo, for those whom the tube or box concerns"),
            _l("Answers the picture itself (image/jpeg), never to be kept by a cache."),
            params=(path_param("sha256", _l("SHA-256 of the picture")),),
        )
    },
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
