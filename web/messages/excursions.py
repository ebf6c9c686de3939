"""Sentences about alarm profiles, their versions, and charts."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "temp_class_unknown": _l("There is no such temperature class."),
    "profile_scope_bad": _l("Choose what the profile is for: a site, a box or a logger."),
    "profile_scope_unknown": _l("“%(what)s” is not known here."),
    "profile_not_yours": _l("Only the administration changes the profile of the whole network, or of another area."),
    "profile_needed": _l("The profile of the whole network cannot be given up."),
    "profile_backdated": _l("A version cannot begin in the past: what was judged stays judged."),
    "profile_time_unreadable": _l("The date and time cannot be read."),
    "profile_band_empty": _l("The upper end of the band must be above the lower end."),
    "profile_no_rule": _l("A profile needs at least one rule."),
    "profile_rules_most": _l("A profile has at most %(most)s rules."),
    "profile_rule_twice": _l("The same rule stands here twice."),
    "profile_rule_kind": _l("Choose a kind of rule and a side."),
    "profile_number_range": _l("The value must be between %(low)s and %(high)s."),
    "profile_minutes_range": _l("Give between %(low)s and %(high)s minutes."),
    "profile_window_bad": _l("The window must be longer than the minutes and at most %(days)s days."),
    "profile_hysteresis_wide": _l("The clearance must be smaller than the change."),
    "profile_limit_inside": _l("This limit lies beyond the other side of the band: every reading would break it."),
    "profile_days_bad": _l("Try between 1 and %(most)s days."),
    "chart_span_bad": _l("The chart shows a stretch of time of at most %(days)s days, with its begin before its end."),
    "chart_points_bad": _l("Ask for between %(low)s and %(high)s points."),
}
