"""Acts that no longer fitted when they arrived: kept, shown with what the record says, decided by a manager.

A manager may *apply* one (it is done now, under the name of who did it, with the manager's word in the event), *void*
it (it changes nothing; it stays on record with his word) or *annotate* it (a word, and it stays open).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from logistics.domain.access import Scope
from logistics.domain.acts import Act as ActSent
from logistics.domain.acts import Answer, Status
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Act, User
from logistics.services import custody, waiting

APPLIED, VOID = "applied", "void"
DECIDED = (APPLIED, VOID)
LONGEST_WORD = 500
MOST = 100


@dataclass(frozen=True, slots=True)
class Kept:
    """An act kept for review: what was sent, by whom, why it did not fit, what was said about it.

    ``settled`` {by, at, word, how} once a manager has decided; ``notes`` [{by, at, word}] before that.
    """

    act: Act
    who: User
    sent: ActSent
    code: str
    params: Mapping[str, Any]
    notes: Sequence[Mapping[str, Any]]
    settled: Mapping[str, Any] | None

    @property
    def subject(self) -> Mapping[str, Any]:
        return self.sent.subject


def kept(session: Session, scope: Scope, *, settled: bool = False) -> list[Kept]:
    """Acts of people whose site lies in the scope, newest first; those still open unless ``settled``."""
    states = DECIDED if settled else (Status.REVIEW.value,)
    query = _within(scope).where(Act.status.in_(states)).order_by(Act.recorded_at.desc(), Act.id).limit(MOST)
    return [_kept(act, who) for act, who in session.execute(query)]


def waiting_count(session: Session, scope: Scope) -> int:
    """How many acts still wait for a decision, counted to MOST."""
    query = _within(scope).with_only_columns(Act.id).where(Act.status == Status.REVIEW.value).limit(MOST)
    return len(session.execute(query).all())


def apply(
    session: Session,
    act_id: str,
    *,
    word: str,
    username: str,
    scope: Scope,
    now: datetime,
    occurred_at: datetime | None = None,
) -> Answer:
    """Do it now, as who sent it, because a manager vouches for it; ``occurred_at`` puts a wrong clock right.

    A PIN or the end of a seal that could not be checked counts as shown. What the tables of states do not allow
    stays impossible. Raises NotFound, Invalid or Conflict as ``void``, or the reason why it still does not fit.
    """
    act, who = _open(session, act_id, scope)
    said = _word(word)
    late = waiting.of_row(session, act, who, applied={"by": username, "word": said}, trusted=True)
    if occurred_at is not None:
        late = replace(late, act=replace(late.act, occurred_at=occurred_at))
    answer = custody.apply(session, late, now=now)
    _settle(act, json.loads(answer.to_text()), APPLIED, said, username, now)
    session.flush()
    return answer


def void(session: Session, act_id: str, *, word: str, username: str, scope: Scope, now: datetime) -> Act:
    """A manager has looked into it; the act changes nothing any more and stays on record with his word.

    Raises Invalid without a word, NotFound, or Conflict when somebody decided before.
    """
    act, _who = _open(session, act_id, scope)
    said = _word(word)
    waiting.forget(session, act.id)
    _settle(act, waiting.answer_of(act), VOID, said, username, now)
    return act


def annotate(session: Session, act_id: str, *, word: str, username: str, scope: Scope, now: datetime) -> Act:
    """A word for whoever decides; the act stays open. Raises as ``void``."""
    act, _who = _open(session, act_id, scope)
    body = waiting.answer_of(act)
    note = {"by": username, "at": now.isoformat(), "word": _word(word)}
    act.answer = _text({**body, "notes": [*body.get("notes", ()), note]})
    return act


def _open(session: Session, act_id: str, scope: Scope) -> tuple[Act, User]:
    query = _within(scope).where(Act.id == act_id).with_for_update(of=Act)
    found = session.execute(query.execution_options(populate_existing=True)).first()
    if found is None:
        raise NotFound("review_unknown", field="act")
    act, who = found
    if act.status in DECIDED:
        raise Conflict("review_settled", field="act")
    if act.status != Status.REVIEW.value:
        raise Conflict("review_done", field="act")
    return act, who


def _word(word: str) -> str:
    if not word.strip():
        raise Invalid("field_missing", field="word")
    return word.strip()[:LONGEST_WORD]


def _settle(act: Act, answer: dict[str, Any], how: str, word: str, username: str, now: datetime) -> None:
    notes = waiting.answer_of(act).get("notes")
    settled = {"by": username, "at": now.isoformat(), "word": word, "how": how}
    act.answer = _text({**answer, **({"notes": notes} if notes else {}), "settled": settled})
    act.status = how


def _text(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, sort_keys=True)


def _within(scope: Scope) -> Select[Act, User]:
    query = select(Act, User).join(User, User.username == Act.username)
    return query if scope.everything else query.where(User.site_code.in_(sorted(scope.sites)))


def _kept(act: Act, who: User) -> Kept:
    answer = waiting.answer_of(act)
    return Kept(
        act,
        who,
        ActSent.from_kept(act.body),
        answer["code"],
        answer["params"],
        answer.get("notes", ()),
        answer.get("settled"),
    )
