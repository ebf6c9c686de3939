"""The facts of an audit entry in the reader's language: names of fields, words for values, before → after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _l

from web.views.admin import words

FIELDS: Mapping[str, Any] = {
    "name_zh": _l("Chinese name"), "name_en": _l("English name"), "role": _l("Role"), "site": _l("Site"),
    "site_code": _l("Site"), "locale": _l("Language"), "active": _l("In use"), "tier": _l("Tier"),
    "parent_code": _l("Belongs to"), "county_zh": _l("County"), "county_en": _l("County (English)"),
    "lat": _l("Latitude"), "lon": _l("Longitude"), "terrain": _l("Terrain"), "opens_min": _l("Opens at"),
    "closes_min": _l("Closes at"), "pickup_from_min": _l("Pickup from"), "pickup_to_min": _l("Pickup until"),
    "cutoff_min": _l("Receiving until"), "service_min": _l("Minutes of a stop"), "contact_name": _l("Contact"),
    "contact_phone": _l("Telephone"), "temp_class": _l("Temperature class"), "capacity": _l("Capacity"),
    "hold_h": _l("Hours it holds its temperature"), "home_code": _l("Home of the box"), "kind": _l("Kind"),
    "kinds": _l("Kinds of alerts"), "name": _l("Name"), "config": _l("Connection"), "min_severity": _l("From severity"),
    "performing": _l("Laboratories"), "rule": _l("Rule"), "max_hours": _l("Hours at most"), "stage": _l("Stage"),
    "temp_min_c": _l("Lowest °C"), "temp_max_c": _l("Highest °C"), "reason": _l("Reason"), "zh": _l("Chinese"),
    "en": _l("English"), "concession": _l("Concession possible"), "created": _l("New"), "changed": _l("Changed"),
    "tubes": _l("Tubes"), "new": _l("Of these new"), "shown": _l("References shown"), "page": _l("Page"),
    "accession": _l("Specimen"), "day": _l("Day"), "scope": _l("Area"), "plan": _l("Plan"), "courier": _l("Courier"),
    "stops": _l("Stops"), "box": _l("Box"), "done": _l("Succeeded"), "rate": _l("Speed"), "word": _l("Note"),
    "filter": _l("Conditions"), "format": _l("Format"), "rows": _l("Rows"), "whole": _l("Complete"),
    "sheets": _l("Sheets"),
    "act": _l("Act"), "username": _l("User name"), "until": _l("until"), "external": _l("External laboratory"),
    "password": _l("Password"), "pin": _l("PIN"), "must_change_password": _l("Must change the password"),
    "q": _l("Words"), "from": _l("From day"), "to": _l("Until day"), "user": _l("User"), "action": _l("Action"),
    "subject": _l("About"), "state": _l("State"), "priority": _l("Priority"), "test": _l("Test"), "to_day": _l("Day"),
    "consignment": _l("Consignment"), "days": _l("Days"), "hl7": _l("HL7 code"), "older_than": _l("Older than"),
}  # fmt: skip
VALUES: Mapping[str, Any] = {
    "worklist": _l("Worklist"), "outcomes": _l("Outcomes"), "search.specimens": _l("Search"),
    "search.consignments": _l("Consignments"), "collector.worklist": _l("Worklist"),
    "receiver.incoming": _l("Incoming"), "manager.inbox": _l("Alerts"), "specimens": _l("Specimens"),
    "consignments": _l("Consignments"), "audit": _l("Audit log"), "register": _l("Transport register"),
    "new_order": _l("New order"), "labels": _l("Labels"),
}  # fmt: skip


def field_word(name: str) -> str:
    """In the reader's language; the bare name of a field that has no word."""
    return str(FIELDS.get(name, name))


def detail(facts: Mapping[str, Any]) -> str:
    """name: before → after; other facts as they are."""
    parts = []
    for name, value in facts.items():
        colon = gettext("%(name)s: %(value)s")
        if isinstance(value, list) and len(value) == 2 and name != "choices":
            said = f"{_said(name, value[0])} → {_said(name, value[1])}"
        else:
            said = _said(name, value)
        parts.append(colon % {"name": field_word(name), "value": said})
    return str(gettext("; ")).join(parts)


def _said(name: str, value: Any) -> str:
    if value is None or value in ("", {}, []):
        return "–"
    if isinstance(value, bool):
        return str(gettext("yes") if value else gettext("no"))
    if isinstance(value, dict):
        return str(gettext(", ")).join(f"{field_word(str(key))} = {_said(str(key), one)}" for key, one in value.items())
    if isinstance(value, list):
        return str(gettext(", ")).join(_said(name, one) for one in value)
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, default=str)
    table = {"role": words.ROLES, "tier": words.TIERS}.get(name, VALUES)
    return str(table.get(value, value))
