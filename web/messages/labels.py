"""Sentences of labels, pre-printed numbers and registers."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "label_kind_not_ahead": _l("Numbers of this kind cannot be printed ahead."),
    "label_batch_size": _l("Between 1 and %(most)s labels at once."),
    "label_batch_unknown": _l("There is no such batch of labels, or it is another site's."),
    "label_number_unknown": _l(
        "“%(number)s” looks like a number of ours but was never printed. Check the label; do not use it."
    ),
    "label_number_voided": _l("The label %(number)s was voided and must not be used. Take another one."),
    "label_number_used": _l("The number %(number)s stands for a tube already. Take another label."),
    "label_number_elsewhere": _l("The label %(number)s was printed for another site (%(site)s)."),
    "label_number_unregistered": _l(
        "The label %(number)s is not registered for a tube yet. Register the order with this number first."
    ),
    "label_void_reason": _l("Say why the labels are voided."),
    "label_copies": _l("Between 1 and %(most)s copies."),
    "reprint_reason_missing": _l("This was printed before. Say why it is printed again."),
}
