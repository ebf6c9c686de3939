"""What every travel provider answers, and the error when it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from routing.plan import Notice
from routing.problem import Site

Int32Matrix = npt.NDArray[np.int32]


class TravelError(Exception):
    """A provider cannot answer. ``code`` is stable: see the providers."""

    def __init__(self, code: str, **params: object) -> None:
        self.code = code
        self.params = params
        super().__init__(f"{code} {params or ''}".strip())


@dataclass(frozen=True, slots=True)
class TravelMatrix:
    """``travel_s[i, j]`` and ``distance_m[i, j]`` from site i to site j, int32 n×n, in order of ``site_ids``."""

    site_ids: tuple[str, ...]
    travel_s: Int32Matrix
    distance_m: Int32Matrix
    source: str
    notices: tuple[Notice, ...] = ()


class TravelProvider(Protocol):
    """Anything that knows how long it takes from each site to each other."""

    def matrix(self, points: Sequence[Site]) -> TravelMatrix:
        """Travel between all ``points``; raises :class:`TravelError` when it cannot be known."""
        ...
