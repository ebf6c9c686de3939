"""Sentences of search, saved filters and exports."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "export_format_unknown": _l("There is no export as %(format)s. Choose CSV or xlsx."),
}
