"""Recording acts together: read once, worked in memory, written once.

    answers = together.record(session, acts, actor=user, scope=scope, now=clock.now())
    answers = together.record_posts(session, posts, now=clock.now())  # of several people at the same time

The answers are those of ``custody.record``, in fewer statements. Three things make that safe:

- What the acts name is locked before the first of them is looked at (``services.shelf``).
- Acts of the types in ``TOGETHER`` write through the desk, and only after their last check. One that is refused has
  written nothing, so nothing need be undone for it; one that has raises ``Apart``.
- The act's row is written last, with its answer. When somebody else recorded the same UUID meanwhile, the key refuses
  it, and ``Apart`` is raised.

After ``Apart`` nothing of the transaction counts: the caller rolls it back and records the acts by ``custody.record``,
one after the other, each in a savepoint. Acts of other types are recorded so in any case, in their place in the order;
posts of several people hold none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from logistics import bulk
from logistics.among import among
from logistics.db import next_number
from logistics.domain.access import Scope
from logistics.domain.acts import Act, Answer, Status
from logistics.errors import LabrelayError
from logistics.models import Act as ActRow
from logistics.models import User
from logistics.services import act_fields, custody, reference, signatures, waiting
from logistics.services.desk import Desk
from logistics.services.shelf import Shelf, fetch

TOGETHER = frozenset({"collect", "pack", "receive", "accept", "reject", "hold", "note"})

_STAMP = select(reference.stamp().label("stamp")).subquery()
_KNOWN = (
    select(_STAMP.c.stamp, ActRow.id, ActRow.body_sha256, ActRow.answer)
    .select_from(_STAMP)
    .outerjoin(ActRow, among(ActRow.id, "ids"))
)


class Apart(Exception):
    """These acts cannot be recorded together: roll back, and record them one by one."""


@dataclass(frozen=True)
class Post:
    """The acts that one person sent at once. ``stamp``: under which he was remembered (``services.reference``)."""

    acts: Sequence[Act]
    actor: User
    scope: Scope
    stamp: int | None = None


def may_share(acts: Iterable[Act]) -> bool:
    """Whether a post of these acts may be recorded with those of other people."""
    return all(act.type in TOGETHER for act in acts)


def record(session: Session, acts: Iterable[Act], *, actor: User, scope: Scope, now: datetime) -> list[Answer]:
    """As ``custody.record``. Raises Apart; the transaction must hold nothing but these acts."""
    return record_posts(session, [Post(list(acts), actor, scope)], now=now)[0]


def record_posts(session: Session, posts: Sequence[Post], *, now: datetime) -> list[list[Answer]]:
    """The posts one after the other, as if each had been recorded on its own: the answers of each, in its order.

    Raises Apart; the transaction must hold nothing but these acts.
    """
    if len(posts) > 1 and not all(may_share(post.acts) for post in posts):
        raise Apart
    given = [(act, post) for post in posts for act in post.acts]
    if len({act.id for act, _ in given}) < len(given):
        raise Apart
    sifted = [act_fields.sifted(post.acts) for post in posts]
    kept = [replace(post, acts=acts) for post, (acts, _) in zip(posts, sifted, strict=True)]
    signatures.begin(session)
    given = [(act, post) for post in kept for act in post.acts]
    recording = _Recording(session, given, now)
    try:
        recording.work(kept)
    except IntegrityError as error:
        raise Apart from error
    answers = recording.answers
    done = [(act, answers[act.id]) for act, _ in given if answers[act.id].status is Status.DONE]
    for _, refused in sifted:
        answers.update(refused)
    if done:
        answers.update(custody.wake(session, done, now))
    if any(act.type not in TOGETHER for act, _ in done):
        next_number(session, custody.BOARD)  # acts without events; the others show in the log
    return [[answers[act.id] for act in post.acts] for post in posts]


class _Recording:
    """What is common to the acts that are recorded together, and their answers so far."""

    def __init__(self, session: Session, given: Sequence[tuple[Act, Post]], now: datetime) -> None:
        self.session, self.now = session, now
        self.post_of = {act.id: post for act, post in given}
        self.rows = {act.id: custody.row_of(act, post.actor, now) for act, post in given}
        self.answers: dict[str, Answer] = {}

    def work(self, posts: Sequence[Post]) -> None:
        given = [act for post in posts for act in sorted(post.acts, key=custody.happened)]
        self._look(given, {post.stamp for post in posts} - {None})
        new = [act for act in given if act.id not in self.answers]
        for together, run in groupby(new, key=lambda act: act.type in TOGETHER):
            if together:
                self._run(list(run))
            else:
                for act in run:
                    post = self.post_of[act.id]
                    self.answers[act.id] = custody.record_one(self.session, act, post.actor, post.scope, self.now)

    def _look(self, given: Sequence[Act], stamps: set[int | None]) -> None:
        """Whether who sent this is still who he was, and the answers of acts that were recorded before: a phone sends
        its whole list again after a lost answer."""
        acts = {act.id: act for act in given}
        found = self.session.connection().execute(_KNOWN, {"ids": list(acts)}).all()
        for _, act_id, sha256, answer in found:
            if act_id is not None:
                self.answers[act_id] = custody.repeat(acts[act_id], self.rows[act_id], sha256, answer)
        if stamps and stamps != {found[0].stamp}:
            raise Apart
        reference.seen(self.session, found[0].stamp)

    def _run(self, acts: Sequence[Act]) -> None:
        shelf = fetch(self.session, acts)
        late = []
        for act in acts:
            answer = self.answers[act.id] = self._one(act, shelf)
            self.rows[act.id].update(custody.answered(act.id, answer.status.value, answer.to_text()))
            if answer.unfit and answer.status is Status.REVIEW:
                late.append(act)
        shelf.store(self.session)
        bulk.insert_rows(self.session.connection(), ActRow.__table__, [self.rows[act.id] for act in acts])  # type: ignore[arg-type]
        for act in late:
            waiting.keep(self.session, act)

    def _one(self, act: Act, shelf: Shelf) -> Answer:
        post = self.post_of[act.id]
        sha256 = self.rows[act.id]["body_sha256"]
        desk = Desk(self.session, act, post.actor, post.scope, self.now, shelf=shelf, sha256=sha256)
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
