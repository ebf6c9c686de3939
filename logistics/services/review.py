"""Acts that no longer fitted when they arrived: kept, shown with what the record says, settled by a manager."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from logistics.domain.access import Scope
from logistics.domain.acts import Status
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Act, User

SETTLED = "void"
MOST = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """An act kept for review: what was sent, by whom, and why it did not fit. ``settled`` once a manager spoke."""

    act: Act
    who: User
    subject: Mapping[str, Any]
    code: str
    params: Mapping[str, Any]
    settled: Mapping[str, Any] | None


def kept(session: Session, scope: Scope, *, settled: bool = False) -> list[Kept]:
    """Acts of people whose site lies in the scope, newest first; those still open unless ``settled``."""
    status = SETTLED if settled else Status.REVIEW.value
    query = _within(scope).where(Act.status == status).order_by(Act.recorded_at.desc(), Act.id).limit(MOST)
    return [_kept(act, who) for act, who in session.execute(query)]


def settle(session: Session, act_id: str, *, word: str, username: str, scope: Scope, now: datetime) -> Act:
    """A manager has looked into it; the act changes nothing any more and stays on record with his word.

    Raises Invalid without a word, NotFound, or Conflict when somebody settled it before.
    """
    found = session.execute(_within(scope).where(Act.id == act_id).with_for_update(of=Act)).first()
    if found is None:
        raise NotFound("review_unknown", field="act")
    act, _who = found
    if not word.strip():
        raise Invalid("field_missing", field="word")
    if act.status != Status.REVIEW.value:
        raise Conflict("review_settled", field="act")
    answer = json.loads(act.answer)
    answer["settled"] = {"by": username, "at": now.isoformat(), "word": word.strip()[:500]}
    act.answer, act.status = json.dumps(answer, ensure_ascii=False, sort_keys=True), SETTLED
    return act


def _within(scope: Scope) -> Select[Act, User]:
    query = select(Act, User).join(User, User.username == Act.username)
    return query if scope.everything else query.where(User.site_code.in_(sorted(scope.sites)))


def _kept(act: Act, who: User) -> Kept:
    answer = json.loads(act.answer)
    subject = json.loads(act.body)["subject"]
    return Kept(act, who, subject, answer["code"], answer["params"], answer.get("settled"))
