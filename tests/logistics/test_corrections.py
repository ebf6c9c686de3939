"""Declaring an earlier event wrong: the log keeps it, the tube goes back where nothing was built on it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.acts import Act, Status
from logistics.domain.custody import read_text
from logistics.models import ConsignmentLine, CustodyEvent, Nonconformity
from logistics.queries import journey
from logistics.services import rebuild
from tests import factories as f

LATER = f.START + timedelta(hours=2)


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def last_seq(session: Session, accession: str) -> int:
    return f.find(session, accession).stream_seq


def correct(accession: str, seq: int, reason: str = "scanned the wrong tube") -> Act:
    return f.act("correct", {"specimen": accession}, {"event": seq, "reason": reason}, at=LATER)


def line(session: Session, number: str, accession: str) -> str:
    tube = f.find(session, accession)
    found = session.get(ConsignmentLine, (number, tube.id), populate_existing=True)
    assert found is not None
    return found.outcome


@pytest.mark.both_databases
def test_a_wrong_rejection_is_taken_back_and_stays_on_record(world: Session) -> None:
    """The tube is as it was before, the rejection still stands in the log beside who declared it wrong and why."""
    number = f.delivered(world)
    f.done(
        world, "receiver", f.act("receive", {"consignment": number, "specimen": "2611220047"}, {"condition": "good"})
    )
    f.done(world, "receiver", f.act("reject", {"specimen": "2611220047"}, {"reason": "CLOTTED"}, at=LATER))
    wrong = last_seq(world, "2611220047")
    result = f.done(world, "receiver", correct("2611220047", wrong))
    assert (result["undone"], result["state"]) == (True, "received")
    tube = f.find(world, "2611220047")
    assert (tube.reject_reason, tube.decided_at) == (None, None)
    finding = world.scalars(select(Nonconformity).where(Nonconformity.reason_code == "CLOTTED")).one()
    assert (finding.disposition, finding.disposed_by) == ("withdrawn", "receiver")
    bodies = world.scalars(
        select(CustodyEvent.body).where(CustodyEvent.stream == f"specimen:{tube.id}").order_by(CustodyEvent.seq)
    )
    kinds = [read_text(body).type.value for body in bodies]
    assert kinds[-2:] == ["rejected", "corrected"]
    assert journey.journey(world, tube, role="manager", now=LATER).whole
    assert rebuild.differences(world) == []
    f.done(world, "receiver", f.act("accept", {"specimen": "2611220047"}, at=LATER))


def test_a_tube_declared_missing_by_mistake_is_looked_for_again(world: Session) -> None:
    """Its line is open again, so the receipt cannot close over it, and it can be scanned as ever."""
    number = f.delivered(world)
    subject = {"consignment": number, "specimen": "2611220047"}
    f.done(world, "receiver", f.act("declare_missing", subject))
    f.done(world, "receiver", correct("2611220047", last_seq(world, "2611220047")))
    assert (f.find(world, "2611220047").state, line(world, number, "2611220047")) == ("delivered", "expected")
    assert f.do(world, "receiver", f.act("close_receipt", {"consignment": number})).code == "receipt_incomplete"
    f.done(world, "receiver", f.act("receive", subject, {"condition": "good"}))
    assert line(world, number, "2611220047") == "scanned"
    assert rebuild.differences(world) == []


def test_a_tube_found_by_mistake_is_not_taken_back_by_a_word(world: Session) -> None:
    """Declared missing, then received all the same: the search ended with it. It is not left delivered and in no box,
    with a line that says it was scanned; the manager gives it up instead."""
    number = f.delivered(world)
    subject = {"consignment": number, "specimen": "2611220047"}
    f.done(world, "receiver", f.act("declare_missing", subject))
    f.done(world, "receiver", f.act("receive", subject, {"condition": "good"}))
    result = f.done(world, "receiver", correct("2611220047", last_seq(world, "2611220047")))
    assert (result["undone"], result["state"], line(world, number, "2611220047")) == (False, "received", "scanned")
    assert f.done(world, "manager", f.act("lost", {"specimen": "2611220047"}))["state"] == "lost"
    assert rebuild.differences(world) == []


def test_once_something_was_built_on_it_a_correction_is_a_remark(world: Session) -> None:
    """A collection declared wrong after packing changes no state: the box is still what it is."""
    f.collected(world, "T1")
    wrong = last_seq(world, "T1")
    f.done(world, "nurse", f.act("pack", {"specimen": "T1", "box": "BX-C"}))
    result = f.done(world, "nurse", correct("T1", wrong))
    assert (result["undone"], f.find(world, "T1").state) == (False, "packed")
    assert f.do(world, "nurse", correct("T1", wrong)).code == "correction_twice"
    assert rebuild.differences(world) == []


def test_who_may_declare_what_wrong(world: Session) -> None:
    """Who made the entry, and the manager above the site; nobody else, and no entry that is not there."""
    f.collected(world, "T1")
    wrong = last_seq(world, "T1")
    assert f.do(world, "receiver", correct("T1", wrong)).code == "correction_foreign"
    assert f.do(world, "manager2", correct("T1", wrong)).status is Status.REFUSED
    assert f.do(world, "nurse", correct("T1", 99)).code == "event_unknown"
    assert f.done(world, "manager", correct("T1", wrong))["state"] == "registered"
    assert f.do(world, "manager", correct("T1", last_seq(world, "T1"))).code == "correction_of_correction"


def test_a_consignments_entry_is_declared_wrong_beside_it(world: Session) -> None:
    """Sealing cannot be taken back (there is an act for that), but everybody sees that it was declared wrong."""
    number = f.sealed(world)
    one = f.act("correct", {"consignment": number}, {"event": 2, "reason": "wrong seal number written"}, at=LATER)
    assert f.done(world, "nurse", one)["undone"] is False
    assert rebuild.differences(world) == []
