"""Coded reasons, and what each kind of them is good for."""

from __future__ import annotations

from sqlalchemy.orm import Session

from logistics.errors import Invalid
from logistics.models import Reason

BOX_PREFIX = "0544:"  # HL7 table 0544, Container Condition: about the box, not about a tube
REJECT, DEVIATION, HANDOVER, COLLECTION, RECALL = "reject", "deviation", "handover", "collection", "recall"


def known_reason(session: Session, code: str, *, field: str = "reason", kinds: tuple[str, ...] = ()) -> Reason:
    """The active reason of this code. Raises Invalid('reason_unknown'), or Invalid('reason_other_kind') when it is
    none of ``kinds`` (any, when empty)."""
    reason = session.get(Reason, code)
    if reason is None or not reason.active:
        raise Invalid("reason_unknown", field=field, reason=code[:40])
    if kinds and reason.kind not in kinds:
        raise Invalid("reason_other_kind", field=field, reason=code[:40], kind=reason.kind)
    return reason


def concession(session: Session, code: str) -> Reason:
    """A reason with which a tube may be accepted all the same. Raises Invalid('reason_no_concession')."""
    reason = known_reason(session, code, kinds=(REJECT, DEVIATION))
    if not reason.concession:
        raise Invalid("reason_no_concession", field="reason", reason=code[:40])
    return reason


def about_tube(session: Session, code: str) -> Reason:
    """Why a tube lies where it was not expected. Raises Invalid for a reason that is about a box."""
    reason = known_reason(session, code, kinds=(DEVIATION,))
    if reason.hl7.startswith(BOX_PREFIX):
        raise Invalid("reason_other_kind", field="reason", reason=code[:40], kind="box")
    return reason


def about_box(session: Session, code: str) -> Reason:
    """What is wrong with a box. Raises Invalid for a reason that is about a tube."""
    reason = known_reason(session, code, kinds=(DEVIATION, HANDOVER))
    if reason.kind == DEVIATION and not reason.hl7.startswith(BOX_PREFIX):
        raise Invalid("reason_other_kind", field="reason", reason=code[:40], kind="specimen")
    return reason
