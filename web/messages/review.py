"""Sentences of the review of late acts."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "review_unknown": _l("This act does not exist, or it belongs to another laboratory."),
    "review_settled": _l("Somebody has settled this already."),
}
