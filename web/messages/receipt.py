"""Sentences of receipt, nonconformities and their pictures."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "reason_other_kind": _l("The reason “%(reason)s” is not meant for this. Choose another one."),
    "reason_no_concession": _l("With the reason “%(reason)s” a tube cannot be accepted, not even with concession."),
    "concession_needed": _l(
        "%(specimen)s is not in good condition: accept it with concession and a reason, or reject it."
    ),
    "test_not_ordered": _l("The test “%(test)s” was not ordered on %(specimen)s."),
    "test_rejected_already": _l("The test “%(test)s” of %(specimen)s has been rejected already."),
    "decision_unknown": _l("“%(decision)s” is not a decision."),
    "specimen_astray": _l(
        "Another laboratory misses a tube with the number %(specimen)s. Look at the label: is it this one?"
    ),
    "days_too_many": _l("At most %(limit)s days at once, and the first before the last."),
    "finding_settled": _l("This has been settled already."),
    "photo_unknown": _l("This photo is not there. Take it again."),
    "photo_too_large": _l("The photo is too large (at most %(limit_mb)s MB)."),
    "photo_unreadable": _l("This is not a photo that can be read (JPEG, PNG or WebP)."),
    "photo_missing": _l("Send a photo."),
}
