"""Send-outs (外送): tubes leave the network under a contract, signed by us and by whoever takes them.

The taker may have no account: then his printed name, organisation and meaning are typed on our screen, and a second
member of our staff confirms with the own PIN that he stood there. What the external laboratory received is told by
its own account, or recorded by our manager from the paper it sent back.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import select

from logistics.domain import access
from logistics.domain import signatures as signed
from logistics.domain.custody import EventType as E
from logistics.errors import Conflict, Forbidden, Invalid, NotFound
from logistics.models import Consignment, Contract, Handover, Specimen, User
from logistics.services import contracts, items, lookup, signatures
from logistics.services.acts import transport
from logistics.services.acts.receipt import CONDITIONS
from logistics.services.desk import Desk

SENT_OUT, CONFIRMED = "send_out", "delivery"
MAX_NAME = 60


def release(desk: Desk) -> None:
    """The releasing person of our laboratory and the taker sign; custody leaves the network.

    payload: ``count``; either ``other`` (user of the external laboratory) with ``pin``, or ``taker_name``,
    ``taker_organisation``, and ``witness`` (a second member of our staff) with ``pin``; [``box_temp_c``].
    """
    consignment = _send_out(desk)
    taker = _taker(desk, consignment)  # first: what was shown to prove presence is not kept, should the rest wait
    site = desk.own_site()
    if consignment.origin_code != site:
        raise Conflict("box_elsewhere", field="consignment", box=consignment.box_code, site=consignment.origin_code)
    if consignment.state != "sealed":
        raise Conflict("consignment_state", field="consignment", subject=consignment.number, state=consignment.state)
    contract = contracts.require_valid(desk, consignment.contract_reference)
    tubes = lookup.tubes(desk.session, consignment.number)
    if desk.payload("count", int) != len(tubes):
        counted = desk.payload("count", int)
        raise Conflict("handover_count_differs", field="count", counted=counted, expected=len(tubes))
    signature = {**taker, **_ours(desk, contract)}
    temp = desk.payload("box_temp_c", required=False)
    _sign(desk, consignment, tubes, signature, temp=temp, site=site)
    hours = contract.turnaround_h
    desk.result.update(
        consignment=consignment.number, state=consignment.state, count=len(tubes), taker=signature["taker_name"],
        contract=contract.reference, turnaround_h=str(hours) if hours is not None else None,
    )  # fmt: skip


def _send_out(desk: Desk) -> Consignment:
    consignment = lookup.consignment(desk)
    if consignment.kind != items.SEND_OUT:
        raise Conflict("not_a_send_out", field="consignment", consignment=consignment.number)
    return consignment


def _ours(desk: Desk, contract: Contract) -> dict[str, str]:
    return {
        "handover": desk.act.id,
        "giver": desk.actor.username,
        "giver_name": desk.actor.name_zh or desk.actor.username,
        "meaning": SENT_OUT,
        "contract": contract.reference,
    }


def _taker(desk: Desk, consignment: Consignment) -> dict[str, str]:
    """Who takes it: a user of the external laboratory who signs himself, or a stranger whom one of us confirms."""
    if desk.act.payload.get("other"):
        other = _known(desk, desk.payload("other"), field="other")
        if other.site_code != consignment.destination_code:
            raise Forbidden("signer_elsewhere", field="other", site=consignment.destination_code)
        signatures.require_pin(desk, other)
        name = other.name_zh or other.username
        return {"taker": other.username, "taker_name": name, "organisation": "", "method": "pin", "witness": "",
                "witness_name": ""}  # fmt: skip
    name = _printed(desk, "taker_name")
    organisation = _printed(desk, "taker_organisation")
    witness = _known(desk, desk.payload("witness"), field="witness")
    if not signatures.stands_at(desk.session, witness, consignment.origin_code) or witness.role == access.COURIER:
        raise Forbidden("witness_not_ours", field="witness")
    signatures.require_pin(desk, witness)
    return {
        "taker": f"{name} · {organisation}",  # no user name looks like this
        "taker_name": name,
        "organisation": organisation,
        "method": "witness",
        "witness": witness.username,
        "witness_name": witness.name_zh or witness.username,
    }


def _known(desk: Desk, username: str, *, field: str) -> User:
    found = desk.session.scalars(select(User).where(User.username == username, User.active)).first()
    if found is None:
        raise NotFound("user_unknown", field=field)
    if found.id == desk.actor.id:
        raise Invalid("two_people_needed", field=field)
    return found


def _printed(desk: Desk, key: str) -> str:
    text: str = desk.payload(key).strip()
    if not text:
        raise Invalid("field_missing", field=key)
    if len(text) > MAX_NAME:
        raise Invalid("field_malformed", field=key)
    return text


def _sign(
    desk: Desk, consignment: Consignment, tubes: list[Specimen], signature: dict[str, str], *, temp: str | None,
    site: str,
) -> None:  # fmt: skip
    transport.measured(temp)
    facts = {**signature, "count": len(tubes), "refused": 0, "box_temp_c": temp, "box": consignment.box_code}
    event = desk.append_consignment(consignment, E.HANDED_OVER, facts, site=site)
    for tube in tubes:
        desk.append_specimen(tube, E.HANDED_OVER, {**signature, "consignment": consignment.number}, site=site)
    desk.session.add(Handover(**asdict(signed.passed(event))))


def confirm(desk: Desk) -> None:
    """The external laboratory has received the send-out: every tube good, or missing by number.

    By its own account at its own site; or by our manager from its paper (``how`` imported, ``received_by`` the
    person named on it). payload: ``condition``, [``missing`` [accessions], ``received_by``].
    """
    consignment = _send_out(desk)
    if consignment.state not in {"in_transit", "arrived", "delivered"}:
        raise Conflict("consignment_state", field="consignment", subject=consignment.number, state=consignment.state)
    site = consignment.destination_code
    person = _receiving_person(desk, consignment)
    condition = desk.payload("condition")
    if condition not in CONDITIONS:
        raise Invalid("condition_unknown", field="condition", condition=str(condition)[:40])
    tubes = lookup.tubes(desk.session, consignment.number)
    missing = _missing(desk, tubes)
    _bring_in(desk, consignment, tubes, person, site)
    for tube in tubes:
        facts: dict[str, Any] = {"consignment": consignment.number, "received_by": person}
        if tube.accession in missing:
            desk.append_specimen(tube, E.DECLARED_MISSING, facts, site=site)
        else:
            desk.append_specimen(tube, E.RECEIVED, {**facts, "condition": condition}, site=site)
    counts = {desk.act.how: len(tubes) - len(missing)} | ({"missing": len(missing)} if missing else {})
    desk.append_consignment(consignment, E.CLOSED, {"counts": counts, "received_by": person}, site=site)
    desk.result.update(consignment=consignment.number, state=consignment.state, counts=counts, received_by=person)


def _receiving_person(desk: Desk, consignment: Consignment) -> str:
    if desk.actor.site_code == consignment.destination_code:
        return desk.actor.name_zh or desk.actor.username
    if desk.actor.role != access.MANAGER or not desk.scope.covers(consignment.origin_code):
        raise Forbidden("act_role", field="type", event="confirm_send_out")
    if desk.act.how != "imported":
        raise Invalid("send_out_needs_paper", field="how")
    return _printed(desk, "received_by")


def _missing(desk: Desk, tubes: list[Specimen]) -> set[str]:
    named = desk.payload("missing", list, required=False, default=[])
    inside = {tube.accession for tube in tubes}
    for accession in named:
        if accession not in inside:
            raise Invalid("specimen_not_in_consignment", field="missing", specimen=str(accession)[:40])
    return set(named)


def _bring_in(desk: Desk, consignment: Consignment, tubes: list[Specimen], person: str, site: str) -> None:
    """From wherever the chain stands to the external laboratory: arrived, then handed over to the person named."""
    number = {"consignment": consignment.number}
    if consignment.state == "in_transit":
        desk.append_consignment(consignment, E.ARRIVED, {"box": consignment.box_code}, site=site)
        for tube in tubes:
            desk.append_specimen(tube, E.ARRIVED, number, site=site)
    if consignment.state == "arrived":
        giver = consignment.holder or ""
        signature = {
            "handover": desk.act.id,
            "giver": giver,
            "giver_name": giver,
            "taker": desk.actor.username if desk.actor.site_code == site else "",
            "taker_name": person,
            "meaning": CONFIRMED,
            "method": "paper" if desk.act.how == "imported" else "app",
            "contract": consignment.contract_reference or "",
        }
        _sign(desk, consignment, tubes, signature, temp=None, site=site)
