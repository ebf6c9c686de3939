"""The fixed round: what is fetched every day without anybody calling, as pickups of kind 'round' and 'trunk'."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Pickup, Site
from logistics.models.catalogue import AMBIENT, COLD, FROZEN
from logistics.models.network import COUNTY_CENTRE, TOWNSHIP
from logistics.services import forecast_loads
from logistics.services.pickups import ROUND_RIDE_MIN, at_minute

TRUNK_READY_MIN = 13 * 60 + 30
"""When a county centre has the morning's tubes for the city spun, aliquoted and boxed: no trunk run leaves before."""
TRUNK_LATEST_MIN = 16 * 60
"""No trunk run leaves after this. When each one leaves in between is chosen with the plan (``planning_tiers``)."""
COUNTED = ("round", "ready")


def ensure(session: Session, sites: Iterable[Site], *, day: str, by: str, now: datetime) -> list[Pickup]:
    """Create the day's fixed pickups of ``sites`` where there is none yet; returns the new ones.

    Townships get a round to their parent, county centres a trunk run to theirs. A site whose window has passed
    gets none: there is nobody to wait for any more.
    """
    wanted = [site for site in sites if site.active and site.parent_code]
    known = {
        (site_code, kind)
        for site_code, kind in session.execute(select(Pickup.site_code, Pickup.kind).where(Pickup.day == day))
    }
    rounds = [
        site
        for site in wanted
        if site.tier == TOWNSHIP
        and not any((site.code, kind) in known for kind in COUNTED)
        and at_minute(day, site.pickup_to_min) > now
    ]
    trunks = [
        site
        for site in wanted
        if site.tier == COUNTY_CENTRE
        and not any((site.code, kind) in known for kind in ("trunk", "ready"))
        and trunk_latest(day, site) > now
    ]
    loads = forecast_loads.expected(session, [site.code for site in (*rounds, *trunks)], day=day)
    made = [_pickup(site, "round", day=day, by=by, now=now, loads=loads[site.code]) for site in rounds]
    made += [_pickup(site, "trunk", day=day, by=by, now=now, loads=loads[site.code]) for site in trunks]
    session.add_all(made)
    session.flush()
    return made


def trunk_latest(day: str, site: Site) -> datetime:
    """When the trunk run leaves a county centre at the latest."""
    return trunk_window(day, site)[1]


def trunk_window(day: str, site: Site) -> tuple[datetime, datetime]:
    """When it may leave."""
    from_min = max(TRUNK_READY_MIN, site.pickup_from_min)
    return at_minute(day, from_min), at_minute(day, max(from_min, min(TRUNK_LATEST_MIN, site.pickup_to_min)))


def _pickup(site: Site, kind: str, *, day: str, by: str, now: datetime, loads: dict[str, int]) -> Pickup:
    trunk = kind == "trunk"
    hours = at_minute(day, site.pickup_from_min), at_minute(day, site.pickup_to_min)
    ready_at, latest_at = trunk_window(day, site) if trunk else hours
    return Pickup(
        day=day,
        site_code=site.code,
        destination_code=site.parent_code,
        kind=kind,
        priority="routine",
        slots_cold=loads.get(COLD, 0),
        slots_ambient=loads.get(AMBIENT, 0),
        slots_frozen=loads.get(FROZEN, 0),
        ready_at=ready_at,
        latest_at=max(ready_at, latest_at),
        max_ride_min=None if trunk else ROUND_RIDE_MIN,
        created_by=by,
        created_at=now,
        state="open",
    )
