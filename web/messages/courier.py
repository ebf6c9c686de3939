"""Sentences of the courier's phone."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "off_duty": _l("You are off duty. Positions are taken on duty only."),
    "courier_unknown": _l("You are not on the list of couriers. Ask the administrator."),
    "stops_changed": _l("The plan has changed meanwhile. Look at the new stops, then change the order again."),
    "positions_malformed": _l("These positions cannot be read."),
    "too_many_positions": _l("Send at most %(limit)s positions at once."),
    "courier_report_malformed": _l("This report of the phone cannot be read."),
    "offer_unknown": _l("This handover was not offered by anybody. Ask the giver to show the code again."),
    "offer_of_other": _l("This handover was offered by somebody else."),
    "offer_used": _l("This code has served already: %(taker)s took over with it. Ask for a new one."),
    "offer_malformed": _l("This handover code cannot be read. Ask the giver to show it again."),
    "offer_altered": _l("No device of the giver has shown this code. Scan it again from the giver’s screen."),
    "offer_expired": _l("This code was shown too long ago: it is good for %(minutes)s minutes. Scan it again."),
    "offer_of_others": _l("The code was shown for other boxes, not for %(consignment)s. Ask the giver for a new one."),
    "one_seal_each": _l("By the seal, boxes are taken over one by one."),
    "part_missing": _l("State the count for %(consignment)s."),
    "seal_tail_locked": _l("Too many wrong ends of a seal. It is locked for %(minutes)s minutes."),
}
