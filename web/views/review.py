"""Acts kept for review: what somebody did that no longer fitted when it arrived, beside what the record says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics import clock
from logistics.db import db, transaction
from logistics.errors import Conflict, Invalid
from logistics.queries.review import facts
from logistics.services import review
from logistics.services.orders import ZONE
from web import auth
from web.access import access
from web.act_words import ACT_WORDS, FIELD_WORDS
from web.auth import scope
from web.messages import sentence

blueprint = Blueprint("review", __name__, url_prefix="/review")
DECISIONS: dict[str, Callable[..., object]] = {"apply": review.apply, "void": review.void, "annotate": review.annotate}


@blueprint.get("")
@access("manager", "auditor")
def listing() -> str:
    """Query: settled=1 for those that a manager has decided."""
    return _page(settled=request.args.get("settled") == "1")


def _page(*, settled: bool = False, error: str = "", about: str = "") -> str:
    session = db.session()
    rows = review.kept(session, scope(), settled=settled)
    return render_template(
        "review/list.html",
        rows=[(row, facts(session, row.subject)) for row in rows],
        settled=settled,
        words=ACT_WORDS,
        fields=FIELD_WORDS,
        error=error,
        about=about,
        typed=request.form,
    )


@blueprint.post("/<act_id>/decide")
@access("manager")
def decide(act_id: str) -> Response | tuple[str, int]:
    """Form: how (apply | void | annotate), word, occurred_at (local, only to apply it with a clock put right)."""
    try:
        with transaction() as session:
            _decide(session, act_id)
    except (Conflict, Invalid) as error:
        params = error.params
        if error.code == "review_unfit":
            params = {"why": sentence(str(params["why"]), params["why_params"])}  # type: ignore[arg-type]
        return _page(error=sentence(error.code, params), about=act_id), 409 if isinstance(error, Conflict) else 400
    return redirect(url_for("review.listing"))


def _decide(session: Session, act_id: str) -> None:
    how = request.form.get("how", "")
    if how not in DECISIONS:
        raise Invalid("field_malformed", field="how")
    more: dict[str, Any] = {}
    if how == "apply" and request.form.get("occurred_at"):
        more["occurred_at"] = _local(request.form["occurred_at"])
    word = request.form.get("word", "")
    DECISIONS[how](session, act_id, word=word, username=current_user.username, scope=scope(), now=clock.now(), **more)
    auth.audit(session, f"act_{how}", act_id, word=word[: review.LONGEST_WORD])


def _local(text: str) -> datetime:
    try:
        return datetime.strptime(text[:16], "%Y-%m-%dT%H:%M").replace(tzinfo=ZONE)
    except ValueError:
        raise Invalid("field_malformed", field="occurred_at") from None


def decided(settled: dict[str, str]) -> str:
    """What a manager has decided, in a word."""
    return str(gettext("Applied") if settled.get("how") == review.APPLIED else gettext("Voided"))


blueprint.record(lambda state: state.app.jinja_env.filters.update(decided=decided))
