"""MQTT topics of Labrelay's own loggers (docs/formats/mqtt.md)."""

from __future__ import annotations

from functools import lru_cache

PREFIX = "labrelay/v1"
ALL_READINGS = f"{PREFIX}/+/readings"
_LEVELS = 4


def readings(device: str) -> str:
    return f"{PREFIX}/{device}/readings"


def receipt(device: str) -> str:
    return f"{PREFIX}/{device}/receipt"


def request(device: str) -> str:
    return f"{PREFIX}/{device}/request"


def subscription(share_group: str | None) -> str:
    """What an ingest process subscribes to; with a group several processes divide the messages."""
    return shared(ALL_READINGS, share_group)


def shared(pattern: str, share_group: str | None) -> str:
    return f"$share/{share_group}/{pattern}" if share_group else pattern


@lru_cache(4096)
def device_of(topic: str) -> str | None:
    """The device that a readings topic names; None for any other topic."""
    parts = topic.split("/")
    if len(parts) == _LEVELS and parts[:2] == PREFIX.split("/") and parts[3] == "readings" and parts[2]:
        return parts[2]
    return None
