"""Refuses a problem that cannot be meant, naming the code and the field. Impossible is not refused: see prune."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from routing.problem import (
    FORMAT_VERSION,
    HORIZON_S,
    Courier,
    Problem,
    ProblemError,
    Request,
    Site,
    TravelTable,
    Window,
)

_CLASS_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_MAX_SLOTS = 1_000_000


class _Named(Protocol):
    @property
    def id(self) -> str: ...


def validate(problem: Problem) -> None:
    """Raise :class:`ProblemError` for the first fault found; return quietly when there is none."""
    if problem.version != FORMAT_VERSION:
        raise ProblemError("bad_version", "version", value=problem.version, known=FORMAT_VERSION)
    _unique(problem.sites, "sites")
    _unique(problem.requests, "requests")
    _unique(problem.couriers, "couriers")
    known = {site.id for site in problem.sites}
    for index, site in enumerate(problem.sites):
        _site(site, f"sites[{index}]")
    for index, request in enumerate(problem.requests):
        _request(request, f"requests[{index}]", known)
    for index, courier in enumerate(problem.couriers):
        _courier(courier, f"couriers[{index}]", known)
    if problem.travel is not None:
        _table(problem.travel, known)


def _unique(things: Sequence[_Named], path: str) -> None:
    seen: dict[str, int] = {}
    for index, thing in enumerate(things):
        if not thing.id.strip():
            raise ProblemError("empty_id", f"{path}[{index}].id")
        if thing.id in seen:
            raise ProblemError("duplicate_id", f"{path}[{index}].id", id=thing.id, first=seen[thing.id])
        seen[thing.id] = index


def _number(value: float, path: str, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise ProblemError("out_of_range", path, value=value, min=low, max=high)


def _moment(value: int, path: str) -> None:
    _number(value, path, 0, HORIZON_S)


def _windows(windows: Sequence[Window], path: str) -> None:
    before: Window | None = None
    for index, window in enumerate(windows):
        where = f"{path}[{index}]"
        _moment(window.start_s, f"{where}.start_s")
        _moment(window.end_s, f"{where}.end_s")
        if window.end_s < window.start_s:
            raise ProblemError("window_reversed", where, start_s=window.start_s, end_s=window.end_s)
        if before is not None and window.start_s <= before.end_s:
            raise ProblemError("windows_overlap", where, start_s=window.start_s, previous_end_s=before.end_s)
        before = window


def _slots(load: Mapping[str, int], path: str) -> None:
    for name, slots in load.items():
        if not _CLASS_NAME.match(name):
            raise ProblemError("bad_temperature_class", path, temperature_class=name)
        _number(slots, f"{path}.{name}", 0, _MAX_SLOTS)


def _skills(skills: Iterable[str], path: str) -> None:
    if any(not skill.strip() for skill in skills):
        raise ProblemError("empty_id", path)


def _site(site: Site, path: str) -> None:
    _number(site.lat, f"{path}.lat", -90, 90)
    _number(site.lon, f"{path}.lon", -180, 180)
    _number(site.visit_s, f"{path}.visit_s", 0, HORIZON_S)
    _number(site.detour_factor, f"{path}.detour_factor", 1, 10)
    _number(site.speed_kmh, f"{path}.speed_kmh", 1, 200)
    _windows(site.receiving_windows, f"{path}.receiving_windows")


def _reference(site_id: str, path: str, known: set[str]) -> None:
    if site_id not in known:
        raise ProblemError("unknown_site", path, site=site_id)


def _request(request: Request, path: str, known: set[str]) -> None:
    _reference(request.pickup_site, f"{path}.pickup_site", known)
    _reference(request.delivery_site, f"{path}.delivery_site", known)
    if request.pickup_site == request.delivery_site:
        raise ProblemError("same_site", f"{path}.delivery_site", site=request.delivery_site)
    _slots(request.load, f"{path}.load")
    for name in ("ready_s", "latest_pickup_s", "due_s", "pickup_service_s", "delivery_service_s"):
        _moment(getattr(request, name), f"{path}.{name}")
    if request.max_ride_s is not None:
        _moment(request.max_ride_s, f"{path}.max_ride_s")
    _windows(request.pickup_windows, f"{path}.pickup_windows")
    _skills(request.skills, f"{path}.skills")


def _courier(courier: Courier, path: str, known: set[str]) -> None:
    _reference(courier.start_site, f"{path}.start_site", known)
    _reference(courier.end_site, f"{path}.end_site", known)
    _moment(courier.shift_start_s, f"{path}.shift_start_s")
    _moment(courier.shift_end_s, f"{path}.shift_end_s")
    if courier.shift_end_s < courier.shift_start_s:
        shift = {"start_s": courier.shift_start_s, "end_s": courier.shift_end_s}
        raise ProblemError("window_reversed", f"{path}.shift_end_s", **shift)
    _slots(courier.capacity, f"{path}.capacity")
    if courier.max_duration_s is not None:
        _moment(courier.max_duration_s, f"{path}.max_duration_s")
    for name in ("cost_fixed", "cost_per_km", "cost_per_hour"):
        _number(getattr(courier, name), f"{path}.{name}", 0, 1_000_000)
    _skills(courier.skills, f"{path}.skills")


def _table(table: TravelTable, known: set[str]) -> None:
    missing = sorted(known - set(table.site_ids))
    if missing:
        raise ProblemError("matrix_missing_site", "travel.site_ids", site=missing[0], count=len(missing))
    size = len(table.site_ids)
    if len(set(table.site_ids)) != size:
        raise ProblemError("duplicate_id", "travel.site_ids")
    for name, limit in (("travel_s", HORIZON_S), ("distance_m", 10_000_000)):
        rows = getattr(table, name)
        if len(rows) != size:
            raise ProblemError("matrix_wrong_shape", f"travel.{name}", rows=len(rows), expected=size)
        for index, row in enumerate(rows):
            where = f"travel.{name}[{index}]"
            if len(row) != size:
                raise ProblemError("matrix_wrong_shape", where, columns=len(row), expected=size)
            for column, value in enumerate(row):
                _number(value, f"{where}[{column}]", 0, limit)
