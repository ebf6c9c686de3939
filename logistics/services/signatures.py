"""The PIN with which a person signs on somebody else's screen, the end of a seal, and the locks against guessing them.

Both are four characters. After a few wrong ones a PIN is locked for some minutes, whoever guesses and from wherever;
the end of a seal for that consignment and for the one who guesses. Every wrong one stands in the audit log (never the
digits). Real time: a simulated day must not open a lock.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash

from logistics.clock import wall_now
from logistics.domain import access
from logistics.domain.acts import Act
from logistics.errors import Conflict, Forbidden
from logistics.models import AuditEntry, Consignment, User
from logistics.services import network
from logistics.services.desk import Desk

WRONG_PIN = "pin_wrong"
WRONG_TAIL = "seal_tail_wrong"
MAX_WRONG = 5
LOCKED_FOR = timedelta(minutes=10)
_TYPED = "labrelay.pins_typed"
SEAL_TAIL = 4
SHORTEST_SEAL = SEAL_TAIL + 2  # of a shorter number the screen's beginning gives the end away
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
    """The last characters of the seal, which the screen hides.

    Raises Forbidden('seal_tail_wrong') or, after a few wrong ones of this person or of this consignment,
    Forbidden('seal_tail_locked'); Conflict('seal_too_short') where the number cannot prove that somebody looked at it.
    """
    if proven(desk, SEAL):
        return
    if consignment.seal_number and len(consignment.seal_number) < SHORTEST_SEAL:
        raise Conflict("seal_too_short", field="seal_tail", consignment=consignment.number)
    tail, number, session = desk.payload("seal_tail"), consignment.number, desk.session
    # The consignment is locked by now; this one's guesses at several boxes are counted one after the other, too.
    session.execute(select(User.id).where(User.id == desk.actor.id).with_for_update(key_share=True))
    if _typed(number, tail) in session.info.get(_TYPED, ()):
        raise Forbidden(WRONG_TAIL, field="seal_tail", signer=number)
    lately = AuditEntry.action == WRONG_TAIL, AuditEntry.at > wall_now() - LOCKED_FOR
    for whose in (AuditEntry.subject == number, AuditEntry.username == desk.actor.username):
        if (session.scalar(select(func.count()).where(*lately, whose)) or 0) >= MAX_WRONG:
            raise Forbidden("seal_tail_locked", field="seal_tail", minutes=int(LOCKED_FOR.total_seconds() // 60))
    if not consignment.seal_number or tail.upper() != consignment.seal_number[-SEAL_TAIL:].upper():
        raise Forbidden(WRONG_TAIL, field="seal_tail", signer=number)
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


def note_guess(session: Session, act: Act, actor: User, error: Forbidden) -> None:
    """Write the wrong PIN or the wrong end of a seal of this act down, outside of what is rolled back."""
    about = str(error.params.pop("signer", ""))
    shown = act.payload.get("pin" if error.code == WRONG_PIN else "seal_tail")
    note_wrong(session, signer=about, pin=str(shown), actor=actor, act_id=act.id, action=error.code)


def note_wrong(session: Session, *, signer: str, pin: str, actor: User, act_id: str, action: str = WRONG_PIN) -> None:
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
            action=action,
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
