"""Different acts about one tube, box or seal in the same moment: exactly one fits, and the record stays whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from logistics.domain.acts import Act
from logistics.models import Box
from tests import factories as f
from tests.at_once import at_once
from tests.factories import act, done
from tests.property.day import invariants

pytestmark = pytest.mark.both_databases
LATER = f.START + timedelta(hours=2)
Posts = list[tuple[str, Act]]


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    session.add(Box(code="BX-D", temp_class="cold_2_8", capacity=50, home_code=f.TOWN, location_code=f.TOWN))
    session.commit()
    return session


def sign(other: str, count: int = 1, **more: Any) -> dict[str, Any]:
    return {"other": other, "pin": f.PIN, "count": count, **more}


def packed_into_two_boxes(session: Session) -> Posts:
    f.collected(session, "T1")
    return [("nurse", act("pack", {"specimen": "T1", "box": box}, at=LATER)) for box in ("BX-C", "BX-D")]


def collected_and_not_collected(session: Session) -> Posts:
    done(session, "nurse", act("register", {"specimen": "T1"}, {"tests": ["CBC"]}))
    failed = act("collection_failed", {"specimen": "T1"}, {"reason": "PATIENT_ABSENT"}, at=LATER)
    return [("nurse", act("collect", {"specimen": "T1"}, at=LATER)), ("nurse", failed)]


def taken_by_two_couriers(session: Session) -> Posts:
    load = {"consignment": f.sealed(session, ("T1",))}
    return [(who, act("hand_over", load, sign("nurse"), site=f.TOWN, at=LATER)) for who in ("courier", "courier2")]


def taken_and_opened(session: Session) -> Posts:
    load = {"consignment": f.sealed(session, ("T1",))}
    take = act("hand_over", load, sign("nurse"), site=f.TOWN, at=LATER)
    return [("courier", take), ("nurse", act("unseal", load, {"reason": "one more"}, at=LATER))]


def taken_and_cancelled(session: Session) -> Posts:
    load = {"consignment": f.sealed(session, ("T1",))}
    take = act("hand_over", load, sign("nurse"), site=f.TOWN, at=LATER)
    return [("courier", take), ("nurse", act("cancel_consignment", load, {"reason": "not today"}, at=LATER))]


def taken_whole_and_less_one(session: Session) -> Posts:
    """Both couriers stand at the box; one of them refuses a tube and puts a new seal on."""
    load = {"consignment": f.sealed(session, ("T1", "T2"))}
    left = sign("nurse", refused=[{"specimen": "T2", "reason": "LEAKED"}], seal_now="SL-NEW")
    whole = act("hand_over", load, sign("nurse", 2), site=f.TOWN, at=LATER)
    return [("courier", whole), ("courier2", act("hand_over", load, left, site=f.TOWN, at=LATER))]


def delivered_and_passed_on(session: Session) -> Posts:
    load = {"consignment": f.fetched(session, ("T1",))}
    deliver = act("hand_over", load, sign("courier"), site=f.COUNTY, at=LATER)
    return [("receiver", deliver), ("courier2", act("hand_over", load, sign("courier"), site=f.TOWN, at=LATER))]


def accepted_as_good_and_with_concession(session: Session) -> Posts:
    number = f.delivered(session, ("T1",))
    done(session, "receiver", act("receive", {"specimen": "T1", "consignment": number}, {"condition": "good"}))
    why = {"reason": "HAEMOLYSED"}
    return [("receiver", act("accept", {"specimen": "T1"}, at=LATER)),
            ("manager", act("accept", {"specimen": "T1"}, why, at=LATER))]  # fmt: skip


def received_by_two(session: Session) -> Posts:
    tube = {"specimen": "T1", "consignment": f.delivered(session, ("T1",))}
    return [("receiver", act("receive", tube, {"condition": "good"}, at=LATER)),
            ("manager", act("receive", tube, {"condition": "leaked"}, at=LATER))]  # fmt: skip


def received_among_many_and_alone(session: Session) -> Posts:
    """One reads the whole rack, the other the one tube: no tube is received twice."""
    load = {"consignment": f.delivered(session, ("T1",))}
    rack = {"condition": "good", "specimens": [f.find(session, "T1").id]}
    return [("receiver", act("reject", {"specimen": "T1"}, {"reason": "CLOTTED"}, at=LATER)),
            ("manager", act("receive_all", load, rack, at=LATER))]  # fmt: skip


def one_seal_for_a_first_and_a_second_time(session: Session) -> Posts:
    """One box is sealed for the first time and another gets a new seal: both with the number in somebody's hand."""
    sealed = f.sealed(session, ("T1",))
    f.collected(session, "T2")
    number = done(session, "nurse", act("pack", {"specimen": "T2", "box": "BX-D"}))["consignment"]
    again = {"seal": "SL-ONE", "reason": "SEAL_BROKEN"}
    return [("nurse", act("seal", {"consignment": number}, {"seal": "SL-ONE"}, at=LATER)),
            ("nurse", act("reseal", {"consignment": sealed}, again, at=LATER))]  # fmt: skip


def one_seal_for_two_pickups(session: Session) -> Posts:
    """Two couriers leave a tube behind each, and write the same new number."""
    posts: Posts = []
    for box, tubes, who in (("BX-C", ("T1", "T2"), "courier"), ("BX-D", ("T3", "T4"), "courier2")):
        for tube in tubes:
            f.collected(session, tube)
            number = done(session, "nurse", act("pack", {"specimen": tube, "box": box}))["consignment"]
        done(session, "nurse", act("seal", {"consignment": number}, {"seal": f"SL-{box}"}))
        left = sign("nurse", refused=[{"specimen": tubes[1], "reason": "LEAKED"}], seal_now="SL-ONE")
        posts.append((who, act("hand_over", {"consignment": number}, left, site=f.TOWN, at=LATER)))
    return posts


RACES: tuple[Callable[[Session], Posts], ...] = (
    packed_into_two_boxes, collected_and_not_collected, taken_by_two_couriers, taken_and_opened, taken_and_cancelled,
    taken_whole_and_less_one, delivered_and_passed_on, accepted_as_good_and_with_concession, received_by_two,
    one_seal_for_a_first_and_a_second_time, one_seal_for_two_pickups,
)  # fmt: skip


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.__name__)
def test_exactly_one_fits(app: Flask, world: Session, race: Callable[[Session], Posts]) -> None:
    posts = race(world)
    world.close()
    answers = at_once(app, posts, now=LATER)
    assert sorted(answer.status.value for answer in answers) == ["done", "refused"], answers
    assert invariants.broken(world) == []


def test_a_rack_and_one_of_its_tubes(app: Flask, world: Session) -> None:
    """Acts about many tubes wait for those about one of them: the tube gets one outcome, whichever came first."""
    posts = received_among_many_and_alone(world)
    world.close()
    answers = at_once(app, posts, now=LATER)
    assert {answer.status.value for answer in answers} == {"done"}
    received = next(answer.result["count"] for answer in answers if "count" in answer.result)
    assert f.find(world, "T1").state == "rejected"
    assert received in {0, 1}  # the other was first, or this
    assert invariants.broken(world) == []


def test_the_last_places_in_a_box(app: Flask, world: Session) -> None:
    """Six tubes at once into a box with room for two more: two go in, and the box counts what lies in it."""
    tubes = [f"T{number}" for number in range(7)]
    for tube in tubes:
        f.collected(world, tube)
    world.get_one(Box, "BX-D").capacity = 3
    done(world, "nurse", act("pack", {"specimen": tubes[0], "box": "BX-D"}))
    posts = [("nurse", act("pack", {"specimen": tube, "box": "BX-D"}, at=LATER)) for tube in tubes[1:]]
    world.close()
    answers = at_once(app, posts, now=LATER)
    assert sorted(answer.code for answer in answers) == ["box_full"] * 4 + ["done"] * 2
    assert invariants.broken(world) == []


def test_a_box_that_is_sealed_while_tubes_go_in(app: Flask, world: Session) -> None:
    """What went in before stands on the manifest that was locked, what came after stays outside: nothing between."""
    tubes = [f"T{number}" for number in range(5)]
    for tube in tubes:
        f.collected(world, tube)
    number = done(world, "nurse", act("pack", {"specimen": tubes[0], "box": "BX-D"}))["consignment"]
    posts = [("nurse", act("pack", {"specimen": tube, "box": "BX-D"}, at=LATER)) for tube in tubes[1:]]
    posts.insert(2, ("nurse", act("seal", {"consignment": number}, {"seal": "SL-SHUT"}, at=LATER)))
    world.close()
    answers = at_once(app, posts, now=LATER)
    assert {answer.code for answer in answers} <= {"done", "box_sealed"}
    assert invariants.broken(world) == []
