"""Which tubes were in a box when: read from the custody log."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from logistics.domain.cold_chain import Stay
from logistics.services import cold_chain
from tests import factories as f
from tests.factories import START, act, done

pytestmark = pytest.mark.both_databases
HOUR = timedelta(hours=1)


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def test_a_stay_and_an_interval() -> None:
    """Half-open: who left at the begin was not there; an open stay or an open interval lasts."""
    stay = Stay("BX", START, START + HOUR)
    assert stay.overlaps(START + HOUR / 2, None)
    assert stay.overlaps(START - HOUR, START)
    assert not stay.overlaps(START + HOUR, START + 2 * HOUR)
    assert not stay.overlaps(START - 2 * HOUR, START - HOUR)
    assert Stay("BX", START, None).overlaps(START + 99 * HOUR, None)


def test_the_log_tells_who_was_in_the_box(world: Session) -> None:
    """Packed at nine, received at the laboratory at eleven; a tube taken out again was in it only between."""
    f.collected(world, "OUT")
    done(world, "nurse", act("pack", {"specimen": "OUT", "box": "BX-C"}))
    done(world, "nurse", act("unpack", {"specimen": "OUT"}, at=START + HOUR / 4))
    number = f.delivered(world, ("A1",))
    tube, out = f.find(world, "A1"), f.find(world, "OUT")
    receive = act("receive", {"specimen": "A1", "consignment": number}, {"condition": "good"}, at=START + 2 * HOUR)
    done(world, "receiver", receive)
    times = cold_chain.boxed_times(world, [tube.id, out.id])
    assert times[tube.id] == [Stay("BX-C", START, START + 2 * HOUR)]
    assert times[out.id] == [Stay("BX-C", START, START + HOUR / 4)]
    during = cold_chain.exposed_tubes(world, "BX-C", START + HOUR, START + 1.5 * HOUR)
    assert list(during.values()) == [[tube.id]]
    assert cold_chain.exposed_tubes(world, "BX-C", START + 3 * HOUR, None) == {}
    assert cold_chain.exposed_tubes(world, "BX-C", START - 3 * HOUR, START - HOUR) == {}
