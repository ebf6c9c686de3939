"""What the dispatcher reads of plans: a list, and one plan with routes, stops, loads and what was left out.

Plain data: times ISO 8601 in UTC, names in the wanted language, reasons as codes with params (the sentences are
made where people read them).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.access import Scope
from logistics.models import Courier, Job, Pickup, Plan, Site, Stop, User
from logistics.queries import dispatch_trunks
from logistics.services import (
    planning,
    planning_limits,
    planning_odds,
    planning_problem,
    planning_replan,
    planning_versions,
    timetable,
)
from logistics.services.planning_problem import DayClock, pickup_of
from routing import Kind, Problem, Request, Route, from_builtins
from routing.plan import Stop as Visit

MAX_PLANS = 200
MAX_CHILDREN = 6
_MARGIN_S = int(planning_limits.CUTOFF_MARGIN.total_seconds())
TIERS = {"township": "township", "county_centre": "county", "city_centre": "city"}


def iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def plans(
    session: Session, scope: Scope, *, day: str | None = None, state: str | None = None, group: str | None = None
) -> list[Plan]:
    """The plans of the user's scopes, newest first; problems and results are read only where they are shown."""
    query = select(Plan).order_by(Plan.day.desc(), Plan.id.desc()).limit(MAX_PLANS)
    if not scope.everything:
        query = query.where(Plan.scope_code.in_(sorted(scope.sites)))
    if day:
        query = query.where(Plan.day == day)
    if state:
        query = query.where(Plan.state == state)
    if group:
        query = query.where(Plan.group_id == group)
    return list(session.scalars(query))


def centres(session: Session, scope: Scope) -> list[Site]:
    """The scopes that this user may plan: his county centre, or the city and every county."""
    query = select(Site).where(Site.tier.in_(("county_centre", "city_centre")), Site.active)
    if not scope.everything:
        query = query.where(Site.code.in_(sorted(scope.sites)))
    return sorted(session.scalars(query), key=lambda site: (site.tier != "city_centre", site.code))


def summary(row: Plan, locale: str, names: Mapping[str, str]) -> dict[str, Any]:
    """One line of the list."""
    return {
        "id": row.id,
        "day": row.day,
        "name": row.name,
        "scope": {"code": row.scope_code, "name": names.get(row.scope_code, row.scope_code)},
        "state": row.state,
        "distance_m": row.distance_m,
        "duration_s": row.duration_s,
        "couriers": len(row.result.get("routes", ())),
        "unserved": row.unserved_count,
        "created_at": iso(row.created_at),
        "created_by": row.created_by,
        "published_at": iso(row.published_at),
        "published_by": row.published_by,
        "notice": row.notice,
        "revision": row.revision,
        "parent": row.parent_id,
        "group": row.group_id,
    }


def site_names(session: Session, codes: Iterable[str], locale: str) -> dict[str, str]:
    return {
        site.code: site.name(locale) for site in session.scalars(select(Site).where(Site.code.in_(sorted(set(codes)))))
    }


def user_names(session: Session, usernames: Iterable[str], locale: str) -> dict[str, str]:
    query = select(User).where(User.username.in_(sorted(set(usernames))))
    return {user.username: user.name(locale) for user in session.scalars(query)}


def job_of(session: Session, row: Plan) -> dict[str, Any] | None:
    """How far the planning job is."""
    job = session.get(Job, row.job_id) if row.job_id else None
    if job is None:
        return None
    return {
        "id": job.id,
        "state": job.state,
        "attempts": job.attempts,
        "progress": job.progress,
        "stop_requested": job.stop_requested,
        "error": job.error,
        "seconds": job.args.get("seconds"),
    }


def improvements(session: Session, row: Plan) -> list[dict[str, Any]]:
    """What was searched on from this draft and is not over yet, or is better: newest first, with the gain."""
    query = select(Plan).where(Plan.parent_id == row.id, Plan.state.in_(("planning", "ready"))).order_by(Plan.id.desc())
    found = []
    for child in session.scalars(query.limit(MAX_CHILDREN)):
        ended = child.state == "ready"
        found.append(
            {
                "id": child.id,
                "name": child.name,
                "state": child.state,
                "created_at": iso(child.created_at),
                "job": job_of(session, child),
                "gain": gain(row, child) if ended else None,
            }
        )
    return found


def gain(row: Plan, other: Plan) -> dict[str, Any]:
    """What the other plan has more (or less) than this one."""
    return {
        "distance_m": (other.distance_m or 0) - (row.distance_m or 0),
        "duration_s": (other.duration_s or 0) - (row.duration_s or 0),
        "couriers": len(other.result.get("routes", ())) - len(row.result.get("routes", ())),
        "unserved": (other.unserved_count or 0) - (row.unserved_count or 0),
        "cost": round(float(other.result.get("cost", 0)) - float(row.result.get("cost", 0)), 2),
    }


def plan(session: Session, row: Plan, locale: str) -> dict[str, Any]:
    """One plan whole."""
    sites = planning_problem.scope_sites(session, row.scope_code)
    names = {code: site.name(locale) for code, site in sites.items()}
    found = summary(row, locale, names)
    found["sites"] = {code: _site(site, locale) for code, site in sites.items()}
    found["job"] = job_of(session, row)
    found["marks"] = {"pins": dict(row.marks.get("pins", {})), "locks": list(row.marks.get("locks", []))}
    found["steps"] = [
        {"action": step.action, "params": dict(step.params)} if step else None
        for step in planning_versions.steps(session, row)
    ]
    found["improvements"] = improvements(session, row)
    found["replan"] = _replan(session, row, locale)
    if not row.result:
        return {**found, "routes": [], "idle": [], "unserved": [], "notices": [], "totals": None, "trunks": []}
    view = _View(session, row, locale)
    extra = {code for route in view.routes for code in view.codes(route)} - set(sites)
    for site in session.scalars(select(Site).where(Site.code.in_(sorted(extra)))):
        found["sites"][site.code] = _site(site, locale)
    found["routes"] = [view.route(index, route) for index, route in enumerate(view.routes)]
    found["idle"] = view.idle()
    found["unserved"] = [view.unserved(one) for one in row.result["unserved"]]
    found["notices"] = [{"code": one["code"], "params": one["params"]} for one in row.result["notices"]]
    found["totals"] = view.totals()
    found["trunks"] = dispatch_trunks.trunks(row, found["sites"], view.people, view.pickup)
    return found


def _replan(session: Session, row: Plan, locale: str) -> dict[str, Any] | None:
    """Which plan this one plans anew, without whom, and what it drives more or less than what was left of that."""
    asked = row.marks.get(planning_replan.MARK)
    if not asked:
        return None
    names = user_names(session, asked["out"], locale)
    return {
        "of": asked["of"],
        "out": [names.get(who, who) for who in asked["out"]],
        "difference": planning_replan.difference(row),
    }


def _site(site: Site, locale: str) -> dict[str, Any]:
    return {
        "code": site.code,
        "name": site.name(locale),
        "tier": TIERS.get(site.tier, "township"),
        "lat": site.lat,
        "lon": site.lon,
    }


def _pct(share: float | None) -> int | None:
    """Whole per cent, rounded down: 99.6 % is not sure."""
    return None if share is None else int(100 * share + 1e-9)


def _within(result: Mapping[str, Any]) -> float | None:
    """By how many per cent the plan costs at most more than the best possible one that serves the same."""
    bound, cost = result.get("lower_bound"), float(result.get("cost") or 0)
    return round(100 * (cost - bound) / bound, 1) if bound else None


class _View:
    """A stored plan beside its problem, its pickups and, once published, its stops."""

    def __init__(self, session: Session, row: Plan, locale: str) -> None:
        self.row, self.locale = row, locale
        self.clock = DayClock(row.day)
        self.problem = from_builtins(row.problem, Problem)
        self.routes = [from_builtins(route, Route) for route in row.result["routes"]]
        self.requests: dict[str, Request] = {request.id: request for request in self.problem.requests}
        left = [one["request_id"] for one in row.result["unserved"]]
        ids = [one for name in (*self.requests, *left) if (one := pickup_of(name)) is not None]
        self.pickups = {p.id: p for p in session.scalars(select(Pickup).where(Pickup.id.in_(ids)))}
        self.people = user_names(session, [p.id for p in self.problem.couriers], locale)
        couriers = session.scalars(select(Courier).where(Courier.username.in_(sorted(self.people))))
        self.vehicles = {one.username: one.vehicle for one in couriers}
        stops = session.scalars(select(Stop).where(Stop.plan_id == row.id))
        self.stops = {(stop.courier, stop.site_code, stop.arrive_at): stop for stop in stops}
        laboratories = session.scalars(
            select(Site).where(Site.code.in_([r.delivery_site for r in self.problem.requests]))
        )
        self.limits_s = {
            site.code: (site.cutoff_min * 60 - _MARGIN_S, self.clock.s(timetable.trunk_latest(row.day, site)))
            for site in laboratories
            if site.cutoff_min is not None
        }

    def codes(self, route: Route) -> set[str]:
        return {code for code in (*(s.site_id for s in route.stops), route.end_site) if not code.startswith("@")}

    def route(self, index: int, route: Route) -> dict[str, Any]:
        vehicle = self.vehicles.get(route.courier_id)
        start = next(site for site in self.problem.sites if site.id == route.start_site)
        end = next(site for site in self.problem.sites if site.id == route.end_site)
        chances = planning_odds.of_stops(self.row.marks, route.courier_id)
        known = chances if len(chances) == len(route.stops) else [None] * len(route.stops)
        visits = [
            (visit, chance)
            for visit, chance in zip(route.stops, known, strict=True)
            if not visit.site_id.startswith("@")
        ]
        return {
            "courier": route.courier_id,
            "name": self.people.get(route.courier_id, route.courier_id),
            "locked": route.courier_id in self.row.marks.get("locks", ()),
            "vehicle": vehicle.plate or vehicle.code if vehicle else "",
            "colour": index,
            "start_at": iso(self.clock.at(route.start_s)),
            "end_at": iso(self.clock.at(route.end_s)),
            "start": {"lat": start.lat, "lon": start.lon, "site": None if start.id.startswith("@") else start.id},
            "end": {"lat": end.lat, "lon": end.lon, "site": end.id},
            "distance_m": route.distance_m,
            "drive_s": route.drive_s,
            "return_travel_s": route.return_travel_s,
            "stops": [
                {**self.stop(route, number, visit), "on_time_pct": _pct(chance)}
                for number, (visit, chance) in enumerate(visits, start=1)
            ],
        }

    def idle(self) -> list[dict[str, Any]]:
        """Couriers on shift who have nothing to do."""
        busy = {route.courier_id for route in self.routes}
        free = [person for person in self.problem.couriers if person.id not in busy]
        return [
            {
                "courier": person.id,
                "name": self.people.get(person.id, person.id),
                "locked": person.id in self.row.marks.get("locks", ()),
                "start_at": iso(self.clock.at(person.shift_start_s)),
                "end_at": iso(self.clock.at(person.shift_end_s)),
            }
            for person in free
        ]

    def stop(self, route: Route, number: int, visit: Visit) -> dict[str, Any]:
        begins, ends = planning.window_of(visit, self.requests)
        known = self.stops.get((route.courier_id, visit.site_id, self.clock.at(visit.arrive_s)))
        return {
            "position": number,
            "site": visit.site_id,
            "kind": planning.kind_of(visit),
            "arrive_at": iso(self.clock.at(visit.arrive_s)),
            "start_at": iso(self.clock.at(visit.start_s)),
            "depart_at": iso(self.clock.at(visit.depart_s)),
            "window_from_at": iso(self.clock.at(begins)) if begins is not None else None,
            "window_to_at": iso(self.clock.at(ends)) if ends is not None else None,
            "wait_min": (visit.start_s - visit.arrive_s) // 60,
            "travel_s": visit.travel_s,
            "distance_m": visit.distance_m,
            "load_after": dict(visit.load_after),
            "picked": [self.pickup(name) for name in visit.picked],
            "delivered": [self.pickup(name) for name in visit.delivered],
            "use_by": any(
                self.bound_by_use_by(service.request_id)
                for service in visit.services
                if service.kind is Kind.PICKUP or service.request_id.startswith("A")
            ),
            "due_at": self._due(visit),
            "state": known.state if known else None,
            "seen_at": iso(known.seen_at) if known else None,
            "actual_arrive_at": iso(known.actual_arrive_at) if known else None,
        }

    def _due(self, visit: Visit) -> str | None:
        dues = [self.requests[name].due_s for name in (*visit.picked, *visit.delivered) if name in self.requests]
        return iso(self.clock.at(min(dues))) if dues else None

    def bound_by_use_by(self, name: str) -> bool:
        """True when a tube's use-by, not the laboratory's cut-off or the trunk's departure, sets the due time."""
        request = self.requests[name]
        limits_s = self.limits_s.get(request.delivery_site)
        return request.priority == "routine" and limits_s is not None and request.due_s < min(limits_s)

    def pickup(self, name: str) -> dict[str, Any]:
        request = self.requests.get(name)
        pickup = self.pickups.get(pickup_of(name) or 0)
        return {
            "request": name,
            "pinned": name in self.row.marks.get("pins", {}),
            "id": pickup.id if pickup else None,
            "kind": pickup.kind if pickup else "aboard",
            "priority": pickup.priority if pickup else "routine",
            "site": pickup.site_code if pickup else None,
            "destination": pickup.destination_code if pickup else (request.delivery_site if request else None),
            "load": dict(request.load) if request else {},
            "due_at": iso(self.clock.at(request.due_s)) if request else None,
            "ready_at": iso(self.clock.at(request.ready_s)) if request else None,
            "latest_at": iso(self.clock.at(request.latest_pickup_s)) if request else None,
        }

    def unserved(self, one: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **self.pickup(one["request_id"]),
            "code": one["code"],
            "params": dict(one["params"]),
            "couriers": [dict(binding) for binding in one["couriers"]],
            "remedies": [dict(remedy) for remedy in one["remedies"]],
        }

    def totals(self) -> dict[str, Any]:
        served = sum(len(stop.picked) for route in self.routes for stop in route.stops)
        left = len(self.row.result["unserved"])
        asked = served + left
        return {
            "requests": asked,
            "served": served,
            "unserved": left,
            "on_time_pct": round(100 * served / asked, 1) if asked else None,
            "couriers": len(self.routes),
            "couriers_on_shift": len(self.problem.couriers),
            "stops": sum(len(route.stops) for route in self.routes),
            "distance_m": self.row.distance_m,
            "duration_s": self.row.duration_s,
            "drive_s": sum(route.drive_s for route in self.routes),
            "cost": self.row.result.get("cost"),
            "likely_pct": _pct(self.row.marks.get(planning_odds.MARK, {}).get("share")),
            "all_on_time_pct": _pct(self.row.marks.get(planning_odds.MARK, {}).get("plan")),
            "recorded_legs": self.row.marks.get(planning_odds.MARK, {}).get("legs"),
            "within_pct": _within(self.row.result),
            "search_s": self.row.result.get("search_s"),
            "travel_source": self.row.result.get("travel_source"),
        }
