"""Tasmota: ``tele/<topic>/SENSOR``.

``Time`` is the device's local time without a zone: the option ``zone`` names it. Every object with a ``Temperature`` is
a sensor: ``DS18B20`` is probe 1, ``DS18B20-2`` probe 2; ``probes`` gives numbers by the sensor's ``Id`` or name, and
then a sensor that is missing is a probe that is off (the names move up when one falls away). ``TempUnit`` F is turned
into °C. Source: tasmota.github.io/docs, "DS18x20", "JSON status responses".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from telemetry.codecs.base import Codec, Source
from telemetry.codecs.values import Values, instant, message, parsed, pick, zone
from telemetry.reading import BadPart, DeadReason, Message, UndecodableError

_BARE_NAN = re.compile(rb":\s*nan\b")  # older versions wrote it so, which is no JSON


def decode(payload: bytes, source: Source) -> Message:
    """Raises UndecodableError: no_zone when the device's zone is not set."""
    body = parsed(_BARE_NAN.sub(b":NaN", payload))
    sensors = {name: value for name, value in body.items() if isinstance(value, dict) and "Temperature" in value}
    probes = source.options.get("probes")
    if not sensors and not probes:
        if "Time" not in body:
            raise UndecodableError(DeadReason.WRONG_SHAPE, "no Time")
        return Message(source.device, None, ())
    kind = "temp_f" if body.get("TempUnit") == "F" else "temp_c"
    flat: dict[str, Any] = {}
    fields: dict[str, str] = {}
    bad: list[BadPart] = []
    for name, sensor in sensors.items():
        probe = _probe(name, sensor, probes)
        if probe is None or f"{kind}@{probe}" in fields.values():
            bad.append(BadPart(name.encode()[:40], DeadReason.UNKNOWN_PROBE, name[:40], part=True))
            continue
        flat[f"{name}.Temperature"], fields[f"{name}.Temperature"] = sensor["Temperature"], f"{kind}@{probe}"
        if "Humidity" in sensor:
            flat["Humidity"], fields["Humidity"] = sensor["Humidity"], "rh_pct"
    values: Values = pick(flat, fields)
    for probe in (probes or {}).values():
        values.temps_c.setdefault(probe, None)
    values.at = instant(body["Time"], zone(source)) if body.get("Time") else None
    return message(source, payload, [values], bad=bad)


def _probe(name: str, sensor: Mapping[str, Any], probes: Mapping[str, int] | None) -> int | None:
    if probes:
        return probes.get(str(sensor.get("Id", "")), probes.get(name))
    number = name.rpartition("-")[2]
    return int(number) if "-" in name and number.isdecimal() and 0 < int(number) < 256 else 1


CODEC = Codec("tasmota", decode, options=frozenset({"zone", "probes", "arrival"}), topic="tele/tasmota_C57651/SENSOR")
