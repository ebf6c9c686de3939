"""On the road: the courier arrives and departs, and what he carries for a site has arrived."""

from __future__ import annotations

import math
from datetime import timedelta

from sqlalchemy import Select, select

from logistics.domain import access
from logistics.domain.acts import Act, Status
from logistics.domain.custody import EventType as E
from logistics.errors import Invalid
from logistics.models import Act as ActRow
from logistics.models import Consignment, Handover, Stop, User
from logistics.services import items, lookup
from logistics.services.desk import Desk

A_SHIFT = timedelta(hours=14)


def arrive(desk: Desk) -> None:
    """The courier is at a site: the stop is marked, and whatever he carries for this site has arrived."""
    site = desk.site
    carried = lookup.locked(desk.session, _arriving(desk, site))
    for consignment in carried:
        arrived(desk, consignment, site)
    _arrived_before_delivery(desk, site)
    stop = _stop(desk, site, ("planned",))
    if stop is not None:
        stop.state, stop.actual_arrive_at = "arrived", desk.act.occurred_at
    desk.result.update(
        site=site, stop=stop.id if stop else None, arrived=[consignment.number for consignment in carried]
    )


def _arriving(desk: Desk, site: str) -> Select[Consignment]:
    """What the courier carries for this site; at a laboratory the receiver names the one box that stands before him,
    because a courier whose phone is silent has arrived all the same."""
    query = select(Consignment).where(Consignment.destination_code == site, Consignment.state == "in_transit")
    if desk.actor.role == access.COURIER:
        return query.where(Consignment.holder == desk.actor.username)
    number = lookup.text(desk.act.subject.get("consignment"), field="consignment")
    return query.where(Consignment.number == number, Consignment.destination_code == desk.own_site())


def arrived(desk: Desk, consignment: Consignment, site: str) -> None:
    """The consignment and its tubes have reached the site."""
    desk.append_consignment(consignment, E.ARRIVED, {"box": consignment.box_code}, site=site)
    for tube in lookup.tubes(desk.session, consignment.number):
        desk.append_specimen(tube, E.ARRIVED, {"consignment": consignment.number}, site=site)
    items.follow(desk, consignment, E.ARRIVED, site=site)


def _arrived_before_delivery(desk: Desk, site: str) -> None:
    """The delivery was uploaded before this arrival: the record, which took one for the other, learns the true time."""
    if not desk.act.offline or desk.actor.role != access.COURIER:
        return
    at = desk.act.occurred_at
    signed = select(Handover.consignment_number).where(
        Handover.giver == desk.actor.username, Handover.site_code == site, Handover.meaning == "delivery",
        Handover.occurred_at >= at, Handover.occurred_at <= at + A_SHIFT,
    )  # fmt: skip
    query = select(Consignment).where(
        Consignment.number.in_(signed),
        Consignment.departed_at <= at,
        Consignment.arrived_at == Consignment.delivered_at,
    )
    for consignment in lookup.locked(desk.session, query.order_by(Consignment.number)):
        desk.append_consignment(consignment, E.ARRIVED, {"box": consignment.box_code, "late": True}, site=site)


def arrived_already(desk: Desk, consignment: Consignment, courier: User) -> None:
    """The courier told of arriving there before this pickup was known here: now the arrival concerns this box, too."""
    if not desk.act.offline:
        return
    query = (
        select(ActRow.body)
        .where(ActRow.status == Status.DONE.value, ActRow.recorded_at >= desk.act.occurred_at)
        .where(ActRow.username == courier.username, ActRow.type == "arrive")
        .where(ActRow.occurred_at > desk.act.occurred_at)
        .order_by(ActRow.occurred_at)
    )
    for body in desk.session.scalars(query):
        told = Act.from_kept(body)
        if told.site is not None and told.site == consignment.destination_code:
            arrived(Desk(desk.session, told, courier, desk.scope, desk.now), consignment, told.site)
            return


def depart(desk: Desk) -> None:
    """The courier leaves a site."""
    site = desk.site
    stop = _stop(desk, site, ("arrived", "planned"))
    if stop is not None:
        stop.state, stop.actual_depart_at = "done", desk.act.occurred_at
        stop.actual_arrive_at = stop.actual_arrive_at or desk.act.occurred_at
    desk.result.update(site=site, stop=stop.id if stop else None)


def _stop(desk: Desk, site: str, states: tuple[str, ...]) -> Stop | None:
    """The stop that the act names, else the courier's next one at this site today.

    A phone may still hold the stops of a plan that was replaced meanwhile: the visit counts all the same.
    """
    wanted = desk.act.subject.get("stop")
    query = select(Stop).where(Stop.courier == desk.actor.username, Stop.site_code == site)
    if isinstance(wanted, int) and 0 < wanted < 2**31:
        found = desk.session.scalars(query.where(Stop.id == wanted)).first()
        if found is not None:
            return found
    at = desk.act.occurred_at
    query = query.where(Stop.state.in_(states), Stop.arrive_at.between(at - A_SHIFT, at + A_SHIFT))
    return desk.session.scalars(query.order_by(Stop.position)).first()


def measured(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text) if len(text) <= 16 else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Invalid("field_malformed", field="box_temp_c")
    return value
