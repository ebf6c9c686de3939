"""Pickups: what waits at a site to be fetched."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.errors import Conflict
from logistics.models import Consignment, Pickup, Site
from logistics.models.catalogue import AMBIENT, COLD, FROZEN
from logistics.models.network import TOWNSHIP
from logistics.services import alerts, legs
from logistics.services.orders import ZONE, local_day

SLOT_COLUMN = {COLD: "slots_cold", AMBIENT: "slots_ambient", FROZEN: "slots_frozen"}
URGENT_RIDE_MIN = 90
# From a township to its laboratory in two hours: what Honghu reports, and what we hold the plan to.
ROUND_RIDE_MIN = 120


def at_minute(day: str, minute: int) -> datetime:
    """Local date and minutes after local midnight → instant."""
    midnight = datetime.combine(datetime.fromisoformat(day).date(), time(), ZONE)
    return midnight + timedelta(minutes=minute)


def waiting(session: Session, site_code: str) -> list[Consignment]:
    """Sealed boxes that stand at the site, those on their way through it included."""
    query = select(Consignment).where(
        Consignment.location_code == site_code,
        Consignment.state.in_(("sealed", "waiting")),
        Consignment.kind == "specimens",  # what goes down rides on the round; what is sent out is fetched
    )
    return list(session.scalars(query.order_by(Consignment.sealed_at)))


def ready(session: Session, site_code: str, *, at: datetime, by: str) -> Pickup:
    """Make or bring up to date today's pickup of a site from the boxes that wait there.

    Raises Conflict('nothing_ready') when no sealed box waits.
    """
    boxes = waiting(session, site_code)
    if not boxes:
        raise Conflict("nothing_ready", field="site", site=site_code)
    site = session.get_one(Site, site_code)
    day = local_day(at).isoformat()
    pickup = session.scalars(
        select(Pickup)
        .where(Pickup.site_code == site_code, Pickup.day == day, Pickup.kind.in_(("round", "ready", "trunk")))
        .where(Pickup.state.in_(("open", "planned")))
        .order_by(Pickup.id)
    ).first()
    if pickup is None:
        pickup = _new(session, site, at=at, by=by, kind="ready", destination=boxes[0].destination_code)
    for column in SLOT_COLUMN.values():
        setattr(pickup, column, 0)
    for consignment in boxes:
        column = SLOT_COLUMN[consignment.temp_class]
        setattr(pickup, column, getattr(pickup, column) + 1)
    pickup.kind = "ready"
    pickup.consignment_number = boxes[0].number
    return pickup


def urgent(session: Session, site_code: str, *, at: datetime, by: str, note: str, within: timedelta) -> Pickup:
    """An urgent call: fetched within the given time, whatever the round does. Dispatch is alerted."""
    site = session.get_one(Site, site_code)
    destination = legs.chain_up(site_code, {site.code: site.parent_code})[-1]
    pickup = _new(session, site, at=at, by=by, kind="urgent", destination=destination)
    pickup.priority = "stat"
    pickup.latest_at = at + within
    pickup.max_ride_min = URGENT_RIDE_MIN
    pickup.note = note
    pickup.slots_cold = 1
    session.flush()
    alerts.raise_alert(
        session,
        kind="urgent_call",
        severity="warning",
        site_code=destination,
        origin_code=site_code,
        incident_key=f"urgent:{pickup.id}",
        params={"site": site_code, "within_min": int(within.total_seconds() // 60)},
        occurred_at=at,
        now=at,
    )
    return pickup


def _new(session: Session, site: Site, *, at: datetime, by: str, kind: str, destination: str) -> Pickup:
    day = local_day(at).isoformat()
    latest = max(at_minute(day, site.pickup_to_min), at + timedelta(hours=1))
    pickup = Pickup(
        day=day,
        site_code=site.code,
        destination_code=destination,
        kind=kind,
        priority="routine",
        slots_cold=0,
        slots_ambient=0,
        slots_frozen=0,
        ready_at=at,
        latest_at=latest,
        max_ride_min=ROUND_RIDE_MIN if site.tier == TOWNSHIP else None,
        created_by=by,
        created_at=at,
        state="open",
    )
    session.add(pickup)
    return pickup
