"""Sentences of the courier's phone."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "off_duty": _l("You are off duty. Positions are taken on duty only."),
    "courier_unknown": _l("You are not on the list of couriers. Ask the administrator."),
    "stops_changed": _l("The plan has changed meanwhile. Look at the new stops, then change the order again."),
    "positions_malformed": _l("These positions cannot be read."),
    "too_many_positions": _l("Send at most %(limit)s positions at once."),
    "courier_report_malformed": _l("This report of the phone cannot be read."),
}
