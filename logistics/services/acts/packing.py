"""Tubes into boxes: pack, unpack, seal (the manifest locks), open again, tell dispatch that the load is ready."""

from __future__ import annotations

from datetime import timedelta

from logistics.db import next_number
from logistics.domain import access, numbers
from logistics.domain.custody import EventType as E
from logistics.domain.digests import manifest_hash
from logistics.errors import Conflict, Invalid
from logistics.models import Box, Consignment, Specimen
from logistics.models.network import EXTERNAL
from logistics.services import contracts, items, legs, lookup, network, pickups
from logistics.services.acts import seals
from logistics.services.desk import Desk
from logistics.services.orders import local_day

DAY_MIN = 24 * 60


def pack(desk: Desk) -> None:
    """A tube goes into a box. The first tube opens the consignment, which goes to the tube's next laboratory."""
    site = desk.own_site()
    box = lookup.box(desk)
    specimen = lookup.specimen(desk, in_consignment=box.consignment_number)
    if specimen.box_code == box.code and specimen.state == "packed":
        raise Conflict("specimen_in_this_box", field="specimen", specimen=specimen.accession, box=box.code)
    if specimen.box_code:
        raise Conflict("specimen_in_other_box", field="specimen", specimen=specimen.accession, box=specimen.box_code)
    if specimen.location_code != site:
        raise Conflict("specimen_elsewhere", field="specimen", specimen=specimen.accession, site=specimen.location_code)
    if box.kind == "bag":
        raise Conflict("bag_for_papers", field="box", box=box.code)
    lookup.require_class(box, specimen.temp_class, of=specimen.accession)
    consignment = _open_consignment(desk, box, specimen, site)
    if consignment.tube_count >= box.capacity:
        raise Conflict("box_full", field="box", box=box.code, capacity=box.capacity)
    desk.append_specimen(specimen, E.PACKED, {"box": box.code, "consignment": consignment.number}, site=site)
    desk.result.update(
        specimen=specimen.accession,
        box=box.code,
        consignment=consignment.number,
        destination=consignment.destination_code,
        count=consignment.tube_count,
    )


def _open_consignment(desk: Desk, box: Box, specimen: Specimen, site: str) -> Consignment:
    hop = legs.next_hop(desk.session, site, specimen.destination_code)
    if hop == site:
        raise Conflict("specimen_at_destination", field="specimen", specimen=specimen.accession)
    on_the_way = legs.between(desk.session, site, specimen.destination_code)
    if box.consignment_number is None:
        # Sealed through to the laboratory that tests it, where the packer says so.
        through = bool(on_the_way) and desk.payload("through", bool, required=False, default=False)
        return _for_specimens(desk, box, site, specimen.destination_code if through else hop, specimen)
    consignment = lookup.consignment(desk, box.consignment_number)
    if consignment.kind == items.RETURN:
        raise Conflict("box_has_return_load", field="box", box=box.code)
    if consignment.state != "open":
        raise Conflict("box_sealed", field="box", box=box.code, consignment=consignment.number)
    if consignment.origin_code != site:
        raise Conflict("box_elsewhere", field="box", box=box.code, site=consignment.origin_code)
    goes_through = bool(on_the_way) and consignment.destination_code == specimen.destination_code
    if consignment.destination_code != hop and not goes_through:
        raise Conflict(
            "other_destination",
            field="specimen",
            specimen=specimen.accession,
            destination=hop,
            box=box.code,
            box_destination=consignment.destination_code,
        )
    if consignment.contract_reference is not None:
        contracts.check_covers(desk, consignment.contract_reference, specimen)
    return consignment


def _for_specimens(desk: Desk, box: Box, site: str, hop: str, specimen: Specimen) -> Consignment:
    """A consignment up the tree, or, to a laboratory outside of the network, a send-out under its contract."""
    if network.site(desk.session, hop).tier != EXTERNAL:
        return new_consignment(desk, box, site, hop)
    contract = contracts.for_tube(desk, specimen, external=hop, site=site)
    return new_consignment(desk, box, site, hop, kind=items.SEND_OUT, contract=contract.reference)


def new_consignment(
    desk: Desk, box: Box, site: str, destination: str, *, kind: str = "specimens", contract: str | None = None
) -> Consignment:
    """Open a consignment in an empty box. ``kind``: specimens | return | send_out (with its contract)."""
    # An empty box that is scanned here is here, whatever the record last knew of it.
    desk.wrote = True
    day = local_day(desk.act.occurred_at)
    number = numbers.issue(numbers.Kind.CONSIGNMENT, next_number(desk.session, f"consignment:{day}"), day)
    consignment = Consignment(
        number=number,
        origin_code=site,
        destination_code=destination,
        box_code=box.code,
        temp_class=box.temp_class,
        opened_at=desk.act.occurred_at,
        opened_by=desk.actor.username,
        state="new",
        state_since=desk.act.occurred_at,
        tube_count=0,
        manifest_version=0,
        stream_seq=0,
        stream_head="",
        priority="routine",
        kind=kind,
        contract_reference=contract,
        item_count=0,
    )
    desk.session.add(consignment)
    desk.session.flush()
    facts = {"box": box.code, "destination": destination, "temp_class": box.temp_class}
    if kind != "specimens":
        facts["kind"] = kind
    if contract is not None:
        facts["contract"] = contract
    desk.append_consignment(consignment, E.OPENED, facts, site=site)
    return consignment


def require_at_origin(desk: Desk, consignment: Consignment) -> None:
    """Boxes are packed, closed and opened by the people of the site that they leave from, not by those above it, and
    not by a courier, who is nowhere at home. Raises Conflict('box_elsewhere')."""
    if desk.actor.role == access.COURIER or desk.actor.site_code != consignment.origin_code:
        raise Conflict("box_elsewhere", field="box", box=consignment.box_code, site=consignment.origin_code)


def unpack(desk: Desk) -> None:
    """A tube comes out of an open box again."""
    specimen = lookup.specimen(desk)
    number = specimen.consignment_number
    if number is None:
        raise Conflict("specimen_not_packed", field="specimen", specimen=specimen.accession)
    consignment = lookup.consignment(desk, number)
    require_at_origin(desk, consignment)
    if consignment.state != "open":
        raise Conflict("box_sealed", field="box", box=consignment.box_code, consignment=number)
    desk.append_specimen(specimen, E.UNPACKED, {"consignment": number, "box": consignment.box_code})
    desk.result.update(specimen=specimen.accession, consignment=number, count=consignment.tube_count)


def seal(desk: Desk) -> None:
    """The box is closed with a numbered seal; the manifest locks as a new version."""
    consignment = lookup.consignment(desk)
    require_at_origin(desk, consignment)
    seal_number = lookup.text(desk.payload("seal"), field="seal")
    if consignment.state == "open":  # any other is refused for that, whatever the number
        if consignment.tube_count + consignment.item_count == 0:
            raise Conflict("box_without_tubes", field="consignment", box=consignment.box_code)
        seal_number = seals.put_on(desk, consignment, seal_number, field="seal")
    count = close_lid(desk, consignment, seal_number)
    desk.result.update(
        consignment=consignment.number, seal=seal_number, version=consignment.manifest_version, count=count
    )


def close_lid(desk: Desk, consignment: Consignment, seal_number: str) -> int:
    """Lock what is inside as a new version of the manifest. An empty box going home needs no seal number.

    Returns how many tubes and items are inside.
    """
    version = consignment.manifest_version + 1
    tubes = lookup.tubes(desk.session, consignment.number)
    lines = [manifest_line(tube) for tube in tubes]
    loads = items.manifest_lines(desk.session, consignment.number) if consignment.item_count else []
    facts = {
        "seal": seal_number,
        "version": version,
        "tubes": [t["accession"] for t in lines],
        "manifest": manifest_hash([*lines, *loads]),
    }
    if consignment.kind == items.RETURN:
        facts["items"] = [one["item"] for one in loads]
    desk.append_consignment(consignment, E.SEALED, facts)
    sealed = {"seal": seal_number, "consignment": consignment.number, "box": consignment.box_code}
    for tube in tubes:
        desk.append_specimen(tube, E.SEALED, sealed)
    items.follow(desk, consignment, E.SEALED, sealed)
    seals.keep_version(desk, consignment, seal_number, [*lines, *loads])
    return len(lines) + len(loads)


def manifest_line(tube: Specimen) -> dict[str, object]:
    """A tube as it stands on the manifest."""
    return {
        "accession": tube.accession,
        "specimen": tube.id,
        "type": tube.specimen_type,
        "container": tube.container,
        "tests": [ordered.test_code for ordered in tube.tests],
        "priority": tube.priority,
        "collected_at": tube.collected_at.isoformat() if tube.collected_at else None,
        "use_by": tube.use_by_at.isoformat() if tube.use_by_at else None,
        "destination": tube.destination_code,
    }


def unseal(desk: Desk) -> None:
    """A sealed box is opened before it left; sealing it again makes the next version of the manifest."""
    consignment = lookup.consignment(desk)
    require_at_origin(desk, consignment)
    why = desk.payload("reason")
    desk.append_consignment(consignment, E.UNSEALED, {"reason": why})
    for tube in lookup.tubes(desk.session, consignment.number):
        desk.append_specimen(tube, E.UNSEALED, {"consignment": consignment.number})
    items.follow(desk, consignment, E.UNSEALED)
    desk.result.update(consignment=consignment.number, state=consignment.state)


def cancel(desk: Desk) -> None:
    """The consignment does not travel; its tubes come out of the box, in the hands of whoever stands before it. A
    manager above the site may write off a box that its people have left."""
    consignment = lookup.consignment(desk)
    if desk.actor.role == access.MANAGER:
        desk.scope.require(consignment.origin_code, code="consignment_unknown")
    else:
        require_at_origin(desk, consignment)
    for tube in lookup.tubes(desk.session, consignment.number):
        desk.append_specimen(tube, E.UNPACKED, {"consignment": consignment.number, "box": consignment.box_code})
    items.follow(desk, consignment, E.UNPACKED, {"box": consignment.box_code})
    desk.append_consignment(consignment, E.CANCELLED, {"reason": desk.payload("reason")})
    desk.result.update(consignment=consignment.number, state=consignment.state)


def ready(desk: Desk) -> None:
    """The site tells dispatch that its sealed boxes can be fetched."""
    pickup = pickups.ready(desk.session, desk.own_site(), at=desk.act.occurred_at, by=desk.actor.username)
    desk.result.update(pickup=pickup.id, boxes=pickup.slots_cold + pickup.slots_ambient + pickup.slots_frozen)


def urgent_call(desk: Desk) -> None:
    """Something must be fetched outside the round."""
    within_min = desk.payload("within_min", int, required=False, default=90)
    if not 1 <= within_min <= DAY_MIN:
        raise Invalid("field_malformed", field="within_min")
    pickup = pickups.urgent(
        desk.session,
        desk.own_site(),
        at=desk.act.occurred_at,
        by=desk.actor.username,
        note=desk.payload("note", required=False, default="")[:1000],
        within=timedelta(minutes=within_min),
    )
    desk.result.update(pickup=pickup.id)
