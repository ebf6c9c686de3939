"""The moves that fit how things stand: who could do what now, with codes and counts as anybody would state them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import select

from logistics.models import Box, Consignment, Item, Nonconformity, Specimen
from tests import factories as f
from tests import send_outs
from tests.property.day.world import Day, Move

PIN = f.PIN
STAFF = {
    f.TOWN: ("nurse",), f.COUNTY: ("receiver", "manager"), f.CITY: ("cityreceiver", "citymanager"),
    send_outs.EXTERNAL: ("extlab",),
}  # fmt: skip
HOWS = ("scanned", "typed", "ticked", "scanned")
ASTRAY = {"collected", "packed", "sealed", "in_transit", "waiting", "arrived", "delivered", "missing", "lost"}
MANAGERS = ("manager", "citymanager")
ONWARD = (f.COUNTY, f.CITY)


def fitting(day: Day) -> dict[str, list[Move]]:
    """By type of act."""
    return _by_type(_every(_Picture(day)))


def tempting(day: Day) -> dict[str, list[Move]]:
    """What a step too early, too late, elsewhere or once more would be, by type of act: none of it may do harm."""
    return _by_type(_wrong(_Picture(day)))


def _by_type(moves: Iterable[Move]) -> dict[str, list[Move]]:
    found: dict[str, list[Move]] = defaultdict(list)
    for move in moves:
        found[move.what].append(move)
    return found


class _Picture:
    """How things stand."""

    def __init__(self, day: Day) -> None:
        session = self.session = day.session
        session.flush()
        self.day = day
        self.turn = day.minute  # makes numbers that nobody used before
        self.tubes = session.scalars(select(Specimen).order_by(Specimen.id)).all()
        self.loads = session.scalars(select(Consignment).order_by(Consignment.number)).all()
        self.boxes = session.scalars(select(Box).order_by(Box.code)).all()
        self.items = session.scalars(select(Item).order_by(Item.number)).all()
        self.inside: dict[str, list[Specimen]] = defaultdict(list)
        for one in self.tubes:
            if one.consignment_number:
                self.inside[one.consignment_number].append(one)

    def seal(self, number: str = "") -> str:
        return f"SN{self.turn}{number[-3:]}"


def _every(see: _Picture) -> Iterator[Move]:
    for tube in see.tubes:
        yield from _tube(see, tube)
    for load in see.loads:
        yield from _load(see, load)
    for item in see.items:
        yield from _item(see, item)
    for box in see.boxes:
        if box.consignment_number is None and box.location_code in STAFF and box.location_code != box.home_code:
            yield Move(STAFF[box.location_code][0], "return_box", {"box": box.code}, site=box.location_code)
    yield from _whole_visits(see)
    yield from _everywhere(see)


# --- tubes ----------------------------------------------------------------------------------------------------------


def _tube(see: _Picture, one: Specimen) -> Iterator[Move]:
    named = {"specimen": one.accession, "specimen_id": one.id}
    here = STAFF.get(one.location_code or "", ())
    for who, what, payload in _about(see, one, here):
        yield Move(who, what, named, payload, how=HOWS[(see.turn + one.id) % 4])
    for box in see.boxes:
        if (
            box.location_code == one.location_code
            and here
            and one.state in PACKABLE
            and box.temp_class == one.temp_class
        ):
            yield Move(here[0], "pack", {**named, "box": box.code}, {"through": bool(see.turn % 2)})


PACKABLE = {"collected", "received", "accepted", "accepted_concession"}


def _about(see: _Picture, one: Specimen, here: Sequence[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    state = one.state
    if state == "registered":
        yield "nurse", "collect", {}
        yield "nurse", "collection_failed", {"reason": "PATIENT_ABSENT"}
    if state == "packed":
        yield here[0], "unpack", {}
    if here and state in {"received", "accepted", "accepted_concession", "rejected"}:
        yield here[0], "accept", {}
        yield here[0], "accept", {"reason": "HAEMOLYSED"}
        yield here[0], "reject", {"reason": "CLOTTED"}
        yield here[0], "reject_tests", {"reason": "QNS", "tests": [one.tests[0].test_code]}
        yield here[0], "dispose", {"note": "old"}
    if here and state not in {"registered", "collection_failed", "disposed"}:
        yield here[0], "hold", {"reason": "look"}
        yield here[0], "note", {"note": "seen"}
    if state == "delivered":
        yield here[0], "reject", {"reason": "BROKEN"}
    for manager in MANAGERS if see.turn % 3 == 0 else ():
        yield manager, "recall", {"reason": "RECALL_LOT"}
        yield manager, "lost", {"note": "gone"}
    if one.on_hold:
        yield from ((manager, "release", {}) for manager in MANAGERS)
    if state in {"missing", "lost"}:
        yield from ((STAFF[site][0], "found", {"condition": "good"}) for site in (f.TOWN, *ONWARD))
    if state in {"recalled", "returned", "lost", "missing"}:
        people = here or ("nurse", "receiver")
        yield people[0], "returned", {}
        yield people[0], "dispose", {}
    if state in {"rejected", "missing", "lost", "recalled", "disposed"}:
        yield "nurse", "recollect", {}
    if see.turn % 2 == 0:
        for who in ("nurse", "receiver", "cityreceiver", *MANAGERS):
            yield who, "correct", {"event": one.stream_seq, "reason": "wrong tube"}


# --- boxes under way ------------------------------------------------------------------------------------------------


def _load(see: _Picture, load: Consignment) -> Iterator[Move]:
    named = {"consignment": load.number} if see.turn % 2 else {"box": load.box_code}
    if load.state in {"closed", "cancelled"}:
        named = {"consignment": load.number}
    stage = {
        "open": _open, "sealed": _standing, "waiting": _standing, "in_transit": _riding, "arrived": _riding,
        "delivered": _delivered, "closed": _closed,
    }.get(load.state)  # fmt: skip
    if stage is None:
        return
    yield from stage(see, load, named)
    if see.turn % 2 == 0 and load.kind != "return":
        yield Move("manager", "recall_consignment", {"consignment": load.number}, {"reason": "RECALL_LOT"})
    if load.state not in {"open", "waiting"}:
        for who in (*STAFF.get(load.location_code or "", ())[:1], *STAFF.get(load.destination_code, ())[:1]):
            yield Move(who, "deviation", {"consignment": load.number}, {"reason": "BOX_DAMAGED"})


def _open(see: _Picture, load: Consignment, named: dict[str, Any]) -> Iterator[Move]:
    who = STAFF[load.origin_code][0]
    yield Move(who, "seal", named, {"seal": see.seal(load.number)})
    yield from _cancel(load, named)


def _cancel(load: Consignment, named: dict[str, Any]) -> Iterator[Move]:
    yield Move(STAFF[load.origin_code][-1], "cancel_consignment", named, {"reason": "not today"})


def _counted(see: _Picture, load: Consignment) -> int:
    return len(see.inside[load.number]) + load.item_count


def _standing(see: _Picture, load: Consignment, named: dict[str, Any]) -> Iterator[Move]:
    """Sealed at a site: a courier may take it, signed in every way; or it is opened again."""
    at = load.location_code or load.origin_code
    giver, count = STAFF[at][0], _counted(see, load)
    if load.state == "sealed":
        yield Move(giver, "unseal", named, {"reason": "one more"})
        yield from _cancel(load, named)
    yield from _seal_trouble(see, load, giver)
    if load.kind == "send_out":
        yield from _release(load, count)
        return
    for payload in _signatures(see, load, giver, count):
        yield Move("courier", "hand_over", named, payload, site=at)
    yield Move(giver, "hand_over", named, {"other": "courier2", "pin": PIN, "count": count}, site=at)
    inside = see.inside[load.number]
    if len(inside) > 1:
        left = [{"specimen": inside[0].accession, "reason": "BROKEN"}]
        for seal in (see.seal(load.number), load.seal_number):
            payload = {"other": giver, "pin": PIN, "count": count - 1, "refused": left, "seal_now": seal}
            yield Move("courier", "hand_over", named, payload, site=at)


def _signatures(see: _Picture, load: Consignment, giver: str, count: int) -> Iterator[dict[str, Any]]:
    yield {"other": giver, "pin": PIN, "count": count, "box_temp_c": "4.6"}
    if load.seal_number:
        yield {"seal_tail": load.seal_number[-4:], "count": count, "seal": load.seal_number}
    if see.turn % 3 == 0:
        yield {"method": "app", "of": giver, "count": count}  # the id is drawn when the move is made


def _release(load: Consignment, count: int) -> Iterator[Move]:
    named = {"consignment": load.number}
    stranger = {"taker_name": "王", "taker_organisation": "外检", "witness": "manager", "pin": PIN, "count": count}
    yield Move("receiver", "release_send_out", named, stranger)
    yield Move("receiver", "release_send_out", named, {"other": "extlab", "pin": PIN, "count": count})


def _seal_trouble(see: _Picture, load: Consignment, who: str) -> Iterator[Move]:
    named = {"consignment": load.number}
    yield Move(who, "seal_broken", named, {"reason": "SEAL_BROKEN"})
    yield Move(who, "reseal", named, {"seal": see.seal(load.number), "reason": "SEAL_BROKEN"})


def _riding(see: _Picture, load: Consignment, named: dict[str, Any]) -> Iterator[Move]:
    """In a courier's hands: on to the next one, in at a site on its way, elsewhere on purpose, or delivered."""
    goal, count, holder = load.destination_code, _counted(see, load), load.holder or ""
    taker = STAFF[goal][0]
    if load.kind == "send_out":
        yield Move("extlab", "confirm_send_out", named, {"condition": "good"})
        missing = [one.accession for one in see.inside[load.number][:1]]
        paper = {"condition": "good", "missing": missing, "received_by": "王"}
        yield Move("manager", "confirm_send_out", named, paper, how="imported")
        return
    if load.state == "in_transit":
        yield Move(holder, "arrive", {}, site=goal)
        yield Move(taker, "arrive", {"consignment": load.number}, site=goal)
    yield from _seal_trouble(see, load, holder)
    for payload in _signatures(see, load, holder, count):
        yield Move(taker, "hand_over", named, payload, site=goal)
    yield Move(holder, "hand_over", named, {"other": taker, "pin": PIN, "count": count}, site=goal)
    other = "courier2" if holder == "courier" else "courier"
    yield Move(other, "hand_over", named, {"other": holder, "pin": PIN, "count": count}, site=f.TOWN)
    for site in {f.TOWN, *ONWARD} - {goal}:
        sign = {"other": STAFF[site][0], "pin": PIN, "count": count}
        yield Move(holder, "hand_over", named, {**sign, "meaning": "transfer"}, site=site)
        yield Move(holder, "hand_over", named, {**sign, "elsewhere": {"reason": "ROAD_CLOSED"}}, site=site)


def _delivered(see: _Picture, load: Consignment, named: dict[str, Any]) -> Iterator[Move]:
    who = STAFF[load.destination_code][0]
    inside = [one for one in see.inside[load.number] if one.state == "delivered"]
    missing = [one for one in see.tubes if one.missing_from == load.number]
    for one in (*inside, *missing):
        tube = {**named, "specimen": one.accession}
        for condition in ("good", "good", "damaged"):
            yield Move(who, "receive", tube, {"condition": condition}, how=HOWS[one.id % 4])
        yield Move(who, "declare_missing", tube)
    if inside and load.kind != "return":
        yield Move(who, "receive_all", named, {"condition": "good", "specimens": [one.id for one in inside]})
    for astray in (one for one in see.tubes if one.state in ASTRAY and one.consignment_number != load.number):
        yield Move(who, "receive_unexpected", {**named, "specimen": astray.accession, "specimen_id": astray.id},
                   {"condition": "good", "reason": "UNEXPECTED"})  # fmt: skip
    yield Move(who, "receive_unexpected", {**named, "specimen": f"STRANGE{see.turn}"},
               {"condition": "good", "reason": "UNEXPECTED", "stranger": True})  # fmt: skip
    yield Move(who, "close_receipt", named)
    yield from _decided(load)
    yield from _settled(see, load, named)


def _closed(see: _Picture, load: Consignment, named: dict[str, Any]) -> Iterator[Move]:
    yield from _decided(load)
    yield from _settled(see, load, named)


def _settled(see: _Picture, load: Consignment, named: dict[str, Any]) -> Iterator[Move]:
    query = select(Nonconformity.seq).where(
        Nonconformity.stream == f"consignment:{load.number}", Nonconformity.disposition == ""
    )
    for seq in see.session.scalars(query):
        yield Move(STAFF[load.destination_code][0], "settle", named, {"finding": seq, "note": "nobody's"})


def _decided(load: Consignment) -> Iterator[Move]:
    who = STAFF[load.destination_code][0]
    for decision, reason in (("accept", None), ("hold", "STORAGE"), ("reject", "STORAGE"), ("concession", "STORAGE")):
        payload = {"decision": decision} | ({"reason": reason} if reason else {})
        yield Move(who, "decide_all", {"consignment": load.number}, payload)


def _whole_visits(see: _Picture) -> Iterator[Move]:
    """Several boxes with one signature; and the giver's half of what was taken by his code."""
    for site, people in STAFF.items():
        ready = [one for one in see.loads
                 if one.state == "sealed" and one.location_code == site and one.kind != "send_out"]  # fmt: skip
        if len(ready) > 1:
            parts = {one.number: {"count": _counted(see, one)} for one in ready}
            payload = {"other": people[0], "pin": PIN, "parts": parts}
            yield Move("courier", "hand_over", {"consignments": sorted(parts)}, payload, site=site)
    for handover, number, count in see.day.offers:
        for who in ("nurse", "receiver", "courier", "courier2"):
            payload = {"handover_id": handover, "count": count}
            yield Move(who, "sign_handover", {"consignment": number}, payload, site=f.TOWN)


# --- items, and what is about no tube -------------------------------------------------------------------------------


def _item(see: _Picture, item: Item) -> Iterator[Move]:
    named = {"item": item.number}
    here = STAFF.get(item.location_code or "", ())
    if item.consignment_number is None and here:
        going = {one.box_code for one in see.loads if one.state == "open" and one.kind == "return"}
        for box in see.boxes:
            if box.location_code == item.location_code and (box.consignment_number is None or box.code in going):
                yield Move(here[0], "pack_item", {**named, "box": box.code})
        yield Move(here[0], "dispose_item", named, {"note": "used up"})
    if item.state == "packed":
        yield Move(here[0], "unpack_item", named)
    if item.state == "missing":
        yield from (Move(STAFF[site][0], "found_item", named, {"condition": "good"}) for site in (f.TOWN, f.COUNTY))
    for load in see.loads if item.state in {"delivered", "missing"} else ():
        if load.state == "delivered" and load.kind == "return":
            who, both = STAFF[load.destination_code][0], {**named, "consignment": load.number}
            yield Move(who, "receive_item", both, {"condition": "good"}, how=HOWS[see.turn % 4])
            yield Move(who, "item_missing", both)
    if item.on_hold:
        yield Move("manager", "release_item", named)


def _everywhere(see: _Picture) -> Iterator[Move]:
    yield Move("nurse", "register", {"specimen": f"N{see.turn}"}, {"tests": ["CBC"]})
    yield Move("receiver", "register_item", {}, {"kind": "report", "destination": f.TOWN})
    yield Move("receiver", "register_item", {}, {"kind": "quality_control", "destination": f.TOWN,
                                                 "temp_class": "cold_2_8"})  # fmt: skip
    yield Move("nurse", "ready", {}, site=f.TOWN)
    yield Move("nurse", "urgent_call", {}, {"within_min": 30}, site=f.TOWN)
    yield Move("courier", "depart", {}, site=f.TOWN)


# --- what must not go through ---------------------------------------------------------------------------------------


def _wrong(see: _Picture) -> Iterator[Move]:
    seals = [one.seal_number for one in see.loads if one.seal_number]
    for tube in see.tubes:
        named = {"specimen": tube.accession, "specimen_id": tube.id}
        for people in STAFF.values():
            yield Move(people[0], ("accept", "unpack", "collect", "dispose")[(see.turn + tube.id) % 4], named)
        site = tube.location_code or f.TOWN
        boxes = [box.code for box in see.boxes if box.location_code == site and box.code != tube.box_code]
        for box in boxes if tube.box_code or tube.on_hold else ():
            yield Move(STAFF[site][0], "pack", {**named, "box": box})
        for number in {one.number for one in see.loads if one.state not in {"delivered", "closed", "cancelled"}} & {
            tube.consignment_number
        }:
            for who in ("receiver", "cityreceiver"):
                yield Move(who, "receive", {**named, "consignment": number}, {"condition": "good"})
    for load in see.loads:
        named = {"consignment": load.number}
        who = STAFF[load.destination_code][0]
        yield Move(who, "close_receipt", named)
        yield Move(STAFF[load.origin_code][0], "seal", named, {"seal": seals[see.turn % len(seals)]})
        yield Move("courier", "unseal", named, {"reason": "look"})
        count = _counted(see, load) + 1
        yield Move(
            "courier", "hand_over", named, {"other": who, "pin": PIN, "count": count}, site=load.destination_code
        )
