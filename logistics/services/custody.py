"""Recording acts: idempotent by UUID for ever, each on its own, refusals and late conflicts kept.

    answers = custody.record(session, acts, actor=user, scope=scope, now=clock.now())

The act's row is claimed first, so that two posts of one act at the same time make one event: the second waits
for the first and then gets its answer. Work happens inside a savepoint: what is refused leaves no trace but
the refusal.

Acts of one post are worked in the order they happened (occurred_at, then the device's own number). A late act that
does not fit yet waits (``services.waiting``) for the act before it, which another phone may bring hours later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from logistics.db import insert_ignoring, next_number
from logistics.domain.access import Scope
from logistics.domain.acts import Act, Answer, Status, answer_sha256, text_sha256
from logistics.errors import Conflict, Forbidden, Invalid, LabrelayError, NotFound
from logistics.models import Act as ActRow
from logistics.models import User
from logistics.services import act_fields, lanes, network, signatures, waiting
from logistics.services.acts import HANDLERS
from logistics.services.desk import Desk

log = logging.getLogger(__name__)

FUTURE_TOLERANCE = timedelta(minutes=5)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # a clock that shows less was never set
# What the sender of a waiting act can put right no more, though it did happen: a person looks at it.
LATE_CODES = frozenset(
    {"act_in_future", "act_too_old", "pin_wrong", "pin_locked", "seal_tail_wrong", "seal_tail_locked"}
)
BOARD = "board"  # counter that wakes live pages
MOST_WOKEN = 100  # waiting acts tried for one post


def record(session: Session, acts: Iterable[Act], *, actor: User, scope: Scope, now: datetime) -> list[Answer]:
    """Record acts in the order they happened; each stands alone. Returns their answers in the order they were given."""
    given = list(acts)
    signatures.begin(session)
    answers: dict[int, Answer] = {}
    for place in sorted(range(len(given)), key=lambda place: happened(given[place])):
        answers[place] = record_one(session, given[place], actor, scope, now)
    done = [(given[place], answer) for place, answer in answers.items() if answer.status is Status.DONE]
    if done:
        woken = wake(session, done, now)
        answers.update({place: woken[act.id] for place, act in enumerate(given) if act.id in woken})
        next_number(session, BOARD)
    return [answers[place] for place in range(len(given))]


def apply(session: Session, late: waiting.Late, *, now: datetime) -> Answer:
    """Do a late act that a manager vouches for. Raises Conflict('review_unfit') when it still does not fit."""
    answer = _work(session, late.act, late.actor, late.scope, now, late)
    if answer.status is not Status.DONE:
        raise Conflict("review_unfit", field="act", why=answer.code, why_params=dict(answer.params),
                       why_field=answer.field)  # fmt: skip
    waiting.forget(session, late.act.id)
    _write_answer(session, late.act, answer, later=now)
    wake(session, [(late.act, answer)], now)
    next_number(session, BOARD)
    return answer


def happened(act: Act) -> tuple[datetime, int]:
    """What orders the acts of one device: when it happened, then the device's own running number."""
    return act.occurred_at, act.seq if act.seq is not None else -1


def wake(session: Session, done: Iterable[tuple[Act, Answer]], now: datetime) -> dict[str, Answer]:
    """Try the late acts that wait for what was just done, and those that wait for them in turn: their new answers."""
    fitted: dict[str, Answer] = {}
    tried = 0
    keys = waiting.touched(session, done)
    while keys and tried < MOST_WOKEN:
        woken = []
        for late in waiting.about(session, keys):
            tried += 1
            answer = _work(session, late.act, late.actor, late.scope, now, late)
            if answer.status is Status.DONE:
                waiting.forget(session, late.act.id)
                fitted[late.act.id] = _write_answer(session, late.act, answer, later=now)
                woken.append((late.act, answer))
        keys = waiting.touched(session, woken)
    return fitted


def record_one(session: Session, act: Act, actor: User, scope: Scope, now: datetime) -> Answer:
    try:
        act = act_fields.checked(act)
    except Invalid as error:  # what may not be kept is not: not even as a refusal
        return act_fields.refusal(act, error)
    row = row_of(act, actor, now)
    if not insert_ignoring(session, ActRow.__table__, row):
        known = session.get_one(ActRow, act.id, populate_existing=True)
        return repeat(act, row, known.body_sha256, known.answer)
    answer = _write_answer(session, act, _work(session, act, actor, scope, now))
    if answer.unfit and answer.status is Status.REVIEW:
        waiting.keep(session, act)
    return answer


def _write_answer(session: Session, act: Act, answer: Answer, *, later: datetime | None = None) -> Answer:
    """``later``: when the act got this answer in place of the first one."""
    values = answered(act.id, answer.status.value, answer.to_text())
    session.execute(update(ActRow).where(ActRow.id == act.id).values({**values, "answered_at": later}))
    return answer


def answered(act_id: str, status: str, answer: str) -> dict[str, Any]:
    """The columns of an act that say what became of it."""
    return {"status": status, "answer": answer, "answer_sha256": answer_sha256(act_id, status, answer)}


def row_of(act: Act, actor: User, now: datetime) -> dict[str, Any]:
    """The act as it is kept, not answered yet."""
    body = act.kept_text()
    return {
        "id": act.id,
        "type": act.type,
        "body_sha256": text_sha256(body, actor.username),
        "body": body,
        "username": actor.username,
        "device": act.device,
        "seq": act.seq,
        "occurred_at": act.occurred_at,
        "recorded_at": now,
        "status": Status.REFUSED.value,
        "answer": "{}",
        "answer_sha256": None,
        "answered_at": None,
    }


def repeat(act: Act, row: Mapping[str, Any], known_sha256: str, known_answer: str) -> Answer:
    """The answer to an act whose UUID was recorded before."""
    if known_sha256 != row["body_sha256"]:
        return Answer(act.id, Status.REFUSED, "act_id_reused", field="id")
    return Answer.from_text(act.id, known_answer).repeated()


def _work(
    session: Session, act: Act, actor: User, scope: Scope, now: datetime, late: waiting.Late | None = None
) -> Answer:
    """Work an act inside a savepoint. Whatever happens it has an answer: the acts behind it must not wait for it."""
    lanes.take(session)  # a savepoint that is rolled back must not give it away
    desk = Desk(session, act, actor, scope, now, late=late)
    try:
        try:
            return _attempt(desk)
        except IntegrityError:
            # Somebody wrote the same number between our look and our writing: a second look sees it.
            desk = Desk(session, act, actor, scope, now, late=late)
            return _attempt(desk)
    except LabrelayError as error:
        if isinstance(error, Forbidden) and error.code in {signatures.WRONG_PIN, signatures.WRONG_TAIL}:
            signatures.note_guess(session, act, actor, error)
        return refusal(desk, error)
    except (OperationalError, InterfaceError):
        raise  # the database is away or chose us to end a deadlock: the whole list is tried again
    except Exception as error:
        log.exception("act %s (%s) could not be worked on", act.id, act.type[:40])
        return Answer(act.id, Status.REVIEW, "act_unworkable", {"fault": type(error).__name__})


def refusal(desk: Desk, error: LabrelayError) -> Answer:
    """The answer to an act that was not done: refused, or kept for review when nobody waits for the answer."""
    act = desk.act
    unfit = isinstance(error, (Conflict, NotFound))
    status = Status.REVIEW if act.offline and (unfit or error.code in LATE_CODES) else Status.REFUSED
    return Answer(act.id, status, error.code, error.params, error.field, unfit=unfit, proofs=tuple(sorted(desk.proofs)))


def _attempt(desk: Desk) -> Answer:
    with desk.session.begin_nested():
        answer = perform(desk)
        desk.session.flush()
        return answer


def perform(desk: Desk) -> Answer:
    """Do it. Raises LabrelayError; what was written until then is for the caller to undo."""
    act = desk.act
    handler = handler_of(act.type)
    if act.occurred_at > desk.now + FUTURE_TOLERANCE:
        raise Invalid("act_in_future", field="occurred_at")
    if act.occurred_at < EARLIEST:
        raise Invalid("act_too_old", field="occurred_at")
    if act.site is not None and act.site not in network.parents(desk.session):
        raise NotFound("site_unknown", field="site", site=act.site[:40])
    handler(desk)
    return Answer(act.id, Status.DONE, "done", result=desk.result)


def handler_of(act_type: str) -> Callable[[Desk], None]:
    handler = HANDLERS.get(act_type)
    if handler is None:
        raise Invalid("act_type_unknown", field="type", type=act_type[:40])
    return handler
