"""Late acts that do not fit the record yet, and wait for the act before them.

Phones sync in any order: the receiver's scan may arrive hours before the courier's handover that it builds on. Such an
act stays in the review list and is tried again whenever something is done to the same tube, box or consignment, so
that in the end the record does not depend on who found a signal first. It is not tried on top of what happened after
it: a seal set again because an old scan came in late would be worse than a line in the review list.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from logistics.db import insert_ignoring
from logistics.domain import numbers
from logistics.domain.access import Scope
from logistics.domain.acts import Act, Answer, Status
from logistics.errors import Conflict
from logistics.models import Act as ActRow
from logistics.models import Consignment, CustodyEvent, User, WaitingAct
from logistics.services import network

KINDS = ("specimen", "specimen_id", "box", "consignment", "item")
_ANY = select(WaitingAct.act_id).limit(1)
CLOCKS_DIFFER = timedelta(minutes=2)  # of two devices that both take the time from the network


@dataclass(frozen=True, slots=True)
class Late:
    """An act that is tried again, as who sent it. ``applied``: who ordered it and why, for the record."""

    act: Act
    actor: User
    scope: Scope
    applied: Mapping[str, str] | None = None
    proofs: frozenset[str] = frozenset()  # signatures that were proven when it was first sent
    trusted: bool = False  # a manager vouches for what cannot be shown again: a PIN, the end of a seal
    seal_now: str | None = None  # where the number that was sent cannot be: which it is, "" for none that is known


def keep(session: Session, act: Act) -> None:
    """Let the act wait under everything it names."""
    if rows := [{"key": key, "act_id": act.id} for key in sorted(_named(act.subject))]:
        insert_ignoring(session, WaitingAct.__table__, rows)


def forget(session: Session, act_id: str) -> None:
    """It waits no more: it fitted, or a manager has decided."""
    session.execute(delete(WaitingAct).where(WaitingAct.act_id == act_id))


def touched(session: Session, done: Iterable[tuple[Act, Answer]]) -> set[str]:
    """What acts that were done touched; empty when nothing waits at all."""
    if session.connection().execute(_ANY).first() is None:
        return set()
    keys: set[str] = set()
    for act, answer in done:
        keys |= _named(act.subject) | _named(answer.result)
        keys |= {f"consignment:{number}" for number in answer.result.get("arrived", ())}
        several = answer.result.get("consignments", ())
        keys |= {key for one in several if isinstance(one, Mapping) for key in _named(one)}
    numbers_touched = [key.removeprefix("consignment:") for key in keys if key.startswith("consignment:")]
    boxes = select(Consignment.box_code).where(Consignment.number.in_(numbers_touched))
    return keys | {f"box:{code}" for code in session.scalars(boxes) if code}


def about(session: Session, keys: set[str]) -> list[Late]:
    """The acts that wait for one of ``keys``, in the order they happened."""
    query = (
        select(ActRow, User)
        .join(User, User.username == ActRow.username)
        .where(ActRow.status == Status.REVIEW.value)
        .where(ActRow.id.in_(select(WaitingAct.act_id).where(WaitingAct.key.in_(sorted(keys)))))
        .order_by(ActRow.occurred_at, ActRow.seq, ActRow.id)
        .with_for_update(of=ActRow)
    )
    return [of_row(session, row, actor) for row, actor in session.execute(query)]


def of_row(session: Session, row: ActRow, actor: User, **more: Any) -> Late:
    act = Act.from_kept(row.body, offline=True)
    proofs = frozenset(answer_of(row).get("proofs", ()))
    return Late(act, actor, network.scope_of_user(session, actor), proofs=proofs, **more)


def require_not_overtaken(session: Session, act: Act, stream: str) -> None:
    """Raise Conflict('act_overtaken') when the stream already holds something that happened after ``act``.

    One device numbers its acts, so its clock may be set meanwhile; between devices the clocks decide.
    """
    query = (
        select(ActRow.id, ActRow.device, ActRow.seq, CustodyEvent.occurred_at)
        .join(ActRow, ActRow.id == CustodyEvent.act_id)
        .where(CustodyEvent.stream == stream)
        .order_by(CustodyEvent.seq.desc())
        .limit(1)
    )
    last = session.execute(query).first()
    if last is None or last.id == act.id:
        return
    if act.device and last.device == act.device and act.seq is not None and last.seq is not None:
        overtaken = last.seq > act.seq
    else:
        overtaken = last.occurred_at > act.occurred_at + CLOCKS_DIFFER
    if overtaken:
        raise Conflict("act_overtaken", field="occurred_at", at=last.occurred_at.isoformat())


def _named(subject: Mapping[str, Any]) -> set[str]:
    keys = set()
    for kind in KINDS:
        value = subject.get(kind)
        if isinstance(value, str) and value.strip():
            keys.add(f"{kind}:{numbers.normalise(value)}" if kind == "specimen" else f"{kind}:{value.strip()}")
        elif isinstance(value, int) and not isinstance(value, bool):
            keys.add(f"{kind}:{value}")
    several = subject.get("consignments")
    if isinstance(several, list):
        keys |= {f"consignment:{number}" for number in several if isinstance(number, str)}
    return keys


def answer_of(row: ActRow) -> dict[str, Any]:
    """The answer as it is kept, with the notes and decisions that were added to it."""
    kept: dict[str, Any] = json.loads(row.answer)
    return kept
