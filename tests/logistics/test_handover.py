"""Handovers: signed on two devices in any order, of several boxes in one go, deliberately elsewhere, in two legs;
seals that are broken, exchanged or guessed at."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.acts import Act, Status
from logistics.domain.digests import manifest_hash
from logistics.domain.handover import (
    DIFFERS,
    OUTSTANDING,
    SIGNED,
    WAITING,
    Given,
    Taken,
    by_consignment,
    judge_given,
    judge_taken,
)
from logistics.models import (
    Alert,
    AuditEntry,
    Box,
    Consignment,
    ConsignmentLine,
    CustodyEvent,
    Handover,
    HandoverHalf,
    ManifestVersion,
    Nonconformity,
    Pickup,
)
from logistics.services import custody, half_signed, network, overdue, rebuild
from tests import factories as f
from tests.factories import act, do, done

LATER = f.START + timedelta(minutes=20)


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def taker_half(number: str, handover: str, *, count: int = 2, at: datetime = f.START, **more: Any) -> Act:
    """The courier has scanned the code a moment ago."""
    payload = {"method": "app", "code": f.shown(handover, {number: count}, at=at), "count": count, **more}
    return act("hand_over", {"consignment": number}, payload, site=f.TOWN, at=at)


def giver_half(number: str, handover: str, *, count: int = 2, at: datetime = f.START, **more: Any) -> Act:
    payload = {"handover_id": handover, "count": count, "meaning": "pickup", **more}
    return act("sign_handover", {"consignment": number}, payload, site=f.TOWN, at=at)


def row(session: Session) -> Handover:
    return session.scalars(select(Handover).execution_options(populate_existing=True)).one()


def second_box(session: Session) -> str:
    """Another sealed box at TOWN, with one tube; the consignment's number."""
    session.add(Box(code="BX-D", temp_class="cold_2_8", capacity=50, home_code=f.TOWN, location_code=f.TOWN))
    session.commit()
    f.collected(session, "T9")
    number = str(done(session, "nurse", act("pack", {"specimen": "T9", "box": "BX-D"}))["consignment"])
    done(session, "nurse", act("seal", {"consignment": number}, {"seal": "SLSECOND"}))
    return number


# --- the two halves -----------------------------------------------------------------------------------------------


def test_custody_passes_on_the_takers_half_and_the_giver_signs_later(world: Session) -> None:
    """The courier takes the box by the giver's code: his hands at once, 'outstanding' until the nurse's half comes;
    then both names and times are on record, and two events carry one handover id."""
    number, handover = f.sealed(world), f.offer(world)
    result = done(world, "courier", taker_half(number, handover))
    assert (result["state"], result["meaning"]) == ("in_transit", "pickup")
    before = row(world)
    assert (before.state, before.giver, before.giver_signed_at) == (OUTSTANDING, "nurse", None)
    done(world, "nurse", giver_half(number, handover, at=LATER))
    after = row(world)
    assert (after.state, after.giver_name, after.taker_name, after.meaning) == (
        SIGNED,
        "nurse某",
        "courier某",
        "pickup",
    )
    assert (after.taker_signed_at, after.giver_signed_at) == (f.START, LATER)
    bodies = world.scalars(select(CustodyEvent.body).where(CustodyEvent.stream == f"consignment:{number}")).all()
    assert sum(handover in body for body in bodies) == 2
    assert rebuild.differences(world) == []
    assert rebuild.verify_log(world) == []


def test_the_givers_half_alone_passes_nothing(world: Session) -> None:
    """What the giver signs before the taker leaves the box where it is; the taker's half then completes it."""
    number, handover = f.sealed(world), f.offer(world)
    done(world, "nurse", giver_half(number, handover))
    assert world.get_one(Consignment, number, populate_existing=True).state == "sealed"
    assert world.scalars(select(HandoverHalf)).one().state == WAITING
    assert world.scalars(select(Handover)).all() == []
    done(world, "courier", taker_half(number, handover, at=LATER))
    assert row(world).state == SIGNED
    assert world.scalars(select(HandoverHalf)).one().state == SIGNED


def test_a_code_that_nobody_showed_takes_nothing(world: Session) -> None:
    """An invented id, somebody else's id, the own id and an id of yesterday's visit are refused; nothing moves."""
    number = f.sealed(world)
    invented = do(world, "courier", taker_half(number, str(uuid.uuid4())))
    foreign = do(world, "courier", taker_half(number, f.offer(world, "nurse2")))
    own = do(world, "courier", taker_half(number, f.offer(world, "courier")))
    named = do(world, "courier", taker_half(number, f.offer(world), other="receiver"))
    assert [one.code for one in (invented, foreign, own, named)] == [
        "offer_unknown", "signer_elsewhere", "two_people_needed", "offer_of_other",
    ]  # fmt: skip


def test_nobody_signs_for_another_giver(world: Session) -> None:
    """The giver's half comes from the one for whom the id was drawn, by his own session, or not at all."""
    number, handover = f.sealed(world), f.offer(world)
    done(world, "courier", taker_half(number, handover))
    for who in ("nurse2", "receiver", "courier"):
        assert do(world, who, giver_half(number, handover)).code == "offer_of_other"
    assert row(world).state == OUTSTANDING


@pytest.mark.parametrize(
    ("said", "field"),
    [({"count": 3}, "count"), ({"other": "courier2"}, "taker"), ({"meaning": "delivery"}, "meaning")],
)
@pytest.mark.parametrize("giver_first", [True, False])
def test_a_half_that_differs_is_kept_and_told(
    world: Session, said: dict[str, Any], field: str, giver_first: bool
) -> None:
    """Another count, taker or meaning: kept beside the taker's half, named, one alert, in either order of arrival;
    when the giver signs again as it was, the handover is signed and the incident ends."""
    number, handover = f.sealed(world), f.offer(world)
    pair = [("nurse", giver_half(number, handover, **said)), ("courier", taker_half(number, handover))]
    for who, half in pair if giver_first else reversed(pair):
        done(world, who, half)
    assert (row(world).state, row(world).differs) == (DIFFERS, field)
    half = world.scalars(select(HandoverHalf)).one()
    assert (half.state, half.differs, half.tube_count) == (DIFFERS, field, said.get("count", 2))
    alert = world.scalars(select(Alert)).one()
    assert (alert.kind, alert.params["what"], alert.params["differs"]) == ("handover", "differs", field)
    done(world, "nurse", giver_half(number, handover, at=LATER))
    assert row(world).state == SIGNED
    assert world.scalars(select(Alert).execution_options(populate_existing=True)).one().state == "ended"


def test_the_giver_signed_for_another_box(world: Session) -> None:
    """The courier took a box that the giver's half does not name: custody has passed, and it is told."""
    number, other, handover = f.sealed(world), second_box(world), f.offer(world)
    done(world, "nurse", giver_half(other, handover, count=1))
    done(world, "courier", taker_half(number, handover))
    assert (row(world).state, row(world).differs) == (DIFFERS, "consignment")
    assert world.scalars(select(HandoverHalf)).one().state == WAITING


def test_half_signed_for_half_an_hour_is_told(world: Session) -> None:
    """Nothing before thirty minutes; then one alert, which ends when the other half arrives."""
    number, handover = f.sealed(world), f.offer(world)
    done(world, "courier", taker_half(number, handover))
    assert half_signed.sweep(world, now=f.START + timedelta(minutes=29)) == []
    late = f.START + timedelta(minutes=31)
    assert half_signed.sweep(world, now=late) == half_signed.sweep(world, now=late) == [handover]
    rows, alone = half_signed.waiting(world, before=f.START + timedelta(minutes=1))
    assert [one.consignment_number for one in rows] == [number]
    assert list(alone) == []
    alert = world.scalars(select(Alert)).one()
    assert (alert.kind, alert.severity, alert.params["what"]) == ("handover", "info", "giver")
    world.commit()
    done(world, "nurse", giver_half(number, handover))
    assert world.scalars(select(Alert).execution_options(populate_existing=True)).one().state == "ended"


def test_one_of_nine_refused_by_code(world: Session) -> None:
    """The giver signs for what went: with one refused he states one less, and both agree."""
    number, handover = f.sealed(world, ("T1", "T2")), f.offer(world)
    refused = [{"specimen": "T2", "reason": "LEAKED"}]
    done(world, "courier", taker_half(number, handover, count=1, refused=refused, seal_now="SLNOW01"))
    done(world, "nurse", giver_half(number, handover, count=1))
    assert (row(world).state, row(world).refused_count) == (SIGNED, 1)
    tube = f.find(world, "T2")
    assert (tube.state, tube.box_code, tube.location_code) == ("collected", None, f.TOWN)
    assert world.get_one(ConsignmentLine, (number, tube.id)).outcome == "refused"


def pickup(number: str, **more: Any) -> Act:
    payload = {"other": "nurse", "pin": f.PIN, "count": 1, "refused": [{"specimen": "T2", "reason": "LEAKED"}], **more}
    return act("hand_over", {"consignment": number}, payload, site=f.TOWN)


def versions(session: Session, number: str) -> list[tuple[int, str, str, list[str]]]:
    query = select(ManifestVersion).where(ManifestVersion.consignment_number == number).order_by(ManifestVersion.id)
    return [
        (one.version, one.seal_number, one.reason, [line["accession"] for line in one.lines])
        for one in session.scalars(query)
    ]


@pytest.mark.both_databases
def test_a_tube_left_behind_locks_the_next_manifest(world: Session) -> None:
    """The old version keeps what was sealed; the new one bears the new seal and tells what travels; the log says so."""
    number = f.sealed(world, ("T1", "T2"))
    old = world.get_one(Consignment, number).seal_number or ""
    done(world, "courier", pickup(number, seal_now="SLNOW01"))
    assert versions(world, number) == [(1, old, "", ["T1", "T2"]), (2, "SLNOW01", "LEAKED", ["T1"])]
    load = world.get_one(Consignment, number)
    assert (load.seal_number, load.manifest_version, load.tube_count, load.state) == ("SLNOW01", 2, 1, "in_transit")
    query = select(CustodyEvent).where(CustodyEvent.stream == f"consignment:{number}").order_by(CustodyEvent.seq)
    told = [event for event in world.scalars(query) if event.type in {"resealed", "handed_over"}]
    assert [event.type for event in told] == ["resealed", "handed_over"]
    facts = json.loads(told[0].body)["payload"]
    assert (facts["seal"], facts["old_seal"], facts["version"], facts["reason"]) == ("SLNOW01", old, 2, "LEAKED")
    newest = world.scalars(select(ManifestVersion).where(ManifestVersion.version == 2)).one()
    assert facts["manifest"] == manifest_hash(newest.lines)
    assert world.scalars(select(Nonconformity).where(Nonconformity.reason_code == "SEAL_DIFFERS")).all() == []
    assert rebuild.differences(world) == []


def test_a_box_that_was_not_opened_keeps_its_seal(world: Session) -> None:
    """The refused tube lay beside it: the same number, the next version."""
    number = f.sealed(world, ("T1", "T2"))
    old = world.get_one(Consignment, number).seal_number or ""
    done(world, "courier", pickup(number, seal_now=old.lower()))
    assert versions(world, number) == [(1, old, "", ["T1", "T2"]), (2, old, "LEAKED", ["T1"])]
    assert rebuild.differences(world) == []
    reseal = act("reseal", {"consignment": number}, {"seal": old, "reason": "SEAL_BROKEN"})
    assert do(world, "courier", reseal).code == "seal_used"  # one that was broken is another matter


def test_tubes_are_not_left_behind_without_a_word_about_the_seal(world: Session) -> None:
    """Without the seal on the box now, with one used elsewhere, or with nothing left inside: nothing moves."""
    f.collected(world, "T9")
    world.add(Box(code="BX-D", temp_class="cold_2_8", capacity=50, home_code=f.TOWN, location_code=f.TOWN))
    world.commit()
    other = done(world, "nurse", act("pack", {"specimen": "T9", "box": "BX-D"}))["consignment"]
    done(world, "nurse", act("seal", {"consignment": other}, {"seal": "SL-OTHER"}))
    number = f.sealed(world, ("T1", "T2"))
    both = [{"specimen": one, "reason": "LEAKED"} for one in ("T1", "T2")]
    for code, field, more in (
        ("seal_now_needed", "seal_now", {}),
        ("seal_used", "seal_now", {"seal_now": "SL-OTHER"}),
        ("field_malformed", "seal_now", {"seal_now": "S" * 65}),
        ("field_malformed", "seal_now", {"seal_now": 7}),
        ("number_check_failed", "seal_now", {"seal_now": "SL0000001B"}),
        ("box_without_tubes", "refused", {"refused": both, "count": 0, "seal_now": "SLNOW01"}),
        ("specimen_state", "specimen", {"refused": both[1:] * 2, "seal_now": "SLNOW01"}),
    ):
        answer = do(world, "courier", pickup(number, **more))
        assert (answer.code, answer.field) == (code, field), answer
    assert world.get_one(Consignment, number).state == "sealed"
    assert len(versions(world, number)) == 1
    late = replace(pickup(number), offline=True)
    assert do(world, "courier", late).status is Status.REVIEW


HALVES = st.lists(
    st.builds(
        Given,
        key=st.uuids().map(str),
        consignment=st.sampled_from(["A", "B"]),
        giver=st.sampled_from(["nurse", "nurse2"]),
        other=st.sampled_from(["", "courier", "courier2"]),
        meaning=st.sampled_from(["", "pickup"]),
        count=st.integers(1, 2),
        signed_at=st.integers(0, 5).map(lambda minutes: f.START + timedelta(minutes=minutes)),
    ),
    max_size=5,
)


@given(HALVES, st.randoms(use_true_random=False))
def test_the_order_of_halves_decides_nothing(halves: list[Given], chance: Any) -> None:
    """Pure rule: shuffled and doubled halves give the same verdicts, and only an agreeing half signs."""
    taken = Taken("A", "nurse", "courier", "pickup", 2)
    said = judge_taken(taken, halves)
    mixed = halves + halves
    chance.shuffle(mixed)
    assert judge_taken(taken, mixed) == said
    agreeing = [
        half for half in halves
        if half.consignment == "A" and half.giver == "nurse" and half.count == 2 and half.other in {"", "courier"}
    ]  # fmt: skip
    assert (said.state == SIGNED) is bool(agreeing)
    assert (said.state == OUTSTANDING) is (not halves)
    for half in halves:
        verdict = judge_given(half, by_consignment([taken]))
        assert (verdict.state == SIGNED) is (half in agreeing)
        assert (verdict.state == WAITING) is (half.consignment == "B")


def _record(session: Session) -> list[Any]:
    """Everything that the halves leave on record, without the times at which the server heard of them."""
    session.expire_all()
    handovers = [
        (one.id, one.consignment_number, one.giver, one.taker, one.state, one.differs, one.tube_count, one.meaning,
         one.giver_signed_at, one.taker_signed_at)
        for one in session.scalars(select(Handover).order_by(Handover.consignment_number))
    ]  # fmt: skip
    signed = [
        (one.act_id, one.consignment_number, one.state, one.differs, one.tube_count)
        for one in session.scalars(select(HandoverHalf).order_by(HandoverHalf.act_id, HandoverHalf.consignment_number))
    ]
    loads = [(one.number, one.state, one.holder) for one in session.scalars(select(Consignment))]
    alerts = sorted((one.kind, one.state) for one in session.scalars(select(Alert)))
    return [handovers, signed, sorted(loads), alerts]


@pytest.mark.parametrize("given_count", [2, 3])
def test_any_order_of_the_acts_ends_in_the_same_record(world: Session, given_count: int) -> None:
    """Two boxes in one handover, both halves, other acts between, everything sent twice, in every order that keeps
    the boxes sealed before they are fetched: one final record; nothing is ever received before it is handed over."""
    number, other = f.sealed(world), second_box(world)
    handover = f.offer(world)
    counts = {number: given_count, other: 1}
    payload = {"handover_id": handover, "counts": counts, "other": "courier", "meaning": "pickup"}
    giver = act("sign_handover", {"consignments": [number, other]}, payload, site=f.TOWN)
    first, second = taker_half(number, handover), taker_half(other, handover, count=1)
    arrive = act("arrive", {}, {}, site=f.COUNTY, at=f.START + timedelta(minutes=40))
    early = act("receive", {"specimen": "T9", "consignment": other}, {"condition": "good"}, at=LATER, offline=True)
    note = act("note", {"specimen": "T9"}, {"note": "cold packs changed"})
    acts: Sequence[tuple[str, Act]] = [("courier", first), ("courier", second), ("courier", arrive), ("nurse", note)]
    records = []
    for place in range(len(acts) + 1):
        nested = world.begin_nested()
        sent = [*acts[:place], ("nurse", giver), *acts[place:]]
        for who, one in [("receiver", early), *sent, *sent[:place], ("nurse", giver)]:
            _quietly(world, who, one)
            assert f.find(world, "T9").received_at is None  # delivered to nobody yet
        records.append(_record(world))
        nested.rollback()
        world.expire_all()
    assert all(record == records[0] for record in records)
    assert {one[4] for one in records[0][0]} == ({SIGNED} if given_count == 2 else {DIFFERS, SIGNED})


def _quietly(session: Session, who: str, one: Act) -> None:
    """Record without committing, so that the next order starts from the same world."""
    actor = f.user(session, who)
    scope = network.scope_of_user(session, actor)
    custody.record(session, [one], actor=actor, scope=scope, now=one.occurred_at)
    session.flush()


# --- several boxes in one go --------------------------------------------------------------------------------------


def test_several_boxes_with_one_pair_of_signatures(world: Session) -> None:
    """One act, one PIN, one handover id: each consignment has its own event; a wrong count in one stops all of them
    and is named."""
    first, second = f.sealed(world), second_box(world)
    payload = {
        "other": "nurse",
        "pin": f.PIN,
        "parts": {first: {"count": 2, "box_temp_c": "4.1"}, second: {"count": 2}},
    }
    wrong = do(world, "courier", act("hand_over", {"consignments": [first, second]}, payload, site=f.TOWN))
    assert (wrong.code, wrong.params["consignment"]) == ("handover_count_differs", second)
    assert {one.state for one in world.scalars(select(Consignment))} == {"sealed"}
    payload["parts"][second]["count"] = 1
    whole = act("hand_over", {"consignments": [second, first]}, payload, site=f.TOWN)
    told = done(world, "courier", whole)
    assert {one["consignment"]: one["count"] for one in told["consignments"]} == {first: 2, second: 1}
    rows = world.scalars(select(Handover)).all()
    assert {one.id for one in rows} == {told["handover"]}
    assert {one.consignment_number for one in rows} == {first, second}
    streams = set(world.scalars(select(CustodyEvent.stream).where(CustodyEvent.act_id == whole.id)))
    assert {f"consignment:{first}", f"consignment:{second}"} <= streams
    missing = act("hand_over", {"consignments": [first]}, {"other": "nurse", "pin": f.PIN, "parts": {}}, site=f.TOWN)
    assert do(world, "courier", missing).code == "part_missing"
    assert rebuild.differences(world) == []


# --- elsewhere, and in two legs -----------------------------------------------------------------------------------


def test_a_box_is_left_elsewhere_on_purpose_and_goes_on(world: Session) -> None:
    """The road is closed: with a coded reason the box may stand at another laboratory, sealed; its manager learns it
    as one incident; somebody fetches it from there, and at its destination the incident ends."""
    number = f.fetched(world)
    at = f.START + timedelta(hours=1)
    payload = {"other": "receiver2", "pin": f.PIN, "count": 2, "elsewhere": {"reason": "ROAD_CLOSED", "note": "bridge"}}
    told = done(world, "courier", act("hand_over", {"consignment": number}, payload, site=f.OTHER_COUNTY, at=at))
    assert (told["state"], told["meaning"]) == ("waiting", "elsewhere")
    one = world.get_one(Consignment, number, populate_existing=True)
    assert (one.location_code, one.holder, one.destination_code) == (f.OTHER_COUNTY, None, f.COUNTY)
    tube = f.find(world, "2611220047")
    assert (tube.state, tube.consignment_number, tube.location_code) == ("waiting", number, f.OTHER_COUNTY)
    alert = world.scalars(select(Alert)).one()
    assert (alert.kind, alert.site_code, alert.params["site"]) == ("elsewhere", f.COUNTY, f.OTHER_COUNTY)
    assert world.scalars(select(Pickup).where(Pickup.site_code == f.OTHER_COUNTY)).one().state == "open"
    receive = act("receive", {"specimen": "2611220047", "consignment": number}, {"condition": "good"}, at=at)
    assert do(world, "receiver2", receive).code == "wrong_destination"
    later = at + timedelta(hours=1)
    fetch = {"other": "receiver2", "pin": f.PIN, "count": 2}
    done(world, "courier2", act("hand_over", {"consignment": number}, fetch, site=f.OTHER_COUNTY, at=later))
    give = {"other": "receiver", "pin": f.PIN, "count": 2}
    done(world, "courier2", act("hand_over", {"consignment": number}, give, site=f.COUNTY, at=later))
    assert world.get_one(Consignment, number, populate_existing=True).state == "delivered"
    assert world.scalars(select(Alert).execution_options(populate_existing=True)).one().state == "ended"
    assert rebuild.differences(world) == []


def test_elsewhere_needs_a_known_reason(world: Session) -> None:
    """Without one, or with one that nobody has heard of, the box stays with the courier."""
    number = f.fetched(world)
    for elsewhere in ({"reason": "BECAUSE"}, {}, "yes"):
        payload = {"other": "receiver2", "pin": f.PIN, "count": 2, "elsewhere": elsewhere}
        answer = do(world, "courier", act("hand_over", {"consignment": number}, payload, site=f.OTHER_COUNTY))
        assert (answer.status, answer.field) == (Status.REFUSED, "elsewhere")


def test_two_legs_with_a_transfer_at_the_county_centre(world: Session) -> None:
    """A box for the city goes through the county centre unopened: handed in there as a transfer, still sealed, and
    taken on by another courier; the promise made at the first pickup stays and is watched while it waits."""
    f.collected(world, "T1", tests=("TSH",))
    number = done(world, "nurse", act("pack", {"specimen": "T1", "box": "BX-C"}, {"through": True}))["consignment"]
    done(world, "nurse", act("seal", {"consignment": number}, {"seal": "SLCITY01"}))
    here = {"consignment": number}
    done(world, "courier", act("hand_over", here, {"other": "nurse", "pin": f.PIN, "count": 1}, site=f.TOWN))
    one = world.get_one(Consignment, number, populate_existing=True)
    assert (one.destination_code, one.expected_at) == (f.CITY, f.START + timedelta(hours=4))
    at = f.START + timedelta(hours=1)
    unsaid = {"other": "receiver", "pin": f.PIN, "count": 1}
    stopped = do(world, "courier", act("hand_over", here, unsaid, site=f.COUNTY, at=at))
    assert (stopped.code, stopped.params["transfer"]) == ("wrong_destination", True)
    told = done(world, "courier", act("hand_over", here, {**unsaid, "meaning": "transfer"}, site=f.COUNTY, at=at))
    assert (told["state"], told["meaning"]) == ("waiting", "transfer")
    assert world.scalars(select(Alert)).all() == []
    on = {"other": "receiver", "pin": f.PIN, "count": 1}
    assert overdue.sweep(world, now=f.START + timedelta(hours=5)) == [number]
    world.commit()
    later = at + timedelta(hours=1)
    done(world, "courier", act("hand_over", here, on, site=f.COUNTY, at=later))
    one = world.get_one(Consignment, number, populate_existing=True)
    assert (one.expected_at, one.departed_at) == (f.START + timedelta(hours=4), f.START)
    give = {"other": "courier2", "pin": f.PIN, "count": 1}
    assert done(world, "courier", act("hand_over", here, give, site=f.COUNTY, at=later))["meaning"] == "transfer"
    end = later + timedelta(hours=1)
    city = {"other": "cityreceiver", "pin": f.PIN, "count": 1}
    done(world, "courier2", act("hand_over", here, city, site=f.CITY, at=end))
    done(world, "cityreceiver", act("receive", {"specimen": "T1", **here}, {"condition": "good"}, at=end))
    assert f.find(world, "T1").state == "received"
    meanings = world.scalars(select(Handover.meaning).order_by(Handover.occurred_at, Handover.id)).all()
    assert sorted(meanings) == sorted(["pickup", "transfer", "pickup", "transfer", "delivery"])
    assert rebuild.differences(world) == []


def test_a_box_that_goes_through_takes_no_tube_of_the_county(world: Session) -> None:
    """What is tested at the county centre may not lie in a box that passes it unopened."""
    f.collected(world, "T1", tests=("TSH",))
    f.collected(world, "T2")
    done(world, "nurse", act("pack", {"specimen": "T1", "box": "BX-C"}, {"through": True}))
    assert do(world, "nurse", act("pack", {"specimen": "T2", "box": "BX-C"})).code == "other_destination"
    f.collected(world, "T3", tests=("TSH",))
    done(world, "nurse", act("pack", {"specimen": "T3", "box": "BX-C"}))


# --- seals --------------------------------------------------------------------------------------------------------


def test_a_broken_seal_is_a_nonconformity_and_an_alert(world: Session) -> None:
    """The courier finds the seal broken: HL7 0544 SB on record, one alert however often it is told, and a new seal
    makes the next version of the manifest with the same tubes; the old number is never used again."""
    number = f.fetched(world)
    here = {"consignment": number}
    done(world, "courier", act("seal_broken", here, {"note": "lid had come open"}))
    done(world, "courier", act("seal_broken", here, {"reason": "SEAL_BROKEN"}))
    found = world.scalars(select(Nonconformity)).first()
    assert found is not None
    assert (found.reason_code, found.consignment_number, found.specimen_id) == ("SEAL_BROKEN", number, None)
    alert = world.scalars(select(Alert)).one()
    assert (alert.kind, alert.site_code, len(alert.specimen_ids)) == ("seal_broken", f.COUNTY, 2)
    body = world.scalars(select(CustodyEvent.body).where(CustodyEvent.type == "seal_broken")).first()
    assert '"hl7":"0544:SB"' in str(body)
    old = world.get_one(Consignment, number).seal_number
    told = done(world, "courier", act("reseal", here, {"seal": "SLNEW001", "reason": "SEAL_BROKEN"}))
    assert (told["version"], told["seal"]) == (2, "SLNEW001")
    versions = world.scalars(select(ManifestVersion).order_by(ManifestVersion.version)).all()
    assert [(one.seal_number, len(one.lines)) for one in versions] == [(old, 2), ("SLNEW001", 2)]
    assert versions[0].lines == versions[1].lines
    assert do(world, "courier", act("reseal", here, {"seal": old, "reason": "SEAL_BROKEN"})).code == "seal_used"
    assert (
        do(world, "courier2", act("reseal", here, {"seal": "X1", "reason": "SEAL_BROKEN"})).code
        == "consignment_unknown"
    )
    assert rebuild.differences(world) == []


def test_another_seal_than_the_one_on_record_is_put_on_record(world: Session) -> None:
    """The taker scans the seal: the right one says nothing, another one is a nonconformity; custody passes."""
    number = f.sealed(world)
    right = world.get_one(Consignment, number).seal_number
    take = {"other": "nurse", "pin": f.PIN, "count": 2}
    done(world, "courier", act("hand_over", {"consignment": number}, {**take, "seal": right.lower()}, site=f.TOWN))
    assert world.scalars(select(Nonconformity)).all() == []
    give = {"other": "courier", "pin": f.PIN, "count": 2, "seal": "SLOTHER9"}
    done(world, "receiver", act("hand_over", {"consignment": number}, give, site=f.COUNTY, at=LATER))
    assert [one.reason_code for one in world.scalars(select(Nonconformity))] == ["SEAL_DIFFERS"]
    assert world.scalars(select(Alert)).one().params["seal_seen"] == "SLOTHER9"
    assert world.get_one(Consignment, number, populate_existing=True).state == "delivered"


@pytest.mark.parametrize("seal", ["A", "SL123"])
def test_a_short_seal_proves_no_handover(world: Session, seal: str) -> None:
    """What the screen shows of such a number leaves hardly anything to look for at the box: the other must sign."""
    number = f.sealed(world, seal=seal)
    alone = act("hand_over", {"consignment": number}, {"seal_tail": seal[-4:], "count": 2}, site=f.TOWN)
    assert do(world, "courier", alone).code == "seal_too_short"
    signed = act("hand_over", {"consignment": number}, {"other": "nurse", "pin": f.PIN, "count": 2}, site=f.TOWN)
    done(world, "courier", signed)


def test_the_end_of_a_seal_cannot_be_guessed(world: Session) -> None:
    """Five wrong ends lock the consignment for everybody and the one who guesses for every consignment; the right one
    is refused meanwhile; each wrong one stands in the audit log without its characters."""
    number, other = f.sealed(world), second_box(world)
    tail = str(world.get_one(Consignment, number).seal_number)[-4:]

    def take(which: str, shown: str, who: str = "courier") -> str:
        payload = {"seal_tail": shown, "count": 2 if which == number else 1}
        return do(world, who, act("hand_over", {"consignment": which}, payload, site=f.TOWN)).code

    assert [take(number, f"X{guess:03d}") for guess in range(5)] == ["seal_tail_wrong"] * 5
    assert take(number, tail) == "seal_tail_locked"
    assert take(other, "COND") == "seal_tail_locked"
    f.user(world, "courier2").site_code = f.CITY
    world.commit()
    assert take(number, tail, "courier2") == "seal_tail_locked"
    assert take(other, "COND", "courier2") == "done"
    entries = world.scalars(select(AuditEntry).where(AuditEntry.action == "seal_tail_wrong")).all()
    assert [entry.subject for entry in entries] == [number] * 5
    assert "X000" not in str([entry.detail for entry in entries])


def test_an_id_of_a_handover_serves_no_other_one(world: Session) -> None:
    """The delivery under the id of the pickup is refused, not told 'done'; the same handover again stays harmless."""
    number = f.sealed(world)
    named = {"handover_id": "7f0c2f3e-0000-4000-8000-000000000001", "pin": f.PIN, "count": 2}
    take = act("hand_over", {"consignment": number}, {**named, "other": "nurse"}, site=f.TOWN)
    done(world, "courier", take)
    assert done(world, "courier", replace(take, id=str(uuid.uuid4())))["meaning"] == "pickup"
    later = f.START + timedelta(hours=1)
    bring = act("hand_over", {"consignment": number}, {**named, "other": "receiver"}, site=f.COUNTY, at=later)
    assert do(world, "courier", bring).code == "offer_used"
    back = act("hand_over", {"consignment": number}, {**named, "other": "nurse"}, site=f.TOWN, at=later)
    assert do(world, "courier", back).code == "offer_used"  # the same two, the other way round, an hour later
