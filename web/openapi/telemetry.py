"""Readings from gateways."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from web.openapi.parts import Operation, array, media, number, obj, path_param, query_param, text

_EXAMPLE = {
    "device": "LG-0731",
    "seq": 118,
    "readings": [{"at": "2026-03-02T01:20:00Z", "probe": 1, "temp_c": 4.6, "battery_pct": 87, "lid_open": False}],
}
_MESSAGE = obj({"device": text(), "seq": number(), "readings": array({"type": "object"})}, optional=("seq",))
_OUTCOME = obj(
    {
        "device": text(null=True),
        "seq": number(null=True),
        "stored": number(),
        "duplicates": number(),
        "quarantined": number(),
        "refused": array(text()),
    }
)

_BODY = media({"oneOf": [_MESSAGE, array(_MESSAGE, maxItems=500)]}, _EXAMPLE)
_RECEIPT = media(
    obj({"messages": array(_OUTCOME), "receipts": {"type": "object"}, "requests": array({"type": "object"})})
)
_CHART = media(
    obj(
        {
            "from": number(),
            "to": number(),
            "band": {"type": "object"},
            "series": array({"type": "object"}),
            "excursions": array({"type": "object"}),
            "events": array({"type": "object"}),
        }
    )
)
_SPAN = (query_param("from"), query_param("to"), query_param("points", kind="integer"))


PATHS = {
    "/api/v1/readings": {
        "post": Operation(
            "postReadings",
            "telemetry",
            _l("Store temperature readings; the answer is the receipt. One message, or a list of at most 500"),
            body=_BODY,
            answer=_RECEIPT,
        )
    },
    "/api/v1/gateway/readings": {
        "post": Operation(
            "postGatewayReadings",
            "telemetry",
            _l("The same for a logger or gateway, with its own key as bearer"),
            body=_BODY,
            answer=_RECEIPT,
        )
    },
    "/api/v1/boxes/{code}/temperatures": {
        "get": Operation(
            "getBoxTemperatures",
            "telemetry",
            _l("Temperatures of a box for a chart; a narrower stretch gives finer data"),
            params=(path_param("code"), *_SPAN),
            answer=_CHART,
            fails=(400,),
        )
    },
    "/api/v1/specimens/{specimen_id}/temperatures": {
        "get": Operation(
            "getSpecimenTemperatures",
            "telemetry",
            _l("The same of the boxes that a tube was in"),
            params=(path_param("specimen_id", kind="integer"), *_SPAN),
            answer=_CHART,
            fails=(400,),
        )
    },
}
