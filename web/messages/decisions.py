"""Sentences of decisions: stability limits, assessments, routes of alerts."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "effect_in_the_past": _l("The limit can count from today on at the earliest: what was signed before stays."),
    "effect_too_far": _l("The limit must count within %(days)s days."),
    "assessment_changed": _l("New readings changed the verdict since the page was opened. Look again, then sign."),
    "assessment_accepted": _l("The tube has been accepted meanwhile. What is accepted can be recalled: look again."),
    "assessment_unknown": _l("This assessment does not exist or concerns no tube of yours."),
    "assessment_looked_at": _l("Nothing asks for a new look at this assessment, or somebody has looked already."),
    "alert_over": _l("This is over: acknowledge it, there is nothing left to put off."),
    "snooze_out_of_range": _l("It can be put off for %(low)s to %(high)s minutes."),
    "route_channel_unknown": _l("Choose a channel of this laboratory or of one above it."),
    "route_unknown": _l("This route does not exist or belongs to another laboratory."),
    "channel_robot_refused": _l("The chat robot refused the message: a wrong key, or too many messages."),
    "rule_withdrawn": _l("This limit has been withdrawn already."),
}
