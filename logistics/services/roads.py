"""How fast the roads are: assumed by terrain, until recorded legs have taught better (``labrelay travel calibrate``).

    known = roads.known(session)
    known.place(site)                 # as the planner knows a site
    taught = roads.teach(session, now=now)   # raises Conflict('legs_too_few'); roads.keep(session, taught, now=now)

A road class is the terrain of a site. What was learned stands in a setting, with the error before and after on legs
that the fit had not seen, and every plan that is made from then on uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise

import msgspec
from geopy.distance import geodesic
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.errors import Conflict
from logistics.models import CourierPosition, Setting, Site, Stop
from logistics.services.orders import ZONE, local_day
from routing import Site as Place
from routing import Window
from routing.problem import DAY_S, SpeedBand
from routing.travel import CachedProvider, GeodesicProvider, TravelProvider
from routing.travel.calibration import HOURS, Calibration, Road
from routing.travel.fitting import Leg, TooFewLegs, fit
from routing.travel.geodesic import FAST_KMH

SETTING = "travel.calibration"
USUAL = "mixed"
ASSUMED = Calibration(
    roads={"plain": Road(1.3, 40.0), USUAL: Road(1.4, 40.0), "hills": Road(1.5, 35.0)}, fast_kmh=FAST_KMH
)
DOOR_S = 60
LOOK_BACK = timedelta(weeks=4)
LONGEST = timedelta(hours=4)
"""What took longer was no leg but a break, or a forgotten scan."""
TRACK_GAP = timedelta(minutes=3)
"""With a longer hole in a track its metres are not known."""
EVEN = 0.03
"""Hours that differ by less than this from the mean of the day are not told apart."""


@dataclass(frozen=True, slots=True)
class Roads:
    """What is known of the roads now."""

    calibration: Calibration = ASSUMED

    def of(self, terrain: str) -> Road:
        """Detour factor and speed (km/h) of a terrain; an unknown one is a mixed one."""
        known = self.calibration.roads
        return known.get(terrain) or known.get(USUAL) or ASSUMED.roads[USUAL]

    def place(self, site: Site) -> Place | None:
        """The site as the planner knows it; None when nobody knows where it lies."""
        if site.lat is None or site.lon is None:
            return None
        road = self.of(site.terrain)
        opens = (Window(site.opens_min * 60, DAY_S - 1),) if site.cutoff_min is not None else ()
        return Place(site.code, site.lat, site.lon, opens, DOOR_S, road.detour_factor, road.speed_kmh)

    @property
    def speed_bands(self) -> tuple[SpeedBand, ...]:
        """The hours of the day that are slower or faster than its mean, for the problem of a day."""
        factors = [1.0 if abs(one - 1) < EVEN else round(1 / one, 4) for one in self.calibration.hour_factors]
        changes = [hour for hour in range(HOURS) if factors[hour] != (factors[hour - 1] if hour else 1.0)]
        return tuple(SpeedBand(hour * 3600, factors[hour]) for hour in changes)

    @property
    def estimate(self) -> TravelProvider:
        """Driving times without a road server; remembers pairs of places."""
        return _estimate(self.calibration.fast_kmh)


@cache
def _estimate(fast_kmh: float) -> TravelProvider:
    return CachedProvider(GeodesicProvider(Calibration(roads={}, fast_kmh=fast_kmh)))


def known(session: Session) -> Roads:
    """What was taught last, else what is assumed."""
    row = session.get(Setting, SETTING)
    return Roads() if row is None else Roads(msgspec.convert(row.value, Calibration))


def teach(session: Session, *, now: datetime, look_back: timedelta = LOOK_BACK) -> Calibration:
    """Fit the roads to the legs that were driven lately. Raises Conflict('legs_too_few')."""
    begun = known(session).calibration
    try:
        return fit(legs(session, since=now - look_back), begun.roads, fast_kmh=begun.fast_kmh)
    except TooFewLegs as error:
        raise Conflict("legs_too_few", known=error.known, needed=error.needed) from None


def keep(session: Session, taught: Calibration, *, now: datetime) -> Calibration:
    """Plans are made with it from now on."""
    row = session.get(Setting, SETTING)
    version = known(session).calibration.version + 1
    kept = replace(taught, version=version, fitted_on=local_day(now).isoformat())
    value = msgspec.to_builtins(kept)
    if row is None:
        session.add(Setting(name=SETTING, value=value))
    else:
        row.value = value
    return kept


def forget(session: Session) -> None:
    """Back to what is assumed."""
    row = session.get(Setting, SETTING)
    if row is not None:
        session.delete(row)


def driven(session: Session, *, since: datetime) -> Iterator[tuple[Stop, Stop]]:
    """(stop, next stop) of drives that were recorded at both ends, the first left and the second reached."""
    stops = session.scalars(
        select(Stop)
        .where(Stop.actual_arrive_at >= since, Stop.actual_depart_at.is_not(None), Stop.state == "done")
        .order_by(Stop.plan_id, Stop.courier, Stop.actual_arrive_at)
    ).all()
    for before, stop in pairwise(stops):
        if (before.plan_id, before.courier, before.position + 1) != (stop.plan_id, stop.courier, stop.position):
            continue
        if before.actual_depart_at is None or stop.actual_arrive_at is None:
            continue
        if timedelta() < stop.actual_arrive_at - before.actual_depart_at < LONGEST:
            yield before, stop


def legs(session: Session, *, since: datetime) -> list[Leg]:
    """The recorded drives since then, with the metres of their tracks where those are whole."""
    found: list[Leg] = []
    roads = known(session)
    for before, stop in driven(session, since=since):
        origin, target = roads.place(before.site), roads.place(stop.site)
        left, reached = before.actual_depart_at, stop.actual_arrive_at
        if origin is None or target is None or left is None or reached is None:
            continue
        track = _track_m(session, stop.courier, left, reached)
        found.append(
            Leg(
                origin=origin,
                target=target,
                origin_class=before.site.terrain or USUAL,
                target_class=stop.site.terrain or USUAL,
                depart_s=_of_day(left),
                travel_s=int((reached - left).total_seconds()),
                distance_m=track,
            )
        )
    return found


def _of_day(at: datetime) -> int:
    local = at.astimezone(ZONE)
    return local.hour * 3600 + local.minute * 60 + local.second


def _track_m(session: Session, courier: str, left: datetime, reached: datetime) -> int | None:
    """Metres of the positions between leaving and arriving; None where a hole is longer than TRACK_GAP."""
    points: Sequence[tuple[datetime, float, float]] = [
        (row.at, row.lat, row.lon)
        for row in session.execute(
            select(CourierPosition.at, CourierPosition.lat, CourierPosition.lon)
            .where(CourierPosition.username == courier, CourierPosition.at.between(left, reached))
            .order_by(CourierPosition.at)
        )
    ]
    moments = [left, *(at for at, _, _ in points), reached]
    if len(points) < 2 or any(after - before > TRACK_GAP for before, after in pairwise(moments)):
        return None
    metres = sum(geodesic(a[1:], b[1:]).meters for a, b in pairwise(points))
    return round(metres) or None
