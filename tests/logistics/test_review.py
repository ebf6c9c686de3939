"""What a malicious or unlucky sender may try on the custody log: it is answered per act, and nothing else is hurt."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from logistics.db import db, transaction
from logistics.domain.acts import Act, Answer, Status
from logistics.models import Act as ActRow
from logistics.models import AuditEntry, Consignment, Plan, Specimen, User
from logistics.services import custody, network, planning, rebuild
from routing import Problem, to_builtins
from telemetry import devices, mqtt
from telemetry.ingest import Incoming
from telemetry.models import DeadLetter, ReadingRow
from tests import factories as f
from tests.factories import act, do, done
from tests.tamper import unlocked

pytestmark = pytest.mark.both_databases


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def pickup(number: str, pin: str, **more: Any) -> Act:
    payload = {"other": "nurse", "pin": pin, "count": 2, **more}
    return act("hand_over", {"consignment": number}, payload, site=f.TOWN)


def batch(session: Session, username: str, acts: list[Act]) -> list[Answer]:
    """Several acts of one request, in one transaction."""
    user = session.scalars(select(User).where(User.username == username)).one()
    scope = network.scope_of_user(session, user)
    answers = custody.record(session, acts, actor=user, scope=scope, now=f.START)
    session.commit()
    return answers


# --- the PIN ----------------------------------------------------------------------------------------------


def test_a_few_wrong_pins_lock_the_pin_and_are_audited(world: Session) -> None:
    """After five wrong guesses even the right PIN is refused for a while; the guesses stand in the audit log."""
    number = f.sealed(world)
    for guess in range(5):
        assert do(world, "courier", pickup(number, f"000{guess}")).code == "pin_wrong"
    assert do(world, "courier", pickup(number, f.PIN)).code == "pin_locked"
    audited = world.scalars(select(AuditEntry).where(AuditEntry.action == "pin_wrong")).all()
    assert [(one.username, one.subject) for one in audited] == [("courier", "nurse")] * 5
    assert all(set(one.detail) == {"act"} for one in audited), "who and where, never what was typed"


def test_guesses_in_one_batch_count_one_by_one(world: Session) -> None:
    """A list of many acts with a guess each is no way round the lock."""
    number = f.sealed(world)
    answers = batch(world, "courier", [pickup(number, f"{guess:04}") for guess in range(8)])
    assert [one.code for one in answers] == ["pin_wrong"] * 5 + ["pin_locked"] * 3


def test_one_slip_over_many_boxes_counts_once(world: Session) -> None:
    """One PIN signs for all boxes of a stop: typed wrong once, it is one wrong PIN."""
    number = f.sealed(world)
    answers = batch(world, "courier", [pickup(number, "0000") for _ in range(8)])
    assert {one.code for one in answers} == {"pin_wrong"}
    assert do(world, "courier", pickup(number, f.PIN)).status is Status.DONE


def test_a_locked_pin_does_not_lose_the_handover(world: Session) -> None:
    """A handover that waited on the phone is kept for review, and the lock ends after some minutes."""
    number = f.sealed(world)
    for guess in range(5):
        do(world, "courier", pickup(number, f"000{guess}"))
    late = Act(**{**_fields(pickup(number, f.PIN)), "offline": True})
    assert (do(world, "courier", late).status, world.get_one(ActRow, late.id).status) == (Status.REVIEW, "review")
    with unlocked(world):
        for one in world.scalars(select(AuditEntry).where(AuditEntry.action == "pin_wrong")):
            one.at -= timedelta(minutes=11)
        world.flush()
    assert do(world, "courier", pickup(number, f.PIN)).status is Status.DONE


def _fields(one: Act) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__slots__}


# --- one bad act does not stop the others -----------------------------------------------------------------

BAD: dict[str, Act] = {
    "site nobody knows": act("collect", {"specimen": "T2"}, site="NOWHERE"),
    "specimen_id as text": act("collect", {"specimen_id": "x"}),
    "specimen_id as list": act("collect", {"specimen_id": [1, {"a": 2}]}),
    "specimen_id too large": act("collect", {"specimen_id": 10**30}),
    "issuing site as object": act("collect", {"specimen": "T2", "issuing_site": {"a": 1}}),
    "year 1": act("register", {"specimen": "T9"}, {"tests": ["CBC"]}, at=datetime(1, 1, 1, tzinfo=UTC)),
    "nul in a number": act("collect", {"specimen": "T2\x00"}),
    "urgent call of a century": act("urgent_call", {}, {"within_min": 10**15}),
    "urgent call in the past": act("urgent_call", {}, {"within_min": -90}),
}


@pytest.mark.parametrize("name", BAD)
def test_one_bad_act_does_not_stop_the_others(world: Session, name: str) -> None:
    """Whatever stands in an act, it gets its own answer and those beside it are recorded."""
    f.collected(world, "T1")
    done(world, "nurse", act("register", {"specimen": "T2"}, {"tests": ["CBC"]}))
    packing = act("pack", {"specimen": "T1", "box": "BX-C"})
    answers = batch(world, "nurse", [act(BAD[name].type, BAD[name].subject, BAD[name].payload, at=BAD[name].occurred_at,
                                         site=BAD[name].site), packing])  # fmt: skip
    assert answers[0].status is Status.REFUSED, answers[0]
    assert answers[1].status is Status.DONE
    assert rebuild.differences(world) == []


def test_a_fault_in_a_rule_is_answered_and_kept(world: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """An act that meets a programming error is kept for review; the phone's other acts go through."""

    def broken(_desk: object) -> None:
        raise ZeroDivisionError

    f.collected(world, "T1")
    monkeypatch.setitem(custody.HANDLERS, "note", broken)
    answers = batch(
        world, "nurse", [act("note", {"specimen": "T1"}, {"note": "x"}), act("pack", {"specimen": "T1", "box": "BX-C"})]
    )
    assert [(one.status, one.code) for one in answers] == [(Status.REVIEW, "act_unworkable"), (Status.DONE, "done")]


@pytest.mark.parametrize("offset", [timedelta(hours=3), timedelta(days=-365 * 40)])
def test_a_phone_with_a_wrong_clock_loses_nothing(world: Session, offset: timedelta) -> None:
    """An act that waited on a phone whose clock is wrong is kept for review, not refused."""
    number = f.sealed(world)
    signed = pickup(number, f.PIN)
    wrong = Act(**{**_fields(signed), "occurred_at": f.START + offset, "offline": True})
    assert do(world, "courier", wrong, now=f.START).status is Status.REVIEW


def test_a_handover_with_odd_facts_is_refused(world: Session) -> None:
    """Refusals that are no objects, temperatures that are no numbers: refused with the field."""
    number = f.sealed(world)
    for odd in ({"refused": ["T1"]}, {"box_temp_c": "nan"}, {"box_temp_c": "1e999"}, {"handover_id": "x" * 500}):
        answer = do(world, "courier", pickup(number, f.PIN, **odd))
        assert (answer.status, answer.field) == (Status.REFUSED, next(iter(odd)))


# --- several at once --------------------------------------------------------------------------------------


def race(app: Flask, posts: list[tuple[str, list[Act]]]) -> list[list[Answer]]:
    """Each post in a thread and transaction of its own, all begun together."""
    answers: list[list[Answer]] = [[] for _ in posts]
    start = threading.Barrier(len(posts))

    def post(index: int, username: str, acts: list[Act]) -> None:
        with app.app_context():
            start.wait()
            with transaction() as session:
                user = session.scalars(select(User).where(User.username == username)).one()
                scope = network.scope_of_user(session, user)
                answers[index] = custody.record(session, acts, actor=user, scope=scope, now=f.START)
            db.session.remove()

    threads = [threading.Thread(target=post, args=(index, *one)) for index, one in enumerate(posts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_two_nurses_register_one_number(app: Flask, world: Session) -> None:
    """At the same time, under one order: one tube, and the other is told that the number is in use."""
    world.commit()
    for turn in range(5):
        one = [("nurse", [act("register", {"specimen": f"R{turn}"}, {"tests": ["CBC"], "order_number": f"O{turn}"})])]
        answers = race(app, [*one, ("nurse", [act("register", {"specimen": f"R{turn}"}, {"tests": ["CBC"]})])])
        codes = sorted(answer[0].code if answer else "lost" for answer in answers)
        assert codes == ["done", "specimen_exists"]


def test_two_tubes_of_one_order_at_the_same_time(app: Flask, world: Session) -> None:
    """The order is made once and has both tubes."""
    world.commit()
    for turn in range(5):
        answers = race(
            app,
            [
                (
                    "nurse",
                    [act("register", {"specimen": f"{side}{turn}"}, {"tests": ["CBC"], "order_number": f"O{turn}"})],
                )
                for side in "AB"
            ],
        )
        assert [answer[0].code if answer else "lost" for answer in answers] == ["done", "done"]
        assert f.find(world, f"A{turn}").order_id == f.find(world, f"B{turn}").order_id
        world.commit()


# --- a receipt can always be closed -----------------------------------------------------------------------


def test_a_tube_that_is_given_up_on_the_road_leaves_the_manifest(world: Session) -> None:
    """A manager declares a tube lost while it travels: the receipt of the box can still be closed."""
    number = f.fetched(world, ("T1", "T2"))
    done(world, "manager", act("lost", {"specimen": "T1"}, {"note": "n"}))
    later = f.START + timedelta(hours=1)
    deliver = act(
        "hand_over", {"consignment": number}, {"other": "courier", "pin": f.PIN, "count": 1}, site=f.COUNTY, at=later
    )
    done(world, "receiver", deliver)
    done(world, "receiver", act("receive", {"specimen": "T2", "consignment": number}, {"condition": "good"}))
    closed = do(world, "receiver", act("close_receipt", {"consignment": number}))
    assert closed.status is Status.DONE, closed
    assert rebuild.differences(world) == []


def test_a_tube_found_in_another_box_leaves_its_own_manifest(world: Session) -> None:
    """An unexpected tube of a box still on the road: both receipts can be closed."""
    first = f.delivered(world, ("T1",))
    f.collected(world, "T2")
    f.collected(world, "T3")
    done(world, "nurse", act("register", {"specimen": "X"}, {"tests": ["CBC"]}))
    world.get_one(Specimen, f.find(world, "T2").id)
    from logistics.models import Box

    world.add(Box(code="BX-D", temp_class="cold_2_8", capacity=50, home_code=f.TOWN, location_code=f.TOWN))
    world.commit()
    for tube in ("T2", "T3"):
        second = done(world, "nurse", act("pack", {"specimen": tube, "box": "BX-D"}))["consignment"]
    stray = act(
        "receive_unexpected", {"specimen": "T2", "consignment": first}, {"condition": "good", "reason": reason(world)}
    )
    done(world, "receiver", stray)
    world.expire_all()
    assert world.get_one(Consignment, second).tube_count == 1
    done(world, "nurse", act("seal", {"consignment": second}, {"seal": "SL999"}))
    done(
        world,
        "courier",
        act("hand_over", {"consignment": second}, {"other": "nurse", "pin": f.PIN, "count": 1}, site=f.TOWN),
    )
    take = act("hand_over", {"consignment": second}, {"other": "courier", "pin": f.PIN, "count": 1}, site=f.COUNTY)
    done(world, "receiver", take)
    done(world, "receiver", act("receive", {"specimen": "T3", "consignment": second}, {"condition": "good"}))
    assert do(world, "receiver", act("close_receipt", {"consignment": second})).status is Status.DONE
    assert rebuild.differences(world) == []


def reason(session: Session) -> str:
    from logistics.models import Reason

    return str(session.scalars(select(Reason.code).where(Reason.kind == "deviation")).first())


# --- whose hands ------------------------------------------------------------------------------------------


def test_only_people_of_the_laboratory_take_a_box_there(world: Session) -> None:
    """A courier cannot deliver to an accomplice elsewhere: the taker must be of the site."""
    number = f.fetched(world)
    later = f.START + timedelta(hours=1)
    for stranger in ("nurse2", "receiver2", "admin"):
        give = act(
            "hand_over", {"consignment": number}, {"other": stranger, "pin": f.PIN, "count": 2}, site=f.COUNTY, at=later
        )
        assert do(world, "courier", give).code == "signer_elsewhere"


def test_a_receiver_hands_a_forwarded_box_to_the_courier(world: Session) -> None:
    """Signed on the laboratory's screen, the courier takes and the laboratory gives, not the other way round."""
    number = f.sealed(world)
    give = act("hand_over", {"consignment": number}, {"other": "courier", "pin": f.PIN, "count": 2}, site=f.TOWN)
    done(world, "receiver", give)
    world.expire_all()
    assert world.get_one(Consignment, number).holder == "courier"


def test_a_laboratory_decides_only_about_tubes_that_it_has(world: Session) -> None:
    """A county cannot reject a tube that stands at the city's laboratory, though it was collected in the county."""
    f.delivered(world, ("T1",))
    tube = f.find(world, "T1")
    tube.location_code, tube.state = f.CITY, "received"
    world.commit()
    reject = act("reject", {"specimen": "T1"}, {"reason": "HEMOLYZED"})
    assert do(world, "receiver", reject).code == "specimen_elsewhere"


def test_a_tube_is_collected_at_the_collectors_site(world: Session) -> None:
    """An act that names another site does not put the tube there."""
    done(world, "nurse", act("register", {"specimen": "T1"}, {"tests": ["CBC"]}))
    assert do(world, "nurse", act("collect", {"specimen": "T1"}, site=f.OTHER_TOWN)).status is Status.REFUSED


# --- two dispatchers --------------------------------------------------------------------------------------


def ready_plan(session: Session) -> int:
    """A plan without routes, worked out and not published."""
    problem = to_builtins(Problem(sites=(), requests=(), couriers=()))
    row = Plan(
        day="2026-03-09", scope_code=f.COUNTY, name="", state="ready", created_at=f.START, created_by="dispatcher",
        problem=problem, result={"routes": []}, notice="",
    )  # fmt: skip
    session.add(row)
    session.commit()
    return row.id


def test_two_dispatchers_publish_at_the_same_time(app: Flask, world: Session) -> None:
    """Two plans of one day and county: one of them is driven, the other is superseded."""
    for _turn in range(4):
        ids = [ready_plan(world), ready_plan(world)]
        start = threading.Barrier(2)

        def publish(plan_id: int, start: threading.Barrier = start) -> None:
            with app.app_context():
                start.wait()
                with transaction() as session:
                    row = session.get_one(Plan, plan_id, with_for_update=True)
                    planning.publish(session, row, by="dispatcher", now=f.START)
                    time.sleep(0.05)
                db.session.remove()

        threads = [threading.Thread(target=publish, args=(one,)) for one in ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        states = world.scalars(select(Plan.state).order_by(Plan.id)).all()
        world.commit()
        assert states.count("published") == 1, states


# --- readings ---------------------------------------------------------------------------------------------


def test_a_reading_is_not_set_aside_for_a_collision(
    app: Flask, world: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes raise one alert at the same time: the loser tries again, its reading is stored, not buried."""
    devices.register(world, "LG-1", now=f.START - timedelta(hours=1))
    world.commit()
    body = b'{"seq": 1, "readings": [{"at": "2026-03-09T01:00:00+00:00", "temp_c": 5.0}]}'
    ingest = mqtt.Ingest("mqtt://127.0.0.1:1")
    commit, calls = ingest._commit, []

    def once_colliding(batch: list[mqtt.Held]) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise IntegrityError("INSERT INTO alert", {}, Exception("duplicate key"))
        return commit(batch)

    monkeypatch.setattr(ingest, "_commit", once_colliding)
    ingest._store([mqtt.Held(0, 1, 0, Incoming("labrelay/v1/LG-1/readings", body))], threading.Event())
    assert len(world.scalars(select(ReadingRow)).all()) == 1
    assert world.scalars(select(DeadLetter)).all() == []
