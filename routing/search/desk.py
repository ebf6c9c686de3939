"""The room in which one thread works out a route."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from routing.search.arrays import Arrays, Floats, Ints

NEVER = 1e18
"""The cost of a route that cannot be driven."""

HAIR = 1e-9


SERVICE, DRIVE, VISIT, LOW, HIGH, LIMIT, EARLY, LATE = range(8)
"""Lines of ``Desk.f``, by item: service, drive and visit to the next item, window, ``LIMIT`` of ``MATE``, schedules."""

NODE, ROW, MATE, PLACE, ABOARD, WITH, SLOTS, KEPT, CHOSEN, TRIAL = range(10)
"""Lines of ``Desk.i``. By item: node (-1 start and end, -2 break), matrix row, item that must not lie further back than
``LIMIT`` (-1 none). By request: item of its pickup. By class: slots aboard. By kind: requests aboard. By break: where
it is taken. TRIAL: nodes of a route that is being tried."""


class Desk(NamedTuple):
    """Room to work in, one per thread. Item 0 is the start of the route, the last one its end."""

    f: Floats
    i: Ints


def desk(problem: Arrays) -> Desk:
    """Room for the longest route there can be."""
    items = 2 * len(problem.load) + 8 + problem.break_start.shape[1] + problem.load.shape[1] + len(problem.conflict)
    return Desk(np.zeros((8, items)), np.zeros((10, items), dtype=np.int64))
