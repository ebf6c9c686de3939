"""The courier's phone."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from web.openapi.parts import BOOL, Operation, array, instant, media, number, obj, text

_FIX = obj(
    {"at": instant(), "lat": number("number"), "lon": number("number"), "accuracy_m": number("number", null=True)},
    optional=("accuracy_m",),
)
_EXAMPLE = {"positions": [{"at": "2026-03-02T09:40:00+08:00", "lat": 29.73, "lon": 113.89, "accuracy_m": 8}]}

PATHS = {
    "/api/v1/handover-offers": {
        "post": Operation(
            "drawHandoverOffers",
            "courier",
            _l("Draw handover ids for the giver’s own device"),
            _l(
                "Shown to the taker in a QR code, whose text he sends with hand_over (method app); the giver signs the"
                " same id with sign_handover. Drawn ahead, so that they are there without a signal. With the key the"
                " device tags the code."
            ),
            body=media(obj({"count": number()}, optional=("count",)), {"count": 10}),
            answer=media(obj({"offers": array(obj({"id": text(format="uuid"), "key": text()}))})),
        )
    },
    "/api/v1/courier/today": {
        "get": Operation(
            "courierToday",
            "courier",
            _l("The courier’s day, to be kept on the phone"),
            answer=media(
                obj(
                    {
                        "generated_at": instant(),
                        "day": text(format="date"),
                        "username": text(),
                        "stops": array({"type": "object"}),
                        "consignments": array({"type": "object"}),
                        "sites": {"type": "object"},
                        "temps": {"type": "object"},
                    },
                    loose=True,
                )
            ),
        )
    },
    "/api/v1/courier/duty": {
        "post": Operation(
            "courierDuty",
            "courier",
            _l("Go on or off duty"),
            body=media(obj({"on": BOOL, "at": instant(null=True)}, optional=("at",)), {"on": True}),
            answer=media(obj({"on_duty_since": instant(null=True)})),
        )
    },
    "/api/v1/courier/seen": {
        "post": Operation(
            "courierSeen",
            "courier",
            _l("Tell that the plan has been seen"),
            answer=media(obj({"seen": number()})),
        )
    },
    "/api/v1/courier/order": {
        "post": Operation(
            "courierOrder",
            "courier",
            _l("Put the stops that are left into another order"),
            body=media(obj({"stops": array(number())}), {"stops": [12, 11, 13]}),
            answer=media(obj({"stops": array(obj({"stop": number(), "eta_at": instant(null=True)}))})),
            fails=(409,),
        )
    },
    "/api/v1/positions": {
        "post": Operation(
            "postPositions",
            "courier",
            _l("Report positions while on duty"),
            body=media(obj({"positions": array(_FIX, maxItems=500)}), _EXAMPLE),
            answer=media(obj({"stored": number(), "ignored": number()})),
        )
    },
}
