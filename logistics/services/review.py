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
SEALING = {"hand_over": "seal_now", "seal": "seal", "reseal": "seal"}
"""Acts that put a seal on a box, and what they call its number."""


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
    field: str | None
    notes: Sequence[Mapping[str, Any]]
    settled: Mapping[str, Any] | None

    @property
    def seal_in_doubt(self) -> bool:
        """Whether the act waits because the number of the seal that it puts on cannot be."""
        return self.act.type in SEALING and self.field in SEALING.values()

    @property
    def seal_sent(self) -> str:
        """The number of the seal that the act puts on; "" where it names none."""
        field = SEALING.get(self.act.type)
        parts = self.sent.payload.get("parts")
        found = [self.sent.payload, *(parts.values() if isinstance(parts, Mapping) else ())]
        return next((str(one[field]) for one in found if one.get(field)), "")

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
    seal_now: str | None = None,
) -> Answer:
    """Do it now, as who sent it, because a manager vouches for it; ``occurred_at`` puts a wrong clock right, and
    ``seal_now`` the number of a seal that cannot be on that box ("": no number is known).

    A PIN or the end of a seal that could not be checked counts as shown. What the tables of states do not allow
    stays impossible. Nobody vouches for his own act: a signature that it lacks would be one person's word. Raises
    NotFound, Invalid or Conflict as ``void``, Conflict('review_own'), or the reason why it still does not fit.
    """
    act, who = _open(session, act_id, scope)
    if who.username == username:
        raise Conflict("review_own", field="act")
    said = _word(word)
    late = waiting.of_row(session, act, who, applied={"by": username, "word": said}, trusted=True)
    if seal_now is not None:
        late = replace(late, seal_now=seal_now.strip())
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
    _answer(act, act.status, {**body, "notes": [*body.get("notes", ()), note]}, now)
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
    _answer(act, how, {**answer, **({"notes": notes} if notes else {}), "settled": settled}, now)


def _answer(act: Act, status: str, body: Mapping[str, Any], now: datetime) -> None:
    text = json.dumps(body, ensure_ascii=False, sort_keys=True)
    for name, value in custody.answered(act.id, status, text).items():
        setattr(act, name, value)
    act.answered_at = now


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
        answer["field"],
        answer.get("notes", ()),
        answer.get("settled"),
    )
