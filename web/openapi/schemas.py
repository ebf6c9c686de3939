"""The schemas that several paths share. Strict: an answer with a property that is not here fails the tests."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from logistics.domain.acts import HOWS
from logistics.domain.transitions import ConsignmentState, State
from logistics.models.catalogue import TEMP_CLASSES
from logistics.models.specimens import PRIORITIES
from logistics.services.acts import HANDLERS
from web.openapi.parts import BOOL, array, instant, number, obj, ref, text, word

ANY_OBJECT: dict[str, Any] = {"type": "object"}
STATUSES = ("done", "duplicate", "refused", "review")
TEMP_CLASS = word(TEMP_CLASSES)
PRIORITY = word(PRIORITIES)
SPECIMEN_STATE = word(tuple(state.value for state in State))
CONSIGNMENT_STATE = word(tuple(state.value for state in ConsignmentState))

_ANSWER = {
    "status": word(STATUSES, _l("duplicate: known before, nothing changed; review: kept, a person decides")),
    "code": text(_l("Stable; “done” when it is.")),
    "sentence": text(_l("For people, in their language.")),
    "field": text(_l("What the refusal is about."), null=True),
    "params": ANY_OBJECT,
    "result": {"type": "object", "description": _l("The state after it.")},
}

SCHEMAS: dict[str, Any] = {
    "Error": obj(
        {
            "code": text(_l("Stable: programs decide by it.")),
            "sentence": text(_l("For people, in their language.")),
            "field": text(_l("What the refusal is about."), null=True),
        }
    ),
    "Position": obj(
        {"lat": number("number"), "lon": number("number"), "accuracy_m": number("number", null=True)},
        optional=("accuracy_m",),
    ),
    "Act": obj(
        {
            "id": text(
                _l("A UUID made where the act happened; the same one is recorded once, for ever."), format="uuid"
            ),
            "type": word(tuple(HANDLERS)),
            "occurred_at": instant(),
            "subject": {"type": "object", "description": _l("Codes from labels: specimen, box, consignment, stop.")},
            "payload": {"type": "object", "description": _l("What the act needs besides; see formats/acts.md.")},
            "device": text(),
            "seq": number(null=True),
            "how": word(HOWS),
            "site": text(_l("Code of the site; else the caller’s own."), null=True),
            "position": {"anyOf": [ref("Position"), {"type": "null"}]},
            "offline": {"type": "boolean", "description": _l("Nobody waits: what no longer fits is kept for review.")},
        },
        optional=("subject", "payload", "device", "seq", "how", "site", "position", "offline"),
    ),
    "ActAnswer": obj({"id": text(), **_ANSWER}),
    "Tube": obj(
        {
            "tests": array(text(), minItems=1),
            "accession": text(_l("The barcode of the laboratory system; without it a number is issued."), null=True),
            "priority": {**PRIORITY, "type": ["string", "null"], "enum": [*PRIORITIES, None]},
            "specimen_type": text(null=True),
            "container": text(null=True),
        },
        optional=("accession", "priority", "specimen_type", "container"),
    ),
    "Order": obj(
        {
            "order_number": text(maxLength=64),
            "tubes": array(ref("Tube"), minItems=1, maxItems=40),
            "site": text(_l("Code of the site; else the caller’s own."), null=True),
            "priority": PRIORITY,
            "patient_ref": text(_l("Masked on arrival; the name itself is not kept.")),
            "sex": text(),
            "age": text(),
            "department": text(),
            "ordered_at": instant(null=True),
        },
        optional=("site", "priority", "patient_ref", "sex", "age", "department", "ordered_at"),
    ),
    "OrderAnswer": obj({"order_number": text(), "accession": text(null=True), **_ANSWER}),
    "Specimen": obj(
        {
            "id": number(),
            "accession": text(),
            "issuing_site": text(),
            "collecting_site": text(),
            "destination": text(),
            "specimen_type": text(),
            "container": text(),
            "temp_class": TEMP_CLASS,
            "priority": PRIORITY,
            "tests": array(text()),
            "state": SPECIMEN_STATE,
            "state_since": instant(),
            "collected_at": instant(null=True),
            "received_at": instant(null=True),
            "use_by": instant(null=True),
            "stability": text(),
            "on_hold": BOOL,
            "box": text(null=True),
            "consignment": text(null=True),
            "holder": text(null=True),
            "location": text(null=True),
            "reject_reason": text(null=True),
        }
    ),
    "Consignment": obj(
        {
            "number": text(),
            "kind": text(),
            "contract": text(null=True),
            "state": CONSIGNMENT_STATE,
            "origin": text(),
            "destination": text(),
            "box": text(),
            "temp_class": TEMP_CLASS,
            "priority": PRIORITY,
            "holder": text(null=True),
            "location": text(null=True),
            "tube_count": number(),
            "item_count": number(),
            "manifest_version": number(),
            "sealed_at": instant(null=True),
            "departed_at": instant(null=True),
            "expected_at": instant(null=True),
            "arrived_at": instant(null=True),
            "delivered_at": instant(null=True),
            "closed_at": instant(null=True),
        }
    ),
    "ItemLine": obj(
        {
            "item": text(),
            "kind": text(),
            "quantity": number(),
            "outcome": text(),
            "condition": text(null=True),
            "checked_by": text(null=True),
        }
    ),
    "ManifestLine": obj(
        {
            "position": number(),
            "outcome": text(),
            "condition": text(null=True),
            "checked_by": text(null=True),
            "checked_at": instant(null=True),
            "specimen": ref("Specimen"),
        }
    ),
    "Box": obj(
        {
            "code": text(),
            "kind": text(),
            "temp_class": TEMP_CLASS,
            "capacity": number(),
            "home": text(),
            "location": text(null=True),
            "holder": text(null=True),
            "consignment": text(null=True),
        }
    ),
    "Site": obj(
        {
            "code": text(),
            "name_zh": text(),
            "name_en": text(),
            "tier": text(),
            "parent": text(null=True),
            "lat": number("number", null=True),
            "lon": number("number", null=True),
        }
    ),
    "Device": obj(
        {
            "code": text(),
            "box": text(null=True),
            "interval_s": number(),
            "last_seen_at": instant(null=True),
            "last_reading_at": instant(null=True),
            "silent_since": instant(null=True),
            "battery_pct": number("number", null=True),
            "calibration_due": instant(null=True),
        }
    ),
    "Alert": obj(
        {
            "id": number(),
            "kind": text(),
            "severity": word(("critical", "warning", "info")),
            "state": text(),
            "level": number(),
            "site": text(),
            "origin": text(null=True),
            "box": text(null=True),
            "consignment": text(null=True),
            "specimen_ids": array(number()),
            "title": text(),
            "text": text(),
            "params": ANY_OBJECT,
            "occurred_at": instant(),
            "raised_at": instant(),
            "ended_at": instant(null=True),
            "acknowledged_at": instant(null=True),
            "acknowledged_by": text(null=True),
            "comment": text(),
            "snoozed_until": instant(null=True),
            "holder": text(null=True),
        }
    ),
    "Plan": obj({"id": number(), "day": text(format="date"), "state": text()}, loose=True),
    "Offer": obj(
        {
            "courier": text(),
            "name": text(),
            "pickup_at": instant(null=True),
            "delivery_at": instant(null=True),
            "extra_s": number("number", null=True),
            "extra_m": number("number", null=True),
            "later_s": number("number", null=True),
            "later_site": text(null=True),
        }
    ),
    "Key": obj({"id": number(), "name": text(), "created_at": instant(), "revoked_at": instant(null=True)}),
}
