"""Where tubes have been since collection: by the box's loggers while boxed, by the declared storage otherwise."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
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
    session: Session,
    collected: Mapping[int, tuple[datetime, str]],
    *,
    now: datetime,
    decided: Mapping[int, datetime] | None = None,
    stays: Mapping[int, Sequence[Stay]] | None = None,
) -> tuple[dict[int, Exposure], dict[int, float | None]]:
    """Exposure of tubes from collection to ``now``, and where each is then; of those in ``decided`` until that moment.

    ``collected``: specimen id → (collected_at, temperature class); ``stays``: their times in boxes, where known. Boxed
    time by the box's loggers, the rest by the declared storage of the class; boxed time without readings is unknown.
    Where a tube is: the newest reading while boxed, None when its box does not speak, else its declared storage. Which
    tubes are asked about together makes no difference to any of them, nor to the number of statements.
    """
    moments = {specimen_id: (decided or {}).get(specimen_id, now) for specimen_id in collected}
    times = boxed_times(session, collected) if stays is None else {one: stays[one] for one in collected}
    boxes = _Boxes(_parts(session, _spans(times, moments)))
    found: dict[int, Exposure] = {}
    here_c: dict[int, float | None] = {}
    for specimen_id, (collected_at, temp_class) in collected.items():
        boxed_at, at = times.get(specimen_id, []), moments[specimen_id]
        storage_c = STORAGE_C.get(temp_class, DEFAULT_STORAGE_C)
        found[specimen_id] = _of_tube(boxed_at, boxes, collected_at, at, storage_c)
        inside = next((stay for stay in reversed(boxed_at) if stay.since <= at), None)
        boxed = inside is not None and (inside.until is None or inside.until > at)
        here_c[specimen_id] = _newest(boxes.parts.get(inside.box_code, []), at) if boxed and inside else storage_c
    return found, here_c


def _spans(
    times: Mapping[int, Sequence[Stay]], moments: Mapping[int, datetime]
) -> dict[str, tuple[datetime, datetime]]:
    spans: dict[str, tuple[datetime, datetime]] = {}
    for specimen_id, stays in times.items():
        at = moments[specimen_id]
        for stay in stays:
            until = min(stay.until or at, at)
            low, high = spans.get(stay.box_code, (stay.since, until))
            spans[stay.box_code] = (min(low, stay.since), max(high, until))
    return spans


class _Boxes:
    """What boxes recorded, and the exposures in them: tubes that travelled together have the same one."""

    def __init__(self, parts: Mapping[str, list[Part]]) -> None:
        self.parts = parts
        self._found: dict[tuple[str, datetime, datetime], Exposure] = {}

    def exposure(self, box_code: str, since: datetime, until: datetime) -> Exposure:
        key = (box_code, since, until)
        if key not in self._found:
            known = [_up_to(part, until) for part in self.parts.get(box_code, ())]
            self._found[key] = combined(known, since, until)
        return self._found[key]


def _up_to(part: Part, until: datetime) -> Part:
    """The part as it is read for a stay that ends at ``until``: later readings of longer stays say nothing about it."""
    last = bisect_left(part.readings, (until + part.silence_after, -math.inf))
    return replace(part, readings=part.readings[:last])


def _of_tube(stays: Sequence[Stay], boxes: _Boxes, collected_at: datetime, now: datetime, storage_c: float) -> Exposure:
    total = Exposure()
    here = collected_at
    for stay in stays:
        since, until = max(stay.since, here), min(stay.until or now, now)
        if until <= since:
            continue
        total += Exposure.constant(storage_c, since - here)
        total += boxes.exposure(stay.box_code, since, until)
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
