"""Any acts in any order: no sequence breaks an invariant, and the order of delivery does not matter in the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.db import set_reading
from logistics.domain.acts import Act, Answer, Status
from logistics.domain.custody import EventType as E
from logistics.domain.custody import read_text
from logistics.models import Box, Consignment, ConsignmentLine, CustodyEvent, Specimen, User, WaitingAct
from logistics.services import custody, network, rebuild
from logistics.services.desk import OUT_OF_BOX, consignment_projection, specimen_projection
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


# --- no sequence of acts breaks an invariant --------------------------------------------------------------

tube = st.sampled_from(TUBES)
box = st.sampled_from(BOXES)


def _moves() -> st.SearchStrategy[tuple[str, str, dict[str, Any], dict[str, Any], str]]:
    """(who, what, subject, payload, site): plausible and implausible acts, weighted towards those that get on."""
    by_tube = [
        ("nurse", "collect", {}, f.TOWN),
        ("nurse", "collection_failed", {"reason": "CLOTTED"}, f.TOWN),
        ("nurse", "unpack", {}, f.TOWN),
        ("receiver", "found", {"condition": "good"}, f.COUNTY),
        ("receiver", "accept", {}, f.COUNTY),
        ("receiver", "reject", {"reason": "CLOTTED"}, f.COUNTY),
        ("receiver", "hold", {"reason": "look"}, f.COUNTY),
        ("manager", "release", {}, f.COUNTY),
        ("manager", "recall", {"reason": "wrong patient"}, f.COUNTY),
        ("manager", "lost", {}, f.COUNTY),
        ("receiver", "dispose", {}, f.COUNTY),
    ]
    by_box = [
        ("nurse", "seal", {"seal": "S"}, f.TOWN),
        ("nurse", "unseal", {"reason": "forgotten"}, f.TOWN),
        ("nurse", "cancel_consignment", {"reason": "not today"}, f.TOWN),
        ("courier", "hand_over", {"other": "nurse", "pin": f.PIN}, f.TOWN),
        ("receiver", "hand_over", {"other": "courier", "pin": f.PIN}, f.COUNTY),
        ("receiver", "close_receipt", {}, f.COUNTY),
    ]
    by_both = [
        ("nurse", "pack", {}, f.TOWN),
        ("receiver", "receive", {"condition": "good"}, f.COUNTY),
        ("receiver", "receive_unexpected", {"condition": "good", "reason": "UNEXPECTED"}, f.COUNTY),
        ("receiver", "declare_missing", {}, f.COUNTY),
        ("receiver", "pack", {}, f.COUNTY),
    ]
    arrive = st.just(("courier", "arrive", {}, {}, f.COUNTY))
    return st.one_of(
        st.tuples(st.sampled_from(by_tube), tube).map(lambda p: (*p[0][:2], {"specimen": p[1]}, *p[0][2:])),
        st.tuples(st.sampled_from(by_box), box).map(lambda p: (p[0][0], p[0][1], {"box": p[1]}, p[0][2], p[0][3])),
        st.tuples(st.sampled_from(by_both), tube, box).map(
            lambda p: (p[0][0], p[0][1], {"specimen": p[1], "box": p[2]}, p[0][2], p[0][3])
        ),
        arrive,
    )


@FAST
@given(moves=st.lists(_moves(), min_size=6, max_size=20), begun=st.integers(0, 24))
def test_no_sequence_of_acts_breaks_an_invariant(
    here: Network, moves: list[tuple[str, str, dict[str, Any], dict[str, Any], str]], begun: int
) -> None:
    """After the beginning of an ordinary day and then any acts, done or refused: one open consignment a tube, counts
    that reconcile, nothing received that was not handed over, closed receipts without open lines, and a log that gives
    the same columns again."""
    with here.example():
        for username, one in in_order(_history())[:begun]:
            assert here.post(username, [one])[0].status is Status.DONE, one
        for minute, (who, what, subject, given_payload, site) in enumerate(moves, start=90):
            at = f.START + timedelta(minutes=minute)
            payload = _filled(here, what, subject, given_payload, at)
            here.post(who, [f.act(what, subject, payload, site=site, at=at)])
        check(here)


def _filled(here: Network, what: str, subject: dict[str, Any], payload: dict[str, Any], at: datetime) -> dict[str, Any]:
    """The count as anybody would count it, and a seal of its own."""
    if what == "seal":
        return {"seal": f"S{at:%H%M}"}
    if what == "hand_over":
        known = here.session.get(Box, subject["box"])
        load = here.session.get(Consignment, known.consignment_number) if known and known.consignment_number else None
        return {**payload, "count": load.tube_count if load else 0}
    return payload


def check(here: Network) -> None:
    session = here.session
    session.flush()
    session.expire_all()
    assert rebuild.differences(session) == []
    assert rebuild.verify_log(session) == []
    loads = {one.number: one for one in session.scalars(select(Consignment))}
    lines = session.scalars(select(ConsignmentLine)).all()
    for one in session.scalars(select(Specimen)):
        waiting = [
            line.consignment_number
            for line in lines
            if line.specimen_id == one.id and line.outcome == "expected"
            and loads[line.consignment_number].state not in CLOSED
        ]  # fmt: skip
        assert waiting == ([one.consignment_number] if one.consignment_number else [])
        assert _handed_over_first(session, one.id)
    for load in loads.values():
        inside = [line for line in lines if line.consignment_number == load.number and line.outcome not in OUT_OF_BOX]
        assert load.tube_count == len(inside)
        assert load.state not in CLOSED or all(line.outcome != "expected" for line in inside)
    carried = [one.consignment_number for one in session.scalars(select(Box)) if one.consignment_number]
    assert sorted(carried) == sorted(load.number for load in loads.values() if load.state not in CLOSED)


def _handed_over_first(session: Session, specimen_id: int) -> bool:
    """Never received before it was handed over, unless the record calls it unexpected or found."""
    query = select(CustodyEvent.body).where(CustodyEvent.stream == f"specimen:{specimen_id}").order_by(CustodyEvent.seq)
    delivered = False
    for event in map(read_text, session.scalars(query)):
        if event.type in {E.HANDED_OVER, E.FOUND, E.RECEIVED_UNEXPECTED}:
            delivered = True
        if event.type is E.PACKED:
            delivered = False
        if event.type is E.RECEIVED and not delivered:
            return False
    return True


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
