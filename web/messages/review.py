"""Sentences of the review of late acts."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "review_unknown": _l("This act does not exist, or it belongs to another laboratory."),
    "review_done": _l("This act has been done meanwhile: what it waited for has arrived."),
    "review_unfit": _l("It still does not fit: %(why)s"),
    "review_own": _l("You did this yourself: another manager must look into it before it is applied."),
    "review_settled": _l("Somebody has settled this already."),
}
