"""The compiler of the kernels, where it is installed.

Without numba the kernels stay plain Python: correct and a hundred times slower, so :mod:`routing.solve` then plans
with the OR-Tools routing model instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

numba: Any
try:
    import numba
except ImportError:
    numba = None

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

COMPILED = numba is not None
"""Whether the kernels run compiled."""


def kernel(function: Kernel) -> Kernel:
    """Compiled at its first call, kept on disk for the next process, running without the interpreter's lock."""
    if numba is None:
        return function
    try:
        return cast(Kernel, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # nowhere to keep it: compiled anew in each process
        return cast(Kernel, numba.njit(nogil=True)(function))
