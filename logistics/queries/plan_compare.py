"""Two plans of one day and scope side by side: their figures, and what differs request by request. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from logistics.errors import Conflict
from logistics.models import Plan
from logistics.queries import dispatch
from logistics.services.planning_edit import starts_of
from logistics.services.planning_problem import DayClock
from routing import Route, from_builtins

MOVED_S = 60
"""Times that differ by less are the same to people."""


def compare(session: Session, a: Plan, b: Plan, locale: str) -> dict[str, Any]:
    """Both plans whole, their totals, and the requests that another courier or another time has in B.

    Raises Conflict unless they are for the same day and scope and both worked out.
    """
    if (a.day, a.scope_code) != (b.day, b.scope_code):
        raise Conflict("plans_do_not_match", field="b")
    for row in (a, b):
        if not row.result:
            raise Conflict("plan_not_ready", field="plan", state=row.state)
    sides = [dispatch.plan(session, row, locale) for row in (a, b)]
    return {"a": sides[0], "b": sides[1], "changes": changes(session, a, b, locale)}


def changes(session: Session, a: Plan | None, b: Plan, locale: str) -> list[dict[str, Any]]:
    """Per request that differs: who fetches it when in A and in B (None = nobody). Without A everything is new."""
    before, after = (_held(row) if row is not None else {} for row in (a, b))
    clock = DayClock(b.day)
    sites = {name: site for row in (a, b) if row is not None for name, site in _sites(row).items()}
    names = dispatch.site_names(session, sites.values(), locale)
    people = dispatch.user_names(session, {who for held in (before, after) for who, _ in held.values()}, locale)

    def told(held: Mapping[str, tuple[str, int]], name: str) -> dict[str, Any] | None:
        if name not in held:
            return None
        who, start_s = held[name]
        return {"courier": who, "name": people.get(who, who), "at": dispatch.iso(clock.at(start_s))}

    found = [
        {
            "request": name,
            "site": sites.get(name, ""),
            "site_name": names.get(sites.get(name, ""), sites.get(name, name)),
            "a": told(before, name),
            "b": told(after, name),
        }
        for name in sorted({*before, *after})
        if _differs(before.get(name), after.get(name))
    ]
    return sorted(found, key=lambda one: (str((one["b"] or one["a"])["name"]), str((one["b"] or one["a"])["at"])))


def changes_ahead(session: Session, a: Plan | None, b: Plan, locale: str) -> list[dict[str, Any]]:
    """:func:`changes` of what plan B still decides: what was fetched before it was made is no change."""
    asked = {*_sites(b), *(one["request_id"] for one in b.result["unserved"])}
    return [one for one in changes(session, a, b, locale) if one["request"] in asked]


def by_courier(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same as each courier will see it: what is new for him, what goes, what is at another time."""
    lines: dict[str, dict[str, Any]] = {}

    def line(side: Mapping[str, Any]) -> dict[str, Any]:
        empty = {"courier": side["courier"], "name": side["name"], "new": [], "gone": [], "moved": []}
        return lines.setdefault(side["courier"], empty)

    for one in found:
        a, b = one["a"], one["b"]
        if a and b and a["courier"] == b["courier"]:
            line(b)["moved"].append({"site": one["site_name"], "from": a["at"], "to": b["at"]})
            continue
        if b:
            line(b)["new"].append({"site": one["site_name"], "at": b["at"]})
        if a:
            line(a)["gone"].append({"site": one["site_name"], "at": a["at"]})
    return sorted(lines.values(), key=lambda one: str(one["name"]))


def _held(row: Plan) -> dict[str, tuple[str, int]]:
    """Each pickup: who makes it, and when."""
    routes = (from_builtins(one, Route) for one in row.result.get("routes", ()))
    return {
        name: (route.courier_id, start_s)
        for route in routes
        for (name, kind), (start_s, _) in starts_of(route).items()
        if kind == "pickup" and not name.startswith("A")
    }


def _sites(row: Plan) -> dict[str, str]:
    return {one["id"]: one["pickup_site"] for one in row.problem.get("requests", ())}


def _differs(a: tuple[str, int] | None, b: tuple[str, int] | None) -> bool:
    if a is None or b is None:
        return a is not b
    return a[0] != b[0] or abs(a[1] - b[1]) >= MOVED_S
