"""Acts kept for review: a manager sees those of his own sites and settles them with a word."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from logistics.errors import Conflict, Invalid, NotFound
from logistics.services import network, review
from tests import factories as f

pytestmark = pytest.mark.both_databases


def test_a_late_act_is_seen_and_settled_once(session: Session) -> None:
    """The manager of the county sees what did not fit and why; the other county does not; without a word nothing is
    settled; the second one to settle is told so; sending the act again still gets the first answer."""
    f.world(session)
    f.sealed(session, ("T1",))
    late = f.act("pack", {"specimen": "T1", "box": "BX-C"}, offline=True)
    first = f.do(session, "nurse", late)
    ours = network.scope_of_user(session, f.user(session, "manager"))
    theirs = network.scope_of_user(session, f.user(session, "manager2"))
    assert [(one.act.id, one.code, one.subject["specimen"]) for one in review.kept(session, ours)] == [
        (late.id, first.code, "T1")
    ]
    assert review.kept(session, theirs) == []
    settling = {"username": "manager", "now": f.START}
    with pytest.raises(Invalid):
        review.void(session, late.id, word=" ", scope=ours, **settling)
    with pytest.raises(NotFound):
        review.void(session, late.id, word="not mine", scope=theirs, **settling)
    review.void(session, late.id, word="she had scanned it twice", scope=ours, **settling)
    session.commit()
    assert review.kept(session, ours) == []
    (settled,) = review.kept(session, ours, settled=True)
    assert settled.settled is not None
    assert settled.settled["word"] == "she had scanned it twice"
    with pytest.raises(Conflict):
        review.void(session, late.id, word="again", scope=ours, **settling)
    session.rollback()
    again = f.do(session, "nurse", late)
    assert (again.status, again.code) == (first.status, first.code)
