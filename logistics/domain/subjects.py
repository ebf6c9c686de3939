"""What a tube, a consignment and a load item are from their first event on: columns that nothing changes later.

The order and the patient behind a tube are not in the log: of the order there is its row's id, and the masked reference
stands in the act that registered the tube.
"""

from __future__ import annotations

from typing import Any

from logistics.domain.custody import Event
from logistics.domain.digests import day_of
from logistics.domain.numbers import normalise


def specimen(event: Event) -> dict[str, Any]:
    """By 'registered' of a tube."""
    said = event.payload
    return {
        "accession": said["accession"],
        "accession_key": normalise(said["accession"]),
        "accession_tail": normalise(said["accession"])[::-1],
        "issuing_site_code": event.site,
        "registered_on": day_of(event.occurred_at),
        "order_id": said["order"],
        "specimen_type": said["type"],
        "container": said["container"],
        "temp_class": said["temp_class"],
        "stage": said["stage"],
        "priority": said["priority"],
        "collecting_site_code": event.site,
        "destination_code": said["destination"],
        "recollects_id": said.get("replaces_id"),
    }


def consignment(event: Event) -> dict[str, Any]:
    """By 'opened' of a consignment."""
    said = event.payload
    return {
        "origin_code": event.site,
        "destination_code": said["destination"],
        "box_code": said["box"],
        "temp_class": said["temp_class"],
        "opened_at": event.occurred_at,
        "opened_by": event.actor,
        "kind": said.get("kind", "specimens"),
        "contract_reference": said.get("contract"),
    }


def item(event: Event) -> dict[str, Any]:
    """By 'registered' of a load item."""
    same = ("kind", "description", "quantity", "temp_class", "lot", "expires_on")
    return {
        **{name: event.payload[name] for name in same},
        "origin_code": event.site,
        "destination_code": event.payload["destination"],
        "registered_by": event.actor,
    }
