"""A reading of a box logger, what a codec gives back, and the checks every reading passes.

Units: temperature °C, humidity % RH, battery %, position WGS84 degrees, instants UTC.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)  # a logger whose clock was never set says 1970 or 2000
FUTURE_TOLERANCE = timedelta(minutes=5)
LOWEST_TEMP_C = -100.0
HIGHEST_TEMP_C = 80.0
# A DS18B20 answers 85.00 after a brown-out and −127.00 when nobody is on the wire.
POWER_ON_TEMP_C = 85.0
DISCONNECTED_TEMP_C = -127.0
_FAULT_TOLERANCE_C = 0.005


class DeadReason(StrEnum):
    """Why bytes, or one reading of a message, cannot be used. Kept in the dead-letter table."""

    BAD_TOPIC = "bad_topic"
    NOT_TEXT = "not_text"
    NOT_JSON = "not_json"
    WRONG_SHAPE = "wrong_shape"
    TIME_UNREADABLE = "time_unreadable"
    NO_ZONE = "no_zone"
    NO_TIME = "no_time"
    NO_VALUES = "no_values"
    UNKNOWN_ALIAS = "unknown_alias"
    UNKNOWN_PROBE = "unknown_probe"
    UNKNOWN_DEVICE = "unknown_device"
    UNKNOWN_CODEC = "unknown_codec"
    OVERSIZED = "oversized"
    PROBE_DISCONNECTED = "probe_disconnected"
    PROBE_POWER_ON = "probe_power_on"
    NOT_FINITE = "not_finite"
    OUT_OF_RANGE = "out_of_range"
    NOT_STORABLE = "not_storable"


# The probe gives no temperature; a single one is a bad contact, several in a row are a probe that is off.
PROBE_FAULTS = frozenset({DeadReason.PROBE_DISCONNECTED, DeadReason.PROBE_POWER_ON, DeadReason.NOT_FINITE})


class QuarantineReason(StrEnum):
    """Why a reading that is readable is set aside: its time cannot be right.

    restamped: another value is stored for the same instant; somebody stamped several readings alike, or the clock
    was set back.
    """

    IN_FUTURE = "in_future"
    BEFORE_COMMISSIONING = "before_commissioning"
    RESTAMPED = "restamped"


class UndecodableError(Exception):
    """The bytes are no message of the format. ``reason`` says why; ``detail`` is for the log and holds no
    data."""

    def __init__(self, reason: DeadReason, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason} {detail}".strip())


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One measurement. ``at`` is when it was taken (UTC), never when it arrived."""

    device: str
    probe: int
    at: datetime
    temp_c: float
    rh_pct: float | None = None
    battery_pct: float | None = None
    lid_open: bool | None = None
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True, slots=True)
class BadPart:
    """One entry of a message that could not be used, with its own bytes; the rest of the message counts.

    ``probe`` and ``at`` where the entry tells them: a probe that is off is noticed by its faults. ``part``: ``raw``
    is the entry alone, not the whole message.
    """

    raw: bytes
    reason: DeadReason
    detail: str = ""
    probe: int | None = None
    at: datetime | None = None
    part: bool = False


class Message(msgspec.Struct, frozen=True, gc=False):
    """What a codec makes of one payload. ``seq`` is None where the format knows no sequence number.

    ``battery_pct``: told without a temperature. ``learnt``: what later messages of this device need to be read, to be
    kept with it; None when nothing is to be changed.
    """

    device: str
    seq: int | None
    readings: tuple[Reading, ...]
    bad: tuple[BadPart, ...] = ()
    battery_pct: float | None = None
    learnt: Mapping[str, Any] | None = None


def probe_fault(temp_c: float) -> DeadReason | None:
    """Whether the number can be a temperature at all; None when it can."""
    if LOWEST_TEMP_C <= temp_c <= HIGHEST_TEMP_C:
        return None  # both values that a lost probe gives lie outside
    if not math.isfinite(temp_c):
        return DeadReason.NOT_FINITE
    if abs(temp_c - DISCONNECTED_TEMP_C) < _FAULT_TOLERANCE_C:
        return DeadReason.PROBE_DISCONNECTED
    if abs(temp_c - POWER_ON_TEMP_C) < _FAULT_TOLERANCE_C:
        return DeadReason.PROBE_POWER_ON
    return DeadReason.OUT_OF_RANGE


def time_fault(at: datetime, *, now: datetime, commissioned_at: datetime | None) -> QuarantineReason | None:
    """Whether the logger's clock can be right; None when it can."""
    if at > now + FUTURE_TOLERANCE:
        return QuarantineReason.IN_FUTURE
    if at < (commissioned_at or EARLIEST):
        return QuarantineReason.BEFORE_COMMISSIONING
    return None
