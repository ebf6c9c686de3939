"""Words of the loggers' pages: formats, what is wrong with a logger, why something was set aside and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l

from web.messages import telemetry as messages

CODECS: Mapping[str, Any] = {
    "labrelay": _l("Labrelay's own"),
    "chirpstack": "ChirpStack v4 (LoRaWAN)",
    "ruuvi": "Ruuvi Gateway",
    "shelly": "Shelly Gen2+",
    "tasmota": "Tasmota",
    "zigbee2mqtt": "Zigbee2MQTT",
    "sparkplug_b": "Sparkplug B",
}

MARKS: Mapping[str, Any] = {
    "silent": _l("silent"),
    "probe": _l("probe off"),
    "lid": _l("lid open"),
    "battery": _l("battery low"),
    "overdue": _l("calibration overdue"),
    "uncalibrated": _l("no certificate"),
    "soon": _l("calibration due soon"),
    "set_aside": _l("messages set aside"),
    "unbound": _l("in no box"),
}
FACES: Mapping[str, tuple[str, str]] = {
    "silent": ("danger", "radio"),
    "probe": ("danger", "thermometer"),
    "lid": ("warn", "box-open"),
    "battery": ("warn", "battery"),
    "overdue": ("danger", "calendar"),
    "uncalibrated": ("neutral", "document"),
    "soon": ("warn", "calendar"),
    "set_aside": ("hold", "hold"),
    "unbound": ("neutral", "box"),
}

LETTER_STATES: Mapping[str, Any] = {"kept": _l("Waiting"), "replayed": _l("Released"), "discarded": _l("Discarded")}
QUARANTINE_STATES: Mapping[str, Any] = {"held": _l("Waiting"), "released": _l("Released"), "discarded": _l("Discarded")}

SET_ASIDE: Mapping[str, Any] = {
    **messages.SET_ASIDE,
    "no_time": _l("The message has no time."),
    "no_values": _l("The message holds none of the values that its type names."),
    "unknown_alias": _l("The metric has a number that no birth message has named."),
    "unknown_probe": _l("The sensor has no probe number at this logger."),
    "restamped": _l("Another value is stored for the same instant: several readings were stamped alike."),
}

_CLOCK = _l("Set the logger's clock. Release what it sent with its time moved by as much as the clock was wrong.")
_PROBE = _l("Look at the probe and its plug. There is no temperature in it: discard it.")
_FORMAT = _l("Check that the logger's type is the right one. Then release it, or discard it if it is noise.")
REMEDIES: Mapping[str, Any] = {
    "bad_topic": _l("Enter the topic at the logger that publishes there. Then release it."),
    "unknown_device": _l("Register the logger, commissioned before this message. Then release it."),
    "unknown_codec": _l("Choose another type for the logger. Then release it."),
    "not_text": _FORMAT,
    "not_json": _FORMAT,
    "wrong_shape": _FORMAT,
    "time_unreadable": _FORMAT,
    "no_zone": _l("Enter the zone of the logger's clock at its type. Then release it."),
    "no_time": _l("Let the device send a time, or allow the time of arrival at its type. Then release it."),
    "no_values": _l("Enter the names of its values at the type, or a decoder in the network server. Then release it."),
    "unknown_alias": _l("Let the device send its birth message again. Then release it."),
    "unknown_probe": _l("Give the sensor a probe number at the logger, or leave it if it is a stranger's."),
    "probe_disconnected": _PROBE,
    "probe_power_on": _PROBE,
    "not_finite": _PROBE,
    "out_of_range": _PROBE,
    "in_future": _CLOCK,
    "before_commissioning": _l("If the logger was in use before, release as it is. Else its clock is wrong: move it."),
    "restamped": _l("If a gateway sent late what it had kept, release with the readings' distance as spacing."),
}
"""What to do about it."""

FILE_DIFFERENCES: Mapping[str, Any] = {
    "min_c": _l("Lowest, °C"), "max_c": _l("Highest, °C"), "mean_c": _l("Mean, °C"), "mkt_c": _l("MKT, °C"),
    "minutes": _l("Minutes outside"),
}  # fmt: skip
SIDES: Mapping[str, Any] = {"upper": _l("above"), "lower": _l("below"), "": ""}
