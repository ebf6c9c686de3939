"""Driving whose speed changes by hour of day, first in first out (Ichoua, Gendreau, Potvin 2003)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from routing.problem import SpeedBand

_HAIR = 1e-7
"""Rounding to whole seconds forgives this much of floating error."""


class Pace:
    """From leaving to arriving and back, for a drive given in seconds at the table's speed."""

    def __init__(self, bands: Sequence[SpeedBand]) -> None:
        self.constant = not bands
        self._starts = [float("-inf"), *(float(band.start_s) for band in bands)]
        self._factors = [1.0, *(band.factor for band in bands)]

    @property
    def last_change_s(self) -> int:
        """From this moment on the speed stays as it is; 0 when it never changes."""
        return 0 if self.constant else int(self._starts[-1])

    def arrival(self, leave_s: int, drive_s: int) -> int:
        """The whole second in which one arrives."""
        if self.constant:
            return leave_s + drive_s
        now, left = float(leave_s), float(drive_s)
        for band, factor in enumerate(self._factors):
            end = self._starts[band + 1] if band + 1 < len(self._starts) else math.inf
            if end <= now:
                continue
            if left <= (end - now) * factor:
                return math.ceil(now + left / factor - _HAIR)
            left -= (end - now) * factor
            now = end
        raise AssertionError("the last band has no end")

    def departure(self, arrive_s: int, drive_s: int) -> int:
        """The latest whole second to leave so as to have arrived by ``arrive_s``."""
        if self.constant:
            return arrive_s - drive_s
        now, left = float(arrive_s), float(drive_s)
        for band in range(len(self._factors) - 1, -1, -1):
            start, factor = self._starts[band], self._factors[band]
            if start >= now:
                continue
            if left <= (now - start) * factor:
                now -= left / factor
                break
            left -= (now - start) * factor
            now = start
        leave_s = math.floor(now + _HAIR)
        while self.arrival(leave_s, drive_s) > arrive_s:
            leave_s -= 1
        return leave_s
