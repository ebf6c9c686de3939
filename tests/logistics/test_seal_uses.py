"""A seal number is used once, ever: whichever box it was on, however it came off, and whoever types it at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.acts import Act, Answer, Status
from logistics.models import Box, SealUse
from logistics.services import rebuild, together
from tests import factories as f
from tests.at_once import at_once
from tests.factories import act, do, done

pytestmark = pytest.mark.both_databases


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    session.add(Box(code="BX-D", temp_class="cold_2_8", capacity=50, home_code=f.TOWN, location_code=f.TOWN))
    session.commit()
    return session


def packed(session: Session, accession: str, box: str) -> str:
    f.collected(session, accession)
    return str(done(session, "nurse", act("pack", {"specimen": accession, "box": box}))["consignment"])


def sealing(number: str, seal: str, kind: str = "seal", **payload: str) -> Act:
    return act(kind, {"consignment": number}, {"seal": seal, **payload})


def test_two_boxes_sealed_with_one_number_at_once(app: Flask, world: Session) -> None:
    """One of them is sealed; the other is told which consignment bears the number, as if it had come a second later."""
    first, second = packed(world, "T1", "BX-C"), packed(world, "T2", "BX-D")
    world.close()
    answers = at_once(app, [("nurse", sealing(number, "SL-ONCE")) for number in (first, second)])
    assert sorted(answer.status.value for answer in answers) == ["done", "refused"]
    loser = next(answer for answer in answers if answer.status is Status.REFUSED)
    assert (loser.code, loser.field) == ("seal_used", "seal")
    assert loser.params["consignment"] in {first, second}
    assert rebuild.differences(world) == []


def test_two_boxes_sealed_with_one_number_in_one_post(world: Session) -> None:
    """The same rule where acts of one post are recorded together."""
    first, second = packed(world, "T1", "BX-C"), packed(world, "T2", "BX-D")
    answers = _together(world, [sealing(first, "SL-ONCE"), sealing(second, "sl-once")])
    assert [answer.code for answer in answers] == ["done", "seal_used"]


def _together(session: Session, acts: list[Act]) -> list[Answer]:
    from logistics.services import network

    session.commit()
    actor = f.user(session, "nurse")
    answers = together.record(session, acts, actor=actor, scope=network.scope_of_user(session, actor), now=f.START)
    session.commit()
    return answers


def unsealed(session: Session, number: str) -> None:
    done(session, "nurse", act("unseal", {"consignment": number}, {"reason": "one more"}))


def broken(session: Session, number: str) -> None:
    done(session, "nurse", act("seal_broken", {"consignment": number}))
    unsealed(session, number)


def replaced(session: Session, number: str) -> None:
    done(session, "nurse", sealing(number, "SL-NEW", "reseal", reason="SEAL_BROKEN"))


def cancelled(session: Session, number: str) -> None:
    done(session, "nurse", act("cancel_consignment", {"consignment": number}, {"reason": "not today"}))


@pytest.mark.parametrize("came_off", [unsealed, broken, replaced, cancelled])
def test_a_seal_that_came_off_is_never_put_on_again(world: Session, came_off: Callable[[Session, str], None]) -> None:
    """Not on another box, not on its own, not typed otherwise; a new one is fine."""
    first, second = packed(world, "T1", "BX-C"), packed(world, "T2", "BX-D")
    done(world, "nurse", sealing(first, "SL-OLD"))
    came_off(world, first)
    for again in ("SL-OLD", "sl old", "ＳＬ-ＯＬＤ"):
        answer = do(world, "nurse", sealing(second, again))
        assert (answer.code, answer.field, answer.params["consignment"]) == ("seal_used", "seal", first)
    if came_off in {unsealed, broken}:
        assert do(world, "nurse", sealing(first, "SL-OLD")).code == "seal_used"
    done(world, "nurse", sealing(second, "SL-SECOND"))
    again = sealing(second, "SL-OLD", "reseal", reason="SEAL_BROKEN")
    assert do(world, "nurse", again).code == "seal_used"
    assert rebuild.differences(world) == []


def test_what_is_refused_uses_no_seal(world: Session) -> None:
    """A number that was typed for a box that could not be sealed is still free."""
    number = packed(world, "T1", "BX-C")
    done(world, "nurse", sealing(number, "SL-1"))
    assert do(world, "nurse", sealing(number, "SL-2")).code == "consignment_state"
    done(world, "nurse", sealing(packed(world, "T2", "BX-D"), "SL-2"))


def test_the_log_gives_the_seals_again(world: Session) -> None:
    """``labrelay rebuild`` finds rows that are missing, wrong or nobody's, and writes them anew."""
    number = packed(world, "T1", "BX-C")
    done(world, "nurse", sealing(number, "SL-1"))
    done(world, "nurse", sealing(number, "SL-2", "reseal", reason="SEAL_BROKEN"))
    uses = {one.number: (one.consignment_number, one.used_at) for one in world.scalars(select(SealUse))}
    assert uses == {"SL1": (number, f.START), "SL2": (number, f.START)}
    world.delete(world.get_one(SealUse, "SL1"))
    world.get_one(SealUse, "SL2").used_by = "nobody"
    world.add(SealUse(number="SL3", consignment_number=number, used_at=f.START, used_by="nurse"))
    world.flush()
    assert sorted(line.split(":")[1].split()[0] for line in rebuild.differences(world)) == ["SL1", "SL2", "SL3"]
    rebuild.apply(world)
    world.flush()
    assert rebuild.differences(world) == []
    assert {one.number for one in world.scalars(select(SealUse))} == {"SL1", "SL2"}
