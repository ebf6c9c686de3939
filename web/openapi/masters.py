"""Keys for machines, the clock, this document, the simulated day."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from web.openapi.parts import BOOL, Operation, instant, listed, media, number, obj, path_param, text

PATHS = {
    "/api/v1/tokens": {
        "get": Operation("listKeys", "keys", _l("The own keys, without their secrets"), answer=listed("Key", "tokens")),
        "post": Operation(
            "makeKey",
            "keys",
            _l("Make a key; it is shown this once"),
            body=media(
                obj({"username": text(), "password": text(), "name": text()}),
                {"username": "lis", "password": "…", "name": "LIS of the county hospital"},
            ),
            answer=media(obj({"token": text(), "username": text(), "role": text(), "site": text(null=True)})),
            status=201,
            fails=(403, 429),
        ),
    },
    "/api/v1/tokens/{token_id}": {
        "delete": Operation(
            "revokeKey",
            "keys",
            _l("Revoke a key"),
            params=(path_param("token_id", kind="integer"),),
            answer=media(obj({"id": number(), "revoked": BOOL})),
        )
    },
    "/api/v1/clock": {
        "get": Operation(
            "clock",
            "system",
            _l("The time that the installation works by"),
            answer=media(obj({"now": instant(), "rate": number("number")})),
        )
    },
    "/api/v1/openapi.json": {
        "get": Operation("openapi", "system", _l("This document"), answer=media({"type": "object"}))
    },
    "/api/v1/demo/clock": {
        "post": Operation(
            "demoClock",
            "system",
            _l("Speed of the simulated day (only there)"),
            body=media(obj({"rate": number("number"), "again": BOOL}, optional=("rate", "again")), {"rate": 60}),
            answer=media(obj({"now": instant(), "rate": number("number"), "started": BOOL})),
            fails=(404,),
        )
    },
}
