"""Acts kept for review: what somebody did that no longer fitted when it arrived, beside what the record says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import db, transaction
from logistics.errors import Conflict, Invalid, LabrelayError
from logistics.queries import worklists
from logistics.queries.review import Fact, facts
from logistics.services import review
from logistics.services.orders import ZONE
from web import auth, personal
from web.access import access
from web.act_words import ACT_WORDS
from web.auth import scope
from web.forms import NO_PROBLEM, Page, Problem, text
from web.late_words import Words
from web.messages import sentence

LONGEST_SEAL = 64
blueprint = Blueprint("review", __name__, url_prefix="/review")
DECISIONS: dict[str, Callable[..., object]] = {"apply": review.apply, "void": review.void, "annotate": review.annotate}
DONE: Mapping[str, Any] = {
    "apply": _l("Applied: the record holds it now."),
    "void": _l("Voided: it stays on record and changes nothing."),
    "annotate": _l("Noted. It still waits for a decision."),
}


@blueprint.get("")
@access("manager", "auditor")
def listing() -> str:
    """Query: settled=1 for those that a manager has decided."""
    return _page(settled=request.args.get("settled") == "1")


def _page(*, settled: bool = False, problem: Problem = NO_PROBLEM, about: str = "") -> str:
    """``problem``: why the decision about the act ``about`` was refused; what was typed stays in its form."""
    session = db.session()
    rows = [(row, facts(session, row.subject)) for row in review.kept(session, scope(), settled=settled)]
    words = Words(session, [row.sent.payload for row, _ in rows])
    return render_template(
        "review/list.html",
        rows=[(row, words.facts(row.sent.payload), record) for row, record in rows],
        people=worklists.people(session, _names(rows)),
        settled=settled,
        words=ACT_WORDS,
        problem=problem,
        about=about if any(row.act.id == about for row, _ in rows) else "",
        typed=request.form,
    )


def _names(rows: Sequence[tuple[review.Kept, Sequence[Fact]]]) -> list[str | None]:
    """Everybody who holds or did something by the record, or has written about an act."""
    found = [name for _, record in rows for fact in record for name in (fact.holder, *_actors(fact))]
    found += [note["by"] for row, _ in rows for note in row.notes]
    return found + [row.settled["by"] for row, _ in rows if row.settled]


def _actors(fact: Fact) -> list[str]:
    return [event.actor for event in fact.events]


@blueprint.post("/<act_id>/decide")
@access("manager")
def decide(act_id: str) -> Page:
    """Form: how (apply | void | annotate), word; only to apply it: occurred_at (local, a clock put right) and seal_now
    (the number that is on the box, empty for none)."""
    how = request.form.get("how", "")
    try:
        personal.refuse()
        with transaction() as session:
            _decide(session, act_id, how)
    except (Conflict, Invalid) as error:
        problem = Problem(_in_words(error))
        return _page(problem=problem, about=act_id), problem.status
    flash(str(DONE[how]), "ok")
    return redirect(url_for("review.listing"))


def _in_words(error: Conflict | Invalid) -> LabrelayError:
    """The reason why an act still does not fit is a refusal of its own."""
    if error.code != "review_unfit":
        return error
    why = sentence(str(error.params["why"]), error.params["why_params"])  # type: ignore[arg-type]
    field = str(error.params.get("why_field") or error.field)
    return Conflict(error.code, field="seal_now" if field in review.SEALING.values() else field, why=why)


def _decide(session: Session, act_id: str, how: str) -> None:
    if how not in DECISIONS:
        raise Invalid("field_malformed", field="how")
    more: dict[str, Any] = {}
    if how == "apply" and request.form.get("occurred_at"):
        more["occurred_at"] = _local(request.form["occurred_at"])
    if how == "apply" and "seal_now" in request.form:
        more["seal_now"] = text("seal_now", limit=LONGEST_SEAL)
    word = request.form.get("word", "")
    DECISIONS[how](session, act_id, word=word, username=current_user.username, scope=scope(), now=clock.now(), **more)
    auth.audit(session, f"act_{how}", act_id, word=word[: review.LONGEST_WORD])


def _local(given: str) -> datetime:
    try:
        return datetime.strptime(given[:16], "%Y-%m-%dT%H:%M").replace(tzinfo=ZONE)
    except ValueError:
        raise Invalid("field_malformed", field="occurred_at") from None


def decided(settled: dict[str, str]) -> str:
    """What a manager has decided, in a word."""
    return str(gettext("Applied") if settled.get("how") == review.APPLIED else gettext("Voided"))


blueprint.record(lambda state: state.app.jinja_env.filters.update(decided=decided))
