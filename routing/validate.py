"""Refuses a problem that cannot be meant, naming the code and the field. Impossible is not refused: see prune."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from routing.problem import (
    FORMAT_VERSION,
    HORIZON_S,
    Break,
    Courier,
    Problem,
    ProblemError,
    Request,
    Site,
    SpeedBand,
    TravelTable,
    Window,
)

_CLASS_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_MAX_SLOTS = 1_000_000
_MAX_MONEY = 1_000_000
_SLOWEST, _FASTEST = 0.01, 100


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
    people = {courier.id for courier in problem.couriers}
    for index, request in enumerate(problem.requests):
        _request(request, f"requests[{index}]", known)
        _who(request, f"requests[{index}]", people)
    for index, courier in enumerate(problem.couriers):
        _courier(courier, f"couriers[{index}]", known)
    _bands(problem.speed_bands)
    _pairs(problem.incompatible)
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
    _reference(request.delivery_site, f"{path}.delivery_site", known)
    if request.aboard_of is None:
        _reference(request.pickup_site, f"{path}.pickup_site", known)
        if request.pickup_site == request.delivery_site:
            raise ProblemError("same_site", f"{path}.delivery_site", site=request.delivery_site)
    _slots(request.load, f"{path}.load")
    for name in ("ready_s", "latest_pickup_s", "due_s", "pickup_service_s", "delivery_service_s"):
        _moment(getattr(request, name), f"{path}.{name}")
    for name in ("max_ride_s", "soft_due_s", "promised_pickup_s", "promise_tolerance_s"):
        if getattr(request, name) is not None:
            _moment(getattr(request, name), f"{path}.{name}")
    for name in ("late_cost_per_hour", "change_cost"):
        _number(getattr(request, name), f"{path}.{name}", 0, _MAX_MONEY)
    _windows(request.pickup_windows, f"{path}.pickup_windows")
    _skills(request.skills, f"{path}.skills")


def _who(request: Request, path: str, people: set[str]) -> None:
    """Couriers that the request names, and since when it is aboard."""
    for name in sorted(request.courier_ids):
        _person(name, f"{path}.courier_ids", people)
    for field in ("aboard_of", "promised_courier_id"):
        if getattr(request, field) is not None:
            _person(getattr(request, field), f"{path}.{field}", people)
    since_s = request.aboard_since_s
    if since_s is not None:
        _number(since_s, f"{path}.aboard_since_s", -HORIZON_S, HORIZON_S)
        if request.aboard_of is None:
            raise ProblemError("missing_field", f"{path}.aboard_of")
    elif request.aboard_of is not None and request.max_ride_s is not None:
        raise ProblemError("missing_field", f"{path}.aboard_since_s")


def _person(courier_id: str, path: str, people: set[str]) -> None:
    if courier_id not in people:
        raise ProblemError("unknown_courier", path, courier=courier_id)


def _bands(bands: Sequence[SpeedBand]) -> None:
    before_s = -1
    for index, band in enumerate(bands):
        where = f"speed_bands[{index}]"
        _moment(band.start_s, f"{where}.start_s")
        _number(band.factor, f"{where}.factor", _SLOWEST, _FASTEST)
        if band.start_s <= before_s:
            raise ProblemError("not_in_order", f"{where}.start_s", start_s=band.start_s, previous_s=before_s)
        before_s = band.start_s


def _pairs(pairs: Sequence[tuple[str, str]]) -> None:
    for index, (one, other) in enumerate(pairs):
        if not one.strip() or not other.strip():
            raise ProblemError("empty_id", f"incompatible[{index}]")
        if one == other:
            raise ProblemError("same_kind", f"incompatible[{index}]", kind=one)


def _breaks(breaks: Sequence[Break], path: str) -> None:
    before_s = 0
    for index, item in enumerate(breaks):
        where = f"{path}[{index}]"
        _moment(item.earliest_s, f"{where}.earliest_s")
        _moment(item.latest_s, f"{where}.latest_s")
        _number(item.duration_s, f"{where}.duration_s", 1, HORIZON_S)
        if item.latest_s < item.earliest_s:
            raise ProblemError("window_reversed", where, start_s=item.earliest_s, end_s=item.latest_s)
        if item.earliest_s < before_s:
            raise ProblemError("breaks_overlap", where, earliest_s=item.earliest_s, previous_end_s=before_s)
        before_s = item.latest_s + item.duration_s


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
        _number(getattr(courier, name), f"{path}.{name}", 0, _MAX_MONEY)
    _skills(courier.skills, f"{path}.skills")
    _breaks(courier.breaks, f"{path}.breaks")


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
