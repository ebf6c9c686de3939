"""Words of assessments: what may be signed, verdicts, and what late data changed."""

from __future__ import annotations

from flask_babel import gettext

from logistics.models import Assessment


def disposition_words() -> dict[str, str]:
    """What may be signed, in the reader's language."""
    return {
        "accept": gettext("Accept"),
        "concession": gettext("Accept with concession"),
        "reject": gettext("Reject"),
        "recollect": gettext("Reject, collect again"),
        "hold": gettext("Put on hold"),
        "release": gettext("Release from hold"),
        "recall": gettext("Recall"),
        "note": gettext("Remark only"),
        "decide": gettext("Decide"),
        "decided": gettext("Decided already"),
    }


def verdict_words() -> dict[str, str]:
    return {
        "fit": gettext("Fit"),
        "use_by": gettext("Use-by near"),
        "unknown": gettext("Unknown, decide"),
        "outside": gettext("Outside, decide"),
        "expired": gettext("Expired"),
        "no_rule": gettext("No rule known"),
    }


def change_words(one: Assessment) -> str:
    """What readings that came later changed of the facts that were signed; empty: nothing."""
    return what_changed(one.look_again) if one.look_again else ""


def what_changed(code: str) -> str:
    words: dict[str, str] = {
        "withdrawn": gettext("Later readings took the excursion back: the box was within its band."),
        "another": gettext("Later readings showed another excursion in the time that was signed."),
        "extreme": gettext("Later readings showed a worse temperature than the one that was signed."),
        "longer": gettext("Later readings showed that it lasted longer than was signed."),
        "earlier": gettext("Later readings showed that it began earlier than was signed."),
    }
    return words.get(code, code)
