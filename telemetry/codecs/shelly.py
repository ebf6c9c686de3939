"""Shelly Gen2 and later: ``NotifyStatus`` (topic ``<id>/events/rpc``) and ``<id>/status/temperature:0``.

Only notifications carry a time (``ts``, seconds); a status needs the option ``arrival``. ``temperature:0`` is probe 1,
those of an add-on (``temperature:100`` …) are 2 and up; ``probes`` says otherwise. A sensor that cannot be read gives
null. Source: shelly-api-docs.shelly.cloud, "Notifications", "Temperature", "DevicePower".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telemetry.codecs.base import Codec, Source
from telemetry.codecs.values import Values, instant, message, parsed, pick
from telemetry.reading import DeadReason, Message, UndecodableError

_NOTIFICATIONS = ("NotifyStatus", "NotifyFullStatus")
_ADD_ON = 100


def decode(payload: bytes, source: Source) -> Message:
    """Raises UndecodableError for what is neither a notification nor the status of a component."""
    body = parsed(payload)
    method = body.get("method")
    if method in _NOTIFICATIONS:
        params = body.get("params")
        if not isinstance(params, dict):
            raise UndecodableError(DeadReason.WRONG_SHAPE, "params")
        values = _components(source, params)
        values.at = instant(params["ts"]) if params.get("ts") else None
        return message(source, payload, [values])
    if method is not None:  # NotifyEvent: a button, an update
        return Message(source.device, None, ())
    for component, sign in (("temperature", "tC"), ("devicepower", "battery")):
        if sign in body:
            return message(source, payload, [_components(source, {f"{component}:{body.get('id', 0)}": body})])
    if "id" in body:  # another component
        return Message(source.device, None, ())
    raise UndecodableError(DeadReason.WRONG_SHAPE, "no component")


def _components(source: Source, components: Mapping[str, Any]) -> Values:
    probes = source.options.get("probes")
    flat: dict[str, Any] = {}
    fields: dict[str, str] = {}
    for name, status in components.items():
        kind, _, number = name.partition(":")
        if not isinstance(status, Mapping):
            continue
        if kind == "temperature" and "tC" in status:
            probe = probes.get(name) if probes else _probe(number)
            if probe is not None:
                flat[name], fields[name] = status["tC"], f"temp_c@{probe}"
        elif kind == "humidity" and "rh" in status:
            flat[name], fields[name] = status["rh"], "rh_pct"
        elif kind == "devicepower" and isinstance(status.get("battery"), Mapping):
            flat[name], fields[name] = status["battery"].get("percent"), "battery_pct"
    return pick(flat, fields)


def _probe(number: str) -> int | None:
    if not number.isdecimal() or int(number) > 2 * _ADD_ON:
        return None
    return int(number) + 1 if int(number) < _ADD_ON else int(number) - _ADD_ON + 2


CODEC = Codec("shelly", decode, options=frozenset({"probes", "arrival"}), topic="shellyhtg3-0123456789ab/events/rpc")
