"""The courier's own order of the stops that are left, and that he has seen the plan.

The plan stays as it was published; the expected times (``Stop.eta_at``) follow the order that he drives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from logistics.db import next_number
from logistics.errors import Conflict
from logistics.models import Site, Stop
from logistics.queries import courier as queries
from logistics.services.custody import BOARD
from logistics.services.orders import local_day

Travel = Mapping[str, Mapping[str, int]]


def seen(session: Session, username: str, *, now: datetime) -> int:
    """The courier has today's published stops before him. Returns how many were new to him."""
    fresh = [stop for stop in _today(session, username, now) if stop.seen_at is None]
    for stop in fresh:
        stop.seen_at = now
    if fresh:
        next_number(session, BOARD)
    return len(fresh)


def reorder(session: Session, username: str, stop_ids: Sequence[int], *, now: datetime) -> list[Stop]:
    """Drive the stops that are left in this order; their expected times are worked out again.

    Raises Conflict('stops_changed') when these are not exactly the stops that are left.
    """
    stops = _today(session, username, now)
    left = {stop.id: stop for stop in stops if stop.state == "planned" and stop.kind != "start"}
    if sorted(stop_ids) != sorted(left):
        raise Conflict("stops_changed", field="stops")
    ordered = [left[one] for one in stop_ids]
    sites = {stop.site_code: stop.site for stop in stops}
    start_site, start_at = whereabouts(stops, now)
    travel = queries.as_planned(queries.travel_s(session, list(sites.values())), stops)
    expected = etas(ordered, sites, start_site, start_at, travel)
    for stop, eta in zip(ordered, expected, strict=True):
        stop.eta_at = eta
    next_number(session, BOARD)
    return ordered


def whereabouts(stops: Sequence[Stop], now: datetime) -> tuple[str | None, datetime]:
    """(site, earliest departure): where the courier starts the rest of his round."""
    at_one = next((stop for stop in stops if stop.state == "arrived"), None)
    if at_one is not None:
        arrived = at_one.actual_arrive_at or now
        return at_one.site_code, max(now, arrived + timedelta(minutes=at_one.site.service_min))
    done = [stop for stop in stops if stop.state == "done" and stop.actual_depart_at]
    if done:
        last = max(done, key=lambda stop: stop.actual_depart_at or now)
        return last.site_code, last.actual_depart_at or now
    start = next((stop for stop in stops if stop.kind == "start"), None)
    if start is not None:
        return start.site_code, max(now, start.depart_at)
    return None, now


def etas(
    ordered: Sequence[Stop], sites: Mapping[str, Site], start_site: str | None, start_at: datetime, travel: Travel
) -> list[datetime]:
    """Arrival at each stop: drive, wait for the window to open, serve, drive on."""
    found = []
    here, at = start_site, start_at
    for stop in ordered:
        at += timedelta(seconds=travel.get(here or "", {}).get(stop.site_code, 0))
        found.append(at)
        at = max(at, stop.window_from_at or at) + timedelta(minutes=sites[stop.site_code].service_min)
        here = stop.site_code
    return found


def _today(session: Session, username: str, now: datetime) -> list[Stop]:
    return queries.stops_of(session, username, local_day(now).isoformat())
