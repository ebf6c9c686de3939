"""Sentences of the pages of collectors and receivers."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "order_without_tests": _l("Choose at least one test."),
    "order_needs_numbers": _l(
        "These tests need %(tubes)s tubes. Leave the number empty, and each tube gets one of its own."
    ),
    "order_sent_before": _l("This form was sent before with other content. Check it and send it again."),
    "manifest_not_locked": _l("%(consignment)s has no locked manifest yet. Seal the box first."),
    "import_file_missing": _l("Choose a file first."),
}
