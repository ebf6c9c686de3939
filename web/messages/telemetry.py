"""Sentences of telemetry: loggers, readings that could not be used, and the names of the alarm rules."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "device_unknown": _l("There is no logger %(device)s."),
    "device_missing": _l("Each message must name its logger in “device”."),
    "device_not_yours": _l("This key may not send readings for logger %(device)s."),
    "device_code_bad": _l("“%(device)s” cannot be a logger's code: letters, digits and dashes only."),
    "device_exists": _l("Logger %(device)s is registered already."),
    "device_bound_later": _l("Logger %(device)s was put into box %(box)s after that time."),
    "device_not_bound": _l("Logger %(device)s is in no box."),
    "codec_unknown": _l("This installation does not know the format %(codec)s."),
    "interval_bad": _l("The recording interval must be between %(low)s and %(high)s seconds."),
    "readings_batch_size": _l("Send between 1 and %(most)s messages at once."),
    "quarantine_unknown": _l("This reading is not in quarantine."),
    "quarantine_decided": _l("Somebody has decided about this reading already."),
}

# Why bytes or readings were set aside (telemetry.reading.DeadReason and QuarantineReason).
SET_ASIDE = {
    "bad_topic": _l("The topic names no logger."),
    "not_text": _l("The message is not text."),
    "not_json": _l("The message is not JSON."),
    "wrong_shape": _l("A field is missing or has the wrong type."),
    "time_unreadable": _l("The time of the reading cannot be read."),
    "no_zone": _l("The time of the reading has no time zone."),
    "unknown_device": _l("The logger is not registered."),
    "unknown_codec": _l("The logger's format is not known here."),
    "oversized": _l("The message is too large."),
    "probe_disconnected": _l("The probe is disconnected (−127 °C)."),
    "probe_power_on": _l("The probe has just been powered on (85 °C)."),
    "not_finite": _l("The value is not a number."),
    "out_of_range": _l("No box can have this temperature."),
    "not_storable": _l("The message could not be stored."),
    "in_future": _l("The time of the reading lies in the future: the logger's clock is wrong."),
    "before_commissioning": _l("The time of the reading is before the logger was commissioned: its clock is wrong."),
}

# Names of the default alarm rules (telemetry.profile).
RULES = {
    "above_8_for_30": _l("above 8 °C for 30 minutes"),
    "below_2_for_20": _l("below 2 °C for 20 minutes"),
    "above_8_sum_60": _l("above 8 °C for 60 minutes in all within 24 hours"),
    "below_2_sum_40": _l("below 2 °C for 40 minutes in all within 24 hours"),
    "above_25_at_once": _l("above 25 °C"),
    "freezing_at_once": _l("at or below −0.5 °C"),
    "above_25_for_30": _l("above 25 °C for 30 minutes"),
    "below_15_for_30": _l("below 15 °C for 30 minutes"),
    "above_37_at_once": _l("above 37 °C"),
    "above_minus_15_for_15": _l("above −15 °C for 15 minutes"),
}
