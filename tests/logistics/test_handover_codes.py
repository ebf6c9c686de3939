"""The code on a giver's screen: good for one taker, for what it was shown for, each once, and for a short time."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.acts import Status
from logistics.models import Consignment, CustodyEvent, Handover
from tests import factories as f
from tests.factories import act, do, done
from tests.logistics.test_handover import second_box, taker_half


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def test_a_code_is_good_only_for_what_it_was_shown_for(world: Session) -> None:
    """The same taker, minutes later, with the code of one box for another: by its text, with the other box or another
    time written into it, or named beside the right one in one act. Nothing moves, and the code still serves its own."""
    number, other, handover = f.sealed(world), second_box(world), f.offer(world)
    code = f.shown(handover, {number: 2})
    later = f.START + timedelta(minutes=5)

    def take(subject: dict[str, Any], **payload: Any) -> Any:
        return do(world, "courier", act("hand_over", subject, {"method": "app", **payload}, site=f.TOWN, at=later))

    both = {number: {"count": 2}, other: {"count": 1}}
    answers = [
        take({"consignment": other}, code=code, count=1),
        take({"box": "BX-D"}, code=code, count=1),
        take({"consignments": sorted(both)}, code=code, parts=both),
        take({"consignment": other}, code=code.replace(f"{number}.2", f"{other}.1"), count=1),
        take({"consignment": number}, code=code.replace("/2603090100/", "/2603090104/"), count=2),
        take({"consignment": number}, handover_id=handover, count=2),
        take({"consignment": number}, code=code[:-1], count=2),
        take({"consignment": number}, code=code, handover_id=str(uuid.uuid4()), count=2),
    ]
    assert [(one.code, one.field) for one in answers] == [
        ("offer_of_others", "code"), ("offer_of_others", "code"), ("offer_of_others", "code"),
        ("offer_altered", "code"), ("offer_altered", "code"),
        ("field_missing", "code"), ("offer_malformed", "code"), ("offer_altered", "handover_id"),
    ]  # fmt: skip
    assert world.scalars(select(Handover)).all() == []
    done(world, "courier", taker_half(number, handover))
    assert take({"consignment": other}, code=code, count=1).code == "offer_of_others"
    assert world.get_one(Consignment, other, populate_existing=True).holder is None


def test_a_code_serves_one_taker_and_each_consignment_once(world: Session) -> None:
    """Two boxes in one code: one courier takes both, in two acts; neither again, and no other takes anything."""
    number, other, handover = f.sealed(world), second_box(world), f.offer(world)
    f.user(world, "courier2").site_code = f.CITY
    world.commit()
    payload = {"method": "app", "code": f.shown(handover, {number: 2, other: 1})}
    first = act("hand_over", {"consignment": number}, {**payload, "count": 2}, site=f.TOWN)
    second = act("hand_over", {"consignment": other}, {**payload, "count": 1}, site=f.TOWN)
    done(world, "courier", first)
    assert do(world, "courier2", replace(second, id=str(uuid.uuid4()))).code == "offer_used"
    done(world, "courier", second)
    events = world.scalars(select(CustodyEvent).where(CustodyEvent.type == "handed_over")).all()
    done(world, "courier", replace(first, id=str(uuid.uuid4())))  # again, under another id: the same answer
    assert world.scalars(select(CustodyEvent).where(CustodyEvent.type == "handed_over")).all() == events
    rows = world.scalars(select(Handover)).all()
    assert {(one.id, one.consignment_number, one.taker) for one in rows} == {
        (handover, number, "courier"), (handover, other, "courier"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("minutes", "code"), [(-11, "offer_expired"), (-9, "done"), (39, "done"), (42, "offer_expired")]
)
def test_a_code_expires_by_the_taker_s_signature(world: Session, minutes: int, code: str) -> None:
    """Half an hour after it was shown, give or take ten minutes between two clocks. When the phone sends it decides
    nothing: the offline act is done a week later, or kept for review when it was too old already then."""
    number, handover = f.sealed(world), f.offer(world)
    shown = f.shown(handover, {number: 2}, at=f.START)
    at = f.START + timedelta(minutes=minutes)
    late = replace(taker_half(number, handover, at=at, code=shown), offline=True)
    answer = do(world, "courier", late, now=f.START + timedelta(days=7))
    assert (answer.code, answer.status) == (code, Status.DONE if code == "done" else Status.REVIEW)


def test_an_id_that_was_never_shown_expires(world: Session) -> None:
    """A month after it was drawn no code of it is taken, however new; in the month's last hour it is."""
    number = f.sealed(world)
    old, handover = f.offer(world, at=f.START - timedelta(days=31)), f.offer(world, at=f.START - timedelta(days=30))
    assert do(world, "courier", taker_half(number, old)).code == "offer_expired"
    done(world, "courier", taker_half(number, handover))
