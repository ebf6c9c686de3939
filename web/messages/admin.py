"""Sentences of administration, of machine orders and of passwords that must be changed."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "password_change_first": _l("Choose your own password first."),
}
