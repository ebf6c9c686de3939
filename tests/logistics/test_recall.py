"""Recalls: a tube that must not be used is stopped wherever it is; one incident ends with the last one in hand."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.access import Scope
from logistics.domain.acts import Status
from logistics.errors import Invalid
from logistics.models import Alert, ConsignmentLine
from logistics.services import network, rebuild, recall_bulk
from logistics.services.recall_bulk import Wanted
from tests import factories as f
from tests.factories import act, do, done

WHY = {"reason": "RECALL_PATIENT", "note": "两名患者标本互换"}
LATER = f.START + timedelta(hours=1)


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def alert(session: Session) -> Alert:
    session.expire_all()
    return session.scalars(select(Alert).where(Alert.kind == "recall")).one()


def outcome(session: Session, number: str, accession: str) -> str:
    return session.get_one(ConsignmentLine, (number, f.find(session, accession).id), populate_existing=True).outcome


def scope(session: Session, username: str) -> Scope:
    return network.scope_of_user(session, f.user(session, username))


def test_a_recalled_tube_travels_on_and_is_stopped_at_the_desk(world: Session) -> None:
    """Under way it stays in its box and in the courier's hands, counts at the handover, cannot be received or
    accepted, and the incident ends when the receiver has it in hand; the receipt of the rest closes."""
    number = f.fetched(world, ("T1", "T2"))
    result = done(world, "manager", act("recall", {"specimen": "T1"}, WHY, at=LATER))
    tube = f.find(world, "T1")
    assert (tube.state, tube.holder, tube.consignment_number) == ("recalled", "courier", number)
    assert (tube.recall_reason, tube.recall_to, result["bring_to"]) == ("RECALL_PATIENT", f.COUNTY, f.COUNTY)
    assert outcome(world, number, "T1") == "recalled"
    told = alert(world)
    assert (told.severity, told.state, told.consignment_number, told.specimen_ids) == (
        "critical", "open", number, [tube.id],
    )  # fmt: skip
    assert told.params["reason_zh"] == "采错患者或身份标识有误"
    deliver = {"other": "courier", "pin": f.PIN, "count": 2}
    done(world, "receiver", act("hand_over", {"consignment": number}, deliver, site=f.COUNTY, at=LATER))
    assert f.find(world, "T1").location_code == f.COUNTY
    stopped = do(world, "receiver", act("receive", {"specimen": "T1", "consignment": number}, {"condition": "good"}))
    assert (stopped.status, stopped.code) == (Status.REFUSED, "specimen_recalled")
    done(world, "receiver", act("receive", {"specimen": "T2", "consignment": number}, {"condition": "good"}))
    done(world, "receiver", act("returned", {"specimen": "T1"}, at=LATER))
    closed = done(world, "receiver", act("close_receipt", {"consignment": number}))
    assert closed["counts"] == {"recalled": 1, "scanned": 1}
    assert (alert(world).state, alert(world).params["left"]) == ("ended", 0)
    done(world, "receiver", act("dispose", {"specimen": "T1"}, {"note": "灭菌后处理"}))
    assert f.find(world, "T1").state == "disposed"
    assert rebuild.differences(world) == []


def test_a_whole_consignment_in_whatever_state_is_one_incident(world: Session) -> None:
    """One tube received, one accepted, one not looked at: all are recalled by one act, and each must be found."""
    number = f.delivered(world, ("T1", "T2", "T3"))
    for accession in ("T1", "T2"):
        subject = {"specimen": accession, "consignment": number}
        done(world, "receiver", act("receive", subject, {"condition": "good"}, at=LATER))
    done(world, "receiver", act("accept", {"specimen": "T2"}, at=LATER))
    result = done(world, "manager", act("recall_consignment", {"consignment": number}, WHY, at=LATER))
    assert result["count"] == 3
    assert [f.find(world, one).state for one in ("T1", "T2", "T3")] == ["recalled"] * 3
    assert [outcome(world, number, one) for one in ("T1", "T2", "T3")] == ["scanned", "scanned", "recalled"]
    done(world, "receiver", act("close_receipt", {"consignment": number}, at=LATER))
    for left, accession in ((2, "T1"), (1, "T3")):
        done(world, "receiver", act("returned", {"specimen": accession}, at=LATER))
        assert (alert(world).state, alert(world).params["left"]) == ("open", left)
    done(world, "manager", act("lost", {"specimen": "T2"}, {"note": "已上机用尽"}, at=LATER))
    assert alert(world).state == "ended"
    again = do(world, "manager", act("recall_consignment", {"consignment": number}, WHY, at=LATER))
    assert again.code == "recall_nothing_left"
    found = do(world, "receiver", act("found", {"specimen": "T2"}, {"condition": "good"}, at=LATER))
    assert found.code == "specimen_recalled"
    done(world, "receiver", act("returned", {"specimen": "T2"}, at=LATER))
    assert rebuild.differences(world) == []


def test_a_sealed_box_must_be_opened_to_take_the_tube_out(world: Session) -> None:
    """Nobody takes it out through the seal, sealing it in again is refused, the new manifest lacks it."""
    number = f.sealed(world, ("T1", "T2"))
    done(world, "manager", act("recall", {"specimen": "T1"}, WHY, at=LATER))
    refused = do(world, "nurse", act("returned", {"specimen": "T1"}, at=LATER))
    assert refused.code == "box_sealed"
    done(world, "nurse", act("unseal", {"consignment": number}, {"reason": "取出召回标本"}, at=LATER))
    assert do(world, "nurse", act("seal", {"consignment": number}, {"seal": "S2"})).code == "specimen_recalled"
    done(world, "nurse", act("returned", {"specimen": "T1"}, at=LATER))
    assert done(world, "nurse", act("seal", {"consignment": number}, {"seal": "S2"}, at=LATER))["count"] == 1
    assert (f.find(world, "T1").state, f.find(world, "T1").box_code) == ("returned", None)
    assert rebuild.differences(world) == []


def test_only_a_manager_of_the_site_recalls_and_only_with_a_coded_reason(world: Session) -> None:
    """Free words, another role and another county's manager are refused; what is rejected already needs no recall."""
    f.delivered(world, ("T1",))
    assert do(world, "manager", act("recall", {"specimen": "T1"}, {"reason": "wrong patient"})).code == "reason_unknown"
    wrong = do(world, "manager", act("recall", {"specimen": "T1"}, {"reason": "HAEMOLYSED"}))
    assert wrong.code == "reason_other_kind"
    assert do(world, "receiver", act("recall", {"specimen": "T1"}, WHY)).code == "act_role"
    assert do(world, "manager2", act("recall", {"specimen": "T1"}, WHY)).code == "specimen_unknown"
    nowhere = do(world, "manager", act("recall", {"specimen": "T1"}, {**WHY, "bring_to": "MOON"}))
    assert nowhere.code == "site_unknown"
    done(world, "receiver", act("reject", {"specimen": "T1"}, {"reason": "HAEMOLYSED"}))
    assert do(world, "manager", act("recall", {"specimen": "T1"}, WHY)).code == "recall_too_late"


def test_bulk_recall_by_test_site_and_day_is_one_incident_and_may_be_sent_twice(world: Session) -> None:
    """All blood counts of a site and day; sent twice recalls once; another county's manager finds none."""
    f.sealed(world, ("T1", "T2"))
    f.collected(world, "X1", tests=("TSH",))
    wanted = Wanted(site=f.TOWN, test="CBC", day="2026-03-09")
    found = recall_bulk.candidates(world, scope(world, "manager"), wanted)
    assert [tube.accession for tube in found] == ["T1", "T2"]
    assert recall_bulk.candidates(world, scope(world, "manager2"), wanted) == []
    with pytest.raises(Invalid, match="recall_of_what"):
        recall_bulk.candidates(world, scope(world, "manager"), Wanted())
    key, ids = str(uuid.uuid4()), [tube.id for tube in found]
    for _ in range(2):
        result = recall_bulk.bulk(
            world, key, ids, WHY, actor=f.user(world, "manager"), scope=scope(world, "manager"), now=LATER
        )
        world.commit()
        assert (result.done, list(result.refused)) == (2, [])
    assert alert(world).specimen_ids == ids
    assert alert(world).params["left"] == 2
    assert len(alert(world).notes) == 1
    assert rebuild.differences(world) == []
