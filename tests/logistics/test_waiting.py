"""Acts that arrive before the act they build on: they wait, fit later, and never override what happened after them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.acts import Act, Status
from logistics.errors import Conflict
from logistics.models import Act as ActRow
from logistics.models import Consignment, CustodyEvent, WaitingAct
from logistics.services import network, rebuild, review
from tests import factories as f

MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def late(act_type: str, subject: dict[str, object], payload: dict[str, object] | None = None, **more: object) -> Act:
    return f.act(act_type, subject, payload, offline=True, **more)


@pytest.mark.both_databases
def test_a_receipt_that_comes_before_its_handovers_is_done_when_they_arrive(world: Session) -> None:
    """The laboratory's scan is uploaded first, the courier's two handovers hours later and in the wrong order: all are
    done in the end, the answer of each is 'recorded', nothing waits any more and the log gives the same columns."""
    number = f.sealed(world, ("T1",))
    pickup = late("hand_over", {"box": "BX-C"}, {"other": "nurse", "pin": f.PIN, "count": 1}, site=f.TOWN)
    delivery = late(
        "hand_over",
        {"box": "BX-C"},
        {"other": "courier", "pin": f.PIN, "count": 1},
        site=f.COUNTY,
        at=f.START + 60 * MINUTE,
    )
    receipt = late(
        "receive", {"consignment": number, "specimen": "T1"}, {"condition": "good"}, at=f.START + 70 * MINUTE
    )
    accepted = late("accept", {"specimen": "T1"}, at=f.START + 75 * MINUTE)
    now = f.START + 90 * MINUTE
    for username, one in (("receiver", accepted), ("receiver", receipt), ("receiver", delivery)):
        assert f.do(world, username, one, now=now).status is Status.REVIEW
    assert f.do(world, "courier", pickup, now=now).status is Status.DONE
    assert f.find(world, "T1").state == "accepted"
    for username, one in (("receiver", accepted), ("receiver", receipt), ("receiver", delivery), ("courier", pickup)):
        assert f.do(world, username, one, now=now).status is Status.DUPLICATE
    assert world.scalars(select(WaitingAct)).all() == []
    assert rebuild.differences(world) == []


def test_what_happened_later_is_not_overridden(world: Session) -> None:
    """A second scan of a seal, kept for review, must not seal the box again when it is opened half an hour later."""
    number = f.sealed(world, ("T1",))
    again = late("seal", {"consignment": number}, {"seal": "SL9"}, device="phone-2", seq=4)
    assert f.do(world, "nurse", again).status is Status.REVIEW
    opened = f.act("unseal", {"consignment": number}, {"reason": "tube forgotten"}, at=f.START + 30 * MINUTE)
    f.done(world, "nurse", opened)
    assert world.get_one(Consignment, number).state == "open"
    assert world.get_one(ActRow, again.id).status == "review"


def test_one_device_is_believed_by_its_own_numbers(world: Session) -> None:
    """The phone's clock is set back between two scans: its own numbering says which came first."""
    f.collected(world, "T1")
    packed = late("pack", {"specimen": "T1", "box": "BX-C"}, device="phone", seq=1, at=f.START + 5 * MINUTE)
    sealed = late("seal", {"box": "BX-C"}, {"seal": "SL1"}, device="phone", seq=2, at=f.START)
    now = f.START + 10 * MINUTE
    assert f.do(world, "nurse", sealed, now=now).status is Status.REVIEW
    assert f.do(world, "nurse", packed, now=now).status is Status.DONE
    assert f.find(world, "T1").state == "sealed"


def test_a_post_is_worked_in_the_order_its_acts_happened(world: Session) -> None:
    """Shuffled in one post, answered in the order sent."""
    f.done(world, "nurse", f.act("register", {"specimen": "T1"}, {"tests": ["CBC"]}))
    pack = f.act("pack", {"specimen": "T1", "box": "BX-C"}, at=f.START + 2 * MINUTE, device="d", seq=8)
    seal = f.act("seal", {"box": "BX-C"}, {"seal": "SL1"}, at=f.START + 2 * MINUTE, device="d", seq=9)
    collect = f.act("collect", {"specimen": "T1"}, at=f.START + MINUTE, device="d", seq=7)
    actor = f.user(world, "nurse")
    answers = f.custody.record(
        world, [seal, pack, collect], actor=actor, scope=network.scope_of_user(world, actor), now=f.START + 3 * MINUTE
    )
    assert [(answer.id, answer.code) for answer in answers] == [(one.id, "done") for one in (seal, pack, collect)]


def test_a_wrong_pin_is_not_forgiven_by_waiting(world: Session) -> None:
    """A late handover whose PIN was wrong stays in review, whatever else is done to its box."""
    f.collected(world, "T1")
    f.done(world, "nurse", f.act("pack", {"specimen": "T1", "box": "BX-C"}))
    wrong = late("hand_over", {"box": "BX-C"}, {"other": "nurse", "pin": "0000", "count": 1}, site=f.TOWN)
    assert f.do(world, "courier", wrong).code == "pin_wrong"
    f.done(world, "nurse", f.act("seal", {"box": "BX-C"}, {"seal": "SL1"}))
    assert (world.get_one(ActRow, wrong.id).status, f.find(world, "T1").state) == ("review", "sealed")


class Manager:
    """What every decision of the county's manager needs."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.scope = network.scope_of_user(session, f.user(session, "manager"))
        self.session.commit()

    def decide(self, how: str, act_id: str, word: str = "seen", **more: object) -> object:
        decision = {"apply": review.apply, "void": review.void, "annotate": review.annotate}[how]
        found = decision(self.session, act_id, word=word, username="manager", scope=self.scope, now=f.START, **more)
        self.session.commit()
        return found


def test_a_manager_applies_what_nobody_can_show_again(world: Session) -> None:
    """The handover with the mistyped PIN did happen: applied, it is the courier's, with the manager's word."""
    number = f.sealed(world, ("T1",))
    wrong = late("hand_over", {"box": "BX-C"}, {"other": "nurse", "pin": "0000", "count": 1}, site=f.TOWN)
    f.do(world, "courier", wrong)
    Manager(world).decide("apply", wrong.id, "nurse confirms by phone")
    event = world.scalars(select(CustodyEvent).where(CustodyEvent.act_id == wrong.id)).first()
    assert event is not None
    assert event.actor == "courier"
    assert '"applied":{"by":"manager","word":"nurse confirms by phone"}' in event.body
    assert world.get_one(Consignment, number).holder == "courier"
    assert f.do(world, "courier", wrong).status is Status.DUPLICATE
    assert rebuild.differences(world) == []


def test_a_manager_puts_a_wrong_clock_right(world: Session) -> None:
    """An act from a phone that is hours ahead is applied at the time the manager found out."""
    f.done(world, "nurse", f.act("register", {"specimen": "T1"}, {"tests": ["CBC"]}))
    ahead = late("collect", {"specimen": "T1"}, at=f.START + timedelta(hours=5))
    assert f.do(world, "nurse", ahead, now=f.START).code == "act_in_future"
    Manager(world).decide("apply", ahead.id, occurred_at=f.START - MINUTE)
    assert f.find(world, "T1").collected_at == f.START - MINUTE


def test_what_the_states_do_not_allow_cannot_be_applied(world: Session) -> None:
    """Applying a second packing of a sealed tube is refused with the reason; it stays open, and notes are kept."""
    f.sealed(world, ("T1",))
    again = late("pack", {"specimen": "T1", "box": "BX-C"})
    f.do(world, "nurse", again)
    manager = Manager(world)
    manager.decide("annotate", again.id, "asked the nurse")
    with pytest.raises(Conflict) as refused:
        manager.decide("apply", again.id)
    assert refused.value.code == "review_unfit"
    world.rollback()
    (kept,) = review.kept(world, manager.scope)
    assert [note["word"] for note in kept.notes] == ["asked the nurse"]
    manager.decide("void", again.id, "scanned twice")
    (settled,) = review.kept(world, manager.scope, settled=True)
    assert (settled.settled or {})["how"] == "void"
    assert [note["word"] for note in settled.notes] == ["asked the nurse"]
    with pytest.raises(Conflict):
        manager.decide("apply", again.id)
