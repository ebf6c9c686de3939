"""Late acts: the order in which devices deliver a day does not matter in the end (test_custody_day.py: any acts)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.db import set_reading
from logistics.domain.acts import Act, Answer, Status
from logistics.models import Box, Consignment, ConsignmentLine, Specimen, User, WaitingAct
from logistics.services import custody, network
from logistics.services.desk import consignment_projection, specimen_projection
from tests import factories as f

TUBES, BOXES = ("T1", "T2", "T3"), ("BX-C", "BX-D", "BX-T")
CLOSED = {"closed", "cancelled"}
NOW = f.START + timedelta(days=1)
FAST = settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    database=None,
    phases=[Phase.explicit, Phase.generate],
)


class Network:
    """A small world whose acts are rolled back after every example."""

    def __init__(self, session: Session) -> None:
        self.session = session
        f.world(session)
        session.add(Box(code="BX-D", temp_class="cold_2_8", capacity=50, home_code=f.TOWN, location_code=f.TOWN))
        for accession in TUBES:
            f.done(session, "nurse", f.act("register", {"specimen": accession}, {"tests": ["CBC"]}))
        self.people = {user.username: user for user in session.scalars(select(User))}
        self.scopes = {name: network.scope_of_user(session, user) for name, user in self.people.items()}
        session.commit()

    @contextmanager
    def example(self) -> Iterator[None]:
        set_reading(False)
        try:
            yield
        finally:
            self.session.rollback()
            self.session.expire_all()

    def post(self, username: str, acts: Sequence[Act]) -> list[Answer]:
        actor = self.people[username]
        return custody.record(self.session, acts, actor=actor, scope=self.scopes[username], now=NOW)

    def picture(self) -> dict[str, Any]:
        """Every projection: tubes, consignments, manifest lines, boxes."""
        self.session.flush()
        self.session.expire_all()
        lines = self.session.scalars(select(ConsignmentLine))
        return {
            "tubes": {
                one.accession: asdict(specimen_projection(one)) for one in self.session.scalars(select(Specimen))
            },
            "loads": {
                one.number: asdict(consignment_projection(one)) | {"tube_count": one.tube_count}
                for one in self.session.scalars(select(Consignment))
            },
            "lines": {(one.consignment_number, one.specimen_id): (one.outcome, one.condition) for one in lines},
            "boxes": {
                one.code: (one.location_code, one.holder, one.consignment_number)
                for one in self.session.scalars(select(Box))
            },
        }


@pytest.fixture
def here(session: Session) -> Network:
    return Network(session)


# --- the order of delivery does not matter ----------------------------------------------------------------


def _history() -> dict[str, list[tuple[str, Act]]]:
    """What three people did one day, by device, in the order it happened there. Nobody had a signal."""
    minute = 0

    def made(device: str, what: str, subject: dict[str, Any], payload: dict[str, Any], site: str) -> Act:
        nonlocal minute
        minute += 3
        at = f.START + timedelta(minutes=minute)
        return f.act(what, subject, payload, site=site, at=at, device=device, seq=minute, offline=True)

    def nurse(what: str, subject: dict[str, Any], **payload: Any) -> tuple[str, Act]:
        return "nurse", made("tablet", what, subject, payload, f.TOWN)

    def courier(what: str, subject: dict[str, Any], site: str, **payload: Any) -> tuple[str, Act]:
        return "courier", made("phone", what, subject, payload, site)

    def receiver(what: str, subject: dict[str, Any], **payload: Any) -> tuple[str, Act]:
        return "receiver", made("desk", what, subject, payload, f.COUNTY)

    cold = {"box": "BX-C"}
    tablet = [
        nurse("collect", {"specimen": "T1"}),
        nurse("collect", {"specimen": "T2"}),
        nurse("pack", {"specimen": "T1", **cold}),
        nurse("unpack", {"specimen": "T1"}),
        nurse("pack", {"specimen": "T2", **cold}),
        nurse("pack", {"specimen": "T1", **cold}),
        nurse("seal", cold, seal="SL1"),
        nurse("unseal", cold, reason="one more"),
        nurse("collect", {"specimen": "T3"}),
        nurse("pack", {"specimen": "T3", **cold}),
        nurse("seal", cold, seal="SL2"),
    ]
    phone = [
        courier("hand_over", cold, f.TOWN, other="nurse", pin=f.PIN, count=3),
        courier("arrive", {}, f.COUNTY),
    ]
    desk = [
        receiver("hand_over", cold, other="courier", pin=f.PIN, count=3),
        receiver("receive", {"specimen": "T1", **cold}, condition="good"),
        receiver("declare_missing", {"specimen": "T2", **cold}),
        receiver("receive", {"specimen": "T3", **cold}, condition="leaked"),
        receiver("close_receipt", cold),
        receiver("accept", {"specimen": "T1"}),
        receiver("hold", {"specimen": "T3"}, reason="leaked"),
        receiver("reject", {"specimen": "T3"}, reason="CLOTTED"),
        receiver("found", {"specimen": "T2"}, condition="good"),
        receiver("accept", {"specimen": "T2"}),
    ]
    return {"tablet": tablet, "phone": phone, "desk": desk}


def in_order(history: dict[str, list[tuple[str, Act]]]) -> list[tuple[str, Act]]:
    """The day as it happened."""
    return sorted((entry for acts in history.values() for entry in acts), key=lambda entry: entry[1].occurred_at)


@FAST
@given(data=st.data())
def test_devices_may_sync_in_any_order_as_often_as_they_like(here: Network, data: st.DataObject) -> None:
    """Three devices bring what they have in posts of any size, in any turn, some posts twice, each post shuffled:
    every act ends as recorded and the projections are those of the day as it happened."""
    history = _history()
    with here.example():
        for username, one in in_order(history):
            assert here.post(username, [one])[0].status is Status.DONE, one
        expected = here.picture()
    with here.example():
        queues = {device: list(acts) for device, acts in history.items()}
        sent: list[tuple[str, list[Act]]] = []
        while any(queues.values()):
            device = data.draw(st.sampled_from(sorted(name for name, queue in queues.items() if queue)))
            size = data.draw(st.integers(1, len(queues[device])))
            post, queues[device] = queues[device][:size], queues[device][size:]
            acts = data.draw(st.permutations([one for _who, one in post]))
            sent.append((post[0][0], list(acts)))
            here.post(*sent[-1])
            if data.draw(st.booleans()):
                here.post(*data.draw(st.sampled_from(sent)))
        for username, acts in sent:
            assert {answer.status for answer in here.post(username, acts)} == {Status.DUPLICATE}
        assert here.session.scalars(select(WaitingAct)).all() == []
        same(here.picture(), expected)


@FAST
@given(data=st.data())
def test_a_chain_of_acts_may_arrive_in_any_order_at_all(here: Network, data: st.DataObject) -> None:
    """Each step of a tube's way from a device of its own, one by one, shuffled without any rule: the same end."""
    chain = [
        (who, replace(one, device=f"device-{index}", seq=1))
        for index, (who, one) in enumerate(entry for entry in _straight())
    ]
    with here.example():
        for username, one in chain:
            assert here.post(username, [one])[0].status is Status.DONE, one
        expected = here.picture()
    with here.example():
        for username, one in data.draw(st.permutations(chain)):
            here.post(username, [one])
        for username, one in chain:
            assert here.post(username, [one])[0].status is Status.DUPLICATE, one
        same(here.picture(), expected)


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Names what differs, instead of printing both pictures."""
    for kind, rows in expected.items():
        assert found[kind].keys() == rows.keys()
        for key, row in rows.items():
            other = found[kind][key]
            if isinstance(row, dict):
                assert {name: (row[name], other[name]) for name in row if row[name] != other[name]} == {}, (kind, key)
            assert other == row, (kind, key)


def _straight() -> list[tuple[str, Act]]:
    history = _history()
    cold = {"box": "BX-C"}
    kept = {("collect", "T1"), ("pack", "T1"), ("receive", "T1"), ("accept", "T1")}
    way: list[tuple[str, Act]] = []
    for who, one in (entry for acts in history.values() for entry in acts):
        about = (one.type, str(one.subject.get("specimen", "")))
        again = any(
            done.type == one.type and done.subject == one.subject and done.site == one.site for _who, done in way
        )
        if (about in kept and not again) or one.type == "close_receipt":
            way.append((who, one))
        elif one.type in {"hand_over", "seal"} and one.subject == cold and not again:
            way.append((who, replace(one, payload={**one.payload, "count": 1}) if one.type == "hand_over" else one))
    return way
