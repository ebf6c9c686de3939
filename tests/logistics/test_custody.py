"""The chain of custody from order to decision: what works, what is refused, and that the log alone gives the same."""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from logistics.db import db, transaction
from logistics.domain.acts import Status
from logistics.models import Alert, Consignment, ConsignmentLine, CustodyEvent, Handover, Nonconformity, User
from logistics.services import alerts, custody, network, rebuild
from tests import factories as f
from tests.factories import act, do, done
from tests.tamper import unlocked

pytestmark = pytest.mark.both_databases


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def events_of(session: Session, accession: str) -> list[str]:
    stream = f"specimen:{f.find(session, accession).id}"
    query = select(CustodyEvent.type).where(CustodyEvent.stream == stream).order_by(CustodyEvent.seq)
    return list(session.scalars(query))


def test_a_tube_from_order_to_acceptance(world: Session) -> None:
    """The whole way at one county: every event is there, in order, and the box is free afterwards."""
    number = f.delivered(world, ("T1", "T2"))
    for accession in ("T1", "T2"):
        done(world, "receiver", act("receive", {"specimen": accession, "consignment": number}, {"condition": "good"}))
    closed = done(world, "receiver", act("close_receipt", {"consignment": number}))
    done(world, "receiver", act("accept", {"specimen": "T1"}))
    assert closed["counts"] == {"scanned": 2}
    assert events_of(world, "T1") == [
        "registered", "collected", "packed", "sealed", "handed_over", "arrived", "handed_over", "received", "accepted",
    ]  # fmt: skip
    tube = f.find(world, "T1")
    assert (tube.state, tube.location_code, tube.holder, tube.box_code) == ("accepted", f.COUNTY, None, None)
    assert rebuild.differences(world) == []
    assert rebuild.verify_log(world) == []


def test_the_same_act_again_changes_nothing_and_gets_the_same_answer(world: Session) -> None:
    """A retry after a lost answer: one event, the first answer; another content under the same UUID is refused."""
    f.collected(world, "T1")
    packing = act("pack", {"specimen": "T1", "box": "BX-C"})
    first = do(world, "nurse", packing)
    again = do(world, "nurse", packing)
    assert (first.status, again.status) == (Status.DONE, Status.DUPLICATE), again
    assert again.result == first.result
    other = do(world, "nurse", replace(packing, subject={"specimen": "T1", "box": "BX-A"}))
    assert (other.status, other.code) == (Status.REFUSED, "act_id_reused")
    assert events_of(world, "T1").count("packed") == 1


def test_twenty_posts_of_one_act_at_the_same_time_make_one_event(app: Flask, world: Session) -> None:
    """Threads with their own connections race with one UUID: exactly one event is written, all get an answer."""
    f.collected(world, "T1")
    packing = act("pack", {"specimen": "T1", "box": "BX-C"})
    world.commit()
    answers: list[Status] = []

    def post() -> None:
        with app.app_context(), transaction() as session:
            user = session.scalars(select(User).where(User.username == "nurse")).one()
            scope = network.scope_of_user(session, user)
            answers.append(custody.record(session, [packing], actor=user, scope=scope, now=f.START)[0].status)
        with app.app_context():
            db.session.remove()

    threads = [threading.Thread(target=post) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [Status.DONE] + [Status.DUPLICATE] * 19
    assert events_of(world, "T1").count("packed") == 1


def test_the_wrong_temperature_class_is_refused_in_words(world: Session) -> None:
    """A cold tube does not go into an ambient box; nothing is written."""
    f.collected(world, "T1")
    answer = do(world, "nurse", act("pack", {"specimen": "T1", "box": "BX-A"}))
    assert (answer.status, answer.code, answer.field) == (Status.REFUSED, "wrong_temperature_class", "box")
    assert world.scalars(select(Consignment)).all() == []
    assert f.find(world, "T1").state == "collected"


def test_tubes_for_two_laboratories_do_not_share_a_box(app: Flask, world: Session) -> None:
    """From the county centre, a tube for the city may travel on; one that is tested here may not be packed."""
    number = f.delivered(world, ("T1",))
    done(world, "receiver", act("receive", {"specimen": "T1", "consignment": number}, {"condition": "good"}))
    answer = do(world, "receiver", act("pack", {"specimen": "T1", "box": "BX-T"}))
    assert answer.code == "specimen_at_destination"


def test_a_handover_needs_the_right_pin_and_the_right_count(world: Session) -> None:
    """Wrong PIN, wrong count, nobody on the other side: refused, and the box stays where it is."""
    number = f.sealed(world)
    subject = {"consignment": number}
    wrong_pin = act("hand_over", subject, {"other": "nurse", "pin": "0000", "count": 2}, site=f.TOWN)
    wrong_count = act("hand_over", subject, {"other": "nurse", "pin": f.PIN, "count": 3}, site=f.TOWN)
    alone = act("hand_over", subject, {"count": 2, "seal_tail": "XXXX"}, site=f.TOWN)
    codes = [do(world, "courier", one).code for one in (wrong_pin, wrong_count, alone)]
    assert codes == ["pin_wrong", "handover_count_differs", "seal_tail_wrong"]
    consignment = world.get_one(Consignment, number, populate_existing=True)
    assert (consignment.state, consignment.holder) == ("sealed", None)


def test_secrets_of_a_handover_are_not_kept(world: Session) -> None:
    """Neither the log nor the stored act holds the PIN."""
    f.fetched(world)
    kept = world.execute(text("SELECT body FROM act UNION ALL SELECT body FROM custody_event")).scalars().all()
    assert not [body for body in kept if '"pin"' in body and f.PIN in body]


def test_one_of_two_tubes_is_refused_at_the_handover(world: Session) -> None:
    """'1 of 2, one refused because it leaks': the refused tube stays with the site, unpacked, with the reason."""
    number = f.sealed(world, ("T1", "T2"))
    payload = {
        "other": "nurse",
        "pin": f.PIN,
        "count": 1,
        "refused": [{"specimen": "T2", "reason": "LEAKED"}],
        "seal_now": "SLNOW01",
    }
    result = done(world, "courier", act("hand_over", {"consignment": number}, payload, site=f.TOWN))
    assert (result["count"], result["refused"]) == (1, 1)
    assert f.find(world, "T2").state == "collected"
    line = world.get_one(ConsignmentLine, (number, f.find(world, "T2").id))
    assert line.outcome == "refused"
    assert world.scalars(select(Handover)).one().giver_name == "nurse某"
    assert rebuild.differences(world) == []


def test_delivery_at_the_wrong_site_is_stopped(world: Session) -> None:
    """Courier and receiver of another county are both told where it goes; without the courier's word the receiver
    cannot even see it."""
    number = f.fetched(world)
    give = act("hand_over", {"consignment": number}, {"other": "receiver2", "pin": f.PIN, "count": 2}, site="COUNTY2")
    assert do(world, "courier", give).code == "wrong_destination"
    take = act("hand_over", {"consignment": number}, {"other": "courier", "pin": f.PIN, "count": 2}, site="COUNTY2")
    assert do(world, "receiver2", take).code == "wrong_destination"
    alone = act("hand_over", {"consignment": number}, {"seal_tail": "XXXX", "count": 2}, site="COUNTY2")
    assert do(world, "receiver2", alone).code == "consignment_unknown"


def test_receipt_knows_scanned_ticked_missing_and_unexpected(world: Session) -> None:
    """Four ways a tube may stand at receipt are kept apart; the receipt closes only when all are accounted for."""
    number = f.delivered(world, ("T1", "T2", "T3"))
    f.collected(world, "STRAY")
    here = {"consignment": number}
    good = {"condition": "good"}
    done(world, "receiver", act("receive", {"specimen": "T1", **here}, good))
    done(world, "receiver", act("receive", {"specimen": "T2", **here}, good, how="ticked"))
    early = do(world, "receiver", act("close_receipt", here))
    assert (early.code, early.params["open"]) == ("receipt_incomplete", 1)
    done(world, "receiver", act("declare_missing", {"specimen": "T3", **here}))
    stray = act("receive", {"specimen": "STRAY", **here}, good)
    assert do(world, "receiver", stray).code == "specimen_unexpected"
    logged = act("receive_unexpected", {"specimen": "STRAY", **here}, {**good, "reason": "UNEXPECTED"})
    unknown = act("receive_unexpected", {"specimen": "NEVERSEEN", **here}, {**good, "reason": "UNEXPECTED"})
    assert done(world, "receiver", logged)["known"] is True
    assert done(world, "receiver", unknown)["known"] is False
    counts = done(world, "receiver", act("close_receipt", here))["counts"]
    assert counts == {"scanned": 1, "ticked": 1, "missing": 1, "unexpected": 1}
    alert = world.scalars(select(Alert)).one()
    assert (alert.kind, alert.site_code, len(alert.specimen_ids)) == ("missing", f.COUNTY, 1)
    assert rebuild.differences(world) == []


def test_a_missing_tube_is_found_later(world: Session) -> None:
    """Found after the receipt was closed: received, and the alert of its consignment ends."""
    number = f.delivered(world, ("T1",))
    done(world, "receiver", act("declare_missing", {"specimen": "T1", "consignment": number}))
    done(world, "receiver", act("close_receipt", {"consignment": number}))
    done(world, "receiver", act("found", {"specimen": "T1"}, {"condition": "good"}))
    assert f.find(world, "T1").state == "received"
    assert world.scalars(select(Alert)).one().state == "ended"
    assert rebuild.differences(world) == []


def test_condition_has_no_default(world: Session) -> None:
    """A receipt without a stated condition is refused, naming the field."""
    number = f.delivered(world, ("T1",))
    answer = do(world, "receiver", act("receive", {"specimen": "T1", "consignment": number}))
    assert (answer.code, answer.field) == ("field_missing", "condition")


def test_a_rejected_tube_is_collected_again(world: Session) -> None:
    """Rejected for a coded reason; the collecting site makes a new tube that links to the old one, once."""
    number = f.delivered(world, ("T1",))
    done(world, "receiver", act("receive", {"specimen": "T1", "consignment": number}, {"condition": "good"}))
    done(world, "receiver", act("reject", {"specimen": "T1"}, {"reason": "HAEMOLYSED"}))
    again = done(world, "nurse", act("recollect", {"specimen": "T1"}))
    new = f.find(world, again["specimen"])
    assert new.recollects_id == f.find(world, "T1").id
    assert do(world, "nurse", act("recollect", {"specimen": "T1"})).code == "recollect_exists"
    assert world.scalars(select(Nonconformity)).one().reason_code == "HAEMOLYSED"


def test_what_no_longer_fits_is_kept_for_review_when_nobody_waits(world: Session) -> None:
    """An offline act that comes too late is not refused but kept; the same act online is refused."""
    f.sealed(world, ("T1",))
    late = act("pack", {"specimen": "T1", "box": "BX-C"}, offline=True)
    assert do(world, "nurse", late).status is Status.REVIEW
    assert do(world, "nurse", replace(late, id=str(uuid.uuid4()), offline=False)).status is Status.REFUSED


def test_other_sites_do_not_exist(world: Session) -> None:
    """A nurse of another township can neither see nor touch the tube."""
    f.collected(world, "T1")
    answer = do(world, "nurse2", act("collection_failed", {"specimen": "T1"}, {"reason": "PATIENT_REFUSED"}))
    assert answer.code == "specimen_unknown"


def test_acts_of_the_future_are_refused(world: Session) -> None:
    """A phone whose clock is an hour ahead is told so."""
    f.done(world, "nurse", act("register", {"specimen": "T1"}, {"tests": ["CBC"]}))
    answer = do(world, "nurse", act("collect", {"specimen": "T1"}, at=f.START + timedelta(hours=1)), now=f.START)
    assert (answer.code, answer.field) == ("act_in_future", "occurred_at")


def test_one_barcode_of_two_sites_asks_which(world: Session) -> None:
    """Two townships use the same number: the city, which sees both, is asked; each township means its own."""
    f.done(world, "nurse", act("register", {"specimen": "77"}, {"tests": ["CBC"]}))
    f.done(world, "nurse2", act("register", {"specimen": "77"}, {"tests": ["CBC"]}))
    assert do(world, "nurse", act("collect", {"specimen": "77"})).status is Status.DONE
    answer = do(world, "cityreceiver", act("hold", {"specimen": "77"}, {"reason": "?"}))
    assert answer.code == "specimen_ambiguous"
    assert len(answer.params["choices"]) == 2


def test_an_edited_event_is_found_and_named(world: Session) -> None:
    """Somebody edits the text of an event in the database: verification names stream and number."""
    f.collected(world, "T1")
    stream = f"specimen:{f.find(world, 'T1').id}"
    edit = text("UPDATE custody_event SET body = replace(body, 'CBC', 'ESR') WHERE stream = :s AND seq = 1")
    with unlocked(world):
        world.execute(edit, {"s": stream})
    broken = rebuild.verify_log(world)
    assert [(one.stream, one.seq, one.kind) for one in broken] == [(stream, 1, "hash")]


def test_a_removed_event_is_found_and_named(world: Session) -> None:
    """An event is taken out of the middle of a stream: verification names the gap."""
    f.sealed(world, ("T1",))
    stream = f"specimen:{f.find(world, 'T1').id}"
    with unlocked(world):
        world.execute(text("DELETE FROM custody_event WHERE stream = :s AND seq = 2"), {"s": stream})
    assert (stream, 2, "gap") in [(one.stream, one.seq, one.kind) for one in rebuild.verify_log(world)]


def test_rebuild_mends_a_projection(world: Session) -> None:
    """A column that somebody changed by hand is named by --check and brought back by rebuild."""
    f.collected(world, "T1")
    world.execute(text("UPDATE specimen SET state = 'accepted'"))
    world.commit()
    assert len(rebuild.differences(world)) == 1
    rebuild.apply(world)
    world.commit()
    assert rebuild.differences(world) == []
    assert world.scalar(select(func.count()).select_from(CustodyEvent)) == 2


def test_a_tube_that_travelled_warm_is_held_until_the_manager_has_decided(world: Session) -> None:
    """Received from a box with an undecided excursion: on hold, not to be accepted in passing; its neighbour, which
    the excursion does not concern, is free. After the manager's release it can be accepted."""
    number = f.delivered(world, ("WARM", "COLD"))
    warm = f.find(world, "WARM")
    alerts.raise_alert(
        world,
        kind="excursion",
        severity="warning",
        site_code=f.COUNTY,
        incident_key=f"excursion:BX-C:{number}",
        consignment_number=number,
        params={},
        specimen_ids=[warm.id],
        occurred_at=f.START,
        now=f.START,
    )
    world.commit()
    for accession in ("WARM", "COLD"):
        subject = {"specimen": accession, "consignment": number}
        result = done(world, "receiver", act("receive", subject, {"condition": "good"}))
        assert result["on_hold"] is (accession == "WARM")
    assert do(world, "receiver", act("accept", {"specimen": "WARM"})).code == "specimen_on_hold"
    done(world, "receiver", act("accept", {"specimen": "COLD"}))
    done(world, "manager", act("release", {"specimen": "WARM"}, {"reason": "twenty minutes at 9 °C"}))
    done(world, "receiver", act("accept", {"specimen": "WARM"}))
    assert events_of(world, "WARM")[-4:] == ["received", "held", "released", "accepted"]
    assert rebuild.differences(world) == []
