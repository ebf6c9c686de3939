"""Receipt: what happens to tubes that are late, unexpected or unfit for some tests, and to whole boxes at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain import findings as domain_findings
from logistics.models import Alert, Box, Consignment, ConsignmentLine, CustodyEvent, Nonconformity, Specimen
from logistics.queries import registers
from logistics.queries.registers import RegisterFilter
from logistics.services import alerts, network, rebuild
from tests import factories as f
from tests.factories import act, do, done

GOOD = {"condition": "good"}
LATER = f.START + timedelta(hours=2)


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def lab(
    session: Session, act_type: str, subject: dict[str, Any], payload: dict[str, Any] | None = None, **more: Any
) -> Any:
    """An act of the receiver that must succeed."""
    return done(session, "receiver", act(act_type, subject, payload or {}, at=LATER, **more))


def refused(
    session: Session, act_type: str, subject: dict[str, Any], payload: dict[str, Any], who: str = "receiver"
) -> str:
    """The code with which the act is refused."""
    answer = do(session, who, act(act_type, subject, payload, at=LATER))
    assert answer.status.value == "refused", answer
    return answer.code


def received(
    session: Session, accessions: Sequence[str], tests: Sequence[str] = ("CBC",), condition: str = "good"
) -> str:
    """A box with these tubes at the county laboratory, all received."""
    number = ""
    for accession in accessions:
        f.collected(session, accession, tuple(tests))
        number = done(session, "nurse", act("pack", {"specimen": accession, "box": "BX-C"}))["consignment"]
    done(session, "nurse", act("seal", {"consignment": number}, {"seal": f"SL{number[-6:]}"}))
    count = len(accessions)
    pin = {"pin": f.PIN, "count": count}
    done(session, "courier", act("hand_over", {"consignment": number}, {"other": "nurse", **pin}, site=f.TOWN))
    done(session, "courier", act("arrive", {}, site=f.COUNTY, at=LATER))
    done(
        session,
        "receiver",
        act("hand_over", {"consignment": number}, {"other": "courier", **pin}, site=f.COUNTY, at=LATER),
    )
    for accession in accessions:
        lab(session, "receive", {"specimen": accession, "consignment": number}, {"condition": condition})
    return number


def line(session: Session, number: str, accession: str) -> ConsignmentLine:
    found = session.get(ConsignmentLine, (number, f.find(session, accession).id), populate_existing=True)
    assert found is not None
    return found


def the_findings(session: Session) -> list[tuple[str, str, str]]:
    """(accession, reason, disposition) of every nonconformity in the order of finding."""
    rows = session.scalars(select(Nonconformity).order_by(Nonconformity.id).execution_options(populate_existing=True))
    return [(row.accession, row.reason_code, row.disposition) for row in rows]


def whole(session: Session) -> None:
    """The log alone gives the same columns, lines and findings."""
    assert rebuild.differences(session) == []


# --- late, found, elsewhere --------------------------------------------------------------------------------


def test_a_tube_that_turns_up_after_the_receipt_was_closed_is_received_late(world: Session) -> None:
    """Its line says late and where; the finding says by whom and when; the alert ends."""
    number = f.delivered(world, ("T1", "T2"))
    lab(world, "receive", {"specimen": "T1", "consignment": number}, GOOD)
    lab(world, "declare_missing", {"specimen": "T2", "consignment": number}, {"note": "looked twice"})
    assert the_findings(world) == [("T2", "TUBE_MISSING", "")]
    lab(world, "close_receipt", {"consignment": number})
    assert lab(world, "found", {"specimen": "T2"}, {"condition": "damaged"})["missed"] == number
    late = line(world, number, "T2")
    assert (late.outcome, late.condition, late.found_site, late.checked_by) == ("late", "damaged", f.COUNTY, "receiver")
    finding = world.scalars(select(Nonconformity)).one()
    assert (finding.disposition, finding.disposed_by, finding.disposed_site) == ("found", "receiver", f.COUNTY)
    assert world.scalars(select(Alert.state)).one() == "ended"
    whole(world)


def test_a_missing_tube_that_lies_in_the_next_box_closes_the_search(world: Session) -> None:
    """Scanned as unexpected in another consignment: the first one's line is late and names the second."""
    first = f.delivered(world, ("T1", "T2"))
    lab(world, "receive", {"specimen": "T1", "consignment": first}, GOOD)
    lab(world, "declare_missing", {"specimen": "T2", "consignment": first})
    lab(world, "close_receipt", {"consignment": first})
    second = f.delivered(world, ("T3",))
    result = lab(
        world, "receive_unexpected", {"specimen": "T2", "consignment": second}, {**GOOD, "reason": "UNEXPECTED"}
    )
    assert (result["known"], result["missed"]) == (True, first)
    late = line(world, first, "T2")
    assert (late.outcome, late.found_site, late.found_in) == ("late", f.COUNTY, second)
    assert line(world, second, "T2").outcome == "unexpected"
    assert f.find(world, "T2").missing_from is None
    assert world.scalars(select(Alert.state)).one() == "ended"
    assert the_findings(world) == [("T2", "TUBE_MISSING", "found"), ("T2", "UNEXPECTED", "received")]
    whole(world)


def test_a_tube_found_while_the_receipt_is_open_is_simply_received(world: Session) -> None:
    """Declared missing too early, then scanned: received, the alert ends, and the receipt closes without a gap."""
    number = f.delivered(world, ("T1", "T2"))
    lab(world, "receive", {"specimen": "T1", "consignment": number}, GOOD)
    lab(world, "declare_missing", {"specimen": "T2", "consignment": number})
    lab(world, "receive", {"specimen": "T2", "consignment": number}, GOOD)
    assert line(world, number, "T2").outcome == "scanned"
    assert world.scalars(select(Alert.state)).one() == "ended"
    assert lab(world, "close_receipt", {"consignment": number})["counts"] == {"scanned": 2}
    whole(world)


def test_a_tube_in_the_wrong_box_leaves_its_own_manifest_by_name(world: Session) -> None:
    """Its own box is not opened yet: the line there says in which box it lies, and that receipt can be closed."""
    world.add(Box(code="BX-C2", temp_class="cold_2_8", capacity=50, home_code=f.TOWN, location_code=f.TOWN))
    world.commit()
    first = f.delivered(world, ("T1", "T2"))
    f.collected(world, "T3")
    second = done(world, "nurse", act("pack", {"specimen": "T3", "box": "BX-C2"}))["consignment"]
    done(world, "nurse", act("seal", {"consignment": second}, {"seal": "SLSECOND"}))
    pin = {"pin": f.PIN, "count": 1}
    done(world, "courier", act("hand_over", {"consignment": second}, {"other": "nurse", **pin}, site=f.TOWN))
    done(world, "courier", act("arrive", {}, site=f.COUNTY, at=LATER))
    done(
        world,
        "receiver",
        act("hand_over", {"consignment": second}, {"other": "courier", **pin}, site=f.COUNTY, at=LATER),
    )
    lab(world, "receive_unexpected", {"specimen": "T2", "consignment": second}, {**GOOD, "reason": "UNEXPECTED"})
    moved = line(world, first, "T2")
    assert (moved.outcome, moved.found_in, moved.found_site) == ("elsewhere", second, f.COUNTY)
    lab(world, "receive", {"specimen": "T1", "consignment": first}, GOOD)
    assert lab(world, "close_receipt", {"consignment": first})["counts"] == {"scanned": 1, "elsewhere": 1}
    whole(world)
    seen = network.scope_of_user(world, f.user(world, "receiver"))
    (trip,) = registers.trips(world, seen, "receiver", RegisterFilter("2026-03-09", "2026-03-09", consignment=first))
    assert sum(tubes for _, _, tubes in trip.specimens) == 1  # the line of the register counts what it carried


def test_a_missing_tube_is_found_at_another_laboratory(world: Session) -> None:
    """A county that could not see the tube asks whether it is that one; a stranger of the same number stays one."""
    number = f.delivered(world, ("T1",))
    lab(world, "declare_missing", {"specimen": "T1", "consignment": number})
    lab(world, "close_receipt", {"consignment": number})
    assert refused(world, "found", {"specimen": "T1"}, GOOD, "receiver2") == "specimen_astray"
    answer = do(world, "receiver2", act("found", {"specimen": "T1"}, GOOD, at=LATER))
    [choice] = answer.params["choices"]
    chosen = {"specimen": "T1", "specimen_id": choice["id"]}
    assert do(world, "receiver2", act("found", {**chosen, "specimen": "X9"}, GOOD, at=LATER)).code == "specimen_unknown"
    done(world, "receiver2", act("found", chosen, GOOD, at=LATER))
    tube, late = f.find(world, "T1"), line(world, number, "T1")
    assert (tube.state, tube.location_code) == ("received", f.OTHER_COUNTY)
    assert (late.outcome, late.found_site) == ("late", f.OTHER_COUNTY)
    assert world.scalars(select(Alert.state)).one() == "ended"
    whole(world)


def test_a_missing_tube_never_left_the_township(world: Session) -> None:
    """The nurse finds it on her desk: it may be packed again, and the laboratory's search ends."""
    number = f.delivered(world, ("T1",))
    lab(world, "declare_missing", {"specimen": "T1", "consignment": number})
    done(world, "nurse", act("found", {"specimen": "T1"}, at=LATER))
    tube, late = f.find(world, "T1"), line(world, number, "T1")
    assert (tube.state, tube.location_code) == ("collected", f.TOWN)
    assert (late.outcome, late.found_site) == ("late", f.TOWN)
    assert the_findings(world) == [("T1", "TUBE_MISSING", "found")]
    whole(world)


def test_a_tube_that_a_laboratory_received_is_not_found_at_its_origin(world: Session) -> None:
    """Received at the county, sent on and missed at the city: the township has it no more, whatever its nurse says."""
    number = f.delivered(world, ("T1",))
    lab(world, "receive", {"specimen": "T1", "consignment": number}, GOOD)
    f.find(world, "T1").destination_code = f.CITY
    on = lab(world, "pack", {"specimen": "T1", "box": "BX-T"})["consignment"]
    lab(world, "seal", {"consignment": on}, {"seal": "SL-ON"})
    sign = {"pin": f.PIN, "count": 1}
    done(
        world, "courier", act("hand_over", {"consignment": on}, {**sign, "other": "receiver"}, site=f.COUNTY, at=LATER)
    )
    give = act("hand_over", {"consignment": on}, {**sign, "other": "cityreceiver"}, site=f.CITY, at=LATER)
    done(world, "courier", give)
    done(world, "cityreceiver", act("declare_missing", {"specimen": "T1", "consignment": on}, at=LATER))
    assert do(world, "nurse", act("found", {"specimen": "T1"}, at=LATER)).code == "specimen_state"
    assert f.find(world, "T1").state == "missing"


def test_an_unknown_tube_stays_open_until_somebody_settles_it(world: Session) -> None:
    """What nobody knows is a finding of the box; a word closes it, once."""
    number = f.delivered(world, ("T1",))
    lab(world, "receive_unexpected", {"specimen": "NEVER", "consignment": number}, {**GOOD, "reason": "UNEXPECTED"})
    finding = world.scalars(select(Nonconformity)).one()
    assert (finding.accession, finding.disposition, finding.specimen_id) == ("NEVER", "", None)
    word = {"finding": finding.seq, "note": "sent back with the courier"}
    lab(world, "settle", {"consignment": number}, word)
    assert the_findings(world) == [("NEVER", "UNEXPECTED", "settled")]
    assert refused(world, "settle", {"consignment": number}, word) == "finding_settled"
    whole(world)


# --- decisions -----------------------------------------------------------------------------------------------


def test_one_test_is_rejected_and_the_tube_serves_for_the_others(world: Session) -> None:
    """Too little for the differential: accepted for CBC, only that is collected again; then the rest is rejected."""
    received(world, ("T1",), ("CBC", "CBC-DIFF"))
    result = lab(world, "reject_tests", {"specimen": "T1"}, {"reason": "QNS", "tests": ["CBC-DIFF"]})
    assert (result["rejected"], result["left"], result["state"]) == (["CBC-DIFF"], ["CBC"], "received")
    lab(world, "accept", {"specimen": "T1"})
    assert (
        refused(world, "reject_tests", {"specimen": "T1"}, {"reason": "QNS", "tests": ["CBC-DIFF"]})
        == "test_rejected_already"
    )
    assert refused(world, "reject_tests", {"specimen": "T1"}, {"reason": "QNS", "tests": ["ALT"]}) == "test_not_ordered"
    again = done(world, "nurse", act("recollect", {"specimen": "T1"}, at=LATER))
    assert again["tests"] == ["CBC-DIFF"]
    assert do(world, "nurse", act("recollect", {"specimen": "T1"}, at=LATER)).code == "recollect_exists"
    last = lab(world, "reject_tests", {"specimen": "T1"}, {"reason": "HAEMOLYSED", "tests": ["CBC"]})
    assert (last["left"], last["state"]) == ([], "rejected")
    assert done(world, "nurse", act("recollect", {"specimen": "T1"}, at=LATER))["tests"] == ["CBC"]
    assert the_findings(world) == [("T1", "QNS", "reject_tests"), ("T1", "HAEMOLYSED", "reject")]
    marks = {one.test_code: one.rejected_reason for one in f.find(world, "T1").tests}
    assert marks == {"CBC": None, "CBC-DIFF": "QNS"}
    whole(world)
    f.find(world, "T1").tests[1].rejected_reason = None
    world.commit()
    assert len(rebuild.differences(world)) == 1
    rebuild.apply(world)
    world.commit()
    whole(world)


def test_reasons_serve_only_for_what_they_are_meant(world: Session) -> None:
    """A rejection takes a rejection's reason, a concession one that allows it, a box one of boxes."""
    number = received(world, ("T1",))
    tube, box = {"specimen": "T1"}, {"consignment": number}
    assert refused(world, "reject", tube, {"reason": "SEAL_BROKEN"}) == "reason_other_kind"
    assert refused(world, "accept", tube, {"reason": "CLOTTED"}) == "reason_no_concession"
    assert refused(world, "accept", tube, {"reason": "PATIENT_ABSENT"}) == "reason_other_kind"
    assert refused(world, "deviation", box, {"reason": "UNEXPECTED"}) == "reason_other_kind"
    assert refused(world, "deviation", box, {"reason": "HAEMOLYSED"}) == "reason_other_kind"
    stray = {**GOOD, "reason": "SEAL_BROKEN"}
    assert refused(world, "receive_unexpected", {**box, "specimen": "STRAY"}, stray) == "reason_other_kind"
    lab(world, "deviation", box, {"reason": "SEAL_BROKEN", "note": "torn"})
    lab(world, "accept", tube, {"reason": "BOX_NOT_COLD"})
    assert the_findings(world) == [("", "SEAL_BROKEN", "noted"), ("T1", "BOX_NOT_COLD", "concession")]
    event = world.scalars(select(CustodyEvent.body).where(CustodyEvent.type == "deviation")).one()
    assert '"hl7":"0544:SB"' in event
    whole(world)


def test_a_damaged_tube_is_accepted_only_with_concession(world: Session) -> None:
    """The receiver stated damaged: accepting it as if nothing were is refused."""
    received(world, ("T1",), condition="damaged")
    assert refused(world, "accept", {"specimen": "T1"}, {}) == "concession_needed"
    lab(world, "accept", {"specimen": "T1"}, {"reason": "LEAKED"})
    assert f.find(world, "T1").state == "accepted_concession"


# --- whole boxes -----------------------------------------------------------------------------------------------


def test_tubes_read_together_are_received_by_one_act(world: Session) -> None:
    """Named tubes only, in a stated condition; one that was read before is named as left; each has its own event."""
    number = f.delivered(world, ("T1", "T2", "T3"))
    ids = {accession: f.find(world, accession).id for accession in ("T1", "T2", "T3")}
    lab(world, "receive", {"specimen": "T1", "consignment": number}, GOOD)
    wanted = {"specimens": [ids["T1"], ids["T2"]]}
    assert refused(world, "receive_all", {"consignment": number}, wanted) == "field_missing"
    assert refused(world, "receive_all", {"consignment": number}, GOOD) == "field_missing"
    result = lab(world, "receive_all", {"consignment": number}, {**GOOD, **wanted})
    assert (result["count"], [(one["specimen"], one["why"]) for one in result["left"]]) == (1, [("T1", "received")])
    assert [line(world, number, accession).outcome for accession in ids] == ["scanned", "scanned", "expected"]
    assert len(world.scalars(select(CustodyEvent).where(CustodyEvent.type == "received")).all()) == 2
    assert do(world, "receiver", act("close_receipt", {"consignment": number}, at=LATER)).code == "receipt_incomplete"
    whole(world)


def test_a_tube_of_a_warm_box_is_held_also_when_it_is_read_with_others(world: Session) -> None:
    """The hold of an undecided excursion does not depend on how the tube was received."""
    number = f.delivered(world, ("WARM", "COLD"))
    warm = f.find(world, "WARM").id
    alerts.raise_alert(
        world, kind="excursion", severity="warning", site_code=f.COUNTY, incident_key=f"excursion:BX-C:{number}",
        params={}, occurred_at=f.START, now=f.START, consignment_number=number, specimen_ids=[warm],
    )  # fmt: skip
    world.commit()
    payload = {**GOOD, "specimens": [warm, f.find(world, "COLD").id]}
    lab(world, "receive_all", {"consignment": number}, payload)
    assert (f.find(world, "WARM").on_hold, f.find(world, "COLD").on_hold) == (True, False)
    result = lab(world, "decide_all", {"consignment": number}, {"decision": "accept"})
    assert (result["count"], [(one["specimen"], one["why"]) for one in result["left"]]) == (1, [("WARM", "on_hold")])


def test_one_decision_for_a_box_that_travelled_warm(world: Session) -> None:
    """All on hold for one reason, one released and accepted, the rest rejected: each tube with its own events."""
    number = received(world, ("T1", "T2", "T3"))
    box = {"consignment": number}
    assert refused(world, "decide_all", box, {"decision": "hold"}) == "field_missing"
    assert refused(world, "decide_all", box, {"decision": "keep", "reason": "STORAGE"}) == "decision_unknown"
    assert refused(world, "decide_all", box, {"decision": "reject", "reason": "BOX_NOT_COLD"}) == "reason_other_kind"
    held = lab(world, "decide_all", box, {"decision": "hold", "reason": "BOX_NOT_COLD", "note": "14 degrees"})
    assert (held["count"], held["left"]) == (3, [])
    assert {(reason, kind) for _, reason, kind in the_findings(world)} == {("BOX_NOT_COLD", "hold")}
    assert lab(world, "decide_all", box, {"decision": "accept"})["count"] == 0
    done(world, "manager", act("release", {"specimen": "T1"}, {"reason": "stable"}, at=LATER))
    assert lab(world, "decide_all", box, {"decision": "accept"})["count"] == 1
    rejected = lab(world, "decide_all", box, {"decision": "reject", "reason": "STORAGE"})
    assert rejected["count"] == 2
    assert [f.find(world, one).state for one in ("T1", "T2", "T3")] == ["accepted", "rejected", "rejected"]
    kinds = sorted(kind for _, _, kind in the_findings(world))
    assert kinds == ["reject", "reject", "release", "settled", "settled"]
    assert len(world.scalars(select(CustodyEvent).where(CustodyEvent.type == "rejected")).all()) == 2
    whole(world)


def test_apply_to_all_is_about_the_tubes_named(world: Session) -> None:
    """With a list only those are decided; a tube of another box is refused by name."""
    number = received(world, ("T1", "T2"))
    other = f.collected(world, "OTHER").id
    payload = {"decision": "accept", "specimens": [f.find(world, "T2").id]}
    assert lab(world, "decide_all", {"consignment": number}, payload)["count"] == 1
    assert [f.find(world, one).state for one in ("T1", "T2")] == ["received", "accepted"]
    foreign = {"decision": "accept", "specimens": [other]}
    assert refused(world, "decide_all", {"consignment": number}, foreign) == "specimen_not_in_consignment"
    assert refused(world, "decide_all", {"consignment": number}, payload, "receiver2") == "consignment_unknown"


def test_rebuild_brings_findings_back(world: Session) -> None:
    """Deleted and edited rows of the table come back from the log as they were."""
    number = received(world, ("T1", "T2"))
    lab(world, "reject", {"specimen": "T1"}, {"reason": "CLOTTED"})
    lab(world, "deviation", {"consignment": number}, {"reason": "SEAL_BROKEN"})
    before = the_findings(world)
    rows = world.scalars(select(Nonconformity).order_by(Nonconformity.id)).all()
    world.delete(rows[0])
    rows[1].reason_code = "BOX_NOT_COLD"
    world.commit()
    assert len(rebuild.differences(world)) == 2
    rebuild.apply(world)
    world.commit()
    assert sorted(the_findings(world)) == sorted(before)
    assert {row.disposition for row in world.scalars(select(Nonconformity))} <= set(domain_findings.DISPOSITIONS)
    whole(world)


def test_a_manifest_line_links_specimen_and_box_of_a_finding(world: Session) -> None:
    """A rejected tube's finding leads back to the box it came in, though the tube is out of it."""
    number = received(world, ("T1",))
    lab(world, "reject", {"specimen": "T1"}, {"reason": "CLOTTED"})
    finding = world.scalars(select(Nonconformity)).one()
    assert (finding.consignment_number, finding.origin_code, finding.site_code) == (number, f.TOWN, f.COUNTY)
    assert world.get_one(Consignment, number).origin_code == f.TOWN
    assert world.get_one(Specimen, finding.specimen_id).accession == "T1"
