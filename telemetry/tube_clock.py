"""Where tubes have been since collection: by the box's loggers while boxed, by the declared storage otherwise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from logistics.domain.cold_chain import Stay
from logistics.domain.stability import Exposure
from logistics.services.cold_chain import boxed_times
from logistics.services.stability import STORAGE_C
from telemetry import store
from telemetry.exposure import Part, combined
from telemetry.queries import bound
from telemetry.silence import silence_limit

_ZERO = timedelta(0)
DEFAULT_STORAGE_C = 5.0


def exposures(
    session: Session, collected: Mapping[int, tuple[datetime, str]], *, now: datetime
) -> tuple[dict[int, Exposure], dict[int, float | None]]:
    """Exposure of tubes from collection to ``now``, and where each is now.

    ``collected``: specimen id → (collected_at, temperature class). Boxed time by the box's loggers, the rest by the
    declared storage of the class; boxed time without readings is unknown. Where a tube is: the newest reading while
    boxed, None when its box does not speak, else its declared storage.
    """
    times = boxed_times(session, collected)
    parts = _parts(session, _spans(times, now))
    found: dict[int, Exposure] = {}
    here_c: dict[int, float | None] = {}
    for specimen_id, (collected_at, temp_class) in collected.items():
        stays = times.get(specimen_id, [])
        storage_c = STORAGE_C.get(temp_class, DEFAULT_STORAGE_C)
        found[specimen_id] = _of_tube(stays, parts, collected_at, now, storage_c)
        inside = next((stay for stay in reversed(stays) if stay.since <= now), None)
        boxed = inside is not None and (inside.until is None or inside.until > now)
        here_c[specimen_id] = _newest(parts.get(inside.box_code, []), now) if boxed and inside else storage_c
    return found, here_c


def _spans(times: Mapping[int, Sequence[Stay]], now: datetime) -> dict[str, tuple[datetime, datetime]]:
    spans: dict[str, tuple[datetime, datetime]] = {}
    for stay in (stay for stays in times.values() for stay in stays):
        until = min(stay.until or now, now)
        low, high = spans.get(stay.box_code, (stay.since, until))
        spans[stay.box_code] = (min(low, stay.since), max(high, until))
    return spans


def _of_tube(
    stays: Sequence[Stay], parts: Mapping[str, list[Part]], collected_at: datetime, now: datetime, storage_c: float
) -> Exposure:
    total = Exposure()
    here = collected_at
    for stay in stays:
        since, until = max(stay.since, here), min(stay.until or now, now)
        if until <= since:
            continue
        total += Exposure.constant(storage_c, since - here)
        total += combined(parts.get(stay.box_code, []), since, until)
        here = until
    return total + Exposure.constant(storage_c, max(now - here, _ZERO))


def _newest(parts: Sequence[Part], now: datetime) -> float | None:
    """The temperature that is in force in a box; None: no logger in it speaks."""
    for part in parts:
        known = [reading for reading in part.readings if reading[0] <= now]
        if part.end >= now and known and now - known[-1][0] <= part.silence_after:
            return known[-1][1]
    return None


def _parts(session: Session, spans: Mapping[str, tuple[datetime, datetime]]) -> dict[str, list[Part]]:
    """The readings of boxes over spans, by binding."""
    if not spans:
        return {}
    start = min(low for low, _ in spans.values())
    end = max(high for _, high in spans.values())
    found: dict[str, list[Part]] = defaultdict(list)
    for binding, interval_s in bound(session, spans, start, end):
        low, high = spans[binding.box_code]
        begin = max(low, binding.bound_from)
        until = min(high, binding.bound_to) if binding.bound_to else high
        if until <= begin:
            continue
        limit = silence_limit(timedelta(seconds=interval_s))
        # A reading right before the span still holds at its begin, and one right after it tells whether there is a
        # gap at its end; but only if it is of this binding.
        since = max(begin - limit, binding.bound_from)
        beyond = until + limit if binding.bound_to is None else min(until + limit, binding.bound_to)
        readings = store.series(session, binding.device_code, binding.probe, since, beyond)
        found[binding.box_code].append(Part(begin, until, readings, limit))
    return found
