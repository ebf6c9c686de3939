"""Readings over HTTP, for gateways that cannot speak MQTT: the same pipeline, the answer is the receipt.

Body: ``{"device": "LG-0731", "seq": 118, "readings": […]}`` or a list of such messages (at most 500).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from logistics.errors import Forbidden, Invalid
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
    messages = _messages(body)
    for message in messages:
        if allowed_devices is not None and message.device not in allowed_devices:
            raise Forbidden("device_not_yours", field="device", device=message.device)
    return answer(store_batch(session, messages, now=now))


def _messages(body: bytes) -> list[Incoming]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        raise Invalid("json_malformed", field="body") from None
    items = parsed if isinstance(parsed, list) else [parsed]
    if not items or len(items) > MOST_MESSAGES:
        raise Invalid("readings_batch_size", field="body", most=MOST_MESSAGES)
    messages = []
    for index, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("device"), str) or not item["device"].strip():
            raise Invalid("device_missing", field=f"{index}.device")
        messages.append(Incoming(TOPIC, json.dumps(item).encode(), item["device"].strip()))
    return messages


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
