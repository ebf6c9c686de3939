"""Sentences of the simulated day."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "no_simulation": _l("This installation does not run a simulated day."),
    "demo_rate_unknown": _l("Choose one of these speeds: %(rates)s."),
}
