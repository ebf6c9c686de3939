"""Sentences of decisions: stability limits, assessments, routes of alerts."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "effect_in_the_past": _l("The limit can count from today on at the earliest: what was signed before stays."),
    "effect_too_far": _l("The limit must count within %(days)s days."),
    "rule_withdrawn": _l("This limit has been withdrawn already."),
}
