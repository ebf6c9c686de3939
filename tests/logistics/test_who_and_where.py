"""Who may do what, and where: nobody decides about a tube that stands elsewhere, nor opens somebody else's box."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Alert, Consignment, CustodyEvent
from logistics.services import rebuild
from tests import factories as f
from tests.factories import act, do, done

LATER = f.START + timedelta(hours=1)
LATEST = f.START + timedelta(hours=4)


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


@pytest.fixture
def at_the_city(world: Session) -> str:
    """A tube that the county packed on to the city, where it stands received."""
    done(world, "nurse", act("register", {"specimen": "T1"}, {"tests": ["HBA1C"]}))
    done(world, "nurse", act("collect", {"specimen": "T1"}))
    number = done(world, "nurse", act("pack", {"specimen": "T1", "box": "BX-C"}, {"through": True}))["consignment"]
    done(world, "nurse", act("seal", {"consignment": number}, {"seal": "SL-CITY"}))
    sign = {"pin": f.PIN, "count": 1}
    done(world, "courier", act("hand_over", {"consignment": number}, {**sign, "other": "nurse"}, site=f.TOWN))
    done(world, "courier", act("arrive", {}, site=f.CITY, at=LATER))
    give = act("hand_over", {"consignment": number}, {**sign, "other": "courier"}, site=f.CITY, at=LATER)
    done(world, "cityreceiver", give)
    take = act("receive", {"specimen": "T1", "consignment": number}, {"condition": "good"}, at=LATER)
    done(world, "cityreceiver", take)
    return "T1"


@pytest.mark.parametrize(
    ("username", "what", "payload"),
    [("receiver", "hold", {"reason": "look"}), ("manager", "lost", {}), ("manager", "hold", {"reason": "look"})],
)
def test_the_county_decides_nothing_about_a_tube_at_the_city(
    world: Session, at_the_city: str, username: str, what: str, payload: dict[str, str]
) -> None:
    """Its tubes stay its own to look at and to recall; holding and giving up is for the laboratory where they stand."""
    answer = do(world, username, act(what, {"specimen": at_the_city}, payload, at=LATER))
    assert (answer.code, answer.field, answer.params["site"]) == ("specimen_elsewhere", "specimen", f.CITY)
    assert f.find(world, at_the_city).state == "received"
    done(world, "cityreceiver", act("hold", {"specimen": at_the_city}, {"reason": "look"}, at=LATER))


def test_the_county_releases_nothing_that_the_city_holds(world: Session, at_the_city: str) -> None:
    done(world, "cityreceiver", act("hold", {"specimen": at_the_city}, {"reason": "look"}, at=LATER))
    assert do(world, "manager", act("release", {"specimen": at_the_city}, at=LATER)).code == "specimen_elsewhere"
    assert f.find(world, at_the_city).on_hold


def test_what_is_on_the_road_or_missing_is_still_for_its_own_people(world: Session) -> None:
    """A tube that stands nowhere may be held and given up by whoever waits for it."""
    f.fetched(world, ("T1", "T2"))
    done(world, "receiver", act("hold", {"specimen": "T1"}, {"reason": "look"}))
    done(world, "manager", act("release", {"specimen": "T1"}))
    done(world, "manager", act("lost", {"specimen": "T2"}))


@pytest.mark.parametrize("username", ["courier", "receiver", "manager"])
@pytest.mark.parametrize("what", ["unpack", "seal", "unseal"])
def test_nobody_opens_or_closes_the_box_of_another_site(world: Session, username: str, what: str) -> None:
    """Courier, county receiver and county manager act for the township, but its boxes are packed by its own people."""
    f.collected(world, "T1")
    number = done(world, "nurse", act("pack", {"specimen": "T1", "box": "BX-C"}))["consignment"]
    if what == "unseal":
        done(world, "nurse", act("seal", {"consignment": number}, {"seal": "SL-1"}))
    subject = {"specimen": "T1"} if what == "unpack" else {"consignment": number}
    payload = {"unpack": {}, "seal": {"seal": "SL-2"}, "unseal": {"reason": "look"}}[what]
    before = f.find(world, "T1").state
    for site in (None, f.TOWN):
        answer = do(world, username, act(what, subject, payload, site=site))
        assert answer.code in {"box_elsewhere", "act_role"}, answer
    assert f.find(world, "T1").state == before
    done(world, "nurse", act(what, subject, payload))


def test_a_courier_takes_nothing_out_of_an_open_box_of_his_own_county(world: Session) -> None:
    """Not even a recalled tube: he is at home in the county, and packs nothing there."""
    number = f.delivered(world, ("T1",))
    done(world, "receiver", act("receive", {"specimen": "T1", "consignment": number}, {"condition": "good"}, at=LATER))
    f.find(world, "T1").destination_code = f.CITY
    done(world, "receiver", act("pack", {"specimen": "T1", "box": "BX-T"}, at=LATER))
    assert do(world, "courier", act("unpack", {"specimen": "T1"}, site=f.COUNTY, at=LATER)).code == "box_elsewhere"
    done(world, "manager", act("recall", {"specimen": "T1"}, {"reason": "RECALL_LOT"}, at=LATER))
    assert do(world, "courier", act("unpack", {"specimen": "T1"}, site=f.COUNTY, at=LATER)).code == "box_elsewhere"
    done(world, "receiver", act("unpack", {"specimen": "T1"}, at=LATER))


def test_a_manager_cancels_a_box_with_tubes_and_takes_a_recalled_one_out(world: Session) -> None:
    """What the table says of the consignment holds for the tubes inside it."""
    number = f.sealed(world, ("T1", "T2"))
    done(world, "manager", act("cancel_consignment", {"consignment": number}, {"reason": "not today"}))
    assert {f.find(world, one).state for one in ("T1", "T2")} == {"collected"}
    assert rebuild.differences(world) == []


def test_a_receiver_above_cancels_no_box_of_a_township(world: Session) -> None:
    """The tubes would stand unpacked in the record while they lie in a sealed box that he has not before him."""
    number = f.sealed(world, ("T1", "T2"))
    cancel = act("cancel_consignment", {"consignment": number}, {"reason": "not today"}, at=LATER)
    assert do(world, "receiver", cancel).code == "box_elsewhere"
    assert do(world, "manager2", act("cancel_consignment", {"consignment": number}, {"reason": "x"})).code == (
        "consignment_unknown"
    )
    assert {f.find(world, one).state for one in ("T1", "T2")} == {"sealed"}


HOWS = ("scanned", "typed", "ticked", "imported")


@pytest.mark.both_databases
def test_how_a_tube_was_received_is_told_apart(world: Session) -> None:
    """Only what a scanner read stands as scanned; what was typed, ticked or imported stands as that."""
    tubes = ("T1", "T2", "T3", "T4")
    number = f.delivered(world, tubes)
    for accession, how in zip(tubes, HOWS, strict=True):
        subject = {"specimen": accession, "consignment": number}
        done(world, "receiver", act("receive", subject, {"condition": "good"}, how=how, at=LATER))
        assert do(world, "receiver", act("receive", subject, {"condition": "good"}, at=LATER)).code == (
            "specimen_received_already"
        )
    assert [f.find(world, one).received_how for one in tubes] == list(HOWS)
    closed = done(world, "receiver", act("close_receipt", {"consignment": number}, at=LATER))
    assert closed["counts"] == dict.fromkeys(HOWS, 1)
    assert rebuild.differences(world) == []


def test_a_tube_that_is_rejected_unreceived_stands_as_it_was_read(world: Session) -> None:
    number = f.delivered(world, ("T1",))
    done(world, "receiver", act("reject", {"specimen": "T1"}, {"reason": "CLOTTED"}, how="typed", at=LATER))
    closed = done(world, "receiver", act("close_receipt", {"consignment": number}, at=LATER))
    assert closed["counts"] == {"typed": 1}


def test_the_courier_who_brought_a_load_does_not_close_its_receipt(world: Session) -> None:
    """By the table, not by the service: he closes what is empty, by delivering it, and nothing else."""
    item = done(world, "receiver", act("register_item", {}, {"kind": "report", "destination": f.TOWN}))["item"]
    load = done(world, "receiver", act("pack_item", {"item": item, "box": "BX-T"}))["consignment"]
    done(world, "receiver", act("seal", {"consignment": load}, {"seal": "SL-L"}))
    sign = {"pin": f.PIN, "count": 1}
    done(world, "courier", act("hand_over", {"consignment": load}, {**sign, "other": "receiver"}, site=f.COUNTY))
    done(world, "courier", act("arrive", {}, site=f.TOWN, at=LATER))
    done(world, "courier", act("hand_over", {"consignment": load}, {**sign, "other": "nurse"}, site=f.TOWN, at=LATER))
    done(world, "nurse", act("receive_item", {"consignment": load, "item": item}, {"condition": "good"}, at=LATER))
    assert do(world, "courier", act("close_receipt", {"consignment": load}, site=f.TOWN, at=LATER)).code == "act_role"
    done(world, "nurse", act("close_receipt", {"consignment": load}, at=LATER))
    assert world.scalars(select(Alert)).all() == []
    assert world.scalars(select(CustodyEvent.type).where(CustodyEvent.stream == f"consignment:{load}")).all()


@pytest.mark.parametrize("username", ["dispatcher", "manager"])
def test_the_second_signature_is_of_a_role_that_may_hold_a_box(world: Session, username: str) -> None:
    """Who has no part in carrying neither gives nor takes with a PIN, though the site is theirs: nothing moves."""
    number = f.sealed(world)
    take = {"other": username, "pin": f.PIN, "count": 2}
    assert do(world, "courier", act("hand_over", {"consignment": number}, take, site=f.TOWN)).code == "signer_role"
    assert do(world, "nurse", act("hand_over", {"consignment": number}, take, site=f.TOWN)).code == "signer_role"
    done(world, "courier", act("hand_over", {"consignment": number}, {**take, "other": "nurse"}, site=f.TOWN))
    bring = act("hand_over", {"consignment": number}, take, site=f.COUNTY, at=LATER)
    assert do(world, "courier", bring).code == "signer_role"
    assert world.get_one(Consignment, number, populate_existing=True).holder == "courier"


def test_two_couriers_do_not_take_a_box_between_them(world: Session) -> None:
    """What stands at a site is given by somebody who works there; on the road one courier relieves another."""
    number = f.sealed(world)
    take = {"other": "courier2", "pin": f.PIN, "count": 2}
    assert do(world, "courier", act("hand_over", {"consignment": number}, take, site=f.TOWN)).code == "signer_role"
    done(world, "courier", act("hand_over", {"consignment": number}, {**take, "other": "nurse"}, site=f.TOWN))
    done(world, "courier", act("hand_over", {"consignment": number}, take, site=f.TOWN, at=LATER))
    assert world.get_one(Consignment, number, populate_existing=True).holder == "courier2"
