"""What can be set for the devices of a format: names of their values, probes, zone. Stored as JSON with the device.

=============  =======================================================================================================
``fields``     name of a value as the device gives it → what it is: a name of ``TARGETS``; ``temp_c@2`` is probe 2
``probes``     the device's name of a sensor → number of the probe (gateways with many tags, several sensors)
``zone``       the zone of its clock, where its times carry none: ``Asia/Shanghai``
``arrival``    true: take the time of arrival where a message has none
``ports``      LoRaWAN ports that carry measurements; others are heard and not read
=============  =======================================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from logistics.errors import Invalid

TEMPERATURES = frozenset({"temp_c", "temp_f"})
TARGETS = TEMPERATURES | {
    "rh_pct", "battery_pct", "battery_v", "battery_mv", "lid_open", "lid_closed", "lat", "lon", "at",
}  # fmt: skip
HIGHEST_PROBE = 255
MOST_FIELDS = 64


def target(text: str) -> tuple[str, int | None]:
    """'temp_c@2' as ('temp_c', 2); without a number None, which is the first probe. Raises ValueError."""
    name, at, number = text.partition("@")
    if name not in TARGETS or (at and name not in TEMPERATURES):
        raise ValueError(text)
    if not at:
        return name, None
    probe = int(number)
    if not 0 <= probe <= HIGHEST_PROBE:
        raise ValueError(text)
    return name, probe


def checked(options: Any, known: frozenset[str]) -> dict[str, Any]:
    """Options as they may be stored. ``known``: those that the format reads. Raises Invalid('option_…')."""
    if not isinstance(options, Mapping):
        raise Invalid("option_shape", field="options")
    for name in options:
        if name not in known:
            raise Invalid("option_unknown", field="options", name=str(name)[:40])
    kept = dict(options)
    _fields(kept.get("fields", {}))
    _probes(kept.get("probes", {}))
    if "zone" in kept:
        zone_of(kept["zone"])
    if not isinstance(kept.get("arrival", False), bool):
        raise Invalid("option_value", field="options", name="arrival")
    ports = kept.get("ports", [])
    if not isinstance(ports, list) or not all(isinstance(port, int) and 0 < port < 256 for port in ports):
        raise Invalid("option_value", field="options", name="ports")
    return kept


def _fields(fields: Any) -> None:
    if not isinstance(fields, Mapping) or len(fields) > MOST_FIELDS:
        raise Invalid("option_value", field="options", name="fields")
    for name, meaning in fields.items():
        try:
            target(str(meaning))
        except ValueError:
            raise Invalid("option_target", field="options", name=str(name)[:40], target=str(meaning)[:40]) from None


def _probes(probes: Any) -> None:
    if not isinstance(probes, Mapping) or len(probes) > HIGHEST_PROBE:
        raise Invalid("option_value", field="options", name="probes")
    for probe in probes.values():
        if isinstance(probe, bool) or not isinstance(probe, int) or not 0 <= probe <= HIGHEST_PROBE:
            raise Invalid("option_value", field="options", name="probes")


def zone_of(name: Any) -> ZoneInfo:
    """Raises Invalid('zone_unknown')."""
    try:
        return ZoneInfo(str(name))
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError on some platforms' paths
        raise Invalid("zone_unknown", field="zone", zone=str(name)[:40]) from None
    except KeyError:
        raise Invalid("zone_unknown", field="zone", zone=str(name)[:40]) from None
