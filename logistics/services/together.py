"""Recording the acts of one post together: read once, worked in memory, written once.

    answers = together.record(session, acts, actor=user, scope=scope, now=clock.now())

The answers are those of ``custody.record``, in fewer statements. Three things make that safe:

- What the acts name is locked before the first of them is looked at (``services.shelf``).
- Acts of the types in ``TOGETHER`` write through the desk, and only after their last check. One that is refused has
  written nothing, so nothing need be undone for it; one that has raises ``Apart``.
- The act's row is written last, with its answer. When somebody else recorded the same UUID meanwhile, the key refuses
  it, and ``Apart`` is raised.

After ``Apart`` nothing of the transaction counts: the caller rolls it back and records the acts by ``custody.record``,
one after the other, each in a savepoint. Acts of other types are recorded so in any case, in their place in the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from logistics.db import next_number
from logistics.domain.access import Scope
from logistics.domain.acts import Act, Answer, Status
from logistics.errors import LabrelayError
from logistics.models import Act as ActRow
from logistics.models import User
from logistics.services import custody, signatures, waiting
from logistics.services.desk import Desk
from logistics.services.shelf import Shelf, fetch

TOGETHER = frozenset({"collect", "pack", "receive", "accept", "reject", "hold", "note"})


class Apart(Exception):
    """These acts cannot be recorded together: roll back, and record them one by one."""


def record(session: Session, acts: Iterable[Act], *, actor: User, scope: Scope, now: datetime) -> list[Answer]:
    """As ``custody.record``. Raises Apart; the transaction must hold nothing but these acts."""
    given = list(acts)
    if len({act.id for act in given}) < len(given):
        raise Apart
    signatures.begin(session)
    post = _Post(session, actor, scope, now)
    try:
        post.work(given)
    except IntegrityError as error:
        raise Apart from error
    answers = post.answers
    done = [(act, answers[act.id]) for act in given if answers[act.id].status is Status.DONE]
    if done:
        answers.update(custody.wake(session, done, now))
    if any(act.type not in TOGETHER for act, _ in done):
        next_number(session, custody.BOARD)  # acts without events; the others show in the log
    return [answers[act.id] for act in given]


class _Post:
    """What is common to the acts of one post, and their answers so far."""

    def __init__(self, session: Session, actor: User, scope: Scope, now: datetime) -> None:
        self.session, self.actor, self.scope, self.now = session, actor, scope, now
        self.answers: dict[str, Answer] = {}

    def work(self, given: Sequence[Act]) -> None:
        rows = {act.id: custody.row_of(act, self.actor, self.now) for act in given}
        if len(given) > 1:  # a single one that was recorded before is found when its row is written
            self._repeat(given, rows)
        new = sorted((act for act in given if act.id not in self.answers), key=custody.happened)
        for together, run in groupby(new, key=lambda act: act.type in TOGETHER):
            if together:
                self._run(list(run), rows)
            else:
                for act in run:
                    self.answers[act.id] = custody.record_one(self.session, act, self.actor, self.scope, self.now)

    def _repeat(self, given: Sequence[Act], rows: dict[str, dict[str, Any]]) -> None:
        """Answer the acts that were recorded before: a phone sends its whole list again after a lost answer."""
        acts = {act.id: act for act in given}
        query = select(ActRow.id, ActRow.body_sha256, ActRow.answer).where(ActRow.id.in_(sorted(acts)))
        for act_id, sha256, answer in self.session.execute(query):
            self.answers[act_id] = custody.repeat(acts[act_id], rows[act_id], sha256, answer)

    def _run(self, acts: Sequence[Act], rows: dict[str, dict[str, Any]]) -> None:
        shelf = fetch(self.session, acts)
        late = []
        for act in acts:
            answer = self.answers[act.id] = self._one(act, shelf)
            rows[act.id].update(status=answer.status.value, answer=answer.to_text())
            if answer.unfit and answer.status is Status.REVIEW:
                late.append(act)
        shelf.store(self.session)
        self.session.connection().execute(insert(ActRow), [rows[act.id] for act in acts])
        for act in late:
            waiting.keep(self.session, act)

    def _one(self, act: Act, shelf: Shelf) -> Answer:
        desk = Desk(self.session, act, self.actor, self.scope, self.now, shelf=shelf)
        try:
            return custody.perform(desk)
        except LabrelayError as error:
            if desk.wrote:
                raise Apart from error
            return custody.refusal(desk, error)
        except (OperationalError, InterfaceError, IntegrityError):
            raise
        except Exception as error:
            raise Apart from error
