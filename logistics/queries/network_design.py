"""The network as the design of it needs it: where sites lie, how many boxes they send a day, who serves them today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Consignment, Site
from logistics.models.network import CITY_CENTRE, COUNTY_CENTRE, TOWNSHIP
from logistics.services import roads
from logistics.services.orders import local_day
from routing.network import Level, Place
from routing.travel import TravelMatrix

LEVELS = {TOWNSHIP: Level.TOWNSHIP, COUNTY_CENTRE: Level.CENTRE, CITY_CENTRE: Level.CITY}
LOOK_BACK = timedelta(weeks=4)


@dataclass(frozen=True, slots=True)
class Known:
    """``days``: with at least one departure, over which boxes were counted. ``assumed``: sites that sent nothing in
    that time, for which a number was assumed; ``unplaced``: sites of which nobody knows where they lie."""

    places: tuple[Place, ...]
    names: dict[str, tuple[str, str]]
    travel: TravelMatrix
    days: int
    assumed: tuple[str, ...]
    unplaced: tuple[str, ...]


def known(session: Session, *, now: datetime, assumed_boxes: float, look_back: timedelta = LOOK_BACK) -> Known:
    """Townships and laboratories that are in use, with their boxes a day."""
    sites = session.scalars(select(Site).where(Site.active, Site.tier.in_(LEVELS)).order_by(Site.code)).all()
    sent, days = _sent(session, now - look_back)
    ways = roads.known(session)
    found, assumed, unplaced = [], [], []
    for site in sites:
        place = ways.place(site)
        if place is None:
            unplaced.append(site.code)
            continue
        boxes = sent[site.code] / days if site.code in sent else assumed_boxes
        if site.code not in sent:
            assumed.append(site.code)
        today = str(site.parent_code or "") if site.tier == TOWNSHIP else ""
        found.append(Place(place, LEVELS[site.tier], boxes, today))
    return Known(
        tuple(found),
        {site.code: (site.name("zh_CN"), site.name("en")) for site in sites},
        ways.estimate.matrix([one.site for one in found]),
        days,
        tuple(assumed),
        tuple(unplaced),
    )


def _sent(session: Session, since: datetime) -> tuple[dict[str, int], int]:
    """Boxes with specimens by the site that they left, and the number of days on which any left."""
    query = select(Consignment.origin_code, Consignment.departed_at).where(
        Consignment.kind == "specimens", Consignment.opened_at >= since, Consignment.departed_at.is_not(None)
    )
    sent: dict[str, int] = {}
    days = set()
    for code, departed_at in session.execute(query):
        if departed_at is not None:
            sent[code] = sent.get(code, 0) + 1
            days.add(local_day(departed_at))
    return sent, len(days)
