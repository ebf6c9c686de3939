"""What lies on the desks of the offices in the seeded morning: a box sealed twice, a recall, loads on the way back,
send-outs, halves of handovers, acts that came too late, a signed day. Everything by acts, as people would do it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from logistics import tasks
from logistics.domain import numbers
from logistics.integrity import edge
from logistics.models import Box, Item
from logistics.services import blind, jobs, prints
from tests import courier_day, send_outs
from tests import factories as f
from tests.factories import COUNTY, PIN, START, TOWN, act, do, done

OWN, HOME = (numbers.issue(numbers.Kind.BOX, serial) for serial in (741, 743))
BAG, SECOND_BAG, THIRD_BAG = "BAG-01", "BAG-02", "BAG-03"
MINUTE = timedelta(minutes=1)


def build(session: Session, now: datetime) -> dict[str, Any]:
    """Call last: the courier's day and the township's worklist stand already. Gives what stands in paths."""
    _boxes(session)
    places = {
        "resealed": _resealed(session, now),
        "send_out": _send_outs(session, now),
        "contract": send_outs.CONTRACT,
        **_loads(session, now),
    }
    _recalls(session, now)
    _halves(session, places["resealed"], now)
    _late(session, now)
    _signed_day(session)
    return places


def _boxes(session: Session) -> None:
    for code, home, at in ((OWN, TOWN, TOWN), (HOME, courier_day.FAR, COUNTY)):
        session.add(Box(code=code, temp_class="cold_2_8", home_code=home, location_code=at))
    for code in (BAG, SECOND_BAG, THIRD_BAG):
        session.add(Box(code=code, temp_class="ambient_15_25", kind="bag", home_code=COUNTY, location_code=COUNTY))
    session.commit()


def _tubes(session: Session, serials: range, now: datetime) -> list[str]:
    """Registered and collected at the township this morning."""
    made = [courier_day.accession(serial) for serial in serials]
    for code in made:
        subject = {"specimen": code}
        done(session, "nurse", act("register", subject, {"tests": ["CBC"], "patient_ref": "李**"}, at=now))
        done(session, "nurse", act("collect", subject, at=now))
    return made


def _resealed(session: Session, now: datetime) -> str:
    """Sealed with three tubes, printed, opened, one exchanged for another, sealed and printed again."""
    tubes = _tubes(session, range(41, 45), now - 50 * MINUTE)
    number = send_outs.packed(session, "nurse", tubes[:3], OWN, "SL70001", at=now - 48 * MINUTE)
    prints.log(session, "manifest", number, by="nurse", now=now - 47 * MINUTE, version=1)
    session.commit()
    opened = now - 45 * MINUTE
    done(session, "nurse", act("unseal", {"consignment": number}, {"reason": "26030900043 ↻"}, at=opened))
    done(session, "nurse", act("unpack", {"specimen": tubes[2], "box": OWN}, at=opened))
    done(session, "nurse", act("pack", {"specimen": tubes[3], "box": OWN}, at=opened))
    done(session, "nurse", act("seal", {"consignment": number}, {"seal": "SL70002"}, at=now - 44 * MINUTE))
    prints.log(session, "manifest", number, by="nurse", now=now - 43 * MINUTE, version=2)
    prints.log(session, "consignment_label", number, by="nurse", now=now - 43 * MINUTE, version=2, copies=2)
    session.commit()
    return number


def _halves(session: Session, number: str, now: datetime) -> None:
    """The courier took the box by the code on the nurse's phone, one tube refused, and her half has not come; of
    another box only her half has come; of a third she stated another count."""
    cold, far = (_open_in(session, box) for box in (courier_day.BOX_COLD, courier_day.BOX_FAR))
    at = now - 40 * MINUTE
    first, second, third = (f.offer(session, who, at=at) for who in ("nurse", "nurse", "nurse3"))
    refused = [{"specimen": courier_day.accession(44), "reason": "LEAKED"}]
    taken = {
        "method": "app",
        "code": f.shown(first, {number: 3}, at=at),
        "count": 2,
        "box_temp_c": "4.4",
        "refused": refused,
        "seal_now": "SL70012",
    }
    done(session, "courier", act("hand_over", {"consignment": number}, taken, site=TOWN, at=at))
    given = {"handover_id": second, "count": 9, "meaning": "pickup"}
    done(session, "nurse", act("sign_handover", {"consignment": cold}, given, site=TOWN, at=at))
    differs = {"handover_id": third, "count": 5, "meaning": "pickup"}
    done(session, "nurse3", act("sign_handover", {"consignment": far}, differs, site=courier_day.FAR, at=at))
    taken = {"method": "app", "code": f.shown(third, {far: 4}, at=at), "count": 4}
    done(session, "courier", act("hand_over", {"consignment": far}, taken, site=courier_day.FAR, at=at))


def _open_in(session: Session, box: str) -> str:
    return str(session.get_one(Box, box, populate_existing=True).consignment_number)


def _send_outs(session: Session, now: datetime) -> str:
    """A tube that waits for the external laboratory, and a box with two more that is ready for release."""
    at = now - 35 * MINUTE
    tubes = [courier_day.accession(serial) for serial in range(51, 54)]
    send_outs.build(session)
    send_outs.received(session, tubes, at=at)
    return send_outs.ready(session, tubes[:2], at=at)


def _loads(session: Session, now: datetime) -> dict[str, Any]:
    """Reports that wait, control material that waits, a bag at the township's desk, one under way, a blind sample."""
    at = now - 30 * MINUTE
    _item(session, at, "report", courier_day.FAR, description="A4", quantity=12)
    _item(session, at, "proficiency", courier_day.FAR, description="CBC EQA", temp_class="cold_2_8", lot="PT-07",
          expires_on="2026-04-30")  # fmt: skip
    parcel = _item(session, at, "other", courier_day.FAR, description="HBsAg", temp_class="cold_2_8")
    blind.make(session, session.get_one(Item, parcel), reference="EQA-2026-03", expected="WBC 6.1", tests=["CBC"],
               label_ref="陈**", stock="roll_50x30", symbology="code128", by="manager", now=at)  # fmt: skip
    session.commit()
    here = [_item(session, at, "report", TOWN, description="A4", quantity=9),
            _item(session, at, "consumables", TOWN, description="EDTA-K2", quantity=200)]  # fmt: skip
    brought = _bag(session, here, BAG, "SL70005", at)
    send_outs.ride(session, brought, 2, ("receiver", COUNTY), ("nurse", TOWN), at=at)
    subject = {"consignment": brought, "item": here[0]}
    done(session, "nurse", act("receive_item", subject, {"condition": "good"}, at=at))
    coming = _bag(session, [_item(session, at, "report", TOWN, description="A4")], SECOND_BAG, "SL70006", at)
    take = {"other": "receiver", "pin": PIN, "count": 1}
    done(session, "courier", act("hand_over", {"consignment": coming}, take, site=COUNTY, at=at))
    return {"return_load": brought, "item": parcel}


def _item(session: Session, at: datetime, kind: str, goal: str, **more: Any) -> str:
    payload = {"kind": kind, "destination": goal, **more}
    return str(done(session, "receiver", act("register_item", {}, payload, at=at))["item"])


def _bag(session: Session, chosen: list[str], bag: str, seal: str, at: datetime) -> str:
    for number in chosen:
        load = done(session, "receiver", act("pack_item", {"item": number, "box": bag}, at=at))["consignment"]
    done(session, "receiver", act("seal", {"consignment": load}, {"seal": seal}, at=at))
    return str(load)


def _recalls(session: Session, now: datetime) -> None:
    """One recall of two tubes, one of them in hand already."""
    at = now - 25 * MINUTE
    for code in _tubes(session, range(61, 63), at):
        why = {
            "reason": "RECALL_PATIENT",
            "note": "26030900061 ↔ 26030900062",
            "recall": "3f0e9a52-6a0f-4b9b-9d0a-5f3a8d0c1b11",
        }
        done(session, "manager", act("recall", {"specimen": code}, why, at=at))
    done(session, "nurse", act("returned", {"specimen": courier_day.accession(61)}, at=now))


def _late(session: Session, now: datetime) -> None:
    """Kept for review: a seal on a box that is sealed, a handover with a wrong PIN, a phone with a wrong clock."""
    seal = act("seal", {"box": courier_day.BOX_COLD}, {"seal": "SL70009"}, offline=True, at=now, device="phone-02")
    pickup = {"other": "nurse", "pin": "0000", "count": 3, "box_temp_c": "18.2"}
    wrong = act("hand_over", {"box": courier_day.BOX_AMBIENT}, pickup, site=TOWN, offline=True, at=now)
    [tube] = _registered(session, 65, now)
    ahead = act("collect", {"specimen": tube}, offline=True, at=now + timedelta(hours=5))
    for who, one in (("nurse", seal), ("courier", wrong), ("nurse", ahead)):
        assert do(session, who, one, now=now).status == "review"


def _registered(session: Session, serial: int, now: datetime) -> list[str]:
    code = courier_day.accession(serial)
    done(session, "nurse", act("register", {"specimen": code}, {"tests": ["CBC"]}, at=now))
    return [code]


def _signed_day(session: Session) -> None:
    """Two tubes of the day before, so that a day is over; signed, and the record verified."""
    for serial in (71, 72):
        _registered(session, serial, START - timedelta(days=1))
    tasks.sign_digests.run()
    job = jobs.add(session, edge.JOB_KIND, {"by": "auditor"}, by="auditor", now=START)
    job_id = job.id
    session.commit()
    tasks.run_job.run(job_id)
    verified = edge.last(session)
    assert verified is not None
    assert verified["whole"], verified["findings"]
    session.commit()
