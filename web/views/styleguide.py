"""Every component on one page: for whoever builds pages, and for the tests that look at them."""

from __future__ import annotations

from flask import Blueprint, render_template

from web.access import access

blueprint = Blueprint("styleguide", __name__)

SPECIMEN_STATES = [
    "registered",
    "collected",
    "collection_failed",
    "packed",
    "sealed",
    "in_transit",
    "arrived",
    "received",
    "accepted",
    "accepted_concession",
    "hold",
    "rejected",
    "forwarded",
    "missing",
    "lost",
    "found",
    "recalled",
    "disposed",
]
CONSIGNMENT_STATES = "open sealed ready in_transit arrived receiving received closed overdue".split()  # noqa: SIM905
ALERT_STATES = ("open", "acknowledged", "snoozed", "ended", "closed")


@blueprint.get("/styleguide")
@access("administrator")
def page() -> str:
    """The design system, see docs/design-system.md."""
    return render_template(
        "styleguide.html",
        specimen_states=SPECIMEN_STATES,
        consignment_states=CONSIGNMENT_STATES,
        alert_states=ALERT_STATES,
    )
