"""The arrays of a problem as two flat ones, and the fields by name.

The compiler hands every array of a tuple on as seven numbers, so kernels that take fifty arrays compile for minutes.
Two arrays and a table of offsets compile in seconds and run as fast.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.search.arrays import BIG, Arrays, Floats
from routing.search.jit import kernel

(
    REQUESTS, CLASSES, KINDS, TYPES, NEAR_WIDTH, BANDS, TIMED, COURIERS, BREAKS, ROWS, PLAIN, EXTRAS, ANY_ABOARD
) = range(13)  # fmt: skip
"""Where ``Packed.i`` keeps sizes and flags. PLAIN: one window a node, constant speed, one load kind, no lateness and
promises, so that :mod:`routing.search.plain` may be used. EXTRAS: some pair costs extra. ANY_ABOARD: some request is
aboard from the start."""

_SIZES = 13
_FIELDS = tuple(name for name in Arrays._fields if name != "timed")

(
    ROW_AT, DRIVE_AT, HOP_AT, VISIT_AT, DISTANCE_AT, WINDOW_COUNT_AT, WINDOW_START_AT, WINDOW_END_AT, SERVICE_AT,
    LOAD_AT, RIDE_AT, ABOARD_AT, KIND_AT, CONFLICT_AT, SOFT_DUE_AT, LATE_RATE_AT, PROMISED_AT, TOLERANCE_AT,
    CHANGE_COST_AT, PENALTY_AT, CAPACITY_AT, SHIFT_START_AT, SHIFT_END_AT, MAX_DURATION_AT, COST_FIXED_AT,
    COST_DISTANCE_AT, COST_TIME_AT, START_ROW_AT, END_ROW_AT, ALLOWED_AT, PAIR_COST_AT, BREAK_COUNT_AT,
    BREAK_START_AT, BREAK_END_AT, BREAK_LENGTH_AT, BAND_START_AT, BAND_FACTOR_AT, SLOT_TYPE_AT, NEAR_AT,
) = range(_SIZES, _SIZES + 2 * len(_FIELDS), 2)  # fmt: skip
"""Where the header keeps the offset of each field, and after it its width."""


class Packed(NamedTuple):
    """A problem for the kernels: ``i`` begins with sizes, then offset and width of every field, then the integers."""

    f: Floats
    i: NDArray[np.int64]


def pack(arrays: Arrays) -> Packed:
    """The same numbers in two arrays."""
    floats: list[Any] = []
    whole: list[Any] = []
    header = np.zeros(_SIZES + 2 * len(_FIELDS), dtype=np.int64)
    n, classes = arrays.load.shape
    header[:_SIZES] = (
        n, classes, len(arrays.conflict), len(arrays.capacity), arrays.near.shape[1], len(arrays.band_start),
        arrays.timed, len(arrays.slot_type), arrays.break_start.shape[1], len(arrays.drive), _plain(arrays),
        bool(arrays.pair_cost.any()), bool(arrays.aboard.any()),
    )  # fmt: skip
    at = {"f": 0, "i": len(header)}
    for index, name in enumerate(_FIELDS):
        values = np.asarray(getattr(arrays, name))
        kind = "f" if values.dtype.kind == "f" else "i"
        header[_SIZES + 2 * index : _SIZES + 2 * index + 2] = at[kind], values.shape[1] if values.ndim == 2 else 1
        (floats if kind == "f" else whole).append(values.ravel())
        at[kind] += values.size
    return Packed(
        np.concatenate([*floats, np.zeros(1)]), np.concatenate([header, *[part.astype(np.int64) for part in whole]])
    )


def _plain(arrays: Arrays) -> bool:
    late = bool(((arrays.soft_due < BIG) & (arrays.late_rate > 0)).any())
    promised = bool(((arrays.promised < BIG) & (arrays.change_cost > 0)).any())
    single = bool((arrays.window_count == 1).all())
    return single and not late and not promised and len(arrays.band_start) == 0 and not arrays.conflict.any()


# Each field by its name, as :class:`routing.search.arrays.Arrays` describes it. Functions of their own, not made by one
# factory: the compiler's cache takes functions that differ only by what they enclose for one and the same.


@kernel
def row(p: Packed, k: int) -> int:
    return p.i[p.i[ROW_AT] + k]


@kernel
def drive(p: Packed, k: int, j: int) -> float:
    return p.f[p.i[DRIVE_AT] + k * p.i[DRIVE_AT + 1] + j]


@kernel
def hop(p: Packed, k: int, j: int) -> float:
    return p.f[p.i[HOP_AT] + k * p.i[HOP_AT + 1] + j]


@kernel
def visit(p: Packed, k: int) -> float:
    return p.f[p.i[VISIT_AT] + k]


@kernel
def distance(p: Packed, k: int, j: int) -> float:
    return p.f[p.i[DISTANCE_AT] + k * p.i[DISTANCE_AT + 1] + j]


@kernel
def window_count(p: Packed, k: int) -> int:
    return p.i[p.i[WINDOW_COUNT_AT] + k]


@kernel
def window_start(p: Packed, k: int, j: int) -> float:
    return p.f[p.i[WINDOW_START_AT] + k * p.i[WINDOW_START_AT + 1] + j]


@kernel
def window_end(p: Packed, k: int, j: int) -> float:
    return p.f[p.i[WINDOW_END_AT] + k * p.i[WINDOW_END_AT + 1] + j]


@kernel
def service(p: Packed, k: int) -> float:
    return p.f[p.i[SERVICE_AT] + k]


@kernel
def load(p: Packed, k: int, j: int) -> int:
    return p.i[p.i[LOAD_AT] + k * p.i[LOAD_AT + 1] + j]


@kernel
def ride(p: Packed, k: int) -> float:
    return p.f[p.i[RIDE_AT] + k]


@kernel
def aboard(p: Packed, k: int) -> int:
    return p.i[p.i[ABOARD_AT] + k]


@kernel
def kind_of(p: Packed, k: int) -> int:
    return p.i[p.i[KIND_AT] + k]


@kernel
def conflict(p: Packed, k: int, j: int) -> int:
    return p.i[p.i[CONFLICT_AT] + k * p.i[CONFLICT_AT + 1] + j]


@kernel
def soft_due(p: Packed, k: int) -> float:
    return p.f[p.i[SOFT_DUE_AT] + k]


@kernel
def late_rate(p: Packed, k: int) -> float:
    return p.f[p.i[LATE_RATE_AT] + k]


@kernel
def promised(p: Packed, k: int) -> float:
    return p.f[p.i[PROMISED_AT] + k]


@kernel
def tolerance(p: Packed, k: int) -> float:
    return p.f[p.i[TOLERANCE_AT] + k]


@kernel
def change_cost(p: Packed, k: int) -> float:
    return p.f[p.i[CHANGE_COST_AT] + k]


@kernel
def penalty(p: Packed, k: int) -> float:
    return p.f[p.i[PENALTY_AT] + k]


@kernel
def capacity(p: Packed, k: int, j: int) -> int:
    return p.i[p.i[CAPACITY_AT] + k * p.i[CAPACITY_AT + 1] + j]


@kernel
def shift_start(p: Packed, k: int) -> float:
    return p.f[p.i[SHIFT_START_AT] + k]


@kernel
def shift_end(p: Packed, k: int) -> float:
    return p.f[p.i[SHIFT_END_AT] + k]


@kernel
def max_duration(p: Packed, k: int) -> float:
    return p.f[p.i[MAX_DURATION_AT] + k]


@kernel
def cost_fixed(p: Packed, k: int) -> float:
    return p.f[p.i[COST_FIXED_AT] + k]


@kernel
def cost_distance(p: Packed, k: int) -> float:
    return p.f[p.i[COST_DISTANCE_AT] + k]


@kernel
def cost_time(p: Packed, k: int) -> float:
    return p.f[p.i[COST_TIME_AT] + k]


@kernel
def start_row(p: Packed, k: int) -> int:
    return p.i[p.i[START_ROW_AT] + k]


@kernel
def end_row(p: Packed, k: int) -> int:
    return p.i[p.i[END_ROW_AT] + k]


@kernel
def allowed(p: Packed, k: int, j: int) -> int:
    return p.i[p.i[ALLOWED_AT] + k * p.i[ALLOWED_AT + 1] + j]


@kernel
def pair_cost(p: Packed, k: int, j: int) -> float:
    return p.f[p.i[PAIR_COST_AT] + k * p.i[PAIR_COST_AT + 1] + j]


@kernel
def break_count(p: Packed, k: int) -> int:
    return p.i[p.i[BREAK_COUNT_AT] + k]


@kernel
def break_start(p: Packed, k: int, j: int) -> float:
    return p.f[p.i[BREAK_START_AT] + k * p.i[BREAK_START_AT + 1] + j]


@kernel
def break_end(p: Packed, k: int, j: int) -> float:
    return p.f[p.i[BREAK_END_AT] + k * p.i[BREAK_END_AT + 1] + j]


@kernel
def break_length(p: Packed, k: int, j: int) -> float:
    return p.f[p.i[BREAK_LENGTH_AT] + k * p.i[BREAK_LENGTH_AT + 1] + j]


@kernel
def band_start(p: Packed, k: int) -> float:
    return p.f[p.i[BAND_START_AT] + k]


@kernel
def band_factor(p: Packed, k: int) -> float:
    return p.f[p.i[BAND_FACTOR_AT] + k]


@kernel
def slot_type(p: Packed, k: int) -> int:
    return p.i[p.i[SLOT_TYPE_AT] + k]


@kernel
def near(p: Packed, k: int, j: int) -> int:
    return p.i[p.i[NEAR_AT] + k * p.i[NEAR_AT + 1] + j]
