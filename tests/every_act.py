"""A world in which every type of act was done at least once, for tests that look at the whole record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from logistics.models import Box
from tests import factories as f
from tests import send_outs
from tests.factories import COUNTY, PIN, START, TOWN, act, done

HOUR = timedelta(hours=1)
WHY = {"reason": "RECALL_PATIENT", "note": "两名患者标本互换"}
GOOD = {"condition": "good"}


def build(session: Session) -> None:
    """Everything committed; nothing signed."""
    f.world(session)
    send_outs.build(session)
    session.add(Box(code="BAG-1", temp_class="ambient_15_25", kind="bag", home_code=COUNTY, location_code=COUNTY))
    session.add(Box(code="BX-HOME", temp_class="cold_2_8", home_code=TOWN, location_code=COUNTY))
    for number in (1, 2, 3, 4):
        session.add(Box(code=f"BX-{number}", temp_class="cold_2_8", home_code=TOWN, location_code=TOWN))
    session.commit()
    _at_the_township(session)
    _to_the_laboratory(session)
    _on_two_devices(session)
    _on_the_way(session)
    _down_again(session)
    _recalled(session)
    _sent_out(session)


def _nurse(session: Session, what: str, subject: dict[str, Any], payload: dict[str, Any] | None = None) -> Any:
    return done(session, "nurse", act(what, subject, payload))


def _lab(session: Session, what: str, subject: dict[str, Any], payload: dict[str, Any] | None = None) -> Any:
    return done(session, "receiver", act(what, subject, payload, at=START + 2 * HOUR, site=COUNTY))


def _packed(session: Session, box: str, accessions: tuple[str, ...]) -> str:
    number = ""
    for accession in accessions:
        f.collected(session, accession, ("CBC", "CBC-DIFF") if accession.endswith("2") else ("CBC",))
        number = str(_nurse(session, "pack", {"specimen": accession, "box": box})["consignment"])
    return number


def _passed(session: Session, number: str, count: int, *, at: Any = START, **more: Any) -> None:
    take = {"other": "nurse", "pin": PIN, "count": count, **more}
    done(session, "courier", act("hand_over", {"consignment": number}, take, site=TOWN, at=at))


def _delivered(session: Session, number: str, count: int) -> None:
    later = START + HOUR
    done(session, "courier", act("arrive", {}, site=COUNTY, at=later))
    give = {"other": "courier", "pin": PIN, "count": count, "box_temp_c": "5.1"}
    done(session, "receiver", act("hand_over", {"consignment": number}, give, site=COUNTY, at=later))


def _at_the_township(session: Session) -> None:
    """Collection that fails, a box that is packed, unpacked, sealed, opened again and given up; a pickup is asked."""
    urgent = {"tests": ["CBC"], "priority": "stat", "patient_ref": "王*"}
    _nurse(session, "register", {"specimen": "A1"}, urgent)
    _nurse(session, "collection_failed", {"specimen": "A1"}, {"reason": "PATIENT_ABSENT"})
    number = _packed(session, "BX-1", ("A2", "A3"))
    _nurse(session, "unpack", {"specimen": "A3"})
    _nurse(session, "seal", {"consignment": number}, {"seal": "SLA1"})
    _nurse(session, "unseal", {"consignment": number}, {"reason": "wrong box"})
    _nurse(session, "seal", {"consignment": number}, {"seal": "SLA2"})
    _nurse(session, "ready", {})
    _nurse(session, "cancel_consignment", {"consignment": number}, {"reason": "no courier"})
    _nurse(session, "urgent_call", {})


def _to_the_laboratory(session: Session) -> None:
    """One refused at the pickup, one missing and found, one unexpected, one strange; decisions of every kind."""
    tubes = tuple(f"B{number}" for number in range(1, 10))
    number = _packed(session, "BX-C", tubes)
    _nurse(session, "seal", {"consignment": number}, {"seal": "SLB1"})
    _passed(session, number, 8, refused=[{"specimen": "B9", "reason": "LEAKED"}], seal_now="SLB2", box_temp_c="4.6")
    done(session, "courier", act("depart", {}, site=TOWN))
    _delivered(session, number, 8)
    here = {"consignment": number}
    for accession in ("B1", "B2", "B3"):
        _lab(session, "receive", {**here, "specimen": accession}, GOOD)
    ids = [f.find(session, accession).id for accession in ("B4", "B5")]
    _lab(session, "receive_all", here, {"specimens": ids, "condition": "good"})
    for accession in ("B6", "B7", "B8"):
        _lab(session, "declare_missing", {**here, "specimen": accession}, {"note": "not there"})
    _lab(session, "receive_unexpected", {**here, "specimen": "A3"}, {**GOOD, "reason": "UNEXPECTED"})
    strange = {**GOOD, "reason": "UNEXPECTED", "note": "no label"}
    _lab(session, "receive_unexpected", {**here, "specimen": "STRANGE"}, strange)
    finding = f.find_event(session, f"consignment:{number}", "unexpected_tube")
    _lab(session, "settle", here, {"finding": finding, "note": "another laboratory's"})
    _lab(session, "deviation", here, {"reason": "BOX_DAMAGED", "note": "lid"})
    _lab(session, "close_receipt", here)
    _lab(session, "found", {"specimen": "B6"}, GOOD)
    done(session, "nurse", act("found", {"specimen": "B7"}, at=START + 3 * HOUR))
    _lab(session, "reject_tests", {"specimen": "B2"}, {"reason": "QNS", "tests": ["CBC-DIFF"]})
    _nurse(session, "recollect", {"specimen": "B2"}, {"accession": "B22"})
    _lab(session, "accept", {"specimen": "B1"})
    _lab(session, "hold", {"specimen": "B3"}, {"reason": "look", "code": "LABEL_WRONG"})
    done(session, "manager", act("release", {"specimen": "B3"}, {"reason": "seen"}, at=START + 2 * HOUR))
    _lab(session, "reject", {"specimen": "B3"}, {"reason": "CLOTTED", "note": "凝块"})
    last = f.find(session, "B3").stream_seq
    _lab(session, "correct", {"specimen": "B3"}, {"event": last, "reason": "another tube"})
    _lab(session, "decide_all", {**here}, {"decision": "concession", "reason": "HAEMOLYSED", "specimens": ids})
    done(session, "manager", act("lost", {"specimen": "B8"}, {"note": "given up"}, at=START + 3 * HOUR))
    _lab(session, "dispose", {"specimen": "B1"}, {"note": "after seven days"})
    done(session, "manager", act("note", {"specimen": "B4"}, {"note": "次日复查"}, at=START + 3 * HOUR))


def _on_two_devices(session: Session) -> None:
    """A handover signed by both, each on the own device, and one that the giver signs otherwise."""
    for box, accession, count in (("BX-2", "D1", 1), ("BX-3", "D2", 2)):
        number = _packed(session, box, (accession,))
        _nurse(session, "seal", {"consignment": number}, {"seal": f"SL{accession}"})
        drawn = f.offer(session, at=START)
        taken = {"method": "app", "code": f.shown(drawn, {number: 1}, at=START), "count": 1}
        done(session, "courier", act("hand_over", {"consignment": number}, taken, site=TOWN))
        given = {"handover_id": drawn, "count": count, "meaning": "pickup", "other": "courier"}
        done(session, "nurse", act("sign_handover", {"consignment": number}, given, site=TOWN, at=START + HOUR))


def _on_the_way(session: Session) -> None:
    """A seal that breaks and a new one, a box left where it does not go."""
    number = str(f.find(session, "D1").consignment_number)
    here = {"consignment": number}
    done(session, "courier", act("seal_broken", here, {"note": "lid open"}, at=START + HOUR))
    done(session, "courier", act("reseal", here, {"seal": "SLNEW1", "reason": "SEAL_BROKEN"}, at=START + HOUR))
    elsewhere = {"other": "nurse2", "pin": PIN, "count": 1, "elsewhere": {"reason": "ROAD_CLOSED", "note": "洪水"}}
    done(session, "courier", act("hand_over", here, elsewhere, site=f.OTHER_TOWN, at=START + HOUR))


def _down_again(session: Session) -> None:
    """Items in a bag: one received, one missing, one unpacked, one on hold; an empty box goes home."""
    numbers = []
    for kind in ("report", "consumables", "report", "proficiency"):
        facts = {"kind": kind, "destination": TOWN, "description": "检验报告", "quantity": 3}
        numbers.append(str(_lab(session, "register_item", {}, facts)["item"]))
    load = ""
    for number in numbers:
        load = str(_lab(session, "pack_item", {"item": number, "box": "BAG-1"})["consignment"])
    _lab(session, "unpack_item", {"item": numbers[2]})
    _lab(session, "seal", {"consignment": load}, {"seal": "SLDOWN"})
    home = str(_lab(session, "return_box", {"box": "BX-HOME"})["consignment"])
    at = START + 3 * HOUR
    for consignment, count in ((load, 3), (home, 0)):
        take = {"other": "receiver", "pin": PIN, "count": count}
        done(session, "courier", act("hand_over", {"consignment": consignment}, take, site=COUNTY, at=at))
        give = {"other": "nurse", "pin": PIN, "count": count}
        done(session, "courier", act("hand_over", {"consignment": consignment}, give, site=TOWN, at=at))
    here = {"consignment": load}
    done(session, "nurse", act("receive_item", {**here, "item": numbers[0]}, GOOD, at=at))
    done(session, "nurse", act("item_missing", {**here, "item": numbers[1]}, at=at))
    done(session, "nurse", act("receive_item", {**here, "item": numbers[3]}, GOOD, at=at))
    done(session, "nurse", act("close_receipt", here, at=at))
    done(session, "nurse", act("found_item", {"item": numbers[1]}, GOOD, at=at + HOUR))
    done(session, "nurse", act("dispose_item", {"item": numbers[0]}, {"note": "read"}, at=at))
    _held_item(session, numbers[3])


def _held_item(session: Session, number: str) -> None:
    """Only a box that came warm holds an item: said here by hand, through the same desk."""
    from logistics.domain.custody import EventType
    from logistics.models import Item
    from logistics.services import network
    from logistics.services.acts import HANDLERS
    from logistics.services.desk import Desk

    nurse = f.user(session, "nurse")
    session.commit()

    def hold(desk: Desk) -> None:
        desk.append_item(desk.session.get_one(Item, number), EventType.HELD, {"reason": "excursion", "incident": "x"})

    before = HANDLERS["note"]
    HANDLERS["note"] = hold
    try:
        assert network.scope_of_user(session, nurse)
        done(session, "nurse", act("note", {"item": number}, at=START + 3 * HOUR))
    finally:
        HANDLERS["note"] = before
    released = act("release_item", {"item": number}, {"reason": "fit"}, at=START + 4 * HOUR)
    done(session, "manager", released)


def _recalled(session: Session) -> None:
    """A tube and a consignment are recalled; one tube is found and set aside."""
    done(session, "manager", act("recall", {"specimen": "D2"}, WHY, at=START + 3 * HOUR))
    number = _packed(session, "BX-4", ("R1", "R2"))
    _nurse(session, "seal", {"consignment": number}, {"seal": "SLR1"})
    done(session, "manager", act("recall_consignment", {"consignment": number}, WHY, at=START + 3 * HOUR))
    done(session, "nurse", act("unseal", {"consignment": number}, {"reason": "recall"}, at=START + 3 * HOUR))
    done(session, "nurse", act("returned", {"specimen": "R1"}, at=START + 3 * HOUR))


def _sent_out(session: Session) -> None:
    """Two tubes leave the network, taken by a stranger; the paper says that one of them did not arrive."""
    at = START + 5 * HOUR
    send_outs.received(session, ("X1", "X2"), at=at)
    number = send_outs.ready(session, ("X1", "X2"), at=at)
    stranger = {"taker_name": "王强", "taker_organisation": "顺达冷链", "witness": "manager", "pin": PIN, "count": 2,
                "box_temp_c": "3.9"}  # fmt: skip
    done(session, "receiver", act("release_send_out", {"consignment": number}, stranger, at=at))
    paper = {"condition": "good", "missing": ["X2"], "received_by": "李工"}
    done(session, "manager", act("confirm_send_out", {"consignment": number}, paper, at=at + HOUR, how="imported"))
