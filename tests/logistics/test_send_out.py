"""Send-outs to an external laboratory: only under a contract, with two signatures, and confirmed by a named person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from logistics.domain.acts import Status
from logistics.errors import Conflict, Invalid
from logistics.models import Box, Consignment, Contract, Handover, Site, Test, TestSite, User
from logistics.services import contracts, legs, rebuild
from tests import factories as f
from tests.factories import act, do, done

EXTERNAL = "EXT1"
SPECIAL = "XGENE"
TERMS: dict[str, Any] = {
    "external_code": EXTERNAL, "site_code": f.CITY, "valid_from": "2026-01-01", "valid_to": "2026-12-31",
    "turnaround_h": 72.0, "contact": "",
}  # fmt: skip


@pytest.fixture
def world(session: Session) -> Session:
    """The usual network with an external laboratory that hangs on the city and alone performs one test."""
    f.world(session)
    session.add(Site(code=EXTERNAL, name_zh="外部检验所", name_en="External", tier="external", parent_code=f.CITY))
    session.flush()
    first = session.scalars(select(Test).where(Test.code == "CBC")).one()
    session.add(
        Test(code=SPECIAL, name_zh="基因检测", specimen_type=first.specimen_type, container=first.container,
             temp_class="cold_2_8")
    )  # fmt: skip
    session.flush()
    session.add(TestSite(test_code=SPECIAL, site_code=EXTERNAL))
    session.add(Box(code="BX-CITY", temp_class="cold_2_8", home_code=f.CITY, location_code=f.CITY))
    password, pin = f._hashes()
    for name, role, site in (
        ("citysecond", "receiver", f.CITY), ("citymanager", "manager", f.CITY), ("extlab", "receiver", EXTERNAL),
    ):  # fmt: skip
        session.add(
            User(username=name, role=role, site_code=site, name_zh=f"{name}某", password_hash=password, pin_hash=pin)
        )
    session.commit()
    return session


def contracted(session: Session, **changes: Any) -> Contract:
    contract = contracts.add(session, "WS-2026-01", {**TERMS, **changes}, [SPECIAL])
    session.commit()
    return contract


def at_city(session: Session, *accessions: str) -> None:
    """Tubes for the external laboratory, received at the city: they were registered there."""
    for accession in accessions:
        done(session, "nurse", act("register", {"specimen": accession}, {"tests": [SPECIAL]}))
        done(session, "nurse", act("collect", {"specimen": accession}))
        tube = f.find(session, accession)
        assert tube.destination_code == EXTERNAL
        done(session, "nurse", act("pack", {"specimen": accession, "box": "BX-C"}))
    number = f.find(session, accessions[0]).consignment_number
    assert number is not None
    assert session.get_one(Consignment, number).destination_code == f.COUNTY
    ride(session, number, len(accessions), "nurse", "receiver", f.TOWN, f.COUNTY)
    for accession in accessions:
        number = done(session, "receiver", act("pack", {"specimen": accession, "box": "BX-T"}))["consignment"]
    ride(session, number, len(accessions), "receiver", "cityreceiver", f.COUNTY, f.CITY)


def ride(session: Session, number: str, count: int, giver: str, taker: str, origin: str, goal: str) -> None:
    done(session, giver, act("seal", {"consignment": number}, {"seal": f"SL{number[-6:]}"}))
    take = {"other": giver, "pin": f.PIN, "count": count}
    done(session, "courier", act("hand_over", {"consignment": number}, take, site=origin))
    give = {"other": "courier", "pin": f.PIN, "count": count}
    done(session, taker, act("hand_over", {"consignment": number}, give, site=goal))
    lines = session.execute(
        text("SELECT s.accession FROM consignment_line l JOIN specimen s ON s.id = l.specimen_id"
             " WHERE l.consignment_number = :n"), {"n": number},
    ).scalars()  # fmt: skip
    for accession in list(lines):
        subject = {"specimen": accession, "consignment": number}
        done(session, taker, act("receive", subject, {"condition": "good"}))
    done(session, taker, act("close_receipt", {"consignment": number}))


def ready(session: Session, *accessions: str) -> str:
    """A sealed send-out at the city."""
    contracted(session)
    at_city(session, *accessions)
    for accession in accessions:
        number = done(session, "cityreceiver", act("pack", {"specimen": accession, "box": "BX-CITY"}))["consignment"]
    done(session, "cityreceiver", act("seal", {"consignment": number}, {"seal": "SL-OUT"}))
    return str(number)


STRANGER = {"taker_name": "王强", "taker_organisation": "顺达冷链", "witness": "citysecond", "pin": f.PIN, "count": 1}


def test_a_tube_for_an_external_laboratory_goes_through_the_site_with_the_contract(world: Session) -> None:
    """Its destination is the external laboratory; the way there leads up the tree and out at the city."""
    assert legs.laboratory_for(world, [SPECIAL], f.TOWN) == EXTERNAL
    hops = [legs.next_hop(world, at, EXTERNAL) for at in (f.TOWN, f.COUNTY, f.CITY)]
    assert hops == [f.COUNTY, f.CITY, EXTERNAL]
    assert legs.laboratory_for(world, ["CBC"], f.TOWN) == f.COUNTY


def test_nothing_is_sent_out_without_a_valid_contract(world: Session) -> None:
    """No contract, one that has ended, one without the test: refused by code, and the tube stays."""
    at_city(world, "T1")
    packing = lambda: do(world, "cityreceiver", act("pack", {"specimen": "T1", "box": "BX-CITY"})).code  # noqa: E731
    assert packing() == "no_contract"
    contract = contracted(world, valid_to="2026-02-28")
    assert packing() == "no_contract"
    contract.valid_to, contract.tests[0].test_code = "2026-12-31", "CBC"
    world.commit()
    assert packing() == "contract_does_not_cover"
    assert f.find(world, "T1").state == "received"


def test_a_stranger_takes_it_and_a_second_of_ours_bears_witness(world: Session) -> None:
    """Printed name, organisation, time, meaning and witness stand in the handover and in the log."""
    number = ready(world, "T1")
    result = done(world, "cityreceiver", act("release_send_out", {"consignment": number}, STRANGER))
    assert (result["contract"], result["count"]) == ("WS-2026-01", 1)
    signed = world.scalars(select(Handover).where(Handover.consignment_number == number)).one()
    assert (signed.giver, signed.taker_name, signed.organisation) == ("cityreceiver", "王强", "顺达冷链")
    assert (signed.witness, signed.meaning, signed.method) == ("citysecond", "send_out", "witness")
    load = world.get_one(Consignment, number, populate_existing=True)
    assert (load.kind, load.contract_reference, load.state) == ("send_out", "WS-2026-01", "in_transit")
    assert f.find(world, "T1").holder == "王强 · 顺达冷链"
    bodies = world.execute(text("SELECT body FROM act UNION ALL SELECT body FROM custody_event")).scalars().all()
    assert not [body for body in bodies if f'"{f.PIN}"' in body]
    assert rebuild.differences(world) == []


def test_a_release_without_two_good_signatures_is_refused(world: Session) -> None:
    """The witness is another person of ours with the right PIN; a known taker belongs to the external laboratory."""
    number = ready(world, "T1")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"witness": "cityreceiver"}, "two_people_needed"),
        ({"witness": "receiver"}, "witness_not_ours"),
        ({"pin": "0000"}, "pin_wrong"),
        ({"taker_name": ""}, "field_missing"),
        ({"count": 2}, "handover_count_differs"),
        ({"other": "courier"}, "signer_elsewhere"),
    ]
    for changes, code in cases:
        answer = do(world, "cityreceiver", act("release_send_out", {"consignment": number}, {**STRANGER, **changes}))
        assert answer.code == code
    assert world.get_one(Consignment, number, populate_existing=True).state == "sealed"


def test_a_release_that_came_before_its_sealing_waits_with_its_signatures(world: Session) -> None:
    """The witness's PIN was shown when it was sent and is kept nowhere: the release goes on when the sealing comes."""
    at_city(world, "T1")
    contracted(world)
    load = done(world, "cityreceiver", act("pack", {"specimen": "T1", "box": "BX-CITY"}))["consignment"]
    later = f.START + timedelta(minutes=10)
    release = act("release_send_out", {"consignment": load}, STRANGER, at=later, offline=True)
    assert do(world, "cityreceiver", release).status is Status.REVIEW
    do(world, "cityreceiver", act("seal", {"consignment": load}, {"seal": "SL-CITY"}), now=later)
    assert world.get_one(Consignment, load, populate_existing=True).state == "in_transit"
    assert world.scalars(select(Handover.witness).where(Handover.consignment_number == load)).one() == "citysecond"


def test_a_contract_that_ends_meanwhile_stops_the_release(world: Session) -> None:
    """The contract counts on the day the box leaves, not on the day it was packed; only a send-out is released so."""
    number = ready(world, "T1")
    world.get_one(Contract, "WS-2026-01").valid_to = "2026-03-08"
    world.commit()
    answer = do(world, "cityreceiver", act("release_send_out", {"consignment": number}, STRANGER))
    assert answer.code == "contract_not_valid"


def test_the_external_laboratory_confirms_with_its_own_account(world: Session) -> None:
    """Its own person takes it with the own PIN and confirms later; a tube that was not there is named."""
    number = ready(world, "T1", "T2")
    own = {"other": "extlab", "pin": f.PIN, "count": 2}
    done(world, "cityreceiver", act("release_send_out", {"consignment": number}, own))
    payload = {"condition": "good", "missing": ["T2"]}
    later = f.START + timedelta(hours=5)
    result = done(world, "extlab", act("confirm_send_out", {"consignment": number}, payload, at=later))
    assert (result["state"], result["counts"]) == ("closed", {"scanned": 1, "missing": 1})
    assert (f.find(world, "T1").state, f.find(world, "T1").location_code) == ("received", EXTERNAL)
    assert f.find(world, "T2").state == "missing"
    assert rebuild.differences(world) == []


def test_our_manager_records_the_receipt_from_paper(world: Session) -> None:
    """Only a manager, only as recorded from paper, only with the name that stands on it."""
    number = ready(world, "T1")
    done(world, "cityreceiver", act("release_send_out", {"consignment": number}, STRANGER))
    subject, payload = {"consignment": number}, {"condition": "good", "received_by": "李敏"}
    assert do(world, "cityreceiver", act("confirm_send_out", subject, payload)).code == "act_role"
    assert do(world, "citymanager", act("confirm_send_out", subject, payload)).code == "send_out_needs_paper"
    unnamed = act("confirm_send_out", subject, {"condition": "good"}, how="imported")
    assert do(world, "citymanager", unnamed).code == "field_missing"
    result = done(world, "citymanager", act("confirm_send_out", subject, payload, how="imported"))
    assert (result["state"], result["received_by"]) == ("closed", "李敏")
    signed = world.scalars(select(Handover).where(Handover.meaning == "delivery", Handover.method == "paper")).one()
    assert (signed.giver, signed.taker_name) == ("王强 · 顺达冷链", "李敏")
    assert rebuild.differences(world) == []


def test_contracts_are_checked_when_they_are_written(world: Session) -> None:
    """An end before the begin, a site of ours as the external one, no test, a reference twice."""
    with pytest.raises(Invalid, match="contract_ends_before"):
        contracts.add(world, "A", {**TERMS, "valid_to": "2025-12-31"}, [SPECIAL])
    with pytest.raises(Invalid, match="site_not_external"):
        contracts.add(world, "A", {**TERMS, "external_code": f.COUNTY}, [SPECIAL])
    with pytest.raises(Invalid, match="field_missing"):
        contracts.add(world, "A", TERMS, [])
    contracted(world)
    with pytest.raises(Conflict, match="contract_exists"):
        contracts.add(world, "WS-2026-01", TERMS, [SPECIAL])
    changed = contracts.change(world, "WS-2026-01", TERMS, ["CBC", SPECIAL], active=False)
    assert ([one.test_code for one in changed.tests], changed.active) == ([SPECIAL, "CBC"], False)
