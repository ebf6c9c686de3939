"""Records: consignments, specimens, boxes, sites, loggers."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from web.openapi.parts import (
    BOOL,
    LIMIT,
    STATES,
    Operation,
    array,
    instant,
    listed,
    media,
    number,
    obj,
    path_param,
    query_param,
    ref,
    text,
)
from web.openapi.schemas import SCHEMAS

_WITH_TUBES = {
    **SCHEMAS["Consignment"],
    "properties": {
        **SCHEMAS["Consignment"]["properties"],
        "tubes": array(ref("ManifestLine")),
        "items": array(ref("ItemLine")),
    },
    "required": [*SCHEMAS["Consignment"]["required"], "tubes", "items"],
}

PATHS = {
    "/api/v1/consignments": {
        "get": Operation(
            "listConsignments",
            "records",
            _l("Consignments of the own sites"),
            params=(
                STATES,
                query_param("origin", _l("Code of the sending site.")),
                query_param("destination", _l("Code of the receiving site.")),
                query_param("holder", _l("User name of who has it.")),
                LIMIT,
            ),
            answer=listed("Consignment", "consignments"),
            fails=(400,),
        )
    },
    "/api/v1/consignments/{number}": {
        "get": Operation(
            "getConsignment",
            "records",
            _l("A consignment with its manifest"),
            params=(path_param("number"),),
            answer=media(_WITH_TUBES),
        )
    },
    "/api/v1/specimens": {
        "get": Operation(
            "listSpecimens",
            "records",
            _l("Specimens of the own sites"),
            params=(
                query_param("accession", _l("The number on the label; several tubes may have it.")),
                STATES,
                query_param("site", _l("Code of the collecting site.")),
                LIMIT,
            ),
            answer=listed("Specimen", "specimens"),
            fails=(400,),
        )
    },
    "/api/v1/specimens/{specimen_id}": {
        "get": Operation(
            "getSpecimen",
            "records",
            _l("A specimen"),
            params=(path_param("specimen_id", kind="integer"),),
            answer=media(ref("Specimen")),
        )
    },
    "/api/v1/specimens/{specimen_id}/journey": {
        "get": Operation(
            "getJourney",
            "records",
            _l("The journey of a specimen: events, gaps in custody, tests with their rules, the hash chain"),
            params=(path_param("specimen_id", kind="integer"),),
            answer=media(
                obj(
                    {
                        "specimen": ref("Specimen"),
                        "sentence": text(),
                        "whole": BOOL,
                        "breaks": array(obj({}, loose=True)),
                        "events": array(obj({}, loose=True)),
                        "gaps": array(obj({}, loose=True)),
                        "tests": array(obj({}, loose=True)),
                        "used_share": number("number", null=True),
                        "verdict": text(),
                        "use_by": instant(null=True),
                    }
                )
            ),
        )
    },
    "/api/v1/boxes": {
        "get": Operation(
            "listBoxes",
            "records",
            _l("Transport boxes"),
            params=(query_param("site", _l("Code of the site where it stands.")),),
            answer=listed("Box", "boxes"),
        )
    },
    "/api/v1/sites": {
        "get": Operation("listSites", "records", _l("The sites of the network"), answer=listed("Site", "sites"))
    },
    "/api/v1/devices": {
        "get": Operation(
            "listDevices", "telemetry", _l("Loggers and the boxes they are in"), answer=listed("Device", "devices")
        )
    },
}
