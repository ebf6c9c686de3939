"""Travel whose speed changes by hour of day, first in first out (Ichoua, Gendreau, Potvin 2003)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass
from routing.search.jit import kernel
from routing.search.packed import BANDS, Packed, band_factor, band_start

_HAIR = 1e-7
"""Rounding to whole seconds forgives this much of floating error."""


@kernel
def arrival(p: Packed, leave: float, drive: float) -> float:
    """When one arrives that leaves at ``leave`` for a way of ``drive`` at full speed, rounded up to a whole unit."""
    if p.i[BANDS] == 0:
        return leave + drive
    left, now, band = drive, leave, -1
    while band + 1 < p.i[BANDS] and band_start(p, band + 1) <= now:
        band += 1
    while band + 1 < p.i[BANDS]:
        speed = band_factor(p, band) if band >= 0 else 1.0
        span = (band_start(p, band + 1) - now) * speed
        if left <= span:
            return float(math.ceil(now + left / speed - _HAIR))
        left -= span
        now = band_start(p, band + 1)
        band += 1
    speed = band_factor(p, band) if band >= 0 else 1.0
    return float(math.ceil(now + left / speed - _HAIR))


@kernel
def departure(p: Packed, arrive: float, drive: float) -> float:
    """The latest moment to leave so as to have arrived at ``arrive``."""
    if p.i[BANDS] == 0:
        return arrive - drive
    left, now, band = drive, arrive, p.i[BANDS] - 1
    while band >= 0 and band_start(p, band) >= now:
        band -= 1
    while band >= 0:
        span = (now - band_start(p, band)) * band_factor(p, band)
        if left <= span:
            break
        left -= span
        now = band_start(p, band)
        band -= 1
    leave = now - left / (band_factor(p, band) if band >= 0 else 1.0)
    whole = float(math.floor(leave + _HAIR))
    while arrival(p, whole, drive) > arrive + _HAIR:
        whole -= 1.0
    return whole
