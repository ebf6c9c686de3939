"""What the foreign formats share: reading JSON, times and named values, and making readings of them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from telemetry.codecs.base import Source
from telemetry.codecs.options import target
from telemetry.reading import BadPart, DeadReason, Message, Reading, UndecodableError, probe_fault

_FIRST_PROBE = 1
_DEEPEST = 8
# Above this a number of seconds would be in the year 5138: milliseconds are meant.
_MILLISECONDS_FROM = 1e11
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parsed(payload: bytes) -> dict[str, Any]:
    """A JSON object. Raises UndecodableError."""
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        raise UndecodableError(DeadReason.NOT_TEXT) from None
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UndecodableError(DeadReason.NOT_JSON, str(error)[:80]) from None
    if not isinstance(body, dict):
        raise UndecodableError(DeadReason.WRONG_SHAPE, "no object")
    return body


def flat(body: Mapping[str, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    """Nested values by dotted name: ``{"a": {"b": 1}}`` as ``{"a.b": 1}``."""
    found: dict[str, Any] = {}
    for name, value in body.items():
        if isinstance(value, Mapping) and depth < _DEEPEST:
            found.update(flat(value, f"{prefix}{name}.", depth + 1))
        else:
            found[f"{prefix}{name}"] = value
    return found


def number(value: Any) -> float:
    """A number, also one that was sent as text. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(type(value).__name__)
    try:
        return float(value)
    except OverflowError:
        raise ValueError("too large") from None


def instant(value: Any, zone: tzinfo | None = None) -> datetime:
    """A time as UTC: ISO 8601, or seconds or milliseconds since 1970 (also as text).

    ``zone`` is the clock's where the text has none. Raises UndecodableError(TIME_UNREADABLE or NO_ZONE).
    """
    try:
        if isinstance(value, str) and not value.replace(".", "", 1).isdecimal():
            at = datetime.fromisoformat(value)
        else:
            seconds = number(value)
            at = _EPOCH + timedelta(seconds=seconds / 1000 if seconds >= _MILLISECONDS_FROM else seconds)
        if at.tzinfo is None:
            if zone is None:
                raise UndecodableError(DeadReason.NO_ZONE)
            at = at.replace(tzinfo=zone)
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UndecodableError(DeadReason.TIME_UNREADABLE, str(value)[:40]) from None


def zone(source: Source) -> tzinfo | None:
    name = source.options.get("zone")
    return _zone(name) if isinstance(name, str) else None


@cache
def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return None


def arrival(source: Source) -> datetime:
    """The time of arrival to the second, for formats without a time.

    Raises UndecodableError(NO_TIME) unless the device's options allow it.
    """
    if not source.options.get("arrival") or source.received_at is None:
        raise UndecodableError(DeadReason.NO_TIME)
    return source.received_at.replace(microsecond=0)


def lithium_pct(volts: float) -> float:
    """The charge of a 3 V lithium cell by its voltage: flat for most of its life; at 2.5 V it is to be replaced."""
    points = ((2.0, 0.0), (2.5, 15.0), (2.9, 70.0), (3.0, 100.0))
    if volts <= points[0][0]:
        return 0.0
    for (low_v, low), (high_v, high) in itertools.pairwise(points):
        if volts <= high_v:
            return round(low + (high - low) * (volts - low_v) / (high_v - low_v), 1)
    return 100.0


@dataclass(slots=True)
class Values:
    """What one instant of a device says: temperatures by probe (None: the probe gives none) and the rest."""

    at: datetime | None = None
    temps_c: dict[int, float | None] = field(default_factory=dict)
    rh_pct: float | None = None
    battery_pct: float | None = None
    lid_open: bool | None = None
    lat: float | None = None
    lon: float | None = None
    unreadable: list[str] = field(default_factory=list)


def pick(values: Mapping[str, Any], fields: Mapping[str, str], zone: tzinfo | None = None) -> Values:
    """The values that ``fields`` names (name → target). Raises UndecodableError for an unreadable time."""
    found = Values()
    for name, meaning in fields.items():
        if name not in values:
            continue
        kind, probe = target(meaning)
        if kind == "at":
            found.at = instant(values[name], zone)
            continue
        try:
            _take(found, kind, probe or _FIRST_PROBE, values[name])
        except ValueError:
            found.unreadable.append(name)
    return found


def _take(found: Values, kind: str, probe: int, value: Any) -> None:
    if kind in ("temp_c", "temp_f"):
        if value is None:
            found.temps_c[probe] = None
        else:
            degrees = number(value)
            found.temps_c[probe] = degrees if kind == "temp_c" else round((degrees - 32) / 1.8, 3)
    elif value is None:
        return
    elif kind == "rh_pct":
        found.rh_pct = _percent(number(value))
    elif kind == "battery_pct":
        found.battery_pct = _percent(number(value))
    elif kind in ("battery_v", "battery_mv"):
        if found.battery_pct is None:  # a percentage that the device itself gives comes first
            found.battery_pct = lithium_pct(number(value) / (1000 if kind == "battery_mv" else 1))
    elif kind in ("lid_open", "lid_closed"):
        found.lid_open = _truth(value) is (kind == "lid_open")
    elif kind == "lat":
        found.lat = _within(number(value), 90)
    elif kind == "lon":
        found.lon = _within(number(value), 180)


def _percent(value: float) -> float | None:
    """Humidity sensors say a little more than 100 in wet air; anything else outside 0 … 100 is no percentage."""
    return min(value, 100.0) if 0 <= value <= 110 else None


def _within(value: float, most: float) -> float | None:
    return value if -most <= value <= most else None


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "open", "on", "false", "closed", "off"):
        return value.lower() in ("true", "open", "on")
    return number(value) != 0


def message(
    source: Source,
    payload: bytes,
    groups: Iterable[Values],
    *,
    bad: Iterable[BadPart] = (),
    learnt: Mapping[str, Any] | None = None,
) -> Message:
    """The message of these values. A fault of one probe costs that probe alone.

    Bad parts keep the whole payload: decoding it again gives the good readings again, which changes nothing.
    """
    readings: list[Reading] = []
    refused = list(bad)
    battery_pct = None
    for values in groups:
        for name in values.unreadable:
            refused.append(BadPart(payload, DeadReason.WRONG_SHAPE, name[:80]))
        if values.battery_pct is not None:
            battery_pct = values.battery_pct
        if not values.temps_c:
            continue
        at = values.at or arrival(source)
        for probe, temp_c in values.temps_c.items():
            fault = DeadReason.PROBE_DISCONNECTED if temp_c is None else probe_fault(temp_c)
            if fault is not None or temp_c is None:
                refused.append(BadPart(payload, fault or DeadReason.NOT_FINITE, f"probe {probe}", probe, at))
                continue
            readings.append(
                Reading(
                    source.device, probe, at, temp_c, values.rh_pct, values.battery_pct, values.lid_open,
                    values.lat, values.lon,
                )
            )  # fmt: skip
    return Message(source.device, None, tuple(readings), tuple(refused), battery_pct, learnt)
