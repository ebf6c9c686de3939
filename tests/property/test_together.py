"""Acts of one post that are recorded together give what they give one by one: answers, events, projections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.acts import Act
from logistics.models import Act as ActRow
from logistics.models import CustodyEvent
from logistics.services import custody, together
from tests import factories as f
from tests.property.test_custody_acts import FAST, NOW, TUBES, Network

pytestmark = pytest.mark.both_databases
STAGES = ("registered", "collected", "packed", "delivered")
NURSE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("collect", {}), ("pack", {"box": "BX-C"}), ("pack", {"box": "BX-D"}), ("pack", {"box": "BX-T"}),
    ("note", {"note": "seen"}), ("accept", {}),
)  # fmt: skip
RECEIVER: tuple[tuple[str, dict[str, Any]], ...] = (
    ("receive", {"condition": "good"}), ("receive", {"condition": "leaked"}), ("receive", {}), ("accept", {}),
    ("accept", {"reason": "HAEMOLYSED"}), ("reject", {"reason": "CLOTTED"}), ("reject", {"reason": "NONE"}),
    ("hold", {"reason": "look"}), ("note", {"note": "seen"}),
)  # fmt: skip
Recorder = Callable[..., Any]


@pytest.fixture
def here(session: Session) -> Network:
    return Network(session)


def _brought_to(here: Network, stage: str) -> str:
    """All tubes of the network up to a stage; the consignment's number, when there is one."""
    reached = STAGES.index(stage)
    number = ""
    if reached >= 1:
        here.post("nurse", [f.act("collect", {"specimen": one}) for one in TUBES])
    if reached >= 2:
        packed = here.post("nurse", [f.act("pack", {"specimen": one, "box": "BX-C"}) for one in TUBES])
        number = str(packed[0].result["consignment"])
    if reached >= 3:
        load, count = {"consignment": number}, len(TUBES)
        sign = {"pin": f.PIN, "count": count}
        here.post("nurse", [f.act("seal", load, {"seal": "SL1"})])
        here.post("courier", [f.act("hand_over", load, {**sign, "other": "nurse"}, site=f.TOWN)])
        here.post("courier", [f.act("arrive", {}, site=f.COUNTY)])
        here.post("receiver", [f.act("hand_over", load, {**sign, "other": "courier"}, site=f.COUNTY)])
    return number


def _outcome(here: Network, stage: str, username: str, acts: Sequence[Act], recorder: Recorder) -> Any:
    with here.example():
        _brought_to(here, stage)
        answers = recorder(here.session, acts, actor=here.people[username], scope=here.scopes[username], now=NOW)
        picture = here.picture()
        ids = [act.id for act in acts]
        texts = here.session.execute(
            select(CustodyEvent.stream, CustodyEvent.seq, CustodyEvent.body).where(CustodyEvent.act_id.in_(ids))
        )
        kept = here.session.execute(
            select(ActRow.id, ActRow.status, ActRow.body, ActRow.answer).where(ActRow.id.in_(ids))
        )
        return answers, {row[:2]: row[2] for row in texts}, sorted(map(tuple, kept)), picture


@st.composite
def posts(draw: st.DrawFn) -> tuple[str, str, list[tuple[str, dict[str, Any], str]]]:
    """(stage, who, acts): of one person about known and unknown tubes, in an order that may make no sense."""
    who = draw(st.sampled_from(("nurse", "receiver")))
    kinds = NURSE if who == "nurse" else RECEIVER
    tubes = st.sampled_from((*TUBES, "T9"))
    acts = draw(st.lists(st.tuples(st.sampled_from(kinds), tubes), min_size=1, max_size=8))
    return draw(st.sampled_from(STAGES)), who, [(kind, payload, tube) for (kind, payload), tube in acts]


@FAST
@given(post=posts())
def test_together_gives_what_one_by_one_gives(
    here: Network, post: tuple[str, str, list[tuple[str, dict[str, Any], str]]]
) -> None:
    """The same acts by either way: the same answers, the same events to the letter, the same projections."""
    stage, who, wanted = post
    acts = []
    for minute, (kind, payload, tube) in enumerate(wanted, start=90):
        more = {"box": payload["box"]} if "box" in payload else {}
        if kind == "receive" and stage == "delivered":
            more = {"box": "BX-C"}
        plain = {name: value for name, value in payload.items() if name != "box"}
        at = f.START + timedelta(minutes=minute)
        acts.append(f.act(kind, {"specimen": tube, **more}, plain, at=at))
    try:
        fast = _outcome(here, stage, who, acts, together.record)
    except together.Apart:
        event("apart")
        return
    event("together")
    assert fast == _outcome(here, stage, who, acts, custody.record)


def test_what_people_send_every_day_is_recorded_together(here: Network) -> None:
    """A rack that is collected and packed, a box that is received and accepted: none of it falls apart."""
    for stage, who, kinds in (
        ("registered", "nurse", (("collect", {}), ("pack", {}))),
        ("delivered", "receiver", (("receive", {"condition": "good"}), ("accept", {}))),
    ):
        acts = [
            f.act(kind, {"specimen": tube, "box": "BX-C"} if kind in {"pack", "receive"} else {"specimen": tube},
                  payload, at=f.START + timedelta(minutes=90 + place))
            for place, (kind, payload) in enumerate(kinds)
            for tube in TUBES
        ]  # fmt: skip
        answers, texts, _, _ = _outcome(here, stage, who, acts, together.record)
        assert {one.status.value for one in answers} == {"done"}
        assert len(texts) >= len(acts)
