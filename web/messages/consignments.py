"""Sentences about consignments, recalls and tubes that were not sent."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "specimen_recalled": _l(
        "Stop: %(subject)s was recalled and must not be used. Set it aside and record that it is in hand."
    ),
    "recall_too_late": _l("Specimen %(specimen)s cannot be recalled any more."),
    "recall_nothing_left": _l("Nothing in %(consignment)s is left to recall."),
    "recall_of_what": _l("Say which tubes to recall: a consignment or box, numbers, or a site with a day or test."),
    "recall_too_many": _l("No more than %(limit)s tubes in one recall. Narrow it down."),
    "day_malformed": _l("Give the day as year-month-day."),
}
