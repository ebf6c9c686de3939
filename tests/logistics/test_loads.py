"""Loads on the way back: reports, control material, blind samples, empty boxes. The same chain as for tubes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain import numbers, transitions
from logistics.domain.acts import Status
from logistics.domain.cold_chain import ExcursionFact
from logistics.domain.custody import EventType as E
from logistics.models import Alert, Box, Consignment, CustodyEvent, Handover, Item, ItemLine, Pickup
from logistics.services import alerts, cold_chain, rebuild
from tests import factories as f
from tests.factories import act, do, done


@pytest.fixture
def world(session: Session) -> Session:
    """The usual small network, with a document bag and a second cold box at the county laboratory."""
    f.world(session)
    session.add(Box(code="BAG-1", temp_class="ambient_15_25", kind="bag", home_code=f.COUNTY, location_code=f.COUNTY))
    session.add(Box(code="BX-HOME", temp_class="cold_2_8", home_code=f.TOWN, location_code=f.COUNTY))
    session.commit()
    return session


def registered(session: Session, kind: str = "report", **more: Any) -> str:
    payload = {"kind": kind, "destination": f.TOWN, **more}
    return str(done(session, "receiver", act("register_item", {}, payload))["item"])


def packed(session: Session, box: str = "BAG-1", **more: Any) -> tuple[str, str]:
    """(item, consignment): one item in a box of the county laboratory."""
    number = registered(session, **more)
    return number, str(done(session, "receiver", act("pack_item", {"item": number, "box": box}))["consignment"])


def brought(session: Session, number: str, count: int) -> None:
    """Sealed, fetched at the laboratory and handed to the township, both sides signing each time."""
    done(session, "receiver", act("seal", {"consignment": number}, {"seal": f"SL{number[-5:]}"}))
    carried(session, number, count)


def carried(session: Session, number: str, count: int) -> None:
    take = {"other": "receiver", "pin": f.PIN, "count": count}
    done(session, "courier", act("hand_over", {"consignment": number}, take, site=f.COUNTY))
    give = {"other": "nurse", "pin": f.PIN, "count": count}
    done(
        session,
        "courier",
        act("hand_over", {"consignment": number}, give, site=f.TOWN, at=f.START + timedelta(hours=1)),
    )


def item(session: Session, number: str) -> Item:
    return session.get_one(Item, number, populate_existing=True)


def consignment(session: Session, number: str) -> Consignment:
    return session.get_one(Consignment, number, populate_existing=True)


def test_every_state_of_an_item_is_reached_and_only_final_states_are_dead_ends() -> None:
    """The table alone: from 'new' every state can be reached; from every state that is not final, a final one."""
    steps = {(source, row.target) for row in transitions.ITEM_ROWS for source in row.sources if row.target}

    def reach(starts: set[str], forward: bool) -> set[str]:
        found = set(starts)
        while True:
            more = {b if forward else a for a, b in steps if (a if forward else b) in found} - found
            if not more:
                return found
            found |= more

    every = set(transitions.ItemState)
    assert reach({"new"}, forward=True) == every
    assert reach(set(transitions.ITEM_FINAL), forward=False) == every
    dead = every - {source for source, target in steps if source != target}
    assert dead == transitions.ITEM_FINAL


def test_a_report_goes_down_in_a_bag_signed_on_both_sides(world: Session) -> None:
    """Registered, packed, sealed, fetched, brought, received: every event in the item's own chain; the log rebuilds."""
    number, load = packed(world, description="检验报告 12 份", quantity=12)
    assert numbers.verify(number, numbers.Kind.ITEM)
    assert (consignment(world, load).kind, consignment(world, load).item_count) == ("return", 1)
    brought(world, load, 1)
    received = done(world, "nurse", act("receive_item", {"consignment": load, "item": number}, {"condition": "good"}))
    assert (received["state"], received["checked"], received["total"]) == ("received", 1, 1)
    assert done(world, "nurse", act("close_receipt", {"consignment": load}))["counts"] == {"scanned": 1}
    query = select(CustodyEvent.type).where(CustodyEvent.stream == f"item:{number}").order_by(CustodyEvent.seq)
    assert list(world.scalars(query)) == [
        "registered", "packed", "sealed", "handed_over", "arrived", "handed_over", "received",
    ]  # fmt: skip
    one = item(world, number)
    assert (one.state, one.location_code, one.received_by, one.box_code) == ("received", f.TOWN, "nurse", None)
    signed = world.scalars(select(Handover).order_by(Handover.occurred_at)).all()
    assert [(h.giver, h.taker, h.tube_count) for h in signed] == [("receiver", "courier", 1), ("courier", "nurse", 1)]
    assert rebuild.differences(world) == []
    assert rebuild.verify_log(world) == []
    assert world.get_one(Box, "BAG-1", populate_existing=True).location_code == f.TOWN


def test_control_material_needs_a_box_of_its_class(world: Session) -> None:
    """Cold proficiency material goes into no bag and no box of another class; an expired lot goes nowhere."""
    number = registered(world, "proficiency", temp_class="cold_2_8", lot="PT-07")
    codes = [do(world, "receiver", act("pack_item", {"item": number, "box": box})).code for box in ("BAG-1", "BX-A")]
    assert codes == ["wrong_temperature_class", "wrong_temperature_class"]
    assert done(world, "receiver", act("pack_item", {"item": number, "box": "BX-T"}))["count"] == 1
    old = registered(world, "quality_control", expires_on="2026-03-08")
    assert do(world, "receiver", act("pack_item", {"item": old, "box": "BAG-1"})).code == "item_expired"


def test_tubes_and_return_loads_do_not_mix(world: Session) -> None:
    """A tube goes neither into a document bag nor into a box that carries a return load, and the other way round."""
    tube = f.delivered(world, ("T1",))
    done(world, "receiver", act("receive", {"specimen": "T1", "consignment": tube}, {"condition": "good"}))
    f.collected(world, "T2", ("AFP",))
    world.get_one(Box, "BAG-1").location_code = f.TOWN
    assert do(world, "nurse", act("pack", {"specimen": "T2", "box": "BAG-1"})).code == "bag_for_papers"
    world.get_one(Box, "BX-A").location_code = f.COUNTY
    number = registered(world)
    done(world, "receiver", act("pack_item", {"item": number, "box": "BX-A"}))
    answer = do(world, "nurse", act("pack", {"specimen": "T2", "box": "BX-A"}))
    assert answer.status is Status.REFUSED


def test_counts_reconcile_and_a_missing_item_is_declared_by_name(world: Session) -> None:
    """Two sent, one there: the receipt closes only after the other is declared missing; its sender is told; it may
    turn up later while the receipt is open."""
    first, load = packed(world)
    second = registered(world, "consumables", quantity=200)
    done(world, "receiver", act("pack_item", {"item": second, "box": "BAG-1"}))
    short = act("hand_over", {"consignment": load}, {"other": "receiver", "pin": f.PIN, "count": 1}, site=f.COUNTY)
    done(world, "receiver", act("seal", {"consignment": load}, {"seal": "SL1"}))
    assert do(world, "courier", short).code == "handover_count_differs"
    carried(world, load, 2)
    subject = {"consignment": load}
    done(world, "nurse", act("receive_item", {**subject, "item": first}, {"condition": "damaged"}))
    assert do(world, "nurse", act("close_receipt", subject)).code == "receipt_incomplete"
    assert do(world, "nurse", act("receive_item", {**subject, "item": second})).code == "field_missing"
    done(world, "nurse", act("item_missing", {**subject, "item": second}))
    alert = world.scalars(select(Alert).where(Alert.kind == "load_missing")).one()
    assert (alert.site_code, alert.state) == (f.COUNTY, "open")
    done(world, "nurse", act("receive_item", {**subject, "item": second}, {"condition": "good"}, how="ticked"))
    assert world.get_one(Alert, alert.id, populate_existing=True).state == "ended"
    assert done(world, "nurse", act("close_receipt", subject))["counts"] == {"scanned": 1, "ticked": 1}
    assert rebuild.differences(world) == []


@pytest.mark.both_databases
@pytest.mark.parametrize(("finder", "site"), [("nurse", f.TOWN), ("receiver", f.COUNTY)])
def test_a_missing_item_turns_up_after_the_receipt_was_closed(world: Session, finder: str, site: str) -> None:
    """At the township or where it came from: it stands there, its line says when, the alert ends, it may go on again;
    from the log alone comes the same."""
    number, load = packed(world)
    brought(world, load, 1)
    done(world, "nurse", act("item_missing", {"consignment": load, "item": number}))
    done(world, "nurse", act("close_receipt", {"consignment": load}))
    subject = {"consignment": load, "item": number}
    assert do(world, "nurse", act("receive_item", subject, {"condition": "good"})).code == "receipt_closed"
    turned_up = act("found_item", {"item": number}, {"condition": "damaged"})
    assert do(world, "courier", act("found_item", {"item": number}, {"condition": "good"}, site=f.TOWN)).status is (
        Status.REFUSED
    )
    assert do(world, "nurse2", turned_up).code == "item_unknown"
    assert do(world, finder, act("found_item", {"item": number})).code == "field_missing"
    result = done(world, finder, act("found_item", {"item": number}, {"condition": "damaged"}))
    assert (result["state"], result["condition"], result["missed"]) == ("received", "damaged", load)
    assert (item(world, number).location_code, item(world, number).received_by) == (site, finder)
    line = world.get_one(ItemLine, (load, number), populate_existing=True)
    assert (line.outcome, line.condition, line.checked_by) == ("late", "damaged", finder)
    assert world.scalars(select(Alert.state).where(Alert.kind == "load_missing")).all() == ["ended"]
    assert do(world, finder, act("found_item", {"item": number}, {"condition": "good"})).code == "item_not_missing"
    if site == f.COUNTY:
        world.get_one(Box, "BAG-1").location_code = f.COUNTY
        world.commit()
        done(world, "receiver", act("pack_item", {"item": number, "box": "BAG-1"}))
    world.rollback()
    assert rebuild.differences(world) == [] if site == f.TOWN else True
    assert rebuild.verify_log(world) == []
    rebuild.apply(world)
    world.commit()
    assert rebuild.differences(world) == []


def test_a_missing_item_may_be_found_while_the_receipt_is_open(world: Session) -> None:
    """Then its line says found, and the receipt closes over it."""
    number, load = packed(world)
    brought(world, load, 1)
    done(world, "nurse", act("item_missing", {"consignment": load, "item": number}))
    done(world, "nurse", act("found_item", {"item": number}, {"condition": "good"}))
    assert done(world, "nurse", act("close_receipt", {"consignment": load}))["counts"] == {"found": 1}
    assert rebuild.differences(world) == []


def test_only_the_township_it_goes_to_receives_it(world: Session) -> None:
    """Another township's nurse sees nothing; the courier who brought it cannot close the receipt."""
    number, load = packed(world)
    brought(world, load, 1)
    subject = {"consignment": load, "item": number}
    assert do(world, "nurse2", act("receive_item", subject, {"condition": "good"})).code == "consignment_unknown"
    assert do(world, "courier", act("receive_item", subject, {"condition": "good"}, site=f.TOWN)).code == "act_role"
    done(world, "nurse", act("receive_item", subject, {"condition": "good"}))
    assert do(world, "courier", act("close_receipt", {"consignment": load}, site=f.TOWN)).code == "act_role"


def test_an_empty_box_goes_home_as_a_return_consignment(world: Session) -> None:
    """No items, no seal number: the box itself is the load; signing for it at home ends it and the box is free."""
    home = done(world, "receiver", act("return_box", {"box": "BX-HOME"}))
    assert (home["destination"], home["state"]) == (f.TOWN, "sealed")
    assert do(world, "receiver", act("return_box", {"box": "BX-HOME"})).code == "box_taken"
    assert do(world, "receiver", act("return_box", {"box": "BX-T"})).code == "box_at_home"
    carried(world, home["consignment"], 0)
    box = world.get_one(Box, "BX-HOME", populate_existing=True)
    assert (box.location_code, box.holder, box.consignment_number) == (f.TOWN, None, None)
    assert consignment(world, home["consignment"]).state == "closed"
    assert rebuild.differences(world) == []


def test_a_return_load_leaves_the_laboratorys_own_pickup_alone(world: Session) -> None:
    """The trunk pickup of the county stays planned when a courier takes a bag for a township."""
    _, load = packed(world)
    start = f.START
    world.add(
        Pickup(day="2026-03-09", site_code=f.COUNTY, destination_code=f.CITY, kind="trunk", state="planned",
               ready_at=start, latest_at=start, created_by="dispatcher", created_at=start)
    )  # fmt: skip
    world.commit()
    done(world, "receiver", act("seal", {"consignment": load}, {"seal": "SL9"}))
    take = {"other": "receiver", "pin": f.PIN, "count": 1}
    done(world, "courier", act("hand_over", {"consignment": load}, take, site=f.COUNTY))
    assert world.scalars(select(Pickup.state)).all() == ["planned"]


def test_an_item_from_the_city_goes_down_by_the_county(world: Session) -> None:
    """Two legs: the county receives it and packs it again for the township."""
    number = str(
        done(world, "cityreceiver", act("register_item", {}, {"kind": "proficiency", "destination": f.TOWN}))["item"]
    )
    world.add(Box(code="BAG-C", temp_class="ambient_15_25", kind="bag", home_code=f.CITY, location_code=f.CITY))
    world.commit()
    leg = done(world, "cityreceiver", act("pack_item", {"item": number, "box": "BAG-C"}))
    assert leg["destination"] == f.COUNTY
    load = leg["consignment"]
    done(world, "cityreceiver", act("seal", {"consignment": load}, {"seal": "SL-C"}))
    take = {"other": "cityreceiver", "pin": f.PIN, "count": 1}
    done(world, "courier", act("hand_over", {"consignment": load}, take, site=f.CITY))
    give = {"other": "courier", "pin": f.PIN, "count": 1}
    done(world, "receiver", act("hand_over", {"consignment": load}, give, site=f.COUNTY))
    subject = {"consignment": load, "item": number}
    done(world, "receiver", act("receive_item", subject, {"condition": "good"}))
    done(world, "receiver", act("close_receipt", {"consignment": load}))
    assert done(world, "receiver", act("pack_item", {"item": number, "box": "BAG-1"}))["destination"] == f.TOWN
    assert rebuild.differences(world) == []


def fact(box: str, **more: Any) -> ExcursionFact:
    values: dict[str, Any] = {
        "excursion_id": 1, "box_code": box, "device_code": "LG-1", "probe": 0, "rule_code": "above_8_for_30",
        "kind": "consecutive", "side": "upper", "limit_c": 8.0, "start": f.START, "last_at": f.START, "end": None,
        "min_c": 4.0, "max_c": 11.2, "minutes": 40.0, "box_open": True,
    }  # fmt: skip
    return ExcursionFact(**{**values, **more})


def test_a_warm_box_concerns_the_control_material_inside(world: Session) -> None:
    """The sending laboratory is told, the items are named; what is received from that box waits for the manager."""
    number, load = packed(world, "BX-T", kind="proficiency", temp_class="cold_2_8")
    paper = registered(world)
    done(world, "receiver", act("pack_item", {"item": paper, "box": "BX-T"}))
    start = f.START + timedelta(minutes=20)
    alert = cold_chain.excursion_changed(world, fact("BX-T", start=start, last_at=start), now=start)
    world.commit()
    assert alert is not None
    assert (alert.site_code, alert.consignment_number, alert.params["items"]) == (f.COUNTY, load, [number])
    assert alerts.undecided_load_excursion(world, load, paper) is None
    brought(world, load, 2)
    subject = {"consignment": load}
    received = done(world, "nurse", act("receive_item", {**subject, "item": number}, {"condition": "good"}))
    assert received["on_hold"] is True
    assert (
        done(world, "nurse", act("receive_item", {**subject, "item": paper}, {"condition": "good"}))["on_hold"] is False
    )
    assert do(world, "nurse", act("release_item", {"item": number})).code == "act_role"
    done(world, "manager", act("release_item", {"item": number}, {"reason": "40 min, stable for 2 h"}))
    assert item(world, number).on_hold is False
    assert rebuild.differences(world) == []


def test_rebuilding_mends_what_somebody_wrote_into_the_columns(world: Session) -> None:
    """A column and a line edited by hand are found, and written anew from the log."""
    number, load = packed(world)
    item(world, number).state = "received"
    world.delete(world.get_one(ItemLine, (load, number)))
    world.commit()
    assert len(rebuild.differences(world)) == 2
    rebuild.apply(world)
    world.commit()
    assert rebuild.differences(world) == []
    assert transitions.next_item_state(
        item(world, number).state, E.UNPACKED, "receiver", item(world, number), subject=""
    )
