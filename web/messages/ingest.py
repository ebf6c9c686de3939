"""Sentences of the ingest: keys of loggers and gateways."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "device_key_wrong": _l("This key is not one of a logger or gateway, or it has been replaced."),
    "key_account_bad": _l("“%(account)s” cannot be the account of a logger or gateway."),
    "key_account_unknown": _l("There is no active logger or gateway %(account)s, or it has no key."),
}
