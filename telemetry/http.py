"""Readings over HTTP, for gateways that cannot speak MQTT: the same pipeline, the answer is the receipt.

Body: ``{"device": "LG-0731", "seq": 118, "readings": […]}`` or a list of such messages (at most 500). Without a device
it may be what ChirpStack's HTTP integration or a Ruuvi Gateway posts: then the register says whose it is, by the topic
under which the same would come over MQTT.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from logistics.errors import Forbidden, Invalid
from telemetry import routes
from telemetry.ingest import BatchResult, Incoming, store_batch

MOST_MESSAGES = 500
TOPIC = "http"


def store_body(
    session: Session, body: bytes, *, now: datetime, allowed_devices: Collection[str] | None = None
) -> dict[str, Any]:
    """Store what a gateway posted; the caller commits before it answers.

    ``allowed_devices``: the devices that this sender may speak for, None for all. Raises Invalid for a body of
    another shape and Forbidden for a device that is not the sender's; then nothing is stored.
    """
    messages = _messages(session, body)
    for message in messages:
        if allowed_devices is not None and message.device not in allowed_devices:
            raise Forbidden("device_not_yours", field="device", device=message.device)
    return answer(store_batch(session, messages, now=now))


def _messages(session: Session, body: bytes) -> list[Incoming]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        raise Invalid("json_malformed", field="body") from None
    items = parsed if isinstance(parsed, list) else [parsed]
    if not items or len(items) > MOST_MESSAGES:
        raise Invalid("readings_batch_size", field="body", most=MOST_MESSAGES)
    messages = []
    for index, item in enumerate(items):
        topic = _foreign_topic(item) if isinstance(item, dict) else None
        device = item.get("device") if isinstance(item, dict) else None
        if topic is not None:
            device = routes.devices_of(session, [topic]).get(topic)
        if not isinstance(device, str) or not device.strip():
            raise Invalid("device_missing", field=f"{index}.device")
        messages.append(Incoming(topic or TOPIC, json.dumps(item).encode(), device.strip()))
    return messages


def _foreign_topic(item: Mapping[str, Any]) -> str | None:
    """Where ChirpStack or a Ruuvi Gateway would publish the same; None for a message of ours."""
    info, data = item.get("deviceInfo"), item.get("data")
    if "device" in item:
        return None
    if isinstance(info, dict):
        event = "status" if "batteryLevel" in item else "up"
        return f"application/{info.get('applicationId')}/device/{info.get('devEui')}/event/{event}"
    if isinstance(data, dict) and data.get("gw_mac"):
        return f"ruuvi/{data['gw_mac']}/http"
    return None


def answer(result: BatchResult) -> dict[str, Any]:
    """The receipt as JSON: per message what was stored, per device what may be forgotten and what is missing."""
    return {
        "messages": [
            {
                "device": outcome.device,
                "seq": outcome.seq,
                "stored": outcome.readings - outcome.duplicates,
                "duplicates": outcome.duplicates,
                "quarantined": outcome.quarantined,
                "refused": outcome.refused,
            }
            for outcome in result.outcomes
        ],
        "receipts": {receipt.device: receipt.body() for receipt in result.receipts},
        "requests": [{"device": request.device, **request.body()} for request in result.requests],
    }
