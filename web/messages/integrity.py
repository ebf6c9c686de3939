"""Sentences about the proof that the record is unedited: keys, digests, bundles."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "public_key_unreadable": _l("This is not the PEM file of a public Ed25519 key."),
    "signing_key_unreadable": _l("The signing key %(file)s cannot be read."),
    "signing_key_unwritable": _l("The signing key %(file)s cannot be written: %(why)s."),
    "signing_key_absent": _l("The private key of %(fingerprint)s is not on this machine."),
    "signing_key_not_here": _l(
        "The worker has no signing key (%(file)s), so it makes no custody bundle. Ask whoever runs the servers."
    ),
    "bundle_unknown": _l("This custody bundle is not here any more. Ask for it again."),
    "signing_key_other": _l("The key on this machine is not the newest one of this installation, %(fingerprint)s."),
    "signing_key_none": _l("There is no key yet that could be replaced."),
    "digest_unreadable": _l("This is not a daily digest."),
    "digest_witness": _l("%(day)s was signed before, and its digest is gone from the database."),
    "bundle_unreadable": _l("This is not a custody bundle: %(why)s."),
    "bundle_too_large": _l("The bundle is too large: %(why)s."),
    "consignment_not_recorded": _l("Nothing is recorded about %(subject)s."),
}
