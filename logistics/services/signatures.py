"""The PIN with which a person signs on somebody else's screen, and the lock against guessing it.

A PIN has four digits: after a few wrong ones it is locked for some minutes, whoever guesses and from wherever.
Every wrong one stands in the audit log (never the digits). Real time: a simulated day must not open a lock.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash

from logistics.clock import wall_now
from logistics.domain import access
from logistics.errors import Forbidden
from logistics.models import AuditEntry, Consignment, User
from logistics.services import network
from logistics.services.desk import Desk

WRONG_PIN = "pin_wrong"
MAX_WRONG = 5
LOCKED_FOR = timedelta(minutes=10)
_TYPED = "labrelay.pins_typed"
SEAL_TAIL = 4
SEAL = "seal"


def begin(session: Session) -> None:
    """A new list of acts: one PIN typed for many boxes is one PIN, in this list alone."""
    session.info[_TYPED] = set()


def require_pin(desk: Desk, signer: User) -> None:
    """The signer's PIN as the act shows it, or shown when the act was first sent, or vouched for by a manager."""
    proof = f"pin:{signer.username}"
    if not proven(desk, proof):
        check_pin(desk.session, signer, desk.payload("pin"))
        desk.proofs.add(proof)


def require_seal_tail(desk: Desk, consignment: Consignment) -> None:
    """The last characters of the seal, which the screen hides. Raises Forbidden('seal_tail_wrong')."""
    if proven(desk, SEAL):
        return
    tail = desk.payload("seal_tail")
    if not consignment.seal_number or tail.upper() != consignment.seal_number[-SEAL_TAIL:].upper():
        raise Forbidden("seal_tail_wrong", field="seal_tail")
    desk.proofs.add(SEAL)


def proven(desk: Desk, proof: str) -> bool:
    """Whether a late act showed this when it was first sent (what was shown itself is never kept)."""
    return desk.late is not None and (desk.late.trusted or proof in desk.late.proofs)


def check_pin(session: Session, signer: User, pin: str) -> None:
    """Whether ``pin`` is the signer's. Raises Forbidden('pin_wrong') or Forbidden('pin_locked').

    The caller must have wrong ones written down by ``note_wrong``, outside of what it rolls back.
    """
    # Held to the end of the transaction: guesses that come at the same time are counted one after the other.
    session.execute(select(User.id).where(User.id == signer.id).with_for_update(key_share=True))
    if _typed(signer.username, pin) in session.info.get(_TYPED, ()):
        raise Forbidden(WRONG_PIN, field="pin", signer=signer.username)
    if _wrong_lately(session, signer.username) >= MAX_WRONG:
        raise Forbidden("pin_locked", field="pin", minutes=int(LOCKED_FOR.total_seconds() // 60))
    if not signer.pin_hash or not check_password_hash(signer.pin_hash, pin):
        raise Forbidden(WRONG_PIN, field="pin", signer=signer.username)


def note_wrong(session: Session, *, signer: str, pin: str, actor: User, act_id: str) -> None:
    """Write a wrong PIN down; the same one again in this list of acts is the same slip."""
    typed: set[str] = session.info.setdefault(_TYPED, set())
    key = _typed(signer, pin)
    if key in typed:
        return
    typed.add(key)
    session.add(
        AuditEntry(
            at=wall_now(),
            username=actor.username,
            action=WRONG_PIN,
            subject=signer,
            site_code=actor.site_code,
            address="",
            detail={"act": act_id},
        )
    )
    session.flush()


def stands_at(session: Session, signer: User, site: str) -> bool:
    """Whether this person may sign at the site: couriers everywhere, everybody else where they work."""
    return signer.role == access.COURIER or (
        signer.role not in access.WHOLE_NETWORK and network.scope_of_user(session, signer).covers(site)
    )


def _wrong_lately(session: Session, username: str) -> int:
    query = select(func.count()).where(
        AuditEntry.action == WRONG_PIN, AuditEntry.subject == username, AuditEntry.at > wall_now() - LOCKED_FOR
    )
    return int(session.scalar(query) or 0)


def _typed(signer: str, pin: str) -> str:
    return hashlib.sha256(f"{signer}\n{pin}".encode(errors="replace")).hexdigest()
