"""What recorded legs taught about the roads: detour factor and speed by road class, speed by hour of day.

A :class:`Calibration` is plain numbers, so that it can be kept as a setting and shown to people. It is made by
:mod:`routing.travel.fitting` and used by :class:`routing.travel.GeodesicProvider`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

HOURS = 24


@dataclass(frozen=True, slots=True)
class Road:
    """A road class, for instance the hills of one county.

    ``detour_factor``: road metres per metre of straight line; ``speed_kmh`` on legs up to 20 km. ``legs``: how many
    recorded legs begin or end in it; with few of them the numbers stay close to what was assumed before.
    """

    detour_factor: float
    speed_kmh: float
    legs: int = 0


@dataclass(frozen=True, slots=True)
class Errors:
    """How far a model was from what was driven, over ``legs`` legs that it had not seen.

    ``mape``: mean of |model − driven| ÷ driven; ``median``: the median of the same; ``bias``: mean of
    (model − driven) ÷ driven, so that a positive bias means that the model is too slow. Shares, not per cent.
    """

    legs: int
    mape: float
    median: float
    bias: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Numbers for the geodesic model, with the error before and after, measured on legs kept aside.

    ``hour_factors``: for each hour of the local day the travel time relative to the day's mean (1.2 = a fifth
    slower); 24 of them. ``version`` and ``fitted_on`` (local date) are set by whoever keeps it.
    """

    roads: Mapping[str, Road]
    fast_kmh: float
    hour_factors: tuple[float, ...] = (1.0,) * HOURS
    before: Errors | None = None
    after: Errors | None = None
    legs: int = 0
    version: int = 0
    fitted_on: str = ""
    notes: tuple[str, ...] = field(default=())

    def hour_factor(self, moment_s: int) -> float:
        """The factor on travel time at ``moment_s`` seconds after local midnight."""
        return self.hour_factors[moment_s // 3600 % HOURS]
